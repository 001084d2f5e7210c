//! See `tests/fuzzed/sheet.rs`, which has all of it: kept cases are tests there.
#![no_main]

#[path = "../../tests/fuzzed/sheet.rs"]
#[allow(dead_code, reason = "tests make seeds of it")]
mod sheet;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    sheet::run(data);
});
