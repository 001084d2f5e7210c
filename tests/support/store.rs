//! The store of a log that nobody serves, for tests that damage it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses its part, and a test stops at the first surprise"
)]

/// The store, as soon as its lock is free: sled's threads let go of it a moment after it was closed, and a process that
/// another test is starting holds what it inherited until it runs its program.
pub fn opened_store(folder: impl AsRef<std::path::Path>) -> sled::Db {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        match sled::open(&folder) {
            Err(sled::Error::Io(error))
                if error.to_string().contains("lock") && std::time::Instant::now() < deadline =>
            {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            opened => return opened.unwrap(),
        }
    }
}
