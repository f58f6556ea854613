//! Messages to single nodes: requests whose answer is of no interest but for its coming.

use std::sync::Arc;

use bytes::Bytes;

use super::super::shared::{LinkHandle, Shared};
use crate::envelope::Title;
use crate::identity::NodeId;
use crate::wire::RequestKind;

use super::super::publish::Receipt;
use super::asking::Call;
use super::dial::ask;
use super::request::within;
use super::{DEADLINE, RequestError};

/// The largest message to a single node, in bytes: what may be sent without the receiver's consent to more.
pub const MAX_DIRECT: usize = 1 << 20;

/// A message that a node sent to this one alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// Who sent it: proven by the link on a secure network, claimed on a plain one.
    pub from: NodeId,
    /// Its title.
    pub title: Title,
    /// Its content.
    pub message: Bytes,
}

/// Which way a message to a single node took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// Over a link with that node, which has acknowledged it.
    Directly,
    /// In a broadcast that was sealed to that node, because it could not be dialled: it reads it when it is there again, as
    /// long as the message is kept.
    Sealed(Receipt),
}

/// Sends a message to a node, over a link that is opened if there is none.
pub(in crate::node) async fn send_to(
    shared: &Arc<Shared>,
    peer: &NodeId,
    title: &Title,
    message: Bytes,
) -> Result<Sent, RequestError> {
    check_message(&message)?;
    let sending = async {
        let mut call = ask(shared, peer, RequestKind::Message, title, message).await?;
        while call.next().await?.is_some() {}
        Ok(Sent::Directly)
    };
    within(*peer, DEADLINE, sending).await
}

/// Sends a message over a link, and waits until the other node has acknowledged it.
pub(in crate::node) async fn send(link: &LinkHandle, title: &Title, message: Bytes) -> Result<Sent, RequestError> {
    check_message(&message)?;
    let sending = async {
        let mut call = Call::begin(&link.requests, RequestKind::Message, title, message)?;
        while call.next().await?.is_some() {}
        Ok(Sent::Directly)
    };
    within(link.peer, DEADLINE, sending).await
}

fn check_message(message: &Bytes) -> Result<(), RequestError> {
    let (size, limit) = (message.len(), MAX_DIRECT);
    if size > limit { Err(RequestError::TooLarge { size, limit }) } else { Ok(()) }
}
