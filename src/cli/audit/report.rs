//! What an audit says at its end.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::place::Told;
use crate::{
    cli::{
        output::{Failure, in_local_time, note, tell, time},
        zone,
    },
    format::archive::ArchiveError,
    merkle::Hash,
    trust::audit::{Audit, Finding, Pin},
};

/// A divergence, as it is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Divergence {
    code: &'static str,
    message: String,
    /// The first entry that can't be vouched for.
    entry: Option<u64>,
    /// The entry as of which an answer was compared.
    as_of: Option<u64>,
    event: Option<u16>,
    field: String,
    rule: &'static str,
    expected: Option<String>,
    found: Option<String>,
    /// A file that shows it to anybody.
    evidence: Option<PathBuf>,
    /// What the ledger signed shows it, whatever this auditor has replayed.
    is_by_checkpoints: bool,
}

impl From<&Finding> for Divergence {
    fn from(finding: &Finding) -> Self {
        let values = finding.values();
        let refusal = finding.refusal();
        Self {
            code: finding.code(),
            message: finding.to_string(),
            entry: finding.index(),
            as_of: None,
            event: refusal.and_then(|refusal| refusal.event),
            field: refusal.map_or_else(String::new, |refusal| refusal.field.to_string()),
            rule: refusal.map_or("", |refusal| refusal.rejection.code()),
            expected: values.as_ref().map(|values| values.0.clone()),
            found: values.map(|values| values.1),
            evidence: None,
            is_by_checkpoints: false,
        }
    }
}

impl From<&ArchiveError> for Divergence {
    fn from(error: &ArchiveError) -> Self {
        Self { code: "ArchiveDamaged", message: error.to_string(), entry: error.first_index(), ..Self::default() }
    }
}

impl From<&str> for Divergence {
    fn from(problem: &str) -> Self {
        Self { code: "SourceIncomplete", message: problem.to_owned(), ..Self::default() }
    }
}

impl Divergence {
    /// The server answers something else than its log adds up to, as of an entry.
    pub(super) fn of_state(index: u64, message: String, values: Option<(String, String)>) -> Box<Self> {
        let (expected, found) = values.map_or((None, None), |(expected, found)| (Some(expected), Some(found)));
        Box::new(Self { code: "StateDiffers", message, as_of: Some(index), expected, found, ..Self::default() })
    }

    /// The log's own store is damaged.
    pub(super) fn of_log(index: u64, message: String) -> Box<Self> {
        Box::new(Self { code: "LogDamaged", message, entry: Some(index), ..Self::default() })
    }

    /// The checkpoint lacks cosignatures.
    pub(super) fn of_witnesses(message: String) -> Self {
        Self { code: "WitnessesMissing", message, ..Self::default() }
    }

    /// The ledger has signed two histories, or takes one back.
    pub(super) fn of_memory(code: &'static str, message: String, expected: String, found: Option<String>) -> Self {
        Self { code, message, expected: Some(expected), found, is_by_checkpoints: true, ..Self::default() }
    }

    /// The first entry that is another, and the file that shows that there is one.
    pub(super) fn naming(mut self, entry: Option<u64>, evidence: Option<PathBuf>) -> Self {
        (self.entry, self.evidence) = (entry, evidence);
        self
    }

    /// The same where nobody pinned the ledger: an earlier audit took the identity from its source.
    fn unpinned(mut self) -> Self {
        if self.code == "NotAsPinned" {
            self.message = format!("{}. It was taken from its source by an earlier audit, without a pin", self.message);
        }
        self
    }

    /// What the source's entries are, although it didn't pass.
    fn head(&self, entries: u64) -> String {
        let code = self.code;
        match (code, self.entry) {
            ("Forked", Some(entry)) => {
                format!(
                    "NOT verified ({code}): entry {entry} is the first that is not the one that was verified before"
                )
            }
            ("Forked" | "LogShrank" | "NotConsistent", _) => {
                format!("NOT verified ({code}): it is not what this ledger signed before")
            }
            ("RootMismatch" | "WitnessesMissing" | "StateDiffers" | "CheckpointInvalid", _) => {
                format!("NOT verified ({code}): its {entries} entries are in order by themselves")
            }
            _ => format!("NOT verified ({code}): {entries} entries before it are in order"),
        }
    }
}

