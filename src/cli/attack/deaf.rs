//! A channel whose end reads next to nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::identity::NodeId;
use crate::link::{Admit, Channel, Halves, Opening};

/// So much is read of a connection as fast as it comes: enough to join, and too little to be pruned first.
const QUICKLY: usize = 64 << 10;
/// From then on it is 16 KiB a second: enough to seem alive.
const SIP: usize = 4 << 10;
const PAUSE: Duration = Duration::from_millis(250);

/// The node's own channel, around which reading becomes slow. Writing goes on: it looks alive.
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
    Halves { read: Box::new(Deafening { read: halves.read, left: QUICKLY, pause: None }), write: halves.write }
}

struct Deafening {
    read: Box<dyn AsyncRead + Send + Unpin>,
    left: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Deafening {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
            self.left = SIP;
        }
        let mut sip = buf.take(self.left);
        ready!(Pin::new(&mut self.read).poll_read(cx, &mut sip))?;
        let heard = sip.filled().len();
        // Safe Rust has no way to say that the sip initialised it, so it is copied; nobody is in a hurry here.
        let bytes = sip.filled().to_vec();
        buf.put_slice(&bytes);
        self.left -= heard;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Deafening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deafening").field("left", &self.left).finish_non_exhaustive()
    }
}
