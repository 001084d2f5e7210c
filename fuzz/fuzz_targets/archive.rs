//! See `tests/fuzzed/archive.rs`, which has all of it: kept cases are tests there.
#![no_main]

#[path = "../../tests/fuzzed/archive.rs"]
#[allow(dead_code, reason = "tests make seeds of it")]
mod archive;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    archive::run(data);
});
