//! What a flipped bit is: harmless, derived, or damage; and whether all who open the folder say the same.

use super::{
    opened::{Said, Served},
    told::Again,
};

/// What `fsck` says of a folder, which all others have to bear out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nobody says anything, and all that was told is told again.
    Harmless,
    /// What follows from the log is damaged: a server starts, and tells what it told or nothing; the log is as it was.
    Derived,
    /// Something beside the log is damaged that serving doesn't need, or goes without.
    Beside,
    /// The log, the checkpoint or the ledger's key: nobody takes it for sound.
    Damage,
}

/// What an audit says of hashes of the tree. They follow from the log.
const TREE_DAMAGED: &str = "tree hash";

/// Places whose damage keeps a server from starting; and an audit and an export too, but for the key, which they don't read.
const LEDGER_KEY: &str = "ledger.key";
const CHECKPOINT: &str = "checkpoint";

/// Holds what all of them say against each other.
///
/// # Errors
/// Who says otherwise.
pub fn verdict(said: &Said) -> Result<Verdict, String> {
    let Said { fsck, audit, restored, served, linked } = said;
    let disagree = |who: &str| Err(format!("{who} disagrees with fsck: {said:?}"));
    let tells_all = matches!(served, Served::Tells(Again::All));
    if linked.is_some() && !fsck.damaged.iter().any(|(part, _)| part == "directory") {
        return disagree("an import");
    }
    let is_log = fsck.damaged.iter().any(|(part, _)| part == "log" || part == "tree");
    let is_at = |name: &str| fsck.damaged.iter().any(|(_, place)| place == name);
    if is_log || is_at(CHECKPOINT) {
        return match (audit, restored, served) {
            (None, ..) => disagree("audit"),
            (_, None, _) => disagree("export"),
            // Blocks under the snapshot aren't read again by a start: whoever asks for an entry of theirs is told.
            (_, _, Served::Tells(Again::All)) => disagree("serve"),
            (_, _, Served::Tells(Again::NotAll(_))) if is_at(CHECKPOINT) => disagree("serve"),
            _ => Ok(Verdict::Damage),
        };
    }
    let names_tree = fsck.derived.contains("tree") && audit.as_ref().is_some_and(|words| words.contains(TREE_DAMAGED));
    if audit.is_some() && !names_tree {
        return disagree("audit");
    }
    let is_key = fsck.damaged.iter().any(|(part, _)| part == "keys");
    if restored.is_some() && !is_key {
        return disagree("restore");
    }
    if is_at(LEDGER_KEY) {
        return if matches!(served, Served::Refuses(_)) { Ok(Verdict::Damage) } else { disagree("serve") };
    }
    // A proof that damage spoiled isn't given out, nor what is read from a row that doesn't fit.
    let names = |part: &str| fsck.derived.contains(part);
    let may_be_silent = (names("projections") || names("tree")) && matches!(served, Served::Tells(_));
    if !tells_all && !may_be_silent {
        return disagree("serve");
    }
    Ok(match (fsck.damaged.is_empty(), fsck.derived.is_empty()) {
        (true, true) => Verdict::Harmless,
        (true, false) => Verdict::Derived,
        (false, _) => Verdict::Beside,
    })
}
