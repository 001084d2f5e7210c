//! Submissions: one, many, tried only; and the service key's own.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::DecodeError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tonic::Status;

use super::{
    Service,
    answer::{ANSWER_BYTES_MAX, fit_receipts, fit_trial, leave_out_events},
    call::Call,
    connections::Charge,
    edge::Spoken,
    limits::{DECODED_AT_ONCE_MAX, DECODED_TOGETHER_BYTES, EVENT_BYTES, RESULT_BYTES, TRIED_EVENT_BYTES},
    messages::until_published,
    status::{
        failure_message, invalid, message_invalid, no_room, refusal_message, shutting_down, submit_status, unfinished,
    },
};
use crate::{
    engine::{
        now,
        projection::Projection,
        sequencer::{Accepted, DecodedSheet, Sequencer, SubmitError},
    },
    format::{
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{EventOutcome, Language, Millis, Refusal, SheetId},
};

/// Sheets of one list: 1,000 of the smallest kind make a commit of 300 KiB.
const LIST_SHEETS_MAX: usize = 1_000;
/// Bytes of one list.
const LIST_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Sheets of one trial: it holds the writer up for as long as 64,000 events take, some 50 ms.
const TRIAL_SHEETS_MAX: usize = 64;
/// How much longer than it took the place of a trial stays taken: one of five parts of the writer is for trials.
const TRIAL_REST: u32 = 4;
/// No trial takes longer than that by itself: what it waited for is nobody's fault.
const TRIAL_REST_MAX: Duration = Duration::from_millis(200);
/// How much more a receipt takes than its encoded bytes: some 170 bytes an event, of 60.
const DECODED_TO_ENCODED: usize = 3;
/// How often holds that ran out are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(10);
/// How long the service key's own sheets are valid.
const EXPIRY_VALIDITY_MS: i64 = 600_000;

/// Where the answer to a sheet will come.
type Answering = oneshot::Receiver<Result<Accepted, SubmitError>>;

/// One sheet that was sent: none where there is none, and how much of it is waited for.
pub(super) struct Taken {
    pub(super) sheet: Option<Result<DecodedSheet, Refusal>>,
    pub(super) until: i32,
}

/// A number of an enum as it travels; one that is none stays none.
fn enumerated(second: u64) -> i32 {
    i32::try_from(second).unwrap_or(i32::MAX)
}

fn decoded(sheet: Result<proto::Sheet, Refusal>) -> Result<DecodedSheet, Refusal> {
    sheet.and_then(DecodedSheet::new)
}

impl Service {
    /// Decodes beside the thread that carries connections, unless it is little: other calls of it go on meanwhile.
    async fn decode<T: Send + 'static>(
        &self,
        bytes: usize,
        decode: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        if bytes <= DECODED_AT_ONCE_MAX {
            return Ok(decode());
        }
        let place = Arc::clone(&self.decoding).acquire_owned().await.map_err(|_closed| shutting_down())?;
        let decode = move || {
            let _place = place;
            decode()
        };
        tokio::task::spawn_blocking(decode).await.map_err(|ended| unfinished(&ended))
    }

    /// Takes a message with one sheet apart.
    pub(super) async fn take_one(&self, message: Bytes) -> Result<Taken, Status> {
        let length = message.len();
        let take = move || {
            let wire::Sheets { mut sheets, second } = wire::one_sheet(message)?;
            Ok(Taken { sheet: sheets.pop().map(decoded), until: enumerated(second) })
        };
        self.decode(length, take).await?.map_err(|error: DecodeError| message_invalid(&error))
    }

    pub(super) async fn submit_one(
        &self,
        call: &Call,
        Spoken(language): Spoken,
        message: Bytes,
    ) -> Result<proto::SubmitResponse, Status> {
        let Taken { sheet, until } = self.take_one(message).await?;
        let sheet = sheet.ok_or_else(|| invalid("sheet", "a sheet"))?;
        let published = until_published(until)?;
        let sheet = sheet.map_err(|refusal| submit_status(&SubmitError::Refused(refusal), language))?;
        let _under_way = call.connection().charge(sheet.events() * EVENT_BYTES).map_err(no_room)?;
        match self.sequencer.submit_decoded(call.connection().source(), sheet, published).await {
            Ok(accepted) => Ok(response(accepted)),
            Err(error) => Err(submit_status(&error, language)),
        }
    }

    pub(super) async fn submit_many(
        &self,
        call: &Call,
        Spoken(language): Spoken,
        message: Bytes,
    ) -> Result<proto::SubmitListResponse, Status> {
        let taken = self.decode(message.len(), move || wire::sheets(message, LIST_SHEETS_MAX)).await?;
        let wire::Sheets { sheets, second } = taken.map_err(|error| message_invalid(&error))?;
        let count = sheets.len();
        if !(1..=LIST_SHEETS_MAX).contains(&count) {
            return Err(invalid("sheets", "1 to 1,000 sheets"));
        }
        if sheets.iter().flatten().map(sheet_bytes).sum::<usize>() > LIST_BYTES_MAX {
            return Err(invalid("sheets", "at most 4 MiB of sheets"));
        }
        let published = until_published(enumerated(second))?;
        let mut list = List::new(call.clone(), language, count);
        let mut sheets = VecDeque::from(sheets);
        while !sheets.is_empty() {
            for sheet in self.decode_some(&mut sheets).await? {
                list.feed(&self.sequencer, sheet, published).await;
            }
        }
        while list.next_answer().await {}
        Ok(fit_receipts(list.results, ANSWER_BYTES_MAX))
    }

    /// The next sheets of a list, as many as are decoded at a time.
    async fn decode_some(
        &self,
        sheets: &mut VecDeque<Result<proto::Sheet, Refusal>>,
    ) -> Result<Vec<Result<DecodedSheet, Refusal>>, Status> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while bytes <= DECODED_TOGETHER_BYTES
            && let Some(sheet) = sheets.pop_front()
        {
            bytes += sheet.as_ref().map_or(0, sheet_bytes);
            some.push(sheet);
        }
        self.decode(bytes, move || some.into_iter().map(decoded).collect()).await
    }

    pub(super) async fn try_all(
        &self,
        call: &Call,
        Spoken(language): Spoken,
        message: Bytes,
    ) -> Result<proto::DryRunResponse, Status> {
        let length = message.len();
        let take = move || {
            let wire::Sheets { sheets, second } = wire::sheets(message, TRIAL_SHEETS_MAX)?;
            Ok((sheets.into_iter().map(decoded).collect::<Vec<_>>(), second))
        };
        let taken = self.decode(length, take).await?;
        let (decoded, from_sheet) = taken.map_err(|error: DecodeError| message_invalid(&error))?;
        if !(1..=TRIAL_SHEETS_MAX).contains(&decoded.len()) {
            return Err(invalid("sheets", "1 to 64 sheets"));
        }
        let from_sheet = u32::try_from(from_sheet).ok().filter(|from| (*from as usize) < decoded.len());
        let from_sheet = from_sheet.ok_or_else(|| invalid("from_sheet", "one of the sheets, from 0"))?;
        let events: usize = decoded.iter().flatten().map(DecodedSheet::events).sum();
        let under_way = call.connection().charge(events * TRIED_EVENT_BYTES).map_err(no_room)?;
        let mut sound = Vec::new();
        let decoded: Vec<_> =
            decoded.into_iter().map(|sheet| sheet.map(|sheet| sound.push(sheet.into_decoded()))).collect();
        let place = Arc::clone(&self.trying).acquire_owned().await.map_err(|_closed| shutting_down())?;
        let (sequencer, source) = (self.sequencer.clone(), call.connection().source());
        // Its place is given back when it is over and has rested, not when nobody waits for it any more.
        let tried = tokio::spawn(async move {
            let began = now::monotonic();
            let tried = sequencer.try_sheets(source, sound).await;
            rest(place, began.elapsed());
            (tried, under_way)
        });
        let (tried, _under_way) = tried.await.map_err(|ended| unfinished(&ended))?;
        let (tried, reflected_index) = tried.map_err(|error| submit_status(&error, language))?;
        let mut tried = tried.into_iter();
        let results = decoded.into_iter().map(|decoded| {
            match decoded.and_then(|()| tried.next().unwrap_or_else(|| Ok(Vec::new()))) {
                Err(refusal) => {
                    proto::DryRunResult { refused: Some(refusal_message(&refusal, language)), events: Vec::new() }
                }
                Ok(events) => proto::DryRunResult {
                    refused: None,
                    events: events.iter().map(|event| trial_message(event, language)).collect(),
                },
            }
        });
        Ok(fit_trial(results, from_sheet, reflected_index, ANSWER_BYTES_MAX))
    }
}

