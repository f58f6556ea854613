//! The requests of one link, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::identity::NodeId;
use crate::link::{Outbox, OutboxFull, TransferId};
use crate::overlay::Reason;
use crate::wire::{Credit, Frame, Refused, RefusedCode, Request, RequestNumber, Response, ShortText};

use super::super::Event;
use super::Overstep;
use super::answering::Answers;
use super::asking::Calls;
use super::serving::Services;

/// The requests of one link, in both directions.
#[derive(Debug)]
pub(in crate::node) struct LinkRequests {
    pub(super) peer: NodeId,
    pub(super) outbox: Outbox,
    /// Whether the other node announced that it takes requests: nobody else is sent one.
    pub(super) is_able: bool,
    /// Opened for requests: closed when there are none.
    is_on_demand: AtomicBool,
    pub(super) calls: Calls,
    pub(super) answers: Answers,
    pub(super) services: Arc<Services>,
    closing: watch::Sender<Option<Reason>>,
}

impl LinkRequests {
    pub(in crate::node) fn new(
        peer: NodeId,
        outbox: Outbox,
        is_able: bool,
        services: Arc<Services>,
        closing: watch::Sender<Option<Reason>>,
    ) -> Arc<Self> {
        Arc::new(LinkRequests {
            peer,
            outbox,
            is_able,
            is_on_demand: AtomicBool::new(false),
            calls: Calls::default(),
            answers: Answers::default(),
            services,
            closing,
        })
    }

    /// A frame of section 9 arrived.
    pub(in crate::node) fn frame(
        self: &Arc<Self>,
        frame: Frame,
        tell: impl FnOnce(Event) -> bool,
    ) -> Result<(), Overstep> {
        match frame {
            Frame::Request(request) => self.request(request, tell),
            Frame::Response(response) => self.response(response),
            Frame::Refused(refused) => {
                self.refused(refused);
                Ok(())
            }
            Frame::Credit(credit) => {
                self.credit(credit);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn request(self: &Arc<Self>, request: Request, tell: impl FnOnce(Event) -> bool) -> Result<(), Overstep> {
        self.services.wake();
        self.take_piece(request, tell)
    }

    fn response(&self, response: Response) -> Result<(), Overstep> {
        self.calls.response(response)
    }

    /// Only askers say "cancelled", of their own requests; everything else is said of the other side's.
    fn refused(&self, refused: Refused) {
        if refused.code == RefusedCode::Cancelled {
            let open = self.answers.cancelled(refused.number);
            self.outbox.give_up(TransferId::Response(refused.number));
            // Last: whoever is told finds that nothing of the answer can be sent any more.
            open.iter().for_each(|open| open.cancelled.cancel());
            self.give_leave();
        } else {
            self.outbox.give_up(TransferId::Request(refused.number));
            self.calls.refused(refused);
        }
    }

    fn credit(&self, Credit { number, bytes }: Credit) {
        let id =
            if bytes & Credit::OF_REQUEST == 0 { TransferId::Response(number) } else { TransferId::Request(number) };
        self.outbox.credit(id, (bytes & !Credit::OF_REQUEST) as usize);
    }

    /// The link is gone: whoever waits is told.
    pub(in crate::node) fn link_closed(&self) {
        self.calls.fail_all();
        self.answers.cancel_all();
    }

    /// Tells the other side that this node gives its request up.
    pub(super) fn cancel(&self, number: RequestNumber) {
        let (code, text) = (RefusedCode::Cancelled, ShortText::new(""));
        self.unless_stuck(self.outbox.cancel_request(number, Frame::Refused(Refused { number, code, text })));
    }

    /// Queues a frame of no size.
    pub(super) fn control(&self, frame: Frame) {
        self.unless_stuck(self.outbox.push_control(frame));
    }

    /// A peer that leaves so many frames unread is stuck.
    fn unless_stuck(&self, pushed: Result<(), OutboxFull>) {
        if pushed == Err(OutboxFull::Full) {
            self.closing.send_if_modified(|closing| closing.replace(Reason::Stuck).is_none());
            self.outbox.abort();
        }
    }

    /// Says why a request gets no (further) answer, or is given up.
    pub(super) fn refuse(&self, number: RequestNumber, code: RefusedCode, why: &str) {
        self.control(Frame::Refused(Refused { number, code, text: ShortText::new(why) }));
    }

    pub(in crate::node) fn set_on_demand(&self) {
        self.is_on_demand.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_on_demand(&self) -> bool {
        self.is_on_demand.load(Ordering::Relaxed)
    }

    /// Whether requests are open in either direction.
    pub(super) fn is_in_use(&self) -> bool {
        self.calls.count() > 0 || self.answers.count() > 0
    }

    /// Whether there was no request for so long.
    pub(super) fn is_idle(&self, now: Instant, pause: Duration) -> bool {
        let last = self.calls.last_used().max(self.answers.last_used());
        !self.is_in_use() && now.saturating_duration_since(last) >= pause
    }
}
