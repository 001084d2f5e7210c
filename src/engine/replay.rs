//! Entries to verified state. Start-up, audit and simulation go through here; so does every new sheet.

use std::collections::HashMap;

use crate::{
    engine::clock::ClockImplausible,
    format::{
        signature::{self, Claim},
        wire::{self, Decoded},
    },
    ledger::{
        AskedTimes, Event, EventRef, Facts, FoundTimes, KeyId, LogIndex, Millis, PutAway, RecordNote, Refusal,
        Rejection, ServedTime, Sheet, SheetId, SheetOutcome, State, StillState, TriedBefore,
    },
    merkle::{Frontier, Hash, leaf_hash},
};

/// The verdict on a sheet's signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureVerdict {
    /// Every signer's signature verifies.
    Valid,
    /// A signature that doesn't verify, the first in the order of the signers: `SignatureInvalid`.
    Invalid(Refusal),
    /// A signer isn't known (yet): an earlier sheet on its way may enrol it.
    SignerUnknown(Refusal),
}

impl SignatureVerdict {
    /// What refuses the sheet, if anything does.
    ///
    /// # Errors
    /// `SignatureInvalid` or `KeyUnknown`.
    pub fn into_result(self) -> Result<(), Refusal> {
        match self {
            Self::Valid => Ok(()),
            Self::Invalid(refusal) | Self::SignerUnknown(refusal) => Err(refusal),
        }
    }
}

/// The verdict on each sheet, all signatures in one batch. `public_key` gives the key of an id; at the genesis its own
/// operator keys count as well.
#[must_use]
pub fn signature_verdicts(
    sheets: &[&Decoded],
    public_key: impl Fn(KeyId) -> Option<[u8; 32]>,
) -> Vec<SignatureVerdict> {
    let mut claims = Vec::with_capacity(sheets.len());
    let resolved: Vec<Result<usize, KeyId>> = sheets
        .iter()
        .map(|decoded| {
            let first = claims.len();
            for (key_id, signature) in decoded.sheet.signers.iter().zip(&decoded.signatures) {
                let Some(public_key) = public_key(*key_id).or_else(|| genesis_key(decoded, *key_id)) else {
                    claims.truncate(first);
                    return Err(*key_id);
                };
                claims.push(Claim { public_key, signature: *signature, message: &decoded.signed_message });
            }
            Ok(claims.len() - first)
        })
        .collect();
    let mut valid = signature::verdicts(&claims).into_iter();
    let verdict = |(decoded, resolved): (&&Decoded, Result<usize, KeyId>)| match resolved {
        Err(key_id) => {
            SignatureVerdict::SignerUnknown(Refusal::sheet("header.signers", Rejection::KeyUnknown { key_id }))
        }
        Ok(count) => {
            let own: Vec<bool> = valid.by_ref().take(count).collect();
            let bad = decoded.sheet.signers.iter().zip(own).find(|(_, valid)| !valid);
            bad.map_or(SignatureVerdict::Valid, |(key_id, _)| {
                let rejection = Rejection::SignatureInvalid { key_id: *key_id };
                SignatureVerdict::Invalid(Refusal::sheet("signatures", rejection))
            })
        }
    };
    sheets.iter().zip(resolved).map(verdict).collect()
}

/// The keys that sheets enrol, by id: so that the sheets of a batch which they sign themselves need no second look. An id
/// is a hash of its key; whether the key was enrolled in time, the rules say.
#[must_use]
pub fn enrolled_keys<'a>(sheets: impl IntoIterator<Item = &'a Decoded>) -> HashMap<KeyId, [u8; 32]> {
    let mut keys = HashMap::new();
    for event in sheets.into_iter().flat_map(|decoded| &decoded.sheet.events) {
        if let Event::KeyEnrolled(key) = event {
            keys.insert(key.key_id, key.public_key);
        }
        if let Event::LedgerCreated(created) = event {
            keys.extend(created.operator_keys.iter().copied());
            keys.extend([created.service_key]);
        }
    }
    keys
}

fn genesis_key(decoded: &Decoded, key_id: KeyId) -> Option<[u8; 32]> {
    let [Event::LedgerCreated(created)] = decoded.sheet.events.as_slice() else { return None };
    created.operator_keys.iter().find(|(id, _)| *id == key_id).map(|(_, key)| *key)
}

