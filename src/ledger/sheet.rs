//! A sheet, and what the rules will ask for to judge it.

use std::collections::BTreeSet;

use super::{
    account::{Key, KeyRole},
    event::Event,
    facts::Facts,
    language::Text,
    refusal::Refusal,
    rejection::Rejection,
    served::AskedTimes,
    state::State,
    units::{EventRef, KeyId, LogIndex, Millis, SheetId},
};

/// A sheet whose bytes, root and signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The ledger it is for.
    pub origin: String,
    /// Its author's name for it.
    pub sheet_id: SheetId,
    /// Who signed; the first is the author.
    pub signers: Vec<KeyId>,
    /// When.
    pub issued_at: Millis,
    /// Last moment to record it.
    pub valid_until: Millis,
    /// Its events.
    pub events: Vec<Event>,
}

impl Sheet {
    /// The author and the sheet's own id, where the rules will ask for what was put away of it.
    #[must_use]
    pub fn asks_for_id(&self, state: &State) -> Option<(KeyId, SheetId)> {
        let author = self.signers.first().filter(|_| state.put_away().sheets > 0)?;
        state.sheet(*author, self.sheet_id).is_none().then_some((*author, self.sheet_id))
    }

    /// The entry that holds a sheet with this id of the same author.
    ///
    /// # Panics
    /// `facts` doesn't have what [`Sheet::asks_for_id`] names.
    #[must_use]
    pub fn recorded_in(&self, state: &State, facts: &Facts) -> Option<LogIndex> {
        let is_asked = facts.id_is_asked() || self.asks_for_id(state).is_none();
        assert!(is_asked, "an id is looked for among the older ones");
        let author = self.signers.first()?;
        state.sheet(*author, self.sheet_id).or(facts.used_in())
    }

    /// Old records of which the rules will ask for what was put away.
    #[must_use]
    pub fn asked_notes(&self, state: &State) -> Vec<EventRef> {
        if state.put_away().notes == 0 {
            return Vec::new();
        }
        let named = self.events.iter().filter_map(Event::record);
        named.filter(|record| record.index != LogIndex(0) && state.records().get(record).is_none()).collect()
    }

    /// Old events that the rules will ask for, as the state stands now: each record's newest version, and the places
    /// where holds should be. `facts` has what was put away of the records.
    #[must_use]
    pub fn references(&self, state: &State, facts: &Facts) -> Vec<EventRef> {
        let (mut wanted, mut holds) = (Vec::new(), BTreeSet::new());
        for event in &self.events {
            // One that is open now may have ended when a second event of this sheet comes to it.
            let hold = event.hold().filter(|hold| state.holds().get(*hold).is_none() || !holds.insert(*hold));
            let versions = event.record().map(|record| [record, state.latest_version(record, facts)]);
            wanted.extend(versions.into_iter().flatten().chain(hold));
        }
        wanted.retain(|at| at.index != LogIndex(0));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Times that were put away and that the rules will ask for, as the state stands now: one request a volunteer.
    #[must_use]
    pub fn asked_times(&self, state: &State) -> Vec<AskedTimes> {
        let mut asked: Vec<AskedTimes> = Vec::new();
        for event in &self.events {
            let Some(service) = event.service() else { continue };
            let Some(volunteer) = state.account_number(service.volunteer) else { continue };
            let Some(more) = state.times.asked(volunteer, service) else { continue };
            match asked.iter_mut().find(|asked| asked.volunteer == volunteer) {
                Some(asked) => {
                    (asked.from, asked.until) = (asked.from.min(more.from), asked.until.max(more.until));
                }
                None => asked.push(more),
            }
        }
        asked
    }

    /// What can be said before its signers are known: the first sheet of a ledger is a genesis, and each is for this ledger.
    ///
    /// # Errors
    /// [`Rejection::FieldInvalid`] and [`Rejection::OriginMismatch`].
    pub fn check_ledger(&self, state: &State) -> Result<(), Refusal> {
        if state.size == 0 {
            self.genesis_keys()?;
        }
        if self.origin == state.origin() {
            return Ok(());
        }
        let (expected, found) = (state.origin().to_owned(), self.origin.clone());
        Err(Refusal::sheet("header.origin", Rejection::OriginMismatch { expected, found }))
    }

    /// Who signed, as the state knows them; at the genesis, as it names them itself.
    pub(super) fn signing_keys(&self, state: &State) -> Result<Vec<Key>, Refusal> {
        if state.size == 0 {
            return self.genesis_keys();
        }
        self.signers
            .iter()
            .map(|id| match state.key(*id) {
                None => Err(Refusal::sheet("header.signers", Rejection::KeyUnknown { key_id: *id })),
                Some(key) => Ok(key),
            })
            .collect()
    }

    fn genesis_keys(&self) -> Result<Vec<Key>, Refusal> {
        let invalid = |expected: Text| Refusal::sheet("events", Rejection::FieldInvalid { expected });
        let [Event::LedgerCreated(created)] = self.events.as_slice() else {
            return Err(invalid(Text::new(
                "exactly one event in entry 0: LedgerCreated",
                "第 0 条恰好有一个事件：LedgerCreated",
            )));
        };
        if !created.operator_keys.iter().map(|(id, _)| id).eq(&self.signers) {
            return Err(invalid(Text::new(
                "the operator keys of the genesis as its signers, in the same order",
                "以创世事件中的管理员密钥为签名人，顺序相同",
            )));
        }
        let key = |&(id, public_key): &(KeyId, [u8; 32])| Key {
            id,
            public_key,
            role: KeyRole::Operator,
            account: None,
            own_account: None,
            revoked: false,
        };
        Ok(created.operator_keys.iter().map(key).collect())
    }
}
