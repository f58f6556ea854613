//! Saying something to everybody.

use std::future::{IntoFuture, ready};
use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::{Draft, EnvelopeId, Lifetime, MAX_MESSAGE, MessageTooLong, Timestamp, Title, TitleError};
use crate::log::{Cursor, LogError};
use crate::overlay::ClockWentBack;

use super::shared::Shared;

/// What a message consists of: text, bytes, or JSON.
///
/// ```
/// use sealnet::node::Body;
/// let text = Body::from("hello");
/// let json = Body::from(serde_json::json!({"height": 7}));
/// assert_eq!(json.as_bytes(), br#"{"height":7}"#);
/// # let _ = text;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// The bytes that will be sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body(text.into())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(bytes.into())
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body(Bytes::copy_from_slice(bytes))
    }
}

impl From<serde_json::Value> for Body {
    fn from(value: serde_json::Value) -> Body {
        Body(value.to_string().into())
    }
}

/// What is known of a broadcast when it has been published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its name.
    pub id: EnvelopeId,
    /// The time it carries.
    pub time: Timestamp,
    /// Its place in this node's log.
    pub cursor: Cursor,
    /// To how many neighbours it was handed. Zero is no failure: it is kept, and told to whoever links next.
    pub neighbours: usize,
}

/// Why a message was not published. Nothing of it left this node, and nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The title cannot be used.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// The message is larger than an envelope can carry.
    #[error(
        "the message has {size} bytes and a broadcast carries at most {limit}; send it in parts, or to single nodes"
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most there can be, in bytes.
        limit: usize,
    },
    /// The log does not take it.
    #[error("the message was not published because it cannot be kept: {0}")]
    Log(#[from] LogError),
    /// The clock is behind what this identity signed.
    #[error(transparent)]
    ClockWentBack(#[from] ClockWentBack),
    /// The node is stopping.
    #[error("the node is stopping; start it again to publish")]
    Stopping,
}

impl From<MessageTooLong> for PublishError {
    fn from(error: MessageTooLong) -> Self {
        PublishError::TooLarge { size: error.size, limit: MAX_MESSAGE }
    }
}

/// A broadcast that is about to be published; it goes out when awaited.
#[derive(Debug)]
#[must_use = "nothing is published before this is awaited"]
pub struct Publish {
    shared: Arc<Shared>,
    title: String,
    body: Bytes,
    lifetime: Lifetime,
}

impl Publish {
    pub(super) fn new(shared: Arc<Shared>, title: &str, body: Body) -> Self {
        Publish { shared, title: title.to_owned(), body: body.into_bytes(), lifetime: Lifetime::DEFAULT }
    }

    /// How long it is kept for those who are away; a day if nothing is said. [`Lifetime::LIVE_ONLY`]: not at all.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    fn publish(self) -> Result<Receipt, PublishError> {
        let title = Title::for_application(&self.title)?;
        let size = self.body.len();
        if size > MAX_MESSAGE {
            return Err(PublishError::TooLarge { size, limit: MAX_MESSAGE });
        }
        self.shared.publish(title, self.body, self.lifetime)
    }
}

impl IntoFuture for Publish {
    type Output = Result<Receipt, PublishError>;
    type IntoFuture = std::future::Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.publish())
    }
}

impl Shared {
    /// Draws the time, signs, appends, accepts, relays: in this order, so that nothing leaves this node that it could
    /// forget.
    pub(super) fn publish(&self, title: Title, message: Bytes, lifetime: Lifetime) -> Result<Receipt, PublishError> {
        if self.is_stopping() && !title.is_protocol() {
            return Err(PublishError::Stopping);
        }
        let now = self.now();
        let time = self.with_core(|core| core.draw_time(now))?;
        let envelope = self.scheme.publish(&Draft { title, message, time, lifetime })?;
        let cursor = if envelope.title().starts_with(Title::PROTOCOL_PREFIX) {
            self.log.end()
        } else {
            self.append(&envelope, now)?
        };
        let (id, now) = (envelope.id(), self.now());
        let neighbours = self.with_core(|core| core.publish(now, envelope));
        Ok(Receipt { id, time, cursor, neighbours })
    }
}
