//! Asking a node something, and its answer.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::super::BodyError;
use super::super::shared::Shared;
use crate::envelope::{Title, TitleError};
use crate::identity::NodeId;
use crate::wire::RequestKind;

use super::asking::Call;
use super::dial::ask;
use super::{DEADLINE, MAX_REQUEST, RequestError, WrongBody};

/// The most that is taken of an answer if nothing is said, in bytes.
const ANSWER: usize = 1 << 20;

/// A request that is about to be sent; it goes out when awaited. Dropped while it is under way, it is cancelled, and the
/// other node is told.
#[derive(Debug)]
#[must_use = "nothing is asked before this is awaited"]
pub struct Request {
    shared: Arc<Shared>,
    peer: NodeId,
    title: Result<Title, TitleError>,
    body: Result<Bytes, BodyError>,
    deadline: Duration,
    limit: usize,
}

impl Request {
    pub(in crate::node) fn new(shared: Arc<Shared>, peer: NodeId, title: &str, body: Result<Bytes, BodyError>) -> Self {
        let title = Title::for_application(title);
        Request { shared, peer, title, body, deadline: DEADLINE, limit: ANSWER }
    }

    /// How long the whole answer may take to come, opening a link included; ten seconds if nothing is said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The largest answer that is wanted, in bytes; 1 MiB if nothing is said. All of it is held in memory: fetch what is
    /// larger than 16 MiB.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    async fn ask(self) -> Result<Response, RequestError> {
        let (title, body) = (self.title?, self.body?);
        check_size(&body)?;
        let asking = async {
            let call = ask(&self.shared, &self.peer, RequestKind::Question, &title, body).await?;
            let body = whole(call, self.limit).await?;
            Ok(Response { from: self.peer, title: title.clone(), body })
        };
        within(self.peer, self.deadline, asking).await
    }
}

impl IntoFuture for Request {
    type Output = Result<Response, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.ask())
    }
}

pub(super) fn check_size(body: &Bytes) -> Result<(), RequestError> {
    let (size, limit) = (body.len(), MAX_REQUEST);
    if size > limit { Err(RequestError::TooLarge { size, limit }) } else { Ok(()) }
}

pub(super) async fn within<T>(
    peer: NodeId,
    after: Duration,
    asking: impl Future<Output = Result<T, RequestError>>,
) -> Result<T, RequestError> {
    match tokio::time::timeout(after, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(RequestError::Deadline { peer, after }),
    }
}

/// Waits for all of an answer.
async fn whole(mut call: Call, limit: usize) -> Result<Bytes, RequestError> {
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(bytes) = call.next().await? {
        if bytes.len() > limit.saturating_sub(first.len() + body.len()) {
            return Err(RequestError::AnswerTooLarge { peer: call.peer(), limit });
        }
        // Most answers come in one piece.
        if first.is_empty() && body.is_empty() {
            first = bytes;
        } else {
            if body.is_empty() {
                body.extend_from_slice(&std::mem::take(&mut first));
            }
            body.extend_from_slice(&bytes);
        }
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

/// What a node answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    from: NodeId,
    title: Title,
    body: Bytes,
}

impl Response {
    /// Who answered: proven by the link on a secure network, claimed on a plain one.
    pub fn from(&self) -> NodeId {
        self.from
    }

    /// The content.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The content, for good.
    pub fn into_bytes(self) -> Bytes {
        self.body
    }

    /// The content, if it is text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<&str, WrongBody> {
        std::str::from_utf8(&self.body).map_err(|error| WrongBody::new(self.from, self.title.as_str(), error))
    }

    /// The content, read as JSON.
    ///
    /// # Errors
    /// If it is no JSON, or not of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, WrongBody> {
        serde_json::from_slice(&self.body).map_err(|error| WrongBody::new(self.from, self.title.as_str(), error))
    }
}
