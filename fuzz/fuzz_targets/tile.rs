//! See `tests/fuzzed/tile.rs`, which has all of it: kept cases are tests there.
#![no_main]

#[path = "../../tests/fuzzed/tile.rs"]
mod tile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tile::run(data);
});
