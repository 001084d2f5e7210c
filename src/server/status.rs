//! Rejections and failures as gRPC statuses: the one place that knows both, and the only one that makes a status.

use std::{collections::HashMap, time::Duration};

use axum::http::HeaderMap;
use prost::DecodeError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{connections::NoRoom, reason::Reason};
use crate::{
    access::ReadError,
    engine::sequencer::SubmitError,
    format::{proto, wire},
    ledger::{Language, Refusal, Say},
};

/// Bytes of what a refusal says. The longest sentence of a rule names an origin twice and has some 350; only text that
/// a decoder makes of garbage could be longer, and is cut.
const MESSAGE_BYTES_MAX: usize = 512;
/// Bytes of what a refusal advises: twice the longest sentence there is.
const REMEDY_BYTES_MAX: usize = 256;
/// Bytes of the path of a field: twice the longest there is.
const FIELD_BYTES_MAX: usize = 128;
/// Bytes of a status's text: code, event, field, message and remedy together. It goes out twice, percent-encoded and
/// within the details, in base64 beside the parts and the localized text: at most 3 x 1,024 + 4/3 x (1,024 + 1,300 + 800)
/// bytes, below the 8 KiB of trailers that gRPC's own clients take.
const STATUS_BYTES_MAX: usize = 1_024;
/// Bytes of what is said in the reader's language, sentence, remedy and code together: as [`MESSAGE_BYTES_MAX`] and
/// [`REMEDY_BYTES_MAX`], with room for a code. A Chinese text has half the letters of three bytes each.
const LOCALIZED_BYTES_MAX: usize = 800;

/// When another digest is worth a try: one over a nation's accounts takes minutes.
const DIGEST_RETRY: Duration = Duration::from_mins(1);
/// When an entry that wasn't there is worth another look.
const REACH_RETRY: Duration = Duration::from_secs(1);

/// When there may be room: whoever held it is told to go at once.
const ROOM_RETRY: Duration = Duration::from_secs(1);

/// Domain of every `google.rpc.ErrorInfo` of this service.
pub(crate) const DOMAIN: &str = "timebank";

/// A text of at most so many bytes; where something is cut off, it shows.
fn cut(mut text: String, bytes_max: usize) -> String {
    const MARK: &str = "...";
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - MARK.len()));
        text.push_str(MARK);
    }
    text
}

/// A refusal of a sheet in a list or stream, and in the language that was asked for.
pub(crate) fn refusal_message(refusal: &Refusal, language: Option<Language>) -> proto::Refusal {
    proto::Refusal {
        code: refusal.rejection.code().to_owned(),
        message: cut(refusal.rejection.to_string(), MESSAGE_BYTES_MAX),
        remedy: cut(refusal.rejection.remedy().to_string(), REMEDY_BYTES_MAX),
        event: refusal.event.map(u32::from),
        field: cut(refusal.field.to_string(), FIELD_BYTES_MAX),
        grpc_code: refusal.rejection.status().number(),
        other: refusal.rejection.other().map(wire::event_ref_message),
        localized: language.map(|language| proto::LocalizedMessage {
            locale: language.tag().to_owned(),
            message: cut(refusal.in_language(language).to_string(), LOCALIZED_BYTES_MAX),
        }),
    }
}

/// Any failure of a sheet in a list or stream.
pub(crate) fn failure_message(error: &SubmitError, language: Option<Language>) -> proto::Refusal {
    let plain = |reason: Reason, remedy: &str| proto::Refusal {
        code: reason.name().to_owned(),
        message: cut(error.to_string(), MESSAGE_BYTES_MAX),
        remedy: remedy.to_owned(),
        event: None,
        field: String::new(),
        grpc_code: i32::from(reason.code()),
        other: None,
        localized: language.map(|language| proto::LocalizedMessage {
            locale: language.tag().to_owned(),
            message: reason.said(language),
        }),
    };
    match error {
        SubmitError::Refused(refusal) => refusal_message(refusal, language),
        SubmitError::QueueFull { .. } => plain(Reason::QueueFull, "Send the same sheet again."),
        SubmitError::Clock(_) => plain(Reason::ClockImplausible, "Have the server's clock set."),
        SubmitError::ShuttingDown => plain(Reason::ShuttingDown, "Send the same sheet again."),
        SubmitError::NotPublished { .. } => plain(Reason::NotPublished, "Send the same sheet again for its receipt."),
    }
}

