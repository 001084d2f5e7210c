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
/// What a group of one source costs, in events: two batches of the smallest sheets, one for each core of a small machine
/// (512 x 9), and 6 ms for whoever comes next.
const GROUP_COST_MAX: usize = 4_608;
/// The same while several sources wait: each waits for the group under way and for its own.
const SHARED_GROUP_COST_MAX: usize = 1_024;

/// Jobs of several sources, taken in turns: deficit round robin (M. Shreedhar, G. Varghese, SIGCOMM 1995). Who had nothing
/// waiting has the first turn before all others, as in FQ-CoDel (RFC 8290, 4.2).
pub(super) struct Sources<T> {
    waiting: HashMap<Source, Waiting<T>, foldhash::fast::RandomState>,
    /// Those that had no turn yet since they had nothing.
    fresh: VecDeque<Source>,
    turns: VecDeque<Source>,
    /// Whether the group before was only of those who brought few.
    were_few: bool,
}

/// The jobs of one source, and what it may take before the next one has its turn.
struct Waiting<T> {
    jobs: VecDeque<T>,
    credit: usize,
}

impl<T> Default for Sources<T> {
    fn default() -> Self {
        Self { waiting: HashMap::default(), fresh: VecDeque::new(), turns: VecDeque::new(), were_few: false }
    }
}

impl<T: Waits> Sources<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what is worked off together, and says how much more it might cost. While many jobs wait, every other group is
    /// only of those who brought few, and half of the others at least is for those who brought many: those who bring one,
    /// and the next as soon as it is answered, would fill all groups where there are enough of them.
    pub(super) fn take_group(&mut self, taken: &mut Vec<T>) -> usize {
        let most = if self.waiting.len() > 1 { SHARED_GROUP_COST_MAX } else { GROUP_COST_MAX };
        let many_wait = !self.turns.is_empty();
        let mut cost = self.take_fresh(if self.were_few { most / 2 } else { most }, taken);
        self.were_few = many_wait && !self.were_few && !taken.is_empty();
        if !self.were_few {
            cost += self.take_turns(most.saturating_sub(cost), taken);
            cost += self.take(most.saturating_sub(cost), taken);
        }
        most.saturating_sub(cost)
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
            self.fresh.push_back(source);
            Waiting { jobs: VecDeque::new(), credit: TURN }
        });
        waiting.jobs.push_back(job);
    }

    /// Takes the first turns of those that had nothing waiting, until they cost so much; what they cost.
    fn take_fresh(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
        let mut cost = 0;
        while cost < most
            && let Some(source) = self.fresh.pop_front()
        {
            let Some(waiting) = self.waiting.get_mut(&source) else { continue };
            while cost < most
                && waiting.jobs.front().is_some_and(|job| job.cost() <= waiting.credit)
                && let Some(job) = waiting.jobs.pop_front()
            {
                waiting.credit -= job.cost();
                cost += job.cost();
                taken.push(job);
            }
            if waiting.jobs.is_empty() {
                self.waiting.remove(&source);
            } else if cost < most {
                self.turns.push_back(source);
            } else {
                self.fresh.push_front(source);
            }
        }
        cost
    }

    /// Takes jobs until they cost so much, the last one included; what they cost.
    pub(super) fn take(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
        let cost = self.take_fresh(most, taken);
        cost + self.take_turns(most.saturating_sub(cost), taken)
    }

    /// The same of those that had their first turn.
    fn take_turns(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
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
    fn who_brings_one_is_before_all_who_bring_many() {
        let mut sources = Sources::default();
        let job = |source| Job { source, cost: 8, number: 0 };
        (0..2_000).for_each(|number| sources.add(job(number % 2)));
        let mut taken = Vec::new();
        assert_eq!(sources.take_fresh(usize::MAX, &mut taken), 2 * TURN, "one turn of each");
        taken.clear();
        sources.add(job(2));
        assert_eq!(sources.take_fresh(usize::MAX, &mut taken), 8);
        assert_eq!(taken[0].source, 2);
        assert_eq!(sources.take_fresh(usize::MAX, &mut taken), 0);
        taken.clear();
        // Who had a turn and still has jobs waits for one turn of each other.
        (0..20).for_each(|_| sources.add(job(3)));
        sources.take(usize::MAX, &mut taken);
        let places: Vec<usize> = (0..taken.len()).filter(|place| taken[*place].source == 3).collect();
        assert_eq!(places[..9], [0, 1, 2, 3, 4, 5, 6, 7, 8 + 2 * TURN / 8]);
    }

    #[test]
    fn a_large_job_has_no_first_turn() {
        let mut sources = Sources::default();
        sources.add(Job { source: 1, cost: TURN + 1, number: 0 });
        let mut taken = Vec::new();
        assert_eq!(sources.take_fresh(usize::MAX, &mut taken), 0);
        assert_eq!(sources.take(1, &mut taken), TURN + 1);
        assert!(sources.is_empty());
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

    /// What the next group costs, and how many of its jobs are of a source.
    fn next_group(sources: &mut Sources<Job>, source: u64) -> (usize, usize) {
        let mut taken = Vec::new();
        sources.take_group(&mut taken);
        (taken.iter().map(Waits::cost).sum(), taken.iter().filter(|job| job.source == source).count())
    }

    #[test]
    fn a_group_is_smaller_while_somebody_else_waits_and_every_other_one_is_only_of_him() {
        let mut sources = Sources::default();
        let job = |source| Job { source, cost: 8, number: 0 };
        (0..3_000).for_each(|_| sources.add(job(1)));
        assert_eq!(next_group(&mut sources, 2), (GROUP_COST_MAX, 0));
        let (few, many) = (8, SHARED_GROUP_COST_MAX);
        for costs in [few, many, few, many] {
            sources.add(job(2));
            assert_eq!(next_group(&mut sources, 2), (costs, 1));
        }
        assert_eq!(next_group(&mut sources, 2), (GROUP_COST_MAX, 0));
    }

    #[test]
    fn however_many_bring_one_after_another_those_who_bring_more_go_on() {
        let mut sources = Sources::default();
        (0..10).for_each(|_| sources.add(Job { source: 0, cost: 200, number: 0 }));
        let mut one_after_another: Vec<u64> = (1..=200).collect();
        let mut groups = 0;
        while sources.waiting.contains_key(&Source(0)) {
            one_after_another.drain(..).for_each(|source| sources.add(Job { source, cost: 9, number: 0 }));
            let mut taken = Vec::new();
            sources.take_group(&mut taken);
            one_after_another.extend(taken.iter().map(|job| job.source).filter(|source| *source > 0));
            groups += 1;
            assert!(groups < 20, "{} of them wait still", sources.waiting[&Source(0)].jobs.len());
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
