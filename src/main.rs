//! The `timebank` command.
#![warn(clippy::disallowed_methods)]

/// Version and, where it was built from a repository, the commit.
const VERSION: &str = git_version::git_version!(
    args = ["--always", "--abbrev=12", "--exclude=*", "--dirty=, changed"],
    prefix = concat!(env!("CARGO_PKG_VERSION"), " ("),
    suffix = ")",
    fallback = env!("CARGO_PKG_VERSION")
);

/// After a peak what strangers made the process hold is given back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    timebank::cli::main(VERSION)
}
