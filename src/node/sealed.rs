//! Sealed messages of a node: to members by their names, present or away.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::envelope::{Lifetime, Timestamp};
use crate::identity::NodeId;
use crate::sealed::{ContentKey, Grant, OpenError, Opened, SealError, SealKey, grant, open, seal};

use super::shared::Shared;
use super::{Body, Broadcast, Node, Publish, PublishError, Receipt, SecureNode};

/// How long neighbours have to answer when a member's key is not known here.
const WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether an answer has come.
const LOOK: Duration = Duration::from_millis(50);

/// Why nothing was sealed or published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealToError {
    /// The node is a plain one.
    #[error("nothing is sealed on a plain network, where nobody knows whose the keys are; run a secure node")]
    Plain,
    /// No record of a reader is known, or it publishes no key.
    #[error(
        "no seal key of member {0:#} is known: it has not published one, or was away for longer than its record is kept; \
         try again when it is back"
    )]
    NoKey(NodeId),
    /// The key that a reader published is no longer to be used.
    #[error("the seal key of member {id:#} ran out at {until}; try again when it has published a new one")]
    KeyExpired {
        /// Whose.
        id: NodeId,
        /// When.
        until: Timestamp,
    },
    /// What a reader published is no key.
    #[error("what member {0:#} published is no seal key; nothing can be sealed to it")]
    BadKey(NodeId),
    /// This node cannot read what it is to grant.
    #[error("this node cannot grant the message: {0}")]
    NotOpened(#[from] OpenError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Publishing failed.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// A sealed message that is about to be published; it goes out when awaited.
#[derive(Debug)]
#[must_use = "nothing is published before this is awaited"]
pub struct SealTo {
    shared: Arc<Shared>,
    readers: Vec<NodeId>,
    title: String,
    content: Content,
    lifetime: Lifetime,
}

#[derive(Debug)]
enum Content {
    Data(Body),
    Grant { of: Broadcast, key: Result<ContentKey, OpenError> },
}

impl SealTo {
    /// How long it is kept for those who are away; a day if nothing is said.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    async fn publish(self) -> Result<Receipt, SealToError> {
        let SealTo { shared, readers, title, content, lifetime } = self;
        if !shared.is_secure {
            return Err(SealToError::Plain);
        }
        let keys = shared.keys_of(&readers).await?;
        let (network, own) = (*shared.scheme.network(), shared.own);
        let sealed = match content {
            Content::Data(data) => seal(&network, &own, &keys, &data.into_bytes().map_err(PublishError::from)?)?,
            Content::Grant { of, key } => grant(&network, &own, &keys, &of.id(), &key?)?,
        };
        let publish = Publish::new(shared, &title, Body::from(sealed.into_message()));
        Ok(publish.lifetime(lifetime).await?)
    }
}

impl IntoFuture for SealTo {
    type Output = Result<Receipt, SealToError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.publish())
    }
}

impl Shared {
    /// The keys to seal to, one for each reader, and this node's own if it has one.
    async fn keys_of(&self, readers: &[NodeId]) -> Result<Vec<SealKey>, SealToError> {
        if readers.is_empty() {
            return Err(SealError::NoReaders.into());
        }
        let others = || readers.iter().filter(|id| **id != self.own);
        let unknown: Vec<NodeId> = others().filter(|id| self.key_of(id).is_err()).copied().collect();
        let now = self.now();
        if !unknown.is_empty() && self.with_core(|core| core.ask_members(now, &unknown)) {
            let answered = async {
                while unknown.iter().any(|id| self.key_of(id).is_err()) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            let _ = tokio::time::timeout(WAIT, answered).await;
        }
        let own = self.seal_keys.as_ref().map(|keys| Ok(keys.with(|secrets| *secrets.key())));
        others().map(|id| self.key_of(id)).chain(own).collect()
    }

    fn key_of(&self, id: &NodeId) -> Result<SealKey, SealToError> {
        if *id == self.own {
            let keys = self.seal_keys.as_ref().ok_or(SealToError::NoKey(*id))?;
            return Ok(keys.with(|secrets| *secrets.key()));
        }
        let known = self.with_core(|core| core.member_record(id).map(|record| (record.seal_key, record.seal_until)));
        let (key, until) = known.and_then(|(key, until)| Some((key?, until))).ok_or(SealToError::NoKey(*id))?;
        if until < self.now().wall {
            return Err(SealToError::KeyExpired { id: *id, until });
        }
        SealKey::from_bytes(key).map_err(|_| SealToError::BadKey(*id))
    }

    fn open(&self, broadcast: &Broadcast) -> Result<Opened, OpenError> {
        let network = self.scheme.network();
        match &self.seal_keys {
            Some(keys) => keys.with(|secrets| open(network, broadcast.envelope(), secrets)),
            None => match crate::sealed::is_sealed(&broadcast.message()) {
                true => Err(OpenError::NoKeys),
                false => Err(OpenError::NotSealed),
            },
        }
    }
}

/// What both a [`SecureNode`] and the applications on a node are made of. A plain node has all of it too, and fails: nothing
/// of what it hears of other members' keys is proven.
impl Node {
    pub(crate) fn sealing_to(&self, readers: &[NodeId], title: &str, body: Body) -> SealTo {
        self.sealing(readers, title, Content::Data(body))
    }

