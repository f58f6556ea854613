//! Following other nodes of this machine through their interfaces, so that one page knows the steps of all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::events::{KINDS, Telling};
use super::link_news::{LinkNews, What};
use super::{Access, Board, Client, Event, Hop};
use crate::identity::NodeId;
use crate::overlay::Direction;

/// It is tried again after this time, and then more and more rarely.
const AGAIN: Duration = Duration::from_millis(100);
const AT_MOST: Duration = Duration::from_secs(2);

/// What is read of an event: who saw it when, of a message which and from whom, and of a link with whom.
#[derive(Deserialize)]
struct Seen {
    node: NodeId,
    at_us: u64,
    #[serde(default)]
    id: String,
    #[serde(default)]
    from: Option<NodeId>,
    #[serde(default)]
    peer: Option<NodeId>,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    round_trip_us: u64,
}

/// Tells on `board` what the node with the configuration `config` tells, whenever it runs.
pub(super) async fn follow(config: PathBuf, board: Board) {
    let (mut last, mut pause) = (Some(0), AGAIN);
    loop {
        if read(&config, &board, &mut last).await {
            pause = AGAIN;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AT_MOST);
    }
}

/// Reads until the stream ends; says whether there was one. `last`: the last event that was read.
async fn read(config: &Path, board: &Board, last: &mut Option<u64>) -> bool {
    let path = config.to_owned();
    let access = tokio::task::spawn_blocking(move || Access::load(&path)).await;
    let Ok(Ok(access)) = access else { return false };
    let id = access.id;
    let Ok(mut events) = Client::new(access).events(*last).await else { return false };
    while let Ok(Some(event)) = events.next().await {
        *last = event.id.parse().ok().or(*last);
        if let Some(telling) = retell(id, event) {
            board.tell(telling);
        }
    }
    true
}

/// The event as it is told on: only what the node itself saw, or two nodes that follow each other would never come to an
/// end.
fn retell(node: NodeId, event: Event) -> Option<Telling> {
    let kind = KINDS.into_iter().find(|kind| *kind == event.event)?;
    let seen: Seen = serde_json::from_str(&event.data).ok().filter(|seen: &Seen| seen.node == node)?;
    let hop = (kind == "message").then_some((seen.id, Hop { node, from: seen.from, at_us: seen.at_us }));
    let by_itself = seen.direction == Direction::Outbound.label();
    let what = match kind {
        "link_opened" => Some(What::Opened { by_itself }),
        "link_closed" => Some(What::Closed { by_itself }),
        "latency" => Some(What::RoundTrip(seen.round_trip_us)),
        _ => None,
    };
    let link = what.zip(seen.peer).map(|(what, peer)| LinkNews { node, peer, what });
    Some(Telling { kind, data: event.data, hop, link })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, node: u8) -> Event {
        let node = NodeId::from_bytes([node; 32]);
        let data = format!(r#"{{"node":"{node}","at_us":7,"id":"ab","from":"{node}"}}"#);
        Event { id: "1".into(), event: kind.into(), data }
    }

    #[test]
    fn only_what_a_node_saw_itself_is_told_on() {
        let node = NodeId::from_bytes([1; 32]);
        let told = retell(node, event("message", 1)).unwrap();
        let hop = Hop { node, from: Some(node), at_us: 7 };
        assert_eq!((told.kind, told.hop), ("message", Some(("ab".to_owned(), hop))));
        assert!(retell(node, event("message", 2)).is_none());
        assert!(retell(node, event("anything", 1)).is_none());
        assert!(retell(node, Event { data: "no json".into(), ..event("message", 1) }).is_none());
        assert!(retell(node, event("link_opened", 1)).unwrap().hop.is_none());
    }

    #[test]
    fn what_a_node_tells_of_its_links_is_noted() {
        let (node, peer) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let link = |kind: &str, more: &str| {
            let data = format!(r#"{{"node":"{node}","at_us":7,"peer":"{peer}",{more}}}"#);
            retell(node, Event { data, ..event(kind, 1) }).unwrap().link.unwrap().what
        };
        assert_eq!(link("link_opened", r#""direction":"out""#), What::Opened { by_itself: true });
        assert_eq!(link("link_opened", r#""direction":"in""#), What::Opened { by_itself: false });
        assert_eq!(link("link_closed", r#""direction":"out","reason":"idle""#), What::Closed { by_itself: true });
        assert_eq!(link("latency", r#""round_trip_us":70"#), What::RoundTrip(70));
    }
}
