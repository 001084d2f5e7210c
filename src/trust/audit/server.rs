//! The audit of a running server: its log, and everything that it answers.

mod answers;
mod signed;
mod tree;

use std::{fmt, ops::Range};

use self::{answers::ServerAnswers, tree::ServerTree};
use super::{
    Audit, AuditError, AuditReport, Auditor, Discrepancy, MemoryFolder, Unjudged,
    judge::{outcome, remember, until_judged, witnessed},
    kept::KeptHistory,
    memory::{Begin, Memory, SourceKind, StateSlot},
    state::{Remembered, Resumed},
    stop::Stop,
};
use crate::{
    engine::{
        log::StoredEntry,
        pipeline::{self, Replayed},
        progress::Work,
        projection::{Committed, Projection},
        replay::Replay,
    },
    format::{
        checkpoint::{Checkpoint, policy::WitnessPolicy},
        proto,
    },
    merkle::Hash,
};

/// What an audit asks a server. Each call waits for its answer, and ends as [`ServerError::NoAnswer`] where the server stays
/// silent or the auditor wants no more.
pub trait Server {
    /// What whoever carries the calls says of one that failed.
    type Error: fmt::Debug + fmt::Display + Send;

    /// How many accounts, holds and entries the server says that there are.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn status(&mut self) -> Asked<proto::GetStatusResponse, Self::Error>;

    /// A page of all accounts.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn list_accounts(&mut self, request: proto::ListAccountsRequest)
    -> Asked<proto::ListAccountsResponse, Self::Error>;

    /// A page of all open holds.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn list_holds(&mut self, request: proto::ListHoldsRequest) -> Asked<proto::ListHoldsResponse, Self::Error>;

    /// A page of an account's history.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn list_history(&mut self, request: proto::ListHistoryRequest) -> Asked<proto::ListHistoryResponse, Self::Error>;

    /// The digest of all histories. A server makes one at a time: while it makes another's, this waits.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn state_digest(
        &mut self,
        request: proto::GetStateDigestRequest,
    ) -> Asked<proto::GetStateDigestResponse, Self::Error>;

    /// The newest checkpoint, and the newest that witnesses cosigned.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn checkpoints(&mut self) -> Asked<proto::GetCheckpointResponse, Self::Error>;

    /// The server's checkpoint, once it is over so many entries; where a policy is to be satisfied, the cosigned one.
    ///
    /// # Errors
    /// [`ServerError::Refused`], also where the server signs no such checkpoint in the time that one is waited for;
    /// [`ServerError::NoAnswer`].
    fn checkpoint_over(&mut self, size: u64, policy: Option<&WitnessPolicy>) -> Asked<String, Self::Error>;

    /// The path from the server's tree over so many entries to its tree over more; see
    /// [`consistency_roots`](crate::merkle::consistency_roots).
    ///
    /// # Errors
    /// [`ServerError::Refused`], also where what it sent are no hashes; [`ServerError::NoAnswer`].
    fn consistency_path(&mut self, old_size: u64, new_size: u64) -> Asked<Vec<Hash>, Self::Error>;

    /// The server's log from an index on.
    ///
    /// # Errors
    /// [`ServerError::Refused`], [`ServerError::NoAnswer`].
    fn entries(&mut self, from_index: u64) -> Asked<Entries<Self::Error>, Self::Error>;
}

/// An answer, or why there is none.
pub type Asked<T, E> = Result<T, ServerError<E>>;

/// Gives the entries that come next from an index on, at least one; it is asked in order.
pub type Entries<E> = Box<dyn FnMut(u64) -> Asked<Vec<StoredEntry>, E> + Send>;

/// Why a server can't be audited.
#[derive(Debug, thiserror::Error)]
pub enum ServerError<E> {
    /// The ledger itself says no, or what it sent is none of what was asked for: it would be the same again.
    #[error("{0}")]
    Refused(E),
    /// The server can't be reached, or doesn't answer now: that says nothing of the ledger.
    #[error("{0}")]
    NoAnswer(E),
    /// A server may tell a list page by page without end.
    #[error("the server's list of {what} does not end, after {rows} of them")]
    EndlessList {
        /// Of what it is.
        what: &'static str,
        /// Rows that were told.
        rows: usize,
    },
    /// An answer reflects an entry that isn't there.
    #[error("the server's answers reflect entry {last}, but its log has only {size} entries")]
    BeyondItsLog {
        /// The last entry that an answer reflects.
        last: u64,
        /// Entries of the log.
        size: u64,
    },
    /// What the server gives for its checkpoint is something else.
    #[error("the server's checkpoint is none")]
    CheckpointMissing,
}

