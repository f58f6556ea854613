//! What happens in the demonstration: Alice and Bob offer the same file, Sam says that he has it too, Dora gets it, and so
//! does Erin. Alice leaves in the middle, and Dora's node ends there and is started again.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sealnet::app::Json;
use sealnet::identity::{Identity, NodeAddress, NodeId, Overwrite};
use sealnet::node::SecureNode;
use sealnet::overlay::Settings;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::app::{FileDrop, TITLE};
use super::fetch::Progress;
use super::get::{GetError, Order, get};
use super::manners::{Actor, Manners};
use super::offer::Digest;
use super::plan::LIES;
use super::shelf::{Held, Shelf};

const PATIENCE: Duration = Duration::from_secs(120);
/// 33 pieces, the last of them a short one.
const SIZE: usize = (8 << 20) + 1000;
/// So many pieces Alice and Bob give at first.
const AT_FIRST: usize = 8;

/// What came of it.
#[derive(Serialize)]
pub(crate) struct Outcome {
    nodes: usize,
    bytes: usize,
    pieces: usize,
    /// How many pieces Dora got from whom, before and after the break.
    pieces_from: BTreeMap<&'static str, usize>,
    /// Pieces whose hash was wrong.
    refused_pieces: usize,
    /// Pieces that Dora had after the break without getting them again.
    resumed: usize,
    /// Pieces that Erin got from Dora, who did not have the whole then.
    passed_on: usize,
    /// What Dora and Erin have in the end is what Alice offered.
    hash_ok: bool,
}

impl Outcome {
    pub(crate) fn is_as_it_must_be(&self) -> bool {
        let from = |name| self.pieces_from.get(name).copied().unwrap_or_default();
        let several = from("alice") > 0 && from("bob") > 0 && from("sam") == 0;
        let broken = self.resumed > 0 && self.resumed < self.pieces;
        self.hash_ok && several && broken && self.refused_pieces >= LIES && self.passed_on > 0
    }
}

/// A member and what it gives away.
pub(crate) struct Member {
    pub(crate) node: SecureNode,
    pub(crate) shelf: Shelf,
    pub(crate) folder: PathBuf,
}

/// A file on its way, and how far it is.
pub(crate) type Getting = (JoinHandle<Result<PathBuf, GetError>>, watch::Receiver<Progress>);

impl Member {
    /// Everything of its lies in a folder of its own, so that it is the same member when it comes back.
    pub(crate) async fn start(
        folder: &Path,
        name: &str,
        manners: Manners,
        genesis: Option<&NodeAddress>,
    ) -> Result<Member, Box<dyn Error>> {
        let folder = folder.join(name);
        let key = folder.join("key.pem");
        if !key.exists() {
            fs::create_dir(&folder)?;
            Identity::generate()?.save(&key, Overwrite::Refuse)?;
        }
        let shelf = Shelf::default();
        let app = Actor { app: FileDrop::new(shelf.clone()), manners, in_vain: Vec::new() };
        let mut builder = SecureNode::builder("file-drop".parse()?, Identity::load(&key)?)
            .listen("127.0.0.1:0".parse()?)
            .overlay(Settings::local())
            .app(TITLE, app);
        if let Some(genesis) = genesis {
            builder = builder.genesis(genesis.clone());
        }
        Ok(Member { node: builder.start().await?, shelf, folder })
    }

    /// Offers these bytes, and has them.
    pub(crate) async fn offer(&self, name: &str, bytes: &[u8]) -> Result<Digest, Box<dyn Error>> {
        let path = self.folder.join(name);
        fs::write(&path, bytes)?;
        let held = Held::whole(&path)?;
        let offer = held.offer().clone();
        self.shelf.hold(Arc::new(held));
        self.node.broadcast(TITLE, Json(&offer)).await?;
        Ok(offer.sha256())
    }

    /// Begins to get a file.
    pub(crate) fn get(&self, hash: Digest) -> Getting {
        let (progress, seen) = watch::channel(Progress::default());
        let order = Order { hash, into: self.folder.clone(), patience: PATIENCE };
        let (node, shelf) = (self.node.clone(), self.shelf.clone());
        (tokio::spawn(async move { get(&node, &shelf, &order, &progress).await }), seen)
    }
}

