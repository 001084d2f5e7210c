//! What reads answer from, and what all of them need. Each topic has a file of its own beside this one.
//!
//! **Invariant**: all that one answer says is of one version of the ledger: a read looks once, and keeps what it saw. Only
//! what is on accounts isn't kept: it is looked up last, and an answer that tells it is of that look.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    cursor::{List, Seal},
    failure::ReadError,
    identity::Identity,
    lanes::{Lane, Lanes, beside},
    reader::{Permission, Reader},
};
use crate::{
    engine::{node::Node, scrub::Scrubbed, sequencer::Published},
    ledger::{AccountId, AccountNumber, Version},
};

/// How long a read waits for its `min_index`: several commits, less than a person waits.
const REACH_WAIT: Duration = Duration::from_secs(5);

/// What reads are made of.
pub struct ReadsParts {
    /// The log, and what is derived from it.
    pub node: Node,
    /// The newest checkpoint.
    pub published: watch::Receiver<Published>,
    /// The newest one that enough witnesses have cosigned; empty where there is none.
    pub cosigned: watch::Receiver<String>,
    /// How far the log was read again.
    pub scrubbed: watch::Receiver<Scrubbed>,
    /// Whether the service goes down: then nobody waits any longer.
    pub stopping: watch::Receiver<bool>,
    /// What the ledger is known by.
    pub identity: Identity,
}

/// Everything that can be read of a ledger, for whoever asks in this process. Copies are of one thing and share its limits.
///
/// Reads that look at a table once are plain functions. Those that read files, or look at many rows, are so too, and say it:
/// they belong beside a thread that others wait for, see [`Reads::beside`].
#[derive(Clone)]
pub struct Reads {
    pub(super) node: Node,
    /// How many entries there are, and as there come more.
    pub(super) size: watch::Receiver<u64>,
    pub(super) published: watch::Receiver<Published>,
    pub(super) cosigned: watch::Receiver<String>,
    pub(super) scrubbed: watch::Receiver<Scrubbed>,
    stopping: watch::Receiver<bool>,
    pub(super) identity: Arc<Identity>,
    pub(super) lanes: Lanes,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("identity", &self.identity.ledger_vkey).finish_non_exhaustive()
    }
}

impl Reads {
    /// Reads of a ledger. One for all who read it, as the limits are its own.
    #[must_use]
    pub fn new(parts: ReadsParts) -> Self {
        let ReadsParts { node, published, cosigned, scrubbed, stopping, identity } = parts;
        let (identity, lanes) = (Arc::new(identity), Lanes::default());
        let size = node.projection.durable();
        Self { node, size, published, cosigned, scrubbed, stopping, identity, lanes }
    }

    /// The same for all who wait in one runtime, and what tells them of each commit: a future to be spawned there, which ends
    /// with the writer. Waking a thousand of them one by one would hold the writer up.
    pub fn waiting_together(self) -> (Self, impl Future<Output = ()> + Send) {
        let mut durable = self.node.projection.durable();
        let (tell, size) = watch::channel(*durable.borrow_and_update());
        let work = async move {
            while durable.changed().await.is_ok() {
                tell.send_replace(*durable.borrow_and_update());
            }
        };
        (Self { size, ..self }, work)
    }

    /// Reads beside the thread that asks, when there is room in a lane; others of that thread go on meanwhile.
    ///
    /// # Errors
    /// Those of the read; [`ReadError::ShuttingDown`]; [`ReadError::Failed`] where the read panicked.
    pub async fn beside<T: Send + 'static>(
        &self,
        lane: Lane,
        read: impl FnOnce(&Self) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (place, reads) = (self.lanes.enter(lane).await?, self.clone());
        beside(place, move || read(&reads)).await
    }

    /// Waits until an entry is reflected, for 5 seconds at most. 0 is reflected always.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`]; [`ReadError::IndexNotReached`], [`ReadError::ShuttingDown`].
    pub async fn reach(&self, reader: Reader, min_index: u64) -> Result<(), ReadError> {
        reader.check(Permission::Local)?;
        if *self.node.projection.durable().borrow() > min_index || min_index == 0 {
            return Ok(());
        }
        let (mut size, mut stopping) = (self.size.clone(), self.stopping.clone());
        tokio::select! {
            reached = size.wait_for(|size| *size > min_index) => match reached {
                Ok(_) => Ok(()),
                Err(_gone) => Err(ReadError::ShuttingDown),
            },
            _ = stopping.wait_for(|stop| *stop) => Err(ReadError::ShuttingDown),
            () = tokio::time::sleep(REACH_WAIT) => {
                let size = *self.node.projection.durable().borrow();
                Err(ReadError::IndexNotReached { min_index, size, waited: REACH_WAIT })
            }
        }
    }

    /// The one look of a read, kept: it stays as it is while the writer goes on.
    pub(super) fn version(&self) -> Version {
        self.node.projection.shown().version().clone()
    }

    pub(super) fn seal(&self, reader: Reader, list: List) -> Seal<'_> {
        Seal { key: &self.identity.cursor_key, reader, list }
    }
}

/// The number of an account that has to be there.
pub(super) fn named(version: &Version, account: AccountId) -> Result<AccountNumber, ReadError> {
    version.account_number(account).ok_or(ReadError::AccountUnknown { account })
}
