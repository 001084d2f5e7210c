//! The `timebank` command.

fn main() {}
