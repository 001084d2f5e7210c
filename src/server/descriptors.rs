//! File descriptors: enough for connections, and some in reserve for the writer.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    RunError,
    limits::{CLOSING_MAX, CONNECTIONS_MAX, CONNECTIONS_MIN, DESCRIPTORS_RESERVED},
};

/// What the descriptors of a process are enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Connections that are kept.
    pub(super) connections: usize,
    /// Connections on their way out.
    pub(super) closing: usize,
}

/// What there are descriptors for. As many as are needed are asked of the system first: by default most systems give a
/// process 1,024 and let it take more.
///
/// # Errors
/// There are too few for any service.
pub(super) fn for_connections() -> Result<Room, RunError> {
    let open = std::fs::read_dir("/proc/self/fd").map_or(DESCRIPTORS_RESERVED, Iterator::count);
    let needed = (open + DESCRIPTORS_RESERVED + CLOSING_MAX + CONNECTIONS_MAX) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let more = Rlimit { current: Some(maximum.map_or(needed, |maximum| needed.min(maximum))), maximum };
        if let Err(error) = setrlimit(Resource::Nofile, more) {
            tracing::warn!("the limit of open files stays at {}: {error}", current.unwrap_or_default());
        }
    }
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let Some(room) = room(limit.unwrap_or(usize::MAX), open) else {
        return Err(RunError::Descriptors { limit: limit.unwrap_or_default(), open, source: Errno::MFILE.into() });
    };
    if room.connections < CONNECTIONS_MAX {
        tracing::warn!(
            "{} files may be open, which is enough for {} connections and not for {CONNECTIONS_MAX}",
            limit.unwrap_or_default(),
            room.connections
        );
    }
    Ok(room)
}

/// What so many descriptors are enough for, where some are open already. Of few a quarter is kept in reserve and an eighth for
/// connections on their way out.
fn room(limit: usize, open: usize) -> Option<Room> {
    let closing = CLOSING_MAX.min(limit / 8);
    let left = limit.saturating_sub(open + DESCRIPTORS_RESERVED.min(limit / 4) + closing);
    (left >= CONNECTIONS_MIN).then(|| Room { connections: left.min(CONNECTIONS_MAX), closing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_writer_its_descriptors() {
        let room = |limit| room(limit, 27);
        assert_eq!(room(usize::MAX), Some(Room { connections: CONNECTIONS_MAX, closing: CLOSING_MAX }));
        assert_eq!(room(1_024), Some(Room { connections: CONNECTIONS_MAX, closing: CLOSING_MAX }));
        assert_eq!(room(512), Some(Room { connections: 512 - 27 - 128 - 64, closing: 64 }));
        assert_eq!(room(64), Some(Room { connections: 64 - 27 - 16 - 8, closing: 8 }));
        assert_eq!(room(48), None);
        for limit in 0..2_000 {
            if let Some(Room { connections, closing }) = room(limit) {
                assert!(27 + connections + closing + DESCRIPTORS_RESERVED.min(limit / 4) <= limit, "{limit}");
            }
        }
    }
}
