//! Carrying out what items want: sheet after sheet, what is refused once more when the rest is done, and what stands in its
//! own way mended together. A dry run goes the same way with sheets that are only tried.

use std::collections::HashMap;

use prost::Message;

use super::{
    ImportError,
    items::Item,
    outcome::{Notice, Other, Rejected, RowOutcome},
    plan::{Chunk, Planner},
    remote::{Remote, RemoteError, event_ref},
};
use crate::{
    engine::{
        progress::{Progress, Work},
        store::StoreError,
    },
    format::proto,
    people::directory::{Directory, Pending},
};

/// Rounds of what was refused: each must take at least one more row, and rows that wait for one another in a longer chain
/// than this are found by the next import.
const ROUNDS_MAX: usize = 50;

/// Sheets of one trial, and their bytes: what the server takes in one call. A window that needs more is one volunteer's
/// tens of thousands of rows, or that many paid by one who can't pay for all.
const TRIAL_SHEETS_MAX: usize = 64;
const TRIAL_BYTES_MAX: usize = 4 * 1_024 * 1_024 - 64 * 1_024;

/// What became of an attempt to record a chunk.
pub(crate) enum Attempt {
    Recorded,
    /// Items that were refused, with the reason.
    Refused(Vec<(usize, Rejected)>),
}

/// What would become of a chunk, event by event.
pub(crate) struct Tried {
    /// The refused ones, of each record only the first: whether what comes after it would be refused as well, only a trial
    /// without it can say.
    pub(crate) refused: Vec<(usize, Rejected)>,
    /// What the others would do, by event.
    pub(crate) receipts: HashMap<usize, proto::EventReceipt>,
    /// Entries of the log that it stands on.
    size: u64,
}

/// An import under way.
pub(crate) struct CarryOut<'a, 'b, R> {
    pub(crate) remote: &'b mut R,
    pub(crate) planner: &'b mut Planner<'a>,
    pub(crate) items: &'b [Item],
    pub(crate) outcomes: Vec<Option<RowOutcome>>,
    pub(crate) notices: Vec<Notice>,
    /// Whoever watches, and how many items are through.
    pub(crate) progress: &'a dyn Progress,
    pub(crate) through: u64,
    /// In a trial: the sheets of this window that would have been recorded, with their chunks.
    pub(crate) trial: Option<Vec<(proto::Sheet, Vec<usize>)>>,
}

impl<R: Remote> CarryOut<'_, '_, R> {
    /// Carries out these items, in order.
    pub(crate) async fn run(&mut self, numbers: &[usize]) -> Result<(), ImportError> {
        let mut left: Vec<usize> = numbers.to_vec();
        // Operations are carried out in their order or not at all.
        let rounds = if self.planner.mapping.is_of_operations() { 1 } else { ROUNDS_MAX };
        let mut is_backwards = false;
        for _ in 0..rounds {
            let refused = self.round(&left).await?;
            let stalled = refused.len() >= left.len();
            left = refused;
            if left.is_empty() || stalled {
                break;
            }
            // Rows that wait for one another in a chain are through in one round, from one end or the other.
            is_backwards = !is_backwards;
            if is_backwards {
                left.reverse();
            }
        }
        if !left.is_empty() && !self.planner.mapping.is_of_operations() {
            self.mend(left).await?;
        }
        Ok(())
    }

    /// Goes through items once, and gives those that the ledger refused.
    async fn round(&mut self, numbers: &[usize]) -> Result<Vec<usize>, ImportError> {
        let (mut rest, mut refused) = (numbers, HashMap::new());
        while !rest.is_empty() {
            let chunk = self.planner.chunk(self.items, rest, &refused)?;
            match self.attempt(&chunk).await? {
                Attempt::Recorded => {
                    rest = rest.get(chunk.taken.max(1)..).unwrap_or_default();
                    self.through += chunk.taken as u64;
                    self.take(chunk);
                    let (through, all) = (self.through, self.items.len() as u64);
                    if self.progress.told(Work::Rows, through, Some(all)).is_break() {
                        return Err(ImportError::Interrupted { through, all });
                    }
                }
                Attempt::Refused(more) => refused.extend(more),
            }
        }
        let mut refused: Vec<usize> = refused.into_keys().collect();
        refused.sort_unstable();
        Ok(refused)
    }

    pub(crate) fn take(&mut self, chunk: Chunk) {
        for (number, outcome) in chunk.outcomes {
            if let Some(place) = self.outcomes.get_mut(number) {
                *place = Some(outcome);
            }
        }
        self.notices.extend(chunk.notices);
    }

