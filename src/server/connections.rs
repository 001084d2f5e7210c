//! Who is connected, and the one budget for everything that they make the process hold.
//!
//! A stranger who reaches the port decides how many connections there are, how much they send before it can be refused, and
//! when they take what they are answered. So all of that is counted in one place: each connection has a share of the
//! budget, and when the budget or the places run short, it is the connection that stood in the way longest that goes, not
//! the one that comes.

mod table;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use self::table::{Account, Table};
pub(super) use self::table::{Going, NoRoom};
use super::{
    descriptors::Room,
    limits::{CALLS_MAX, CONNECTION_BYTES_MAX, SUBSCRIBERS_MAX},
    weight::{CALL_CREDIT, Weight},
};
use crate::engine::sequencer::Source;

/// How long somebody who is over the budget's end waits before the next look, where nothing says when there is room.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All connections of a service. Copies share them.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("most", &self.0.most).finish_non_exhaustive()
    }
}

struct Shared {
    /// Milliseconds since some moment.
    now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Most connections that are kept.
    most: usize,
    /// Descriptors for them, with some for those that are on their way out.
    places: Arc<Semaphore>,
    table: Mutex<Table>,
}

/// One connection, for as long as it or anything that it asked for is there.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Member>);

#[derive(Debug)]
struct Member {
    all: Connections,
    number: u64,
    /// Somebody may find room now.
    room: Notify,
    /// What it sends beside requests.
    weight: Mutex<Weight>,
}

/// An open connection: its place is given back when this goes.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) connection: Connection,
    pub(super) told: watch::Receiver<Option<Going>>,
    _descriptor: OwnedSemaphorePermit,
}

/// Bytes that are held for a connection, given back when this goes.
#[derive(Debug)]
pub(super) struct Charge {
    connection: Connection,
    bytes: usize,
    at_ms: u64,
}

/// A call under way, and what is held for it.
#[derive(Debug)]
pub(super) struct Busy(Charge);

/// Bytes of an answer on their way.
#[derive(Debug)]
pub(super) struct Sent(Charge);

/// A subscription under way.
#[derive(Debug)]
pub(super) struct Subscriber(Connection);

