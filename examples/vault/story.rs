//! What happens: Alice owns a record, Bob reads it, also after he was away, Carol for a while, and Sam never.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sealnet::envelope::EnvelopeId;
use sealnet::identity::{Identity, NodeAddress, Overwrite};
use sealnet::node::SecureNode;
use sealnet::overlay::Settings;
use serde::Serialize;

use super::vault::{TITLE, Vault};

const PATIENCE: Duration = Duration::from_secs(60);
const DOOR: &str = "the code of the door";

/// What came of it.
#[derive(Serialize)]
pub(crate) struct Outcome {
    nodes: usize,
    /// Bob read what was sealed to him,
    reader_read: bool,
    /// and what was sealed to him while he was away.
    absent_reader_read: bool,
    /// Carol read the version that she was granted,
    granted_read: bool,
    /// but not the one after that.
    withdrawn_read: bool,
    /// How many messages Sam's vault has, his own two among them, and how many of Alice's records he read.
    stranger_carried: usize,
    stranger_read: usize,
    /// At Bob's: Sam's copy of Alice's message, passed on as his own.
    forgeries_noticed: usize,
    /// A record of the same name by Sam leaves Alice's as it was.
    owner_kept: bool,
}

impl Outcome {
    pub(crate) fn is_as_it_must_be(&self) -> bool {
        let all = [self.reader_read, self.absent_reader_read, self.granted_read, self.owner_kept];
        let none = self.withdrawn_read || self.stranger_read > 0;
        all.iter().all(|held| *held) && !none && self.stranger_carried == 6 && self.forgeries_noticed == 1
    }
}

/// A member and its vault.
struct Member {
    node: SecureNode,
    vault: Vault,
}

impl Member {
    /// Its identity and its seal keys lie in `folder`, so that it is the same member when it comes back.
    async fn start(folder: &Path, name: &str, genesis: Option<&NodeAddress>) -> Result<Member, Box<dyn Error>> {
        let key = folder.join(format!("{name}.pem"));
        if !key.exists() {
            Identity::generate()?.save(&key, Overwrite::Refuse)?;
        }
        let vault = Vault::default();
        let mut builder = SecureNode::builder("vault".parse()?, Identity::load(&key)?)
            .listen("127.0.0.1:0".parse()?)
            .overlay(Settings::local())
            .seal_file(key.with_extension("seal"))
            .app(TITLE, vault.clone());
        if let Some(genesis) = genesis {
            builder = builder.genesis(genesis.clone());
        }
        Ok(Member { node: builder.start().await?, vault })
    }