    /// Records a chunk, or finds every row that stands in its way: a sheet is accepted whole or not at all.
    pub(crate) async fn attempt(&mut self, chunk: &Chunk) -> Result<Attempt, ImportError> {
        if chunk.events.is_empty() {
            if !chunk.links.is_empty() && self.trial.is_none() {
                // Rows that change nothing, but must not be carried out again: no sheet, hence nothing to send.
                self.planner.directory.relink(&chunk.links, &[])?;
            }
            self.planner.recorded(0);
            return Ok(Attempt::Recorded);
        }
        let sheet = self.sign(chunk)?;
        if self.trial.is_some() || !chunk.watched.is_empty() {
            let tried = self.try_sheet(&sheet, chunk).await?;
            let mut refused = tried.refused;
            for event in &chunk.watched {
                let short = tried.receipts.get(event).is_some_and(|receipt| self.planner.owed_minutes(receipt) > 0);
                let item = chunk.events.get(*event).map(|(_, number)| *number);
                refused.extend(item.filter(|_| short).map(|item| (item, Rejected::row(SPENT))));
            }
            if !refused.is_empty() {
                return Ok(Attempt::Refused(refused));
            }
            if self.trial.is_some() {
                self.would_record(sheet, chunk, tried.size, tried.receipts);
                return Ok(Attempt::Recorded);
            }
        }
        self.record(sheet, chunk).await
    }

    fn sign(&self, chunk: &Chunk) -> Result<proto::Sheet, ImportError> {
        Ok(self.remote.sign(chunk.events.iter().map(|(kind, _)| kind.clone()).collect())?)
    }

    /// Records a signed chunk.
    async fn record(&mut self, sheet: proto::Sheet, chunk: &Chunk) -> Result<Attempt, ImportError> {
        crash_here("signed");
        let pending = self.planner.directory.put_pending(sheet.encode_to_vec(), chunk.links.clone())?;
        crash_here("pending");
        match send(self.remote, self.planner.directory, &sheet, &pending).await {
            Ok(receipt) => {
                self.planner.recorded(receipt.index);
                self.notice(chunk, None, receipt.events.into_iter().enumerate());
                Ok(Attempt::Recorded)
            }
            Err(ImportError::Remote(RemoteError::Refused(refusal))) => {
                self.planner.directory.drop_pending(&pending)?;
                let tried = self.try_sheet(&sheet, chunk).await?;
                if tried.refused.is_empty() {
                    return Err(ImportError::Remote(RemoteError::Refused(refusal)));
                }
                Ok(Attempt::Refused(tried.refused))
            }
            Err(error) => Err(error),
        }
    }

    /// A trial's sheet is taken as recorded: what comes after it stands on it.
    fn would_record(
        &mut self,
        sheet: proto::Sheet,
        chunk: &Chunk,
        size: u64,
        receipts: HashMap<usize, proto::EventReceipt>,
    ) {
        let rows = chunk.events.iter().map(|(_, number)| *number).collect();
        let before = self.trial.as_ref().map_or(0, Vec::len);
        // No entry has this index: a record of it can be named by nothing, and is told by its row.
        self.planner.recorded(u64::MAX - before as u64);
        self.notice(chunk, Some(size), receipts);
        if let Some(trial) = &mut self.trial {
            trial.push((sheet, rows));
        }
    }

    /// What would become of a sheet, after those that this trial has taken as recorded.
    pub(crate) async fn try_sheet(&mut self, sheet: &proto::Sheet, chunk: &Chunk) -> Result<Tried, ImportError> {
        let before = self.trial.as_deref().unwrap_or_default();
        let sheets: Vec<proto::Sheet> =
            before.iter().map(|(sheet, _)| sheet.clone()).chain(std::iter::once(sheet.clone())).collect();
        let bytes: usize = sheets.iter().map(Message::encoded_len).sum();
        if sheets.len() > TRIAL_SHEETS_MAX || bytes > TRIAL_BYTES_MAX {
            return Err(ImportError::Stopped(
                "these rows hang together, by their volunteer or by a payer who can't pay for all, and are more than a trial holds: \
                 import them in parts"
                    .to_owned(),
            ));
        }
        let from = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let (results, size) = self.remote.try_sheets(&sheets, from).await?;
        let result = results.into_iter().next().unwrap_or_default();
        let mut tried = Tried { refused: Vec::new(), receipts: HashMap::new(), size };
        let mut records: std::collections::HashSet<&str> = std::collections::HashSet::new();
        if let Some(refusal) = &result.refused {
            let event = refusal.event.and_then(|event| usize::try_from(event).ok());
            let Some((_, number)) = event.and_then(|event| chunk.events.get(event)) else {
                return Err(ImportError::Remote(RemoteError::Refused(sentence(refusal))));
            };
            tried.refused.push((*number, self.reason(refusal, chunk, size)));
        }
        for (event, told) in result.events.into_iter().enumerate() {
            match told.outcome {
                Some(proto::dry_run_event::Outcome::Refused(refusal)) => {
                    let Some((_, number)) = chunk.events.get(event) else { continue };
                    if self.items.get(*number).is_some_and(|item| records.insert(item.record())) {
                        tried.refused.push((*number, self.reason(&refusal, chunk, size)));
                    }
                }
                Some(proto::dry_run_event::Outcome::Accepted(receipt)) => {
                    tried.receipts.insert(event, receipt);
                }
                None => {}
            }
        }
        Ok(tried)
    }

