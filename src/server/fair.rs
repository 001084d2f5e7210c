//! Fair turns: who works next on a thread that carries many connections.
//!
//! A runtime's tasks wait in one line, so whoever brings a hundred calls at once would be before everybody else a hundred
//! times. Here each connection is a flow, with a clock that counts what its tasks took. While a pass over what is ready has
//! time left, tasks run as they come; what comes later waits, and the flow goes on whose clock is least advanced. Flows that
//! did less than others have credit, and time of their own in each pass. The tasks of a connection that is gone do no more:
//! their turns come early, and they end. This is start-time fair queueing (P. Goyal, H. M. Vin, H. Cheng, SIGCOMM 1996) of
//! what tasks take, instead of what packets do.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::limits::{CREDIT, CREDIT_PASS, NEW_COSTS, NEW_FOR, PASS, TASK_MAX};
use crate::engine::now;

/// The flows of one thread. Copies share them.
#[derive(Clone)]
pub(super) struct Fair(Arc<Shared>);

struct Shared {
    /// Time since some moment.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    flows: Mutex<Flows>,
}

#[derive(Default)]
struct Flows {
    next: u64,
    all: BTreeMap<u64, Flow>,
    /// The clock of the flow that went on last: the least advanced of those that wait.
    clock: Duration,
    /// What tasks took in this pass.
    pass: Duration,
    /// Flows with tasks that wait.
    waiting: usize,
    driver: Option<Waker>,
}

/// One connection's. As many wait as it has tasks: itself and its calls.
#[derive(Default)]
struct Flow {
    /// What its tasks took, more of it while it is new, and what it was moved on so as to have no more credit than there may be.
    clock: Duration,
    /// When it began.
    since: Duration,
    waiting: VecDeque<Waker>,
    /// Whether its connection is gone: its tasks end at their next turn, which comes before those of flows without credit.
    over: bool,
    /// Places in the line that were given out, and those of them whose turn has come.
    places: u64,
    called: u64,
}

/// What a task does that was woken.
#[derive(PartialEq)]
enum Turn {
    /// It waits in the place that it was told.
    Wait,
    Run,
    /// Its connection is gone.
    End,
}

/// A connection's flow, for its tasks.
#[derive(Clone)]
pub(super) struct Member(Arc<Membership>);

struct Membership {
    fair: Fair,
    number: u64,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("number", &self.0.number).finish_non_exhaustive()
    }
}

impl Fair {
    /// Without flows yet. Somebody has to [`drive`](Self::drive) it.
    pub(super) fn new() -> Self {
        let started = now::monotonic();
        Self::in_time(move || started.elapsed())
    }

