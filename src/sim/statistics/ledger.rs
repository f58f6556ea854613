//! Which node got which message when: kept beside the network, which knows nothing of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::envelope::EnvelopeId;
use crate::overlay::{Instant, Reason};

/// A counted message, by the order of publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) struct MessageNumber(u32);

/// One delivery, or none yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivery {
    /// The number of the node's log it went to, from 1; 0 if it came to none.
    pub(super) log: u16,
    pub(super) hops: u8,
    /// Whether the node was away or cut off when it was published.
    pub(super) is_late: bool,
    after_micros: u32,
}

impl Delivery {
    /// How long after its publication.
    pub(super) fn after(&self) -> Duration {
        Duration::from_micros(self.after_micros.into())
    }
}

/// What is known of one message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) sender: usize,
    pub(super) sent: Instant,
    /// When nobody takes it any more.
    pub(super) dies: Instant,
    pub(super) is_warm_up: bool,
    /// BROADCAST frames with it that arrived anywhere.
    pub(super) copies: u64,
    /// Nodes that took it from others, each life with a log of its own counted.
    pub(super) needed: u64,
    pub(super) deliveries: Box<[Delivery]>,
}

/// A message is delivered.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Arrival {
    /// Where.
    pub(in crate::sim) place: usize,
    /// The number of that node's log, from 1.
    pub(in crate::sim) log: u16,
    /// How many links it passed.
    pub(in crate::sim) hops: u8,
    /// When.
    pub(in crate::sim) at: Instant,
    /// Since when the node could have got it: it runs, and no cut lies between it and the sender.
    pub(in crate::sim) since: Instant,
}

/// Every counted message and its deliveries.
#[derive(Debug, Default)]
pub(in crate::sim) struct Ledger {
    nodes: usize,
    pub(super) messages: Vec<Message>,
    // Looked up, never iterated: its order can influence nothing.
    by_id: HashMap<EnvelopeId, MessageNumber>,
    pub(super) refusals: BTreeMap<(MessageNumber, usize), Reason>,
    pub(super) duplicates: u64,
}

impl Ledger {
    /// An empty ledger about so many nodes.
    pub(in crate::sim) fn new(nodes: usize) -> Self {
        Ledger { nodes, ..Ledger::default() }
    }

    /// A message is published that is to be counted. It is in its sender's log.
    pub(in crate::sim) fn published(&mut self, id: EnvelopeId, by: Arrival, lives: Duration, is_warm_up: bool) {
        let number = MessageNumber(self.messages.len() as u32);
        let mut deliveries = vec![Delivery::default(); self.nodes].into_boxed_slice();
        if let Some(own) = deliveries.get_mut(by.place) {
            own.log = by.log;
        }
        let (sent, dies) = (by.at, by.at + lives);
        self.by_id.insert(id, number);
        self.messages.push(Message { sender: by.place, sent, dies, is_warm_up, copies: 0, needed: 0, deliveries });
    }

    /// The message's number, if it is counted.
    pub(in crate::sim) fn number(&self, id: &EnvelopeId) -> Option<MessageNumber> {
        self.by_id.get(id).copied()
    }

    /// Who said it.
    pub(in crate::sim) fn sender(&self, number: MessageNumber) -> Option<usize> {
        self.messages.get(number.0 as usize).map(|message| message.sender)
    }

    /// How many links the message had passed when it came to a node.
    pub(in crate::sim) fn hops(&self, number: MessageNumber, place: usize) -> u8 {
        let message = self.messages.get(number.0 as usize);
        message.and_then(|message| message.deliveries.get(place)).map_or(0, |delivery| delivery.hops)
    }

    /// A BROADCAST frame with the message arrived.
    pub(in crate::sim) fn copied(&mut self, number: MessageNumber) {
        if let Some(message) = self.messages.get_mut(number.0 as usize) {
            message.copies += 1;
        }
    }

    /// A node delivered the message.
    pub(in crate::sim) fn delivered(&mut self, number: MessageNumber, arrival: Arrival) {
        let Some(message) = self.messages.get_mut(number.0 as usize) else { return };
        let Some(delivery) = message.deliveries.get_mut(arrival.place) else { return };
        if delivery.log == arrival.log {
            self.duplicates += 1;
            return;
        }
        message.needed += 1;
        let micros = arrival.at.since(message.sent).as_micros();
        *delivery = Delivery {
            log: arrival.log,
            hops: arrival.hops,
            is_late: arrival.since > message.sent,
            after_micros: u32::try_from(micros).unwrap_or(u32::MAX),
        };
    }

    /// A node refused the message.
    pub(in crate::sim) fn refused(&mut self, number: MessageNumber, place: usize, reason: Reason) {
        self.refusals.insert((number, place), reason);
    }

    /// Every message with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MessageNumber, &Message)> + '_ {
        (0..).map(MessageNumber).zip(&self.messages)
    }

    /// How many messages are counted.
    pub(in crate::sim) fn len(&self) -> usize {
        self.messages.len()
    }
}
