//! `timebank prove`

use std::path::{Path, PathBuf};

use clap::ArgGroup;
use serde_json::json;

use super::{
    arguments::event_ref,
    checkpoint::{checkpoint_over, parsed, quoted, quoted_text, read_note, read_policy},
    client::{Client, ClientArguments},
    output::{Failure, emit, refuse_overwrite, usage},
    source::answer,
    verify::{proven, related},
};
use crate::{
    checkpoint::{self, VerifierKey, policy::WitnessPolicy},
    ledger::EventRef,
    merkle::Hash,
    projection::event_ref_message,
    proof::{CheckpointPair, EventProof, Relation},
    proto,
    store::atomic_write,
};

/// Write a proof that an event is in the ledger, for anybody to verify offline.
///
/// The file shows this one event, its sheet's header and signatures, and nothing of other people: they are hashes in it.
/// With --since it shows instead that the log has only grown since a checkpoint that you kept.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["event", "since"]),
    after_help = "\
Exit codes: 0 proved; 1 refused, or --since finds that the ledger signed two histories: the file is evidence then; 2 wrong
usage; 3 the server can't be reached.

Examples:
  timebank prove 17.0                                 writes 17.0.tlog-proof
  timebank prove 17.0 --out hours.tlog-proof --witness-policy witnesses.policy
  timebank prove --since june.checkpoint --out june.pair
  timebank verify 17.0.tlog-proof --key 'timebank.example/leeds+4b0c1f22+AQ...'"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The event, as receipts and histories show it.
    #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
    event: Option<EventRef>,
    /// Prove instead that the log begins with what this checkpoint, kept from before, is over.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// File to write [default: INDEX.EVENT.tlog-proof, or OLD-NEW.pair, or evidence-OLD-NEW.pair].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Wait for a checkpoint that these witnesses cosigned, a C2SP tlog-policy file.
    #[arg(long, value_name = "FILE")]
    witness_policy: Option<PathBuf>,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let policy = arguments.witness_policy.as_deref().map(read_policy).transpose()?;
    let since = arguments.since.as_deref().map(read_note).transpose()?;
    let mut client = arguments.client.connect().await?;
    let vkey = answer(client.get_status(proto::GetStatusRequest {})).await?.ledger_vkey;
    let key: VerifierKey =
        vkey.parse().map_err(|error| Failure::Refused(format!("the server's key is none: {error}")))?;
    let Proof { name, text, sentence, is_forked } = match (arguments.event, since) {
        (Some(event), _) => prove_event(&mut client, event, &key, policy.as_ref()).await?,
        (None, since) => {
            let proved = prove_growth(&mut client, since.unwrap_or_default(), &key, policy.as_ref()).await;
            if let (Err(error), true) = (&proved, arguments.client.json)
                && let Some(Failure::Refused(problem)) = error.downcast_ref()
            {
                emit(true, &json!({ "verdict": "not proved", "problem": problem, "ledger_vkey": vkey }), String::new)?;
            }
            proved?
        }
    };
    let out = arguments.out.unwrap_or_else(|| PathBuf::from(name));
    let written = write(&out, &text, arguments.force);
    if let (true, Err(error)) = (is_forked, &written) {
        // What was found is more than where it could not be put.
        return Err(Failure::Refused(format!("{sentence} The evidence was not written: {error:#}")).into());
    }
    written?;
    let verdict = if is_forked { "forked" } else { "proved" };
    let file = out.display().to_string();
    let value = json!({ "verdict": verdict, "file": file, "proves": sentence, "ledger_vkey": vkey });
    let (pasted, vkey) = (quoted(&out), quoted_text(&vkey));
    emit(arguments.client.json, &value, || {
        if is_forked {
            return format!(
                "{sentence}\nThe evidence is in {file}. Show it to anybody, offline, with\n  \
                 timebank verify-evidence {pasted} --key {vkey}"
            );
        }
        let policy = arguments.witness_policy.as_deref().map(|policy| format!(" --witness-policy {}", quoted(policy)));
        let policy = policy.unwrap_or_default();
        format!(
            "{sentence}\nwritten to {file}. Verify it, offline, with\n  timebank verify {pasted} --key {vkey}{policy}"
        )
    })?;
    if is_forked {
        return Err(Failure::Refused(format!("the ledger signed two histories; the evidence is in {file}")).into());
    }
    Ok(())
}

