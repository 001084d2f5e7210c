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
    connections::{Busy, Charge, Connection, NoRoom, Sent},
    fair::Member,
    limits::{ARRIVED_BYTES, CALL_BYTES, SMALL_BYTES, TAKEN_PER_BYTE, patience},
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
    flow: Member,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What it holds until its turn comes, or why it has no room to wait in.
    arrived: Option<Result<Charge, NoRoom>>,
    /// What the call holds by itself, and its requests until somebody takes them over.
    busy: Option<Busy>,
    /// What is held for a small answer that outlives its call.
    small: Option<Charge>,
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
        let call = Call::new(self);
        let has_room = call.arrive();
        // Some kilobytes, which are not moved again by each of those who wrap them.
        let run = Box::pin(run);
        let run = async move {
            let run = CALL.scope(call.clone(), run);
            tokio::pin!(run);
            tokio::select! {
                biased;
                () = &mut run => {}
                // What it has on its way goes with it.
                () = call.stalled() => tracing::debug!("a call ended, as nobody took its answer"),
            }
        };
        if has_room {
            tokio::spawn(self.flow.clone().in_turn(run));
        } else {
            // It is told no at once, for it would wait in what there is no room for.
            tokio::spawn(self.flow.clone().at_once(run));
        }
    }
}

/// Bytes of an answer on their way, and what is held for them, if the call itself doesn't.
struct OnTheWay {
    bytes: Bytes,
    call: Call,
    _sent: Option<Sent>,
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
    fn new(Calls { connection, flow }: &Calls) -> Self {
        Self(Arc::new(Under { connection: connection.clone(), flow: flow.clone(), state: Mutex::default() }))
    }

    /// The call of this task; where it has none, over HTTP/1.1, a new one.
    pub(super) fn here(calls: &Calls) -> Self {
        CALL.try_with(Clone::clone).unwrap_or_else(|_none| Self::new(calls))
    }

    /// Runs something for it that goes on beside its own task.
    pub(super) fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.0.flow.clone().in_turn(run));
    }

    /// The call of a request.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get().cloned().ok_or_else(unaccounted)
    }

    /// The connection that it came through.
    pub(super) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Holds what a request takes until its turn comes; whether there is room.
    fn arrive(&self) -> bool {
        let arrived = self.0.connection.charge(ARRIVED_BYTES);
        let has_room = arrived.is_ok();
        self.state().arrived = Some(arrived);
        has_room
    }

    /// Holds what every call takes, and its head.
    pub(super) fn begin(&self, head_bytes: usize) -> Result<(), NoRoom> {
        let mut state = self.state();
        let arrived = state.arrived.take().transpose()?;
        let busy = self.0.connection.begin(CALL_BYTES + head_bytes, arrived)?;
        state.busy = Some(busy);
        Ok(())
    }

    /// Holds a message that was announced; one that is small and the only one is held with the call.
    pub(super) fn expect(&self, bytes: usize, many: bool) -> Result<(), NoRoom> {
        match &mut self.state().busy {
            Some(busy) if many || bytes > SMALL_BYTES => busy.held().grow(bytes),
            Some(_) | None => Ok(()),
        }
    }

    /// Holds a message that was announced, once there is room.
    pub(super) async fn expect_patiently(self, bytes: usize) -> Result<(), NoRoom> {
        let room = self.0.connection.room(bytes).await?;
        if let Some(busy) = &mut self.state().busy {
            busy.held().merge(room);
        }
        Ok(())
    }

    /// What a message holds, for whoever takes it over.
    pub(super) fn take(&self, bytes: usize) -> Option<Charge> {
        self.state().busy.as_mut().map(|busy| busy.held().split(bytes))
    }

    /// Its answer is complete, or nobody wants it any more: what the call took by itself is free.
    pub(super) fn end(&self) {
        let mut state = self.state();
        let mut busy = state.busy.take();
        if state.untaken > 0
            && let Some(busy) = &mut busy
        {
            state.small = Some(busy.held().split(SMALL_BYTES));
        }
        drop(state);
        drop(busy);
    }

    /// Bytes of its answer, held until the transport is done with them. The first ones, if they are few, are held with the
    /// call.
    pub(super) fn send(&self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        let connection = &self.0.connection;
        let mut state = self.state();
        let is_small = state.untaken == 0 && bytes.len() <= SMALL_BYTES && state.busy.is_some();
        let sent = if is_small { None } else { Some(connection.send(bytes.len())?) };
        state.untaken += bytes.len();
        state.patience = Some(Instant::now() + patience(state.untaken));
        let watching = state.watching.take();
        drop(state);
        connection.weight().credit(bytes.len() / TAKEN_PER_BYTE);
        if let Some(watching) = watching {
            watching.wake();
        }
        Ok(Bytes::from_owner(OnTheWay { bytes, call: self.clone(), _sent: sent }))
    }

    fn taken(&self, bytes: usize) {
        let mut state = self.state();
        state.untaken = state.untaken.saturating_sub(bytes);
        let small = if state.untaken == 0 { state.small.take() } else { None };
        state.patience = (state.untaken > 0).then(|| Instant::now() + patience(state.untaken));
        let waiting = state.waiting.take();
        drop(state);
        drop(small);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;
    use crate::server::{
        connections::{Connections, Place},
        descriptors::Room,
        fair::Fair,
        limits::{CONNECTION_BYTES_MAX, CREDIT_PASS, PASS},
    };

    /// A connection of a thread that calls nobody who waits.
    async fn connected() -> (Place, Calls) {
        let all = Connections::new(Room { connections: 8, closing: 8 });
        let place = all.welcome(all.descriptor().await.unwrap());
        let calls = Calls { connection: place.connection.clone(), flow: Fair::new().join() };
        (place, calls)
    }

    #[tokio::test]
    async fn a_call_that_found_no_room_is_told_no_at_once_also_where_others_wait() {
        let (_place, calls) = connected().await;
        // This pass is over.
        calls.flow.clone().in_turn(async { std::thread::sleep(PASS + CREDIT_PASS) }).await;
        let run = || {
            let (tell, told) = oneshot::channel();
            calls.execute(async move { tell.send(CALL.with(|call| call.begin(0))).unwrap() });
            told
        };
        let mut waits = run();
        let full = calls.connection.charge(CONNECTION_BYTES_MAX - ARRIVED_BYTES).unwrap();
        let told = run();
        // There is room again by the time that it asks.
        drop(full);
        let told = tokio::time::timeout(Duration::from_secs(5), told).await;
        assert_eq!(told.unwrap().unwrap(), Err(NoRoom::Connection));
        assert!(waits.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
    }

    #[tokio::test]
    async fn what_a_call_holds_from_its_arrival_is_part_of_what_it_takes() {
        let (_place, calls) = connected().await;
        let call = Call::new(&calls);
        assert!(call.arrive());
        // All but what a call takes: it fits in as what it holds already counts.
        let _others = calls.connection.charge(CONNECTION_BYTES_MAX - CALL_BYTES).unwrap();
        assert_eq!(call.begin(0), Ok(()));
        call.end();
        let more = calls.connection.charge(CALL_BYTES);
        assert!(more.is_ok(), "what it held was not given back");
    }
}
