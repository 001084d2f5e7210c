//! What is short on a machine for the moment: descriptors, memory, threads. It says nothing about a disk, and passes.

use std::{
    hint::black_box,
    io::Error,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::io::Errno;

use crate::engine::machine::Machine;

/// Between two tries, at first; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Between two tries at most: that long after there is room it is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Whether something of the machine is short, and the same may succeed later.
pub(crate) fn is_short(error: &Error) -> bool {
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN];
    error.raw_os_error().is_some_and(|code| short.iter().any(|errno| errno.raw_os_error() == code))
}

/// That so many descriptors can be there at once. For whoever would fail without a word that somebody could act on.
///
/// # Errors
/// There is no room for them just now.
pub(crate) fn room_for_descriptors(count: usize) -> std::io::Result<()> {
    let copies: Result<Vec<_>, Errno> = (0..count).map(|_| rustix::io::dup(std::io::stderr())).collect();
    // Where nobody reads what is said, nothing is copied, and nothing is known.
    copies.map_or_else(|errno| Some(Error::from(errno)).filter(is_short).map_or(Ok(()), Err), |_room| Ok(()))
}

/// Bytes that each thread asks for in [`room_for_threads`]: enough that it gets memory of its own to take them from.
const PROBE_BYTES: usize = 1_024;

/// That so many threads can be there at once, each with memory of its own. For whoever would wait for ever for threads that
/// could not be started.
///
/// # Errors
/// They can't be started just now.
pub(crate) fn room_for_threads(count: usize) -> std::io::Result<()> {
    let all_there = Arc::new(Mutex::new(()));
    let held = all_there.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = || {
        let all_there = Arc::clone(&all_there);
        thread::Builder::new().spawn(move || {
            drop(black_box(vec![0_u8; PROBE_BYTES]));
            drop(all_there.lock());
        })
    };
    // The first that can't be started is the last that is tried.
    let mut room = Ok(());
    let threads: Vec<_> = (0..count).map_while(|_| wait().map_err(|error| room = Err(error)).ok()).collect();
    drop(held);
    for thread in threads {
        let _ended = thread.join();
    }
    room
}

/// Does something that may be done again where it failed, until nothing is short for it any more. The wait and its end are told, once each.
///
/// # Errors
/// Any other failure.
pub(crate) fn patiently<T, E: std::fmt::Display>(
    machine: &dyn Machine,
    what: &str,
    cause: impl Fn(&E) -> Option<&Error>,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let (mut pause, mut told) = (PAUSE_MIN, false);
    loop {
        let done = attempt();
        match &done {
            Err(error) if cause(error).is_some_and(is_short) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("{what} waits for something that is short on this machine: {error}");
                }
            }
            Ok(_) | Err(_) => {
                if told {
                    tracing::warn!("{what} waits no more");
                }
                return done;
            }
        }
        machine.pause(pause);
        pause = PAUSE_MAX.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::machine::OwnMachine;

    #[test]
    fn a_machine_with_room_has_it_for_a_few_threads() {
        assert!(room_for_threads(8).is_ok());
    }

    #[test]
    fn only_what_is_short_is_waited_for() {
        let check = |codes: &[i32], tries: usize, ended: Option<i32>| {
            let (mut left, mut made) = (codes.iter(), 0);
            let done = patiently(
                &OwnMachine,
                "a test",
                |error: &Error| Some(error),
                || {
                    made += 1;
                    left.next().map_or(Ok(()), |code| Err(Error::from_raw_os_error(*code)))
                },
            );
            assert_eq!((made, done.err().and_then(|error| error.raw_os_error())), (tries, ended), "{codes:?}");
        };
        let [short, full] = [Errno::MFILE, Errno::NOSPC].map(Errno::raw_os_error);
        check(&[], 1, None);
        check(&[short, short], 3, None);
        check(&[short, full, short], 2, Some(full));
        check(&[Errno::NFILE.raw_os_error(), Errno::NOMEM.raw_os_error(), Errno::AGAIN.raw_os_error()], 4, None);
        check(&[Errno::IO.raw_os_error()], 1, Some(Errno::IO.raw_os_error()));
    }
}
