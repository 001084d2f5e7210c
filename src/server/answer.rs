//! Answers that every client takes: gRPC's own clients refuse a message of more than 4 MiB unless they are told otherwise.

use prost::Message;
use tonic::{Response, Status};

use super::status::answer_too_large;
use crate::format::proto::{self, submit_result::Outcome};

/// Largest answer, in bytes as encoded: what grpcio, grpc-go, grpc-java and tonic take by default, 4 MiB.
///
/// What each method's largest answer comes to, everything at its limit at once; those without a number fill the limit and
/// stop there, and `tests/end_to_end/answers.rs` measures them all:
///
/// | method | made of | KiB |
/// |---|---|---|
/// | `Submit`, `SubmitStream`, `GetReceipt` | 1,000 events of [`EVENT_BYTES_MAX`], a publication | 690 |
/// | `SubmitList` | 1,000 results of at most [`RESULT_BYTES_MAX`] without events, and events as far as they fit | |
/// | `DryRun` | whole sheets as far as they fit; one is 1,000 refusals of some 1,800 bytes | |
/// | `GetEntry`, `Subscribe` | a sheet of 256 KiB, 5 bytes of framing for each of 1,009 parts | 262 |
/// | `GetEventProof` | header and event of 1 KiB, 8 keys, 10 + 64 hashes | 6 |
/// | `GetInclusionProof`, `GetConsistencyProof` | 2 x 64 + 2 hashes of 34 bytes | 5 |
/// | `GetStatus` | a genesis' policy (its event has at most 1 KiB), origin, key, hashes | 3 |
/// | `GetCheckpoint` | a note of 1 KiB, one with 100 lines of witnesses, their names from a policy of 64 KiB | 76 |
/// | `GetAccount`, `GetBalance`, `GetRecord` | one row; a service of 250 bytes at most | 1 |
/// | `GetRecords` | 1,000 services of at most 250 bytes, places of 40 | 290 |
/// | `FindAccounts` | 10 rows of at most 130 bytes | 2 |
/// | `ListAccounts`, `ListHolds`, `ListKeys` | 1,000 rows of at most 130 bytes, a cursor | 128 |
/// | `ListHistory` | 200 rows of at most 120 bytes, with details two services of 250 and 100 more, a cursor | 144 |
/// | `ListRegions` | 10,000 regions: two codes of 32 bytes and 6 of framing | 684 |
/// | `GetStateDigest` | 4,096 accounts of 67 bytes, and 34 bytes for each 4,096: up to 470 million accounts | |
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// An event's receipt. A correction touches six accounts at most (volunteers, payers, the pool of what exceeds the cap, the
/// station that gave before), and of each the station may have to give a part: 12 postings of 42 bytes (an id of 16, two
/// amounts of 10, framing). And a warning of 160 bytes.
#[cfg(test)]
const EVENT_BYTES_MAX: usize = 12 * 42 + 160 + 40;

/// A sheet's result without its events: a refusal (40 + 512 + 256 + 128 + 820 bytes), or a publication: a checkpoint of 600 bytes
/// (its origin twice) and 64 hashes of 34 bytes. 1,000 of them leave a third of the answer for events.
#[cfg(test)]
const RESULT_BYTES_MAX: usize = 600 + 64 * 34 + 60;

/// The answer to a call, unless no client would take it: a last resort, for all of them are made to fit.
pub(super) fn answer<M: Message>(message: M) -> Result<Response<M>, Status> {
    check(message).map(Response::new)
}

/// One message of a stream, likewise.
pub(super) fn check<M: Message>(message: M) -> Result<M, Status> {
    match message.encoded_len() {
        bytes if bytes > ANSWER_BYTES_MAX => Err(answer_too_large(bytes, ANSWER_BYTES_MAX)),
        _ => Ok(message),
    }
}

/// Bytes of a message as a repeated field of an answer: a tag of one byte, its length, itself.
fn field_bytes(message: &impl Message) -> usize {
    1 + message.encoded_len() + prost::length_delimiter_len(message.encoded_len())
}

/// The bytes of a result's events.
fn events_bytes(result: &proto::SubmitResult) -> usize {
    match &result.outcome {
        Some(Outcome::Accepted(proto::SubmitResponse { receipt: Some(receipt), .. })) => {
            receipt.events.iter().map(field_bytes).sum()
        }
        Some(Outcome::Accepted(_) | Outcome::Refused(_)) | None => 0,
    }
}

