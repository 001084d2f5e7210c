//! What the process told others, and where in its trace: from the line on in which the call that tells it began, anybody may
//! have heard it.

use prost::Message as _;
use timebank::format::{
    checkpoint::{self, VerifierKey},
    proto,
};

use super::trace::{Call, escaped};

/// So much of an answer tells it from all others, as index and time come first. Longer ones leave in several frames.
const BEGINNING_BYTES: usize = 64;

/// Something that has to hold from now on.
#[derive(Debug, Clone)]
pub enum Told {
    /// That there is a ledger: its verifier key, and the leaf hash of its entry 0.
    Created { vkey: String, genesis_leaf_hash: String },
    /// That a sheet, by its number, has this place.
    Recorded { sheet: usize, receipt: proto::Receipt },
    /// A signed note.
    Published(String),
}

/// Texts of calls by which bytes leave a process, as they stand in the trace, with their lines. Vectors are joined.
fn outgoing(calls: &[Call]) -> impl Iterator<Item = (usize, String)> {
    let leaves = |call: &&Call| {
        let is_heard = |shown: String| shown.starts_with("socket:") || shown.starts_with("pipe:");
        ["write", "writev", "sendto"].contains(&call.name.as_str()) && call.shown(0).is_some_and(is_heard)
    };
    calls.iter().filter(leaves).map(|call| (call.began, call.argument(1).split('"').skip(1).step_by(2).collect()))
}

/// What callers were answered.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    pub status: Option<proto::GetStatusResponse>,
    /// Each of a sheet by its number.
    pub submitted: Vec<(usize, proto::SubmitResponse)>,
}

/// All that was told in a trace, with the lines.
///
/// # Errors
/// An answer that somebody got and that the trace doesn't have in one piece: when it was given is not known then.
pub fn told(calls: &[Call], key: Option<&VerifierKey>, answers: &Answers) -> Result<Vec<(usize, Told)>, String> {
    let outgoing: Vec<(usize, String)> = outgoing(calls).collect();
    let line_of = |bytes: &[u8], what: &str| {
        let bytes = escaped(bytes);
        let given = outgoing.iter().find(|(_, text)| text.contains(&bytes));
        given.map(|(line, _)| *line).ok_or_else(|| format!("the answer to {what} is nowhere in the trace"))
    };
    let mut told = Vec::new();
    for (sheet, answer) in &answers.submitted {
        let bytes = answer.encode_to_vec();
        let line = line_of(&bytes[..bytes.len().min(BEGINNING_BYTES)], &format!("sheet {sheet}"))?;
        if let Some(publication) = &answer.publication {
            line_of(publication.checkpoint.as_bytes(), &format!("sheet {sheet}, its checkpoint,"))?;
        }
        let receipt = answer.receipt.clone().ok_or("an answer without a receipt")?;
        told.push((line, Told::Recorded { sheet: *sheet, receipt }));
    }
    if let Some(status) = &answers.status {
        let (vkey, genesis_leaf_hash) = (status.ledger_vkey.clone(), hex::encode(&status.genesis_leaf_hash));
        told.push((line_of(&status.encode_to_vec(), "GetStatus")?, Told::Created { vkey, genesis_leaf_hash }));
    }
    for (line, text) in &outgoing {
        told.extend(created(text).map(|created| (*line, created)));
        if let Some(key) = key {
            told.extend(notes(text, key).into_iter().map(|note| (*line, Told::Published(note))));
        }
    }
    told.sort_by_key(|(line, _)| *line);
    Ok(told)
}

/// What a first start says on its standard output.
fn created(text: &str) -> Option<Told> {
    if !text.contains(&escaped(b"created a new ledger")) {
        return None;
    }
    let text = String::from_utf8(bytes_of(text)).ok()?;
    let after = |word: &str| Some(text.split_once(word)?.1.split_whitespace().next()?.to_owned());
    Some(Told::Created { vkey: after("ledger key")?, genesis_leaf_hash: after("genesis leaf")? })
}

/// Every checkpoint in it that the ledger signed.
fn notes(text: &str, key: &VerifierKey) -> Vec<String> {
    let begin = escaped(format!("{}\n", key.name()).as_bytes());
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&begin) {
        let rest = String::from_utf8_lossy(&bytes_of(&text[at..])).into_owned();
        let Some((body, signatures)) = rest.split_once("\n\n") else { continue };
        let Some((line, _)) = signatures.split_once('\n') else { continue };
        let note = format!("{body}\n\n{line}\n");
        if checkpoint::open(note.as_bytes(), key, key.name()).is_ok() {
            found.push(note);
        }
    }
    found
}

/// The bytes of a text.
fn bytes_of(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map_while(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}
