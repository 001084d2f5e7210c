//! Sheets that wait, by where they came from: whoever brings many waits behind himself, and nobody else does.

use std::{
    collections::{HashMap, VecDeque},
    sync::mpsc::Receiver,
};

/// Where sheets came from: those of one source are taken in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Source(pub u64);

/// What waits for its turn.
pub(super) trait Waits {
    /// Where it came from.
    fn source(&self) -> Source;
    /// What it costs the writer, in events.
    fn cost(&self) -> usize;
}

/// What a source may take in its turn, in events: a sheet of a usual size.
const TURN: usize = 64;

/// Jobs of several sources, taken in turns: deficit round robin (M. Shreedhar, G. Varghese, SIGCOMM 1995).
pub(super) struct Sources<T> {
    waiting: HashMap<Source, Waiting<T>, foldhash::fast::RandomState>,
    turns: VecDeque<Source>,
}

/// The jobs of one source, and what it may take before the next one has its turn.
struct Waiting<T> {
    jobs: VecDeque<T>,
    credit: usize,
}

impl<T> Default for Sources<T> {
    fn default() -> Self {
        Self { waiting: HashMap::default(), turns: VecDeque::new() }
    }
}

impl<T: Waits> Sources<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Takes in what has come; where nothing waits, the next to come. False where nothing waits and nothing will come. What
    /// waits is bounded by the sequencer's queue.
    pub(super) fn fill(&mut self, inbox: &Receiver<T>) -> bool {
        if self.is_empty() {
            let Ok(first) = inbox.recv() else { return false };
            self.add(first);
        }
        self.fill_at_once(inbox);
        true
    }

    /// Takes in what has come, and waits for nothing.
    pub(super) fn fill_at_once(&mut self, inbox: &Receiver<T>) {
        for job in inbox.try_iter() {
            self.add(job);
        }
    }

    fn add(&mut self, job: T) {
        let source = job.source();
        let waiting = self.waiting.entry(source).or_insert_with(|| {
            self.turns.push_back(source);
            Waiting { jobs: VecDeque::new(), credit: TURN }
        });
        waiting.jobs.push_back(job);
    }

    /// Takes jobs until they cost so much, the last one included; what they cost.
    pub(super) fn take(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
        let mut cost = 0;
        while cost < most
            && let Some(job) = self.next()
        {
            cost += job.cost();
            taken.push(job);
        }
        cost
    }

    fn next(&mut self) -> Option<T> {
        loop {
            let source = *self.turns.front()?;
            let waiting = self.waiting.get_mut(&source)?;
            let costs = waiting.jobs.front()?.cost();
            // Who is alone has all turns.
            if waiting.credit < costs && self.turns.len() > 1 {
                waiting.credit += TURN;
                self.turns.rotate_left(1);
                continue;
            }
            waiting.credit = waiting.credit.saturating_sub(costs);
            let next = waiting.jobs.pop_front();
            if waiting.jobs.is_empty() {
                self.waiting.remove(&source);
                self.turns.pop_front();
            }
            return next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Job {
        source: u64,
        cost: usize,
        number: u64,
    }

    impl Waits for Job {
        fn source(&self) -> Source {
            Source(self.source)
        }

        fn cost(&self) -> usize {
            self.cost
        }
    }

    /// Which source each job was of, in the order in which they are taken.
    fn order(jobs: &[(u64, usize)], most: usize) -> (Vec<u64>, usize) {
        let mut sources = Sources::default();
        for (source, cost) in jobs {
            sources.add(Job { source: *source, cost: *cost, number: 0 });
        }
        let mut taken = Vec::new();
        let cost = sources.take(most, &mut taken);
        (taken.iter().map(|job| job.source).collect(), cost)
    }

    #[test]
    fn who_brings_one_waits_for_one_turn_of_each_other() {
        let mut jobs = vec![(1, 8); 1_000];
        jobs.resize(2_000, (2, 8));
        jobs.push((3, 8));
        let (taken, _) = order(&jobs, usize::MAX);
        assert_eq!(taken.len(), 2_001);
        let before = taken.iter().position(|source| *source == 3);
        assert_eq!(before, Some(2 * TURN / 8));
    }

    #[test]
    fn large_jobs_have_no_larger_part() {
        let mut jobs = vec![(1, 1_000); 100];
        jobs.resize(10_100, (2, 10));
        let (taken, cost) = order(&jobs, 100_000);
        let large = taken.iter().filter(|source| **source == 1).count();
        assert!((48..=52).contains(&large), "{large} of 100,000 in {cost}");
    }

    #[test]
    fn jobs_of_a_source_stay_in_order_and_a_group_ends_with_what_fills_it() {
        let mut sources = Sources::default();
        for number in 0..300_u64 {
            sources.add(Job { source: number % 3, cost: 7, number });
        }
        let mut all = Vec::new();
        while !sources.is_empty() {
            let mut taken = Vec::new();
            let cost = sources.take(70, &mut taken);
            assert_eq!((cost, taken.len()), (70, 10));
            all.extend(taken);
        }
        for source in 0..3 {
            let of_it: Vec<u64> =
                all.iter().map(|job: &Job| job.number).filter(|number| number % 3 == source).collect();
            assert_eq!(of_it, (0..100).map(|number| number * 3 + source).collect::<Vec<_>>());
        }
    }

    #[test]
    fn who_comes_back_has_saved_nothing_up() {
        let mut sources = Sources::default();
        let mut taken = Vec::new();
        for _ in 0..100 {
            sources.add(Job { source: 1, cost: 1, number: 0 });
            sources.take(usize::MAX, &mut taken);
        }
        assert!(sources.is_empty() && sources.waiting.is_empty());
        taken.clear();
        for _ in 0..100 {
            sources.add(Job { source: 1, cost: TURN, number: 0 });
            sources.add(Job { source: 2, cost: TURN, number: 0 });
        }
        sources.take(10 * TURN, &mut taken);
        assert_eq!(taken.iter().filter(|job| job.source == 2).count(), 5);
    }
}