/// Leaves the events of a result out where they have more bytes than there is room for; the bytes of those that stay.
pub(super) fn leave_out_events(result: &mut proto::SubmitResult, room: usize) -> usize {
    let bytes = events_bytes(result);
    if bytes <= room {
        return bytes;
    }
    if let Some(Outcome::Accepted(proto::SubmitResponse { receipt: Some(receipt), .. })) = &mut result.outcome {
        receipt.events_left_out = u32::try_from(receipt.events.len()).unwrap_or(u32::MAX);
        receipt.events = Vec::new();
    }
    0
}

/// A list's answer of at most so many bytes: every result is there, and receipts have their events as long as those fit.
/// Without a receipt nobody would know the index, so it is events that give way: they can be read again.
pub(super) fn fit_receipts(mut results: Vec<proto::SubmitResult>, bytes_max: usize) -> proto::SubmitListResponse {
    /// What `events_left_out` takes, and lengths that grow by a digit.
    const LEFT_OUT_BYTES_MAX: usize = 4 + 4 * 2;
    let whole: usize = results.iter().map(field_bytes).sum();
    if whole > bytes_max {
        let bare: usize =
            results.iter().map(|result| field_bytes(result) - events_bytes(result) + LEFT_OUT_BYTES_MAX).sum();
        let mut room = bytes_max.saturating_sub(bare);
        for result in &mut results {
            room -= leave_out_events(result, room);
        }
    }
    proto::SubmitListResponse { results }
}

