//! What happens at a node, as JSON for programs: one object on a line, told from a broadcast by its key `event`.

use serde_json::{Value, json};

use super::show::way;
use crate::node::{Event, Node, PublishError, Receipt};
use crate::overlay::Target;

/// The node listens.
pub(super) fn started(node: &Node) -> Value {
    json!({
        "event": "started",
        "id": node.id(),
        "network": node.network(),
        "secure": node.is_secure(),
        "listen": node.listen_address(),
    })
}

/// The node is about to leave; with what it counted.
pub(super) fn stopping(node: &Node) -> Value {
    let status = node.status();
    let reasons: serde_json::Map<String, Value> =
        status.reasons.iter().map(|(reason, count)| (reason.label().to_owned(), count.into())).collect();
    json!({
        "event": "stopping",
        "members": status.members,
        "links": status.links,
        "verifications": status.verifications,
        "reasons": reasons,
    })
}

/// What became of a line of standard input that was broadcast: lines are answered in their order, one answer each.
pub(super) fn said(outcome: &Result<Receipt, PublishError>) -> Value {
    match outcome {
        Ok(receipt) => json!({
            "event": "published",
            "id": receipt.id.to_string(),
            "time": receipt.time.as_micros(),
            "neighbours": receipt.neighbours,
        }),
        Err(error) => json!({ "event": "not-published", "why": error.to_string() }),
    }
}

/// An event, if there is something to tell.
pub(super) fn told(event: &Event, node: &Node) -> Option<Value> {
    Some(match event {
        Event::Join(step) => {
            json!({ "event": "join", "step": step.label() })
        }
        Event::LinkOpened { peer, direction, remote } => {
            json!({ "event": "link-opened", "peer": peer, "direction": way(*direction), "remote": remote })
        }
        Event::LinkClosed { peer, direction, reason } => {
            json!({ "event": "link-closed", "peer": peer, "direction": way(*direction), "reason": reason.label() })
        }
        Event::Member { id, state } => {
            json!({ "event": "member", "id": id, "state": state.label() })
        }
        Event::DialFailed { target, reason, why } => {
            let to = match target {
                Target::Genesis(place) => json!({ "genesis": place }),
                Target::Member { id, address } | Target::OnDemand { id, address } | Target::Renewal { id, address } => {
                    json!({ "member": id, "address": address })
                }
            };
            json!({ "event": "dial-failed", "to": to, "reason": reason.label(), "why": why })
        }
        Event::Direct(message) => {
            let text = String::from_utf8_lossy(&message.message);
            json!({ "event": "direct", "from": message.from, "title": message.title.to_string(), "message": text })
        }
        Event::Barred { peer, reason } => json!({ "event": "barred", "peer": peer, "reason": reason.label() }),
        Event::IdentityUsedElsewhere { id } => json!({ "event": "identity-used-elsewhere", "message": id.to_string() }),
        Event::ClockOff { peer, by, ahead } => {
            json!({ "event": "clock-off", "peer": peer, "seconds": by.as_secs(), "ahead": ahead })
        }
        // What was missed may have been a member or a link: here is all that holds now.
        Event::Missed(count) => {
            let members: Vec<_> = node.members().iter().map(|member| member.id).collect();
            let links: Vec<_> = node.links().iter().map(|link| link.peer).collect();
            json!({ "event": "missed", "count": count, "members": members, "links": links })
        }
        _ => return None,
    })
}
