//! What a power cut may make of what isn't synced.

use fastrand::Rng;

use super::disk::Fate;

/// Kinds of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All of it is there.
    AllKept,
    /// None of it is.
    AllLost,
    /// Bytes and lengths are there, names are not.
    NamesLost,
    /// Names are there, bytes and lengths are not.
    OnlyNames,
    /// Names and lengths are there, zeros instead of bytes.
    Zeros,
    /// All of it up to some moment, and nothing of what came after.
    InOrder,
    /// Any of it, each write whole or not at all.
    AnySubset,
    /// Any sectors of 512 bytes of it.
    Torn512,
    /// Any pages of 4,096 bytes of it.
    Torn4096,
    /// All of it but for some sectors of 512 bytes of what was written last.
    LastTorn512,
    /// All of it but for some pages of 4,096 bytes of what was written last.
    LastTorn4096,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::AllKept,
        Self::AllLost,
        Self::NamesLost,
        Self::OnlyNames,
        Self::Zeros,
        Self::InOrder,
        Self::AnySubset,
        Self::Torn512,
        Self::Torn4096,
        Self::LastTorn512,
        Self::LastTorn4096,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllKept => "all kept",
            Self::AllLost => "all lost",
            Self::NamesLost => "bytes kept, names lost",
            Self::OnlyNames => "names kept, bytes lost",
            Self::Zeros => "names and lengths kept, zeros",
            Self::InOrder => "kept up to a moment",
            Self::AnySubset => "any subset of writes and names",
            Self::Torn512 => "torn at 512 bytes",
            Self::Torn4096 => "torn at 4,096 bytes",
            Self::LastTorn512 => "the last torn at 512 bytes",
            Self::LastTorn4096 => "the last torn at 4,096 bytes",
        }
    }
}

/// One such fate, of a seed.
#[derive(Debug)]
pub struct Chance {
    kind: Kind,
    rng: Rng,
    /// Of 8 things so many are kept.
    kept_of_8: u8,
    /// The first step that isn't kept where they are kept in order; the one that is torn where only one is.
    limit: usize,
    /// Whether this step was kept, where it is kept whole or not at all.
    whole: (usize, bool),
}

impl Chance {
    /// `pending`: the numbers of the steps that aren't synced.
    pub fn new(kind: Kind, pending: &[usize], mut rng: Rng) -> Self {
        let kept_of_8 = [1, 4, 7][rng.usize(0..3)];
        let limit = match kind {
            Kind::InOrder => pending.get(rng.usize(0..=pending.len())).copied().unwrap_or(usize::MAX),
            Kind::AllKept
            | Kind::AllLost
            | Kind::NamesLost
            | Kind::OnlyNames
            | Kind::Zeros
            | Kind::AnySubset
            | Kind::Torn512
            | Kind::Torn4096
            | Kind::LastTorn512
            | Kind::LastTorn4096 => pending.last().copied().unwrap_or(usize::MAX),
        };
        Self { kind, rng, kept_of_8, limit, whole: (usize::MAX, false) }
    }

    fn by_chance(&mut self) -> bool {
        self.rng.u8(0..8) < self.kept_of_8
    }

    fn whole(&mut self, step: usize) -> bool {
        if self.whole.0 != step {
            self.whole = (step, self.by_chance());
        }
        self.whole.1
    }
}

impl Fate for Chance {
    fn sector(&self) -> usize {
        if matches!(self.kind, Kind::Torn4096 | Kind::LastTorn4096) { 4_096 } else { 512 }
    }

    fn keeps_sector(&mut self, step: usize, _sector: usize) -> bool {
        match self.kind {
            Kind::AllKept | Kind::NamesLost => true,
            Kind::AllLost | Kind::OnlyNames | Kind::Zeros => false,
            Kind::InOrder => step < self.limit,
            Kind::AnySubset => self.whole(step),
            Kind::Torn512 | Kind::Torn4096 => self.by_chance(),
            Kind::LastTorn512 | Kind::LastTorn4096 => step < self.limit || self.by_chance(),
        }
    }

    fn keeps_length(&mut self, step: usize) -> bool {
        self.kind == Kind::Zeros || self.keeps_sector(step, 0)
    }

    fn keeps_names(&mut self, step: usize) -> bool {
        match self.kind {
            Kind::AllKept | Kind::OnlyNames | Kind::Zeros => true,
            Kind::AllLost | Kind::NamesLost => false,
            Kind::InOrder => step < self.limit,
            Kind::AnySubset | Kind::Torn512 | Kind::Torn4096 => self.by_chance(),
            Kind::LastTorn512 | Kind::LastTorn4096 => step < self.limit || self.by_chance(),
        }
    }
}