/// A list that is being answered.
struct List {
    call: Call,
    language: Option<Language>,
    under_way: VecDeque<Result<(Answering, Charge), SubmitError>>,
    results: Vec<proto::SubmitResult>,
    /// What the results hold.
    held: Vec<Charge>,
    events_bytes: usize,
}

impl List {
    fn new(call: Call, language: Option<Language>, count: usize) -> Self {
        let (under_way, results) = (VecDeque::new(), Vec::with_capacity(count));
        Self { call, language, under_way, results, held: Vec::with_capacity(count), events_bytes: 0 }
    }

    /// Hands a sheet on, once there is room for it and for its answer: the first ones of the list are answered meanwhile.
    async fn feed(&mut self, sequencer: &Sequencer, sheet: Result<DecodedSheet, Refusal>, published: bool) {
        let sheet = match sheet {
            Ok(sheet) => sheet,
            Err(refusal) => return self.under_way.push_back(Err(SubmitError::Refused(refusal))),
        };
        let bytes = RESULT_BYTES + sheet.events() * EVENT_BYTES;
        let held = loop {
            match self.call.connection().charge(bytes) {
                Ok(held) => break held,
                Err(_no) => {
                    if !self.next_answer().await {
                        // Others of the connection have all of it.
                        return self.under_way.push_back(Err(SubmitError::queue_full()));
                    }
                }
            }
        };
        let fed = sequencer.feed_decoded(self.call.connection().source(), sheet, published).await;
        self.under_way.push_back(fed.map(|answer| (answer, held)));
    }

