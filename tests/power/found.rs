//! What came of all states, as a table.

use std::collections::{BTreeMap, BTreeSet};

use super::{check::Outcome, disk::Change, fate::Kind, life::Life, tools::Verdict};

/// When the power goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// While a sync is under way, and nothing that it covers counts.
    BeforeSync,
    /// As soon as it has returned.
    AfterSync,
    /// As soon as somebody may have heard something.
    Told,
    /// Anywhere else.
    Between,
}

impl Moment {
    fn name(self) -> &'static str {
        match self {
            Self::BeforeSync => "while a sync was under way",
            Self::AfterSync => "when a sync had just returned",
            Self::Told => "when something had just been told",
            Self::Between => "when something else had just begun or ended",
        }
    }
}

/// Counts of what was recorded and of what came of it.
#[derive(Debug, Default)]
pub struct Found {
    lives: usize,
    changes: usize,
    syncs: usize,
    pub kills: usize,
    told: usize,
    /// The moments of syncs, each of its life, that were looked at.
    pub sync_moments: BTreeSet<(usize, usize)>,
    /// States before which nothing had been told.
    pub untold: usize,
    outcomes: BTreeMap<(Kind, Outcome), usize>,
    moments: BTreeMap<Moment, usize>,
    verdicts: BTreeMap<Verdict, usize>,
    /// States that are wrong, in words.
    pub faults: Vec<String>,
}

impl Found {
    /// Nothing yet, of these lives.
    pub fn of(lives: &[Life]) -> Self {
        let mut found = Self { lives: lives.len(), ..Self::default() };
        for life in lives {
            let syncs = life.disk.steps.iter().filter(|step| matches!(step.change, Change::Sync(_))).count();
            found.changes += life.disk.steps.len() - syncs;
            found.syncs += syncs;
            found.kills += life.kills;
            found.told += life.told.iter().filter(|(line, _)| *line > 0).count();
        }
        found
    }

    /// Counts a state that is as it has to be.
    pub fn add(&mut self, (kind, moment, outcome): (Kind, Moment, Outcome), verdict: Option<Verdict>) {
        *self.outcomes.entry((kind, outcome)).or_default() += 1;
        *self.moments.entry(moment).or_default() += 1;
        if let Some(verdict) = verdict {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
    }

    /// How many states are as they have to be.
    pub fn sound(&self) -> usize {
        self.outcomes.values().sum()
    }

    /// All of it, as Markdown.
    pub fn table(&self) -> String {
        let Self { lives, changes, syncs, kills, told, untold, .. } = self;
        let moments = self.sync_moments.len();
        let mut lines = vec![
            format!(
                "{lives} lives: {changes} changes, {syncs} syncs, {kills} kills, {told} things told; {moments} of the {} \
                 moments of syncs looked at",
                2 * syncs
            ),
            String::new(),
            "| what is there of what wasn't synced | states | opened | begun anew |".to_owned(),
            "|---|---|---|---|".to_owned(),
        ];
        let row = |name: &str, is_of: &dyn Fn(Kind) -> bool| {
            let [opened, begun] = [Outcome::Opened, Outcome::Begun].map(|outcome| -> usize {
                let states = self.outcomes.iter().filter(|((kind, found), _)| is_of(*kind) && *found == outcome);
                states.map(|(_, states)| states).sum()
            });
            format!("| {name} | {} | {opened} | {begun} |", opened + begun)
        };
        lines.extend(Kind::ALL.iter().map(|kind| row(kind.name(), &|other| other == *kind)));
        lines.extend([row("**all**", &|_| true), String::new()]);
        lines.extend(self.moments.iter().map(|(moment, states)| format!("{states} {}", moment.name())));
        lines.push(format!("{untold} before anybody had been told anything"));
        let read = |(verdict, states): (&Verdict, &usize)| {
            format!("{states} also read by fsck, audit, export and restore: {}", verdict.name())
        };
        lines.extend(self.verdicts.iter().map(read));
        lines.push(format!("{} wrong", self.faults.len()));
        lines.extend_from_slice(&self.faults);
        lines.join("\n")
    }
}
