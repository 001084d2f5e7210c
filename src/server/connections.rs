//! Who is connected, and the one budget for everything that they make the process hold.
//!
//! A stranger who reaches the port decides how many connections there are, how much they send before it can be refused, and
//! when they take what they are answered. So all of that is counted in one place: each connection has a share of the
//! budget, and when the budget or the places run short, it is the connection that stood in the way longest that goes, not
//! the one that comes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use super::limits::{CLOSING_MAX, CONNECTION_BYTES_MAX, CONNECTIONS_MIN, EDGE_BYTES_MAX, SUBSCRIBERS_MAX};

/// How long somebody who is over the budget's end waits before the next look, where nothing says when there is room.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All connections of a service. Copies share them.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    /// Most connections that are kept.
    most: usize,
    /// Descriptors for them, with some for those that are on their way out.
    places: Arc<Semaphore>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    accounts: HashMap<u64, Account, foldhash::fast::RandomState>,
    /// Those that are open, without those that were told to go.
    open: usize,
    subscribers: usize,
    /// Bytes held by all.
    held: usize,
    /// Bytes of these by connections that were told to go.
    leaving: usize,
    /// Connections told to go since it was last asked.
    sent_away: u64,
}

/// What is known of one connection.
#[derive(Debug)]
struct Account {
    /// When it came, and when it last began or ended a call.
    active_ms: u64,
    /// Whether it ever asked anything.
    asked: bool,
    open: bool,
    calls: usize,
    subscribers: usize,
    /// Bytes of answers that are on their way.
    untaken: usize,
    held: usize,
    /// The sum of each held byte's time of taking: `now x held - weight` is how long all of them were held.
    weight: u128,
    go: Option<Going>,
    told: Arc<watch::Sender<Option<Going>>>,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    /// Its place is needed, and it does nothing: it is told, so that its next request goes to another one.
    Quietly,
    /// What it holds is needed.
    AtOnce,
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
}

/// An open connection: its place is given back when this goes.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) connection: Connection,
    pub(super) told: watch::Receiver<Option<Going>>,
    _descriptor: OwnedSemaphorePermit,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The connection has its share already.
    Connection,
    /// All connections together have what there is, and this one has most of it.
    Service,
}

/// Bytes that are held for a connection, given back when this goes.
#[derive(Debug)]
pub(super) struct Charge {
    connection: Connection,
    bytes: usize,
    at_ms: u64,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Busy(Connection);

/// A subscription under way.
#[derive(Debug)]
pub(super) struct Subscriber(Connection);

impl Connections {
    /// A table for at most so many connections.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            started: Instant::now(),
            most: most.max(CONNECTIONS_MIN),
            places: Arc::new(Semaphore::new(most.max(CONNECTIONS_MIN) + CLOSING_MAX)),
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
            told: Arc::new(told),
        };
        table.accounts.insert(number, account);
        let connection = Connection(Arc::new(Member { all: self.clone(), number, room: Notify::new() }));
        Place { connection, told: hear, _descriptor: descriptor }
    }

    /// Makes a place where descriptors are short all the same.
    pub(super) fn make_place(&self) {
        self.table().make_place();
    }

    /// How many were told to go since this was last asked.
    pub(super) fn sent_away(&self) -> u64 {
        std::mem::take(&mut self.table().sent_away)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// What it does, from the least up.
    fn standing(&self) -> u8 {
        match (self.asked, self.calls) {
            (false, _) => 0,
            (true, 0) => 1,
            (true, _) => 2,
        }
    }

    /// Whoever never asked has no request that could get lost.
    fn farewell(&self) -> Going {
        if self.standing() == 1 { Going::Quietly } else { Going::AtOnce }
    }

    /// How long all its bytes together were held, in byte x ms.
    fn stood_in_the_way(&self, now_ms: u64) -> u128 {
        (u128::from(now_ms) * self.held as u128).saturating_sub(self.weight)
    }
}

impl Table {
    /// The connection goes that does least.
    fn make_place(&mut self) {
        let candidates = self.accounts.iter().filter(|(_, account)| account.open && account.go.is_none());
        let least = candidates.min_by_key(|(_, account)| (account.standing(), account.active_ms));
        if let Some((number, how)) = least.map(|(number, account)| (*number, account.farewell())) {
            self.send_away(number, how);
        }
    }

    fn send_away(&mut self, number: u64, how: Going) {
        let Some(account) = self.accounts.get_mut(&number) else { return };
        if account.go.is_none() {
            self.leaving += account.held;
            self.open -= usize::from(account.open);
            self.sent_away += 1;
        }
        account.go = Some(how);
        account.told.send_replace(Some(how));
    }

