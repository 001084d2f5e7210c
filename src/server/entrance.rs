//! The way in: what every request passes before anything of it is looked at, over HTTP/2 and HTTP/1.1 alike.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode, Version, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use hyper::body::Incoming;

use super::{
    arriving::Arriving,
    call::{Call, Calls},
    connections::NoRoom,
    edge::Port,
    leaving::Leaving,
    status::no_room,
};

/// What requests for gRPC say that they are; with a suffix, of the encoding.
const GRPC: &[u8] = b"application/grpc";

/// Answers a request: what it makes the process hold is charged to its connection, from its head to the last byte of its
/// answer.
pub(super) async fn admit(
    calls: Calls,
    port: Port,
    request: hyper::Request<Incoming>,
) -> Result<Response<Leaving>, Infallible> {
    let call = Call::here(&calls);
    let grpc = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(GRPC));
    let response = match call.begin(head_bytes(&request)) {
        Ok(()) => {
            let (mut head, incoming) = request.into_parts();
            head.extensions.insert(call.clone());
            let body = if head.version == Version::HTTP_2 && head.method == Method::POST {
                Body::new(Arriving::new(incoming, call.clone(), head.uri.path()))
            } else {
                // Nothing that is asked for otherwise has a body that anybody reads.
                Body::empty()
            };
            port.answer(Request::from_parts(head, body)).await
        }
        Err(no) => refused(no, grpc),
    };
    Ok(response.map(|body| Leaving::new(body, call, grpc)))
}

/// Bytes of a request's head, as HTTP/2 counts them but for its own fields.
fn head_bytes(request: &hyper::Request<Incoming>) -> usize {
    const FIELD_BYTES: usize = 32;
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES);
    request.uri().path().len() + fields.sum::<usize>()
}

/// The answer to whom there is no room for.
fn refused(no: NoRoom, grpc: bool) -> Response {
    if grpc {
        no_room(no).into_http()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "too much is asked at once; try again\n").into_response()
    }
}
