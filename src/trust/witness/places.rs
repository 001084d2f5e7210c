//! The places of a witness: how many connections it has at a time, and which of them goes when all are taken.
//!
//! Whoever keeps a place without asking for anything loses it to the next one who comes. Nothing is decided by where a
//! connection comes from: behind a proxy all come from one address.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Connections at a time. Each request waits for its ledger on a thread, of which tokio has 512.
const CONNECTIONS_MAX: usize = 256;
/// Descriptors that are no connections': the three standard streams, the listener, the lock, and what the runtime polls
/// with are a dozen, and as many again are spare.
const DESCRIPTORS_RESERVED: usize = 32;
/// Descriptors by which a ledger's checkpoint is kept: the new file and its folder. Requests for one ledger are decided one
/// after another.
const DESCRIPTORS_PER_LEDGER: usize = 2;
/// How long a connection may be idle: how long a head may take, and an answer wait to be taken.
const IDLE_WAIT: Duration = Duration::from_secs(30);

/// What a connection is at, in the order in which connections lose their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// No whole head of a request is there, or an answer is not taken yet.
    Idle,
    /// The body of a request is on the way.
    Sending,
    /// The witness is at it. That ends by itself, and soon: such a connection keeps its place.
    Deciding,
}

/// The places, and who has them.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    given_back: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    stage: Stage,
    since: Instant,
    /// Whether it was told to go.
    is_leaving: bool,
    leave: Arc<Notify>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    leave: Arc<Notify>,
}

impl Places {
    /// As many as this process has descriptors for, beside those by which it keeps checkpoints of so many ledgers.
    pub(super) fn new(ledgers: usize) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.map(usize::try_from);
        let reserved = DESCRIPTORS_RESERVED.saturating_add(ledgers.saturating_mul(DESCRIPTORS_PER_LEDGER));
        let most = match descriptors {
            Some(Ok(descriptors)) => descriptors.saturating_sub(reserved).clamp(1, CONNECTIONS_MAX),
            // No limit, or none that matters.
            None | Some(Err(_)) => CONNECTIONS_MAX,
        };
        Self::of(most)
    }

    fn of(most: usize) -> Self {
        Self { most, taken: Mutex::default(), given_back: Notify::new() }
    }

    /// A place for the connection that comes next. Where all are taken the connection that has waited for its peer longest
    /// goes, idle ones first; where the witness is at every one of them, the next that it is done with.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.take_free() {
                return place;
            }
            // The one that was told to go closes its socket first, so that there are never more descriptors than places.
            self.given_back.notified().await;
        }
    }

    fn take_free(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.connections.len() >= self.most {
            taken.send_one_away();
            return None;
        }
        let (number, leave) = (taken.next, Arc::new(Notify::new()));
        taken.next = number.saturating_add(1);
        let connection =
            Connection { stage: Stage::Idle, since: Instant::now(), is_leaving: false, leave: Arc::clone(&leave) };
        taken.connections.insert(number, connection);
        Some(Place { places: Arc::clone(self), number, leave })
    }

    /// Nothing that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Unless one is on its way out already.
    fn send_one_away(&mut self) {
        if self.connections.values().any(|connection| connection.is_leaving) {
            return;
        }
        let waiting = self.connections.values_mut().filter(|connection| connection.stage < Stage::Deciding);
        if let Some(oldest) = waiting.min_by_key(|connection| (connection.stage, connection.since)) {
            oldest.is_leaving = true;
            oldest.leave.notify_one();
        }
    }
}

impl Place {
    /// Takes note of what the connection is at from now on.
    pub(super) fn at(&self, stage: Stage) {
        if let Some(connection) = self.places.lock().connections.get_mut(&self.number) {
            (connection.stage, connection.since) = (stage, Instant::now());
        }
        // Whoever waits looks again: this may be the one that can go.
        self.places.given_back.notify_one();
    }

    /// Until the connection has to end: its place is needed, or it was idle for too long.
    pub(super) async fn lost(&self) {
        tokio::select! {
            () = self.leave.notified() => {}
            () = self.overdue() => {}
        }
    }

    async fn overdue(&self) {
        let mut deadline = Instant::now() + IDLE_WAIT;
        loop {
            sleep_until(deadline).await;
            let idle_since = match self.places.lock().connections.get(&self.number) {
                Some(Connection { stage: Stage::Idle, since, .. }) => *since,
                Some(_) | None => Instant::now(),
            };
            if idle_since + IDLE_WAIT <= deadline {
                return;
            }
            deadline = idle_since + IDLE_WAIT;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().connections.remove(&self.number);
        self.places.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

    use super::*;

    /// Takes a place where none is free: who is told to go, by its number here.
    async fn next(places: &Arc<Places>, held: &mut Vec<Option<Place>>) -> usize {
        let coming = tokio::spawn({
            let places = Arc::clone(places);
            async move { places.take().await }
        });
        let leaving = async {
            loop {
                let gone = held.iter().position(|place| {
                    let connections = &places.lock().connections;
                    place.as_ref().is_some_and(|place| connections[&place.number].is_leaving)
                });
                match gone {
                    Some(number) => return number,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        let number = leaving.await;
        assert!(!coming.is_finished(), "not before the place is given back");
        held[number] = None;
        held.push(Some(coming.await.expect("a place")));
        number
    }

    #[tokio::test]
    async fn who_waits_longest_goes_first_and_idle_ones_before_those_that_send() {
        let (places, mut held) = (Arc::new(Places::of(4)), Vec::new());
        for _ in 0..4 {
            held.push(Some(places.take().await));
        }
        let at = |number: usize, stage| held[number].as_ref().expect("a place").at(stage);
        at(0, Stage::Deciding);
        at(1, Stage::Sending);
        at(2, Stage::Idle);
        // The third has only just had its answer, the fourth has never asked for anything.
        assert_eq!(next(&places, &mut held).await, 3);
        assert_eq!(next(&places, &mut held).await, 2);
        // Who came last is idle, and sends from now on: then the one that sends longer goes.
        for number in [4, 5] {
            held[number].as_ref().expect("a place").at(Stage::Sending);
        }
        assert_eq!(next(&places, &mut held).await, 1);
        assert_eq!(places.lock().connections.len(), 4);
    }

    #[tokio::test]
    async fn a_connection_that_is_being_decided_is_waited_for() {
        let places = Arc::new(Places::of(1));
        let place = places.take().await;
        place.at(Stage::Deciding);
        let coming = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!coming.is_finished());
        place.at(Stage::Idle);
        tokio::time::timeout(Duration::from_mins(1), place.leave.notified()).await.expect("it is told to go");
        drop(place);
        let next = coming.await.expect("a place");
        assert_eq!((next.number, places.lock().connections.len()), (1, 1));
    }
}
