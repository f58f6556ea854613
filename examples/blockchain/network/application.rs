//! The application: it judges every block and every transfer before this node keeps it or passes it on.

use std::sync::Arc;

use sealnet::app::{Application, Context, StartAt};
use sealnet::envelope::{Envelope, Verified};
use sealnet::identity::NodeId;
use sealnet::node::{Broadcast, Verdict};
use sealnet::overlay::{Direction, Reason};

use super::answers::title;
use super::shared::Shared;
use crate::chain::{AddError, Blame, Header, Refusal, Transfer};

pub(super) struct Blockchain {
    shared: Arc<Shared>,
}

impl Blockchain {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Blockchain { shared }
    }

    /// Takes in what a broadcast carries. Judging a block *is* taking it in: what is valid is worth keeping.
    fn take(&self, message: &Verified<Envelope>) -> Verdict {
        match message.title() {
            title::BLOCK => match self.shared.add_block(message.message()) {
                Ok(_) => Verdict::Accept,
                Err(AddError::Refused(refusal)) => self.verdict_on_block(&refusal, &message.message()),
                Err(AddError::Store(error)) => Verdict::Ignore(error.to_string()),
            },
            Transfer::TITLE => match self.shared.add_transfer(message.clone()) {
                // It came in a block, or came back out of one; others may still want it from here.
                Err(AddError::Refused(Refusal::AlreadyKnown | Refusal::Replay(_))) => Verdict::Accept,
                added => verdict_on_transfer(added),
            },
            // Not so here: one transfer can be wrapped as often as somebody likes.
            title::CARRIED => verdict_on_transfer(self.shared.add_transfer_bytes(message.message())),
            _ => Verdict::Reject("nothing of this application has such a title".to_owned()),
        }
    }

    fn verdict_on_block(&self, refusal: &Refusal, bytes: &[u8]) -> Verdict {
        match refusal.of_block() {
            // It came by request already; others may still want it from here.
            Blame::Nobody if *refusal == Refusal::AlreadyKnown => Verdict::Accept,
            Blame::Nobody => Verdict::Ignore(refusal.to_string()),
            Blame::Wait => {
                self.shared.behind.notify_one();
                Verdict::Later
            }
            // Another chain in this network may allow less work or larger blocks.
            Blame::Sender if self.is_detached(bytes) => Verdict::Ignore(refusal.to_string()),
            Blame::Sender => Verdict::Reject(refusal.to_string()),
        }
    }

    /// Whether a block builds on one that is not here.
    fn is_detached(&self, bytes: &[u8]) -> bool {
        Header::split(bytes).is_ok_and(|(header, _)| !self.shared.chain().has_block(&header.parent))
    }
}

fn verdict_on_transfer(added: Result<Transfer, AddError>) -> Verdict {
    match added {
        Ok(_) => Verdict::Accept,
        Err(AddError::Store(error)) => Verdict::Ignore(error.to_string()),
        Err(AddError::Refused(refusal)) => match refusal.of_transfer() {
            Blame::Nobody => Verdict::Ignore(refusal.to_string()),
            Blame::Wait => Verdict::Later,
            Blame::Sender => Verdict::Reject(refusal.to_string()),
        },
    }
}

impl Application for Blockchain {
    fn version(&self) -> String {
        self.shared.chain().genesis().version()
    }

    /// The mempool is not in the store, but the transfers in it are in the log.
    fn start_at(&self) -> StartAt {
        StartAt::OldestKept
    }

    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        self.take(message)
    }

    /// What others said was taken in by `check`; what this node said itself, or kept from a former run, was not.
    async fn received(&mut self, _: &Context, message: Broadcast) {
        self.take(message.envelope());
    }

    async fn opened(&mut self, cx: &Context, _: NodeId, _: Direction) {
        self.shared.count_neighbours(cx.node().links().len());
        self.shared.behind.notify_one();
    }

    async fn closed(&mut self, cx: &Context, _: NodeId, _: Reason) {
        self.shared.count_neighbours(cx.node().links().len());
    }
}