/// A source that was verified, and is older than what an earlier audit verified.
#[derive(Debug, Clone)]
pub(super) struct Older {
    /// Entries of the checkpoint that was verified before.
    pub(super) size: u64,
    /// When, in ms since 1970.
    pub(super) verified_at: Option<i64>,
    /// Why the two could not be compared. Otherwise the source is the beginning of what was verified.
    pub(super) not_compared: Option<String>,
}

impl Older {
    /// In one sentence, of a source that ends at a checkpoint over so many entries.
    fn sentence(&self, size: u64) -> String {
        let when = self.verified_at.map_or_else(String::new, |ms| format!(" on {}", zone::local(ms)));
        let how = match &self.not_compared {
            None => "this is the beginning of that history".to_owned(),
            Some(why) => format!("this was not compared with that checkpoint, for {why}"),
        };
        format!("it ends at {size} entries; a checkpoint over {} was verified before{when}: {how}", self.size)
    }

    fn json(&self) -> Value {
        json!({
            "size": self.size,
            "verified_at": self.verified_at.map(time),
            "compared": self.not_compared.is_none(),
        })
    }
}

/// What was audited, and the verdict.
#[derive(Debug)]
pub(super) struct Report {
    genesis: Option<Pin>,
    entries: u64,
    events: u64,
    accounts: usize,
    /// The entry as of which the server's answers were compared with the log.
    compared: Option<u64>,
    /// The identity came from outside: in this audit, or in an earlier one.
    pinned: bool,
    /// Entries that an earlier audit had replayed.
    resumed_at: u64,
    older: Option<Older>,
    told: Told,
    verdict: Result<(u64, Hash), Divergence>,
}

impl Report {
    pub(super) fn new(
        audit: &Audit,
        (pinned, resumed_at): (bool, u64),
        verdict: Result<(u64, Hash), Divergence>,
    ) -> Self {
        let verdict = verdict.map_err(|found| if pinned { found } else { found.unpinned() });
        Self {
            genesis: audit.genesis().cloned(),
            entries: audit.size(),
            events: audit.events(),
            accounts: audit.replay().map_or(0, |replay| replay.state.accounts().len()),
            compared: None,
            pinned,
            resumed_at,
            older: None,
            told: Told::default(),
            verdict,
        }
    }

    /// Nothing was replayed: the ledger doesn't continue what is remembered.
    pub(super) fn of_memory(genesis: Option<Pin>, (pinned, entries): (bool, u64), found: Divergence) -> Self {
        Self {
            genesis,
            entries,
            events: 0,
            accounts: 0,
            compared: None,
            pinned,
            resumed_at: entries,
            older: None,
            told: Told::default(),
            verdict: Err(found),
        }
    }

    /// Every entry is in order, but they aren't those that the checkpoint is over.
    pub(super) fn is_other_history(&self) -> bool {
        self.verdict.as_ref().is_err_and(|found| found.code == "RootMismatch")
    }

    /// It didn't pass, but stands on what an earlier audit left on this machine: other than a contradiction between two
    /// checkpoints, that may be what is wrong.
    pub(super) fn may_be_my_fault(&self) -> bool {
        // Whether witnesses cosigned hangs on nothing that was kept.
        let may_be = |found: &Divergence| !found.is_by_checkpoints && found.code != "WitnessesMissing";
        self.resumed_at > 0 && self.entries > 0 && self.verdict.as_ref().is_err_and(may_be)
    }

    /// The first entry that isn't the one that was signed, where it was found.
    pub(super) fn naming(mut self, entry: Option<u64>) -> Self {
        if let (Err(found), Some(entry)) = (&mut self.verdict, entry) {
            found.entry = Some(entry);
            found.message = format!("{}. The first is entry {entry}", found.message);
        }
        self
    }

    pub(super) const fn is_verified(&self) -> bool {
        self.verdict.is_ok()
    }

    /// Size and root that were verified.
    pub(super) fn verified(&self) -> Option<(u64, Hash)> {
        self.verdict.as_ref().ok().copied()
    }

    /// It is sound, and ends before what was verified already.
    pub(super) fn older(mut self, older: Older) -> Self {
        self.older = Some(older);
        self
    }

    /// How it stands with what the auditor remembers.
    pub(super) fn told(mut self, told: Told) -> Self {
        self.told = told;
        self
    }

    /// The log is sound, but something else isn't.
    pub(super) fn with(mut self, found: Divergence) -> Self {
        self.verdict = Err(found);
        self
    }

