//! A link with whoever is to be asked: the one there is, or one that is opened for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::dialer;
use super::super::shared::{LinkHandle, Shared};
use crate::envelope::Title;
use crate::identity::NodeId;
use crate::overlay::{Reach, Reason};
use crate::wire::RequestKind;

use super::RequestError;
use super::asking::Call;

/// If both nodes dial each other, one of the two links comes about within this time.
const CROSSED: Duration = Duration::from_millis(250);

/// How often a dial may cross with one from the other side.
const CROSSINGS: usize = 3;

/// Asks `peer`, over a link that is opened if there is none. Has no deadline of its own.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    peer: &NodeId,
    kind: RequestKind,
    title: &Title,
    body: Bytes,
) -> Result<Call, RequestError> {
    // A link that this node is about to close takes an application's last word.
    if let Some(closing) = shared.with_core(|core| core.closing_link_with(peer)).and_then(|link| shared.link(link))
        && let Ok(call) = Call::begin(&closing.requests, kind, title, body.clone())
    {
        return Ok(call);
    }
    for _ in 0..CROSSINGS {
        let changed = shared.links_changed();
        let link = link_to(shared, peer).await?;
        match Call::begin(&link.requests, kind, title, body.clone()) {
            // It was closing, so nothing of this went out.
            Err(RequestError::Closed(_)) => drop(tokio::time::timeout(CROSSED, changed).await),
            outcome => return outcome,
        }
    }
    Err(RequestError::Closed(*peer))
}

/// The link with `peer`; opened if there is none and its addresses are known.
async fn link_to(shared: &Arc<Shared>, peer: &NodeId) -> Result<LinkHandle, RequestError> {
    let peer = *peer;
    let mut tried: Vec<(SocketAddr, Reason)> = Vec::new();
    let mut crossings = 0;
    loop {
        let changed = shared.links_changed();
        let now = shared.now();
        let addresses = match shared.with_core(|core| core.reach(now, &peer)) {
            Reach::Linked(link) => match shared.link(link) {
                Some(handle) => return Ok(handle),
                // It is going, which the core will hear in a moment.
                None => Vec::new(),
            },
            Reach::Dialling => Vec::new(),
            Reach::At(addresses) => {
                let fresh = |at: &SocketAddr| tried.iter().all(|(tried, _)| tried != at);
                let fresh: Vec<_> = addresses.into_iter().filter(fresh).collect();
                if fresh.is_empty() {
                    return Err(RequestError::CannotDial { peer, tried });
                }
                fresh
            }
            Reach::Unknown => return Err(RequestError::NotLinked(peer)),
            Reach::Not(reason) => return Err(RequestError::NoLink { peer, reason }),
        };
        let Some(address) = addresses.first().copied() else {
            changed.await;
            continue;
        };
        match open(shared, peer, address).await {
            Ok(()) => {}
            Err(Reason::DuplicateLink) if crossings < CROSSINGS => {
                crossings += 1;
                let _ = tokio::time::timeout(CROSSED, changed).await;
            }
            Err(reason) => tried.push((address, reason)),
        }
    }
}

/// Opens a link. If this is not waited for, it is opened all the same, and closed when it has been idle.
async fn open(shared: &Arc<Shared>, peer: NodeId, address: SocketAddr) -> Result<(), Reason> {
    let now = shared.now();
    let mut dial = shared.with_core(|core| core.dial_on_demand(now, peer, address));
    if dial == Err(Reason::Full) {
        // Those that are not needed at this moment make room.
        super::watch::close_idle(shared, Duration::ZERO);
        dial = shared.with_core(|core| core.dial_on_demand(now, peer, address));
    }
    let (report, outcome) = tokio::sync::oneshot::channel();
    shared.tasks.spawn(dialer::dial_on_demand(shared.clone(), dial?, peer, address, report));
    outcome.await.unwrap_or(Err(Reason::Stopping))
}
