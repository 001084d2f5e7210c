//! Measurements of the ledger, each beside a limit measured in the same run.

fn main() {}