/// What is to be written, and what it proves.
struct Proof {
    /// Of the file, where nobody named another.
    name: String,
    text: String,
    sentence: String,
    /// It convicts the ledger.
    is_forked: bool,
}

async fn prove_event(
    client: &mut Client,
    at: EventRef,
    key: &VerifierKey,
    policy: Option<&WitnessPolicy>,
) -> anyhow::Result<Proof> {
    // Asked first, so that nobody waits for a checkpoint over an entry that doesn't exist.
    answer(client.get_entry(proto::GetEntryRequest { index: at.index.0 })).await?;
    let checkpoint = checkpoint_over(client, at.index.0 + 1, policy).await?;
    let size = parsed(&checkpoint).map_or(0, |checkpoint| checkpoint.size);
    let request = proto::GetEventProofRequest { event: Some(event_ref_message(at)), size };
    let call = client.get_event_proof(request);
    let answer = answer(call).await?;
    let proof = EventProof {
        index: at.index.0,
        event_in_entry: answer.event_in_entry.unwrap_or_default(),
        inclusion: hashes(&answer.inclusion_proof)?,
        checkpoint,
    };
    let verified = proof.verify(key, policy).map_err(|error| wrong(&error))?;
    let (name, text, sentence) = (format!("{at}.tlog-proof"), proof.to_string(), proven(&verified));
    Ok(Proof { name, text, sentence, is_forked: false })
}

async fn prove_growth(
    client: &mut Client,
    old: String,
    key: &VerifierKey,
    policy: Option<&WitnessPolicy>,
) -> anyhow::Result<Proof> {
    let old_size = parsed(&old).ok_or_else(|| usage("--since: not a signed checkpoint"))?.size;
    // Of a checkpoint that the ledger didn't sign, nothing is to be said of its log.
    checkpoint::open(old.as_bytes(), key, key.name())
        .map_err(|error| Failure::Refused(format!("--since: this ledger did not sign that checkpoint: {error}")))?;
    let size = answer(client.get_status(proto::GetStatusRequest {})).await?.size;
    if size < old_size {
        let problem = format!(
            "the log has only {size} entries, and the ledger signed a checkpoint over {old_size}: entries were taken back, or \
             an old copy answers. Keep the checkpoint: it is evidence as soon as the log grows otherwise"
        );
        return Err(Failure::Refused(problem).into());
    }
    let new = checkpoint_over(client, old_size, policy).await?;
    let new_size = parsed(&new).map_or(0, |checkpoint| checkpoint.size);
    let path = consistency_path(client, old_size, new_size).await?;
    let pair = CheckpointPair { ledger: key.clone(), path, old, new };
    let related_by = pair.verify().map_err(|error| wrong(&error))?;
    let is_forked = matches!(related_by.relation, Relation::Forked { .. });
    let name = format!("{}{old_size}-{new_size}.pair", if is_forked { "evidence-" } else { "" });
    Ok(Proof { name, text: pair.to_string(), sentence: related(&related_by), is_forked })
}

/// The path from the server's tree over so many entries to its tree over more; see [`crate::merkle::consistency_roots`].
pub(super) async fn consistency_path(client: &mut Client, old_size: u64, new_size: u64) -> anyhow::Result<Vec<Hash>> {
    if old_size == 0 || old_size == new_size {
        return Ok(Vec::new());
    }
    let call = client.get_consistency_proof(proto::GetConsistencyProofRequest { old_size, new_size });
    let answer = answer(call).await?;
    let mut path = hashes(&answer.hashes)?;
    if old_size.is_power_of_two() {
        path.splice(0..0, hashes(&[answer.old_root])?);
    }
    Ok(path)
}

fn hashes(hashes: &[bytes::Bytes]) -> anyhow::Result<Vec<Hash>> {
    let hash = |hash: &bytes::Bytes| hash.as_ref().try_into();
    let hashes: Result<Vec<Hash>, _> = hashes.iter().map(hash).collect();
    hashes.map_err(|_length| Failure::Refused("the server's proof has a hash that is none".to_owned()).into())
}

fn wrong(error: &dyn std::error::Error) -> anyhow::Error {
    Failure::Refused(format!("what the server sent proves nothing, and was not written: {error}")).into()
}

fn write(out: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    refuse_overwrite(out, force)?;
    // It tells of people: whoever made it decides who reads it.
    atomic_write(out, text.as_bytes(), 0o600).map_err(|error| usage(format!("{}: {error}", out.display())))
}
