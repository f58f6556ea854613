//! A configuration as JSON shows it: what holds, defaults and presets included. There is no secret in it.

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use super::Config;
use crate::access;
use crate::identity::{NetworkName, NodeId};

/// A configuration's settings, for programs.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    config: Option<&'a Path>,
    network: &'a NetworkName,
    plain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<NodeId>,
    network_key: bool,
    listen: Option<SocketAddr>,
    advertise: &'a [SocketAddr],
    genesis: Vec<String>,
    preset: &'static str,
    links: Links,
    log: Log<'a>,
    access: access::Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<String>,
}

#[derive(Serialize)]
struct Links {
    target: usize,
    max: usize,
    inbound: usize,
    broadcast: &'static str,
    ping_after_ms: u128,
    dead_after_ms: u128,
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a Path>,
    on_disk: bool,
    keep_s: u64,
    max_size: usize,
    history: bool,
}

impl<'a> Shown<'a> {
    /// The settings of the node `id`; `None` if it has a random name at each start.
    pub(crate) fn of(config: &'a Config, id: Option<NodeId>) -> Self {
        let (overlay, log) = (config.overlay(), config.log());
        let genesis = id.map_or_else(|| config.genesis().to_vec(), |id| config.genesis_besides(&id));
        Shown {
            config: config.path(),
            network: config.network(),
            plain: config.is_plain(),
            id,
            network_key: config.network_key().is_some(),
            listen: config.listen(),
            advertise: config.advertise(),
            genesis: genesis.iter().map(ToString::to_string).collect(),
            preset: config.preset().as_str(),
            links: Links {
                target: overlay.target_links,
                max: overlay.max_links,
                inbound: overlay.inbound_links,
                broadcast: overlay.broadcast.as_str(),
                ping_after_ms: overlay.ping_after.as_millis(),
                dead_after_ms: overlay.dead_after.as_millis(),
            },
            log: Log {
                folder: config.folder(),
                on_disk: config.is_log_on_disk(),
                keep_s: log.keep.as_secs(),
                max_size: log.max_bytes,
                history: overlay.history,
            },
            access: config.access().mode,
            control: config.control().map(|control| control.at.to_string()),
        }
    }
}
