//! Answers that every client takes: gRPC's own clients refuse a message of more than 4 MiB unless they are told otherwise.

use prost::Message;
use tonic::{Response, Status};

use super::status::answer_too_large;

/// Largest answer, in bytes as encoded: what grpcio, grpc-go, grpc-java and tonic take by default, 4 MiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::proto;

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
