//! `timebank completions`

use clap::CommandFactory;

use super::output::line;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  timebank completions bash > ~/.local/share/bash-completion/completions/timebank")]
pub(crate) struct Arguments {
    /// Which shell.
    shell: clap_complete::Shell,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "timebank", &mut script);
    line(String::from_utf8_lossy(&script).trim_end())
}
