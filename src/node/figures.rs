//! A node's links and applications in numbers: for those who look at it, not for those who use it.

use std::sync::PoisonError;
use std::time::Duration;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::link::Traffic;
use crate::overlay::LinkInfo;

use super::Node;

/// A link in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// What the core knows of it.
    pub info: LinkInfo,
    /// What program the neighbour says it runs.
    pub agent: String,
    /// For how long it has been open.
    pub open: Duration,
    /// What went over it.
    pub traffic: Traffic,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
}

/// An application of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppStatus {
    /// Its title.
    pub title: String,
    /// Its version, as others are told.
    pub version: String,
    /// How it does.
    pub state: AppState,
}

/// How an application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppState {
    /// It judges what comes under its title.
    Running,
    /// It broke down: nothing of its title is taken.
    Failed,
    /// Others were told of it, and it does not run (any more).
    Announced,
}

impl AppState {
    /// The state as one word.
    pub const fn label(self) -> &'static str {
        match self {
            AppState::Running => "running",
            AppState::Failed => "failed",
            AppState::Announced => "announced",
        }
    }
}

impl Node {
    /// The open links in numbers, in the order they were opened.
    pub fn link_status(&self) -> Vec<LinkStatus> {
        let shared = self.shared();
        let (infos, now) = (self.links(), shared.now());
        let links = shared.links.read().unwrap_or_else(PoisonError::into_inner);
        let status = |info: LinkInfo| {
            let handle = links.get(&info.link)?;
            Some(LinkStatus {
                agent: handle.agent.to_string(),
                open: now.instant.since(info.opened),
                traffic: handle.meter.traffic(),
                queued_bytes: handle.outbox.queued_bytes(),
                info,
            })
        };
        infos.into_iter().filter_map(status).collect()
    }

    /// The applications that run here or were announced, in the order of their titles.
    pub fn applications(&self) -> Vec<AppStatus> {
        let shared = self.shared();
        let mut states = shared.apps.states();
        for title in shared.hello.apps.keys() {
            states.entry(title.clone()).or_insert(AppState::Announced);
        }
        let version = |title: &Title| shared.hello.apps.get(title).cloned().unwrap_or_default();
        states
            .into_iter()
            .map(|(title, state)| AppStatus { version: version(&title), title: title.to_string(), state })
            .collect()
    }

    /// The program it tells others it is.
    pub fn agent(&self) -> &str {
        &self.shared().hello.agent
    }

    /// For how long it has run.
    pub fn uptime(&self) -> Duration {
        self.shared().now().instant.since_start()
    }

    /// Whether the configuration names this node as one to begin at; of the node itself: whether it names no other.
    pub fn is_genesis(&self, id: &NodeId) -> bool {
        let genesis = &self.shared().genesis;
        if *id == self.id() { genesis.is_empty() } else { genesis.iter().any(|node| node.id() == Some(*id)) }
    }
}
