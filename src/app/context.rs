//! What an application has at hand while it is called.

use std::any::Any;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::node::{Asked, Body, Broadcast, Fetch, Node, Publish, Request, RequestError, Sent, WrongBody};
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

    /// Asks one node something under the application's own title, and waits for its answer; goes out when awaited. See
    /// [`Node::request`]. While an application waits for an answer in one of its methods, none of its others are called.
    pub fn request(&self, peer: &NodeId, body: impl Into<Body>) -> Request {
        self.node.request(peer, self.title.as_str(), body)
    }

    /// The same under the title `title/part`.
    pub fn request_part(&self, peer: &NodeId, part: &str, body: impl Into<Body>) -> Request {
        self.node.request(peer, &format!("{}/{part}", self.title), body)
    }

    /// Fetches something large from one node under the title `title/part`, as it comes. See [`Node::fetch`].
    pub fn fetch_part(&self, peer: &NodeId, part: &str, body: impl Into<Body>) -> Fetch {
        self.node.fetch(peer, &format!("{}/{part}", self.title), body)
    }

    /// Who else runs this application, and in which version.
    pub fn peers_running(&self) -> Vec<(NodeId, String)> {
        self.node.peers_running(self.title.as_str())
    }

    /// Keeps a value of the application's about a neighbour, until the link is closed. Says whether there is a link.
    pub fn set_link_data<T: Any + Send + Sync>(&self, peer: &NodeId, value: T) -> bool {
        self.node.set_link_data(peer, &self.title, value)
    }

    /// What the application keeps about a neighbour.
    pub fn link_data<T: Any + Send + Sync>(&self, peer: &NodeId) -> Option<Arc<T>> {
        self.node.link_data(peer, &self.title)
    }

    /// What is asked, as a value. What cannot be read is counted as `wrong-type`.
    ///
    /// # Errors
    /// If it is not the JSON of a `T`; the error names asker and title.
    pub fn asked_json<T: DeserializeOwned>(&self, request: &Asked) -> Result<T, WrongBody> {
        request.json().inspect_err(|error| {
            tracing::debug!(%error, app = %self.title, "not read");
            self.node.count(Reason::WrongType);
        })
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