/// Any failure of a sheet as a status.
pub(crate) fn submit_status(error: &SubmitError, language: Option<Language>) -> Status {
    let message = failure_message(error, language);
    let mut metadata = HashMap::from([("remedy".to_owned(), message.remedy.clone())]);
    if let Some(event) = message.event {
        metadata.insert("event".to_owned(), event.to_string());
    }
    if !message.field.is_empty() {
        metadata.insert("field".to_owned(), message.field.clone());
    }
    let code = Code::from(message.grpc_code);
    let mut details = ErrorDetails::with_error_info(message.code.clone(), DOMAIN, metadata);
    if code == Code::InvalidArgument && !message.field.is_empty() {
        details.add_bad_request_violation(message.field.clone(), message.message.clone());
    }
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(
            message.code.clone(),
            message.field.clone(),
            message.message.clone(),
        );
    }
    if let Some(localized) = message.localized {
        details.set_localized_message(localized.locale, localized.message);
    }
    if let SubmitError::QueueFull { retry_ms } = error {
        details.set_retry_info(Some(Duration::from_millis(u64::from(*retry_ms))));
    }
    // The reason first, as in every status: logs and shells of other languages show nothing else of it.
    let text = match error {
        SubmitError::Refused(_) => format!("{}: {}. {}", message.code, message.message, message.remedy),
        SubmitError::QueueFull { .. }
        | SubmitError::Clock(_)
        | SubmitError::ShuttingDown
        | SubmitError::NotPublished { .. } => error.to_string(),
    };
    Status::with_error_details(code, cut(text, STATUS_BYTES_MAX), details)
}

/// A failure that no rule is the reason of: its stable reason, the field where one is meant, and what to do.
pub(crate) fn failure(reason: Reason, field: &str, message: &str) -> Status {
    let mut metadata = HashMap::new();
    if !field.is_empty() {
        metadata.insert("field".to_owned(), cut(field.to_owned(), FIELD_BYTES_MAX));
    }
    let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
    if reason.code() == Code::InvalidArgument && !field.is_empty() {
        let (field, message) = (cut(field.to_owned(), FIELD_BYTES_MAX), cut(message.to_owned(), MESSAGE_BYTES_MAX));
        details.add_bad_request_violation(field, message);
    }
    if let Some(delay) = retry(reason) {
        details.set_retry_info(Some(delay));
    }
    let text = format!("{}: {message}", reason.name());
    Status::with_error_details(reason.code(), cut(text, STATUS_BYTES_MAX), details)
}

/// When to ask again, where that is known beforehand.
const fn retry(reason: Reason) -> Option<Duration> {
    match reason {
        Reason::DigestBusy => Some(DIGEST_RETRY),
        Reason::IndexNotReached => Some(REACH_RETRY),
        Reason::ConnectionFull | Reason::ServiceFull | Reason::SubscribersFull => Some(ROOM_RETRY),
        // Stated by the queue itself.
        Reason::QueueFull
        | Reason::FieldInvalid
        | Reason::NotPermitted
        | Reason::AccountUnknown
        | Reason::EntryUnknown
        | Reason::EventUnknown
        | Reason::RecordUnknown
        | Reason::IndexOutOfRange
        | Reason::TimeOutOfRange
        | Reason::MessageInvalid
        | Reason::MessageTooLarge
        | Reason::TimeoutInvalid
        | Reason::RequestStalled
        | Reason::CompressionUnsupported
        | Reason::MethodUnknown
        | Reason::DeadlineExceeded
        | Reason::ClockImplausible
        | Reason::ShuttingDown
        | Reason::NotPublished
        | Reason::ReadFailed
        | Reason::AnswerTooLarge => None,
    }
}

/// A value of a request that can't be.
pub(crate) fn invalid(field: &'static str, expected: &'static str) -> Status {
    read_status(&ReadError::invalid(field, expected))
}

/// Why a read has no answer. What failed the ledger's files goes to the operator's log, not to the reader.
pub(crate) fn read_status(error: &ReadError) -> Status {
    let reason = match error {
        ReadError::NotPermitted => Reason::NotPermitted,
        ReadError::FieldInvalid { .. } => Reason::FieldInvalid,
        ReadError::AccountUnknown { .. } => Reason::AccountUnknown,
        ReadError::EntryUnknown { .. } => Reason::EntryUnknown,
        ReadError::EventUnknown { .. } => Reason::EventUnknown,
        ReadError::RecordUnknown { .. } => Reason::RecordUnknown,
        ReadError::IndexOutOfRange { .. } => Reason::IndexOutOfRange,
        ReadError::TimeOutOfRange => Reason::TimeOutOfRange,
        ReadError::IndexNotReached { .. } => Reason::IndexNotReached,
        ReadError::DigestBusy => Reason::DigestBusy,
        ReadError::ShuttingDown => Reason::ShuttingDown,
        ReadError::Failed { problem } => {
            tracing::error!("a read failed: {problem}");
            Reason::ReadFailed
        }
    };
    failure(reason, error.field(), &error.to_string())
}

