//! One call: what it holds, and how long its answer may wait to be taken.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::rt::Executor;
use tokio::time::Instant;
use tonic::{Request, Status};

use super::{
    connections::{Busy, Charge, Connection, NoRoom},
    fair::Member,
    limits::{CALL_BYTES, TAKEN_PER_BYTE, patience},
    status::unaccounted,
};

tokio::task_local! {
    /// The call whose task this is.
    static CALL: Call;
}

/// A call under way. Copies are the same call.
#[derive(Debug, Clone)]
pub(super) struct Call(Arc<Under>);

#[derive(Debug)]
struct Under {
    connection: Connection,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the call holds by itself, and its requests until somebody takes them over.
    base: Option<Charge>,
    busy: Option<Busy>,
    /// Bytes of its answer that are on their way and nobody has taken yet.
    untaken: usize,
    /// Until when some of them have to be taken.
    patience: Option<Instant>,
    /// Who waits for them to be taken.
    waiting: Option<Waker>,
    /// Who watches that they are.
    watching: Option<Waker>,
}

/// Runs the calls of a connection in its turns, each a task that ends when nobody takes its answer.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    pub(super) connection: Connection,
    pub(super) flow: Member,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, run: F) {
        let call = Call::new(self.connection.clone());
        // Some kilobytes, which are not moved again by each of those who wrap them.
        let run = Box::pin(run);
        tokio::spawn(self.flow.clone().in_turn(async move {
            let run = CALL.scope(call.clone(), run);
            tokio::pin!(run);
            tokio::select! {
                biased;
                () = &mut run => {}
                // What it has on its way goes with it.
                () = call.stalled() => tracing::debug!("a call ended, as nobody took its answer"),
            }
        }));
    }
}

/// Bytes of an answer on their way, and what is held for them.
struct OnTheWay {
    bytes: Bytes,
    call: Call,
    _charge: Charge,
}

impl AsRef<[u8]> for OnTheWay {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for OnTheWay {
    fn drop(&mut self) {
        self.call.taken(self.bytes.len());
    }
}

impl Call {
    fn new(connection: Connection) -> Self {
        Self(Arc::new(Under { connection, state: Mutex::default() }))
    }

    /// The call of this task; where it has none, over HTTP/1.1, a new one.
    pub(super) fn here(connection: &Connection) -> Self {
        CALL.try_with(Clone::clone).unwrap_or_else(|_none| Self::new(connection.clone()))
    }

    /// The call of a request.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get().cloned().ok_or_else(unaccounted)
    }

    /// The connection that it came through.
    pub(super) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Holds what every call takes, and its head.
    pub(super) fn begin(&self, head_bytes: usize) -> Result<(), NoRoom> {
        let busy = self.0.connection.begin()?;
        let base = self.0.connection.charge(CALL_BYTES + head_bytes)?;
        let mut state = self.state();
        (state.base, state.busy) = (Some(base), Some(busy));
        Ok(())
    }

    /// Holds a message that was announced.
    pub(super) fn expect(&self, bytes: usize) -> Result<(), NoRoom> {
        match &mut self.state().base {
            Some(base) => base.grow(bytes),
            None => Ok(()),
        }
    }

    /// Holds a message that was announced, once there is room.
    pub(super) async fn expect_patiently(self, bytes: usize) {
        let room = self.0.connection.room(bytes).await;
        if let Some(base) = &mut self.state().base {
            base.merge(room);
        }
    }

    /// What a message holds, for whoever takes it over.
    pub(super) fn take(&self, bytes: usize) -> Option<Charge> {
        self.state().base.as_mut().map(|base| base.split(bytes))
    }

    /// Its answer is complete, or nobody wants it any more: what the call took by itself is free.
    pub(super) fn end(&self) {
        let mut state = self.state();
        let held = (state.base.take(), state.busy.take());
        drop(state);
        drop(held);
    }

    /// Bytes of its answer, held until the transport is done with them.
    pub(super) fn send(&self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        let charge = self.0.connection.charge(bytes.len())?;
        self.0.connection.sends(bytes.len());
        self.0.connection.weight().credit(bytes.len() / TAKEN_PER_BYTE);
        let mut state = self.state();
        state.untaken += bytes.len();
        state.patience = Some(Instant::now() + patience(state.untaken));
        let watching = state.watching.take();
        drop(state);
        if let Some(watching) = watching {
            watching.wake();
        }
        Ok(Bytes::from_owner(OnTheWay { bytes, call: self.clone(), _charge: charge }))
    }

    fn taken(&self, bytes: usize) {
        self.0.connection.took(bytes);
        let mut state = self.state();
        state.untaken = state.untaken.saturating_sub(bytes);
        state.patience = (state.untaken > 0).then(|| Instant::now() + patience(state.untaken));
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Whether at most so many bytes of its answer are still to be taken.
    pub(super) fn poll_taken(&self, but_for: usize, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.untaken <= but_for {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ends when nobody took its answer for too long.
    async fn stalled(&self) {
        loop {
            let until = poll_fn(|context| {
                let mut state = self.state();
                if let Some(until) = state.patience {
                    return Poll::Ready(until);
                }
                state.watching = Some(context.waker().clone());
                Poll::Pending
            });
            let until = until.await;
            tokio::time::sleep_until(until).await;
            if self.state().patience.is_some_and(|patience| patience <= until) {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
