//! Sealed broadcasts, as an application says and reads them.

use crate::identity::NodeId;
use crate::node::{Body, Broadcast, SealTo};
use crate::sealed::{Grant, OpenError, Opened};

use super::Context;

impl Context {
    /// Says something to some members alone, present or away, under the application's own title; goes out when awaited. All
    /// nodes carry it and get it, only these members and this node [`open`](Self::open) it.
    ///
    /// See [`SecureNode::seal_to`](crate::node::SecureNode::seal_to) for what it hides and what not. On a plain node it fails.
    pub fn seal_to(&self, readers: &[NodeId], body: impl Into<Body>) -> SealTo {
        self.node().sealing_to(readers, self.title().as_str(), body.into())
    }

    /// Opens a broadcast that was sealed to this node.
    ///
    /// # Errors
    /// See [`OpenError`]: that it is for others ([`OpenError::NotForYou`]) is what most nodes find.
    pub fn open(&self, message: &Broadcast) -> Result<Opened, OpenError> {
        self.node().open_sealed(message)
    }

    /// Lets some members read a sealed broadcast that this node can read; goes out under that broadcast's title when awaited.
    /// It cannot be taken back.
    pub fn grant(&self, message: &Broadcast, readers: &[NodeId]) -> SealTo {
        self.node().granting(message, readers)
    }

    /// Opens a broadcast that was granted to this node.
    ///
    /// # Errors
    /// If the grant is for another one; otherwise see [`OpenError`].
    pub fn open_granted(&self, message: &Broadcast, grant: &Grant) -> Result<Opened, OpenError> {
        self.node().open_granted(message, grant)
    }
}