/// Why an entry doesn't follow from those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// An entry at the wrong place.
    #[error("entry {expected} is missing: {found} follows")]
    IndexGap {
        /// The next index.
        expected: u64,
        /// Index of the entry that came instead.
        found: u64,
    },
    /// Recorded time went back.
    #[error("entry {index} was recorded at {found}, before the one before it at {previous}")]
    TimeWentBack {
        /// Position in the log of the entry that is too early.
        index: u64,
        /// Of the entry before.
        previous: Millis,
        /// Of this one.
        found: Millis,
    },
    /// A rule refuses it.
    #[error("entry {index}: {refusal}")]
    Refused {
        /// Position in the log of the entry whose sheet is refused.
        index: u64,
        /// The first rule that it breaks, and the event and field where.
        refusal: Refusal,
    },
}

/// The state and the tree that entries add up to.
#[derive(Debug, Clone)]
pub struct Replay {
    /// All that the rules know after the last entry.
    pub state: State,
    /// The tree's right edge.
    pub frontier: Frontier,
}

impl Replay {
    /// A ledger without entries.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self { state: State::new(origin), frontier: Frontier::default() }
    }

    /// The same, to be saved.
    #[must_use]
    pub fn still(&mut self) -> StillReplay {
        StillReplay { state: self.state.still(), frontier: self.frontier.clone() }
    }

    /// All that a ledger does with a sheet that comes in, in the order of precedence of [`Rejection`]: origin, signatures,
    /// the same sheet again, then the time it is recorded at, the past that it refers to, and the rules. The sequencer and
    /// the tests go through here. `verdict` is one given earlier; what it says of unknown signers is asked again, for a sheet
    /// between may have enrolled them. `stored` gets the tree's new hashes.
    ///
    /// # Errors
    /// In the order of [`NotRecorded`], except that what the past says may also come last. Nothing is recorded then.
    pub fn accept<S: Shell>(
        &mut self,
        decoded: &Decoded,
        verdict: SignatureVerdict,
        shell: &mut S,
        stored: impl FnMut(Hash),
    ) -> Result<Judged, NotRecorded<<S::Past as Past>::Error>> {
        self.check_signatures(decoded, verdict).map_err(NotRecorded::Refused)?;
        let facts = facts_of_id(&self.state, &decoded.sheet, shell.past()).map_err(NotRecorded::Past)?;
        if let Some(index) = self.same_sheet(decoded, &facts, shell).map_err(NotRecorded::Past)? {
            return Ok(Judged::Repeated(index));
        }
        let recorded_at = shell.now().map_err(NotRecorded::Clock)?.max(self.state.recorded_at());
        let facts = add_facts(&self.state, &decoded.sheet, facts, shell.past()).map_err(NotRecorded::Past)?;
        let outcome = self.append(decoded, recorded_at, &facts, stored).map_err(NotRecorded::Refused)?;
        // Ahead of the commit: the next sheet may ask for them, and a start cuts what was never durable.
        keep(&outcome, shell.past()).map_err(NotRecorded::Past)?;
        Ok(Judged::Passed(recorded_at, outcome))
    }

    /// Whether a sheet is for this ledger, and signed by whom it says.
    ///
    /// # Errors
    /// Those of [`Sheet::check_ledger`] come before the signers: a sheet for another ledger is told so, not that its key is
    /// unknown.
    pub fn check_signatures(&self, decoded: &Decoded, verdict: SignatureVerdict) -> Result<(), Refusal> {
        decoded.sheet.check_ledger(&self.state)?;
        match verdict {
            SignatureVerdict::SignerUnknown(_) => self.verdict(decoded).into_result(),
            SignatureVerdict::Valid | SignatureVerdict::Invalid(_) => verdict.into_result(),
        }
    }

    /// The entry that holds this very sheet: same author, same id, same header and, by its root, same events.
    fn same_sheet<S: Shell>(
        &self,
        decoded: &Decoded,
        facts: &Facts,
        shell: &mut S,
    ) -> Result<Option<u64>, <S::Past as Past>::Error> {
        let Some(LogIndex(index)) = decoded.sheet.recorded_in(&self.state, facts) else { return Ok(None) };
        Ok(shell.header_hash(index)?.filter(|hash| *hash == decoded.header_hash).map(|_| index))
    }

    /// Applies a sheet whose signatures were verified as the next entry. `stored` gets the tree's new hashes.
    ///
    /// # Errors
    /// The rule that it breaks; nothing has changed then.
    fn append(
        &mut self,
        decoded: &Decoded,
        recorded_at: Millis,
        facts: &Facts,
        stored: impl FnMut(Hash),
    ) -> Result<SheetOutcome, Refusal> {
        let index = self.state.size();
        let outcome = self.state.apply_sheet(&decoded.sheet, recorded_at, facts)?;
        let leaf = wire::leaf(index, recorded_at.0, &decoded.header_hash, &decoded.signatures_hash);
        self.frontier.append(leaf_hash(&leaf), stored);
        Ok(outcome)
    }

    /// Applies an entry of a log, everything checked again except what `verdict` says of its signatures; those that it
    /// says nothing of are verified here, by the keys enrolled up to now. `stored` gets the tree's new hashes.
    ///
    /// # Errors
    /// In the order of [`Divergence`].
    pub fn replay(
        &mut self,
        (index, recorded_at): (u64, Millis),
        decoded: &Decoded,
        verdict: Option<SignatureVerdict>,
        facts: &Facts,
        stored: impl FnMut(Hash),
    ) -> Result<SheetOutcome, Divergence> {
        let (expected, previous) = (self.state.size(), self.state.recorded_at());
        if index != expected {
            return Err(Divergence::IndexGap { expected, found: index });
        }
        if recorded_at < previous {
            return Err(Divergence::TimeWentBack { index, previous, found: recorded_at });
        }
        let refused = |refusal| Divergence::Refused { index, refusal };
        let verdict = verdict.unwrap_or_else(|| self.verdict(decoded));
        self.check_signatures(decoded, verdict).map_err(refused)?;
        self.append(decoded, recorded_at, facts, stored).map_err(refused)
    }

    /// The verdict on one sheet's signatures by the keys enrolled up to now.
    #[must_use]
    pub fn verdict(&self, decoded: &Decoded) -> SignatureVerdict {
        let key = |key_id| self.state.key(key_id).map(|key| key.public_key);
        signature_verdicts(&[decoded], key).remove(0)
    }
}

