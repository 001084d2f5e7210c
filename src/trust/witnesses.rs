//! The witnesses of a ledger: asked to confirm what was signed before anything more is, and for cosignatures after.

mod endpoint;
mod remote;
mod round;

use std::sync::Arc;

use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

pub use self::endpoint::EndpointError;
use self::remote::{ANSWER_WAIT, AskError, Asker, Remote};
pub(crate) use self::round::Rounds;
use crate::{
    engine::{sequencer::Published, tree::Tree},
    format::{
        checkpoint::{self, Checkpoint, VerifierKey, policy::WitnessPolicy},
        signature::PrivateKey,
    },
    merkle::empty_root,
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

/// The witnesses of one ledger.
#[derive(Debug)]
pub(crate) struct LedgerWitnesses {
    policy: Arc<WitnessPolicy>,
    remotes: Vec<Arc<Remote>>,
    /// Named as the ledger's origin.
    ledger: VerifierKey,
}

/// A ledger that is about to sign.
pub(crate) struct Standing<'a> {
    pub(crate) key: &'a PrivateKey,
    pub(crate) tree: &'a Arc<Tree>,
    /// The newest checkpoint that was signed before.
    pub(crate) checkpoint: Option<&'a Published>,
}

/// What a witness shows against a log: a checkpoint by the ledger's own key.
pub(crate) struct Shown {
    /// The policy's name for the witness.
    pub(crate) witness: String,
    /// Where it shows it.
    pub(crate) url: String,
    pub(crate) checkpoint: Checkpoint,
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

    /// The same for one ledger, whose key is named as its origin.
    pub(crate) fn of(self, ledger: VerifierKey) -> LedgerWitnesses {
        LedgerWitnesses { policy: self.policy, remotes: self.remotes, ledger }
    }
}

impl LedgerWitnesses {
    /// Asks every witness to confirm what was signed, all at once and for one wait, and gives what they have to show against
    /// it. One that doesn't answer, or has nothing to show for what it says, is no reason not to serve. Blocks, and must not
    /// be called from an asynchronous task.
    pub(crate) fn ask(&self, standing: &Standing<'_>) -> std::io::Result<Vec<Shown>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shown = runtime.block_on(self.ask_all(standing));
        // A name that is still being looked up would be waited for otherwise.
        runtime.shutdown_background();
        Ok(shown)
    }

    async fn ask_all(&self, standing: &Standing<'_>) -> Vec<Shown> {
        let empty = checkpoint::sign(self.ledger.name(), 0, &empty_root(), standing.key.signing_key());
        let mut asked = JoinSet::new();
        for remote in &self.remotes {
            let (remote, empty, ledger) = (Arc::clone(remote), empty.clone(), self.ledger.clone());
            let (tree, checkpoint) = (Arc::clone(standing.tree), standing.checkpoint.cloned());
            asked.spawn(async move {
                let asker = Asker { ledger: &ledger, tree: &tree };
                let confirmed = remote.confirm(&empty, checkpoint.as_ref(), asker).await;
                (remote.name.clone(), confirmed)
            });
        }
        let deadline = Instant::now() + ANSWER_WAIT;
        let mut silent: Vec<&str> = self.remotes.iter().map(|remote| remote.name.as_str()).collect();
        let mut shown = Vec::new();
        while let Ok(Some(answer)) = timeout_at(deadline, asked.join_next()).await {
            let Ok((witness, confirmed)) =
                answer.inspect_err(|error| tracing::error!("a witness was not asked: {error}"))
            else {
                continue;
            };
            silent.retain(|name| *name != witness);
            match confirmed {
                Ok(()) | Err(AskError::Newer { .. }) => {}
                Err(AskError::Contradicted { url, checkpoint }) => shown.push(Shown { witness, url, checkpoint }),
                Err(error @ AskError::Unproven { .. }) => {
                    tracing::error!("the witness {witness} does not confirm this log: {error}");
                }
                Err(error) => tracing::warn!("the witness {witness} does not confirm this log: {error}"),
            }
        }
        for witness in silent {
            tracing::warn!("the witness {witness} does not confirm this log: {}", AskError::TimedOut);
        }
        shown
    }
}
