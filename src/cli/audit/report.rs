//! What an audit says at its end.

use serde_json::{Value, json};

use crate::{
    cli::{
        checkpoint::show_evidence,
        output::{Failure, in_local_time, note, tell, time},
        zone,
    },
    trust::audit::{AuditReport, Discrepancy, Finding, Fork, OlderSource},
};

/// What is wrong, in sentences, with what to do with the evidence.
fn message(report: &AuditReport, found: &Discrepancy) -> String {
    let problem = report.problem().unwrap_or_default();
    let Discrepancy::Forked(fork) = found else { return problem };
    match &fork.evidence {
        Ok(file) => format!("{problem}. {}", show_evidence(file)),
        Err(error) => format!("{problem}. The evidence could not be written: {error}"),
    }
}

/// What the source's entries are, although it didn't pass.
fn head(found: &Discrepancy, entries: u64) -> String {
    let code = found.code();
    match found {
        Discrepancy::Forked(Fork { first_other: Some(entry), .. }) => {
            format!("NOT verified ({code}): entry {entry} is the first that is not the one that was verified before")
        }
        Discrepancy::Forked(_) | Discrepancy::LogShrank { .. } | Discrepancy::NotConsistent { .. } => {
            format!("NOT verified ({code}): it is not what this ledger signed before")
        }
        Discrepancy::Log { finding: Finding::RootMismatch { .. } | Finding::CheckpointInvalid(_), .. }
        | Discrepancy::WitnessesMissing(_)
        | Discrepancy::StateDiffers { .. } => {
            format!("NOT verified ({code}): its {entries} entries are in order by themselves")
        }
        Discrepancy::Log { .. }
        | Discrepancy::ArchiveDamaged(_)
        | Discrepancy::SourceIncomplete(_)
        | Discrepancy::LogDamaged { .. } => format!("NOT verified ({code}): {entries} entries before it are in order"),
    }
}

/// How a source that ends at a checkpoint over so many entries stands to the longer one, in one sentence.
fn older_sentence(older: &OlderSource, size: u64) -> String {
    let when = older.verified_at.map_or_else(String::new, |ms| format!(" on {}", zone::local(ms)));
    let how = match &older.not_compared {
        None => "this is the beginning of that history".to_owned(),
        Some(why) => format!("this was not compared with that checkpoint, for {why}"),
    };
    format!("it ends at {size} entries; a checkpoint over {} was verified before{when}: {how}", older.size)
}

fn older_json(older: &OlderSource) -> Value {
    json!({
        "size": older.size,
        "verified_at": older.verified_at.map(time),
        "compared": older.not_compared.is_none(),
    })
}

fn finding_json(report: &AuditReport, found: &Discrepancy) -> Value {
    let refusal = found.refusal();
    let (expected, was) = found.values();
    json!({
        "code": found.code(),
        "message": message(report, found),
        "entry": found.entry(),
        "as_of": found.as_of(),
        "event": refusal.and_then(|refusal| refusal.event),
        "field": refusal.map_or_else(String::new, |refusal| refusal.field.to_string()),
        "rule": refusal.map_or("", |refusal| refusal.rejection.code()),
        "expected": expected,
        "found": was,
        "evidence": found.evidence().map(|path| path.display().to_string()),
    })
}

fn report_json(report: &AuditReport) -> Value {
    let genesis = report.genesis.as_ref();
    let (verified, found) = (report.verdict.as_ref().ok(), report.verdict.as_ref().err());
    json!({
        "verdict": if found.is_none() { "verified" } else { "diverged" },
        "origin": genesis.map(|genesis| genesis.ledger_key.name()),
        "ledger_key": genesis.map(|genesis| genesis.ledger_key.to_string()),
        "genesis_leaf_hash": genesis.map(|genesis| hex::encode(genesis.genesis_leaf_hash)),
        "pinned": report.is_pinned,
        "resumed_at": report.resumed_at,
        "entries": report.entries,
        "events": report.events,
        "accounts": report.accounts,
        "compared_at": report.compared_at,
        "checkpoint_size": verified.map(|(size, _)| size),
        "root": verified.map(|(_, root)| hex::encode(root)),
        "older_than": report.older.as_ref().map(older_json),
        "left_out": report.left_out,
        "remembered": report.memory.is_kept,
        "memory_problem": report.memory.problem(),
        "finding": found.map(|found| finding_json(report, found)),
    })
}

/// Prints the report; what doesn't pass is an error as well.
pub(super) fn print(report: &AuditReport, as_json: bool) -> anyhow::Result<()> {
    if let Some(problem) = report.memory.problem() {
        let lost = if report.memory.is_kept { "" } else { ", and this audit will not be remembered" };
        note(&format!("memory: {problem}{lost}"));
    }
    if let Some(left_out) = report.left_out {
        note(left_out);
    }
    tell(as_json, &report_json(report), || in_local_time(&text(report)));
    match (&report.verdict, &report.older) {
        (Ok(_), None) => Ok(()),
        (Ok((size, _)), Some(older)) => {
            let sentence = older_sentence(older, *size);
            Err(Failure::Partly(format!("verified, but older than what is known: {sentence}")).into())
        }
        (Err(found), _) => Err(Failure::refused(format!("the audit failed: {}", message(report, found))).into()),
    }
}

/// What is wrong, for eyes: line by line.
fn found_text(report: &AuditReport, found: &Discrepancy) -> String {
    let mut text = head(found, report.entries);
    if let Some(entry) = found.entry() {
        text = format!("{text}\nentry          {entry}");
    }
    if let Some(refusal) = found.refusal() {
        if let Some(event) = refusal.event {
            text = format!("{text}\nevent          {event}");
        }
        text = format!("{text}\nrule           {}", refusal.rejection.code());
        let field = refusal.field.to_string();
        if !field.is_empty() {
            text = format!("{text}\nfield          {field}");
        }
    }
    if let (Some(expected), Some(was)) = found.values() {
        text = format!("{text}\nexpected       {expected}\nfound          {was}");
    }
    if let Some(evidence) = found.evidence() {
        text = format!("{text}\nevidence       {}", evidence.display());
    }
    text
}

fn text(report: &AuditReport) -> String {
    let mut text = match &report.verdict {
        Ok((size, root)) => format!(
            "verified: {} entries, {} events, {} accounts; every signature, every rule, the tree and the signed checkpoint\n\
             checkpoint     {size} entries\nroot           {}",
            report.entries,
            report.events,
            report.accounts,
            hex::encode(root)
        ),
        Err(found) => found_text(report, found),
    };
    if let (Some(older), Ok((size, _))) = (&report.older, &report.verdict) {
        text = format!("{text}\nolder          {}", older_sentence(older, *size));
    }
    if report.resumed_at > 0 {
        let all = report.resumed_at == report.entries;
        let now = if all { "nothing".to_owned() } else { format!("from entry {} on", report.resumed_at) };
        text = format!("{text}\nreplayed now   {now}; an earlier audit verified what was before");
    }
    if let Some(index) = report.compared_at {
        text = format!(
            "{text}\ncompared       every balance, every hold and every history that the server answers, as of entry {index}"
        );
    }
    if let Some(genesis) = &report.genesis {
        let leaf = hex::encode(genesis.genesis_leaf_hash);
        text = format!("{text}\nledger key     {}\ngenesis leaf   {leaf}", genesis.ledger_key);
    }
    if !report.is_pinned {
        text += "\nno pin: the ledger's identity was taken from the source itself. Compare key and genesis leaf with what \
                 was printed when the ledger was created, and keep them in a file for --pin";
    }
    text
}
