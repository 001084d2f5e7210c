//! Whether a server takes back what its ledger signed: the checkpoint that an earlier audit verified, and the others that it
//! shows today.

use super::{Auditing, Server, Unaudited};
use crate::{
    format::{
        checkpoint::Checkpoint,
        proof::{CheckpointPair, Relation},
    },
    merkle::Hash,
    trust::audit::{
        Discrepancy, Pin,
        kept::{Whole, forked, signed},
    },
};

fn size(note: &str) -> u64 {
    Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size)
}

impl<S: Server> Auditing<'_, S> {
    /// Whether the other checkpoints that the server shows, the newest one and the newest cosigned one, are of the history
    /// that was audited.
    pub(super) fn also_signed(&mut self, pin: &Pin) -> Result<Option<Discrepancy>, Unaudited<S>> {
        let shown = self.server.checkpoints()?;
        let note = self.note.clone();
        for other in [shown.checkpoint, shown.cosigned].into_iter().filter(|other| !other.is_empty() && *other != note)
        {
            let (old, new) = if size(&other) < size(&note) {
                (other.as_str(), note.as_str())
            } else {
                (note.as_str(), other.as_str())
            };
            if let Some(found) = self.contradiction(pin, (old, new))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether the ledger takes back what it signed before: another log than the one that was verified, or a shorter one.
    pub(super) fn taken_back(&mut self) -> Result<Option<Discrepancy>, Unaudited<S>> {
        let Some(pin) = self.kept.expected(self.auditor.pin) else { return Ok(None) };
        let Some((kept, whole)) = self.kept.checkpoint(&self.memory, &pin) else { return Ok(None) };
        let (kept, note) = (kept.to_owned(), self.note.clone());
        let Some(own) = signed(&note, &pin) else { return Ok(None) };
        if own.0 >= whole.0 {
            return self.contradiction(&pin, (&kept, &note));
        }
        let beginning = self.kept.beginning(&self.memory, whole, own.0);
        if let Ok(beginning) = &beginning
            && beginning.root != own.1
        {
            let path = beginning.path.clone();
            let pair = CheckpointPair { ledger: pin.ledger_key, path, old: note, new: kept };
            if matches!(pair.verify().map(|related| related.relation), Ok(Relation::Forked { .. })) {
                let (sizes, roots) = ((own.0, whole.0), (beginning.root, own.1));
                return self.forked(&pair, sizes, roots, Some(whole)).map(Some);
            }
        }
        let comparison = match beginning {
            Ok(_) => "the log that it shows is the beginning of that one".to_owned(),
            Err(problem) => format!("the two were not compared, for {problem}"),
        };
        Ok(Some(Discrepancy::LogShrank { shown: own.0, signed: whole.0, comparison }))
    }

    /// Whether two checkpoints that the ledger signed can't both be true, or whether it doesn't show that they can.
    fn contradiction(&mut self, pin: &Pin, (old, new): (&str, &str)) -> Result<Option<Discrepancy>, Unaudited<S>> {
        let (old_size, new_size) = (size(old), size(new));
        let Some((_, old_root)) = signed(old, pin) else { return Ok(None) };
        let not_consistent = |problem: String| Discrepancy::NotConsistent { old_size, new_size, old_root, problem };
        let path = match self.server.consistency_path(old_size, new_size) {
            Ok(path) => path,
            Err(error) if error.is_refusal() => return Ok(Some(not_consistent(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        let (old, new) = (old.to_owned(), new.to_owned());
        let is_kept = self.kept.note.as_ref() == Some(&old);
        let pair = CheckpointPair { ledger: pin.ledger_key.clone(), path, old, new };
        match pair.verify().map(|related| related.relation) {
            Ok(Relation::Consistent) => Ok(None),
            Ok(Relation::Forked { root_then }) => {
                let (sizes, roots) = ((old_size, new_size), (old_root, root_then));
                self.forked(&pair, sizes, roots, is_kept.then_some((old_size, old_root))).map(Some)
            }
            Err(error) => Ok(Some(not_consistent(error.to_string()))),
        }
    }

    /// The ledger signed two histories. Where one of them is kept, up to `kept`, the first entry that differs is sought.
    fn forked(
        &mut self,
        pair: &CheckpointPair,
        sizes: (u64, u64),
        roots: (Hash, Hash),
        kept: Option<Whole>,
    ) -> Result<Discrepancy, Unaudited<S>> {
        let entry = kept.and_then(|whole| self.first_difference(whole, sizes.0));
        // Before evidence is written: who interrupts is told that nothing was verified.
        self.auditor.refuse_if_stopped()?;
        Ok(forked(&self.memory, pair, sizes, roots, entry))
    }

    /// The first of the first `differ` entries, which are known to be others, in which the server's log differs from what is
    /// kept; none where one of the two shows no tree.
    fn first_difference(&mut self, whole: Whole, mut differ: u64) -> Option<u64> {
        let mut same = 0;
        while differ > same + 1 {
            let middle = u64::midpoint(same, differ);
            let kept = self.kept.beginning(&self.memory, whole, middle).ok()?;
            if self.tree.root_over(&mut self.server, middle).ok()?? == kept.root {
                same = middle;
            } else {
                differ = middle;
            }
        }
        (differ > same).then_some(same)
    }
}
