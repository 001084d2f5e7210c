//! `timebank prove`

use std::path::{Path, PathBuf};

use clap::ArgGroup;
use serde_json::json;

use super::{
    arguments::event_ref,
    call::{Client, answer},
    checkpoint::{checkpoint_over, read_note, read_policy},
    client::ClientArguments,
    language::language,
    output::{Failure, in_local_time, note, quoted, quoted_text, refuse_overwrite, tell, usage},
    verify::related,
};
use crate::{
    access::{describe::proven, history::place},
    engine::store::atomic_write,
    format::{
        checkpoint::{self, Checkpoint, VerifierKey, policy::WitnessPolicy},
        proof::{CheckpointPair, EventProof, Relation},
        proto, wire,
    },
    ledger::{Event, EventRef},
    merkle::Hash,
};

/// Write a proof that an event is in the ledger, for anybody to verify offline.
///
/// The file shows this one event, its sheet's header and signatures, and nothing of other people: they are hashes in it.
/// With --since it shows instead that the log has only grown since a checkpoint that you kept.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["event", "since"]),
    after_help = "\
Exit codes: 0 proved; 1 refused, or --since finds that the ledger signed two histories: the file
is evidence then; 2 wrong usage, or a file that can't be read or written; 3 the server can't be
reached.

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
        vkey.parse().map_err(|error| Failure::refused(format!("the server's key is none: {error}")))?;
    let Proof { name, text, sentence, is_forked, since } = match (arguments.event, since) {
        (Some(event), _) => prove_event(&mut client, event, &key, policy.as_ref()).await?,
        (None, since) => {
            let proved = prove_growth(&mut client, since.unwrap_or_default(), &key, policy.as_ref()).await;
            if let (Err(error), true) = (&proved, arguments.client.json)
                && let Some(Failure::Refused(problem)) = error.downcast_ref()
            {
                let value = json!({ "verdict": "not proved", "problem": problem.text, "ledger_vkey": vkey });
                tell(true, &value, String::new);
            }
            proved?
        }
    };
    let out = arguments.out.unwrap_or_else(|| PathBuf::from(name));
    let written = write(&out, &text, arguments.force);
    if let (true, Err(error)) = (is_forked, &written) {
        // What was found is more than where it could not be put.
        return Err(Failure::refused(format!("{sentence} The evidence was not written: {error:#}")).into());
    }
    written?;
    let verdict = if is_forked { "forked" } else { "proved" };
    let file = out.display().to_string();
    let mut value = json!({ "verdict": verdict, "file": file, "proves": sentence, "ledger_vkey": vkey });
    if let Some(since) = &since {
        value["record"] = since.json();
    }
    let (pasted, vkey) = (quoted(&out), quoted_text(&vkey));
    tell(arguments.client.json, &value, || {
        if is_forked {
            return format!(
                "{sentence}\nThe evidence is in {file}. Show it to anybody, offline, with\n  \
                 timebank verify-evidence {pasted} --key {vkey}"
            );
        }
        let policy = arguments.witness_policy.as_deref().map(|policy| format!(" --witness-policy {}", quoted(policy)));
        let policy = policy.unwrap_or_default();
        let sentence = in_local_time(&sentence);
        format!(
            "{sentence}{}\nwritten to {file}. Verify it, offline, with\n  timebank verify {pasted} --key {vkey}{policy}",
            since.as_ref().map_or_else(String::new, Since::sentence)
        )
    });
    if is_forked {
        return Err(Failure::refused(format!("the ledger signed two histories; the evidence is in {file}")).into());
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
    /// What became of the record that the event is a version of, as the server says today; the proof itself is of what was
    /// recorded then.
    since: Option<Since>,
}

/// A record as it stands now, seen from one of its versions.
struct Since {
    at: EventRef,
    record: proto::Record,
    /// The event states the service; the reversal doesn't.
    is_version: bool,
}

