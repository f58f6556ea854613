//! What one sender may have flooded: so many envelopes and bytes a second, whichever neighbours they come through.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, ShortId};
use crate::identity::NodeId;

use super::bucket::TokenBucket;
use super::index::IdHash;
use super::newest_ids::NewestIds;
use super::presence::{LEAVE_TITLE, PRESENCE_TITLE};
use super::{Core, Instant, Now, Settings};

/// 50 envelopes a second: more than a person or a sensor sends, and a thousandth of what a core verifies. The burst lets
/// an application that was silent say twenty seconds' worth at once.
const ENVELOPES: (u32, Duration) = (1000, Duration::from_millis(20));
/// 1 MiB a second, 8 MiB at once; a token is 64 bytes, so that its time is a whole number of nanoseconds, nearly.
const BYTES: (u32, Duration) = ((8 << 20) / BYTES_PER_TOKEN, Duration::from_nanos(61_035));
const BYTES_PER_TOKEN: u32 = 64;
/// Presences at once; one more in half the time between two announcements of an honest node.
const PRESENCES: u32 = 4;

/// Presences of those who are not known yet, all together: 16,384 at once, so that a network of ten thousand may start in
/// one moment (half a second of verifying), and 50 a second, more than as many members announce themselves.
const STRANGERS: (u32, Duration) = (16_384, Duration::from_millis(20));

/// Senders with a budget that is not full, each of whom would otherwise take its share anew. Those above it share the
/// budget of strangers.
const SENDERS: usize = 4096;
/// Shed ids that are remembered to be freed: of one sender, and in all. What is beyond waits until it is forgotten anyway.
const SHED: usize = 4096;
const SHED_IN_ALL: usize = 65_536;

/// Budgets of senders that are not full; bounded by [`SENDERS`].
#[derive(Debug)]
pub(super) struct SenderBudgets {
    senders: BTreeMap<NodeId, SenderBudget>,
    /// All whose presence is not known: a new key for every message gets nobody more than one member has.
    strangers: Option<SenderBudget>,
    /// How many ids are remembered as shed.
    shed: usize,
    /// What strangers sent when their budget was used up, and nobody verified, by its short name: it is not asked for before
    /// there is room for it. Not in the index, where only what was verified may stand.
    unread: NewestIds,
}

impl SenderBudgets {
    pub(super) fn new(hash: IdHash) -> Self {
        SenderBudgets { senders: BTreeMap::new(), strangers: None, shed: 0, unread: NewestIds::new(SHED_IN_ALL, hash) }
    }

    /// Whether an envelope was dropped for want of room, without being verified.
    pub(super) fn is_unread(&self, name: ShortId) -> bool {
        self.unread.contains(&name.padded())
    }
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
        Self::with(TokenBucket::new(PRESENCES, settings.announce_every / 2, now), now)
    }

    fn of_strangers(now: Instant) -> Self {
        Self::with(TokenBucket::new(STRANGERS.0, STRANGERS.1, now), now)
    }

    fn with(presences: TokenBucket, now: Instant) -> Self {
        SenderBudget {
            envelopes: TokenBucket::new(ENVELOPES.0, ENVELOPES.1, now),
            bytes: TokenBucket::new(BYTES.0, BYTES.1, now),
            presences,
            shed: Vec::new(),
        }
    }

    fn has_room(&mut self, envelope: &Envelope, now: Instant) -> bool {
        if is_of_oneself(envelope) {
            return self.presences.has(now, 1);
        }
        self.envelopes.has(now, 1) && self.bytes.has(now, byte_tokens(envelope))
    }

    fn take(&mut self, envelope: &Envelope, now: Instant) -> bool {
        if is_of_oneself(envelope) {
            return self.presences.take(now);
        }
        self.envelopes.has(now, 1) && self.bytes.take_many(now, byte_tokens(envelope)) && self.envelopes.take(now)
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.envelopes.is_full(now) && self.bytes.is_full(now) && self.presences.is_full(now)
    }
}

/// Whether it says that its sender is there, or leaves: seldom, and in a table of its own size.
fn is_of_oneself(envelope: &Envelope) -> bool {
    matches!(envelope.title(), PRESENCE_TITLE | LEAVE_TITLE)
}

fn byte_tokens(envelope: &Envelope) -> u32 {
    u32::try_from(envelope.size()).unwrap_or(u32::MAX).div_ceil(BYTES_PER_TOKEN)
}

impl Core {
    /// Whether an envelope is dropped before it is verified: nobody here knows its sender, and what such senders have
    /// together is used up. A new key costs nothing, a verification does; so whoever makes one for every message is not
    /// verified more often than one member is.
    pub(super) fn sheds_unread(&mut self, now: Now, envelope: &Envelope) -> bool {
        let sender = envelope.sender();
        if !self.settings.limit_senders || sender == self.own || self.members.presence(&sender).is_some() {
            return false;
        }
        let strangers = self.budgets.strangers.as_mut();
        let is_shed = strangers.is_some_and(|strangers| !strangers.has_room(envelope, now.instant));
        if is_shed {
            self.budgets.unread.insert(&ShortId::from(&envelope.id()).padded());
        }
        is_shed
    }

    /// Charges a verified envelope that was flooded to its sender. Says whether there was room for it; if not, its id is
    /// remembered until there may be.
    pub(super) fn charge_sender(&mut self, now: Now, envelope: &Envelope) -> bool {
        let sender = envelope.sender();
        if !self.settings.limit_senders || sender == self.own {
            return true;
        }
        let is_stranger = self.members.presence(&sender).is_none();
        let SenderBudgets { senders, strangers, shed, .. } = &mut self.budgets;
        let has_room = senders.len() < SENDERS || senders.contains_key(&sender);
        let budget = if is_stranger || !has_room {
            strangers.get_or_insert_with(|| SenderBudget::of_strangers(now.instant))
        } else {
            senders.entry(sender).or_insert_with(|| SenderBudget::new(&self.settings, now.instant))
        };
        let has_room = budget.take(envelope, now.instant);
        if !has_room && budget.shed.len() < SHED && *shed < SHED_IN_ALL {
            budget.shed.push(envelope.id());
            *shed += 1;
        }
        has_room
    }

    /// Forgets budgets that are full again; what was shed meanwhile may be fetched.
    pub(super) fn review_budgets(&mut self, now: Now) {
        let SenderBudgets { senders, strangers, shed, unread } = &mut self.budgets;
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
            unread.clear();
        }
        *shed -= free.len();
        for id in free {
            self.index.release(&id);
        }
    }
}
