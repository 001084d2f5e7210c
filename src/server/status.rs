//! Rejections as gRPC statuses: the one place that knows both.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    ledger::{Refusal, Rejection},
    projection::{ProjectionError, event_ref_message},
    proto,
    sequencer::SubmitError,
    store::StoreError,
};

/// Domain of every `google.rpc.ErrorInfo` of this service.
pub(crate) const DOMAIN: &str = "timebank";

/// The status code of a rejection.
const fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::SheetTooLarge { .. }
        | Rejection::LengthOutOfRange { .. }
        | Rejection::EventCountOutOfRange { .. }
        | Rejection::EncodingInvalid { .. }
        | Rejection::EncodingNotCanonical { .. }
        | Rejection::FieldInvalid { .. }
        | Rejection::SignatureCountMismatch { .. }
        | Rejection::EventCountMismatch { .. }
        | Rejection::EventsRootMismatch
        | Rejection::SaltRepeated { .. }
        | Rejection::PublicKeyInvalid
        | Rejection::PossessionInvalid
        | Rejection::OriginMismatch { .. }
        | Rejection::SheetIssuedInFuture { .. }
        | Rejection::SheetValidityOutOfRange { .. }
        | Rejection::MinutesNotPositive { .. }
        | Rejection::MinutesTooLarge { .. }
        | Rejection::IntervalEmpty { .. }
        | Rejection::SameAccount
        | Rejection::AccountKindMismatch { .. }
        | Rejection::HoldEndOutOfRange { .. }
        | Rejection::ServiceInFuture { .. }
        | Rejection::RoundingNotAllowed
        | Rejection::CreditNotWhole { .. }
        | Rejection::CreditMismatch { .. }
        | Rejection::RecordTooLong { .. }
        | Rejection::BalanceOutOfRange => Code::InvalidArgument,
        Rejection::KeyUnknown { .. } | Rejection::SignatureInvalid { .. } => Code::Unauthenticated,
        Rejection::KeyIsRevoked { .. } | Rejection::NotPermitted { .. } | Rejection::SelfDealing => {
            Code::PermissionDenied
        }
        Rejection::RegionUnknown
        | Rejection::AccountUnknown { .. }
        | Rejection::RevokedKeyUnknown { .. }
        | Rejection::RecordUnknown { .. }
        | Rejection::HoldUnknown { .. } => Code::NotFound,
        Rejection::SheetExistsWithDifferentBytes { .. }
        | Rejection::LedgerExists
        | Rejection::RegionExists
        | Rejection::AccountExists { .. }
        | Rejection::KeyExists { .. } => Code::AlreadyExists,
        Rejection::SheetExpired { .. }
        | Rejection::TooManyRegions { .. }
        | Rejection::KeyAlreadyRevoked { .. }
        | Rejection::LastOperatorKey
        | Rejection::RecordReversed { .. }
        | Rejection::CorrectionChangesNothing
        | Rejection::HoldEnded { .. }
        | Rejection::HoldOfOthers { .. }
        | Rejection::HoldRunOut { .. }
        | Rejection::HoldStillRuns { .. }
        | Rejection::HoldTooSmall { .. }
        | Rejection::ServiceTooOld { .. }
        | Rejection::DayLimitExceeded { .. }
        | Rejection::ServiceOverlaps { .. }
        | Rejection::GroupGivesOnlyToPools
        | Rejection::BalanceBelowFloor { .. }
        | Rejection::OverflowPoolUnknown => Code::FailedPrecondition,
    }
}

/// A refusal of a sheet in a list or stream.
pub(crate) fn refusal_message(refusal: &Refusal) -> proto::Refusal {
    proto::Refusal {
        code: refusal.rejection.code().to_owned(),
        message: refusal.rejection.to_string(),
        remedy: refusal.rejection.remedy().to_owned(),
        event: refusal.event.map(u32::from),
        field: refusal.field.to_string(),
        grpc_code: i32::from(code(&refusal.rejection)),
        other: refusal.rejection.other().map(event_ref_message),
    }
}

/// Any failure of a sheet in a list or stream.
pub(crate) fn failure_message(error: &SubmitError) -> proto::Refusal {
    let plain = |code: &str, grpc: Code, remedy: &str| proto::Refusal {
        code: code.to_owned(),
        message: error.to_string(),
        remedy: remedy.to_owned(),
        event: None,
        field: String::new(),
        grpc_code: i32::from(grpc),
        other: None,
    };
    match error {
        SubmitError::Refused(refusal) => refusal_message(refusal),
        SubmitError::QueueFull { .. } => plain("QueueFull", Code::ResourceExhausted, "Send the same sheet again."),
        SubmitError::Clock(_) => plain("ClockImplausible", Code::Unavailable, "Have the server's clock set."),
        SubmitError::ShuttingDown => plain("ShuttingDown", Code::Unavailable, "Send the same sheet again."),
    }
}

/// Any failure of a sheet as a status.
pub(crate) fn submit_status(error: &SubmitError) -> Status {
    let message = failure_message(error);
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
    if let SubmitError::QueueFull { retry_ms } = error {
        details.set_retry_info(Some(Duration::from_millis(u64::from(*retry_ms))));
    }
    Status::with_error_details(code, error.to_string(), details)
}

/// A read that can't be answered: a stable code, the field, and what to do.
pub(crate) fn read_status(code: Code, reason: &str, field: &str, message: &str) -> Status {
    let metadata = HashMap::from([("field".to_owned(), field.to_owned())]);
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if code == Code::InvalidArgument {
        details.add_bad_request_violation(field, message);
    }
    Status::with_error_details(code, format!("{message} [{reason}]"), details)
}

/// A value of a request that can't be.
pub(crate) fn invalid(field: &str, expected: &str) -> Status {
    read_status(Code::InvalidArgument, "FieldInvalid", field, &format!("expected {expected}"))
}

/// An entry that isn't reflected in time.
pub(crate) fn not_reached(min_index: u64, size: u64) -> Status {
    let message = format!("entry {min_index} is not recorded yet, the log has {size} entries. Ask again");
    let mut details = ErrorDetails::with_error_info("IndexNotReached", DOMAIN, HashMap::new());
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(Code::Unavailable, format!("IndexNotReached: min_index: {message}"), details)
}

/// The service goes down while a read is under way.
pub(crate) fn going_down() -> Status {
    let details = ErrorDetails::with_error_info("ShuttingDown", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unavailable, "the service is going down; ask again when it is back", details)
}

/// The disk failed a reader.
pub(crate) fn broken(error: &dyn std::error::Error) -> Status {
    tracing::error!("a read failed: {error}");
    Status::internal("ReadFailed: the ledger's files could not be read; the operator finds the cause in the log")
}

impl From<StoreError> for ReadFailure {
    fn from(error: StoreError) -> Self {
        Self(broken(&error))
    }
}

impl From<ProjectionError> for ReadFailure {
    fn from(error: ProjectionError) -> Self {
        Self(broken(&error))
    }
}

impl From<Status> for ReadFailure {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

/// A read's failure on its way to a status.
pub(crate) struct ReadFailure(Status);

impl From<ReadFailure> for Status {
    fn from(failure: ReadFailure) -> Self {
        failure.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_full_queue_says_when_to_come_again() {
        let status = submit_status(&SubmitError::QueueFull { retry_ms: 100 });
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.get_details_error_info().unwrap().reason, "QueueFull");
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_millis(100)));
    }
}
