//! One witness as the ledger asks it: for its cosignature, and for proof of what it says against the log.

use std::time::Duration;

use tokio::time::timeout;

use super::endpoint::{Answer, Endpoint, EndpointFailure};
use crate::{
    engine::{projection::ProjectionError, sequencer::Published, tree::Tree},
    format::checkpoint::{
        self, Checkpoint, CheckpointError, VerifierKey, WitnessKey,
        witness::{AnswerError, parse_answer, request_body},
    },
    merkle::Hash,
};

/// How long a witness may take for all that it is asked at once, at most four requests: it syncs once, and may be on the
/// other side of the world.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The status by which a witness says that a proof or root doesn't fit what it cosigned.
const NOT_CONSISTENT: u16 = 422;

/// A witness and where it is.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) name: String,
    pub(super) key: WitnessKey,
    pub(super) endpoint: Endpoint,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("no answer within {} s", ANSWER_WAIT.as_secs())]
    TimedOut,
    #[error(transparent)]
    Endpoint(#[from] EndpointFailure),
    #[error("it refused with status {status}: {sentence}")]
    Refused { status: u16, sentence: String },
    #[error("it changes its size from one request to the next")]
    Unsteady,
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Tree(#[from] ProjectionError),
    #[error("it says that it has cosigned {latest} entries, and was asked about {size}")]
    Ahead { latest: u64, size: u64 },
    #[error("it has cosigned a newer checkpoint of this log already, over {latest} entries")]
    Newer { latest: u64 },
    #[error(
        "{claim}. That is its word alone, and stops nothing: {because}. If entries may have been lost here, ask whoever runs \
         the witness"
    )]
    Unproven { claim: Box<AskError>, because: String },
    #[error(
        "{url} shows a checkpoint over {size} entries that this ledger's key signed, and this log is not what it is over: \
         entries are gone, or another service signs with the same key. Keep that checkpoint, stop, and see docs/recovery.md",
        size = checkpoint.size
    )]
    Contradicted { url: String, checkpoint: Checkpoint },
}

/// Why a witness shows no checkpoint that would prove anything.
#[derive(Debug, thiserror::Error)]
enum NotShown {
    #[error("it shows no checkpoint: {0}")]
    Endpoint(#[from] EndpointFailure),
    #[error("it shows no checkpoint, but answers with status {0}")]
    Status(u16),
    #[error("what it shows is no checkpoint of this ledger: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// A ledger as its witnesses are asked about it.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    /// Its key, named as its origin.
    pub(super) ledger: &'a VerifierKey,
    /// The tree over all of its entries.
    pub(super) tree: &'a Tree,
}

impl Remote {
    /// The line by which it cosigns a checkpoint, given the size that it is thought to be at.
    ///
    /// # Errors
    /// [`AskError`]; what it says against the log is proven, or told as unproven.
    pub(super) async fn cosign(
        &self,
        known: u64,
        checkpoint: &Published,
        asker: Asker<'_>,
    ) -> Result<String, AskError> {
        let answered = async {
            match self.ask(known, checkpoint, asker.tree).await {
                Err(claim) => Err(self.proven(claim, asker).await),
                cosigned => cosigned,
            }
        };
        timeout(ANSWER_WAIT, answered).await.unwrap_or(Err(AskError::TimedOut))
    }

    /// Has it confirm the newest checkpoint that was signed. `empty` is one of no entries, which says nothing of the log:
    /// the ledger's key under it makes the witness answer.
    ///
    /// # Errors
    /// As [`Self::cosign`].
    pub(super) async fn confirm(
        &self,
        empty: &str,
        checkpoint: Option<&Published>,
        asker: Asker<'_>,
    ) -> Result<(), AskError> {
        let confirmed = async {
            let latest = match self.endpoint.add_checkpoint(request_body(0, &[], empty)).await? {
                Answer::Cosigned(_) => 0,
                Answer::Conflict(latest) => latest,
                Answer::Refused { status, sentence } => return Err(AskError::Refused { status, sentence }),
            };
            let size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
            match checkpoint {
                Some(checkpoint) if latest <= size => self.ask(latest, checkpoint, asker.tree).await.map(drop),
                None if latest == 0 => Ok(()),
                Some(_) | None => Err(AskError::Ahead { latest, size }),
            }
        };
        match confirmed.await {
            Err(claim) => Err(self.proven(claim, asker).await),
            Ok(()) => Ok(()),
        }
    }