    /// Waits for the answer to the first sheet that has none yet.
    async fn next_answer(&mut self) -> bool {
        let Some(first) = self.under_way.pop_front() else { return false };
        let (outcome, held) = match first {
            Ok((answer, held)) => (answer.await.unwrap_or(Err(SubmitError::ShuttingDown)), Some(held)),
            Err(error) => (Err(error), None),
        };
        let mut result = result(outcome, self.language);
        // What the answer has no room for isn't kept until all of it is there.
        let bytes = leave_out_events(&mut result, ANSWER_BYTES_MAX.saturating_sub(self.events_bytes));
        self.events_bytes += bytes;
        self.held.extend(held.map(|mut held| held.split(RESULT_BYTES + bytes * DECODED_TO_ENCODED)));
        self.results.push(result);
        true
    }
}

/// Keeps the place of a trial for as long again as it took, times [`TRIAL_REST`]: so much of the writer is everybody else's.
fn rest(place: OwnedSemaphorePermit, took: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep((took * TRIAL_REST).min(TRIAL_REST_MAX)).await;
        drop(place);
    });
}

fn sheet_bytes(sheet: &proto::Sheet) -> usize {
    sheet.header.len() + sheet.events.iter().chain(&sheet.signatures).map(Bytes::len).sum::<usize>()
}

fn trial_message(event: &Result<EventOutcome, Refusal>, language: Option<Language>) -> proto::DryRunEvent {
    let outcome = match event {
        Ok(outcome) => proto::dry_run_event::Outcome::Accepted(wire::event_receipt(outcome)),
        Err(refusal) => proto::dry_run_event::Outcome::Refused(refusal_message(refusal, language)),
    };
    proto::DryRunEvent { outcome: Some(outcome) }
}

fn response(accepted: Accepted) -> proto::SubmitResponse {
    proto::SubmitResponse { receipt: Some(accepted.receipt), publication: accepted.publication }
}

/// The outcome of one sheet of several.
pub(super) fn result(outcome: Result<Accepted, SubmitError>, language: Option<Language>) -> proto::SubmitResult {
    let outcome = match outcome {
        Ok(accepted) => proto::submit_result::Outcome::Accepted(response(accepted)),
        Err(error) => proto::submit_result::Outcome::Refused(failure_message(&error, language)),
    };
    proto::SubmitResult { outcome: Some(outcome) }
}

/// Lets holds expire that ran out: an event like any other, signed by the service key.
pub(super) async fn expire_holds(sequencer: Sequencer, projection: Arc<Projection>, key: Option<PrivateKey>) {
    let Some(key) = key else { return };
    loop {
        tokio::time::sleep(EXPIRY_INTERVAL).await;
        let Some(sheet) = expiry_sheet(&sequencer, &projection, &key) else { continue };
        if let Err(error) = sequencer.submit(sheet, false).await {
            // Somebody else ended one of them meanwhile: the next round sees it.
            tracing::warn!("holds that ran out were not expired: {error}");
        }
    }
}

fn expiry_sheet(sequencer: &Sequencer, projection: &Projection, key: &PrivateKey) -> Option<proto::Sheet> {
    // Where nobody knows the time, nothing is over.
    let Millis(now) = sequencer.now().ok()?;
    let version = projection.shown().version().clone();
    let over: Vec<Kind> = version
        .holds()
        .run_out(Millis(now))
        .take(wire::EVENTS_MAX)
        .map(|(at, _)| Kind::HoldExpired(proto::HoldExpired { hold: Some(wire::event_ref_message(at)) }))
        .collect();
    if over.is_empty() {
        return None;
    }
    let draft = wire::Draft {
        origin: version.origin(),
        sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
        issued_at: Millis(now),
        valid_until: Millis(now + EXPIRY_VALIDITY_MS),
        events: over,
    };
    wire::sign(draft, &[key]).ok()
}
