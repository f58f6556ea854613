//! Asking a running node: what the program's commands use, and anybody's program may.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::access::{Access, AccessError};
use super::place;
use super::refusal::Said;

/// The longest answer that is read, and the longest event, in bytes.
const MAX_ANSWER: usize = 64 << 20;
const MAX_EVENT: usize = 4 << 20;

/// A node answers within this time: the longest that one waits itself (for a member that is dialled), and some.
const WITHIN: Duration = Duration::from_secs(45);

/// Why a node was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// How to reach it is not known.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Nobody answers there.
    #[error(
        "the node does not answer at {address} ({error}); it was ended without leaving, perhaps: start it again with \
         `sealnet run`"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        error: String,
    },
    /// It does not want to, or cannot.
    #[error("{error}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// Why, as one word.
        kind: String,
        /// Why, in words.
        error: String,
    },
    /// What it answers is no answer to that.
    #[error("the answer of the node cannot be read: {0}; is it another version of this program?")]
    Answer(String),
    /// It took too long.
    #[error("the node did not answer within {} s; it is busy, or its machine is", WITHIN.as_secs())]
    Late,
}

/// Asks one running node.
#[derive(Clone, Debug)]
pub struct Client {
    access: Access,
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where to go on after it; empty if it has no place.
    pub id: String,
    /// What kind it is.
    pub event: String,
    /// What it says: JSON.
    pub data: String,
}

impl Client {
    /// Asks the node that is reached so.
    pub fn new(access: Access) -> Self {
        Client { access }
    }

    /// How it is reached.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// `GET`: `path` with what stands behind a question mark.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.answered(Method::GET, path, Bytes::new()).await
    }

    /// `POST` with a JSON object.
    ///
    /// # Errors
    /// See [`ClientError`]; where it says that the answer was late or broke off, the node may have done it all the same.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        self.answered(Method::POST, path, body.into()).await
    }

    /// What happens at the node: after the event with this number, or from now on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events(&self, after: Option<u64>) -> Result<EventStream, ClientError> {
        let path = after.map_or("/v1/events".to_owned(), |after| format!("/v1/events?after={after}"));
        self.stream(&path).await
    }

    /// An event stream at `path`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stream(&self, path: &str) -> Result<EventStream, ClientError> {
        let asking = async {
            let (response, connection) = self.send(Method::GET, path, Bytes::new()).await?;
            if response.status() != StatusCode::OK {
                return Err(refused(response).await);
            }
            Ok(EventStream { body: response.into_body(), buffer: Vec::new(), _connection: connection })
        };
        tokio::time::timeout(WITHIN, asking).await.unwrap_or(Err(ClientError::Late))
    }

    async fn answered<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ClientError> {
        let asking = async {
            let (response, _connection) = self.send(method, path, body).await?;
            if response.status() != StatusCode::OK {
                return Err(refused(response).await);
            }
            let answer = whole(response).await?;
            serde_json::from_slice(&answer).map_err(|error| ClientError::Answer(error.to_string()))
        };
        tokio::time::timeout(WITHIN, asking).await.unwrap_or(Err(ClientError::Late))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let address = &self.access.address;
        let unreachable =
            |error: &dyn fmt::Display| ClientError::Unreachable { address: address.clone(), error: error.to_string() };
        let (stream, host) = place::connect(address).await.map_err(|error| unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        let connection = Connection(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a control interface ended");
            }
        }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, self.access.bearer().as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        Ok((response, connection))
    }
}

/// The task of a connection, which ends with this value.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let collected = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    collected.map(|body| body.to_bytes()).map_err(|error| ClientError::Answer(error.to_string()))
}

async fn refused(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    let said = match whole(response).await {
        Ok(body) => serde_json::from_slice(&body).ok(),
        Err(error) => return error,
    };
    let Said { error, kind } =
        said.unwrap_or_else(|| Said { error: format!("the node says {status}"), kind: String::new() });
    ClientError::Refused { status: status.as_u16(), kind, error }
}

/// Server-sent events as they come.
pub struct EventStream {
    body: Incoming,
    /// What has come of the next event.
    buffer: Vec<u8>,
    _connection: Connection,
}

impl EventStream {
    /// The next event; `None` when the node has closed the stream.
    ///
    /// # Errors
    /// If the connection broke off, or what came is no event.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let rest = self.buffer.split_off(end + 2);
                let text = std::mem::replace(&mut self.buffer, rest);
                let text = std::str::from_utf8(&text).map_err(|error| ClientError::Answer(error.to_string()))?;
                if let Some(event) = parse(text) {
                    return Ok(Some(event));
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::Answer(error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                    if self.buffer.len() > MAX_EVENT {
                        return Err(ClientError::Answer(format!("an event has more than {MAX_EVENT} bytes")));
                    }
                }
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

/// One event; `None` for a comment.
fn parse(text: &str) -> Option<Event> {
    let mut event = Event { id: String::new(), event: String::new(), data: String::new() };
    for line in text.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut event.id),
            "event" => value.clone_into(&mut event.event),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    (!event.data.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_comments_passed_over() {
        let read = parse("id: 7\nevent: message\ndata: {\"a\": 1}\n\n").unwrap();
        assert_eq!((read.id.as_str(), read.event.as_str(), read.data.as_str()), ("7", "message", "{\"a\": 1}"));
        assert_eq!(parse(":\n\n"), None);
        assert_eq!(parse(": still here\n\n"), None);
    }
}
