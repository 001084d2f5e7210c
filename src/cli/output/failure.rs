//! How a command ends that did not do, or not wholly do, what it was asked for.

use std::path::PathBuf;

use rustix::io::Errno;
use serde_json::json;
use tonic_types::StatusExt;

use crate::{access::words, cli::language::language, engine::store::is_short, ledger::Language, server::RunError};

/// The domain of the ledger's own errors.
pub(crate) const ERROR_DOMAIN: &str = "timebank";

/// Why a command ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A rule of the ledger said no: nothing was recorded, and nothing is.
    #[error("{0}")]
    Refused(Refused),
    /// The arguments, or a file that they name, can't be used.
    #[error("{0}")]
    Usage(String),
    /// The server can't be reached, or can't answer now. Nothing was changed.
    #[error("{0}")]
    Unreachable(String),
    /// A sheet was sent, and nobody knows what became of it.
    #[error("{text}")]
    Unknown {
        /// In words.
        text: String,
        /// Where the sheet is kept, to be sent again.
        sheet: Option<PathBuf>,
    },
    /// Some of it was done, and some refused.
    #[error("{0}")]
    Partly(String),
    /// Something stands in the way that passes, or that somebody is asked about; nothing was changed.
    #[error("{0}")]
    NotNow(String),
}

/// What a rule refused, in words and for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The sentence, with the remedy, and the code in brackets where there is one.
    pub(crate) text: String,
    /// The rejection's stable code.
    pub(crate) code: Option<String>,
    /// Number of the event in its sheet.
    pub(crate) event: Option<u32>,
    /// Path of the field.
    pub(crate) field: Option<String>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Failure {
    /// A refusal that no rule of the ledger names.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(Refused { text: text.into(), ..Refused::default() })
    }

    /// What a program reads of it.
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Usage(_) => "usage",
            Self::Unreachable(_) => "unreachable",
            Self::Unknown { .. } => "unknown",
            Self::Partly(_) => "partly",
            Self::NotNow(_) => "not_now",
        }
    }

    const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) | Self::Unknown { .. } => 3,
            Self::Partly(_) => 4,
            Self::NotNow(_) => 75,
        }
    }
}

impl From<tonic::Status> for Failure {
    /// Of a read, or of anything else that changes nothing. What the ledger itself says no to is refused; after anything else
    /// the same may be asked again.
    fn from(status: tonic::Status) -> Self {
        if let Some(refused) = refused(&status) {
            return Self::Refused(refused);
        }
        let text = if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() };
        match status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN) {
            Some(info) => {
                let text = code_behind(&text, &info.reason);
                Self::Unreachable(format!("the server can't answer now: {text}"))
            }
            None => Self::Unreachable(format!("the server can't be reached: {text}")),
        }
    }
}

/// What the ledger itself says no to, so that the same would be refused again.
pub(crate) fn refused(status: &tonic::Status) -> Option<Refused> {
    let info = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN)?;
    let no = matches!(
        status.code(),
        tonic::Code::InvalidArgument
            | tonic::Code::NotFound
            | tonic::Code::AlreadyExists
            | tonic::Code::PermissionDenied
            | tonic::Code::Unauthenticated
            | tonic::Code::FailedPrecondition
            | tonic::Code::OutOfRange
    );
    let value = |name: &str| info.metadata.get(name).filter(|value| !value.is_empty()).cloned();
    let localized = status.get_details_localized_message().filter(|_| language() != Language::English);
    let english = code_behind(status.message(), &info.reason);
    // Of what no rule refuses only the kind is said in other languages: which account, say, the status itself tells.
    let text = match (localized, value("remedy")) {
        (None, _) => english,
        (Some(localized), Some(_of_a_rule)) => localized.message,
        (Some(localized), None) => format!("{} ({})", localized.message, sentence(status.message(), &info.reason)),
    };
    no.then(|| Refused {
        text,
        code: Some(info.reason.clone()),
        event: value("event").and_then(|event| event.parse().ok()),
        field: value("field"),
    })
}

/// A status' sentence with its code behind it, in brackets: people read the sentence.
fn code_behind(text: &str, code: &str) -> String {
    let sentence = sentence(text, code);
    if code.is_empty() { sentence.to_owned() } else { format!("{sentence} [{code}]") }
}

