//! What goes wrong, how often, and what of it happened.

use std::{collections::BTreeMap, io::Error, time::Duration};

use rustix::io::Errno;

/// What is asked of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Open,
    Create,
    Read,
    Write,
    SetLength,
    Sync,
    SyncFolder,
    Rename,
    Remove,
    Append,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::SetLength => "set length",
            Self::Sync => "sync",
            Self::SyncFolder => "sync folder",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Append => "append to the log",
        }
    }

    /// Whether it takes a descriptor.
    const fn opens(self) -> bool {
        matches!(self, Self::Open | Self::Create)
    }

    /// Whether it may need room on the disk.
    const fn grows(self) -> bool {
        matches!(self, Self::Create | Self::Write | Self::SetLength | Self::Append)
    }

    /// How much more often it goes wrong than others: on these all the rest depends, and there are few of them.
    const fn weight(self) -> u64 {
        if matches!(self, Self::Append | Self::Sync | Self::SyncFolder | Self::Rename) { 8 } else { 1 }
    }

    const fn reads(self) -> bool {
        matches!(self, Self::Read)
    }
}

/// What becomes of an operation.
#[derive(Debug)]
pub(super) enum Strike {
    /// It is done.
    Nothing,
    /// It fails, and nothing of it is done.
    Before(Error),
    /// It fails, and all of it is done.
    After(Error),
    /// It fails, and some of it is done.
    Torn(Error),
}

/// How the process ends between two operations, or in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The system keeps what was written.
    Killed,
    /// What was not synced is lost, in whole or in part.
    PowerCut,
}

/// How often things go wrong in a run, in 10,000 operations each.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    fails: u64,
    ends: u64,
    slow: u64,
}

/// What goes wrong, by one seed.
#[derive(Debug)]
pub(super) struct Weather {
    random: fastrand::Rng,
    rates: Rates,
    /// No descriptors, or no memory, just now.
    pub(super) is_short: bool,
    /// No room on the disk just now.
    pub(super) is_full: bool,
    /// How the process has ended: nothing that it asks for is done any more.
    pub(super) ended: Option<End>,
    /// What happened, and how often.
    pub(super) tally: BTreeMap<String, u64>,
}

/// One in which everything goes well.
impl Default for Weather {
    fn default() -> Self {
        let (random, tally) = (fastrand::Rng::with_seed(0), BTreeMap::new());
        Self { random, rates: Rates::default(), is_short: false, is_full: false, ended: None, tally }
    }
}

impl Weather {
    /// One in which whatever can go wrong does, some of it often, some of it never.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rate = |most: u64| if random.bool() { 0 } else { random.u64(0..most) };
        let rates = Rates { fails: rate(250), ends: rate(150), slow: rate(200) };
        Self { random, rates, is_short: false, is_full: false, ended: None, tally: BTreeMap::new() }
    }

    /// From now on everything goes well.
    pub(super) fn calm_down(&mut self) {
        (self.rates, self.is_short, self.is_full) = (Rates::default(), false, false);
    }

    pub(super) fn happened(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    /// What becomes of an operation, and how long it takes.
    pub(super) fn strike(&mut self, operation: Operation) -> (Strike, Duration) {
        if self.ended.is_some() {
            return (Strike::Before(gone()), Duration::ZERO);
        }
        let (Rates { fails, ends, slow }, chance) = (self.rates, self.random.u64(0..10_000) / operation.weight());
        let time = if self.random.u64(0..10_000) < slow && !operation.reads() {
            self.happened(format!("{}: slow", operation.name()));
            Duration::from_millis(self.random.u64(1..5_000))
        } else {
            Duration::ZERO
        };
        let short = self.is_short && operation.opens();
        // Somebody else's file goes, and another one grows.
        let full = self.is_full && operation.grows() && !self.one_in(4);
        let (what, error) = if short {
            ("no descriptor or memory", if self.random.bool() { Errno::MFILE } else { Errno::NOMEM })
        } else if full {
            ("no room", Errno::NOSPC)
        } else if chance < fails {
            ("fails", Errno::IO)
        } else if chance < fails + ends && !operation.reads() {
            let end = if self.random.bool() { End::Killed } else { End::PowerCut };
            self.ended = Some(end);
            (if end == End::Killed { "killed in it" } else { "power cut in it" }, Errno::IO)
        } else {
            return (Strike::Nothing, time);
        };
        let (error, how) = (Error::from(error), if short || operation.reads() { 0 } else { self.random.u64(0..3) });
        let (when, strike) = match how {
            0 => ("before it", Strike::Before(error)),
            1 if !full => ("after it", Strike::After(error)),
            _ if operation == Operation::Write => ("half of it done", Strike::Torn(error)),
            _ => ("before it", Strike::Before(error)),
        };
        self.happened(format!("{}: {what}, {when}", operation.name()));
        (strike, time)
    }

    /// How many of `all` survive, and whether of those that don't any may: the system writes in its own order.
    pub(super) fn survivors(&mut self, all: usize) -> Vec<bool> {
        match self.random.u8(0..4) {
            0 => vec![false; all],
            1 => vec![true; all],
            2 => {
                let kept = self.random.usize(0..=all);
                (0..all).map(|number| number < kept).collect()
            }
            _ => (0..all).map(|_| self.random.bool()).collect(),
        }
    }

    /// Where a write of so many bytes is cut off: at a sector.
    pub(super) fn cut(&mut self, bytes: usize) -> usize {
        const SECTOR: usize = 512;
        let sectors = bytes.div_ceil(SECTOR);
        (self.random.usize(0..=sectors) * SECTOR).min(bytes)
    }

    pub(super) fn one_in(&mut self, number: u64) -> bool {
        self.random.u64(0..number) == 0
    }
}

/// What whoever asks after the end is told; nobody is left who listens.
pub(super) fn gone() -> Error {
    Error::other("the process has ended")
}