/// A trial's answer of at most so many bytes: results of whole sheets from the asked one on, and where to go on.
pub(super) fn fit_trial(
    results: impl Iterator<Item = proto::DryRunResult>,
    from_sheet: u32,
    reflected_index: u64,
    bytes_max: usize,
) -> proto::DryRunResponse {
    /// Index and next sheet.
    const FRAME_BYTES_MAX: usize = 11 + 6;
    let mut response = proto::DryRunResponse { results: Vec::new(), reflected_index, next_sheet: None };
    let mut room = bytes_max - FRAME_BYTES_MAX;
    for (sheet, result) in (0..).zip(results) {
        if sheet < from_sheet {
            continue;
        }
        let bytes = field_bytes(&result);
        // The first one goes out in any case: without it nobody would get on.
        if bytes > room && !response.results.is_empty() {
            response.next_sheet = Some(sheet);
            break;
        }
        room = room.saturating_sub(bytes);
        response.results.push(result);
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use bytes::Bytes;

    use super::*;
    use crate::{
        format::wire,
        ledger::{Language, Refusal, Rejection, WarningCode},
        server::status::refusal_message,
    };

    fn largest_event() -> proto::EventReceipt {
        let posting = proto::Posting {
            account: Bytes::from_static(&[1; 16]),
            minutes: i64::MIN,
            balance_after_minutes: i64::MIN,
        };
        let similar = proto::EventRef { index: u64::MAX, event: u32::MAX };
        let warning = wire::warning_message(WarningCode::NearDuplicate, similar);
        proto::EventReceipt { postings: vec![posting; 12], warnings: vec![warning] }
    }

    fn receipt(events: usize) -> proto::Receipt {
        let events = vec![largest_event(); events];
        proto::Receipt { index: u64::MAX, recorded_at_ms: i64::MAX, events, events_left_out: 0 }
    }

    fn largest_publication() -> proto::Publication {
        let (origin, name) = ("o".repeat(128), "o".repeat(128));
        // Origin, size and root; the dash, the name and 68 bytes of key hash and signature.
        let checkpoint = format!("{origin}\n{}\n{}\n\n\u{2014} {name} {}\n", u64::MAX, "r".repeat(44), "s".repeat(92));
        proto::Publication { checkpoint, inclusion_proof: vec![Bytes::from_static(&[1; 32]); 64] }
    }

    fn accepted(events: usize) -> proto::SubmitResult {
        let (receipt, publication) = (Some(receipt(events)), Some(largest_publication()));
        let response = proto::SubmitResponse { receipt, publication };
        proto::SubmitResult { outcome: Some(Outcome::Accepted(response)) }
    }

    /// As long as garbage can make it.
    fn refusal() -> proto::Refusal {
        let problem = "x".repeat(10_000);
        let rejection = Rejection::EncodingInvalid { message: "SheetHeader", problem: problem.clone() };
        refusal_message(&Refusal { rejection, event: Some(u16::MAX), field: problem.into() }, Some(Language::Chinese))
    }

    fn trial(events: usize) -> proto::DryRunResult {
        let outcome = Some(proto::dry_run_event::Outcome::Refused(refusal()));
        proto::DryRunResult { refused: None, events: vec![proto::DryRunEvent { outcome }; events] }
    }

    #[test]
    fn the_largest_event_and_the_largest_result_are_as_large_as_stated() {
        assert!(field_bytes(&largest_event()) <= EVENT_BYTES_MAX, "{}", field_bytes(&largest_event()));
        assert!(field_bytes(&accepted(0)) <= RESULT_BYTES_MAX, "{}", field_bytes(&accepted(0)));
        let refused = proto::SubmitResult { outcome: Some(Outcome::Refused(refusal())) };
        assert!(field_bytes(&refused) <= RESULT_BYTES_MAX);
        assert!(accepted(1_000).encoded_len() < ANSWER_BYTES_MAX / 4, "Submit has room for more");
        const { assert!(1_000 * RESULT_BYTES_MAX < ANSWER_BYTES_MAX * 7 / 10, "a list has room for events") };
        assert!(trial(1_000).encoded_len() < ANSWER_BYTES_MAX / 2, "one sheet of a trial fits");
    }

    #[test]
    fn a_list_names_every_index_and_leaves_out_the_events_that_do_not_fit() {
        let results: Vec<proto::SubmitResult> = (0..1_000).map(|number| accepted(number % 200)).collect();
        let fitted = fit_receipts(results.clone(), ANSWER_BYTES_MAX);
        assert!(fitted.encoded_len() <= ANSWER_BYTES_MAX, "{}", fitted.encoded_len());
        assert!(fitted.encoded_len() > ANSWER_BYTES_MAX * 9 / 10, "the room is used: {}", fitted.encoded_len());
        assert_eq!(fitted.results.len(), results.len());
        for (number, result) in fitted.results.iter().enumerate() {
            let Some(Outcome::Accepted(response)) = &result.outcome else { unreachable!("all are accepted") };
            let receipt = response.receipt.as_ref().unwrap();
            assert_eq!(receipt.index, u64::MAX);
            assert!(response.publication.is_some());
            assert_eq!(receipt.events.len() + receipt.events_left_out as usize, number % 200, "all of them or none");
        }
        let few = vec![accepted(1), accepted(2)];
        assert_eq!(fit_receipts(few.clone(), ANSWER_BYTES_MAX).results, few, "what fits is left alone");
    }

    #[test]
    fn a_trial_goes_on_where_it_was_cut_until_every_sheet_was_told() {
        let results: Vec<proto::DryRunResult> = (0..64).map(|sheet| trial(400 + sheet * 9)).collect();
        let (mut told, mut from) = (Vec::new(), 0);
        loop {
            let page = fit_trial(results.iter().cloned(), from, u64::MAX, ANSWER_BYTES_MAX);
            assert!(page.encoded_len() <= ANSWER_BYTES_MAX, "{}", page.encoded_len());
            told.extend(page.results);
            let Some(next) = page.next_sheet else { break };
            assert!(next > from);
            from = next;
        }
        assert!(told == results);
        let alone = fit_trial(results.iter().cloned(), 63, 0, 100);
        assert_eq!((alone.results.len(), alone.next_sheet), (1, None), "one goes out in any case");
    }

    #[test]
    fn an_answer_that_no_client_takes_is_an_error_with_a_name() {
        let large =
            |bytes: usize| proto::GetCheckpointResponse { checkpoint: "x".repeat(bytes), cosigned: String::new() };
        let status = answer(large(ANSWER_BYTES_MAX)).unwrap_err();
        let info = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (tonic::Code::Internal, "AnswerTooLarge"));
        let response = answer(large(ANSWER_BYTES_MAX - 5)).unwrap();
        assert_eq!(response.get_ref().encoded_len(), ANSWER_BYTES_MAX);
    }
}