/// A replay that stays as it is, to be saved while the one that it was taken of goes on.
#[derive(Debug)]
pub struct StillReplay {
    /// All that the rules know after the last entry.
    pub state: StillState,
    /// The tree's right edge.
    pub frontier: Frontier,
}

/// What became of a sheet that came in and wasn't refused.
#[derive(Debug)]
pub enum Judged {
    /// It is the next entry, recorded at this time.
    Passed(Millis, SheetOutcome),
    /// This entry holds the very same sheet.
    Repeated(u64),
}

/// Why a sheet that came in isn't recorded.
#[derive(Debug)]
pub enum NotRecorded<E> {
    /// A rule refuses it.
    Refused(Refusal),
    /// Nobody knows the time.
    Clock(ClockImplausible),
    /// What the state doesn't hold could not be read or kept.
    Past(E),
}

/// Where a replay finds what the state doesn't hold, and keeps what it puts away.
pub trait Past {
    /// The world failed: what is looked up can't be read, or what is put away not written.
    type Error;

    /// An event of an old entry, if there is one.
    ///
    /// # Errors
    /// It can't be read.
    fn event(&mut self, at: EventRef) -> Result<Option<Event>, Self::Error>;

    /// Times that were put away.
    ///
    /// # Errors
    /// They can't be read.
    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, Self::Error>;

    /// The entry that used the id of a sheet, if one did that was put away.
    ///
    /// # Errors
    /// It can't be read.
    fn sheet(&mut self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, Self::Error>;

    /// What had become of a record, if that was put away: of several the last.
    ///
    /// # Errors
    /// It can't be read.
    fn note(&mut self, record: EventRef) -> Result<Option<RecordNote>, Self::Error>;

    /// Keeps what a state puts away.
    ///
    /// # Errors
    /// It can't be written.
    fn keep(&mut self, put_away: &PutAway) -> Result<(), Self::Error>;
}

/// The past of a sheet in a trial: that of the log, and what the sheets before it would have left.
pub struct TrialPast<'a, P> {
    past: &'a mut P,
    state: &'a State,
    before: &'a TriedBefore<'a>,
}

