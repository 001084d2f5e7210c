//! What the machine itself holds up while attackers are busy on it: what an honest call waits beside an attack is read against
//! it. A thread of each core sends itself a byte through the loopback device and syncs a file, as often as the honest call.
//!
//! Linux groups the tasks of a session (`sched(7)`, autogroup). Where two of them wake each other all the time, which attackers
//! and a server on one machine do, the kernel's own threads on that core, which finish syncs and deliver what is sent, have been
//! seen to wait for 84 ms; without the grouping, or without an attack, for 1.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::honest::{Delays, EVERY};

/// Bytes of a sync: those of a sector.
const SECTOR: usize = 512;

/// A look at the machine.
pub struct Machine {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Seen>>>,
}

/// How long a byte took to come back, and that and a sync.
struct Seen {
    echo: Duration,
    both: Duration,
}

/// What the machine took.
#[derive(Debug, Default)]
pub struct Held {
    /// For a byte to be delivered.
    pub echoes: Delays,
    /// For that and a sync.
    pub syncs: Delays,
}

impl Machine {
    pub fn watch() -> Self {
        let cores = std::thread::available_parallelism().unwrap().get();
        let stop = Arc::new(AtomicBool::new(false));
        let look = |core| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || look(core, &stop))
        };
        Self { threads: (0..cores).map(look).collect(), stop }
    }

    pub fn end(self) -> Held {
        self.stop.store(true, Ordering::Relaxed);
        let seen: Vec<Seen> = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        Held {
            echoes: Delays::of(seen.iter().map(|seen| seen.echo)),
            syncs: Delays::of(seen.iter().map(|seen| seen.both)),
        }
    }
}

fn look(core: usize, stop: &AtomicBool) -> Vec<Seen> {
    let mut only = rustix::thread::CpuSet::new();
    only.set(core);
    // Where it isn't allowed, the threads are where they are.
    let _anywhere = rustix::thread::sched_setaffinity(None, &only);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut here, _) = listener.accept().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(EVERY);
        let begun = Instant::now();
        there.write_all(&[1]).unwrap();
        here.read_exact(&mut [0]).unwrap();
        let echo = begun.elapsed();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&[0; SECTOR]).unwrap();
        file.sync_data().unwrap();
        seen.push(Seen { echo, both: begun.elapsed() });
    }
    seen
}
