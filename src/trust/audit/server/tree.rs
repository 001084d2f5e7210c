//! Where a server's log is another than the tree that its checkpoint signs.

use super::{Entries, Server, ServerError};
use crate::{
    format::checkpoint::Checkpoint,
    merkle::{Frontier, Hash, consistency_roots, leaf_hash},
};

/// Entries between two questions where the server's tree begins to differ: one question costs as much as a few entries.
const LOCATED_ENTRIES: u64 = 4_096;

/// The tree that a server's checkpoint is over, by the server's own proofs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerTree {
    size: u64,
    root: Option<Hash>,
}

impl ServerTree {
    pub(super) fn new(checkpoint: &Checkpoint) -> Self {
        Self { size: checkpoint.size, root: checkpoint.root_hash().ok() }
    }

    /// The root of the first entries; none where the server's proof doesn't lead to its checkpoint.
    pub(super) fn root_over<S: Server>(self, server: &mut S, size: u64) -> Result<Option<Hash>, ServerError<S::Error>> {
        let Some(root) = self.root.filter(|_| (1..=self.size).contains(&size)) else { return Ok(None) };
        if size == self.size {
            return Ok(Some(root));
        }
        let path = server.consistency_path(size, self.size)?;
        Ok(consistency_roots(size, self.size, &path).ok().filter(|(_, now)| *now == root).map(|(then, _)| then))
    }

    /// The first entry that the server sends and that isn't in the tree of its checkpoint, after those that `frontier` is
    /// over: each 4,096 entries the server is asked for its root, and once that differs, the entry is sought among them by
    /// halves. None where the server has no tree that leads to its checkpoint.
    pub(super) fn first_other<S: Server>(
        self,
        server: &mut S,
        mut frontier: Frontier,
    ) -> Result<Option<u64>, ServerError<S::Error>> {
        let mut next = frontier.size();
        let mut entries = server.entries(next)?;
        while next < self.size {
            let first = next;
            let roots = self.own_roots(&mut entries, &mut frontier)?;
            next += roots.len() as u64;
            if self.root_over(server, next)? == roots.last().copied() {
                continue;
            }
            // Once a root differs, all that follow do.
            let (mut low, mut high) = (0, roots.len() - 1);
            while low < high {
                let middle = usize::midpoint(low, high);
                match self.root_over(server, first + middle as u64 + 1)? {
                    None => return Ok(None),
                    theirs if theirs == roots.get(middle).copied() => low = middle + 1,
                    Some(_) => high = middle,
                }
            }
            return Ok(Some(first + low as u64));
        }
        Ok(None)
    }

    /// The roots after each of the entries that come next.
    fn own_roots<E>(self, entries: &mut Entries<E>, frontier: &mut Frontier) -> Result<Vec<Hash>, ServerError<E>> {
        let (mut roots, end) = (Vec::new(), frontier.size().saturating_add(LOCATED_ENTRIES).min(self.size));
        while frontier.size() < end {
            for entry in entries(frontier.size())? {
                frontier.append(leaf_hash(&entry.leaf()), |_| ());
                roots.push(frontier.root());
            }
        }
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::{
        engine::log::StoredEntry,
        format::{checkpoint::policy::WitnessPolicy, proto},
        trust::audit::{TreeFile, server::Asked},
    };

    fn entry(index: u64, recorded_at_ms: i64) -> StoredEntry {
        let header = bytes::Bytes::new();
        StoredEntry { index, recorded_at_ms, header, signatures: Vec::new(), events: Vec::new() }
    }

    /// A server that signs other entries than it sends, from `fork` on.
    struct Forger {
        signed: TreeFile,
        whole: (u64, Hash),
        /// It shows paths that lead to its checkpoint.
        is_helpful: bool,
    }

    impl Forger {
        fn new(size: u64, fork: u64) -> Self {
            let (mut signed, mut frontier) = (TreeFile::temporary().unwrap(), Frontier::default());
            for index in 0..size {
                let leaf = leaf_hash(&entry(index, i64::from(index >= fork)).leaf());
                frontier.append(leaf, |hash| signed.push(&hash).unwrap());
            }
            Self { signed, whole: (size, frontier.root()), is_helpful: true }
        }

        fn first_other(&mut self, known: u64) -> Option<u64> {
            let mut frontier = Frontier::default();
            (0..known).for_each(|index| frontier.append(leaf_hash(&entry(index, 0).leaf()), |_| ()));
            ServerTree { size: self.whole.0, root: Some(self.whole.1) }.first_other(self, frontier).unwrap()
        }
    }

    fn unasked<T>() -> Asked<T, &'static str> {
        Err(ServerError::NoAnswer("nobody asks for this"))
    }

    impl Server for Forger {
        type Error = &'static str;

        fn status(&mut self) -> Asked<proto::GetStatusResponse, &'static str> {
            unasked()
        }

        fn list_accounts(&mut self, _: proto::ListAccountsRequest) -> Asked<proto::ListAccountsResponse, &'static str> {
            unasked()
        }

        fn list_holds(&mut self, _: proto::ListHoldsRequest) -> Asked<proto::ListHoldsResponse, &'static str> {
            unasked()
        }

        fn list_history(&mut self, _: proto::ListHistoryRequest) -> Asked<proto::ListHistoryResponse, &'static str> {
            unasked()
        }

        fn state_digest(
            &mut self,
            _: proto::GetStateDigestRequest,
        ) -> Asked<proto::GetStateDigestResponse, &'static str> {
            unasked()
        }

        fn checkpoints(&mut self) -> Asked<proto::GetCheckpointResponse, &'static str> {
            unasked()
        }

        fn checkpoint_over(&mut self, _: u64, _: Option<&WitnessPolicy>) -> Asked<String, &'static str> {
            unasked()
        }

        fn consistency_path(&mut self, old_size: u64, _: u64) -> Asked<Vec<Hash>, &'static str> {
            let path = self.signed.beginning(self.whole, old_size).unwrap().unwrap().path;
            Ok(if self.is_helpful { path } else { vec![Hash::default(); path.len()] })
        }

        fn entries(&mut self, _: u64) -> Asked<Entries<&'static str>, &'static str> {
            Ok(Box::new(|index| Ok(vec![entry(index, 0)])))
        }
    }

    #[test]
    fn the_first_entry_that_was_not_signed_is_found_wherever_it_is() {
        for (size, forks) in [(1, vec![0]), (2, vec![0, 1]), (9, (0..9).collect()), (9_000, vec![4_095, 4_096, 8_999])]
        {
            for fork in forks {
                let mut server = Forger::new(size, fork);
                for known in [0, fork / 2, fork] {
                    assert_eq!(server.first_other(known), Some(fork), "of {size}, from {known} on");
                }
            }
        }
        assert_eq!(Forger::new(9, 9).first_other(0), None, "all are signed");
    }

    #[test]
    fn a_server_that_shows_no_tree_of_its_checkpoint_names_no_entry() {
        let mut server = Forger { is_helpful: false, ..Forger::new(9_000, 5_000) };
        assert_eq!(server.first_other(0), None);
    }
}
