//! `timebank verify`

use std::path::PathBuf;

use clap::ArgGroup;
use serde_json::{Value, json};

use super::{
    checkpoint::{read_bounded, read_policy},
    language::language,
    output::{Failure, in_local_time, tell, time, usage},
};
use crate::{
    access::{describe::proven, words},
    format::{
        checkpoint::{Note, VerifierKey, policy::WitnessPolicy},
        proof::{CheckpointPair, EventProof, PAIR_BYTES_MAX, Related, Relation},
    },
    ledger::Language,
    trust::audit::Pin,
};

/// Verify a proof that `timebank prove` wrote. Needs no server and no network.
///
/// Nothing in the file is trusted but what the ledger's key signed, so the key has to come from somewhere else: from the
/// ledger's first start, a notice board, or an auditor.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("identity").required(true).args(["key", "pin"]),
    after_help = "\
Exit codes: 0 proved; 1 not proved, and why; 2 wrong usage, or a file that can't be read.

Examples:
  timebank verify 17.0.tlog-proof --key 'timebank.example/leeds+4b0c1f22+AQ...'
  timebank verify 17.0.tlog-proof --pin leeds.pin --witness-policy witnesses.policy --json"
)]
pub(crate) struct Arguments {
    /// The proof.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The ledger's verifier key, as its first start printed it.
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// Take the key from a pin. Its genesis is not looked at: no proof shows it, an audit does.
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    /// The witnesses that must have cosigned, a C2SP tlog-policy file.
    #[arg(long, value_name = "FILE")]
    witness_policy: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let key = match (&arguments.key, &arguments.pin) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => Pin::read(path).map_err(|error| usage(error.to_string()))?.ledger_key,
        (None, None) => return Err(usage("--key or --pin is needed")),
    };
    let policy = arguments.witness_policy.as_deref().map(read_policy).transpose()?;
    let bytes = read_bounded(&arguments.file, PAIR_BYTES_MAX)?;
    let verified = if bytes.starts_with(b"timebank ") {
        verify_pair(&bytes, &key, policy.as_ref())
    } else {
        verify_event(&bytes, &key, policy.as_ref())
    };
    let value = match &verified {
        Ok((value, _)) => value.clone(),
        Err(problem) => json!({ "verdict": "not proved", "problem": problem }),
    };
    match verified {
        Ok((_, sentence)) => {
            tell(arguments.json, &value, || in_local_time(&sentence));
            Ok(())
        }
        Err(problem) => {
            if arguments.json {
                tell(true, &value, String::new);
            }
            Err(Failure::refused(format!("not proved: {problem}")).into())
        }
    }
}

fn verify_event(bytes: &[u8], key: &VerifierKey, policy: Option<&WitnessPolicy>) -> Result<(Value, String), String> {
    let proof = EventProof::parse(bytes).map_err(|error| error.to_string())?;
    let event = proof.verify(key, policy).map_err(|error| error.to_string())?;
    let signers: Vec<String> = event.signers.iter().map(ToString::to_string).collect();
    let value = json!({
        "verdict": "proved",
        "origin": event.origin,
        "event": format!("{}.{}", event.index, event.number),
        "kind": event.event.name(),
        "proves": proven(&event, Language::English),
        "recorded_at": time(event.recorded_at.0),
        "signed_at": time(event.issued_at.0),
        "sheet_id": event.sheet_id.to_string(),
        "signers": signers,
        "checkpoint_size": event.size,
        "root": hex::encode(event.root),
        "witnesses": event.witnesses,
    });
    let (language, proven) = (language(), proven(&event, language()));
    let text = words!(
        language,
        "{proven}\nNot proved: that it was not corrected or reversed later; the ledger's history tells.",
        "{proven}\n未证明：后来没有更正或冲正；请看账本的明细。"
    );
    Ok((value, text))
}

fn verify_pair(bytes: &[u8], key: &VerifierKey, policy: Option<&WitnessPolicy>) -> Result<(Value, String), String> {
    let pair = CheckpointPair::parse(bytes).map_err(|error| error.to_string())?;
    if pair.ledger != *key {
        return Err(format!("the file is about the key {}, not {key}", pair.ledger));
    }
    let found = pair.verify().map_err(|error| error.to_string())?;
    if let Relation::Forked { .. } = found.relation {
        return Err(format!("{} `timebank verify-evidence` shows that to anybody", related(&found)));
    }
    if let Some(policy) = policy {
        let note = Note::parse(pair.new.as_bytes()).map_err(|error| error.to_string())?;
        policy.satisfied(&note).map_err(|error| error.to_string())?;
    }
    let value = json!({
        "verdict": "proved",
        "origin": found.origin,
        "proves": related(&found),
        "old_size": found.old_size,
        "old_root": hex::encode(found.old_root),
        "checkpoint_size": found.new_size,
        "root": hex::encode(found.new_root),
    });
    Ok((value, related(&found)))
}

/// What two checkpoints are to each other, in one sentence.
pub(super) fn related(related: &Related) -> String {
    let Related { origin, old_size, old_root, new_size, relation, .. } = related;
    match relation {
        Relation::Consistent => format!(
            "Proved: the ledger {origin} only added entries from its checkpoint over {old_size} entries to the one over \
             {new_size}: the first {old_size} are unchanged."
        ),
        Relation::Forked { root_then } => format!(
            "The ledger {origin} signed two histories that can't both be true: in its checkpoint over {old_size} entries \
             they have the root {}, and under the one over {new_size} the first {old_size} have the root {}.",
            hex::encode(old_root),
            hex::encode(root_then),
        ),
    }
}
