//! A sheet against the state: all or nothing.

use super::{
    account::Key,
    check::{Context, Verdict},
    decision::{Applied, Decision, Warning},
    event::Event,
    facts::Facts,
    put_away::PutAway,
    refusal::Refusal,
    rejection::Rejection,
    served::OlderTime,
    sheet::Sheet,
    state::State,
    units::{AccountId, DAY_MS, EventRef, LogIndex, Millis},
};

/// How far the clock of a signer may run ahead of the ledger's, in ms: 10 minutes, as the ledger's own clock guard.
const ISSUED_AHEAD_MAX_MS: i64 = 600_000;

/// What an accepted sheet did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetOutcome {
    /// Postings with the number of their event, in order.
    pub postings: Vec<(u16, Applied)>,
    /// Warnings with the number of their event, in order.
    pub warnings: Vec<(u16, Warning)>,
    /// What the state put away for it, to be kept before the next sheet.
    pub put_away: PutAway,
}

/// What one event of a trial did or would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOutcome {
    /// Its postings with the accounts' public names.
    pub postings: Vec<(AccountId, Applied)>,
    /// Its warnings.
    pub warnings: Vec<Warning>,
}

/// What a trial says of a sheet: of each event, or of the sheet as a whole.
pub type SheetTrial = Result<Vec<Result<EventOutcome, Refusal>>, Refusal>;

/// The sheets of a trial before one: neither the log nor anybody else has what they would have left.
#[derive(Debug, Clone, Copy)]
pub struct TriedBefore<'a> {
    sheets: &'a [Sheet],
    results: &'a [SheetTrial],
    /// Times that the state has put away for them: the newest rows that there are.
    pub put_away: &'a [OlderTime],
}

impl TriedBefore<'_> {
    /// An event that such a sheet would have left, if `at` is beyond those that `state` had before the trial.
    #[must_use]
    pub fn event(&self, state: &State, at: EventRef) -> Option<&Event> {
        let first = state.size().saturating_sub(u64::try_from(self.sheets.len()).ok()?);
        let number = usize::try_from(at.index.0.checked_sub(first)?).ok()?;
        let event = usize::from(at.event);
        self.results.get(number)?.as_ref().ok()?.get(event)?.as_ref().ok()?;
        self.sheets.get(number)?.events.get(event)
    }
}

impl State {
    /// Applies a sheet as the next entry, or nothing of it.
    ///
    /// The same sheet again is not recognised here: callers look at [`State::sheet`] and compare bytes first.
    ///
    /// # Errors
    /// The first rule that it breaks, by event and by the order of [`Rejection`].
    pub fn apply_sheet(&mut self, sheet: &Sheet, now: Millis, facts: &Facts) -> Result<SheetOutcome, Refusal> {
        let signers = self.check_sheet(sheet, now, facts)?;
        self.look_ahead(sheet);
        let events = sheet.events.len();
        // Two postings an event: most lists grow no further.
        let postings = Vec::with_capacity(events.saturating_mul(2));
        let mut outcome = SheetOutcome { postings, ..SheetOutcome::default() };
        let (mut decision, mut applied) = (Decision::default(), Vec::new());
        for number in 0..sheet.events.len() {
            let context = Context::new(sheet, number, self.size(), now, &signers, (facts, &[]));
            let event_number = context.event;
            if let Err(refusal) = self.apply_event(&context, &mut decision, &mut applied) {
                self.roll_back();
                return Err(refusal);
            }
            outcome.postings.extend(applied.drain(..).map(|applied| (event_number, applied)));
            outcome.warnings.extend(decision.warnings.drain(..).map(|warning| (event_number, warning)));
        }
        // The genesis enrols its author.
        if let Some(author) = sheet.signers.first().and_then(|author| self.version.keys.number(*author)) {
            self.sheets.add(author, sheet.sheet_id, LogIndex(self.size()), sheet.valid_until);
        }
        outcome.put_away = self.settle(now);
        self.version.size = self.size().saturating_add(1);
        self.version.recorded_at = now;
        Ok(outcome)
    }