    pub(crate) fn open_sealed(&self, broadcast: &Broadcast) -> Result<Opened, OpenError> {
        self.shared().open(broadcast)
    }

    pub(crate) fn granting(&self, broadcast: &Broadcast, readers: &[NodeId]) -> SealTo {
        let key = self.open_sealed(broadcast).map(|opened| opened.key().clone());
        self.sealing(readers, broadcast.title(), Content::Grant { of: broadcast.clone(), key })
    }

    pub(crate) fn open_granted(&self, broadcast: &Broadcast, grant: &Grant) -> Result<Opened, OpenError> {
        grant.open(self.shared().scheme.network(), broadcast.envelope())
    }

    fn sealing(&self, readers: &[NodeId], title: &str, content: Content) -> SealTo {
        let (shared, title) = (self.shared().clone(), title.to_owned());
        SealTo { shared, readers: readers.to_vec(), title, content, lifetime: Lifetime::DEFAULT }
    }
}

impl SecureNode {
    /// Says something to some members alone, whether they are present or away: everybody carries it, only they and this node
    /// can read it. Goes out when awaited; at most 64 readers, this node included.
    ///
    /// It is sealed to the keys that members publish (`sealnet/member`), which every node knows for as long as messages are
    /// kept. What stays visible to all: who said it and when, its title, to how many it is, its class of size. There is no
    /// forward secrecy within a key's two weeks, and no deniability. Readers find it among the broadcasts of its title, and
    /// [`open`](Self::open) it.
    ///
    /// ```
    /// use sealnet::envelope::Timestamp;
    /// use sealnet::identity::Identity;
    /// use sealnet::node::{Item, SecureNode};
    /// use sealnet::sealed::{Rotation, SealSecrets};
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let keys = SealSecrets::generate(Timestamp::now(), &Rotation::default())?;
    /// let node = SecureNode::builder("demo".parse()?, Identity::generate()?).seal_secrets(keys).start().await?;
    /// let mut notes = node.subscribe("notes")?;
    /// node.seal_to(&[node.id()], "notes", "a note to myself").await?;
    /// let Some(Item::Broadcast(note)) = notes.next().await else { panic!() };
    /// assert_eq!(node.open(&note)?.text(), Some("a note to myself"));
    /// # node.stop().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`SealToError`]; nothing was published then.
    pub fn seal_to(&self, readers: &[NodeId], title: &str, body: impl Into<Body>) -> SealTo {
        self.sealing_to(readers, title, body.into())
    }

    /// Opens a broadcast that was sealed to this node.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, broadcast: &Broadcast) -> Result<Opened, OpenError> {
        self.open_sealed(broadcast)
    }

    /// Lets some members read a sealed broadcast that this node can read. Goes out when awaited, under the broadcast's title;
    /// it cannot be taken back.
    ///
    /// Who receives it opens it as any sealed broadcast, reads the [`Grant`] in it, and opens the message that it names with
    /// [`open_granted`](Self::open_granted).
    ///
    /// # Errors
    /// See [`SealToError`]; nothing was published then.
    pub fn grant(&self, broadcast: &Broadcast, readers: &[NodeId]) -> SealTo {
        self.granting(broadcast, readers)
    }

    /// Opens a broadcast that was granted to this node.
    ///
    /// # Errors
    /// If the grant is for another one; otherwise see [`OpenError`].
    pub fn open_granted(&self, broadcast: &Broadcast, grant: &Grant) -> Result<Opened, OpenError> {
        Node::open_granted(self, broadcast, grant)
    }

    /// The key that would be sealed to for a member, as far as it is known here without asking anybody.
    ///
    /// # Errors
    /// If none is known, or it ran out, or is none.
    pub fn seal_key_of(&self, member: &NodeId) -> Result<SealKey, SealToError> {
        self.shared().key_of(member)
    }

    /// The key that others seal to now, and until when they may; `None` if this node has no seal keys.
    pub fn seal_key(&self) -> Option<(SealKey, Timestamp)> {
        self.shared().seal_keys.as_ref().map(|keys| keys.with(|secrets| (*secrets.key(), secrets.until())))
    }
}
