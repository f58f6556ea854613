//! The control interface: a running node is seen and steered from its own machine, over HTTP on a loopback address or a
//! Unix socket. Off unless the configuration has a section `[control]`. `docs/control.md` describes every route.
//!
//! Nobody gets in who cannot read the node's control file (mode 0600), which holds a token that is made anew at each start.
//! A browser that was lured to some page elsewhere cannot use it: the token, the Host and the Origin of each request are
//! checked. What comes in is bounded in size, number and time.
//!
//! ```no_run
//! use sealnet::config::Config;
//! use sealnet::node::SecureNode;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load("config/peer.toml".as_ref())?;
//! let node = SecureNode::from_config(&config)?.control(&config).start().await?;
//! # Ok(()) }
//! ```

mod access;
mod acts;
mod board;
mod body;
mod client;
mod events;
mod facts;
mod guard;
mod hops;
mod link_news;
mod messages;
mod metrics;
mod names;
mod network;
mod page;
mod place;
mod rate;
mod refusal;
mod routes;
mod serve;
mod settings;
mod streams;
mod watch;

use crate::config::Config;
use crate::node::{Builder, LaunchError};

pub use crate::config::{Control as Settings, ControlAt};
pub use access::{Access, AccessError};
pub use board::Board;
pub use client::{Client, ClientError, Event, EventStream};
pub use facts::{Application, Link, Log, Member, Status, Traffic};
pub use messages::{Hop, Messages};
pub use names::{NameError, resolve};
pub use network::{Degrees, Edge, Graph, GraphNode};

impl<Kind> Builder<Kind> {
    /// Serves the control interface that `config` asks for, with the node; nothing if it asks for none. The node does not
    /// start if it cannot be served.
    pub fn control(self, config: &Config) -> Self {
        self.control_on(config, &Board::default())
    }

    /// The same, and what happens is told on `board`, which may tell of other nodes too ([`Board::follow`]).
    pub fn control_on(self, config: &Config, board: &Board) -> Self {
        let (config, board) = (config.clone(), board.clone());
        self.control_served(true).launch(move |node| {
            serve::start(node, config, board).map_err(|error| LaunchError::Service(error.to_string()))
        })
    }
}
