#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::*;

/// What a task takes at a time.
const WORK: Duration = PASS.checked_div(5).unwrap();
/// Work of a flow that never rests is this many tasks.
const CROWD: usize = 100;

/// A thread whose time passes only as tasks work.
#[derive(Clone, Default)]
struct Bench(Arc<AtomicU64>);

impl Bench {
    fn fair(&self) -> Fair {
        let time = self.clone();
        Fair::in_time(move || time.now())
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn work(&self, took: Duration) {
        self.0.fetch_add(u64::try_from(took.as_nanos()).unwrap(), Ordering::Relaxed);
    }

    /// Tasks of one connection that always have more to do; how often they have worked.
    fn crowd(&self, flow: &Member, tasks: usize) -> Arc<AtomicU64> {
        let worked = Arc::new(AtomicU64::new(0));
        for _ in 0..tasks {
            let (time, worked) = (self.clone(), Arc::clone(&worked));
            tokio::spawn(flow.clone().in_turn(async move {
                loop {
                    time.work(WORK);
                    worked.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }));
        }
        worked
    }

    /// Lets others work until it is so late.
    async fn until(&self, late: Duration) {
        while self.now() < late {
            tokio::task::yield_now().await;
        }
    }
}

/// A thread, and its flows, which are called.
fn driven() -> (Bench, Fair) {
    let bench = Bench::default();
    let fair = bench.fair();
    tokio::spawn(fair.clone().drive());
    (bench, fair)
}

fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn whoever_asks_little_waits_for_no_more_than_a_pass() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let crowds: Vec<_> = (0..4).map(|_| bench.crowd(&fair.join(), CROWD)).collect();
        let (ask, mut asked) = mpsc::channel::<Duration>(1);
        let (answer, mut answered) = mpsc::channel(1);
        let time = bench.clone();
        tokio::spawn(fair.join().in_turn(async move {
            while let Some(at) = asked.recv().await {
                let waited = time.now().saturating_sub(at);
                time.work(WORK);
                answer.send(waited).await.unwrap();
            }
        }));
        for call in 1..=100 {
            bench.until(200 * WORK * call).await;
            ask.send(bench.now()).await.unwrap();
            let waited = answered.recv().await.unwrap();
            assert!(waited <= PASS + 2 * WORK, "call {call} waited {waited:?}");
        }
        assert!(crowds.iter().all(|worked| worked.load(Ordering::Relaxed) > 0));
    });
}

#[test]
fn flows_have_equal_parts_whatever_they_bring() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let flows: Vec<Member> = (0..4).map(|_| fair.join()).collect();
        bench.work(NEW_FOR);
        // The first one has been at it for long, and is not behind those who come now, nor before them.
        let old = bench.crowd(&flows[0], 10);
        let begun = NEW_FOR + 10_000 * WORK;
        bench.until(begun).await;
        let before = old.load(Ordering::Relaxed);
        let new = [(1, 20), (2, 40), (3, CROWD)].map(|(flow, tasks)| bench.crowd(&flows[flow], tasks));
        bench.until(begun + 10_000 * WORK).await;
        let parts: Vec<u64> = std::iter::once(old.load(Ordering::Relaxed) - before)
            .chain(new.iter().map(|worked| worked.load(Ordering::Relaxed)))
            .collect();
        for part in &parts {
            assert!((2_300..2_700).contains(part), "{parts:?}");
        }
    });
}

#[test]
fn whoever_is_new_has_a_smaller_part_until_he_is_not() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let flow = fair.join();
        bench.work(NEW_FOR);
        let old = bench.crowd(&flow, 10);
        let new = bench.crowd(&fair.join(), CROWD);
        let parts = || [&old, &new].map(|worked| worked.load(Ordering::Relaxed));
        bench.until(NEW_FOR * 2).await;
        let [old_part, new_part] = parts();
        let expected = new_part * u64::from(NEW_COSTS);
        assert!(old_part.abs_diff(expected) < expected / 8, "{old_part} to {new_part}");
        bench.until(NEW_FOR * 3).await;
        let after = parts();
        let (old_part, new_part) = (after[0] - old_part, after[1] - new_part);
        assert!(old_part.abs_diff(new_part) < old_part / 10, "{old_part} to {new_part}");
    });
}

