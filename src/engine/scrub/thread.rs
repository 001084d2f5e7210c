//! The thread that scrubs, slowly: whoever is served comes first.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::watch;

use super::{Scrub, Scrubbed, Step};
use crate::{
    engine::{node::Node, now, pipeline::stand_back, sequencer::Published},
    ledger::Millis,
};

/// Bytes of entries that are read a second at most: 22 GB a day, which is what a city of 100,000 people who each give or take an
/// hour twice a week leaves in seven years, in sheets of one (some 300 bytes). One hundredth of what a slow disk reads, and less
/// than that of what one core decodes, hashes and compares (more than 50 MB a second).
const BYTES_A_SECOND: u32 = 256 * 1_024;
/// How many times as long as a step took it rests after it: so it takes no more than a hundredth of a core and of a disk, however
/// slow and busy they are.
const REST_TIMES: u32 = 99;
/// Between the beginnings of two passes: a log that is read in less than a day is not read again before the day is over.
const PASS_INTERVAL: Duration = Duration::from_hours(24);
/// Between two looks whether there are more entries, or what was short is there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The scrub of a log that is served. It ends where this is dropped.
#[derive(Debug)]
pub struct Scrubbing {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Scrubbing {
    /// Starts it, and gives what it tells of itself.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(
        node: Node,
        published: watch::Receiver<Published>,
    ) -> std::io::Result<(Self, watch::Receiver<Scrubbed>)> {
        let ((tell, told), (stop, stopped)) = (watch::channel(Scrubbed::default()), mpsc::channel());
        let run = move || run(&node, &published, &tell, &stopped);
        let thread = std::thread::Builder::new().name("scrub".to_owned()).spawn(run)?;
        Ok((Self { stop, thread }, told))
    }

    /// Ends it, after the step that it is at.
    pub fn end(self) {
        drop(self.stop);
        // What it did not read the next start does.
        let _ended = self.thread.join();
    }
}

fn run(node: &Node, published: &watch::Receiver<Published>, tell: &watch::Sender<Scrubbed>, stopped: &Receiver<()>) {
    stand_back();
    let (mut scrub, mut began, mut waits) = (Scrub::default(), now::monotonic(), false);
    loop {
        let (newest, step_began) = (published.borrow().clone(), now::monotonic());
        let step = scrub.step(node, &newest, Millis(now::wall().as_millisecond()));
        let rest = match &step {
            Step::Read(bytes) => rest(*bytes, step_began.elapsed()),
            Step::AtEnd | Step::Short(_) => LOOK_INTERVAL,
        };
        if let Step::Short(short) = &step
            && !waits
        {
            tracing::warn!("to read the log again waits for something that is short on this machine: {short}");
        }
        waits = matches!(step, Step::Short(_));
        if step == Step::AtEnd && began.elapsed() >= PASS_INTERVAL {
            scrub.begin_again();
            began = now::monotonic();
        }
        tell.send_if_modified(|told| {
            let changed = told != scrub.scrubbed();
            told.clone_from(scrub.scrubbed());
            changed
        });
        if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// How long it rests after a step of so many bytes that took so long.
fn rest(bytes: usize, took: Duration) -> Duration {
    let at_rate = Duration::from_secs(bytes as u64) / BYTES_A_SECOND;
    at_rate.max(took.saturating_mul(REST_TIMES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_to_its_rate_and_to_a_hundredth_of_the_time() {
        let check = |bytes: usize, took_ms: u64, rest_ms: u64| {
            assert_eq!(
                rest(bytes, Duration::from_millis(took_ms)),
                Duration::from_millis(rest_ms),
                "{bytes}, {took_ms}"
            );
        };
        check(64 * 1_024, 1, 250);
        check(64 * 1_024, 10, 990);
        check(512 * 1_024, 0, 2_000);
        check(0, 7, 693);
    }
}
