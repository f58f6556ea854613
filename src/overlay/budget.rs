//! What one sender may have flooded: so many envelopes and bytes a second, whichever neighbours they come through.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId};
use crate::identity::NodeId;

use super::bucket::TokenBucket;
use super::presence::Content;
use super::{Core, Instant, Now, Settings};

/// 50 envelopes a second: more than a person or a sensor sends, and a thousandth of what a core verifies. The burst lets
/// an application that was silent say twenty seconds' worth at once.
const ENVELOPES: (u32, Duration) = (1000, Duration::from_millis(20));
/// 1 MiB a second, 8 MiB at once; a token is 64 bytes, so that its time is a whole number of nanoseconds, nearly.
const BYTES: (u32, Duration) = ((8 << 20) / BYTES_PER_TOKEN, Duration::from_nanos(61_035));
const BYTES_PER_TOKEN: u32 = 64;
/// Presences at once; one more in half the time between two announcements of an honest node.
const PRESENCES: u32 = 4;

/// Senders with a budget that is not full, each of whom would otherwise take its share anew. Those above it share the
/// budget of strangers.
const SENDERS: usize = 4096;
/// Shed ids that are remembered to be freed: of one sender, and in all. What is beyond waits until it is forgotten anyway.
const SHED: usize = 4096;
const SHED_IN_ALL: usize = 65_536;

/// Budgets of senders that are not full; bounded by [`SENDERS`].
#[derive(Debug, Default)]
pub(super) struct SenderBudgets {
    senders: BTreeMap<NodeId, SenderBudget>,
    /// All whose presence is not known: a new key for every message gets nobody more than one member has.
    strangers: Option<SenderBudget>,
    /// How many ids are remembered as shed.
    shed: usize,
}

#[derive(Debug)]
struct SenderBudget {
    envelopes: TokenBucket,
    bytes: TokenBucket,
    presences: TokenBucket,
    /// What was shed: nobody is asked for it before there is room for it.
    shed: Vec<EnvelopeId>,
}

impl SenderBudget {
    fn new(settings: &Settings, now: Instant) -> Self {
        SenderBudget {
            envelopes: TokenBucket::new(ENVELOPES.0, ENVELOPES.1, now),
            bytes: TokenBucket::new(BYTES.0, BYTES.1, now),
            presences: TokenBucket::new(PRESENCES, settings.announce_every / 2, now),
            shed: Vec::new(),
        }
    }

    fn take(&mut self, envelope: &Envelope, content: &Content, now: Instant) -> bool {
        match content {
            Content::Presence(_) | Content::Leave => self.presences.take(now),
            Content::Application
            | Content::Member { .. }
            | Content::Shutdown
            | Content::OtherProtocol
            | Content::Unreadable => {
                let bytes = u32::try_from(envelope.size()).unwrap_or(u32::MAX).div_ceil(BYTES_PER_TOKEN);
                self.envelopes.has(now, 1) && self.bytes.take_many(now, bytes) && self.envelopes.take(now)
            }
        }
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.envelopes.is_full(now) && self.bytes.is_full(now) && self.presences.is_full(now)
    }
}

impl Core {
    /// Charges a verified envelope that was flooded to its sender. Says whether there was room for it; if not, its id is
    /// remembered until there may be.
    pub(super) fn charge_sender(&mut self, now: Now, envelope: &Envelope, content: &Content) -> bool {
        let sender = envelope.sender();
        if !self.settings.limit_senders || sender == self.own {
            return true;
        }
        let is_stranger = self.members.presence(&sender).is_none();
        if is_stranger && matches!(content, Content::Presence(_) | Content::Leave) {
            // Whoever comes may say so; the table of members has its own bound.
            return true;
        }
        let SenderBudgets { senders, strangers, shed } = &mut self.budgets;
        let has_room = senders.len() < SENDERS || senders.contains_key(&sender);
        let fresh = || SenderBudget::new(&self.settings, now.instant);
        let budget = if is_stranger || !has_room {
            strangers.get_or_insert_with(fresh)
        } else {
            senders.entry(sender).or_insert_with(fresh)
        };
        let has_room = budget.take(envelope, content, now.instant);
        if !has_room && budget.shed.len() < SHED && *shed < SHED_IN_ALL {
            budget.shed.push(envelope.id());
            *shed += 1;
        }
        has_room
    }

    /// Forgets budgets that are full again; what was shed meanwhile may be fetched.
    pub(super) fn review_budgets(&mut self, now: Now) {
        let SenderBudgets { senders, strangers, shed } = &mut self.budgets;
        let mut free = Vec::new();
        senders.retain(|_, budget| {
            let is_full = budget.is_full(now.instant);
            if is_full {
                free.append(&mut budget.shed);
            }
            !is_full
        });
        if let Some(budget) = strangers.take_if(|budget| budget.is_full(now.instant)) {
            free.extend(budget.shed);
        }
        *shed -= free.len();
        for id in free {
            self.index.release(&id);
        }
    }
}
