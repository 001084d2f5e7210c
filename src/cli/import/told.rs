//! What an import says at its end.

use serde_json::{Value, json};

use super::{Arguments, Files};
use crate::{
    access::names::head,
    cli::output::{self, Failure, amount, in_local_time, note},
    people::import::{
        adopt::Adoption,
        report::{Report, Told},
        short,
        table::Table,
    },
};

/// Reasons shown where no file for rejects is named, and notices.
const SHOWN_MAX: usize = 10;

/// Hours of the source, to the microsecond they were kept with.
fn source_hours(source_us: i64) -> f64 {
    // Exact to a thousandth of an hour far beyond what a ledger holds: 2^53 us are 2.5 million amount, and a quotient
    // is rounded once.
    #[allow(clippy::cast_precision_loss, reason = "see above; shown to people, never counted with")]
    let hours = source_us as f64 / 3_600_000_000.0;
    (hours * 1_000_000.0).round() / 1_000_000.0
}

/// Writes the rows that were not taken to their file, and says what was done: that stands, whatever can be written.
pub(super) fn report(arguments: &Arguments, files: Files, report: &Report) -> anyhow::Result<()> {
    let Files { mapping, table, rejects } = files;
    let mut written = None;
    if let (Some(rejects), Some(path), false) = (rejects, &arguments.rejects, report.rejected.is_empty()) {
        match rejects.write(&table, &mapping, &in_reader_time(report)) {
            Ok(()) => written = Some(path.display().to_string()),
            Err(error) => {
                note(&format!("--rejects {}: the rows that were not taken can't be written: {error}", path.display()));
            }
        }
    }
    output::tell(arguments.client.json, &as_json(report), || in_words(arguments, &table, report, written.as_deref()));
    verdict(report, arguments.dry_run)
}

/// Reasons with the reader's times: what is written is read by them, too.
fn in_reader_time(report: &Report) -> Vec<crate::people::import::report::RejectedRow> {
    let mut rejected = report.rejected.clone();
    for row in &mut rejected {
        row.told.text = in_local_time(&row.told.text);
    }
    rejected
}

fn as_json(report: &Report) -> Value {
    let told =
        |told: &Told| json!({ "line": told.number, "record": told.record, "message": in_local_time(&told.text) });
    let rejects: Vec<Value> = report
        .rejected
        .iter()
        .map(|rejected| {
            let mut value = told(&rejected.told);
            value["code"] = json!(rejected.code);
            value
        })
        .collect();
    json!({
        "rows": report.rows,
        "gone": report.gone,
        "recorded": report.recorded,
        "corrected": report.corrected,
        "reversed": report.reversed,
        "unchanged": report.unchanged,
        "rejected": report.rejected.len(),
        "source_hours": source_hours(report.source_us),
        "credited_minutes": report.credited_minutes,
        "totals": report.totals,
        "left_out": report.left_out,
        "joined": report.joined.0,
        "rejects": rejects,
        "notices": report.notices.iter().map(told).collect::<Vec<_>>(),
    })
}

