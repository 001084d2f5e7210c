//! Checkpoints and what they are held to, as several commands need them.

use std::{fs::File, io::Read, path::Path, time::Duration};

use super::{
    call::{Client, answer},
    output::{Failure, quoted, usage},
};
use crate::{
    engine::store::read_text,
    format::{
        checkpoint::{Checkpoint, NOTE_BYTES_MAX, Note, policy::WitnessPolicy},
        proto,
    },
};

/// How often, and how long, a checkpoint over what was answered is waited for: one is due within a second, a cosigned one
/// some seconds later.
const CHECKPOINT_TRIES: u32 = 100;
const CHECKPOINT_WAIT: Duration = Duration::from_millis(200);

/// A policy from its file.
pub(super) fn read_policy(path: &Path) -> anyhow::Result<WitnessPolicy> {
    let wrong = |problem: String| usage(format!("{}: {problem}", path.display()));
    let text = read_text(path).map_err(|error| wrong(error.to_string()))?;
    WitnessPolicy::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// A checkpoint that somebody kept.
pub(super) fn read_note(path: &Path) -> anyhow::Result<String> {
    let wrong = |problem: &dyn std::fmt::Display| usage(format!("{}: {problem}", path.display()));
    let bytes = read_bounded(path, NOTE_BYTES_MAX)?;
    if bytes.len() > NOTE_BYTES_MAX {
        return Err(wrong(&"longer than any checkpoint"));
    }
    String::from_utf8(bytes).map_err(|_error| wrong(&"it holds something else than text, and no checkpoint"))
}

/// The bytes of a file of a bounded format: one more than `max` at most, so that a reader sees that it is too long.
pub(super) fn read_bounded(path: &Path, max: usize) -> anyhow::Result<Vec<u8>> {
    let unread = |error: std::io::Error| usage(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

/// The server's checkpoint, once it is over so many entries; where a policy is to be satisfied, the cosigned one.
pub(super) async fn checkpoint_over(
    client: &mut Client,
    size: u64,
    policy: Option<&WitnessPolicy>,
) -> anyhow::Result<String> {
    let satisfies = |note: &str| match policy {
        Some(policy) => Note::parse(note.as_bytes()).is_ok_and(|note| policy.satisfied(&note).is_ok()),
        None => true,
    };
    let covers = |note: &str| Checkpoint::unverified(note.as_bytes()).is_none_or(|checkpoint| checkpoint.size >= size);
    let mut newest = String::new();
    for _ in 0..CHECKPOINT_TRIES {
        let call = client.get_checkpoint(proto::GetCheckpointRequest {});
        let answer = answer(call).await?;
        for note in [&answer.cosigned, &answer.checkpoint] {
            if !note.is_empty() && covers(note) && satisfies(note) {
                return Ok(note.clone());
            }
        }
        newest =
            if covers(&answer.cosigned) && !answer.cosigned.is_empty() { answer.cosigned } else { answer.checkpoint };
        tokio::time::sleep(CHECKPOINT_WAIT).await;
    }
    if policy.is_some() && Checkpoint::unverified(newest.as_bytes()).is_some_and(|checkpoint| checkpoint.size >= size) {
        // The policy will say who is missing.
        return Ok(newest);
    }
    let problem = format!("the server signed no checkpoint over {size} entries, which its answers reflect");
    Err(Failure::refused(problem).into())
}

/// What to do with evidence.
pub(super) fn show_evidence(path: &Path) -> String {
    format!("The evidence is in {}: `timebank verify-evidence {}` shows it to anybody", path.display(), quoted(path))
}
