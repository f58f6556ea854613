//! A node as it is: `/v1/status`, `/v1/members`, `/v1/links`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Json;
use serde::{Deserialize, Serialize};

use super::events::{micros, millis};
use super::refusal::Refusal;
use super::routes::Asked;
use crate::identity::NodeId;
use crate::node::Node;
use crate::overlay::{self, Push};

/// `GET /v1/status`: the node in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub id: NodeId,
    /// The network's name.
    pub network: String,
    /// Whether links are encrypted and broadcasts signed.
    pub secure: bool,
    /// The program.
    pub agent: String,
    /// Where it listens, if it does.
    pub listen: Option<SocketAddr>,
    /// Its address for others' configuration.
    pub address: Option<String>,
    /// For how long it has run.
    pub up_seconds: u64,
    /// How many members are known, this node included.
    pub members: usize,
    /// How many links are open.
    pub links: usize,
    /// Its log.
    pub log: Log,
    /// How many signatures it verified.
    pub verifications: u64,
    /// What went over its links.
    pub traffic: Traffic,
    /// Its applications.
    pub applications: Vec<Application>,
    /// What was dropped, refused and closed, and why: by [`Reason`](crate::overlay::Reason).
    pub drops: BTreeMap<String, u64>,
    /// Whether it is one to begin at.
    pub genesis: bool,
}

/// A log in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// How many messages are kept.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// How many there may be.
    pub limit_bytes: usize,
    /// The folder of the log or the state, if there is one.
    pub folder: Option<PathBuf>,
    /// Why the log on disk takes nothing at the moment.
    pub trouble: Option<String>,
}

/// Bytes over links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Sent.
    pub sent_bytes: u64,
    /// Received.
    pub received_bytes: u64,
}

/// An application of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// `running`, `failed` or `announced`.
    pub state: String,
}

/// `GET /v1/members`: one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// The first 8 digits of it.
    pub short: String,
    /// What this program calls it.
    pub nickname: Option<String>,
    /// `present`, `unreachable` or `gone`.
    pub state: String,
    /// Whether it is the node that was asked.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Whether the node that was asked begins at it.
    pub genesis: bool,
    /// Where it says it listens.
    pub addresses: Vec<SocketAddr>,
    /// Whom it says it is linked with: the first 16 digits of each name. `None` if it does not say.
    pub links: Option<Vec<String>>,
    /// Its applications: title and version.
    pub apps: BTreeMap<String, String>,
    /// How long ago it last announced itself, in milliseconds, by the two nodes' clocks.
    pub seen_ago_ms: u64,
}

/// `GET /v1/links`: one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who is at the other end.
    pub peer: NodeId,
    /// What program it says it runs.
    pub agent: String,
    /// `in` or `out`: who opened it.
    pub direction: String,
    /// The other end's address.
    pub remote: SocketAddr,
    /// The last measured round trip.
    pub round_trip_us: Option<u64>,
    /// Contents go over it unasked; otherwise ids.
    pub sends_eager: bool,
    /// Contents come over it unasked; otherwise ids.
    pub receives_eager: bool,
    /// How many messages of others came over it before any other copy.
    pub news: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// For how long it has been open.
    pub open_seconds: u64,
}

pub(super) async fn status(asked: Asked) -> Result<Json<Status>, Refusal> {
    let node = asked.node()?;
    let status = node.status();
    let applications = node.applications().into_iter().map(|app| Application {
        title: app.title,
        version: app.version,
        state: app.state.label().to_owned(),
    });
    Ok(Json(Status {
        id: status.id,
        network: node.network().to_string(),
        secure: node.is_secure(),
        agent: node.agent().to_owned(),
        listen: status.listen,
        address: node.address().map(|address| address.to_string()),
        up_seconds: node.uptime().as_secs(),
        members: status.members,
        links: status.links,
        log: Log {
            messages: status.log.envelopes,
            bytes: status.log.bytes,
            limit_bytes: asked.config().log().max_bytes,
            folder: status.folder,
            trouble: status.log_trouble.map(|error| error.to_string()),
        },
        verifications: status.verifications,
        traffic: Traffic { sent_bytes: status.traffic.sent, received_bytes: status.traffic.received },
        applications: applications.collect(),
        drops: status.reasons.iter().map(|(reason, count)| (reason.label().to_owned(), count)).collect(),
        genesis: node.is_genesis(&status.id),
    }))
}

pub(super) async fn members(asked: Asked) -> Result<Json<Vec<Member>>, Refusal> {
    let node = asked.node()?;
    Ok(Json(node.members().into_iter().map(|member| shown(&node, member)).collect()))
}

fn shown(node: &Node, member: overlay::Member) -> Member {
    let overlay::Member { id, state, announced, presence } = member;
    Member {
        id,
        short: format!("{id:#}"),
        nickname: node.nickname(&id),
        state: state.label().to_owned(),
        is_self: id == node.id(),
        genesis: node.is_genesis(&id),
        addresses: presence.addresses,
        links: presence.links.map(|links| links.iter().map(ToString::to_string).collect()),
        apps: presence.apps,
        seen_ago_ms: node.time().as_micros().saturating_sub(announced.as_micros()) / 1000,
    }
}

pub(super) async fn links(asked: Asked) -> Result<Json<Vec<Link>>, Refusal> {
    Ok(Json(links_of(&asked.node()?)))
}

pub(super) fn links_of(node: &Node) -> Vec<Link> {
    let links = node.link_status().into_iter().map(|link| Link {
        peer: link.info.peer,
        agent: link.agent,
        direction: link.info.direction.label().to_owned(),
        remote: link.info.remote,
        round_trip_us: link.info.round_trip.map(micros),
        sends_eager: link.info.push == Push::Eager,
        receives_eager: link.info.pull == Push::Eager,
        news: link.info.news,
        sent_bytes: link.traffic.sent,
        received_bytes: link.traffic.received,
        queued_bytes: link.queued_bytes,
        open_seconds: millis(link.open) / 1000,
    });
    links.collect()
}
