//! What an application does.

use std::future::Future;

use crate::envelope::{Envelope, Verified};
use crate::identity::NodeId;
use crate::log::Cursor;
use crate::node::{Asked, Broadcast, Verdict};
use crate::overlay::{Direction, Reason};

use super::Context;

/// From where on an application gets the broadcasts that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartAt {
    /// What came since this node was started; what it fetches of the time before it came is part of that.
    #[default]
    ThisRun,
    /// Everything that is kept, from former runs too.
    OldestKept,
    /// What came after this place: an application that notes [`Broadcast::cursor`] goes on exactly where it was.
    After(Cursor),
}

/// An application: give it to a node with [`Builder::app`](crate::node::Builder::app).
///
/// Everything has a default; write what you need, as `async fn` where a future is asked for. Its methods are called one at
/// a time. It has the broadcasts of its title and of all titles under it (`chain`, `chain/block`), and no others.
pub trait Application: Send + 'static {
    /// Its version, which others are told. Two nodes with the same title and version judge alike: only then does a refused
    /// broadcast cost the neighbour that relayed it. Put into it what must not mix: the hash of a genesis block, for instance.
    fn version(&self) -> String {
        "1".to_owned()
    }

    /// From where on it wants broadcasts.
    fn start_at(&self) -> StartAt {
        StartAt::default()
    }

    /// Judges a broadcast of somebody else before it is kept and relayed. It may come before what it builds on was
    /// [`received`](Self::received): say [`Verdict::Later`] then. What takes long here delays this application's broadcasts, and
    /// nothing else.
    fn check(&mut self, cx: &Context, message: &Verified<Envelope>) -> impl Future<Output = Verdict> + Send {
        let _ = (cx, message);
        async { Verdict::Accept }
    }

    /// Gets a broadcast that was accepted: each once, in this node's order of arrival, its own among them.
    fn received(&mut self, cx: &Context, message: Broadcast) -> impl Future<Output = ()> + Send {
        let _ = (cx, message);
        async {}
    }

    /// Is asked something by another node, under its title or one below: answer with [`Asked::reply`] and the like, refuse, or
    /// move the request into a task of your own and answer later. Dropped, it is refused as "no answer was given". A message
    /// to this node alone comes here too, and wants no answer but that it was understood.
    ///
    /// Without this method a message goes to whoever listens to the node's events, and everything else is refused in words.
    fn asked(&mut self, cx: &Context, request: Asked) -> impl Future<Output = ()> + Send {
        cx.node().pass_on(request);
        async {}
    }

    /// Has a say in reconnecting: before the node dials a node that it lost, for the `attempt`th time since then (from 1). One
    /// application that wants the link is enough; who needs longer than a quarter of a second has nothing against it. If no
    /// application does, the node does not dial it by itself for ten minutes ([`NOT_AGAIN_FOR`](crate::node::NOT_AGAIN_FOR));
    /// it still may dial others, be dialled, and be told to connect or to ask that node something.
    fn retry(&mut self, cx: &Context, lost: NodeId, attempt: u32) -> impl Future<Output = bool> + Send {
        let _ = (cx, lost, attempt);
        async { true }
    }

    /// So many broadcasts (of any title) were dropped from the log before this application read them.
    fn missed(&mut self, cx: &Context, count: u64) -> impl Future<Output = ()> + Send {
        let _ = (cx, count);
        async {}
    }

    /// A link was opened.
    fn opened(&mut self, cx: &Context, peer: NodeId, direction: Direction) -> impl Future<Output = ()> + Send {
        let _ = (cx, peer, direction);
        async {}
    }

    /// This node is about to close a link in peace. What is sent over it now still goes out; it waits a quarter of a second at
    /// most.
    fn closing(&mut self, cx: &Context, peer: NodeId, why: Reason) -> impl Future<Output = ()> + Send {
        let _ = (cx, peer, why);
        async {}
    }

    /// A link was closed.
    fn closed(&mut self, cx: &Context, peer: NodeId, why: Reason) -> impl Future<Output = ()> + Send {
        let _ = (cx, peer, why);
        async {}
    }

    /// The node is asked to stop. Its links are still open; it waits a quarter of a second at most.
    fn stopping(&mut self, cx: &Context) -> impl Future<Output = ()> + Send {
        let _ = cx;
        async {}
    }
}
