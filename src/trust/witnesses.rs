//! The witnesses of a ledger: asked for their size before anything is signed, and for cosignatures after.

mod endpoint;
mod round;

use std::sync::Arc;

use tokio::task::JoinSet;

pub use self::endpoint::EndpointError;
use self::endpoint::{Answer, Endpoint, EndpointFailure};
pub(crate) use self::round::Rounds;
use crate::{
    engine::{node::Node, projection::ProjectionError, sequencer::Published, tree::Tree},
    format::{
        checkpoint::{
            self, WitnessKey,
            policy::WitnessPolicy,
            witness::{AnswerError, parse_answer, request_body},
        },
        signature::PrivateKey,
    },
    merkle::{Hash, empty_root},
};

/// The witnesses of a policy, and where they are.
#[derive(Debug, Clone)]
pub struct Witnesses {
    policy: Arc<WitnessPolicy>,
    remotes: Vec<Arc<Remote>>,
}

/// Why a policy is none that a server can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessesError {
    /// The server can't ask it.
    #[error("the witness {name} has no URL in the policy, so it can't be asked")]
    UrlMissing {
        /// The policy's name for it.
        name: String,
    },
    /// The URL is none.
    #[error("the witness {name}: {source}")]
    Url {
        /// The policy's name for it.
        name: String,
        /// What is wrong with the URL that the policy has for it.
        source: EndpointError,
    },
}

#[derive(Debug)]
struct Remote {
    name: String,
    key: WitnessKey,
    endpoint: Endpoint,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Endpoint(#[from] EndpointFailure),
    #[error("it refused with status {status}: {sentence}")]
    Refused { status: u16, sentence: String },
    #[error(
        "it has cosigned {latest} entries, this log has {size}: entries are gone, or another server signs with the same \
         key. Stop, and restore a backup that has them"
    )]
    Ahead { latest: u64, size: u64 },
    #[error("it was much slower than the others")]
    Late,
    #[error("it changes its size from one request to the next")]
    Unsteady,
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Tree(#[from] ProjectionError),
}

/// The status by which a witness says that a proof or root doesn't fit what it cosigned.
const NOT_CONSISTENT: u16 = 422;

/// A witness that knows more, or otherwise, than the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessObjection {
    /// It has cosigned entries that aren't there.
    #[error("it has cosigned {latest} entries, the log has {size}: acknowledged entries are gone")]
    Ahead {
        /// Entries under the newest checkpoint that it cosigned, as it says.
        latest: u64,
        /// Entries of this log.
        size: u64,
    },
    /// It has cosigned another history.
    #[error("it says that the log does not continue what it cosigned: {sentence}")]
    NotConsistent {
        /// What it wrote to its refusal, cut and quoted.
        sentence: String,
    },
}

/// A ledger that is about to sign.
pub(crate) struct Standing<'a> {
    pub(crate) origin: &'a str,
    pub(crate) key: &'a PrivateKey,
    pub(crate) node: Node,
    /// The newest checkpoint that was signed before.
    pub(crate) checkpoint: Option<Published>,
}

impl Witnesses {
    /// The witnesses of a policy.
    ///
    /// # Errors
    /// The first of them that can't be asked.
    pub fn new(policy: WitnessPolicy) -> Result<Self, WitnessesError> {
        let remote = |witness: &checkpoint::policy::PolicyWitness| {
            let name = witness.name.clone();
            let url = witness.url.as_deref().ok_or_else(|| WitnessesError::UrlMissing { name: name.clone() })?;
            let endpoint = url.parse().map_err(|source| WitnessesError::Url { name: name.clone(), source })?;
            Ok(Arc::new(Remote { name, key: witness.key.clone(), endpoint }))
        };
        let remotes = policy.witnesses().iter().map(remote).collect::<Result<_, _>>()?;
        Ok(Self { policy: Arc::new(policy), remotes })
    }

    /// Asks every witness what it has cosigned, and names the first that objects. One that doesn't answer is no reason
    /// not to serve. Blocks, and must not be called from an asynchronous task.
    pub(crate) fn check(&self, standing: &Standing<'_>) -> std::io::Result<Result<(), (String, WitnessObjection)>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(self.ask_all(standing)))
    }

    async fn ask_all(&self, standing: &Standing<'_>) -> Result<(), (String, WitnessObjection)> {
        // A checkpoint of no entries, which says nothing of the log: the ledger's key makes the witness answer.
        let empty = checkpoint::sign(standing.origin, 0, &empty_root(), standing.key.signing_key());
        let mut asked = JoinSet::new();
        for remote in &self.remotes {
            let (remote, empty) = (Arc::clone(remote), empty.clone());
            let (node, checkpoint) = (standing.node.clone(), standing.checkpoint.clone());
            asked.spawn(async move {
                let objection = remote.objection(empty, &node, checkpoint.as_ref()).await;
                (remote.name.clone(), objection)
            });
        }
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((_, Ok(None))) => {}
                Ok((name, Ok(Some(objection)))) => return Err((name, objection)),
                Ok((name, Err(error))) => tracing::warn!("the witness {name} was not asked for its size: {error}"),
                Err(error) => tracing::error!("a witness was not asked for its size: {error}"),
            }
        }
        Ok(())
    }
}

impl Remote {
    async fn objection(
        &self,
        empty: String,
        node: &Node,
        checkpoint: Option<&Published>,
    ) -> Result<Option<WitnessObjection>, AskError> {
        let size = node.log.size();
        let latest = match self.endpoint.add_checkpoint(request_body(0, &[], &empty)).await? {
            Answer::Cosigned(_) => 0,
            Answer::Conflict(latest) => latest,
            Answer::Refused { status, sentence } => return Err(AskError::Refused { status, sentence }),
        };
        if latest > size {
            return Ok(Some(WitnessObjection::Ahead { latest, size }));
        }
        let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size >= latest) else { return Ok(None) };
        match self.cosign(latest, checkpoint, &node.tree).await {
            Err(AskError::Refused { status: NOT_CONSISTENT, sentence }) => {
                Ok(Some(WitnessObjection::NotConsistent { sentence }))
            }
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The line by which it cosigns a checkpoint, given the size that it is thought to be at.
    async fn cosign(&self, known: u64, checkpoint: &Published, tree: &Tree) -> Result<String, AskError> {
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
}

fn proof(tree: &Tree, old: u64, checkpoint: &Published) -> Result<Vec<Hash>, ProjectionError> {
    // From nothing, and to the same size, there is nothing to prove.
    if old == 0 || old >= checkpoint.size {
        return Ok(Vec::new());
    }
    Ok(tree.consistency_proof((old, checkpoint.size), (checkpoint.size, &checkpoint.root()))?.0)
}