#[test]
fn a_turn_in_which_the_processor_was_elsewhere_is_not_paid_for_long() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let other = bench.crowd(&fair.join(), CROWD);
        let flow = fair.join();
        let time = bench.clone();
        tokio::spawn(flow.clone().in_turn(async move { time.work(10_000 * WORK) }));
        let own = bench.crowd(&flow, CROWD);
        bench.until(12_000 * WORK).await;
        let parts = [own, other].map(|worked| worked.load(Ordering::Relaxed));
        assert!(parts[0] > 700, "{parts:?}: what it was charged is {TASK_MAX:?}");
    });
}

#[test]
fn a_task_that_ends_while_it_waits_holds_nobody_up() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let _crowd = bench.crowd(&fair.join(), CROWD);
        let flow = fair.join();
        let worked = bench.crowd(&flow, 10);
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let time = bench.clone();
            waiting.spawn(flow.clone().in_turn(async move {
                time.work(WORK * 100);
                std::future::pending::<()>().await;
            }));
        }
        drop(flow);
        bench.until(20 * WORK).await;
        drop(waiting);
        let before = worked.load(Ordering::Relaxed);
        bench.until(10_000 * WORK).await;
        assert!(worked.load(Ordering::Relaxed) > before + 4_000);
    });
}

#[test]
fn a_flow_is_forgotten_with_its_last_task() {
    on_one_thread(async {
        let bench = Bench::default();
        let fair = bench.fair();
        let driver = tokio::spawn(fair.clone().drive());
        for _ in 0..10 {
            let time = bench.clone();
            tokio::spawn(fair.join().in_turn(async move {
                for _ in 0..100 {
                    time.work(WORK);
                    tokio::task::yield_now().await;
                }
            }));
        }
        bench.until(WORK * 1_000).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let flows = fair.flows();
        assert_eq!((flows.all.len(), flows.waiting), (0, 0));
        drop(flows);
        driver.abort();
    });
}

#[test]
fn whoever_is_new_has_no_credit() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let (old, crowd) = (fair.join(), fair.join());
        bench.work(NEW_FOR);
        let _crowd = bench.crowd(&crowd, CROWD);
        // They rest, and others are far ahead of them.
        let begin = Arc::new(tokio::sync::Notify::new());
        let new: Vec<Member> = (0..50).map(|_| fair.join()).collect();
        for flow in &new {
            let (time, begin) = (bench.clone(), Arc::clone(&begin));
            tokio::spawn(flow.clone().in_turn(async move {
                loop {
                    begin.notified().await;
                    time.work(10 * WORK);
                }
            }));
        }
        bench.until(NEW_FOR + 4 * CREDIT).await;
        let (tell, mut told) = mpsc::channel(1);
        let time = bench.clone();
        tokio::spawn(old.in_turn(async move {
            // It asked something a moment ago, so it has a little less credit than there may be.
            time.work(5 * WORK);
            let asked = time.now();
            begin.notify_waiters();
            once_around().await;
            tell.send(time.now().saturating_sub(asked)).await.unwrap();
        }));
        let waited = told.recv().await.unwrap();
        assert!(waited <= PASS + CREDIT_PASS + 12 * WORK, "it waited {waited:?}");
    });
}

#[test]
fn tasks_whose_connection_is_gone_end_early_and_do_no_more() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let busy = fair.join();
        bench.work(NEW_FOR);
        let others = bench.crowd(&busy, CROWD);
        let gone = fair.join();
        let time = bench.clone();
        // It has had more than others, and would wait for long.
        let heavy = tokio::spawn(gone.clone().in_turn(async move { time.work(TASK_MAX) }));
        let worked = bench.crowd(&gone, CROWD);
        heavy.await.unwrap();
        gone.end();
        let counts = || [&others, &worked].map(|worked| worked.load(Ordering::Relaxed));
        let before = counts();
        bench.until(bench.now() + 50 * WORK).await;
        // Each of its tasks counts there.
        assert_eq!((counts()[1], Arc::strong_count(&worked)), (before[1], 1));
        assert!(counts()[0] > before[0]);
    });
}

#[test]
fn what_runs_out_of_turn_is_on_its_flows_account() {
    on_one_thread(async {
        let (bench, fair) = driven();
        let flow = fair.join();
        bench.work(NEW_FOR);
        let clock = || fair.flows().all.values().map(|flow| flow.clock).sum::<Duration>();
        let before = clock();
        let time = bench.clone();
        flow.clone().at_once(async move { time.work(WORK) }).await;
        assert_eq!((clock(), fair.flows().pass), (before + WORK, WORK));
    });
}