impl<'a, P: Past> TrialPast<'a, P> {
    /// As the state stands after them.
    pub const fn new(past: &'a mut P, state: &'a State, before: &'a TriedBefore<'a>) -> Self {
        Self { past, state, before }
    }
}

impl<P: Past> Past for TrialPast<'_, P> {
    type Error = P::Error;

    fn event(&mut self, at: EventRef) -> Result<Option<Event>, P::Error> {
        match self.before.event(self.state, at) {
            Some(event) => Ok(Some(event.clone())),
            None => self.past.event(at),
        }
    }

    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, P::Error> {
        let newest = self.before.put_away;
        let first = self.state.put_away().times - newest.len() as u64;
        let row = |number: u64| Ok(newest[usize::try_from(number - first).unwrap_or(usize::MAX)]);
        let Some(FoundTimes { mut times, ended, rest }) = asked.resolve_from(first, row)? else {
            // No chain leads from here to others: let whoever kept them say what is wrong.
            return self.past.times(asked);
        };
        let older = rest.map(|rest| self.past.times(&rest)).transpose()?.unwrap_or_default();
        times.extend(older.into_iter().filter(|time| !ended.contains(&time.record)));
        Ok(times)
    }

    fn sheet(&mut self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, P::Error> {
        self.past.sheet(author, id)
    }

    fn note(&mut self, record: EventRef) -> Result<Option<RecordNote>, P::Error> {
        self.past.note(record)
    }

    fn keep(&mut self, put_away: &PutAway) -> Result<(), P::Error> {
        self.past.keep(put_away)
    }
}

/// What extends a log knows: its past, the time, and what was recorded under a name before.
pub trait Shell {
    /// Where it finds what the state doesn't hold.
    type Past: Past;

    /// Its past.
    fn past(&mut self) -> &mut Self::Past;

    /// The time now.
    ///
    /// # Errors
    /// The clock can't be right.
    fn now(&mut self) -> Result<Millis, ClockImplausible>;

    /// The hash of an old entry's header.
    ///
    /// # Errors
    /// It can't be read.
    fn header_hash(&mut self, index: u64) -> Result<Option<[u8; 32]>, <Self::Past as Past>::Error>;
}

/// Keeps what the newest sheet made the state put away.
///
/// # Errors
/// Those of `past`.
pub(super) fn keep<P: Past>(outcome: &SheetOutcome, past: &mut P) -> Result<(), P::Error> {
    if outcome.put_away.is_empty() { Ok(()) } else { past.keep(&outcome.put_away) }
}

/// What was put away of a sheet's id, where the rules ask for it.
fn facts_of_id<P: Past>(state: &State, sheet: &Sheet, past: &mut P) -> Result<Facts, P::Error> {
    let mut facts = Facts::default();
    if let Some((author, id)) = sheet.asks_for_id(state) {
        facts.insert_id(past.sheet(author, id)?);
    }
    Ok(facts)
}

/// The facts of a sheet: events it refers to, and what was put away of times, records and its own id.
///
/// # Errors
/// Those of `past`.
pub fn resolve_facts<P: Past>(state: &State, sheet: &Sheet, past: &mut P) -> Result<Facts, P::Error> {
    add_facts(state, sheet, facts_of_id(state, sheet, past)?, past)
}

fn add_facts<P: Past>(state: &State, sheet: &Sheet, mut facts: Facts, past: &mut P) -> Result<Facts, P::Error> {
    for record in sheet.asked_notes(state) {
        facts.insert_note(record, past.note(record)?);
    }
    for at in sheet.references(state, &facts) {
        if let Some(event) = past.event(at)? {
            facts.insert(at, event);
        }
    }
    for asked in sheet.asked_times(state) {
        facts.insert_times(asked.volunteer, past.times(&asked)?);
    }
    Ok(facts)
}
