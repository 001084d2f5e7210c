//! The holder of checkpoints, asked from a thread of its own: one that hangs holds up nothing but what waits for it.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::stop::Stop;
use crate::engine::{
    checkpoint_holder::{CheckpointHolder, Replaced},
    store::StoreError,
};

/// How long one look at its answer lasts. A file takes some milliseconds, a quorum some hundred.
const ANSWER_WAIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 200 } else { 2_000 });

type Answer = Result<Replaced, StoreError>;

/// A replacement: what is held, and what is to be.
pub(super) struct Replacement {
    old: Option<String>,
    new: String,
}

/// How the holder is asked.
pub(super) enum Hold {
    /// From a thread of its own.
    Beside {
        requests: mpsc::Sender<Replacement>,
        answers: mpsc::Receiver<Answer>,
        /// The last request has no answer yet.
        waiting: bool,
    },
    /// By whoever waits for its answer, who is alone.
    AtOnce(Arc<dyn CheckpointHolder>),
}

impl Hold {
    /// Starts the thread. Nobody waits for its end, as it may never come.
    pub(super) fn start(holder: Arc<dyn CheckpointHolder>) -> std::io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<Replacement>();
        let (outbox, answers) = mpsc::channel();
        let run = move || {
            for Replacement { old, new } in inbox {
                if outbox.send(replace(holder.as_ref(), old.as_deref(), &new)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("hold".to_owned()).spawn(run)?;
        Ok(Self::Beside { requests, answers, waiting: false })
    }

    /// What becomes of a replacement; nothing while it hangs. It is to be the same one until there is an answer.
    pub(super) fn replace(&mut self, old: Option<&str>, new: &str) -> Result<Option<Replaced>, Stop> {
        let (requests, answers, waiting) = match self {
            Self::Beside { requests, answers, waiting } => (requests, answers, waiting),
            Self::AtOnce(holder) => return Ok(Some(replace(holder.as_ref(), old, new)?)),
        };
        if !*waiting {
            let request = Replacement { old: old.map(str::to_owned), new: new.to_owned() };
            // Where the thread is gone, no answer comes either.
            *waiting = requests.send(request).is_ok();
        }
        match answers.recv_timeout(ANSWER_WAIT) {
            Ok(answer) => {
                *waiting = false;
                Ok(answer.map(Some)?)
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Broken("the thread that has checkpoints held has failed")),
        }
    }
}

/// Replaces, and looks whether it is so: one that says it holds a checkpoint and doesn't would let somebody else sign another
/// one of that size.
fn replace(holder: &dyn CheckpointHolder, old: Option<&str>, new: &str) -> Answer {
    match holder.replace(old, new)? {
        Replaced::Done => Ok(match holder.read() {
            Ok(held) if held.as_deref() == Some(new) => Replaced::Done,
            Ok(held) => Replaced::Held(held),
            Err(error) => Replaced::Unknown(error),
        }),
        other @ (Replaced::Held(_) | Replaced::NotApplied(_) | Replaced::Unknown(_)) => Ok(other),
    }
}
