//! What commands print: tables for eyes, JSON for machines, and errors that say what to do.

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tonic_types::StatusExt;

/// The domain of the ledger's own errors.
const ERROR_DOMAIN: &str = "timebank";

/// Why a command ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A rule of the ledger said no.
    #[error("{0}")]
    Refused(String),
    /// The arguments, or a file that they name, can't be used.
    #[error("{0}")]
    Usage(String),
    /// The server can't be reached, or the outcome is unknown.
    #[error("{0}")]
    Unreachable(String),
    /// Done, but for what is named.
    #[error("{0}")]
    InPart(String),
}

impl From<tonic::Status> for Failure {
    /// Only what the ledger itself says no to is refused. After anything else nobody knows what became of the call: a full
    /// queue, a failed server, something in between.
    fn from(status: tonic::Status) -> Self {
        let text = if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() };
        let ledger_says = status.get_details_error_info().is_some_and(|info| info.domain == ERROR_DOMAIN);
        let code = status.code();
        let no = matches!(
            code,
            tonic::Code::InvalidArgument
                | tonic::Code::NotFound
                | tonic::Code::AlreadyExists
                | tonic::Code::PermissionDenied
                | tonic::Code::Unauthenticated
                | tonic::Code::FailedPrecondition
                | tonic::Code::OutOfRange
        );
        if no && ledger_says {
            return Self::Refused(text);
        }
        Self::Unreachable(format!("the server can't be reached, or the outcome is unknown: {code}: {text}"))
    }
}

/// A wrong argument.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure::Usage(message.into()).into()
}

/// A file that is there is overwritten only where somebody asked for it.
pub(crate) fn refuse_overwrite(out: &Path, force: bool) -> anyhow::Result<()> {
    if force || !out.exists() {
        return Ok(());
    }
    Err(usage(format!("{} exists: choose another name, or overwrite it with --force", out.display())))
}

/// Prints an error and gives its exit code.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    let red = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if red { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    let mut stderr = std::io::stderr().lock();
    // Where not even this can be written, the exit code is what is left.
    let _unwritable = writeln!(stderr, "{on}error:{off} {error:#}");
    match error.downcast_ref::<Failure>() {
        Some(Failure::Refused(_)) => ExitCode::from(1),
        Some(Failure::Usage(_)) | None => ExitCode::from(2),
        Some(Failure::Unreachable(_)) => ExitCode::from(3),
        Some(Failure::InPart(_)) => ExitCode::from(4),
    }
}

/// Prints a line. A reader that went away (`timebank watch | head`) ends the command quietly.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// Prints JSON, or what `human` makes of it.
pub(crate) fn emit(json: bool, value: &serde_json::Value, human: impl FnOnce() -> String) -> anyhow::Result<()> {
    if json { line(&value.to_string()) } else { line(&human()) }
}

/// A table; columns named in `right` are numbers.
pub(crate) fn table(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Minutes as people say them.
pub(crate) fn hours(minutes: i64) -> String {
    let sign = if minutes < 0 { "-" } else { "" };
    let minutes = minutes.unsigned_abs();
    match (minutes / 60, minutes % 60) {
        (0, rest) => format!("{sign}{rest} min"),
        (hours, 0) => format!("{sign}{hours} h"),
        (hours, rest) => format!("{sign}{hours} h {rest:02} min"),
    }
}

/// A time of the ledger as people read it, in UTC.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

/// Progress with rate, for whoever watches; with the time left where the end is known.
pub(crate) fn progress(length: Option<u64>, items: &str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = match length {
        Some(_) => format!("{{bar:40}} {{pos}}/{{len}} {items}, {{per_sec}}, {{eta}} left"),
        None => format!("{{pos}} {items}, {{per_sec}}"),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_malformed| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, target).with_style(style)
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::ErrorDetails;

    use super::*;

    /// Whether a status means that the ledger itself said no, so that a sheet was not recorded and never will be.
    fn check(code: Code, domain: Option<&str>, refused: bool) {
        let status = match domain {
            Some(domain) => {
                let details = ErrorDetails::with_error_info("Reason", domain, std::collections::HashMap::new());
                Status::with_error_details(code, "why", details)
            }
            None => Status::new(code, "why"),
        };
        assert_eq!(matches!(Failure::from(status), Failure::Refused(_)), refused, "{code:?} {domain:?}");
    }

    #[test]
    fn only_what_the_ledger_itself_refuses_is_refused() {
        check(Code::InvalidArgument, Some("timebank"), true);
        check(Code::FailedPrecondition, Some("timebank"), true);
        check(Code::AlreadyExists, Some("timebank"), true);
        check(Code::ResourceExhausted, Some("timebank"), false);
        check(Code::Unavailable, Some("timebank"), false);
        check(Code::Internal, Some("timebank"), false);
        check(Code::Internal, None, false);
        check(Code::InvalidArgument, None, false);
        check(Code::PermissionDenied, Some("proxy.example"), false);
        check(Code::DeadlineExceeded, None, false);
    }
}