impl<E> ServerError<E> {
    /// Whether it is the server's own doing, and not that it can't be reached.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::EndlessList { .. } | Self::BeyondItsLog { .. } | Self::CheckpointMissing => true,
            Self::NoAnswer(_) => false,
        }
    }
}

impl<E> From<ServerError<E>> for Unjudged<ServerError<E>> {
    fn from(error: ServerError<E>) -> Self {
        Self::Source(error)
    }
}

type Unaudited<S> = Unjudged<ServerError<<S as Server>::Error>>;

/// Audits a server, from what is remembered on, and from the beginning where that doesn't pass. `connect` is asked for a
/// connection each time.
///
/// # Errors
/// Nothing could be judged.
pub fn audit<S: Server>(
    mut connect: impl FnMut() -> Asked<S, S::Error>,
    auditor: &Auditor,
) -> Result<AuditReport, Unaudited<S>> {
    until_judged(auditor, |folder, begin| attempt(connect()?, auditor, (folder, begin)))
}

/// Gathers everything that a server answers, and holds it against a replay of its log. None where this auditor's own files
/// turn out to be damaged.
fn attempt<S: Server>(
    mut server: S,
    auditor: &Auditor,
    (folder, begin): (&MemoryFolder, Begin),
) -> Result<Option<AuditReport>, Unaudited<S>> {
    let answers = ServerAnswers::gather(&mut server)?;
    let note = server.checkpoint_over(answers.last_index().saturating_add(1), auditor.policy)?;
    let Some(checkpoint) = Checkpoint::unverified(note.as_bytes()) else {
        return Err(ServerError::CheckpointMissing.into());
    };
    let mut memory = Memory::new(folder, &checkpoint.origin, SourceKind::Server)?;
    let kept = KeptHistory::open(&mut memory, &checkpoint.origin, auditor.pin)?;
    let tree = ServerTree::new(&checkpoint);
    let mut auditing = Auditing { auditor, server, tree, checkpoint, note, kept, memory };
    let report = auditing.judge(&answers, begin)?;
    auditing.memory.discard();
    Ok(report.map(|report| report.remembered(auditing.memory.condition())))
}

/// The audit of a server's log up to one checkpoint.
struct Auditing<'a, S> {
    auditor: &'a Auditor<'a>,
    server: S,
    tree: ServerTree,
    /// The checkpoint, and its note.
    checkpoint: Checkpoint,
    note: String,
    kept: KeptHistory,
    memory: Memory,
}

