//! What happens at a node, as the event stream tells it: `docs/control.md` describes each kind.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::link_news::{LinkNews, What};
use super::{Board, Hop};
use crate::identity::NodeId;
use crate::node::{Event, Events, WeakNode};
use crate::overlay::{Direction, ReasonCounts, Target};

/// Every kind of event there is.
pub(super) const KINDS: [&str; 18] = [
    "join",
    "link_opened",
    "link_closing",
    "link_closed",
    "member",
    "latency",
    "message",
    "direct",
    "dial_failed",
    "refused",
    "barred",
    "alarm",
    "log_trouble",
    "log_recovered",
    "application",
    "drop",
    "stopping",
    "missed",
];

/// As much of a message to one node is told as this, in bytes.
const MAX_DIRECT: usize = 4096;

/// How often is looked whether something was dropped, while somebody reads.
const DROPS_EVERY: Duration = Duration::from_secs(1);

/// An event to be told.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) kind: &'static str,
    /// A JSON object.
    pub(super) data: String,
    /// Whose message came how, if it is of one.
    pub(super) hop: Option<(String, Hop)>,
    /// What it says of a link.
    pub(super) link: Option<LinkNews>,
}

/// Tells on `board` what happens at a node, until it has stopped.
pub(super) async fn pump(node: WeakNode, mut events: Events, board: Board) {
    let Some(id) = node.upgrade().map(|node| node.id()) else { return };
    let mut drops = tokio::time::interval(DROPS_EVERY);
    let mut counted = None;
    loop {
        tokio::select! {
            event = events.next() => {
                let (Some(event), Some(node)) = (event, node.upgrade()) else { return };
                board.tell(tell(&event, id, node.time().as_micros()));
            }
            _ = drops.tick(), if board.has_readers() => {
                let Some(node) = node.upgrade() else { return };
                let now = node.status().reasons;
                if let Some(dropped) = counted.replace(now.clone()).and_then(|before| since(&before, &now)) {
                    board.tell(telling("drop", id, node.time().as_micros(), json!({ "reasons": dropped })));
                }
            }
        }
    }
}

/// How often each reason came up between two countings; `None` if none did.
fn since(before: &ReasonCounts, now: &ReasonCounts) -> Option<Map<String, Value>> {
    let risen = now.iter().filter_map(|(reason, count)| {
        let more = count.saturating_sub(before.get(reason));
        (more > 0).then(|| (reason.label().to_owned(), more.into()))
    });
    let risen: Map<String, Value> = risen.collect();
    (!risen.is_empty()).then_some(risen)
}

fn telling(kind: &'static str, node: NodeId, at_us: u64, mut data: Value) -> Telling {
    if let Value::Object(data) = &mut data {
        data.insert("node".into(), node.to_string().into());
        data.insert("at_us".into(), at_us.into());
    }
    Telling { kind, data: data.to_string(), hop: None, link: None }
}

/// An event at the node `node`, at `at_us` by its clock.
fn tell(event: &Event, node: NodeId, at_us: u64) -> Telling {
    let mut hop = None;
    let (kind, data) = match event {
        Event::Join(step) => ("join", json!({ "step": step.label() })),
        Event::LinkOpened { peer, direction, remote } => {
            ("link_opened", json!({ "peer": peer, "direction": direction.label(), "remote": remote }))
        }
        Event::LinkClosing { peer, direction, reason } => {
            ("link_closing", json!({ "peer": peer, "direction": direction.label(), "reason": reason.label() }))
        }
        Event::LinkClosed { peer, direction, reason } => {
            ("link_closed", json!({ "peer": peer, "direction": direction.label(), "reason": reason.label() }))
        }
        Event::Member { id, state } => ("member", json!({ "id": id, "state": state.label() })),
        Event::Latency { peer, round_trip } => {
            ("latency", json!({ "peer": peer, "round_trip_us": micros(*round_trip) }))
        }
        Event::Message(message) => {
            let (id, from) = (message.id().to_string(), message.brought_by());
            let data = json!({
                "id": id,
                "title": message.title(),
                "sender": message.sender(),
                "time": message.time().as_micros(),
                "late": message.is_late(),
                "from": from,
            });
            hop = Some((id, Hop { node, from, at_us }));
            ("message", data)
        }
        Event::Direct(message) => {
            let mut data =
                json!({ "from": message.from, "title": message.title.as_str(), "size": message.message.len() });
            let text = std::str::from_utf8(&message.message).ok().filter(|text| text.len() <= MAX_DIRECT);
            if let (Some(text), Value::Object(data)) = (text, &mut data) {
                data.insert("message".into(), text.into());
            }
            ("direct", data)
        }
        Event::DialFailed { target, reason, why } => {
            let to = match target {
                Target::Genesis(place) => json!({ "genesis": place }),
                Target::Member { id, address } | Target::OnDemand { id, address } | Target::Renewal { id, address } => {
                    json!({ "member": id, "address": address })
                }
            };
            ("dial_failed", json!({ "to": to, "reason": reason.label(), "why": why }))
        }
        Event::ConnectionRefused { remote, reason } => {
            ("refused", json!({ "remote": remote, "reason": reason.label() }))
        }
        Event::Barred { peer, reason } => ("barred", json!({ "peer": peer, "reason": reason.label() })),
        Event::IdentityUsedElsewhere { id } => {
            ("alarm", json!({ "what": "identity-used-elsewhere", "message": id.to_string() }))
        }
        Event::ClockOff { peer, by, ahead } => {
            ("alarm", json!({ "what": "clock-off", "peer": peer, "by_ms": millis(*by), "ahead": ahead }))
        }
        Event::LogTrouble(error) => ("log_trouble", json!({ "why": error.to_string() })),
        Event::LogRecovered => ("log_recovered", json!({})),
        Event::ApplicationFailed { title } => ("application", json!({ "title": title.as_str(), "state": "failed" })),
        Event::ApplicationBusy { title, busy } => {
            ("application", json!({ "title": title.as_str(), "state": "busy", "busy_ms": millis(*busy) }))
        }
        Event::Stopping => ("stopping", json!({})),
        Event::Missed(count) => ("missed", json!({ "count": count })),
    };
    Telling { hop, link: link_news(event, node), ..telling(kind, node, at_us, data) }
}

/// What an event at `node` says of a link.
fn link_news(event: &Event, node: NodeId) -> Option<LinkNews> {
    let (peer, what) = match event {
        Event::LinkOpened { peer, direction, .. } => {
            (*peer, What::Opened { by_itself: *direction == Direction::Outbound })
        }
        Event::LinkClosed { peer, direction, .. } => {
            (*peer, What::Closed { by_itself: *direction == Direction::Outbound })
        }
        Event::Latency { peer, round_trip } => (*peer, What::RoundTrip(micros(*round_trip))),
        _ => return None,
    };
    Some(LinkNews { node, peer, what })
}

pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
