//! How much memory requests from others take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::link::REQUEST_WINDOW;

/// Bytes of requests that are held for one link: one of the largest, the first pieces of all others, and what may come
/// without leave.
pub(super) const HELD_LINK: usize = super::MAX_REQUEST + super::OPEN * (64 << 10) + REQUEST_WINDOW;
/// Bytes of requests that are held for all links.
const HELD_NODE: usize = 64 << 20;

/// Counts bytes against a limit.
#[derive(Debug)]
pub(super) struct Meter {
    held: AtomicUsize,
    limit: usize,
}

impl Meter {
    pub(super) fn of_link() -> Arc<Self> {
        Meter::new(HELD_LINK)
    }

    pub(super) fn of_node() -> Arc<Self> {
        Meter::new(HELD_NODE)
    }

    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Meter { held: AtomicUsize::new(0), limit })
    }

    fn add(&self, bytes: usize) -> bool {
        let fits = self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.limit;
        if !fits {
            self.sub(bytes);
        }
        fits
    }

    fn sub(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// The bytes of one request, counted as long as this lives.
#[derive(Debug)]
pub(super) struct Holding {
    link: Arc<Meter>,
    node: Arc<Meter>,
    bytes: usize,
}

impl Holding {
    pub(super) fn nothing(link: &Arc<Meter>, node: &Arc<Meter>) -> Self {
        Holding { link: link.clone(), node: node.clone(), bytes: 0 }
    }

    /// Counts more; `false`, and nothing changed, if the link or the node holds too much then.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        if !self.link.add(bytes) {
            return false;
        }
        if !self.node.add(bytes) {
            self.link.sub(bytes);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.link.sub(self.bytes);
        self.node.sub(self.bytes);
    }
}