    /// Makes room for so many bytes of a connection, at the cost of whoever stood in the way longest.
    fn make_room(&mut self, number: u64, bytes: usize, now_ms: u64) -> Result<(), NoRoom> {
        while self.held - self.leaving + bytes > EDGE_BYTES_MAX {
            let candidates = self.accounts.iter().filter(|(_, account)| account.go.is_none() && account.held > 0);
            let longest = candidates.max_by_key(|(_, account)| (account.stood_in_the_way(now_ms), account.held));
            match longest.map(|(longest, _)| *longest) {
                Some(longest) if longest != number => self.send_away(longest, Going::AtOnce),
                Some(_) | None => return Err(NoRoom::Service),
            }
        }
        // What those who were told to go still hold is gone in a moment; so much of it and no more is lent meanwhile.
        if self.held + bytes > EDGE_BYTES_MAX + CONNECTION_BYTES_MAX { Err(NoRoom::Service) } else { Ok(()) }
    }

    /// Nothing is kept of a connection that is gone with all that it held.
    fn forget_if_gone(&mut self, number: u64) {
        if self.accounts.get(&number).is_some_and(|account| !account.open && account.held == 0) {
            self.accounts.remove(&number);
        }
    }
}

impl Connection {
    /// It asked something.
    pub(super) fn begin(&self) -> Busy {
        self.update(|account| {
            account.asked = true;
            account.calls += 1;
        });
        Busy(self.clone())
    }

    /// So many bytes of its answers are on their way.
    pub(super) fn sends(&self, bytes: usize) {
        self.update(|account| account.untaken += bytes);
    }

    /// It took so many of them.
    pub(super) fn took(&self, bytes: usize) {
        self.update(|account| account.untaken -= bytes);
    }

    /// Changes what is known of it. It does something, so it isn't the next one to go.
    fn update(&self, change: impl FnOnce(&mut Account)) {
        let now = self.0.all.now_ms();
        if let Some(account) = self.0.all.table().accounts.get_mut(&self.0.number) {
            change(account);
            account.active_ms = now;
        }
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
        let mut table = self.0.all.table();
        let account = table.accounts.get(&self.0.number).ok_or(NoRoom::Connection)?;
        if account.held + bytes > CONNECTION_BYTES_MAX || account.go == Some(Going::AtOnce) {
            return Err(NoRoom::Connection);
        }
        table.make_room(self.0.number, bytes, at_ms)?;
        table.held += bytes;
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            account.held += bytes;
            account.weight += u128::from(at_ms) * bytes as u128;
            if account.go.is_some() {
                table.leaving += bytes;
            }
        }
        Ok(Charge { connection: self.clone(), bytes, at_ms })
    }

    /// Holds so many bytes for it, once there is room.
    pub(super) async fn room(&self, bytes: usize) -> Charge {
        // More than a share would wait for ever.
        let bytes = bytes.min(CONNECTION_BYTES_MAX);
        loop {
            let room = self.0.room.notified();
            match self.charge(bytes) {
                Ok(charge) => return charge,
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
        if table.subscribers >= SUBSCRIBERS_MAX {
            let own = table.accounts.get(&self.0.number).map_or(0, |account| account.subscribers);
            let candidates = table.accounts.iter().filter(|(_, account)| account.go.is_none());
            let most = candidates.max_by_key(|(_, account)| account.subscribers);
            match most.map(|(number, account)| (*number, account.subscribers)) {
                Some((number, most)) if most > own + 1 => table.send_away(number, Going::AtOnce),
                Some(_) | None => return None,
            }
        }
        table.subscribers += 1;
        if let Some(account) = table.accounts.get_mut(&self.0.number) {
            account.subscribers += 1;
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
            let (held, going) = (account.held, account.go.is_some());
            if !going {
                // From now on it goes away by itself.
                account.go = Some(Going::AtOnce);
                table.leaving += held;
                table.open -= 1;
            }
        }
        table.forget_if_gone(*number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.update(|account| account.calls -= 1);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let Member { all, number, .. } = &*self.0.0;
        let mut table = all.table();
        table.subscribers -= 1;
        if let Some(account) = table.accounts.get_mut(number) {
            account.subscribers -= 1;
        }
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
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let Member { all, number, room } = &*self.connection.0;
        let mut table = all.table();
        table.held -= self.bytes;
        if let Some(account) = table.accounts.get_mut(number) {
            account.held -= self.bytes;
            account.weight = account.weight.saturating_sub(u128::from(self.at_ms) * self.bytes as u128);
            if account.go.is_some() {
                table.leaving -= self.bytes;
            }
        }
        table.forget_if_gone(*number);
        drop(table);
        room.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
