//! One pass through the log: what is read is held against what the tree and the roots say of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    PROBLEMS_TOLD_MAX,
    problem::{Problem, RootOf},
};
use crate::{
    engine::{
        log::{Log, StoredEntry},
        node::Node,
        sequencer::Published,
        store::{StoreError, is_short},
        tree::Tree,
    },
    format::wire,
    merkle::{Frontier, Hash, leaf_hash, stored_hash_count, stored_hash_number},
};

/// Bytes of headers and events read at a time: about half a leaf of sled, which is read whole (119,000 bytes, see
/// `VALUE_BYTES_MAX`). With signatures, one more entry of 300 KiB at most, and what one entry becomes when it is decoded, that is
/// all that a pass holds.
const READ_BYTES: usize = 64 * 1_024;

/// Something is short on this machine, as it says: nothing is known of the disk.
type Short = String;

/// What the tree has otherwise than the entries, since the last root. Of each kind as many as are told in a pass.
#[derive(Debug, Clone, Default)]
struct Differences {
    /// Entries whose leaf is another.
    leaves: Vec<u64>,
    /// Hashes above leaves, by number, with the entry that completes them.
    above: Vec<(u64, u64)>,
}

/// A pass, from entry 0 to where it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Pass {
    /// The edge that the entries lead to, as they were read.
    by_log: Frontier,
    /// The edge that the leaves in the tree's file lead to. Where it is the other's, nothing was found.
    by_tree: Frontier,
    /// What no root has settled yet.
    differs: Differences,
    /// The last root was that of neither edge, which is told: which of two is right, nothing tells until one fits again.
    in_doubt: bool,
    is_whole: bool,
}

impl Pass {
    /// Entries that were read.
    pub(super) const fn size(&self) -> u64 {
        self.by_log.size()
    }

    /// Whether it once was where the log ended.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Reads on; how many bytes, or none where there is nothing more.
    pub(super) fn go_on(
        &mut self,
        node: &Node,
        published: &Published,
        found: &mut Vec<Problem>,
    ) -> Result<Option<usize>, Short> {
        let first = self.size();
        let logged = node.log.size();
        // The tree follows the log: each commit is in it a moment later.
        let end = logged.min(node.tree.size());
        if first >= end {
            return Ok(None);
        }
        let entries = match read(node.log.as_ref(), first, end)? {
            Ok(entries) => entries,
            Err(problem) => {
                found.push(Problem::Unreadable { index: first, problem });
                Vec::new()
            }
        };
        let bytes = entries.iter().map(StoredEntry::encoded_length).sum();
        let next = first + (entries.len() as u64).max(1);
        let in_tree = hashes(&node.tree, first, next, found)?;
        let mut entries = entries.iter();
        for index in first..next {
            let leaf = entries.next().map(|entry| leaf(entry, found));
            self.take(leaf, (stored_hash_count(first), &in_tree));
            self.hold_against_roots(node.log.as_ref(), index + 1 == logged, published, found)?;
        }
        self.is_whole |= next == end;
        Ok(Some(bytes))
    }

    /// The next entry: its leaf, where it could be read, and hashes that the tree has, from number `from` on.
    fn take(&mut self, leaf: Option<Hash>, (from, in_tree): (u64, &[Hash])) {
        let index = self.size();
        let mut number = stored_hash_count(index);
        let in_tree = |number: u64| in_tree.get(usize::try_from(number - from).ok()?).copied();
        let leaf_in_tree = in_tree(number);
        // What one of them doesn't have the other says; no root is that of nothing.
        let (by_log, by_tree) = (leaf.or(leaf_in_tree), leaf_in_tree.or(leaf));
        self.in_doubt |= by_log.is_none();
        self.by_tree.append(by_tree.unwrap_or_default(), |_| ());
        let Differences { leaves, above } = &mut self.differs;
        if by_log != by_tree {
            note(leaves, index);
        }
        self.by_log.append(by_log.unwrap_or_default(), |hash| {
            let is_leaf = number == stored_hash_count(index);
            if !is_leaf && in_tree(number).is_some_and(|in_tree| in_tree != hash) {
                note(above, (number, index));
            }
            number += 1;
        });
    }

