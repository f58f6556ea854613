//! Looks after requests that nothing moves, and after links that were opened for them. One task a node, which sleeps while
//! there are neither.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::shared::{LinkHandle, Shared};
use crate::overlay::LinkId;

/// How often it looks while there is something to look after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(in crate::node) async fn watch(shared: Arc<Shared>) {
    loop {
        let wait = async {
            if look(&shared) {
                tokio::time::sleep(LOOK_EVERY).await;
            } else {
                shared.services.woken().await;
            }
        };
        tokio::select! {
            () = shared.cancel.cancelled() => return,
            () = wait => {}
        }
    }
}

fn links(shared: &Shared) -> Vec<(LinkId, LinkHandle)> {
    let links = shared.links.read().unwrap_or_else(PoisonError::into_inner);
    links.iter().map(|(id, link)| (*id, link.clone())).collect()
}

/// Says whether there is something to look after.
fn look(shared: &Shared) -> bool {
    let now = Instant::now();
    let links = links(shared);
    links.iter().for_each(|(_, link)| link.requests.drop_stalled(now));
    let used: Vec<_> = links.iter().filter(|(_, link)| link.requests.is_in_use()).map(|(id, _)| *id).collect();
    let core_now = shared.now();
    if !used.is_empty() {
        shared.with_core(|core| core.in_use(core_now, &used));
    }
    let kept = shared.with_core(|core| core.idle_after());
    close_idle(shared, kept) || !used.is_empty()
}

/// Closes the links that were opened for requests and have had none for so long; says whether any such are left.
pub(super) fn close_idle(shared: &Shared, kept: Duration) -> bool {
    let now = Instant::now();
    let mut are_left = false;
    for (id, link) in links(shared) {
        if link.requests.is_on_demand() {
            let is_idle = link.requests.is_idle(now, kept);
            are_left |= !is_idle;
            if is_idle {
                shared.with_core(|core| core.close_idle(id));
            }
        }
    }
    are_left
}
