//! The application: what a node makes of the sealed records that it carries.

use std::collections::{BTreeMap, BTreeSet};

use sealnet::app::{Application, Context, Json};
use sealnet::envelope::{Envelope, EnvelopeId, Verified};
use sealnet::identity::NodeId;
use sealnet::node::{Broadcast, Receipt, SealToError, SecureNode, Verdict};
use sealnet::sealed::{Grant, OpenError, Opened, is_sealed};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub(crate) const TITLE: &str = "vault";
/// So many records that this node cannot read are kept at hand, in case it is granted one of them.
const MOST_CLOSED: usize = 10_000;

/// What is sealed. Even its name is for its readers alone.
#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    text: String,
}

/// The newest version that this node can read of a record.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) text: String,
    message: Broadcast,
}

/// What a node knows of everybody's records.
#[derive(Default)]
pub(crate) struct Shelf {
    /// By owner and name: two owners may give the same name, and neither can touch the other's record.
    pub(crate) records: BTreeMap<(NodeId, String), Version>,
    /// What came by, readable or not.
    pub(crate) carried: BTreeSet<EnvelopeId>,
    /// What somebody passed on as his own.
    pub(crate) forged: usize,
    closed: BTreeMap<EnvelopeId, Broadcast>,
}

impl Shelf {
    fn put(&mut self, message: &Broadcast, opened: &Opened) {
        let Ok(Record { name, text }) = serde_json::from_slice(opened.data()) else { return };
        // Whose a record is, its signature says, and nothing in it.
        let place = (message.sender(), name);
        let order = |message: &Broadcast| (message.time(), message.id());
        if self.records.get(&place).is_none_or(|held| order(&held.message) < order(message)) {
            self.records.insert(place, Version { text, message: message.clone() });
        }
    }
}

/// The application, and at the same time the handle to it: both see one shelf.
#[derive(Clone, Default)]
pub(crate) struct Vault {
    shelf: watch::Sender<Shelf>,
}

impl Application for Vault {
    /// A vault carries what is sealed and nothing else, for all others too.
    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        if is_sealed(&message.message()) { Verdict::Accept } else { Verdict::Reject("a record must be sealed".into()) }
    }

    async fn received(&mut self, cx: &Context, message: Broadcast) {
        let opened = cx.open(&message);
        self.shelf.send_modify(|shelf| {
            shelf.carried.insert(message.id());
            let opened = match opened {
                Ok(opened) => opened,
                Err(OpenError::NotForYou { .. }) => {
                    shelf.closed.insert(message.id(), message);
                    if shelf.closed.len() > MOST_CLOSED {
                        shelf.closed.pop_first();
                    }
                    return;
                }
                Err(_) => return shelf.forged += 1,
            };
            let Ok(grant) = Grant::read(&opened) else { return shelf.put(&message, &opened) };
            // What is granted came earlier: who grants it had to read it first.
            let Some(granted) = shelf.closed.get(&grant.id()).cloned() else { return };
            if let Ok(opened) = cx.open_granted(&granted, &grant) {
                shelf.closed.remove(&grant.id());
                shelf.put(&granted, &opened);
            }
        });
    }
}

impl Vault {
    /// A record, or a new version of one, for these readers and its owner.
    pub(crate) async fn write(
        &self,
        owner: &SecureNode,
        name: &str,
        text: &str,
        readers: &[NodeId],
    ) -> Result<Receipt, SealToError> {
        owner.seal_to(readers, TITLE, Json(&Record { name: name.into(), text: text.into() })).await
    }

    /// Lets somebody read the present version of a record of `owner`, which stays as it is.
    pub(crate) async fn grant(
        &self,
        owner: &SecureNode,
        name: &str,
        reader: NodeId,
    ) -> Result<Receipt, Box<dyn std::error::Error>> {
        let version = self.read(&owner.id(), name).ok_or("there is no such record")?;
        Ok(owner.grant(&version.message, &[reader]).await?)
    }

    /// Ends what somebody may read: the next version is for the remaining readers. What a reader has read cannot be taken
    /// back, by nobody and in no system; a secret that must not be known any more has to change.
    pub(crate) async fn withdraw(
        &self,
        owner: &SecureNode,
        name: &str,
        new_text: &str,
        remaining: &[NodeId],
    ) -> Result<Receipt, SealToError> {
        self.write(owner, name, new_text, remaining).await
    }

    /// The newest version of a record that this node can read.
    pub(crate) fn read(&self, owner: &NodeId, name: &str) -> Option<Version> {
        self.shelf.borrow().records.get(&(*owner, name.to_owned())).cloned()
    }

    /// The shelf, as soon as it is as expected.
    pub(crate) async fn once<T>(&self, expected: impl Fn(&Shelf) -> Option<T>) -> Option<T> {
        let mut shelf = self.shelf.subscribe();
        let seen = shelf.wait_for(|shelf| expected(shelf).is_some()).await.ok()?;
        expected(&seen)
    }
}