/// Waits until something is as expected.
pub(crate) async fn once<T>(
    seen: &mut watch::Receiver<T>,
    expected: impl FnMut(&T) -> bool,
) -> Result<(), Box<dyn Error>> {
    tokio::time::timeout(PATIENCE, seen.wait_for(expected)).await.map_err(|_| "the pieces do not come")??;
    Ok(())
}

fn of(counts: &BTreeMap<NodeId, usize>, member: &Member) -> usize {
    counts.get(&member.node.id()).copied().unwrap_or_default()
}

/// Bytes of which no two pieces are equal.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

pub(crate) async fn tell(aloud: bool) -> Result<Outcome, Box<dyn Error>> {
    let say = |line: String| {
        if aloud {
            println!("{line}");
        }
    };
    let folder = tempfile::tempdir()?;
    let (left_alice, left_bob) = (watch::Sender::new(AT_FIRST), watch::Sender::new(AT_FIRST));
    let start = async |name, manners, genesis| Member::start(folder.path(), name, manners, genesis).await;
    let alice = start("alice", Manners::Stalls(left_alice.clone()), None).await?;
    let genesis = alice.node.address();
    let bob = start("bob", Manners::Tires(left_bob.clone()), genesis.as_ref()).await?;
    let sam = start("sam", Manners::Lies, genesis.as_ref()).await?;
    let dora = start("dora", Manners::Honest, genesis.as_ref()).await?;
    let erin = start("erin", Manners::Honest, genesis.as_ref()).await?;

    let file = noise(SIZE);
    let hash = alice.offer("holidays.tar", &file).await?;
    bob.offer("summer.tar", &file).await?;
    sam.offer("holidays.tar", &file).await?;
    say(format!("Alice, Bob and Sam offer {SIZE} bytes, {hash}"));

    // Until Alice answers no more and Bob is tired, Dora has something of both, and Sam has lied often enough.
    let (getting, mut seen) = dora.get(hash);
    once(&mut left_alice.subscribe(), |left| *left == 0).await?;
    once(&mut left_bob.subscribe(), |left| *left == 0).await?;
    once(&mut seen, |p| of(&p.from, &alice) > 0 && of(&p.from, &bob) > 0 && of(&p.refused, &sam) >= LIES).await?;
    say(format!("Dora has {} pieces of {}, and {LIES} of Sam's refused", seen.borrow().came(), seen.borrow().pieces));

    // What Dora has, Erin can get from her.
    let (erins, mut erin_seen) = erin.get(hash);
    once(&mut erin_seen, |progress| of(&progress.from, &dora) > 0).await?;
    let passed_on = of(&erin_seen.borrow().from, &dora);
    say(format!("Erin has {passed_on} of them from her"));

    alice.node.stop().await;
    getting.abort();
    let _ = getting.await;
    dora.node.stop().await;
    say("Alice leaves in the middle of a piece, and Dora's node ends".to_owned());
    let before = seen.borrow().clone();
    drop(dora);
    let genesis = bob.node.address();
    let dora = start("dora", Manners::Honest, genesis.as_ref()).await?;
    let (getting, seen) = dora.get(hash);
    left_bob.send_replace(usize::MAX);
    let (path, erins_path) = (getting.await??, erins.await??);
    let after = seen.borrow().clone();
    say(format!("Dora is back with {} pieces, and gets the other {}", after.resumed, after.came()));

    let hash_ok = [path, erins_path].iter().all(|path| fs::read(path).is_ok_and(|bytes| bytes == file));
    let hash_ok = hash_ok && after.resumed + after.came() == after.pieces;
    let members = [("alice", &alice), ("bob", &bob), ("sam", &sam), ("erin", &erin)];
    let from = |member| of(&before.from, member) + of(&after.from, member);
    let pieces_from = members.iter().map(|(name, member)| (*name, from(member))).collect();
    let refusals = [before.refused, after.refused, erin_seen.borrow().refused.clone()];
    let refused_pieces = refusals.iter().flat_map(BTreeMap::values).sum();
    say(format!("Dora's pieces came so: {pieces_from:?}; refused were {refused_pieces}, all of them Sam's"));
    for member in [&sam, &erin, &dora, &bob] {
        member.node.stop().await;
    }
    Ok(Outcome {
        nodes: 5,
        bytes: SIZE,
        pieces: after.pieces,
        pieces_from,
        refused_pieces,
        resumed: after.resumed,
        passed_on,
        hash_ok,
    })
}
