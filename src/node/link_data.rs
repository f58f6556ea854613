//! What applications keep about a neighbour, for as long as its link is open.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::envelope::Title;
use crate::identity::NodeId;

use super::Node;
use super::shared::LinkHandle;

type Value = Arc<dyn Any + Send + Sync>;

/// What applications keep about the neighbour at the other end of a link: one value each, by the application's title.
#[derive(Default)]
pub(super) struct LinkData(Mutex<BTreeMap<Title, Value>>);

impl LinkData {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Title, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LinkData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

impl Node {
    /// Keeps a value about a neighbour, in the place of the one that was kept under this title before. It goes with the
    /// link: a node that comes back begins anew. Nothing of it is sent. Says whether there is a link.
    pub fn set_link_data<T: Any + Send + Sync>(&self, peer: &NodeId, title: &Title, value: T) -> bool {
        let Some(link) = self.link_with(peer) else { return false };
        let former = link.data.lock().insert(title.clone(), Arc::new(value));
        // Outside of the lock: it is the application's, and may do anything when it is dropped.
        drop(former);
        true
    }

    fn link_with(&self, peer: &NodeId) -> Option<LinkHandle> {
        let shared = self.shared();
        let link = shared.with_core(|core| core.link_with(peer).or_else(|| core.closing_link_with(peer)));
        shared.link(link?)
    }

    /// What is kept about a neighbour under this title; `None` if nothing is, or a value of another type, or there is no link.
    pub fn link_data<T: Any + Send + Sync>(&self, peer: &NodeId, title: &Title) -> Option<Arc<T>> {
        let value = self.link_with(peer)?.data.lock().get(title)?.clone();
        value.downcast().ok()
    }
}
