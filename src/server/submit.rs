//! Submissions: one, many, tried only; and the service key's own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tonic::Status;

use super::{
    Service,
    answer::{ANSWER_BYTES_MAX, fit_receipts, fit_trial},
    edge::Spoken,
    messages::until_published,
    status::{failure_message, invalid, refusal_message, submit_status, unfinished},
};
use crate::{
    engine::{
        projection::Projection,
        sequencer::{Accepted, Sequencer, SubmitError},
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
/// How often holds that ran out are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(10);
/// How long the service key's own sheets are valid.
const EXPIRY_VALIDITY_MS: i64 = 600_000;

impl Service {
    pub(super) async fn submit_one(
        &self,
        Spoken(language): Spoken,
        request: proto::SubmitRequest,
    ) -> Result<proto::SubmitResponse, Status> {
        let sheet = request.sheet.ok_or_else(|| invalid("sheet", "a sheet"))?;
        let published = until_published(request.until)?;
        match self.sequencer.submit(sheet, published).await {
            Ok(accepted) => Ok(response(accepted)),
            Err(error) => Err(submit_status(&error, language)),
        }
    }

    pub(super) async fn submit_many(
        &self,
        Spoken(language): Spoken,
        request: proto::SubmitListRequest,
    ) -> Result<proto::SubmitListResponse, Status> {
        if !(1..=LIST_SHEETS_MAX).contains(&request.sheets.len()) {
            return Err(invalid("sheets", "1 to 1,000 sheets"));
        }
        let length = |sheet: &proto::Sheet| {
            sheet.header.len() + sheet.events.iter().chain(&sheet.signatures).map(Bytes::len).sum::<usize>()
        };
        if request.sheets.iter().map(length).sum::<usize>() > LIST_BYTES_MAX {
            return Err(invalid("sheets", "at most 4 MiB of sheets"));
        }
        let published = until_published(request.until)?;
        let mut answers = Vec::with_capacity(request.sheets.len());
        for sheet in request.sheets {
            answers.push(self.sequencer.feed(sheet, published).await);
        }
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            let outcome = match answer {
                Ok(answer) => answer.await.unwrap_or(Err(SubmitError::ShuttingDown)),
                Err(error) => Err(error),
            };
            results.push(result(outcome, language));
        }
        Ok(fit_receipts(results, ANSWER_BYTES_MAX))
    }

    pub(super) async fn try_all(
        &self,
        Spoken(language): Spoken,
        request: proto::DryRunRequest,
    ) -> Result<proto::DryRunResponse, Status> {
        if !(1..=TRIAL_SHEETS_MAX).contains(&request.sheets.len()) {
            return Err(invalid("sheets", "1 to 64 sheets"));
        }
        let from_sheet = request.from_sheet;
        if usize::try_from(from_sheet).map_or(true, |from| from >= request.sheets.len()) {
            return Err(invalid("from_sheet", "one of the sheets, from 0"));
        }
        // 64,000 events take a while to decode: other callers of this thread go on meanwhile.
        let decode = move || request.sheets.iter().map(wire::decode).collect::<Vec<_>>();
        let decoded = tokio::task::spawn_blocking(decode).await.map_err(|ended| unfinished(&ended))?;
        let sound = decoded.iter().filter_map(|decoded| decoded.as_ref().ok().cloned()).collect();
        let (tried, reflected_index) =
            self.sequencer.try_sheets(sound).await.map_err(|error| submit_status(&error, language))?;
        let mut tried = tried.into_iter();
        let results = decoded.into_iter().map(|decoded| {
            match decoded.and_then(|_| tried.next().unwrap_or_else(|| Ok(Vec::new()))) {
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
