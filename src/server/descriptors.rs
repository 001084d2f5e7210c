//! File descriptors: enough for connections, and some in reserve for the writer.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::{CLOSING_MAX, CONNECTIONS_MAX, CONNECTIONS_MIN, DESCRIPTORS_RESERVED};

/// How many connections there are descriptors for. As many as are needed are asked of the system first: by default most
/// systems give a process 1,024 and let it take more.
///
/// # Errors
/// There are too few for any service.
pub(super) fn for_connections() -> io::Result<usize> {
    let open = std::fs::read_dir("/proc/self/fd").map_or(DESCRIPTORS_RESERVED, Iterator::count);
    let reserved = open + DESCRIPTORS_RESERVED + CLOSING_MAX;
    let needed = (reserved + CONNECTIONS_MAX) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let more = Rlimit { current: Some(maximum.map_or(needed, |maximum| needed.min(maximum))), maximum };
        if let Err(error) = setrlimit(Resource::Nofile, more) {
            tracing::warn!("the limit of open files stays at {}: {error}", current.unwrap_or_default());
        }
    }
    let limit =
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let left = limit.saturating_sub(reserved);
    if left < CONNECTIONS_MIN {
        return Err(io::Error::other(format!(
            "{limit} files may be open, and {} are needed for {CONNECTIONS_MIN} connections. Raise the limit, with \
             `ulimit -n` or LimitNOFILE=",
            reserved + CONNECTIONS_MIN
        )));
    }
    if left < CONNECTIONS_MAX {
        tracing::warn!(
            "{limit} files may be open, which is enough for {left} connections and not for {CONNECTIONS_MAX}"
        );
    }
    Ok(left.min(CONNECTIONS_MAX))
}
