//! What the running node says of itself.

use super::finding::Finding;
use crate::control::{Client, ClientError, Graph, Link, Member, Status};
use crate::identity::NodeId;
use crate::overlay::Reason;

/// A node that was asked.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) status: Status,
    members: Vec<Member>,
    links: Vec<Link>,
    graph: Graph,
}

/// What drops show that are no everyday business, and what to do.
const TELLING: [(Reason, &str, &str); 7] = [
    (Reason::FromTheFuture, "messages from the future", "somebody's clock is ahead, or this machine's is behind"),
    (
        Reason::Barred,
        "messages and links of nodes that are barred here",
        "they sent forgeries or broken frames; look who it is: `sealnet run --log info` names them",
    ),
    (Reason::BadSignature, "forged messages", "whoever brought them is barred after the second"),
    (Reason::LogFull, "messages that could not be kept", "make room on the disk, or raise [log] max_size"),
    (Reason::ApplicationFailed, "messages of an application that broke down", "restart the node when it is mended"),
    (
        Reason::Stuck,
        "links to neighbours that took nothing for half a minute",
        "their line or their machine is too slow, or stands still",
    ),
    (
        Reason::HandshakeFailed,
        "handshakes that failed",
        "somebody knocks with another network name or key; harmless, unless it should be a member",
    ),
];

impl Running {
    pub(super) async fn ask(client: &Client) -> Result<Self, ClientError> {
        Ok(Running {
            status: client.get("/v1/status").await?,
            members: client.get("/v1/members").await?,
            links: client.get("/v1/links").await?,
            graph: client.get("/v1/network").await?,
        })
    }

    pub(super) fn knows(&self, id: &NodeId) -> bool {
        self.members.iter().any(|member| member.id == *id)
    }

    pub(super) fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![self.company()];
        findings.extend(self.versions());
        findings.extend(TELLING.iter().filter_map(|(reason, what, remedy)| {
            let count = self.status.drops.get(reason.label()).copied().filter(|count| *count > 0)?;
            Some(Finding::note("refusals", format!("{what}: {count} since the start ({reason})"), *remedy))
        }));
        let failed = self.status.applications.iter().filter(|app| app.state == "failed");
        findings.extend(failed.map(|app| {
            Finding::bad(
                "application",
                format!("\"{}\" broke down", app.title),
                "restart the node when it is mended; its messages are neither kept nor relayed until then",
            )
        }));
        findings
    }

    /// Alone, split, or whole.
    fn company(&self) -> Finding {
        let present = self.members.iter().filter(|member| member.state == "present").count();
        if self.status.links == 0 {
            let what = "the node is alone: it has no link with anybody";
            let remedy = "see what is said of the genesis nodes above; `sealnet connect ADDRESS --config FILE` tries one by hand";
            return if self.status.genesis && self.members.len() <= 1 {
                Finding::note("network", what, "right for the first node of a network; others begin at it")
            } else {
                Finding::bad("network", what, remedy)
            };
        }
        if self.graph.parts.len() > 1 {
            let sizes: Vec<String> = self.graph.parts.iter().map(|part| part.len().to_string()).collect();
            let what = format!("the network is in {} parts, of {} nodes", sizes.len(), sizes.join(", "));
            return Finding::bad(
                "network",
                what,
                "a line between them is cut, or was: they find each other again by themselves when it is whole",
            );
        }
        if !self.graph.missing.is_empty() {
            let missing: Vec<String> = self.graph.missing.iter().take(5).map(|id| format!("{id:#}")).collect();
            let what = format!(
                "{} of {} members cannot be reached: {}",
                self.graph.missing.len(),
                self.members.len(),
                missing.join(", ")
            );
            return Finding::note(
                "network",
                what,
                "they are down, or cut off; they get what they miss when they are back",
            );
        }
        Finding::good("network", format!("{present} members, {} links", self.status.links))
    }

    fn versions(&self) -> Option<Finding> {
        let mut others: Vec<&str> =
            self.links.iter().map(|link| link.agent.as_str()).filter(|agent| *agent != self.status.agent).collect();
        others.sort_unstable();
        others.dedup();
        let others = if others.is_empty() { return None } else { others.join(", ") };
        let what = format!("this node is {}, neighbours are {others}", self.status.agent);
        Some(Finding::note("version", what, "versions of one protocol work together; upgrade one node after the other"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A healthy node of a network of two.
    pub(in crate::cli::doctor) fn running() -> Running {
        let (own, other) = (NodeId::from_bytes([1; 32]).to_string(), NodeId::from_bytes([2; 32]).to_string());
        let member = |id: &str, is_self: bool| {
            json!({
                "id": id, "short": &id[..8], "nickname": null, "state": "present", "self": is_self, "genesis": false,
                "addresses": [], "links": null, "apps": {}, "seen_ago_ms": 1,
            })
        };
        let node = |id: &str| json!({ "id": id, "state": "present", "genesis": false, "self": false, "version": null });
        let status = json!({
            "id": own, "network": "t", "secure": true, "agent": "sealnet/0", "listen": null, "address": null, "up_seconds": 9,
            "members": 2, "links": 1, "verifications": 1, "applications": [], "drops": {}, "genesis": false,
            "log": { "messages": 0, "bytes": 0, "limit_bytes": 1, "folder": null, "trouble": null },
            "traffic": { "sent_bytes": 1, "received_bytes": 1 },
        });
        let link = json!({
            "peer": other, "agent": "sealnet/0", "direction": "out", "remote": "192.0.2.1:7400", "round_trip_us": 1,
            "sends_eager": true, "receives_eager": true, "news": 0, "sent_bytes": 1, "received_bytes": 1, "queued_bytes": 0,
            "open_seconds": 1,
        });
        let graph = json!({
            "nodes": [node(&own), node(&other)], "edges": [], "parts": [[own, other]], "diameter": 1,
            "degrees": { "min": 1, "median": 1, "max": 1 }, "missing": [], "silent": [], "complete": true,
        });
        Running {
            status: serde_json::from_value(status).unwrap(),
            members: serde_json::from_value(json!([member(&own, true), member(&other, false)])).unwrap(),
            links: serde_json::from_value(json!([link])).unwrap(),
            graph: serde_json::from_value(graph).unwrap(),
        }
    }

    fn bad(running: &Running) -> Vec<String> {
        let bad = running.examine().into_iter().filter(|finding| finding.weight == super::super::Weight::Bad);
        bad.map(|finding| finding.what).collect()
    }

    #[test]
    fn a_healthy_node_is_called_healthy() {
        assert_eq!(bad(&running()), Vec::<String>::new());
        assert!(running().examine()[0].what.contains("2 members, 1 links"));
    }

    #[test]
    fn a_node_alone_and_a_network_in_parts_are_named() {
        let mut alone = running();
        alone.status.links = 0;
        assert!(bad(&alone)[0].contains("alone"));
        let mut split = running();
        split.graph.parts = vec![vec![NodeId::from_bytes([1; 32])], vec![NodeId::from_bytes([2; 32])]];
        assert!(bad(&split)[0].contains("in 2 parts, of 1, 1 nodes"));
    }

    #[test]
    fn other_versions_and_telling_refusals_are_noted() {
        let mut node = running();
        node.links[0].agent = "other/9".into();
        node.status.drops.insert(Reason::BadSignature.label().into(), 3);
        let said: Vec<String> = node.examine().into_iter().map(|finding| finding.what).collect();
        assert!(
            said.iter().any(|what| what.contains("other/9"))
                && said.iter().any(|what| what.contains("forged messages: 3")),
            "{said:?}"
        );
    }
}
