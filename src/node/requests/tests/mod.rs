//! What the requests of one link promise, shown frame by frame: no peer can make a node hold more than it may.

mod answering;
mod asking;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::link::LinkRequests;
use super::serving::Services;
use super::*;
use crate::identity::NodeId;
use crate::link::Outbox;
use crate::wire::{Credit, Frame, Refused, RefusedCode, RequestKind, RequestNumber, ShortText};

fn number(n: u64) -> RequestNumber {
    RequestNumber::new(n).unwrap()
}

/// A link without a connection: what it would send is taken from its outbox.
struct Alone {
    link: Arc<LinkRequests>,
    outbox: Outbox,
    services: Arc<Services>,
    stopped: CancellationToken,
}

impl Alone {
    fn new() -> Self {
        let (outbox, services): (Outbox, Arc<Services>) = Default::default();
        let peer = NodeId::from_bytes([7; 32]);
        let link = LinkRequests::new(peer, outbox.clone(), true, services.clone(), watch::Sender::new(None));
        Alone { link, outbox, services, stopped: CancellationToken::new() }
    }

    fn serve(&self, title: &str) -> Requests {
        self.services.serve(title.parse().unwrap(), self.stopped.clone()).unwrap()
    }

    /// A frame arrives; nobody listens for messages.
    fn arrives(&self, frame: Frame) -> Result<(), Overstep> {
        self.link.frame(frame, |_| false)
    }

    /// What goes out.
    fn sent(&self) -> Vec<Frame> {
        self.outbox.taken()
    }

    fn refusals(&self) -> Vec<(u64, RefusedCode)> {
        let sent = self.sent();
        let refused = sent.iter().filter_map(|frame| match frame {
            Frame::Refused(refused) => Some((refused.number.get(), refused.code)),
            _ => None,
        });
        refused.collect()
    }
}

fn first(n: u64, title: &str, last: bool, bytes: impl Into<Bytes>) -> Frame {
    let (number, title, kind) = (number(n), title.parse().unwrap(), RequestKind::Question);
    Frame::Request(crate::wire::Request { number, title, kind, last, bytes: bytes.into() })
}

fn later(n: u64, last: bool, bytes: impl Into<Bytes>) -> Frame {
    let (number, title, kind) = (number(n), Default::default(), RequestKind::Message);
    Frame::Request(crate::wire::Request { number, title, kind, last, bytes: bytes.into() })
}

fn response(n: u64, last: bool, bytes: impl Into<Bytes>) -> Frame {
    Frame::Response(crate::wire::Response { number: number(n), last, bytes: bytes.into() })
}

fn cancelled(n: u64) -> Frame {
    Frame::Refused(Refused { number: number(n), code: RefusedCode::Cancelled, text: ShortText::new("") })
}

fn zeros(bytes: usize) -> Bytes {
    vec![0; bytes].into()
}

/// How much leave was given to go on with which request.
fn credits(sent: &[Frame]) -> Vec<(u64, usize)> {
    let credits = sent.iter().filter_map(|frame| match frame {
        Frame::Credit(Credit { number, bytes }) if bytes & Credit::OF_REQUEST != 0 => {
            Some((number.get(), (bytes & !Credit::OF_REQUEST) as usize))
        }
        _ => None,
    });
    credits.collect()
}