impl Since {
    /// Asks the server. None where the event is no version of a record.
    async fn ask(client: &mut Client, at: EventRef, is_version: bool) -> Option<Self> {
        let request = proto::GetRecordRequest { event: Some(wire::event_ref_message(at)), min_index: 0 };
        match answer(client.get_record(request)).await {
            Ok(found) => found.record.map(|record| Self { at, record, is_version }),
            Err(error) => match error.downcast_ref() {
                Some(Failure::Refused(refused)) if refused.code.as_deref() == Some("RecordUnknown") => None,
                _ => {
                    // The proof stands without it.
                    note(&format!("whether it was corrected or taken back later could not be asked: {error:#}"));
                    None
                }
            },
        }
    }

    fn json(&self) -> serde_json::Value {
        let Self { record, .. } = self;
        json!({ "record": place(record.record), "newest": place(record.newest), "reversed": record.reversed })
    }

    /// What a reader of the proof should know; nothing where the event is the newest version and stands.
    fn sentence(&self) -> String {
        let Self { at, record, is_version } = self;
        let (original, newest) = (place(record.record), place(record.newest));
        let later = "The proof shows what was recorded then";
        if !is_version {
            format!("\nIt took record {original} back for good.")
        } else if record.reversed {
            format!("\nBut record {original} was taken back for good. {later}, and counts for nothing now.")
        } else if newest != at.to_string() {
            format!("\nBut record {original} was corrected since, last by {newest}. {later}: prove {newest} as well.")
        } else {
            String::new()
        }
    }
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
    let size = Checkpoint::unverified(checkpoint.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
    let request = proto::GetEventProofRequest { event: Some(wire::event_ref_message(at)), size };
    let call = client.get_event_proof(request);
    let answer = answer(call).await?;
    let proof = EventProof {
        index: at.index.0,
        event_in_entry: answer.event_in_entry.unwrap_or_default(),
        inclusion: hashes(&answer.inclusion_proof)?,
        checkpoint,
    };
    let verified = proof.verify(key, policy).map_err(|error| wrong(&error))?;
    let (name, text, sentence) = (format!("{at}.tlog-proof"), proof.to_string(), proven(&verified, language()));
    let since = Since::ask(client, at, !matches!(verified.event, Event::ServiceReversed { .. })).await;
    Ok(Proof { name, text, sentence, is_forked: false, since })
}

async fn prove_growth(
    client: &mut Client,
    old: String,
    key: &VerifierKey,
    policy: Option<&WitnessPolicy>,
) -> anyhow::Result<Proof> {
    let old_size =
        Checkpoint::unverified(old.as_bytes()).ok_or_else(|| usage("--since: not a signed checkpoint"))?.size;
    // Of a checkpoint that the ledger didn't sign, nothing is to be said of its log.
    checkpoint::open(old.as_bytes(), key, key.name())
        .map_err(|error| Failure::refused(format!("--since: this ledger did not sign that checkpoint: {error}")))?;
    let size = answer(client.get_status(proto::GetStatusRequest {})).await?.size;
    if size < old_size {
        let problem = format!(
            "the log has only {size} entries, and the ledger signed a checkpoint over {old_size}: entries were taken back, or \
             an old copy answers. Keep the checkpoint: it is evidence as soon as the log grows otherwise"
        );
        return Err(Failure::refused(problem).into());
    }
    let new = checkpoint_over(client, old_size, policy).await?;
    let new_size = Checkpoint::unverified(new.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
    let path = consistency_path(client, old_size, new_size).await?;
    let pair = CheckpointPair { ledger: key.clone(), path, old, new };
    let related_by = pair.verify().map_err(|error| wrong(&error))?;
    let is_forked = matches!(related_by.relation, Relation::Forked { .. });
    let name = format!("{}{old_size}-{new_size}.pair", if is_forked { "evidence-" } else { "" });
    Ok(Proof { name, text: pair.to_string(), sentence: related(&related_by), is_forked, since: None })
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
    hashes.map_err(|_length| Failure::refused("the server's proof has a hash that is none".to_owned()).into())
}

fn wrong(error: &dyn std::error::Error) -> anyhow::Error {
    Failure::refused(format!("what the server sent proves nothing, and was not written: {error}")).into()
}

fn write(out: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    refuse_overwrite(out, force)?;
    // It tells of people: whoever made it decides who reads it.
    atomic_write(out, text.as_bytes(), 0o600).map_err(|error| usage(format!("{}: {error}", out.display())))
}
