//! What comes with a request: a JSON object in its body, or a few words behind the question mark.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// The longest body that is read, in bytes: the longest message there is, as base64, and room for the rest.
pub(super) const MAX_BODY: usize = 256 << 10;

/// A body comes within this time.
const WITHIN: Duration = Duration::from_secs(10);

/// The JSON object in a request's body. Nothing is taken that has no meaning.
pub(super) struct Json<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let bytes = read(request.into_body()).await?;
        // An empty body is an empty object: a request that takes nothing needs none.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let read = serde_json::from_slice(bytes).map_err(|error| {
            Refusal::malformed(format!("the body is not what this takes ({error}); docs/control.md shows what is"))
        });
        read.map(Json)
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Refusal> {
    let collected = tokio::time::timeout(WITHIN, Limited::new(body, MAX_BODY).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Refusal::too_large(format!("a body has at most {MAX_BODY} bytes; send less at a time")))
        }
        Ok(Err(error)) => Err(Refusal::malformed(format!("the body broke off: {error}"))),
        Err(_) => {
            let words = format!("the body did not come within {} s; send it at once", WITHIN.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too-slow", words))
        }
    }
}

/// What stands behind the question mark.
pub(super) struct Words<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Words<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut hyper::http::request::Parts, _: &S) -> Result<Self, Refusal> {
        let words = Query::<T>::try_from_uri(&parts.uri);
        let words = words.map_err(|error| {
            Refusal::malformed(format!("what stands behind the question mark is not what this takes ({error})"))
        });
        words.map(|Query(words)| Words(words))
    }
}
