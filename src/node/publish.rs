//! Saying something to everybody.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::{
    Draft, Envelope, EnvelopeId, Lifetime, MAX_MESSAGE, MessageTooLong, Timestamp, Title, TitleError, Verified,
};
use crate::log::{Cursor, LogError, Position};
use crate::overlay::{ClockWentBack, Handed, LEAVE_TITLE, Reason};

use super::body::{Body, BodyError};
use super::shared::Shared;

/// What is known of a broadcast when it has been published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its name.
    pub id: EnvelopeId,
    /// The time it carries.
    pub time: Timestamp,
    /// Its place in this node's log.
    pub cursor: Cursor,
    /// To how many neighbours it goes from here. Zero is no failure: it is kept, and told to whoever links next.
    pub neighbours: usize,
    /// How many of them are only told that it is there, because others are likely to bring it; they ask if nobody does.
    pub announced: usize,
    /// Whether it is kept for those who are away; what is said for the moment only is not.
    pub is_kept: bool,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receipt { neighbours, announced, is_kept, .. } = *self;
        let kept = if is_kept { "kept" } else { "not kept" };
        match (neighbours.saturating_sub(announced), announced) {
            (0, 0) if is_kept => f.write_str("no neighbour at the moment: kept, and will be offered to whoever links"),
            (0, 0) => f.write_str("no neighbour at the moment: nobody hears it, because it is not kept"),
            (handed, 0) => write!(f, "{kept}; handed to {}", count(handed)),
            (handed, announced) => write!(f, "{kept}; handed to {}, announced to {announced} more", count(handed)),
        }
    }
}

fn count(neighbours: usize) -> String {
    if neighbours == 1 { "1 neighbour".to_owned() } else { format!("{neighbours} neighbours") }
}

/// Why a message was not published. Nothing of it left this node, and nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The title cannot be used.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// The message could not be made.
    #[error(transparent)]
    Body(#[from] BodyError),
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
    /// The time of the message could not be written down, and another run might use it again.
    #[error("the message was not published because the node's state cannot be kept: {why}")]
    State {
        /// What is wrong with the state file.
        why: String,
    },
    /// This node's certificate does not let it: nobody would take what it says.
    #[error(
        "the message was not published because nobody would take it ({why}): this node's certificate has ended, is revoked, or \
         lacks the right publish; have it renewed (`sealnet authority renew`) and reload it (`sealnet reload`)"
    )]
    NotAdmitted {
        /// What others would say.
        why: Reason,
    },
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
    body: Body,
    lifetime: Lifetime,
}

impl Publish {
    pub(super) fn new(shared: Arc<Shared>, title: &str, body: Body) -> Self {
        Publish { shared, title: title.to_owned(), body, lifetime: Lifetime::DEFAULT }
    }

    /// How long it is kept for those who are away; a day if nothing is said. [`Lifetime::LIVE_ONLY`]: not at all.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    async fn publish(self) -> Result<Receipt, PublishError> {
        let title = Title::for_application(&self.title)?;
        let message = self.body.into_bytes()?;
        let size = message.len();
        if size > MAX_MESSAGE {
            return Err(PublishError::TooLarge { size, limit: MAX_MESSAGE });
        }
        self.shared.publish(title, message, self.lifetime).await
    }
}

impl IntoFuture for Publish {
    type Output = Result<Receipt, PublishError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.publish())
    }
}

impl Shared {
    /// Draws the time, signs, appends, waits until that is durable, accepts, relays: in this order, so that nothing leaves
    /// this node that it could forget.
    pub(super) async fn publish(
        self: Arc<Self>,
        title: Title,
        message: Bytes,
        lifetime: Lifetime,
    ) -> Result<Receipt, PublishError> {
        if self.is_leaving() {
            return Err(PublishError::Stopping);
        }
        self.may_publish()?;
        let envelope = self.sign(title, message, lifetime).await?;
        let durable = self.log.append_own(&envelope, self.now().wall)?;
        if let Some(position) = durable.at_once() {
            return Ok(self.hand_out(envelope, position));
        }
        // On a task of its own: if the caller does not wait to the end, the message is told to the neighbours all the same.
        let shared = self.clone();
        let handed_out = self.tasks.spawn(async move { Ok(shared.hand_out(envelope, durable.await?)) });
        handed_out.await.unwrap_or(Err(PublishError::Stopping))
    }

