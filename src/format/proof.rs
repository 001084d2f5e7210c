//! Proofs in files of their own, checked with nothing but the ledger's public key: `docs/proofs.md` has the formats.

mod event;
mod pair;

use base64::{Engine, prelude::BASE64_STANDARD};

pub use self::{
    event::{EventProof, EventProofError, PROOF_BYTES_MAX, ProvenEvent, event_in_entry},
    pair::{CheckpointPair, PAIR_BYTES_MAX, PairError, Related, Relation},
};
use crate::merkle::Hash;

/// A line that isn't what the format has at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}")]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    /// What belongs there.
    pub expected: &'static str,
}

/// The lines of a file, counted.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    const fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0 }
    }

    const fn error(&self, expected: &'static str) -> LineError {
        LineError { line: self.line, expected }
    }

    fn next(&mut self, expected: &'static str) -> Result<&'a str, LineError> {
        self.line = self.line.saturating_add(1);
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.error(expected))?;
        self.rest = rest;
        Ok(line)
    }

    fn exactly(&mut self, expected: &'static str) -> Result<(), LineError> {
        if self.next(expected)? == expected { Ok(()) } else { Err(self.error(expected)) }
    }

    /// A line that begins like this: what follows.
    fn after(&mut self, start: &str, expected: &'static str) -> Result<&'a str, LineError> {
        let line = self.next(expected)?;
        line.strip_prefix(start).ok_or_else(|| self.error(expected))
    }

    /// Hashes up to an empty line.
    fn hashes(&mut self) -> Result<Vec<Hash>, LineError> {
        let expected = "a hash of 32 bytes in base64, or an empty line";
        let mut hashes = Vec::new();
        loop {
            let line = self.next(expected)?;
            if line.is_empty() {
                return Ok(hashes);
            }
            let hash = BASE64_STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
            hashes.push(hash.ok_or_else(|| self.error(expected))?);
        }
    }
}

/// Hashes as [`Lines::hashes`] reads them, with the empty line.
fn hash_lines(hashes: &[Hash]) -> String {
    let lines: String = hashes.iter().map(|hash| BASE64_STANDARD.encode(hash) + "\n").collect();
    lines + "\n"
}
