//! `timebank completions`

use clap::CommandFactory;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  timebank completions bash > ~/.local/share/bash-completion/completions/timebank")]
pub(crate) struct Arguments {
    /// Which shell.
    shell: clap_complete::Shell,
}

#[allow(clippy::unnecessary_wraps, reason = "commands all have this shape")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "timebank", &mut std::io::stdout().lock());
    Ok(())
}
