//! The `timebank` command.

fn main() -> std::process::ExitCode {
    timebank::cli::main()
}
