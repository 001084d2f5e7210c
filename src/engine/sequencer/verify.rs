//! Signatures, in batches, on all cores. Order is kept.

use std::sync::mpsc::{Receiver, SyncSender};

use rayon::prelude::*;

use super::{Job, Part, Submission, Trial, TrialReply, slot::Slot, sources::Sources, stop::Stop};
use crate::{
    engine::{
        projection::Projection,
        replay::{SignatureVerdict, signature_verdicts},
    },
    format::wire::Decoded,
};

/// Groups that may wait for the sequencer: one being checked, one ready.
pub(super) const GROUPS_WAITING_MAX: usize = 1;
/// Sheets of one batch: at 256 signatures a batch costs 10 us a signature, and hardly less beyond.
const BATCH_SHEETS: usize = 256;

/// A job whose signatures were looked at.
pub(super) enum Verified {
    Submit(Box<Submission>, SignatureVerdict),
    Try(Vec<(Decoded, SignatureVerdict)>, TrialReply, Part),
}

/// Takes whatever has come, verifies it, and hands it on. A small group waits for company for as long as a commit waits
/// for the disk: it could not be committed any earlier, and a signature in a batch costs a third of one alone.
pub(super) fn run(
    inbox: &Receiver<Job>,
    outbox: &SyncSender<Vec<Verified>>,
    projection: &Projection,
    commits: &Slot,
) -> Result<(), Stop> {
    let cores = rayon::current_num_threads();
    let mut waiting = Sources::default();
    while waiting.fill(inbox) {
        let mut group = Vec::new();
        let room = waiting.take_group(&mut group);
        if waiting.is_empty() && group.len() < BATCH_SHEETS {
            commits.wait_empty();
            waiting.fill_at_once(inbox);
            waiting.take(room, &mut group);
        }
        let verified = verify(group, projection, cores)?;
        if outbox.send(verified).is_err() {
            break;
        }
    }
    Ok(())
}

/// Looks at the signatures of a group.
pub(super) fn verify(group: Vec<Job>, projection: &Projection, cores: usize) -> Result<Vec<Verified>, Stop> {
    let decoded: Vec<&Decoded> = group
        .iter()
        .flat_map(|job| match job {
            Job::Submit(submission) => std::slice::from_ref(submission.decoded.as_ref()),
            Job::Try(trial) => trial.sheets.as_slice(),
        })
        .collect();
    // Small groups aren't worth waking the other cores for: they still share one batch.
    let batch = decoded.len().div_ceil(cores).clamp(BATCH_SHEETS / 8, BATCH_SHEETS);
    // A key that a sheet under way enrols is unknown here: the rules look at its signatures again.
    let keys = projection.shown().keys().clone();
    let lookup = |key_id| keys.public_key(key_id);
    let verdicts: Vec<Vec<SignatureVerdict>> = if decoded.len() <= batch {
        vec![signature_verdicts(&decoded, lookup)]
    } else {
        decoded.par_chunks(batch).map(|chunk| signature_verdicts(chunk, lookup)).collect()
    };
    let mut verdicts = verdicts.into_iter().flatten();
    let mut next = || verdicts.next().ok_or(Stop::Broken("a sheet got no verdict on its signatures"));
    group
        .into_iter()
        .map(|job| match job {
            Job::Submit(submission) => Ok(Verified::Submit(submission, next()?)),
            Job::Try(trial) => {
                let Trial { sheets, reply, permit, .. } = *trial;
                let sheets = sheets.into_iter().map(|decoded| Ok((decoded, next()?))).collect::<Result<_, Stop>>()?;
                Ok(Verified::Try(sheets, reply, permit))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::sync::{Arc, mpsc};

    use tokio::sync::oneshot;

    use super::{
        super::{Source, tests::submission},
        *,
    };
    use crate::engine::{log::MemoryLog, node::Node};

    #[test]
    fn a_group_is_small_while_several_wait() {
        let folder = tempfile::tempdir().unwrap();
        let (node, _) = Node::open(Arc::new(MemoryLog::default()), folder.path(), "timebank.example/test").unwrap();
        // Of sheets of 1,000 events: who waits has up to one before it, and who is alone as many as are worth it.
        for (sources, expected) in [(1, 5), (2, 2), (3, 2)] {
            let (jobs, inbox) = mpsc::channel();
            for number in 0..6 {
                let mut submission = submission(oneshot::channel().0);
                submission.source = Source(number % sources);
                jobs.send(Job::Submit(submission)).unwrap();
            }
            drop(jobs);
            let (outbox, groups) = mpsc::sync_channel(6);
            run(&inbox, &outbox, &node.projection, &Slot::default()).unwrap();
            drop(outbox);
            assert_eq!(groups.recv().unwrap().len(), expected, "{sources} sources");
            assert_eq!(expected + groups.iter().map(|group| group.len()).sum::<usize>(), 6);
        }
    }
}
