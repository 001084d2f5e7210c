//! What strangers do to a server's port, each by a name: for the bench that measures it and for the test of its short form.
//!
//! The server is a process of its own under the limits of a small machine ([`server`]); an honest client ([`honest`]) works
//! beside the attack and is timed. Attackers are strong in what they send, but leave the processors to the server: they come
//! from other machines in earnest, and share this one's cores here.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    reason = "each program uses its part, and stops at the first surprise"
)]

pub mod calls;
pub mod controls;
pub mod frames;
pub mod honest;
pub mod machine;
pub mod server;
pub mod sockets;
#[path = "../mod.rs"]
mod support;
pub mod wire;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, task::JoinSet, time::Instant};

/// How long an attacker that was cut off waits before it is back: long enough that a server that cuts it off at once isn't
/// attacked by connecting alone, which is an attack of its own.
const BACK_AFTER: Duration = Duration::from_millis(20);
/// How long the first attacker has to appear on a machine that does something else as well.
const BEGUN: Duration = Duration::from_secs(20);
/// When an attack that nobody ends is over.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Threads of the attackers: as many as a small machine has.
const THREADS: usize = 2;
/// By how much attackers stand back where cores are scarce (`nice`): what they do to a server from elsewhere costs it none
/// of its own processor's time.
const STAND_BACK: i32 = 10;

/// A number that all attackers count on.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, number: usize) {
        self.0.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an attack came to: an attack that the server cuts off at once is told from one that never was.
#[derive(Default)]
pub struct Tally {
    pub connections: Count,
    /// Connections that didn't come about.
    pub refused: Count,
    /// Connections that the server ended, by what it said.
    pub cut: Mutex<BTreeMap<String, usize>>,
    pub streams: Count,
    pub answered: Count,
    pub reset: Count,
    pub sent: Count,
    pub received: Count,
}

impl Tally {
    /// Connections that attackers had or wanted.
    pub fn tries(&self) -> u64 {
        self.connections.get() + self.refused.get()
    }

    pub fn summary(&self) -> String {
        let mb = |bytes: &Count| bytes.get() as f64 / 1e6;
        format!(
            "{} connections ({} refused, cut off {:?}), {} streams ({} answered, {} reset), {:.1} MB out, {:.1} MB in",
            self.connections.get(),
            self.refused.get(),
            self.cut.lock().unwrap(),
            self.streams.get(),
            self.answered.get(),
            self.reset.get(),
            mb(&self.sent),
            mb(&self.received),
        )
    }
}

/// One attacker's part of an attack.
pub struct Session {
    pub address: SocketAddr,
    pub rng: fastrand::Rng,
    pub until: Instant,
    pub tally: Arc<Tally>,
}

impl Session {
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    pub async fn rest(&self, pause: Duration) {
        tokio::time::sleep_until(self.until.min(Instant::now() + pause)).await;
    }
}

type Work = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;
type Attacker = Arc<dyn Fn(Session) -> Work + Send + Sync>;

/// An attack: so many attackers that do the same until it is over, and again when they are cut off.
#[derive(Clone)]
pub struct Attack {
    /// What it is, as a row of a table says it.
    pub name: &'static str,
    attackers: usize,
    work: Attacker,
}

impl Attack {
    pub fn new<F, W>(name: &'static str, attackers: usize, work: F) -> Self
    where
        F: Fn(Session) -> W + Send + Sync + 'static,
        W: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self { name, attackers, work: Arc::new(move |session| Box::pin(work(session))) }
    }

    /// Begins on threads of its own, and comes back once the first attacker is there.
    pub fn start(&self, address: SocketAddr, seed: u64) -> Running {
        let tally = Arc::new(Tally::default());
        let (attack, counted) = (self.clone(), Arc::clone(&tally));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .on_thread_start(stand_back)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = attack.run(address, seed, counted) => {}
                    _ = stopped => {}
                }
            });
        });
        let asked = Instant::now();
        while self.attackers > 0 && tally.tries() == 0 && asked.elapsed() < BEGUN {
            std::thread::sleep(BACK_AFTER);
        }
        Running { thread, tally, stop }
    }

    async fn run(self, address: SocketAddr, seed: u64, tally: Arc<Tally>) {
        let until = Instant::now() + LONGEST;
        let mut attackers = JoinSet::new();
        for number in 0..self.attackers {
            let (work, tally) = (Arc::clone(&self.work), Arc::clone(&tally));
            attackers.spawn(async move {
                let mut rng = fastrand::Rng::with_seed(seed ^ (number as u64) << 32);
                while Instant::now() < until {
                    let session = Session { address, rng: rng.fork(), until, tally: Arc::clone(&tally) };
                    if let Err(cut) = work(session).await {
                        *tally.cut.lock().unwrap().entry(cut.to_string()).or_default() += 1;
                        tokio::time::sleep(BACK_AFTER).await;
                    }
                }
            });
        }
        while attackers.join_next().await.is_some() {}
    }
}

/// Lets the server and the honest have the cores first.
fn stand_back() {
    // Where it isn't allowed, attackers only take more of the processor.
    let _niceness = rustix::process::nice(STAND_BACK);
}

/// An attack under way.
pub struct Running {
    thread: std::thread::JoinHandle<()>,
    tally: Arc<Tally>,
    stop: oneshot::Sender<()>,
}

impl Running {
    /// Ends it with all its connections, and says what it came to.
    pub fn end(self) -> Arc<Tally> {
        // One of no attackers is over already.
        let _over = self.stop.send(());
        self.thread.join().unwrap();
        self.tally
    }
}

/// Every attack.
pub fn all(town: &server::Town) -> Vec<Attack> {
    [sockets::attacks(), frames::attacks(), calls::attacks(town)].concat()
}

/// Lets this process, the attackers' own, have as many descriptors as it may.
pub fn raise_descriptors() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}
