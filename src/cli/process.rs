//! What commands that serve have in common.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::output::{Failure, colours, line, usage, visible};
use crate::engine::pipeline;

/// Logs to the standard error stream; `RUST_LOG` says what, by level and module: `warn,timebank::server=debug`. Without it,
/// what is of this level and above.
pub(crate) fn log_to_stderr(level: LevelFilter) {
    let asked = std::env::var("RUST_LOG").ok().and_then(|directives| directives.parse().ok());
    // h2 warns of each connection that a stranger spoils, as many as they like.
    let default = || {
        let all = Targets::new().with_default(level);
        all.with_target("sled", LevelFilter::WARN).with_target("h2", LevelFilter::ERROR)
    };
    let layer = tracing_subscriber::fmt::layer().with_ansi(colours(&std::io::stderr())).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(layer.with_filter(asked.unwrap_or_else(default))).init();
}

/// From now on only their owner may read files and folders that are made: sled opens its own, and names no mode.
pub(crate) fn make_private() {
    let _before = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Starts the threads that entries are replayed on, before anything is opened.
pub(crate) fn start_threads() -> anyhow::Result<()> {
    pipeline::start_threads().context("the threads that verify signatures can't be started")
}

/// Tells where a service is. It goes on where nobody can read that.
pub(crate) fn announce(text: &str) {
    if let Err(error) = line(&visible(text)) {
        tracing::warn!("{error}");
    }
}

/// The address to listen on.
pub(crate) fn listen_address(text: &str) -> anyhow::Result<SocketAddr> {
    let address = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    address.ok_or_else(|| usage(format!("--listen {text}: expected HOST:PORT")))
}

/// A listener at this address. Of a port that is in use it is said what to do.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() != std::io::ErrorKind::AddrInUse {
            return anyhow::Error::new(error).context(format!("--listen {address}"));
        }
        let remedy = "Stop the service that listens there, or choose another port with --listen";
        Failure::NotNow(format!("--listen {address}: {error}. {remedy}")).into()
    })
}

/// Until the process is asked to end.
pub(crate) fn shutdown() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("going down: finishing what was taken in");
    })
}

/// What shells give a command that an interruption ended: 128 and the signal's number.
const EXIT_INTERRUPTED: i32 = 130;

/// A way to ask whether the process was asked to end, from now on. Once it was, a second time ends it at once.
pub(crate) fn asked_to_end() -> std::io::Result<impl Fn() -> bool + Send + Sync> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            if stop.swap(true, Ordering::Relaxed) {
                #[allow(clippy::disallowed_methods, reason = "asked twice: whoever waits for it to finish gave up")]
                std::process::exit(EXIT_INTERRUPTED);
            }
        }
    });
    Ok(move || stopped.load(Ordering::Relaxed))
}

/// Does long work on a thread of its own. It is given a way to ask whether the process was asked to end meanwhile, and what
/// it makes of that is waited for.
pub(crate) async fn interruptible<T: Send + 'static>(
    work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let asked_to_end = shutdown()?;
    let mut working = tokio::task::spawn_blocking(move || work(&|| stopped.load(Ordering::Relaxed)));
    let done = tokio::select! {
        done = &mut working => done,
        () = asked_to_end => {
            stop.store(true, Ordering::Relaxed);
            working.await
        }
    };
    Ok(done?)
}