    /// Waits until this member knows what to seal to for another.
    async fn knows(&self, other: &Member) -> Result<(), Box<dyn Error>> {
        let known = async {
            while self.node.seal_key_of(&other.node.id()).is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        Ok(tokio::time::timeout(PATIENCE, known).await.map_err(|_| "the members do not find each other")?)
    }

    /// Waits until a message has come by here.
    async fn carries(&self, id: EnvelopeId) -> Result<(), Box<dyn Error>> {
        let carried = self.vault.once(|shelf| shelf.carried.contains(&id).then_some(()));
        tokio::time::timeout(PATIENCE, carried).await.map_err(|_| "a message did not arrive")?;
        Ok(())
    }

    /// What this member reads in a record of `owner`.
    fn reads(&self, owner: &Member, name: &str) -> Option<String> {
        self.vault.read(&owner.node.id(), name).map(|version| version.text)
    }
}

pub(crate) async fn tell(aloud: bool) -> Result<Outcome, Box<dyn Error>> {
    let say = |line: String| {
        if aloud {
            println!("{line}");
        }
    };
    let folder = tempfile::tempdir()?;
    let alice = Member::start(folder.path(), "alice", None).await?;
    let genesis = alice.node.address().ok_or("Alice does not listen")?;
    let bob = Member::start(folder.path(), "bob", Some(&genesis)).await?;
    let carol = Member::start(folder.path(), "carol", Some(&genesis)).await?;
    let sam = Member::start(folder.path(), "sam", Some(&genesis)).await?;
    for reader in [&bob, &carol, &sam] {
        alice.knows(reader).await?;
        sam.knows(reader).await?;
    }
    let (bob_id, carol_id) = (bob.node.id(), carol.node.id());

    let first = alice.vault.write(&alice.node, DOOR, "1111", &[bob_id]).await?.id;
    for member in [&alice, &bob, &carol, &sam] {
        member.carries(first).await?;
    }
    let reader_read = bob.reads(&alice, DOOR).as_deref() == Some("1111");
    say(format!("Alice seals {DOOR:?} to Bob, who reads {:?}", bob.reads(&alice, DOOR)));
    say(format!("Carol and Sam carry it and read {:?} and {:?}", carol.reads(&alice, DOOR), sam.reads(&alice, DOOR)));

    // Sam passes Alice's sealed bytes on as his own, and writes a record of the same name.
    let mut at_sam = sam.node.subscribe(TITLE)?.from_start();
    let copied = loop {
        match at_sam.next().await {
            Some(sealnet::node::Item::Broadcast(message)) if message.id() == first => break message.message(),
            Some(_) => {}
            None => return Err("Sam's node has stopped".into()),
        }
    };
    // The fifth byte of sealed content is the number of readers.
    let readers = copied.get(4).copied().unwrap_or_default();
    say(format!("what Sam has of it: Alice's id, the time, {readers} readers, {} sealed bytes", copied.len()));
    let forged = sam.node.broadcast(TITLE, copied.to_vec()).await?.id;
    let squatted = sam.vault.write(&sam.node, DOOR, "9999", &[bob_id]).await?.id;
    bob.carries(forged).await?;
    bob.carries(squatted).await?;
    let forgeries_noticed = bob.vault.once(|shelf| Some(shelf.forged)).await.unwrap_or_default();
    let owner_kept = bob.reads(&alice, DOOR).as_deref() == Some("1111");
    say(format!("Sam's copy under his own name opens for nobody; Alice's record says {:?}", bob.reads(&alice, DOOR)));

    // Bob is away when the code changes.
    bob.node.stop().await;
    drop(bob);
    let second = alice.vault.write(&alice.node, DOOR, "2222", &[bob_id]).await?.id;
    for member in [&alice, &carol, &sam] {
        member.carries(second).await?;
    }
    let bob = Member::start(folder.path(), "bob", Some(&genesis)).await?;
    bob.carries(second).await?;
    let absent_reader_read = bob.reads(&alice, DOOR).as_deref() == Some("2222");
    say(format!("Bob was away while it changed; back again, he reads {:?}", bob.reads(&alice, DOOR)));

    let granting = alice.vault.grant(&alice.node, DOOR, carol_id).await?.id;
    carol.carries(granting).await?;
    sam.carries(granting).await?;
    let granted_read = carol.reads(&alice, DOOR).as_deref() == Some("2222");
    say(format!("Alice grants it to Carol, who reads {:?}", carol.reads(&alice, DOOR)));

    let third = alice.vault.withdraw(&alice.node, DOOR, "3333", &[bob_id]).await?.id;
    for member in [&bob, &carol, &sam] {
        member.carries(third).await?;
    }
    let withdrawn_read = carol.reads(&alice, DOOR).as_deref() == Some("3333");
    say(format!("Alice withdraws that and changes the code: Carol knows {:?} still,", carol.reads(&alice, DOOR)));
    say(format!(
        "Bob reads {:?}, and Sam, who carried all of it, {:?}",
        bob.reads(&alice, DOOR),
        sam.reads(&alice, DOOR)
    ));

    let owner = alice.node.id();
    let stranger = sam.vault.once(|shelf| {
        let read = shelf.records.keys().filter(|(of, _)| *of == owner).count();
        Some((shelf.carried.len(), read))
    });
    let (stranger_carried, stranger_read) = stranger.await.unwrap_or_default();
    for member in [&sam, &carol, &bob, &alice] {
        member.node.stop().await;
    }
    Ok(Outcome {
        nodes: 4,
        reader_read: reader_read && bob.reads(&alice, DOOR).as_deref() == Some("3333"),
        absent_reader_read,
        granted_read,
        withdrawn_read,
        stranger_carried,
        stranger_read,
        forgeries_noticed,
        owner_kept,
    })
}