    async fn ask(&self, known: u64, checkpoint: &Published, tree: &Tree) -> Result<String, AskError> {
        let mut old = known;
        // Twice: where the size was wrong, the answer says the right one.
        for _ in 0..2 {
            let body = request_body(old, &proof(tree, old, checkpoint)?, &checkpoint.note);
            match self.endpoint.add_checkpoint(body).await? {
                Answer::Cosigned(lines) => return Ok(parse_answer(&checkpoint.note, &lines, &self.key)?),
                Answer::Conflict(latest) if latest > checkpoint.size => {
                    return Err(AskError::Ahead { latest, size: checkpoint.size });
                }
                Answer::Conflict(latest) => old = latest,
                Answer::Refused { status, sentence } => return Err(AskError::Refused { status, sentence }),
            }
        }
        Err(AskError::Unsteady)
    }

    /// What a claim against the log comes to. No witness signs how much it has cosigned, and anybody on the way could have
    /// written it: what counts is a checkpoint that the ledger's own key signed.
    async fn proven(&self, claim: AskError, asker: Asker<'_>) -> AskError {
        let latest = match claim {
            AskError::Ahead { latest, .. } => Some(latest),
            // Where the roots of one size differ, some witnesses answer with just that size again.
            AskError::Refused { status: NOT_CONSISTENT, .. } | AskError::Unsteady => None,
            AskError::TimedOut
            | AskError::Endpoint(_)
            | AskError::Refused { .. }
            | AskError::Answer(_)
            | AskError::Tree(_)
            | AskError::Newer { .. }
            | AskError::Unproven { .. }
            | AskError::Contradicted { .. } => return claim,
        };
        let shown = match self.shown(asker.ledger).await {
            Ok(checkpoint) => match fits(&checkpoint, asker.tree) {
                Ok(true) => Ok(checkpoint),
                Ok(false) => return AskError::Contradicted { url: self.endpoint.to_string(), checkpoint },
                // What can't be read here says nothing of what is there.
                Err(error) => return AskError::Tree(error),
            },
            Err(problem) => Err(problem),
        };
        let because = match shown {
            Ok(checkpoint) if latest.is_some_and(|latest| latest <= checkpoint.size) => {
                // Anybody may hand it what is public.
                return AskError::Newer { latest: checkpoint.size };
            }
            Ok(checkpoint) => format!("what it shows is in this log, a checkpoint over {} entries", checkpoint.size),
            Err(problem) => problem.to_string(),
        };
        AskError::Unproven { claim: Box::new(claim), because }
    }

    /// The newest checkpoint that it shows, once it is verified that the ledger signed it.
    async fn shown(&self, ledger: &VerifierKey) -> Result<Checkpoint, NotShown> {
        let note = self.endpoint.checkpoint(ledger.name()).await?.map_err(NotShown::Status)?;
        Ok(checkpoint::open(note.as_bytes(), ledger, ledger.name())?)
    }
}

/// Whether the log begins with what a checkpoint is over.
fn fits(checkpoint: &Checkpoint, tree: &Tree) -> Result<bool, ProjectionError> {
    if checkpoint.size > tree.size() {
        return Ok(false);
    }
    let root = tree.root(checkpoint.size)?;
    Ok(checkpoint.root_hash().is_ok_and(|shown| shown == root))
}

fn proof(tree: &Tree, old: u64, checkpoint: &Published) -> Result<Vec<Hash>, ProjectionError> {
    // From nothing, and to the same size, there is nothing to prove.
    if old == 0 || old >= checkpoint.size {
        return Ok(Vec::new());
    }
    Ok(tree.consistency_proof((old, checkpoint.size), (checkpoint.size, &checkpoint.root()))?.0)
}