    /// Why an event was refused, with the row or record that stands in its way.
    fn reason(&self, refusal: &proto::Refusal, chunk: &Chunk, size: u64) -> Rejected {
        let other = refusal.other.and_then(|other| {
            let event = usize::try_from(other.event).ok()?;
            let words = match other.index {
                0 => format!("in event {} of this same sheet", other.event),
                index => format!(" {index}.{}", other.event),
            };
            let row = self.row_at(other.index, event, chunk, size);
            let found = row.map_or(Other::Record(event_ref(other)), Other::Item);
            Some((found, words))
        });
        Rejected { text: sentence(refusal), code: Some(refusal.code.clone()), other }
    }

    /// The row whose event stands at a place of a trial that begins at `size`.
    fn row_at(&self, index: u64, event: usize, chunk: &Chunk, size: u64) -> Option<usize> {
        let before = self.trial.as_deref().unwrap_or_default();
        if index == 0 {
            return chunk.events.get(event).map(|(_, number)| *number);
        }
        let sheet = usize::try_from(index.checked_sub(size)?).ok()?;
        match before.get(sheet) {
            Some((_, rows)) => rows.get(event).copied(),
            None if sheet == before.len() => chunk.events.get(event).map(|(_, number)| *number),
            None => None,
        }
    }

    /// Keeps what is worth a second look. `size`: in a trial, the entries that the log has.
    fn notice(
        &mut self,
        chunk: &Chunk,
        size: Option<u64>,
        receipts: impl IntoIterator<Item = (usize, proto::EventReceipt)>,
    ) {
        for (event, receipt) in receipts {
            let Some((_, number)) = chunk.events.get(event) else { continue };
            for warning in receipt.warnings {
                let other = warning.similar.map(|similar| {
                    let event = usize::try_from(similar.event).unwrap_or(usize::MAX);
                    let row = size.and_then(|size| self.row_at(similar.index, event, chunk, size));
                    (row.map_or(Other::Record(event_ref(similar)), Other::Item), String::new())
                });
                self.notices.push(Notice {
                    item: *number,
                    text: format!("{} [{}]", warning.message, warning.code),
                    other,
                });
            }
        }
    }
}

/// Sends a sheet that is in the outbox, and makes its links final.
async fn send<R: Remote>(
    remote: &mut R,
    directory: &Directory,
    sheet: &proto::Sheet,
    pending: &Pending,
) -> Result<proto::Receipt, ImportError> {
    let receipt = remote.submit(sheet.clone()).await?;
    crash_here("receipt");
    directory.finish(pending, receipt.index)?;
    crash_here("final");
    Ok(receipt)
}

/// Sends the sheets of an import that was interrupted: the very same bytes again.
pub(crate) async fn resend<R: Remote>(remote: &mut R, directory: &Directory) -> Result<(), ImportError> {
    for pending in directory.pending()? {
        let damaged = || StoreError::Corrupt { at: "directory, the outbox".to_owned(), problem: "it can't be decoded" };
        let sheet = proto::Sheet::decode(pending.sheet.as_slice()).map_err(|_garbled| damaged())?;
        match send(remote, directory, &sheet, &pending).await {
            Ok(_) => {}
            // It was never recorded, and never will be: its rows are looked at again.
            Err(ImportError::Remote(RemoteError::Refused(_))) => directory.drop_pending(&pending)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why rows are not corrected one by one that take from somebody what other rows give back.
pub(super) const SPENT: &str = "the minutes that this row no longer gives were spent, and the station would owe them";

fn sentence(refusal: &proto::Refusal) -> String {
    match &refusal.localized {
        // There only where it was asked for.
        Some(localized) => localized.message.clone(),
        None => format!("{}. {} [{}]", refusal.message, refusal.remedy, refusal.code),
    }
}

/// Ends the process where `TIMEBANK_TEST_CRASH` names this step, as a power cut would: for tests of the outbox. `STEP:N`
/// names the N-th time.
fn crash_here(step: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static TIMES: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("TIMEBANK_TEST_CRASH") else { return };
    let (name, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if name == step && Ok(TIMES.fetch_add(1, Ordering::Relaxed) + 1) == times.parse() {
        #[allow(clippy::disallowed_methods, reason = "this is the power cut")]
        std::process::abort();
    }
}
