//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use sealnet::identity::NodeAddress;

pub(crate) const USAGE: &str = "\
usage: chat --name NAME [--genesis ADDRESS] [--listen IP:PORT] [--key FILE] [--room ROOM] [--json]
       chat --name NAME --config FILE [--room ROOM] [--json]
       chat demo [--nodes 3..8] [--json]";

pub(crate) enum Options {
    Session(Session),
    Demo { nodes: usize, json: bool },
}

/// One person.
pub(crate) struct Session {
    pub(crate) name: String,
    /// A file like `config/peer.toml`, in the place of the next three.
    pub(crate) config: Option<PathBuf>,
    pub(crate) genesis: Option<NodeAddress>,
    pub(crate) listen: SocketAddr,
    /// Where the key is, made if it is missing. Without it the name is bound to a key that is forgotten at the end.
    pub(crate) key: Option<PathBuf>,
    pub(crate) room: String,
    /// One JSON object a line, for programs.
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let (mut name, mut config, mut genesis, mut key) = (None, None, None, None);
        let (mut listen, mut room, mut json) = (SocketAddr::from(([127, 0, 0, 1], 0)), "lobby".to_owned(), false);
        let (mut is_demo, mut nodes) = (false, 3);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "demo" => is_demo = true,
                "--json" => json = true,
                "--nodes" => nodes = read(&value()?)?,
                "--name" => name = Some(value()?),
                "--room" => room = value()?,
                "--config" => config = Some(PathBuf::from(value()?)),
                "--key" => key = Some(PathBuf::from(value()?)),
                "--genesis" => genesis = Some(read(&value()?)?),
                "--listen" => listen = read(&value()?)?,
                _ => return Err(format!("what is {word}?")),
            }
        }
        if is_demo {
            return if (3..=8).contains(&nodes) {
                Ok(Options::Demo { nodes, json })
            } else {
                Err("the demo takes 3 to 8 nodes".into())
            };
        }
        let name = name.ok_or("--name is missing")?;
        for word in [&name, &room] {
            if !super::rooms::is_name(word) {
                return Err(format!("{word:?} is no name; take up to 32 letters, digits, '-' and '_'"));
            }
        }
        Ok(Options::Session(Session { name, config, genesis, listen, key, room, json }))
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
