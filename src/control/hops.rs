//! The way of the newest messages: who got each from whom, as far as it was told.

use std::collections::{BTreeMap, VecDeque};

use super::Hop;

/// So many messages are followed, and so many steps of each: what the largest `devnet` makes.
const MESSAGES: usize = 1024;
const STEPS: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Hops {
    by_message: BTreeMap<String, Vec<Hop>>,
    order: VecDeque<String>,
}

impl Hops {
    pub(super) fn note(&mut self, message: &str, hop: Hop) {
        if let Some(steps) = self.by_message.get_mut(message) {
            // The same event may be told twice: a stream that broke off begins with what it had told.
            if steps.len() < STEPS && steps.iter().all(|known| known.node != hop.node) {
                steps.push(hop);
            }
            return;
        }
        self.by_message.insert(message.to_owned(), vec![hop]);
        self.order.push_back(message.to_owned());
        if self.order.len() > MESSAGES
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_message.remove(&oldest);
        }
    }

    /// In the order of time, by the clocks of those who told.
    pub(super) fn of(&self, message: &str) -> Vec<Hop> {
        let mut steps = self.by_message.get(message).cloned().unwrap_or_default();
        steps.sort_by_key(|hop| hop.at_us);
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::NodeId;

    #[test]
    fn each_node_has_a_message_once_and_old_messages_are_forgotten() {
        let hop = |n: u8, at_us| Hop { node: NodeId::from_bytes([n; 32]), from: None, at_us };
        let mut hops = Hops::default();
        hops.note("a", hop(2, 20));
        hops.note("a", hop(1, 10));
        hops.note("a", hop(2, 30));
        assert_eq!(hops.of("a").iter().map(|hop| hop.at_us).collect::<Vec<_>>(), [10, 20]);
        (0..MESSAGES).for_each(|n| hops.note(&n.to_string(), hop(1, 1)));
        assert!(hops.of("a").is_empty() && hops.by_message.len() == MESSAGES);
    }
}
