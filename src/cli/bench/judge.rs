//! An application that has a say about every message, and counts what it gets.

use std::sync::Arc;

use super::tally::Tally;
use crate::app::{Application, Context};
use crate::envelope::{Envelope, Verified};
use crate::node::{Broadcast, Verdict};

/// The application at one node: accepts every message, so that what is measured is the asking.
pub(super) struct Judge {
    tally: Arc<Tally>,
    place: usize,
}

impl Judge {
    pub(super) fn new(tally: Arc<Tally>, place: usize) -> Self {
        Judge { tally, place }
    }
}

impl Application for Judge {
    async fn check(&mut self, _cx: &Context, _message: &Verified<Envelope>) -> Verdict {
        Verdict::Accept
    }

    async fn received(&mut self, _cx: &Context, message: Broadcast) {
        self.tally.received(self.place, &message.message());
    }
}
