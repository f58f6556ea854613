//! The control interface: who gets in, what it tells, and the commands that use it.

mod commands;
mod refusals;
mod streams;

use std::path::PathBuf;

use sealnet::config::Config;
use sealnet::control::{Access, Client};
use sealnet::node::{Node, SecureNode};
use tempfile::TempDir;

use crate::support::identity;

/// A folder with the key and the configuration of one node that has a control interface.
struct Place(TempDir);

impl Place {
    /// `more`: further lines of the configuration.
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("node.pem");
        identity(1).save(&key, sealnet::identity::Overwrite::Refuse).unwrap();
        let config = format!(
            "network = \"control\"\nidentity = \"node.pem\"\nlisten = \"127.0.0.1:0\"\npreset = \"local\"\n{more}\n"
        );
        std::fs::write(folder.path().join("node.toml"), config).unwrap();
        Place(folder)
    }

    fn loopback() -> Self {
        Self::new("control = { listen = \"127.0.0.1:0\" }")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    async fn start(&self) -> Node {
        let config = Config::load(&self.path("node.toml")).unwrap();
        SecureNode::from_config(&config).unwrap().control(&config).start().await.unwrap().into()
    }

    fn access(&self) -> Access {
        Access::load(&self.path("node.toml")).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(self.access())
    }

    /// The token, which only the control file shows.
    fn token(&self) -> String {
        let text = std::fs::read_to_string(self.path("node.control")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["token"].as_str().unwrap().to_owned()
    }
}