    /// Holds both edges against what is known to be the root over just so many entries.
    fn hold_against_roots(
        &mut self,
        log: &dyn Log,
        is_newest: bool,
        published: &Published,
        found: &mut Vec<Problem>,
    ) -> Result<(), Short> {
        let size = self.size();
        match asked(|| log.root(size))? {
            Ok(Some(root)) => self.settle(&root, RootOf::Commit, found),
            // Only a commit's end has one, and the newest entry is one.
            Ok(None) if is_newest => {
                found.push(Problem::RootUnreadable { size, problem: "it is missing".to_owned() });
            }
            Ok(None) => {}
            Err(problem) => found.push(Problem::RootUnreadable { size, problem }),
        }
        if published.size == size {
            self.settle(&published.root(), RootOf::Checkpoint, found);
        }
        Ok(())
    }

    /// A root says who is right where log and tree differ.
    fn settle(&mut self, root: &Hash, of: RootOf, found: &mut Vec<Problem>) {
        let Differences { leaves, above } = std::mem::take(&mut self.differs);
        if self.by_log.root() == *root {
            let leaves = leaves.into_iter().map(|index| (stored_hash_number(0, index), index));
            found.extend(leaves.chain(above).map(|(number, index)| Problem::Hash { number, index }));
            (self.by_tree, self.in_doubt) = (self.by_log.clone(), false);
        } else if self.by_tree.root() == *root {
            // What is above such leaves can't be the entries' either.
            found.extend(leaves.into_iter().map(|index| Problem::Differs { index }));
            (self.by_log, self.in_doubt) = (self.by_tree.clone(), false);
        } else {
            found.extend(leaves.into_iter().map(|index| Problem::NotOfEachOther { index }));
            if !std::mem::replace(&mut self.in_doubt, true) {
                found.push(Problem::Root { size: self.size(), of });
            }
        }
    }
}

/// Keeps what there is room for.
fn note<T>(differences: &mut Vec<T>, difference: T) {
    if differences.len() < PROBLEMS_TOLD_MAX {
        differences.push(difference);
    }
}

/// The leaf of an entry. Decoding it holds its events against the root in its header.
fn leaf(entry: &StoredEntry, found: &mut Vec<Problem>) -> Hash {
    leaf_hash(&match wire::decode_entry(entry) {
        Ok(decoded) => wire::leaf(entry.index, entry.recorded_at_ms, &decoded.header_hash, &decoded.signatures_hash),
        Err(refusal) => {
            found.push(Problem::Undecodable { index: entry.index, refusal });
            entry.leaf()
        }
    })
}

/// Entries from `first` on, before `end`; at least one, or why there is none.
fn read(log: &dyn Log, first: u64, end: u64) -> Result<Result<Vec<StoredEntry>, String>, Short> {
    let mut read = asked(|| log.entries(first, READ_BYTES))?;
    if read.is_err() {
        // It may be over any of them: the first alone says whether it is over that.
        read = asked(|| log.entries(first, 1))?;
    }
    Ok(read.and_then(|mut entries| {
        entries.truncate(usize::try_from(end - first).unwrap_or(usize::MAX));
        if entries.is_empty() { Err("it is missing".to_owned()) } else { Ok(entries) }
    }))
}

/// What the log gives, or says.
fn asked<T>(ask: impl FnOnce() -> Result<T, StoreError>) -> Result<Result<T, String>, Short> {
    // sled asserts that what it reads is what it wrote.
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(given)) => Ok(Ok(given)),
        Ok(Err(error)) => of_log(error).map(Err),
        Err(_panicked) => Ok(Err("the log's store failed over its bytes".to_owned())),
    }
}

/// The hashes that these entries made complete; nothing where they can't be read.
fn hashes(tree: &Tree, first: u64, next: u64, found: &mut Vec<Problem>) -> Result<Vec<Hash>, Short> {
    tree.hashes_of(first..next).or_else(|error| match error.of_system() {
        Some(source) if is_short(source) => Err(error.to_string()),
        _ => {
            found.push(Problem::HashesUnreadable { index: first, problem: error.to_string() });
            Ok(Vec::new())
        }
    })
}

/// What the log says of a read that failed.
fn of_log(error: StoreError) -> Result<String, Short> {
    let text = error.to_string();
    match error {
        StoreError::Io { source, .. } | StoreError::BackendIo(source) if is_short(&source) => Err(text),
        StoreError::Io { .. }
        | StoreError::BackendIo(_)
        | StoreError::SyncFailed(_)
        | StoreError::NotInPlace { .. }
        | StoreError::CommitsLost { .. }
        | StoreError::CommitsUnknown { .. }
        | StoreError::InUse { .. }
        | StoreError::Backend(_)
        | StoreError::BlobsNotEmpty { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Gap { .. }
        | StoreError::Fenced { .. } => Ok(text),
    }
}