    /// Where certificates are needed, others ignore what this node has none for: better that it hears so at once.
    fn may_publish(&self) -> Result<(), PublishError> {
        if self.authority.is_none() {
            return Ok(());
        }
        let now = self.now();
        self.with_core(|core| core.may_publish(now)).map_err(|why| PublishError::NotAdmitted { why })
    }

    fn hand_out(&self, envelope: Verified<Envelope>, position: Position) -> Receipt {
        self.tell_of(&envelope, position);
        let (id, time, now) = (envelope.id(), envelope.time(), self.now());
        let cursor = Cursor::new(self.log.instance(), position);
        let is_kept = !envelope.lifetime().is_live_only();
        let Handed { contents, ids } = self.with_core(|core| core.publish(now, envelope));
        Receipt { id, time, cursor, neighbours: contents + ids, announced: ids, is_kept }
    }

    /// Makes an envelope, later than every one before, over restarts too.
    async fn sign(
        self: &Arc<Self>,
        title: Title,
        message: Bytes,
        lifetime: Lifetime,
    ) -> Result<Verified<Envelope>, PublishError> {
        loop {
            match self.try_sign(&title, &message, lifetime)? {
                Ok(envelope) => return Ok(envelope),
                Err(NotWritten(time)) => self.write_ahead(time).await?,
            }
        }
    }

    fn try_sign(
        &self,
        title: &Title,
        message: &Bytes,
        lifetime: Lifetime,
    ) -> Result<Result<Verified<Envelope>, NotWritten>, PublishError> {
        let now = self.now();
        let time = self.with_core(|core| core.draw_time(now))?;
        if self.state.as_ref().is_some_and(|state| !state.allows(time)) {
            return Ok(Err(NotWritten(time)));
        }
        Ok(Ok(self.scheme.publish(&Draft { title: title.clone(), message: message.clone(), time, lifetime })?))
    }

    /// Writes down that times up to `time` and some seconds more may have been used.
    async fn write_ahead(&self, time: Timestamp) -> Result<(), PublishError> {
        let Some(state) = self.state.clone() else { return Ok(()) };
        let now = self.now().wall;
        let written = tokio::task::spawn_blocking(move || {
            // Of several that wait, the first writes for all.
            if state.allows(time) { Ok(()) } else { state.write_ahead(time, now) }
        });
        match written.await {
            Ok(written) => written.map_err(|error| PublishError::State { why: error.to_string() }),
            Err(_) => Err(PublishError::Stopping),
        }
    }

    /// Announces something of the protocol's own: at once, if nothing has to be written before.
    pub(super) fn announce_soon(&self, title: &'static str, message: Vec<u8>, lifetime: Lifetime) {
        let message = Bytes::from(message);
        let signed = match title.parse() {
            Ok(title) => self.try_sign(&title, &message, lifetime),
            Err(error) => Err(PublishError::Title(error)),
        };
        match signed {
            Ok(Ok(envelope)) => drop(self.announced(envelope)),
            Ok(Err(NotWritten(_))) => {
                if let Some(shared) = self.me() {
                    self.tasks.spawn(async move { shared.announce_now(title, message, lifetime).await });
                }
            }
            Err(error) => not_announced(title, &error),
        }
    }

    async fn announce_now(self: Arc<Self>, title: &'static str, message: Bytes, lifetime: Lifetime) {
        let signed = match title.parse() {
            Ok(parsed) => self.sign(parsed, message, lifetime).await,
            Err(error) => Err(PublishError::Title(error)),
        };
        match signed {
            Ok(envelope) => drop(self.announced(envelope)),
            Err(error) => not_announced(title, &error),
        }
    }

    /// Announces that this node leaves.
    pub(super) async fn announce_leave(self: &Arc<Self>) {
        self.clone().announce_now(LEAVE_TITLE, Bytes::new(), Lifetime::hours(6)).await;
    }

    fn announced(&self, envelope: Verified<Envelope>) -> Handed {
        let now = self.now();
        self.with_core(|core| core.publish(now, envelope))
    }
}

/// This time may be used only when that is written down.
struct NotWritten(Timestamp);

fn not_announced(title: &str, error: &PublishError) {
    tracing::warn!(title, %error, "this node could not announce itself");
}
