//! `timebank import suggest`

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    access::names::head,
    cli::output::{self, Failure, quoted, usage, visible},
    people::import::suggest::{Preview, Shown, Suggestion, suggest},
};

/// Write a mapping for a spreadsheet, guessed from its header and cells.
///
/// The mapping goes to the standard output, with comments; how the rows would be read, and what is unsure, to the other
/// stream. Nothing is imported, and no server is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank import suggest september.xlsx > station.toml
  timebank import suggest september.xlsx --sheet 9月 --out station.toml
  timebank import suggest old.csv --json

Then edit what is marked, the station above all, and try it:
  timebank import september.xlsx --mapping station.toml --open-accounts --dry-run

Exit codes: 0 a mapping that can be read; 1 too little was found, and the mapping says what; 2 the
file can't be read.")]
pub(super) struct Arguments {
    /// The spreadsheet: .csv, .xlsx, .xls or .ods.
    file: PathBuf,
    /// The workbook's sheet [default: the first that is shown].
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Write the mapping to this new file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<()> {
    if let Some(out) = &arguments.out
        && out.symlink_metadata().is_ok()
    {
        return Err(exists(out));
    }
    let suggestion = suggest(&arguments.file, arguments.sheet.as_deref()).map_err(usage)?;
    if let Some(program) = &suggestion.open_in {
        output::note(&format!("{} {program}", arguments.file.display()));
    }
    if let Some(out) = &arguments.out {
        write(out, &suggestion.mapping)?;
    }
    if json {
        output::line(&as_json(&suggestion).to_string())?;
    } else {
        if arguments.out.is_none() {
            output::line(visible(&suggestion.mapping).trim_end())?;
        }
        tell(&in_words(arguments, &suggestion));
    }
    if suggestion.missing.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "too little was found in {}: {}",
        arguments.file.display(),
        suggestion.missing.join("; ")
    ))
    .into())
}

fn exists(out: &Path) -> anyhow::Error {
    usage(format!("--out {}: the file is there already; name a new one", out.display()))
}

/// Writes a new file, and never over another, even one that came a moment ago.
fn write(out: &Path, mapping: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(out);
    let written = file.and_then(|mut file| file.write_all(mapping.as_bytes()));
    written.map_err(|error| {
        let is_there = error.kind() == ErrorKind::AlreadyExists;
        if is_there { exists(out) } else { usage(format!("--out {}: {error}", out.display())) }
    })
}

/// On the other stream, so that `> station.toml` takes the mapping alone; where it takes nothing, nothing is lost.
fn tell(text: &str) {
    let _unwritable = writeln!(std::io::stderr().lock(), "{}", visible(text));
}

fn as_json(suggestion: &Suggestion) -> Value {
    let none = Preview::default();
    let preview = suggestion.preview.as_ref().unwrap_or(&none);
    let row = |row: &Shown| match &row.said {
        Ok(said) => json!({
            "line": row.number,
            "volunteer": said.volunteer,
            "date": said.date,
            "start": said.span.as_ref().map(|(start, _)| start),
            "end": said.span.as_ref().map(|(_, end)| end),
            "minutes": said.minutes,
            "category": said.category,
            "deleted": said.is_deleted,
        }),
        Err(problem) => json!({ "line": row.number, "problem": problem }),
    };
    json!({
        "mapping": suggestion.mapping,
        "unsure": suggestion.unsure,
        "missing": suggestion.missing,
        "rows": preview.rows.iter().map(row).collect::<Vec<_>>(),
        "readable": preview.readable,
        "unreadable": preview.unreadable,
        "left_out": preview.left_out,
        "reasons": preview.reasons.iter().map(|(place, problem)| format!("{place}: {problem}")).collect::<Vec<_>>(),
        "zone": if preview.is_in_utc { Some("UTC") } else { None },
    })
}

fn in_words(arguments: &Arguments, suggestion: &Suggestion) -> String {
    let mut text = String::new();
    if let Some(preview) = &suggestion.preview {
        let rows = preview.rows.iter().map(cells);
        text = output::table(
            &[head::ROW, head::VOLUNTEER, head::DATE, head::TIME, head::MINUTES, head::CATEGORY],
            &[0, 4],
            rows,
        );
        for shown in &preview.rows {
            if let Err(problem) = &shown.said {
                text = format!("{text}\nrow {}: {problem}", shown.number);
            }
        }
        if preview.is_in_utc {
            text = format!("{text}\nthe times are shown as UTC's, as the mapping names no zone yet");
        }
        let all = preview.readable + preview.unreadable;
        text = format!("{text}\n{} of {all} rows can be read, {} can't", preview.readable, preview.unreadable);
        if preview.left_out > 0 {
            text = format!("{text}; {} are left out, as sums or by only_if", preview.left_out);
        }
        for (place, problem) in &preview.reasons {
            text = format!("{text}\n  {place}: {problem}");
        }
    }
    if !suggestion.unsure.is_empty() {
        text = format!("{text}\nnot sure of:");
        for line in &suggestion.unsure {
            text = format!("{text}\n  {line}");
        }
    }
    if let Some(out) = &arguments.out {
        text = format!("{text}\nwritten: {}. Edit it, then try it:\n", out.display());
        text = format!(
            "{text}  timebank import {} --mapping {} --open-accounts --dry-run",
            quoted(&arguments.file),
            quoted(out)
        );
    }
    text.trim_start().to_owned()
}

/// A row of the preview's table.
fn cells(row: &Shown) -> Vec<String> {
    let number = row.number.to_string();
    match &row.said {
        Ok(said) if said.is_deleted => vec![number, "(taken back)".to_owned()],
        Ok(said) => {
            let span = said.span.as_ref().map(|(start, end)| format!("{start}-{end}")).unwrap_or_default();
            vec![
                number,
                said.volunteer.clone(),
                said.date.clone(),
                span,
                said.minutes.to_string(),
                said.category.clone(),
            ]
        }
        Err(_) => vec![number, "(can't be read)".to_owned()],
    }
}
