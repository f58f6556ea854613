//! A queue that is bounded in bytes.

use std::collections::VecDeque;

use crate::wire::Frame;

pub(super) struct Lane<T> {
    queue: VecDeque<T>,
    bytes: usize,
}

impl<T> Lane<T> {
    /// Queues `entry`; `false` if the lane would then hold more than `limit`.
    pub(super) fn push(&mut self, entry: T, cost: usize, limit: usize) -> bool {
        match self.bytes.checked_add(cost).filter(|bytes| *bytes <= limit) {
            Some(bytes) => {
                self.bytes = bytes;
                self.queue.push_back(entry);
                true
            }
            None => false,
        }
    }

    pub(super) fn pop(&mut self, cost: impl FnOnce(&T) -> usize) -> Option<T> {
        let entry = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(cost(&entry));
        Some(entry)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn shrink_to(&mut self, entries: usize) {
        self.queue.shrink_to(entries);
    }
}

/// What an entry of so many bytes counts: empty frames take memory too.
pub(super) fn cost(bytes: usize) -> usize {
    bytes.saturating_add(size_of::<Frame>())
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Lane { queue: VecDeque::new(), bytes: 0 }
    }
}