impl<S: Server> Auditing<'_, S> {
    /// Replays the log up to a checkpoint that covers all that was answered, and compares.
    fn judge(&mut self, answers: &ServerAnswers, begin: Begin) -> Result<Option<AuditReport>, Unaudited<S>> {
        let pin = self.auditor.pin;
        let is_pinned = pin.is_some() || self.kept.is_pinned;
        if let Some(found) = self.taken_back()? {
            let size = self.kept.size().unwrap_or(0);
            return Ok(Some(AuditReport::of_memory(self.kept.pin.clone(), (is_pinned, size), found)));
        }
        let remembered = self.begin_with(begin)?;
        let frontier = remembered.replay.frontier.clone();
        let entries = self.server.entries(frontier.size())?;
        let Looked { report, own, mut audit } = self.replay(entries, is_pinned, answers, remembered)?;
        if report.is_other_history() {
            // The verdict stands, whether the server helps to find the entry or not.
            let entry = self.tree.first_other(&mut self.server, frontier).unwrap_or_default();
            return Ok(Some(report.naming(entry)));
        }
        if self.kept.pin.is_none() && pin.is_none() {
            // Where the memory doesn't say whose it is, the log does.
            self.kept.pin = audit.genesis().cloned();
            if let Some(found) = self.taken_back()? {
                return Ok(Some(report.with(found)));
            }
        }
        let kept = (&mut self.kept, &own);
        let remembered = remember(self.auditor, &self.memory, kept, (&self.note, &mut audit), report)?;
        let Some(report) = remembered else { return Ok(None) };
        let report = witnessed(self.auditor, &self.note, report);
        let (true, Some(genesis)) = (report.is_verified(), audit.genesis()) else { return Ok(Some(report)) };
        if let Some(found) = self.also_signed(genesis)? {
            return Ok(Some(report.with(found)));
        }
        match answers.check_histories(&mut self.server, &own)? {
            Ok(()) => Ok(Some(report.compared(answers.last_index()))),
            Err(found) => Ok(Some(report.with(*found))),
        }
    }

    /// The state that the log continues, or one at the beginning.
    fn begin_with(&mut self, begin: Begin) -> Result<Remembered, Unaudited<S>> {
        let expected = self.kept.expected(self.auditor.pin);
        let origin = &self.checkpoint.origin;
        for slot in StateSlot::BOTH {
            let Some(remembered) = self.memory.open(slot, origin, begin) else { continue };
            if remembered.size() == 0 {
                return Ok(remembered);
            }
            // Otherwise another ledger, or not what this checkpoint is over.
            if remembered.is_of(expected.as_ref()) {
                let root = self.tree.root_over(&mut self.server, remembered.size())?;
                if root == Some(remembered.replay.frontier.root()) {
                    return Ok(remembered);
                }
            }
        }
        self.memory.begin(origin).map_err(Unjudged::own_files)
    }

    /// Replays what the server sends, and looks at each answer where the replay has come to the entry that it reflects.
    fn replay(
        &self,
        mut entries: Entries<S::Error>,
        is_pinned: bool,
        answers: &ServerAnswers,
        remembered: Remembered,
    ) -> Result<Looked, Unaudited<S>> {
        let end = self.checkpoint.size;
        let expected = self.kept.expected(self.auditor.pin);
        let mut resumed = remembered.resume(expected, [end]).map_err(Unjudged::own_files)?;
        let start = resumed.start;
        let mut next = start;
        let read = || {
            // A chunk ends where an answer is to be looked at.
            let until = answers.boundary(next).unwrap_or(end).min(end);
            let chunk = chunk(&mut entries, next..until).map_err(Stop::Source)?;
            next += chunk.len() as u64;
            Ok(chunk)
        };
        let check = |own: &Projection| answers.check(&own.shown()).map_err(Stop::Found);
        let looked = if start > 0 { check(&resumed.own) } else { Ok(()) };
        let ended = looked.and_then(|()| {
            self.memory.replay(&mut resumed, read, |audit, own, chunk| {
                let replayed = audit.take(chunk, |_| Ok(None))?;
                let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
                if let Some(Replay { state, frontier }) = audit.replay() {
                    let applied = own.apply(&committed, state.version().clone(), frontier.root());
                    applied.map_err(|error| AuditError::Io(std::io::Error::other(error)))?;
                }
                check(own)?;
                self.auditor.tell(Work::Entries, audit.size(), Some(end))?;
                Ok(())
            })
        });
        self.auditor.progress.ended();
        let Resumed { audit, own, .. } = resumed;
        let ended = ended.and_then(|()| Ok(audit.finish(&self.note)?));
        let ended = ended.map_err(|stop| match stop {
            // It doesn't send what it promises.
            Stop::Source(error) if error.is_refusal() => {
                Stop::Found(Box::new(Discrepancy::SourceIncomplete(error.to_string())))
            }
            Stop::Audit(_) | Stop::Archive(_) | Stop::Source(_) | Stop::Interrupted(_) | Stop::Found(_) => stop,
        });
        let report = outcome(&audit, (is_pinned, start), ended)?;
        Ok(Looked { report, own, audit })
    }
}

/// What a replay of a server's log came to.
struct Looked {
    report: AuditReport,
    own: Projection,
    audit: Audit,
}

/// Entries to be prepared together, none where none are left.
fn chunk<E>(entries: &mut Entries<E>, Range { start, end }: Range<u64>) -> Asked<Vec<StoredEntry>, E> {
    let (mut chunk, mut bytes, mut next): (Vec<StoredEntry>, usize, u64) = (Vec::new(), 0, start);
    while next < end && bytes < pipeline::CHUNK_BYTES {
        for entry in entries(next)? {
            // What holds nothing takes memory all the same.
            let parts = entry.events.iter().chain(&entry.signatures).map(|part| size_of_val(part) + part.len());
            bytes += size_of::<StoredEntry>() + entry.header.len() + parts.sum::<usize>();
            chunk.push(entry);
            next += 1;
        }
    }
    Ok(chunk)
}
