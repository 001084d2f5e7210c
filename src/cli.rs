//! The command line: one file a command.

mod account;
mod arguments;
mod audit;
mod balance;
mod bars;
mod bench;
mod call;
mod checkpoint;
mod client;
mod completions;
mod correct;
mod demo;
mod export;
mod fsck;
mod history;
mod hold;
mod import;
mod key;
mod known;
mod language;
mod man;
mod mirror;
mod moment;
mod offline;
mod output;
mod process;
mod prove;
mod receipt;
mod record;
mod region;
mod restore;
mod serve;
mod service;
mod simulate;
mod source;
mod station;
mod status;
mod submit;
mod transfer;
mod verify;
mod verify_evidence;
mod watch;
mod who;
mod witness;
mod zone;

use std::{pin::Pin, process::ExitCode};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::engine::store::{room_for_descriptors, room_for_threads};

/// Said below every help.
const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 refused by a rule of the ledger (nothing was written); 2 wrong usage, or a
file that can't be read; 3 the server can't be reached, or the outcome is unknown (a sheet that
may have been recorded is kept in a file, to be sent again with `timebank submit` and counted
once); 4 done in part: some sheets or rows were refused, or what is left is named; 70 the service
had to stop; 71 descriptors, memory or threads are short on this machine; 74 the disk failed, or is
full; 75 not now: the folder or port is in use, or the clock isn't believed.

Examples:
  timebank serve                              run a ledger on this machine
  timebank station open --region leeds       open a station
  timebank record --volunteer ID --station ID --date 2026-03-01 --hours 2.5
  timebank balance ID
  timebank COMMAND --help                    more on any command";

/// A durable ledger of signed volunteer hours.
#[derive(Debug, Parser)]
#[command(name = "timebank", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// Time zone of times that are typed without an offset, and of times that are shown, as Asia/Shanghai [default: this
    /// machine's].
    #[arg(long, value_name = "NAME", global = true, env = "TIMEBANK_ZONE", allow_hyphen_values = true, help_heading = client::EVERYWHERE)]
    zone: Option<String>,
    /// Language of tables, of events in words and of what the ledger refuses: en or zh [default: that of `LC_ALL`,
    /// `LC_MESSAGES` or `LANG`].
    #[arg(long, value_name = "TAG", global = true, env = "TIMEBANK_LANG", allow_hyphen_values = true, help_heading = client::EVERYWHERE)]
    lang: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Status(status::Arguments),
    Region(region::Arguments),
    Station(station::Arguments),
    Account(account::Arguments),
    Key(key::Arguments),
    Record(record::Arguments),
    Correct(correct::Arguments),
    Hold(hold::Arguments),
    Transfer(transfer::Arguments),
    Balance(balance::Arguments),
    History(history::Arguments),
    Watch(watch::Arguments),
    Submit(submit::Arguments),
    Mirror(mirror::Arguments),
    Import(import::Arguments),
    Audit(audit::Arguments),
    Prove(prove::Arguments),
    Verify(verify::Arguments),
    VerifyEvidence(verify_evidence::Arguments),
    Export(export::Arguments),
    Restore(restore::Arguments),
    Fsck(fsck::Arguments),
    Witness(witness::Arguments),
    Demo(demo::Arguments),
    Bench(bench::Arguments),
    Simulate(simulate::Arguments),
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
}

/// Runs the command that the arguments name. `version`: what `--version` says.
#[must_use]
pub fn main(version: &'static str) -> ExitCode {
    let is_json = std::env::args_os().any(|argument| argument == "--json");
    if is_json {
        output::errors_as_json();
    }
    let matches = Cli::command().version(version).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return output::not_parsed(&error),
    };
    let is_service =
        matches!(cli.command, Command::Serve(_) | Command::Witness(_) | Command::Completions(_) | Command::Man(_));
    if let Err(problem) = zone::choose(cli.zone.as_deref(), is_service) {
        return output::fail(&output::usage(problem));
    }
    match language::choose(cli.lang.as_deref(), is_json) {
        Ok(not_shown) => not_shown.map_or((), output::note),
        Err(problem) => return output::fail(&output::usage(problem)),
    }
    if let Err(error) = room() {
        return output::fail(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&error.into()),
    };
    // Behind a pointer: else each of the runtime's ways to drive it gets a copy of every command.
    let work: Pin<Box<dyn Future<Output = anyhow::Result<()>>>> = Box::pin(run(cli.command));
    let result = runtime.block_on(work);
    // Reads of the standard input can't be cancelled: don't wait for them.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::fail(&error),
    }
}

/// Descriptors that the runtime takes when it is made, some of them without a way to say that there are none: 9, and those of
/// one connection or file.
const DESCRIPTORS: usize = 12;

/// Threads beside those that the runtime has one a core of: what waits for a disk while it is made.
const THREADS: usize = 2;

/// That the runtime can be made: it ends in a panic for want of some things, and waits for ever for want of others.
fn room() -> anyhow::Result<()> {
    room_for_descriptors(DESCRIPTORS)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    room_for_threads(cores + THREADS).context("a thread can't be started")
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Status(arguments) => status::run(arguments).await,
        Command::Region(arguments) => region::run(arguments).await,
        Command::Station(arguments) => station::run(arguments).await,
        Command::Account(arguments) => account::run(arguments).await,
        Command::Key(arguments) => key::run(arguments).await,
        Command::Record(arguments) => record::run(arguments).await,
        Command::Correct(arguments) => correct::run(arguments).await,
        Command::Hold(arguments) => hold::run(arguments).await,
        Command::Transfer(arguments) => transfer::run(arguments).await,
        Command::Balance(arguments) => balance::run(arguments).await,
        Command::History(arguments) => history::run(arguments).await,
        Command::Watch(arguments) => watch::run(arguments).await,
        Command::Submit(arguments) => submit::run(arguments).await,
        Command::Mirror(arguments) => mirror::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Prove(arguments) => prove::run(arguments).await,
        Command::Verify(arguments) => verify::run(&arguments),
        Command::VerifyEvidence(arguments) => verify_evidence::run(&arguments),
        Command::Export(arguments) => export::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Fsck(arguments) => fsck::run(arguments).await,
        Command::Witness(arguments) => witness::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments).await,
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width at which help is wrapped: what is wrapped by hand already must not be wrapped again.
    const WIDTH: usize = 100;

    fn check(command: &clap::Command) {
        let footer = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in footer.lines() {
            assert!(line.chars().count() <= WIDTH, "{}: {line}", command.get_name());
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn no_footer_of_any_help_is_wrapped_twice() {
        check(&Cli::command());
    }

    #[test]
    fn every_command_is_defined_soundly() {
        Cli::command().debug_assert();
    }
}
