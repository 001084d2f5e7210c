//! See `tests/fuzzed/note.rs`, which has all of it: kept cases are tests there.
#![no_main]

#[path = "../../tests/fuzzed/note.rs"]
#[allow(dead_code, reason = "tests make seeds of it")]
mod note;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    note::run(data);
});