    /// Says what sheets would do one after another, and leaves the state as it was. Refused events are left out.
    /// `facts` gives the facts of a sheet, asked for when its turn comes.
    ///
    /// # Errors
    /// Those of `facts`; the state is as it was, too.
    pub fn try_sheets<E>(
        &mut self,
        sheets: &[Sheet],
        now: Millis,
        facts: impl FnMut(&Self, &Sheet, &TriedBefore<'_>) -> Result<Facts, E>,
    ) -> Result<Vec<SheetTrial>, E> {
        let size = self.size();
        let tried = self.try_in_turn(sheets, now, facts);
        self.version.size = size;
        self.roll_back();
        tried
    }

    /// The same, and leaves what it tried.
    fn try_in_turn<E>(
        &mut self,
        sheets: &[Sheet],
        now: Millis,
        mut facts: impl FnMut(&Self, &Sheet, &TriedBefore<'_>) -> Result<Facts, E>,
    ) -> Result<Vec<SheetTrial>, E> {
        let (mut results, mut put_away) = (Vec::new(), Vec::new());
        for (number, sheet) in sheets.iter().enumerate() {
            let before = sheets.get(..number).unwrap_or_default();
            let facts = facts(self, sheet, &TriedBefore { sheets: before, results: &results, put_away: &put_away })?;
            let result = self.check_sheet(sheet, now, &facts);
            results.push(result.map(|signers| self.try_events(sheet, now, &signers, &facts)));
            // Or each would be judged by all times of those before it.
            put_away.extend(self.times.put_excess_away());
            // So that references between sheets of one trial mean what they would mean.
            self.version.size = self.size().saturating_add(1);
        }
        Ok(results)
    }

    fn try_events(
        &mut self,
        sheet: &Sheet,
        now: Millis,
        signers: &[Key],
        facts: &Facts,
    ) -> Vec<Result<EventOutcome, Refusal>> {
        let mut refused = Vec::new();
        let mut outcomes = Vec::with_capacity(sheet.events.len());
        for number in 0..sheet.events.len() {
            let context = Context::new(sheet, number, self.size(), now, signers, (facts, &refused));
            let event = context.event;
            let (mut decision, mut postings) = (Decision::default(), Vec::new());
            let outcome = self.apply_event(&context, &mut decision, &mut postings).map(|()| {
                let named = |applied: Applied| Some((self.accounts().id(applied.posting.account)?, applied));
                let postings = postings.into_iter().filter_map(named).collect();
                EventOutcome { postings, warnings: decision.warnings }
            });
            if outcome.is_err() {
                refused.push(event);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn apply_event(
        &mut self,
        context: &Context<'_>,
        decision: &mut Decision,
        applied: &mut Vec<Applied>,
    ) -> Result<(), Refusal> {
        decision.clear();
        let verdict: Verdict = self.check(context, decision);
        verdict.map_err(|(field, rejection)| {
            let field = if field.is_empty() { String::new() } else { format!("{}.{field}", context.this().name()) };
            Refusal::event(context.event, field, rejection.told_within(context.index))
        })?;
        self.apply(decision, applied);
        Ok(())
    }

    /// The rules for a sheet as a whole.
    fn check_sheet(&self, sheet: &Sheet, now: Millis, facts: &Facts) -> Result<Vec<Key>, Refusal> {
        sheet.check_ledger(self)?;
        let signers = sheet.signing_keys(self)?;
        if let Some(index) = sheet.recorded_in(self, facts) {
            return Err(Refusal::sheet("header.sheet_id", Rejection::SheetExistsWithDifferentBytes { index }));
        }
        if now > sheet.valid_until {
            let rejection = Rejection::SheetExpired { valid_until: sheet.valid_until, now };
            return Err(Refusal::sheet("header.valid_until_ms", rejection));
        }
        if sheet.issued_at.0 > now.0.saturating_add(ISSUED_AHEAD_MAX_MS) {
            let rejection = Rejection::SheetIssuedInFuture { issued_at: sheet.issued_at, now };
            return Err(Refusal::sheet("header.issued_at_ms", rejection));
        }
        let validity_ms = sheet.valid_until.0.saturating_sub(sheet.issued_at.0);
        let max = self.policy().validity_days_max;
        if validity_ms < 0 || validity_ms > i64::from(max).saturating_mul(DAY_MS) {
            let days = validity_ms.div_euclid(DAY_MS);
            let rejection = Rejection::SheetValidityOutOfRange { days, max };
            return Err(Refusal::sheet("header.valid_until_ms", rejection));
        }
        match signers.iter().find(|key| key.revoked) {
            Some(key) => Err(Refusal::sheet("header.signers", Rejection::KeyIsRevoked { key_id: key.id })),
            None => Ok(signers),
        }
    }
}