/// A status' sentence without the code that it begins with.
fn sentence<'a>(text: &'a str, code: &str) -> &'a str {
    text.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text)
}

/// Says of a failure before or in place of recording that nothing came of it.
pub(crate) fn nothing_recorded(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Failure::Unknown { .. }) => error,
        Some(Failure::Refused(_)) => {
            error.context(words!(language(), "refused, nothing was recorded", "被拒绝，没有登记任何内容"))
        }
        _ => error.context(words!(language(), "nothing was recorded", "没有登记任何内容")),
    }
}

/// A wrong argument.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure::Usage(message.into()).into()
}

/// How a command ended, for programs and as an exit code. What no rule, argument or server is the cause of is told by what the
/// system says; the numbers are those of `sysexits.h`.
pub(super) fn ending(error: &anyhow::Error) -> (&'static str, u8) {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return (failure.outcome(), failure.exit_code());
    }
    if error.chain().any(is_of_program) {
        return ("failed", 70);
    }
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.find_map(of_system).unwrap_or(("usage", 2))
}

/// What nobody but a programmer can mend: the same again, or a restart, may end the same way.
fn is_of_program(cause: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause.downcast_ref(), Some(RunError::Failed)) || cause.is::<tokio::task::JoinError>()
}

/// What passes by itself, or once somebody has seen to the disk: no argument was wrong.
fn of_system(error: &std::io::Error) -> Option<(&'static str, u8)> {
    let disk = [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::ROFS, Errno::STALE, Errno::NXIO];
    let of_disk = error.raw_os_error().is_some_and(|code| disk.iter().any(|errno| errno.raw_os_error() == code));
    match (is_short(error), of_disk) {
        (true, _) => Some(("short", 71)),
        (false, true) => Some(("disk", 74)),
        (false, false) => None,
    }
}

/// An error for programs: how it ended, its exit code and its words, with the rule that refused it or the file that is kept.
pub(crate) fn error_json(error: &anyhow::Error) -> serde_json::Value {
    let failure = error.downcast_ref::<Failure>();
    let (outcome, exit_code) = ending(error);
    let mut value = json!({ "outcome": outcome, "exit_code": exit_code, "message": in_full(error) });
    if let Some(Failure::Refused(refused)) = failure {
        value["code"] = json!(refused.code);
        value["event"] = json!(refused.event);
        value["field"] = json!(refused.field);
    }
    if let Some(Failure::Unknown { sheet: Some(sheet), .. }) = failure {
        value["sheet"] = json!(sheet.display().to_string());
    }
    value
}

/// An error with its causes, each said once: many say their cause themselves.
pub(super) fn in_full(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::ErrorDetails;

    use super::*;
    use crate::{
        engine::{sequencer::Stop, store::StoreError},
        folder::OpenError,
    };

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
    fn what_passes_has_another_exit_code_than_wrong_usage() {
        let check = |errno: Errno, expected: (&str, u8)| {
            let source = std::io::Error::from_raw_os_error(errno.raw_os_error());
            let store = StoreError::Io { path: "/srv/timebank/log".into(), source };
            // As a start hands it on: behind the folder's own error, and a sentence.
            let error = anyhow::Error::from(OpenError::from(store)).context("the ledger was not opened");
            assert_eq!(ending(&error), expected, "{errno}");
            // As a thread's end does.
            let source = std::io::Error::from_raw_os_error(errno.raw_os_error());
            let stop = Stop::from(StoreError::SyncFailed(source));
            let open = OpenError::Io { path: "/srv/timebank".into(), source: std::io::Error::other(stop) };
            assert_eq!(ending(&open.into()), expected, "{errno}");
        };
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN] {
            check(errno, ("short", 71));
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS] {
            check(errno, ("disk", 74));
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::ISDIR] {
            check(errno, ("usage", 2));
        }
        assert_eq!(ending(&Failure::NotNow(String::new()).into()), ("not_now", 75));
        assert_eq!(ending(&anyhow::Error::from(RunError::Failed).context("it ended")), ("failed", 70));
        assert_eq!(ending(&anyhow::anyhow!("no such mapping")), ("usage", 2));
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
