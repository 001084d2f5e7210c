//! What is known of connections, and who of them goes where room is short.

use std::collections::HashMap;

use tokio::sync::watch;

use crate::server::limits::{CONNECTION_BYTES_MAX, EDGE_BYTES_MAX, LITTLE_BYTES};

/// For how long a byte counts as held that is taken this moment.
const AT_ONCE_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) next: u64,
    pub(super) accounts: HashMap<u64, Account, foldhash::fast::RandomState>,
    /// Those that are open, without those that were told to go.
    pub(super) open: usize,
    /// Subscriptions and calls under way, and those of them of connections that were told to go.
    pub(super) subscribers: usize,
    pub(super) leaving_subscribers: usize,
    pub(super) calls: usize,
    pub(super) leaving_calls: usize,
    /// Bytes held by all.
    pub(super) held: usize,
    /// Bytes of these by connections that were told to go.
    pub(super) leaving: usize,
    /// Whether connections were told to go since it was last asked.
    pub(super) have_sent_away: bool,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Account {
    /// When it came, and when it last began or ended a call.
    pub(super) active_ms: u64,
    /// Whether it ever asked anything.
    pub(super) asked: bool,
    pub(super) open: bool,
    pub(super) calls: usize,
    pub(super) subscribers: usize,
    /// Bytes of answers that are on their way.
    pub(super) untaken: usize,
    pub(super) held: usize,
    /// The sum of each held byte's time of taking: `now x held - weight` is how long all of them were held.
    pub(super) weight: u128,
    pub(super) go: Option<Going>,
    pub(super) told: watch::Sender<Option<Going>>,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Going {
    /// Its place is needed, and it does nothing: it is told, so that its next request goes to another one.
    Quietly,
    /// What it holds is needed.
    AtOnce,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum NoRoom {
    /// The connection is gone, or told to go: there will never be any.
    Gone,
    /// The connection has its share already.
    Connection,
    /// All connections together have what there is, and none has so much more than this one that it goes for it.
    Service,
}

impl Account {
    fn is_gone(&self) -> bool {
        !self.open && self.held == 0 && self.calls == 0 && self.subscribers == 0
    }

    /// What it does, from the least up.
    fn standing(&self) -> u8 {
        match (self.asked, self.calls) {
            (false, _) => 0,
            (true, 0) => 1,
            (true, _) => 2,
        }
    }

    /// Whoever does nothing may be about to ask, and is told; whoever never asked, or has waited longest of all, is not.
    fn farewell(&self) -> Going {
        if self.standing() == 1 { Going::Quietly } else { Going::AtOnce }
    }

    /// How long all its bytes together were held, in byte x ms. A second more counts for each: whoever took most of it this
    /// very moment stands in the way more than whoever holds little for some time.
    fn stood_in_the_way(&self, now_ms: u64) -> u128 {
        (u128::from(now_ms.saturating_add(AT_ONCE_MS)) * self.held as u128).saturating_sub(self.weight)
    }
}

impl Table {
    /// The connection goes that does least.
    pub(super) fn make_place(&mut self) {
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
            self.leaving_calls += account.calls;
            self.leaving_subscribers += account.subscribers;
            self.open -= usize::from(account.open);
            self.have_sent_away = true;
        }
        account.go = Some(how);
        account.told.send_replace(Some(how));
    }

    /// The connection goes that has most of something, if that is at least twice what this one would have: those who have
    /// about the same would send each other away for ever.
    pub(super) fn make_way(&mut self, number: u64, of: impl Fn(&Account) -> usize) -> Option<()> {
        let own = self.accounts.get(&number).map_or(0, &of) + 1;
        let candidates = self.accounts.iter().filter(|(_, account)| account.go.is_none());
        let most = candidates.max_by_key(|(_, account)| of(account)).map(|(number, account)| (*number, of(account)));
        let (most, _) = most.filter(|(_, most)| *most >= 2 * own)?;
        self.send_away(most, Going::AtOnce);
        Some(())
    }

    /// Holds so many bytes for a connection, or says why not.
    pub(super) fn hold(&mut self, number: u64, bytes: usize, now_ms: u64) -> Result<(), NoRoom> {
        let account = self.accounts.get(&number).filter(|account| account.go != Some(Going::AtOnce));
        if account.ok_or(NoRoom::Gone)?.held + bytes > CONNECTION_BYTES_MAX {
            return Err(NoRoom::Connection);
        }
        self.make_room(number, bytes, now_ms)?;
        self.held += bytes;
        if let Some(account) = self.accounts.get_mut(&number) {
            account.held += bytes;
            account.weight += u128::from(now_ms) * bytes as u128;
            if account.go.is_some() {
                self.leaving += bytes;
            }
        }
        Ok(())
    }

    /// Whether a connection leaves as much to others as it holds, with so many bytes more. One that was told to go does.
    pub(super) fn leaves_as_much(&self, number: u64, bytes: usize) -> bool {
        let account = self.accounts.get(&number).filter(|account| account.go != Some(Going::AtOnce));
        let left = EDGE_BYTES_MAX.saturating_sub(self.held - self.leaving + bytes);
        account.is_none_or(|account| account.held + bytes <= left)
    }

    /// Gives bytes back that were held since some time.
    pub(super) fn give_back(&mut self, number: u64, bytes: usize, since_ms: u64) {
        self.held -= bytes;
        if let Some(account) = self.accounts.get_mut(&number) {
            account.held -= bytes;
            account.weight = account.weight.saturating_sub(u128::from(since_ms) * bytes as u128);
            if account.go.is_some() {
                self.leaving -= bytes;
            }
        }
    }

    /// Makes room for so many bytes of a connection, at the cost of whoever stood in the way longest, if that is more than
    /// twice as long as this one would.
    fn make_room(&mut self, number: u64, bytes: usize, now_ms: u64) -> Result<(), NoRoom> {
        let own = self.accounts.get(&number).map_or(0, |account| account.stood_in_the_way(now_ms));
        let own = own + bytes as u128 * u128::from(AT_ONCE_MS);
        while self.held - self.leaving + bytes > EDGE_BYTES_MAX {
            let candidates = self.accounts.iter().filter(|(_, account)| account.go.is_none());
            let stood = candidates.map(|(number, account)| (account.stood_in_the_way(now_ms), *number));
            let (_, longest) = stood.max().filter(|(stood, _)| *stood > 2 * own).ok_or(NoRoom::Service)?;
            self.send_away(longest, Going::AtOnce);
        }
        // What those who were told to go still hold is gone in a moment. Meanwhile some is lent, the more the less somebody
        // holds: whoever takes large answers would have lent it all before it is there again.
        let own = self.accounts.get(&number).map_or(0, |account| account.held) + bytes;
        let lent = CONNECTION_BYTES_MAX / LITTLE_BYTES * LITTLE_BYTES.saturating_sub(own);
        if self.held + bytes > EDGE_BYTES_MAX + lent { Err(NoRoom::Service) } else { Ok(()) }
    }

    /// Nothing is kept of a connection that is gone with all that it held.
    pub(super) fn forget_if_gone(&mut self, number: u64) {
        if self.accounts.get(&number).is_some_and(Account::is_gone) {
            self.accounts.remove(&number);
        }
    }
}
