//! Sheets past their validity that come again: a reader answers them, for their ids are on the disk, and the writer has other
//! things to do than to wait for it.

use std::sync::mpsc;

use tokio::sync::watch;

use super::{
    Accepted, Job, SIGNATURE_COST, Submission, SubmitError,
    publish::{Published, publication},
    sources::Sources,
};
use crate::{
    engine::{
        node::Node,
        past::PastError,
        replay::{SignatureVerdict, signature_verdicts},
    },
    format::wire::{self, Decoded},
    ledger::{Millis, Refusal, Rejection},
};

/// What is looked up at once costs so much at most, in events: 256 of the smallest sheets, whose signatures are verified
/// together. Beyond it one costs hardly less.
const GROUP_COST_MAX: usize = 256 * (1 + SIGNATURE_COST);

/// Where they are looked up.
pub(super) struct Expired {
    pub(super) node: Node,
}

impl Expired {
    /// Whether a sheet is worth a look: some were put away, and this one would be among them.
    pub(super) fn may_have(&self, decoded: &Decoded, now: Millis) -> bool {
        decoded.sheet.valid_until < now && self.node.projection.put_away().has_sheets()
    }

    /// Answers sheets until all handles are gone, and hands those on to the writer that it has to look at itself. What waits
    /// is bounded by the sequencer's queue.
    pub(super) fn run(
        &self,
        inbox: &mpsc::Receiver<Box<Submission>>,
        writer: &mpsc::Sender<Job>,
        published: &watch::Receiver<Published>,
    ) {
        let mut waiting = Sources::default();
        while waiting.fill(inbox) {
            self.answer_some(&mut waiting, writer, published);
        }
    }

    /// Answers some of those that wait, or hands them on.
    pub(super) fn answer_some(
        &self,
        waiting: &mut Sources<Box<Submission>>,
        writer: &mpsc::Sender<Job>,
        published: &watch::Receiver<Published>,
    ) {
        let mut group = Vec::new();
        waiting.take(GROUP_COST_MAX, &mut group);
        let decoded: Vec<&Decoded> = group.iter().map(|submission| submission.decoded.as_ref()).collect();
        let keys = self.node.projection.shown().keys().clone();
        let verdicts = signature_verdicts(&decoded, |key_id| keys.public_key(key_id));
        for (submission, verdict) in group.into_iter().zip(verdicts) {
            let checkpoint = submission.published.then(|| published.borrow().clone());
            match self.answer(&submission.decoded, &verdict, checkpoint.as_ref()) {
                Ok(Some(outcome)) => submission.answer(outcome),
                // Where the files can't be read, it finds so too, and says what to do.
                Ok(None) | Err(_) => {
                    // It is gone only after this thread.
                    let _gone = writer.send(Job::Submit(submission));
                }
            }
        }
    }

    /// What the writer would say of a sheet whose id was put away: the receipt of the entry that holds it, with a proof up to
    /// `checkpoint` where one is wanted, or that another sheet has its id. Nothing where the writer itself has to look: at a
    /// signature that doesn't verify, or an id that it holds in memory or nobody used.
    ///
    /// # Errors
    /// The files can't be read.
    pub(super) fn answer(
        &self,
        decoded: &Decoded,
        verdict: &SignatureVerdict,
        checkpoint: Option<&Published>,
    ) -> Result<Option<Result<Accepted, SubmitError>>, PastError> {
        let (is_own, size) = {
            let shown = self.node.projection.shown();
            (shown.origin() == decoded.sheet.origin, shown.size())
        };
        let Some(author) = decoded.sheet.signers.first().filter(|_| is_own && *verdict == SignatureVerdict::Valid)
        else {
            return Ok(None);
        };
        let found = self.node.projection.put_away().sheet(*author, decoded.sheet.sheet_id)?;
        let known = |index: &u64| *index < size && checkpoint.is_none_or(|published| *index < published.size);
        let Some(index) = found.map(|found| found.0).filter(known) else {
            return Ok(None);
        };
        let Some(entry) = self.node.log.entry(index)? else { return Ok(None) };
        if wire::header_hash(&entry.header) != decoded.header_hash {
            let rejection = Rejection::SheetExistsWithDifferentBytes { index: crate::ledger::LogIndex(index) };
            return Ok(Some(Err(SubmitError::Refused(Refusal::sheet("header.sheet_id", rejection)))));
        }
        let Some(receipt) = self.node.projection.receipt(index)? else { return Ok(None) };
        let publication = checkpoint
            .map(|published| publication(&self.node.tree, (published, &published.root()), index))
            .transpose()?;
        Ok(Some(Ok(Accepted { receipt, publication })))
    }
}