/// What is asked for at once is more than there is room for.
pub(crate) fn no_room(no: NoRoom) -> Status {
    match no {
        // Where it is gone, nobody hears of it.
        NoRoom::Connection | NoRoom::Gone => failure(
            Reason::ConnectionFull,
            "",
            "what this connection has sent, and not taken of its answers, is as much as one may hold; take the answers, and \
             send the same again",
        ),
        NoRoom::Service => failure(
            Reason::ServiceFull,
            "",
            "all connections together hold as much as the service may; send the same again in a moment",
        ),
    }
}

/// There are as many subscriptions as there may be.
pub(crate) fn subscribers_full() -> Status {
    failure(Reason::SubscribersFull, "", "as many follow the log as there may be; ask again in a moment")
}

/// A request that broke off; whoever sent it is most likely gone.
pub(crate) fn broken_off(error: &hyper::Error) -> Status {
    Status::cancelled(format!("the request broke off: {error}"))
}

/// A request that came in by another way than all do; a fault of this program.
pub(crate) fn unaccounted() -> Status {
    Status::internal("the call came past the entrance")
}

/// A message that can't be decoded.
pub(crate) fn message_invalid(error: &DecodeError) -> Status {
    failure(Reason::MessageInvalid, "", &format!("the request is no message of this method: {error}"))
}

/// A call that was under way when its deadline passed.
pub(crate) fn deadline_exceeded() -> Status {
    failure(
        Reason::DeadlineExceeded,
        "",
        "the call's deadline passed before the answer was complete; whether a sheet that was sent is recorded is unknown: \
         send the same one again",
    )
}

/// A call that the service's end cut short.
pub(crate) fn shutting_down() -> Status {
    read_status(&ReadError::ShuttingDown)
}

/// Work beside the threads that answer, which ended without a result: the service goes down, or it failed.
pub(crate) fn unfinished(ended: &tokio::task::JoinError) -> Status {
    let failed = || ReadError::Failed { problem: ended.to_string() };
    read_status(&if ended.is_cancelled() { ReadError::ShuttingDown } else { failed() })
}

/// An answer that no client would take.
pub(crate) fn answer_too_large(bytes: usize, bytes_max: usize) -> Status {
    tracing::error!("an answer of {bytes} bytes was not sent");
    let message =
        format!("the answer would have {bytes} bytes, more than the {bytes_max} that a client takes; ask for less");
    failure(Reason::AnswerTooLarge, "", &message)
}

/// What a body ends with, for a status.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Nothing in a status of ours is no header.
    let _added = status.add_header(&mut trailers);
    trailers
}

/// A status with its reason in the language that was asked for, where nothing in it is said in one yet: rejections say more
/// than their code when they are made, other reasons only what goes for all of their kind.
pub(crate) fn localized(status: Status, language: Language) -> Status {
    let mut details = status.get_error_details();
    let reason =
        details.error_info().filter(|info| info.domain == DOMAIN).and_then(|info| Reason::of_name(&info.reason));
    let Some(reason) = reason.filter(|_| details.localized_message().is_none()) else { return status };
    details.set_localized_message(language.tag(), reason.said(language));
    Status::with_error_details(status.code(), status.message(), details)
}

/// What gRPC itself said no to, before the service was asked: the status has a code and a text, but no details, which
/// everything has that is made here. Its reason follows from the code. Other statuses stay as they are.
pub(crate) fn named(status: Status, method: &str) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    let said = status.message();
    match status.code() {
        Code::Unimplemented if said.is_empty() => {
            let method = cut(method.to_owned(), FIELD_BYTES_MAX);
            failure(
                Reason::MethodUnknown,
                "",
                &format!("there is no method {method} here; reflection lists what there is"),
            )
        }
        Code::Unimplemented => {
            let text = format!("messages are taken as they are, without compression: {said}");
            failure(Reason::CompressionUnsupported, "", &text)
        }
        Code::Internal => {
            failure(Reason::MessageInvalid, "", &format!("the request is no message of this method: {said}"))
        }
        Code::OutOfRange => {
            let said = said.trim_start_matches("Error, ");
            failure(Reason::MessageTooLarge, "", &format!("the request is too large: {said}"))
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => status,
    }
}

#[cfg(test)]
mod tests;
