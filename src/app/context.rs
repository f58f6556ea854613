//! What an application has at hand while it is called.

use serde::de::DeserializeOwned;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::node::{Body, Broadcast, Node, Publish, RequestError, Sent};
use crate::overlay::Reason;

use super::ReadError;

/// The node, as one of its applications sees it.
#[derive(Clone, Debug)]
pub struct Context {
    node: Node,
    title: Title,
}

impl Context {
    pub(super) fn new(node: Node, title: Title) -> Self {
        Context { node, title }
    }

    /// The node. A clone that is kept keeps the node running.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The application's title.
    pub fn title(&self) -> &Title {
        &self.title
    }

    /// The node's name.
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Says something to everybody under the application's own title; goes out when awaited. The application gets it too.
    pub fn broadcast(&self, body: impl Into<Body>) -> Publish {
        self.node.broadcast(self.title.as_str(), body)
    }

    /// The same under the title `title/part`.
    pub fn broadcast_part(&self, part: &str, body: impl Into<Body>) -> Publish {
        self.node.broadcast(&format!("{}/{part}", self.title), body)
    }

    /// Sends a message to one node alone, under the application's own title.
    ///
    /// # Errors
    /// See [`Node::send_to`].
    pub async fn send_to(&self, peer: &NodeId, body: impl Into<Body>) -> Result<Sent, RequestError> {
        self.node.send_to(peer, self.title.as_str(), body).await
    }

    /// What a broadcast says, as a value. What cannot be read is counted as `wrong-type`.
    ///
    /// # Errors
    /// If it is not the JSON of a `T`; the error names sender and title.
    pub fn json<T: DeserializeOwned>(&self, message: &Broadcast) -> Result<T, ReadError> {
        message.json().inspect_err(|error| {
            tracing::debug!(envelope = %message.id(), %error, app = %self.title, "not read");
            self.node.count(Reason::WrongType);
        })
    }
}
