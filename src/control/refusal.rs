//! Why a request was not done, in words and as one word for programs.

use axum::response::{IntoResponse, Response};
use hyper::{StatusCode, header};
use serde::{Deserialize, Serialize};

/// A request that was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    said: Said,
}

/// What its body says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) error: String,
    pub(super) kind: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, kind: &'static str, error: impl ToString) -> Self {
        Refusal { status, said: Said { error: error.to_string(), kind: kind.to_owned() } }
    }

    /// The request says something that means nothing.
    pub(super) fn malformed(error: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", error)
    }

    pub(super) fn not_found(kind: &'static str, error: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind, error)
    }

    pub(super) fn too_large(error: impl ToString) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", error)
    }

    /// It may work later.
    pub(super) fn unavailable(kind: &'static str, error: impl ToString) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, error)
    }

    pub(super) fn stopped() -> Self {
        Self::unavailable("stopped", "the node has stopped; start it again")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.said).unwrap_or_default();
        (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
