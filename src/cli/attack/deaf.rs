//! A channel whose end stops reading.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::identity::NodeId;
use crate::link::{Admit, Channel, Halves, Opening};

/// So much is read of a connection before it falls deaf: enough to join.
const HEARS: usize = 256 << 10;

/// The node's own channel, around which reading ends after some time. Writing goes on: it looks alive.
#[derive(Debug)]
pub(super) struct Deaf(pub(super) Arc<dyn Channel>);

impl Channel for Deaf {
    fn own_id(&self) -> NodeId {
        self.0.own_id()
    }

    fn connect<'a>(&'a self, halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
        self.0.connect(deafened(halves), expected, admit)
    }

    fn accept<'a>(&'a self, halves: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
        self.0.accept(deafened(halves), admit)
    }
}

fn deafened(halves: Halves) -> Halves {
    Halves { read: Box::new(Deafening { read: halves.read, left: HEARS }), write: halves.write }
}

struct Deafening {
    read: Box<dyn AsyncRead + Send + Unpin>,
    left: usize,
}

impl AsyncRead for Deafening {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            // Nobody wakes this any more: it does not read on.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.read).poll_read(cx, buf);
        self.left = self.left.saturating_sub(buf.filled().len().saturating_sub(before));
        polled
    }
}

impl fmt::Debug for Deafening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deafening").field("left", &self.left).finish_non_exhaustive()
    }
}
