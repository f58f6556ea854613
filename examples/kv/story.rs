//! What happens: two write, one is away meanwhile and writes alone, and when all are back they have one table.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sealnet::identity::{Identity, NodeAddress, Overwrite};
use sealnet::node::SecureNode;
use sealnet::overlay::Settings;
use serde::Serialize;

use super::kv::{Kv, TITLE};

const PATIENCE: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Serialize)]
pub(crate) struct Outcome {
    nodes: usize,
    /// A node that starts alone has what it had before it was stopped.
    survived_restart: bool,
    /// Of two values written on both sides of the cut the later one stands,
    last_writer_won: bool,
    /// and what one side removed does not come back from the other.
    tombstone_held: bool,
    /// All tables are equal in the end, and have so many keys.
    equal: bool,
    keys: usize,
}

impl Outcome {
    pub(crate) fn is_as_it_must_be(&self) -> bool {
        self.survived_restart && self.last_writer_won && self.tombstone_held && self.equal && self.keys == 2
    }
}

/// A member, what it holds, and where it lies while it is stopped.
struct Member {
    node: SecureNode,
    kv: Kv,
}

impl Member {
    /// Key and log lie in `folder`: started again, it is the same member and knows what it knew.
    async fn start(folder: &Path, at: SocketAddr, genesis: Option<&NodeAddress>) -> Result<Member, Box<dyn Error>> {
        let key = folder.join("node.pem");
        if !key.exists() {
            Identity::generate()?.save(&key, Overwrite::Refuse)?;
        }
        let kv = Kv::default();
        let mut builder = SecureNode::builder("kv".parse()?, Identity::load(&key)?)
            .listen(at)
            .overlay(Settings::local())
            .log_folder(folder.join("data"))
            .app(TITLE, kv.clone());
        if let Some(genesis) = genesis {
            builder = builder.genesis(genesis.clone());
        }
        Ok(Member { node: builder.start().await?, kv })
    }

    async fn shows(&self, key: &str, value: Option<&str>) -> Result<(), Box<dyn Error>> {
        let shown = self.kv.until(|table| table.get(key) == value);
        let late = |_| {
            format!(
                "{key} did not become {value:?}: it is {:?}",
                self.kv.read(|table| table.get(key).map(str::to_owned))
            )
        };
        Ok(tokio::time::timeout(PATIENCE, shown).await.map_err(late)?)
    }

    fn list(&self) -> Vec<(String, String)> {
        self.kv.read(|table| table.list().map(|(key, value, _)| (key.to_owned(), value.to_owned())).collect())
    }
}

pub(crate) async fn tell(aloud: bool) -> Result<Outcome, Box<dyn Error>> {
    let say = |line: String| {
        if aloud {
            println!("{line}");
        }
    };
    let all = tempfile::tempdir()?;
    let folder = |name: &str| -> PathBuf { all.path().join(name) };
    let anywhere: SocketAddr = "127.0.0.1:0".parse()?;

    let ann = Member::start(&folder("ann"), anywhere, None).await?;
    let genesis = ann.node.address().ok_or("Ann does not listen")?;
    let anns_port = ann.node.listen_address().ok_or("Ann does not listen")?;
    let bob = Member::start(&folder("bob"), anywhere, Some(&genesis)).await?;
    let cem = Member::start(&folder("cem"), anywhere, Some(&genesis)).await?;
    ann.kv.set(&ann.node, "color", "red").await?;
    bob.kv.set(&bob.node, "shape", "round").await?;
    for member in [&ann, &bob, &cem] {
        member.shows("color", Some("red")).await?;
        member.shows("shape", Some("round")).await?;
    }
    say(format!("Ann sets a color, Bob a shape; Cem has {:?}", cem.list()));

    // The two sides of a cut, one after the other: while Cem is away the others write, and then he, alone.
    cem.node.stop().await;
    drop(cem);
    ann.kv.set(&ann.node, "color", "green").await?;
    bob.kv.remove(&bob.node, "shape").await?;
    for member in [&ann, &bob] {
        member.shows("color", Some("green")).await?;
        member.shows("shape", None).await?;
    }
    say(format!("Cem is away. Ann changes the color, Bob removes the shape; Bob has {:?}", bob.list()));
    for member in [ann, bob] {
        member.node.stop().await;
    }

    let cem = Member::start(&folder("cem"), anywhere, Some(&genesis)).await?;
    cem.shows("color", Some("red")).await?;
    cem.shows("shape", Some("round")).await?;
    let survived_restart = cem.list().len() == 2;
    say(format!("Cem is back, the others are gone: he has {:?} as before", cem.list()));
    cem.kv.set(&cem.node, "color", "blue").await?;
    cem.kv.set(&cem.node, "size", "large").await?;

    let ann = Member::start(&folder("ann"), anns_port, None).await?;
    let bob = Member::start(&folder("bob"), anywhere, Some(&genesis)).await?;
    for member in [&ann, &bob, &cem] {
        member.shows("size", Some("large")).await?;
        member.shows("color", Some("blue")).await?;
        member.shows("shape", None).await?;
    }
    say(format!("All are back. Cem's color is the latest, the shape stays removed; Ann has {:?}", ann.list()));
    let outcome = Outcome {
        nodes: 3,
        survived_restart,
        last_writer_won: ann.kv.read(|table| table.get("color") == Some("blue")),
        tombstone_held: cem.kv.read(|table| table.get("shape").is_none()),
        equal: ann.list() == bob.list() && bob.list() == cem.list(),
        keys: ann.list().len(),
    };
    for member in [ann, bob, cem] {
        member.node.stop().await;
    }
    Ok(outcome)
}
