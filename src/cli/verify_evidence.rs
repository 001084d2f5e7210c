//! `timebank verify-evidence`

use std::path::PathBuf;

use serde_json::json;

use super::{
    checkpoint::read_bounded,
    output::{Failure, tell},
    verify::related,
};
use crate::format::{
    checkpoint::VerifierKey,
    proof::{CheckpointPair, PAIR_BYTES_MAX, Relation},
};

/// Verify that a ledger signed two histories that can't both be true.
///
/// Audits and mirrors write such files when they catch one. The file needs no trust in who wrote it: whoever can't sign with
/// the ledger's key can't make one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 convicted: both are signed, and can't both be true; 1 the file is no evidence, and
why; 2 wrong usage, or a file that can't be read.

Examples:
  timebank verify-evidence fork.evidence --key 'timebank.example/leeds+4b0c1f22+AQ...'")]
pub(crate) struct Arguments {
    /// The evidence.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The ledger's verifier key [default: the one that the file names, to be compared by you].
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = read_bounded(&arguments.file, PAIR_BYTES_MAX)?;
    match judge(&bytes, arguments.key.as_ref()) {
        Ok((pair, sentence)) => {
            let key = pair.ledger.to_string();
            let value = json!({ "verdict": "convicted", "proves": sentence, "ledger_vkey": key });
            tell(arguments.json, &value, || match arguments.key {
                Some(_) => sentence,
                None => {
                    format!("{sentence}\nBoth are signed by {key}: compare it with the key that the ledger published.")
                }
            });
            Ok(())
        }
        Err(problem) => {
            if arguments.json {
                tell(true, &json!({ "verdict": "no evidence", "problem": problem }), String::new);
            }
            Err(Failure::refused(format!("no evidence: {problem}")).into())
        }
    }
}

fn judge(bytes: &[u8], key: Option<&VerifierKey>) -> Result<(CheckpointPair, String), String> {
    let pair = CheckpointPair::parse(bytes).map_err(|error| error.to_string())?;
    if let Some(key) = key.filter(|key| **key != pair.ledger) {
        return Err(format!("the file is about the key {}, not {key}", pair.ledger));
    }
    let found = pair.verify().map_err(|error| error.to_string())?;
    match found.relation {
        Relation::Forked { .. } => Ok((pair, related(&found))),
        Relation::Consistent => Err(format!("both checkpoints can be true. {}", related(&found))),
    }
}