    /// The same, in a time of one's own.
    fn in_time(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { now: Box::new(now), flows: Mutex::default() }))
    }

    /// A flow that begins now, behind those that are there, and with a smaller part than theirs for some time: whoever connects
    /// again and again gains nothing by it, and many who connect at once don't hold up the others.
    pub(super) fn join(&self) -> Member {
        let since = (self.0.now)();
        let mut flows = self.flows();
        let number = flows.next;
        flows.next += 1;
        let flow = Flow { clock: flows.clock + CREDIT, since, ..Flow::default() };
        flows.all.insert(number, flow);
        Member(Arc::new(Membership { fair: self.clone(), number }))
    }

    /// Calls those who wait, one after the other, and looks for what has come in after each pass.
    pub(super) async fn drive(self) {
        loop {
            poll_fn(|context| self.flows().poll_waiting(context)).await;
            while self.call_next() {
                if self.flows().pass < PASS {
                    once_around().await;
                } else {
                    // Of all that can be awaited this one comes back after the thread has looked for what has come in.
                    tokio::task::yield_now().await;
                    self.flows().pass = Duration::ZERO;
                }
            }
        }
    }

    /// Calls the first one of the flow that is least advanced; whether there was one.
    fn call_next(&self) -> bool {
        let called = self.flows().call_next();
        if let Some(called) = &called {
            called.wake_by_ref();
        }
        called.is_some()
    }

    fn flows(&self) -> MutexGuard<'_, Flows> {
        self.0.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flows {
    fn poll_waiting(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.waiting > 0 {
            return Poll::Ready(());
        }
        self.driver = Some(context.waker().clone());
        Poll::Pending
    }

    fn call_next(&mut self) -> Option<Waker> {
        let waiting = self.all.values_mut().filter(|flow| !flow.waiting.is_empty());
        let Some(flow) = waiting.min_by_key(|flow| if flow.over { self.clock } else { flow.clock }) else {
            // Everybody had what they wanted, so nobody has had too much.
            for flow in self.all.values_mut() {
                flow.clock = flow.clock.min(self.clock);
            }
            return None;
        };
        let called = flow.waiting.pop_front();
        flow.called += 1;
        if !flow.over {
            self.clock = self.clock.max(flow.clock);
        }
        if flow.waiting.is_empty() {
            self.waiting -= 1;
        }
        called
    }

    /// Whether it is a task's turn; if not, it waits in the place that it is told.
    fn enter(&mut self, number: u64, place: &mut Option<u64>, waker: &Waker, now: Duration) -> Turn {
        let clock = self.clock;
        let Some(flow) = self.all.get_mut(&number) else { return Turn::Run };
        let turn = if flow.over { Turn::End } else { Turn::Run };
        if let Some(waits) = *place {
            if waits < flow.called {
                *place = None;
                return turn;
            }
            return Turn::Wait;
        }
        let credit = if flow.is_new(now) { Duration::ZERO } else { CREDIT };
        flow.clock = flow.clock.max(clock.saturating_sub(credit));
        // Those with credit have a part of the pass more; many of them take turns as well.
        let pass = if flow.clock < clock { PASS + CREDIT_PASS } else { PASS };
        // Not before others of its own.
        if flow.waiting.is_empty() && self.pass < pass {
            return turn;
        }
        if flow.waiting.is_empty() {
            self.waiting += 1;
        }
        *place = Some(flow.places);
        flow.places += 1;
        flow.waiting.push_back(waker.clone());
        Turn::Wait
    }

    fn took(&mut self, number: u64, took: Duration, now: Duration) {
        self.pass += took;
        if let Some(flow) = self.all.get_mut(&number) {
            let costs = if flow.is_new(now) { NEW_COSTS } else { 1 };
            flow.clock += took.min(TASK_MAX) * costs;
        }
    }
}

impl Flow {
    fn is_new(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) < NEW_FOR
    }
}

impl Member {
    /// Runs a task of this flow in its turns, until it is over.
    pub(super) async fn in_turn(self, task: impl Future<Output = ()>) {
        let task = Some(task);
        tokio::pin!(task);
        let mut place = None;
        poll_fn(move |context| self.poll(&mut place, task.as_mut(), context)).await;
    }

    /// Runs a task out of turn, and on its flow's account.
    pub(super) async fn at_once(self, task: impl Future<Output = ()>) {
        tokio::pin!(task);
        poll_fn(move |context| {
            let began = (self.0.fair.0.now)();
            let polled = task.as_mut().poll(context);
            self.took(began);
            polled
        })
        .await;
    }

    /// The connection is gone: its tasks end unfinished, in turns that come before those of whoever has no credit. What they
    /// hold would be missing meanwhile.
    pub(super) fn end(&self) {
        if let Some(flow) = self.0.fair.flows().all.get_mut(&self.0.number) {
            flow.over = true;
        }
    }

    fn poll(
        &self,
        place: &mut Option<u64>,
        mut task: Pin<&mut Option<impl Future<Output = ()>>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let Membership { fair, number } = &*self.0;
        let began = (fair.0.now)();
        let mut flows = fair.flows();
        let turn = flows.enter(*number, place, context.waker(), began);
        if turn == Turn::Wait {
            let driver = flows.driver.take();
            drop(flows);
            if let Some(driver) = driver {
                driver.wake();
            }
            return Poll::Pending;
        }
        drop(flows);
        let polled = match task.as_mut().as_pin_mut().filter(|_| turn == Turn::Run) {
            Some(task) => task.poll(context),
            None => Poll::Ready(()),
        };
        if polled.is_ready() {
            task.set(None);
        }
        self.took(began);
        polled
    }

    /// What ran since then is this flow's.
    fn took(&self, began: Duration) {
        let Membership { fair, number } = &*self.0;
        let ended = (fair.0.now)();
        fair.flows().took(*number, ended.saturating_sub(began), ended);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut flows = self.fair.flows();
        let flow = flows.all.remove(&self.number);
        if flow.as_ref().is_some_and(|flow| !flow.waiting.is_empty()) {
            flows.waiting -= 1;
        }
        // Whoever still waits may be the last of a task, and that of another flow: first the lock, then them.
        drop(flows);
        drop(flow);
    }
}

/// Comes back after everything that is ready now.
async fn once_around() {
    let mut is_around = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_around, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests;