fn in_words(arguments: &Arguments, table: &Table, report: &Report, written: Option<&str>) -> String {
    let mut text = format!(
        "{}rows       {}\nrecorded   {}\ncorrected  {}\nreversed   {}\nunchanged  {}\nrejected   {}\n\
         the file's records: {} h in the source, {} credited",
        if arguments.dry_run { "dry run: nothing was written\n" } else { "" },
        report.rows,
        report.recorded,
        report.corrected,
        report.reversed,
        report.unchanged,
        report.rejected.len(),
        source_hours(report.source_us),
        amount(report.credited_minutes),
    );
    if report.gone > 0 {
        let there = report.rows - report.gone;
        text = format!("{text}\nrows of the file: {there}; records that it no longer has: {}", report.gone);
    }
    let (services, rows) = report.joined;
    if services > 0 {
        text = format!("{text}\njoined at midnight: {services} of {rows} rows");
    }
    if !report.totals.is_empty() {
        let places: Vec<String> = report.totals.iter().take(SHOWN_MAX).map(|number| table.place(*number)).collect();
        text = format!("{text}\nsums, and no records: {} ({})", report.totals.len(), places.join("; "));
    }
    if report.left_out > 0 {
        text = format!("{text}\nrows that only_if leaves out: {}", report.left_out);
    }
    let record = |told: &Told| told.record.trim_end_matches([' ', '|']).replace(char::is_control, " ");
    let place = |told: &Told| match told.number {
        Some(number) if told.record.is_empty() => table.place(number),
        Some(number) => format!("{} ({})", table.place(number), record(told)),
        None => format!("record {} (no longer in the file)", record(told)),
    };
    let list = |mut text: String, rows: Vec<&Told>, more: &str| {
        for told in rows.iter().take(SHOWN_MAX) {
            text = format!("{text}\n{}: {}", place(told), in_local_time(&told.text));
        }
        if rows.len() > SHOWN_MAX { format!("{text}\nand {} more{more}", rows.len() - SHOWN_MAX) } else { text }
    };
    if !report.notices.is_empty() {
        text = format!("{text}\ntaken, and worth a second look: {}", report.notices.len());
        text = list(text, report.notices.iter().collect(), ": see --json");
    }
    match written {
        Some(path) => format!("{text}\nthe rows that were not taken are in {path}, each with its reason"),
        None if arguments.dry_run && arguments.rejects.is_some() => {
            let text = list(text, report.rejected.iter().map(|rejected| &rejected.told).collect(), "");
            format!("{text}\n--rejects: a dry run writes no file")
        }
        None => list(text, report.rejected.iter().map(|rejected| &rejected.told).collect(), ": see --rejects FILE"),
    }
}

/// How the import ends: done, in part, or refused whole.
fn verdict(report: &Report, dry_run: bool) -> anyhow::Result<()> {
    let were = if dry_run { "would be" } else { "were" };
    match (report.rejected.len(), report.taken()) {
        (0, _) => Ok(()),
        (rejected, 0) => {
            Err(Failure::refused(format!("none of the rows ({rejected}) {were} taken; nothing was recorded")).into())
        }
        (rejected, taken) => Err(Failure::Partly(format!(
            "rows that {were} rejected: {rejected}; that {were} taken, or stand already: {taken}"
        ))
        .into()),
    }
}

/// What rows were linked with.
pub(super) fn adopted(arguments: &Arguments, table: &Table, adoption: &Adoption) {
    let people: Vec<Value> = adoption
        .people
        .iter()
        .map(|(name, account, rows)| json!({ "volunteer": name, "account": hex::encode(account.0), "rows": rows }))
        .collect();
    let value = json!({
        "rows": adoption.rows,
        "linked": adoption.linked,
        "people": people,
        "unsure": adoption.unsure,
        "unmatched": adoption.unmatched,
    });
    output::tell(arguments.client.json, &value, || {
        let rows =
            adoption.people.iter().map(|(name, account, rows)| vec![name.clone(), short(*account), rows.to_string()]);
        let mut text = output::table(&[head::VOLUNTEER, head::ACCOUNT, head::RECORDS], &[2], rows);
        text = format!(
            "{text}\n{}rows {}, linked with records {}, without one {}; nothing was recorded",
            if arguments.dry_run { "dry run: nothing was linked. " } else { "" },
            adoption.rows,
            adoption.linked,
            adoption.unmatched.len()
        );
        if !adoption.unsure.is_empty() {
            text = format!(
                "{text}\nseveral accounts have what the rows of these say, so they were left alone: {}. Name their accounts under \
                 [volunteers] in the mapping",
                adoption.unsure.join(", ")
            );
        }
        if !adoption.unmatched.is_empty() {
            let places: Vec<String> =
                adoption.unmatched.iter().take(SHOWN_MAX).map(|number| table.place(*number)).collect();
            text = format!("{text}\nthe next import would record: {}", places.join("; "));
        }
        text
    });
}