impl Connections {
    /// A table for as many connections as there is room for.
    pub(super) fn new(room: Room) -> Self {
        let started = Instant::now();
        Self::in_time(room, move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The same, in a time of one's own.
    fn in_time(Room { connections, closing }: Room, now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            now_ms: Box::new(now_ms),
            most: connections,
            places: Arc::new(Semaphore::new(connections + closing)),
            table: Mutex::default(),
        }))
    }

    /// A descriptor's place for whoever comes next, once there is one.
    pub(super) async fn descriptor(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).acquire_owned().await.ok()
    }

    /// Takes somebody in. Where all places are taken, the connection goes that does least: one that never asked anything,
    /// else one without a call under way, else the one that has been quiet longest.
    pub(super) fn welcome(&self, descriptor: OwnedSemaphorePermit) -> Place {
        let now = self.now_ms();
        let mut table = self.table();
        if table.open >= self.0.most {
            table.make_place();
        }
        let number = table.next;
        table.next += 1;
        table.open += 1;
        let (told, hear) = watch::channel(None);
        let account = Account {
            active_ms: now,
            asked: false,
            open: true,
            calls: 0,
            subscribers: 0,
            untaken: 0,
            held: 0,
            weight: 0,
            go: None,
            told,
        };
        table.accounts.insert(number, account);
        let (room, weight) = (Notify::new(), Mutex::new(Weight::new(Instant::now())));
        let connection = Connection(Arc::new(Member { all: self.clone(), number, room, weight }));
        Place { connection, told: hear, _descriptor: descriptor }
    }

    /// Makes a place where descriptors are short all the same.
    pub(super) fn make_place(&self) {
        self.table().make_place();
    }

    /// Whether any were told to go since this was last asked.
    pub(super) fn have_sent_away(&self) -> bool {
        std::mem::take(&mut self.table().have_sent_away)
    }

    fn now_ms(&self) -> u64 {
        (self.0.now_ms)()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// It asked something, for which so many bytes are held, those among them that are held already. Where too much is under
    /// way, the connection goes that has most of it, if that isn't this one.
    pub(super) fn begin(&self, bytes: usize, mut arrived: Option<Charge>) -> Result<Busy, NoRoom> {
        self.weight().credit(CALL_CREDIT);
        let now = self.0.all.now_ms();
        let mut table = self.0.all.table();
        if table.calls - table.leaving_calls >= CALLS_MAX {
            table.make_way(self.0.number, |account| account.calls).ok_or(NoRoom::Service)?;
        }
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            (account.asked, account.active_ms) = (true, now);
        }
        let (held, since_ms) = arrived.as_ref().map_or((0, now), |arrived| (arrived.bytes, arrived.at_ms));
        let bytes = bytes.max(held);
        table.hold(self.0.number, bytes - held, now)?;
        table.calls += 1;
        if let Some(arrived) = &mut arrived {
            arrived.bytes = 0;
        }
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            // All of it counts from now on.
            account.weight += u128::from(now.saturating_sub(since_ms)) * held as u128;
            account.calls += 1;
            if account.go.is_some() {
                table.leaving_calls += 1;
            }
        }
        Ok(Busy(Charge { connection: self.clone(), bytes, at_ms: now }))
    }

    /// Where its sheets come from, for the writer. The first one is the process itself.
    pub(super) fn source(&self) -> Source {
        Source(1 + self.0.number)
    }

    /// What it sends, weighed against what it asks.
    pub(super) fn weight(&self) -> MutexGuard<'_, Weight> {
        self.0.weight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds so many bytes of its answers, which are on their way. It does something, so it isn't the next one to go.
    pub(super) fn send(&self, bytes: usize) -> Result<Sent, NoRoom> {
        let at_ms = self.0.all.now_ms();
        let mut table = self.0.all.table();
        table.hold(self.0.number, bytes, at_ms)?;
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            account.untaken += bytes;
            account.active_ms = at_ms;
        }
        Ok(Sent(Charge { connection: self.clone(), bytes, at_ms }))
    }

    /// Whether it ever asked anything.
    pub(super) fn has_asked(&self) -> bool {
        self.0.all.table().accounts.get(&self.0.number).is_some_and(|account| account.asked)
    }

    /// Whether a call of its is under way, and isn't only waiting for it to take an answer that it has not touched for so
    /// long.
    pub(super) fn is_busy(&self, untouched: Duration) -> bool {
        let long_ago = self.0.all.now_ms().saturating_sub(u64::try_from(untouched.as_millis()).unwrap_or(u64::MAX));
        let table = self.0.all.table();
        let account = table.accounts.get(&self.0.number);
        account.is_some_and(|account| account.calls > 0 && (account.untaken == 0 || account.active_ms > long_ago))
    }

    /// Holds so many bytes for it, or says why not.
    pub(super) fn charge(&self, bytes: usize) -> Result<Charge, NoRoom> {
        let at_ms = self.0.all.now_ms();
        self.0.all.table().hold(self.0.number, bytes, at_ms)?;
        Ok(Charge { connection: self.clone(), bytes, at_ms })
    }

    /// The same of what can wait, while that leaves as much to others as this one holds.
    fn charge_spare(&self, bytes: usize) -> Result<Charge, NoRoom> {
        if self.0.all.table().leaves_as_much(self.0.number, bytes) {
            self.charge(bytes)
        } else {
            Err(NoRoom::Connection)
        }
    }

    /// Holds so many bytes for it, once there is room; says no only where it is gone.
    pub(super) async fn room(&self, bytes: usize) -> Result<Charge, NoRoom> {
        self.once_there_is(bytes, Self::charge).await
    }

    /// The same for what can wait, once that leaves as much to others as this one holds. So those who bring much at the same
    /// time have equal parts, and whoever comes next finds room without that one of them has to go: the dynamic thresholds
    /// of A. K. Choudhury and E. L. Hahne (IEEE/ACM Transactions on Networking, 1998).
    pub(super) async fn spare_room(&self, bytes: usize) -> Result<Charge, NoRoom> {
        self.once_there_is(bytes, Self::charge_spare).await
    }

    /// Tries again until it is told yes, or that the connection is gone.
    async fn once_there_is(
        &self,
        bytes: usize,
        charge: impl Fn(&Self, usize) -> Result<Charge, NoRoom>,
    ) -> Result<Charge, NoRoom> {
        // More than a share would wait for ever.
        let bytes = bytes.min(CONNECTION_BYTES_MAX);
        loop {
            let room = self.0.room.notified();
            match charge(self, bytes) {
                Ok(charge) => return Ok(charge),
                Err(NoRoom::Gone) => return Err(NoRoom::Gone),
                Err(NoRoom::Connection) => {
                    // Also a look by itself: what was given back between the two above went unheard.
                    let _heard = tokio::time::timeout(LOOK_AGAIN, room).await;
                }
                Err(NoRoom::Service) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// A subscription's place. Where all are taken, the connection goes that has most of them, if that isn't this one.
    pub(super) fn subscribe(&self) -> Option<Subscriber> {
        let mut table = self.0.all.table();
        if table.subscribers - table.leaving_subscribers >= SUBSCRIBERS_MAX {
            table.make_way(self.0.number, |account| account.subscribers)?;
        }
        table.subscribers += 1;
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            account.subscribers += 1;
            if account.go.is_some() {
                table.leaving_subscribers += 1;
            }
        }
        Some(Subscriber(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Member { all, number, .. } = &*self.connection.0;
        let mut table = all.table();
        if let Some(account) = table.accounts.get_mut(number) {
            account.open = false;
            let (held, calls, subscribers) = (account.held, account.calls, account.subscribers);
            let going = account.go.is_some();
            if !going {
                // From now on it goes away by itself.
                account.go = Some(Going::AtOnce);
                table.leaving_calls += calls;
                table.leaving_subscribers += subscribers;
                table.leaving += held;
                table.open -= 1;
            }
        }
        table.forget_if_gone(*number);
    }
}

impl Busy {
    /// What is held for it.
    pub(super) fn held(&mut self) -> &mut Charge {
        &mut self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.release(|table, number, now| {
            table.calls -= 1;
            if let Some(account) = table.accounts.get_mut(&number) {
                account.calls -= 1;
                account.active_ms = now;
                if account.go.is_some() {
                    table.leaving_calls -= 1;
                }
            }
        });
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let bytes = self.0.bytes;
        self.0.release(|table, number, now| {
            if let Some(account) = table.accounts.get_mut(&number) {
                account.untaken -= bytes;
                account.active_ms = now;
            }
        });
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let Member { all, number, .. } = &*self.0.0;
        let mut table = all.table();
        table.subscribers -= 1;
        if let Some(account) = table.accounts.get_mut(number) {
            account.subscribers -= 1;
            if account.go.is_some() {
                table.leaving_subscribers -= 1;
            }
        }
        table.forget_if_gone(*number);
    }
}

impl Charge {
    /// Takes more for the same.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = self.connection.charge(bytes)?;
        self.merge(more);
        Ok(())
    }

    /// A part of it, held on its own.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { connection: self.connection.clone(), bytes, at_ms: self.at_ms }
    }

    /// Takes another one over. The time of taking is that of the older one, and the sum stays true.
    pub(super) fn merge(&mut self, mut other: Self) {
        let (newer, bytes) = (other.at_ms.saturating_sub(self.at_ms), std::mem::take(&mut other.bytes));
        let mut table = self.connection.0.all.table();
        if let Some(account) = table.accounts.get_mut(&self.connection.0.number) {
            account.weight = account.weight.saturating_sub(u128::from(newer) * bytes as u128);
        }
        self.bytes += bytes;
    }

    /// Gives it back, and changes what else is known of the connection at the same time.
    fn release(&mut self, also: impl FnOnce(&mut Table, u64, u64)) {
        let Member { all, number, room, .. } = &*self.connection.0;
        let now = all.now_ms();
        let mut table = all.table();
        table.give_back(*number, std::mem::take(&mut self.bytes), self.at_ms);
        also(&mut table, *number, now);
        table.forget_if_gone(*number);
        drop(table);
        room.notify_waiters();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.release(|_, _, _| {});
        }
    }
}

#[cfg(test)]
mod tests;