    /// The server's answers agree with its log, as of this entry.
    pub(super) const fn compared(mut self, index: u64) -> Self {
        self.compared = Some(index);
        self
    }

    fn json(&self) -> Value {
        let genesis = self.genesis.as_ref();
        let finding = self.verdict.as_ref().err().map(|found| {
            json!({
                "code": found.code,
                "message": found.message,
                "entry": found.entry,
                "as_of": found.as_of,
                "event": found.event,
                "field": found.field,
                "rule": found.rule,
                "expected": found.expected,
                "found": found.found,
                "evidence": found.evidence.as_ref().map(|path| path.display().to_string()),
            })
        });
        let verified = self.verdict.as_ref().ok();
        json!({
            "verdict": if finding.is_none() { "verified" } else { "diverged" },
            "origin": genesis.map(|genesis| genesis.ledger_key.name()),
            "ledger_key": genesis.map(|genesis| genesis.ledger_key.to_string()),
            "genesis_leaf_hash": genesis.map(|genesis| hex::encode(genesis.genesis_leaf_hash)),
            "pinned": self.pinned,
            "resumed_at": self.resumed_at,
            "entries": self.entries,
            "events": self.events,
            "accounts": self.accounts,
            "compared_at": self.compared,
            "checkpoint_size": verified.map(|(size, _)| size),
            "root": verified.map(|(_, root)| hex::encode(root)),
            "older_than": self.older.as_ref().map(Older::json),
            "remembered": self.told.is_kept,
            "memory_problem": self.told.problem(),
            "finding": finding,
        })
    }

    /// Prints the report; a divergence is an error as well.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if let Some(problem) = self.told.problem() {
            let lost = if self.told.is_kept { "" } else { ", and this audit will not be remembered" };
            note(&format!("memory: {problem}{lost}"));
        }
        tell(as_json, &self.json(), || in_local_time(&self.text()));
        match (&self.verdict, &self.older) {
            (Ok(_), None) => Ok(()),
            (Ok((size, _)), Some(older)) => {
                Err(Failure::Partly(format!("verified, but older than what is known: {}", older.sentence(*size)))
                    .into())
            }
            (Err(found), _) => Err(Failure::refused(format!("the audit failed: {}", found.message)).into()),
        }
    }

    fn text(&self) -> String {
        let mut text = match &self.verdict {
            Ok((size, root)) => format!(
                "verified: {} entries, {} events, {} accounts; every signature, every rule, the tree and the signed checkpoint\n\
                 checkpoint     {size} entries\nroot           {}",
                self.entries,
                self.events,
                self.accounts,
                hex::encode(root)
            ),
            Err(found) => {
                let mut text = found.head(self.entries);
                if let Some(entry) = found.entry {
                    text = format!("{text}\nentry          {entry}");
                }
                if let Some(event) = found.event {
                    text = format!("{text}\nevent          {event}");
                }
                if !found.rule.is_empty() {
                    text = format!("{text}\nrule           {}", found.rule);
                }
                if !found.field.is_empty() {
                    text = format!("{text}\nfield          {}", found.field);
                }
                if let (Some(expected), Some(was)) = (&found.expected, &found.found) {
                    text = format!("{text}\nexpected       {expected}\nfound          {was}");
                }
                if let Some(evidence) = &found.evidence {
                    text = format!("{text}\nevidence       {}", evidence.display());
                }
                text
            }
        };
        if let (Some(older), Ok((size, _))) = (&self.older, &self.verdict) {
            text = format!("{text}\nolder          {}", older.sentence(*size));
        }
        if self.resumed_at > 0 {
            let all = self.resumed_at == self.entries;
            let now = if all { "nothing".to_owned() } else { format!("from entry {} on", self.resumed_at) };
            text = format!("{text}\nreplayed now   {now}; an earlier audit verified what was before");
        }
        if let Some(index) = self.compared {
            text = format!(
                "{text}\ncompared       every balance, every hold and every history that the server answers, as of entry {index}"
            );
        }
        if let Some(genesis) = &self.genesis {
            let leaf = hex::encode(genesis.genesis_leaf_hash);
            text = format!("{text}\nledger key     {}\ngenesis leaf   {leaf}", genesis.ledger_key);
        }
        if !self.pinned {
            text += "\nno pin: the ledger's identity was taken from the source itself. Compare key and genesis leaf with what \
                     was printed when the ledger was created, and keep them in a file for --pin";
        }
        text
    }
}
