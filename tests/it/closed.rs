//! Closed networks: real nodes that admit by certificate or by list.

use std::path::Path;
use std::sync::Arc;

use sealnet::access::{Certificate, Membership, Revocations, Rights, Serial};
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{NetworkHash, NodeAddress, NodeId, PublicKey};
use sealnet::link::{self, Halves, LinkError, NoiseChannel};
use sealnet::node::{AccessError, AccessInForce, Builder, Event, Secure, SecureNode, ShutdownError};
use sealnet::overlay::{MEMBER_TITLE, MemberRecord, Reason, Settings};
use sealnet::wire::{Frame, GoodbyeCode, Hello};
use tokio::net::TcpStream;

use crate::peer::Peer;
use crate::support::{identity, joined, next_text, until, within};

/// The authority of these networks. It is no node.
const AUTHORITY: u8 = 200;
const BOTH: Rights = Rights::from_bits(3);

fn network(name: &str) -> NetworkHash {
    NetworkHash::secure(&name.parse().unwrap())
}

fn authority() -> PublicKey {
    PublicKey::decode(&identity(AUTHORITY).id()).unwrap()
}

fn now() -> u64 {
    Timestamp::now().as_micros() / 1_000_000
}

/// What `by` says of `n` in network `name`: a certificate with this number from and to these seconds from now.
fn issued(by: u8, name: &str, n: u8, serial: u8, span: (i64, i64), rights: Rights) -> Certificate {
    let at = |second| now().checked_add_signed(second).unwrap();
    let membership = Membership {
        subject: identity(n).id(),
        serial: Serial::from_bytes([serial; 16]),
        not_before: at(span.0),
        not_after: at(span.1),
        rights,
        label: format!("node {n}").parse().unwrap(),
    };
    Certificate::issue(&identity(by), &network(name), membership).unwrap()
}

/// A good certificate, whose serial number is the node's.
fn certificate(n: u8) -> Certificate {
    issued(AUTHORITY, "test", n, n, (-1000, 100_000), BOTH)
}

fn list(epoch: u64, serials: &[u8]) -> Revocations {
    let serials = serials.iter().map(|n| Serial::from_bytes([*n; 16]));
    Revocations::issue(&identity(AUTHORITY), &network("test"), epoch, now(), serials).unwrap()
}

fn member(n: u8, genesis: &[NodeAddress]) -> Builder<Secure> {
    with(n, genesis).certified_by(authority(), certificate(n))
}

/// A node of the same network that knows nothing of certificates.
fn with(n: u8, genesis: &[NodeAddress]) -> Builder<Secure> {
    let builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local());
    genesis.iter().fold(builder, |builder, address| builder.genesis(address.clone()))
}

/// Nodes 1 to `count`, all members, that know each other.
async fn members(count: u8) -> Vec<SecureNode> {
    let genesis = member(1, &[]).start().await.unwrap();
    let address = genesis.address().unwrap();
    let mut nodes = vec![genesis];
    for n in 2..=count {
        nodes.push(member(n, std::slice::from_ref(&address)).start().await.unwrap());
    }
    joined(&nodes).await;
    nodes
}

fn counted(node: &SecureNode, reason: Reason) -> u64 {
    node.status().reasons.get(reason)
}

/// Shows itself to the node as `n` with this certificate, and says what it hears.
async fn shown(node: &SecureNode, n: u8, certificate: Option<&Certificate>) -> Result<(Peer, Hello), LinkError> {
    let channel = NoiseChannel::new(Arc::new(identity(n)), node.network_hash(), None).unwrap();
    let mut hello = Hello::new("a test", Timestamp::now());
    hello.certificate = certificate.map(|certificate| certificate.encode().into());
    hello.epoch = Some(0);
    let stream = TcpStream::connect(node.listen_address().unwrap()).await.unwrap();
    let link = link::connect(&channel, Halves::from(stream), Some(node.id()), &hello, &|_: &NodeId| true).await?;
    let hello = link.hello.clone();
    Ok((Peer::of(link), hello))
}

#[tokio::test]
async fn members_hear_each_other_and_strangers_get_no_further_than_hello() {
    let nodes = members(3).await;
    let mut reader = nodes[2].subscribe("test").unwrap();
    nodes[0].broadcast("test", "for members").await.unwrap();
    assert_eq!(next_text(&mut reader).await, "for members");
    let mut other_subject = certificate(9);
    for (what, bad) in [
        ("no certificate", None),
        ("expired", Some(issued(AUTHORITY, "test", 7, 70, (-1000, -400), BOTH))),
        ("not yet", Some(issued(AUTHORITY, "test", 7, 71, (400, 1000), BOTH))),
        ("of another network", Some(issued(AUTHORITY, "other", 7, 72, (-1000, 1000), BOTH))),
        ("of another authority", Some(issued(201, "test", 7, 73, (-1000, 1000), BOTH))),
        ("without the right to link", Some(issued(AUTHORITY, "test", 7, 74, (-1000, 1000), Rights::PUBLISH))),
        ("of another subject", Some(std::mem::replace(&mut other_subject, certificate(8)))),
    ] {
        let before = counted(&nodes[0], Reason::NotAdmitted);
        match shown(&nodes[0], 7, bad.as_ref()).await {
            Err(LinkError::Goodbye(goodbye)) => assert_eq!(goodbye.code, GoodbyeCode::NotAdmitted, "{what}"),
            Err(other) => panic!("{what}: {other}"),
            Ok(_) => panic!("{what}: let in"),
        }
        assert!(counted(&nodes[0], Reason::NotAdmitted) > before, "{what}");
    }
    // Within five minutes of its time it counts, at either end of it.
    for (serial, span) in [(75, (-1000, -290)), (76, (290, 1000))] {
        let good = issued(AUTHORITY, "test", 7, serial, span, BOTH);
        let (peer, hello) = shown(&nodes[0], 7, Some(&good)).await.unwrap();
        let own = Certificate::parse(&hello.certificate.unwrap()).unwrap();
        assert_eq!(own.membership().subject, nodes[0].id(), "the node shows its own");
        assert_eq!(hello.epoch, Some(0));
        drop(peer);
        until("the link is gone", &[&nodes[0]], || nodes[0].links().iter().all(|link| link.peer != identity(7).id()))
            .await;
    }
    assert!(nodes.iter().all(|node| node.members().len() == 3));
}

#[tokio::test]
async fn a_strangers_message_through_a_member_is_ignored_and_the_member_is_not_blamed() {
    let nodes = members(2).await;
    let (peer, _) = shown(&nodes[0], 7, Some(&certificate(7))).await.unwrap();
    let under = |n, title: &str, message: Vec<u8>| {
        let (title, time, lifetime) = (title.parse().unwrap(), Timestamp::now(), Lifetime::DEFAULT);
        let draft = Draft { title, message: message.into(), time, lifetime };
        Signed::new(network("test"), Arc::new(identity(n))).publish(&draft).unwrap()
    };
    let said = |n, text: &str| under(n, "test", text.into());
    // What everybody needs to know of a member before it is heard.
    let record = MemberRecord { certificate: Some(certificate(7).encode().into()), ..MemberRecord::default() };
    peer.send(Frame::Broadcast(under(7, MEMBER_TITLE, record.encode()).as_bytes().clone()));
    let mut reader = nodes[1].subscribe("test").unwrap();
    // Nobody knows the first, the second may only listen.
    let listener = issued(AUTHORITY, "test", 9, 9, (-1000, 1000), Rights::LINK);
    let (silent, _) = shown(&nodes[0], 9, Some(&listener)).await.unwrap();
    for envelope in [said(8, "a stranger's"), said(9, "a listener's"), said(7, "a member's")] {
        peer.send(Frame::Broadcast(envelope.as_bytes().clone()));
    }
    assert_eq!(next_text(&mut reader).await, "a member's");
    // The strangers' waits ten seconds, in which the member shows that it lives.
    let alive = tokio::spawn(peer.answers_pings());
    until("what waited is given up", &[&nodes[0]], || {
        counted(&nodes[0], Reason::AdmissionUnknown) == 1 && counted(&nodes[0], Reason::NotAdmitted) == 1
    })
    .await;
    assert!(nodes[0].links().iter().any(|link| link.peer == identity(7).id()), "the member is still listened to");
    alive.abort();
    drop(silent);
}

#[tokio::test]
async fn a_revoked_member_is_cut_off_everywhere_and_what_it_said_is_gone() {
    let nodes = members(4).await;
    let gone = nodes[3].id();
    let mut reader = nodes[1].subscribe("test").unwrap();
    nodes[3].broadcast("test", "before").await.unwrap();
    assert_eq!(next_text(&mut reader).await, "before");
    let mut events = nodes[1].events();
    assert!(nodes[0].revoke(&list(1, &[4])).unwrap());
    within("it is told", async {
        loop {
            match events.next().await {
                Some(Event::Revoked { epoch: 1, members }) => return assert_eq!(members, [gone]),
                Some(_) => {}
                None => panic!("no more events"),
            }
        }
    })
    .await;
    let all: Vec<_> = nodes[..3].iter().map(|node| &**node).collect();
    until("it is gone everywhere", &all, || {
        let knows = |node: &SecureNode| node.member_state(&gone).is_some();
        let linked = |node: &SecureNode| node.links().iter().any(|link| link.peer == gone);
        let holds = |node: &SecureNode| node.status().log.envelopes > 0;
        nodes[..3].iter().all(|node| !knows(node) && !linked(node) && !holds(node))
    })
    .await;
    // An older list, or another of the same number, takes nothing back.
    assert!(!nodes[1].revoke(&list(1, &[])).unwrap());
    let foreign = Revocations::issue(&identity(201), &network("test"), 9, 0, []).unwrap();
    assert!(matches!(nodes[1].revoke(&foreign), Err(AccessError::NotAttested(_))));
    // It comes back with another certificate, and not with the old one.
    assert!(matches!(shown(&nodes[0], 4, Some(&certificate(4))).await, Err(LinkError::Goodbye(_))));
    let renewed = issued(AUTHORITY, "test", 4, 40, (-1000, 1000), BOTH);
    nodes[3].revoke(&list(1, &[4])).unwrap();
    nodes[3].renew_certificate(&renewed).unwrap();
    until("it is back", &all, || all.iter().all(|node| node.member_state(&gone).is_some())).await;
}

#[tokio::test]
async fn a_list_that_was_held_outlives_restarts_and_older_files() {
    let folder = tempfile::tempdir().unwrap();
    let start = |kept: bool| {
        let builder = member(1, &[]);
        if kept { builder.state_folder(folder.path()) } else { builder }
    };
    let node = start(true).start().await.unwrap();
    assert!(node.revoke(&list(5, &[4])).unwrap());
    node.stop().await;
    let node = start(true).start().await.unwrap();
    assert!(matches!(node.access_in_force(), AccessInForce::Certified { epoch: 5, .. }));
    assert!(!node.revoke(&list(4, &[])).unwrap());
    assert!(matches!(shown(&node, 4, Some(&certificate(4))).await, Err(LinkError::Goodbye(_))));
    // Who knows less is told at once.
    let (mut peer, hello) = shown(&node, 7, Some(&certificate(7))).await.unwrap();
    assert_eq!(hello.epoch, Some(5));
    let told = within("the list", async {
        loop {
            if let Frame::Revocations(bytes) = peer.next().await.expect("the link is open") {
                return Revocations::parse(&bytes).unwrap();
            }
        }
    })
    .await;
    assert_eq!((told.epoch(), told.serials()), (5, list(5, &[4]).serials()));
    node.stop().await;
    // Its own revocation is one it cannot start with.
    let own = start(true);
    let node = own.start().await.unwrap();
    node.revoke(&list(6, &[1])).unwrap();
    assert!(matches!(
        node.broadcast("test", "nobody takes it").await,
        Err(sealnet::node::PublishError::NotAdmitted { .. })
    ));
    node.stop().await;
    let refused = start(true).start().await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
}

#[cfg(feature = "disk")]
#[tokio::test]
async fn what_a_member_said_that_was_revoked_while_a_node_was_down_goes_from_its_log_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let start = |genesis: &[NodeAddress]| member(3, genesis).log_folder(folder.path()).start();
    let others = members(2).await;
    let genesis = [others[0].address().unwrap()];
    let node = start(&genesis).await.unwrap();
    let mut reader = node.subscribe("test").unwrap();
    let mut said = Vec::new();
    for (n, text) in ["of the first", "of the second"].into_iter().enumerate() {
        said.push(others[n].broadcast("test", text).await.unwrap().id);
        assert_eq!(next_text(&mut reader).await, text);
    }
    node.stop().await;
    // It is there again, and nobody else is, who could tell it anything: the list comes by another way.
    let [first, second] = <[SecureNode; 2]>::try_from(others).unwrap();
    first.stop().await;
    second.stop().await;
    let node = start(&[]).await.unwrap();
    assert_eq!(node.status().log.envelopes, 2);
    assert!(node.revoke(&list(1, &[2])).unwrap());
    until("what the second said is gone", &[&node], || node.status().log.envelopes == 1).await;
    node.stop().await;
    // It stays gone, and what the first said stays.
    let node = start(&[]).await.unwrap();
    assert_eq!(node.status().log.envelopes, 1);
    assert!(node.kept(&said[0]).await.is_some() && node.kept(&said[1]).await.is_none());
    node.stop().await;
}

#[tokio::test]
async fn the_word_of_one_who_may_stops_every_node() {
    let shutter = issued(AUTHORITY, "test", 1, 1, (-1000, 100_000), Rights::from_bits(11));
    let first = with(1, &[]).certified_by(authority(), shutter).start().await.unwrap();
    let address = first.address().unwrap();
    let mut nodes = vec![first];
    for n in 2..=4 {
        nodes.push(member(n, std::slice::from_ref(&address)).start().await.unwrap());
    }
    joined(&nodes).await;
    assert_eq!(nodes[1].shutdown_network().await, Err(ShutdownError::NotAllowed));
    let mut events: Vec<_> = nodes.iter().map(|node| node.events()).collect();
    nodes[0].shutdown_network().await.unwrap();
    for (place, events) in events.iter_mut().enumerate() {
        let told = async {
            let mut told = false;
            while let Some(event) = events.next().await {
                told |= matches!(event, Event::NetworkShutDown { by } if by == nodes[0].id());
            }
            told
        };
        assert!(within("every node stops", told).await, "node {place} stopped without a word");
    }
}

/// The files of a node with certificates in a folder, and its configuration.
fn write_files(folder: &Path, n: u8, port: u16) -> std::path::PathBuf {
    let key = folder.join("node.pem");
    if !key.exists() {
        identity(n).save(&key, sealnet::identity::Overwrite::Refuse).unwrap();
    }
    std::fs::write(folder.join("node.cert"), certificate(n).to_text()).unwrap();
    let config = format!(
        "network = \"test\"\nidentity = \"node.pem\"\nlisten = \"127.0.0.1:{port}\"\npreset = \"local\"\n[access]\nmode = \
         \"certificate\"\nauthority = \"{}\"\ncertificate = \"node.cert\"\nrevocations = \"revocations\"\n",
        identity(AUTHORITY).id()
    );
    let path = folder.join("node.toml");
    std::fs::write(&path, config).unwrap();
    path
}

#[tokio::test]
async fn files_are_read_again_without_a_restart_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_files(folder.path(), 1, 0);
    let node = SecureNode::from_file(&config).unwrap().start().await.unwrap();
    let address = node.address().unwrap();
    let other = member(2, &[address]).start().await.unwrap();
    until("they are linked", &[&node, &other], || other.links().len() == 1).await;
    let in_force = node.access_in_force();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for (name, bad) in [
        ("node.cert", certificate(2).to_text()),
        ("node.cert", issued(AUTHORITY, "test", 1, 3, (-1000, -400), BOTH).to_text()),
        ("node.cert", issued(201, "test", 1, 3, (-1000, 1000), BOTH).to_text()),
        ("node.cert", "no certificate".to_owned()),
        ("revocations", "no list".to_owned()),
        ("revocations", list(3, &[1]).to_text()),
    ] {
        let good = std::fs::read_to_string(folder.path().join("node.cert")).unwrap();
        file(name, &bad);
        let refused = node.reload().await;
        assert!(refused.is_err(), "{name}: {bad}");
        assert_eq!(node.access_in_force(), in_force, "{name}");
        file("node.cert", &good);
        let _ = std::fs::remove_file(folder.path().join("revocations"));
    }
    assert_eq!(other.links().len(), 1);
    // A certificate that lasts longer, and a list.
    file("node.cert", &issued(AUTHORITY, "test", 1, 11, (-10, 1_000_000), BOTH).to_text());
    file("revocations", &list(3, &[1, 2]).to_text());
    let AccessInForce::Certified { not_after, epoch: 3 } = node.reload().await.unwrap() else { panic!("another mode") };
    assert!(not_after > now() + 900_000);
    until("the other is cut off", &[&node, &other], || node.links().is_empty() && other.links().is_empty()).await;
}

#[tokio::test]
async fn who_stands_in_the_list_is_let_in_from_the_moment_it_does_and_no_longer_than_it_does() {
    let ids = |ns: &[u8]| ns.iter().map(|n| identity(*n).id()).collect::<Vec<_>>();
    let node = with(1, &[]).members(ids(&[1, 2])).start().await.unwrap();
    let address = [node.address().unwrap()];
    let one = with(2, &address).members(ids(&[1, 2])).start().await.unwrap();
    let other = with(3, &address).members(ids(&[1, 2, 3])).start().await.unwrap();
    let links = |id: NodeId| node.links().iter().filter(|link| link.peer == id).count();
    until("one is in", &[&node, &one], || links(one.id()) == 1).await;
    until("the other is not", &[&node, &other], || counted(&node, Reason::NotAdmitted) > 0).await;
    assert_eq!(links(other.id()), 0);
    assert!(matches!(node.set_members(ids(&[2])), Err(AccessError::NotListed { .. })));
    node.set_members(ids(&[1, 3])).unwrap();
    until("the other way round", &[&node, &one, &other], || links(one.id()) == 0 && links(other.id()) == 1).await;
    let refused = with(4, &[]).members(ids(&[1])).start().await.unwrap_err().to_string();
    assert!(refused.contains("does not name this node"), "{refused}");
}

#[tokio::test]
async fn a_node_does_not_start_with_a_certificate_that_nobody_would_accept() {
    for (words, bad) in [
        ("for", certificate(2)),
        ("renewed", issued(AUTHORITY, "test", 1, 1, (-1000, -400), BOTH)),
        ("right link", issued(AUTHORITY, "test", 1, 1, (-1000, 1000), Rights::PUBLISH)),
        ("authority of this network", issued(201, "test", 1, 1, (-1000, 1000), BOTH)),
        ("authority of this network", issued(AUTHORITY, "other", 1, 1, (-1000, 1000), BOTH)),
    ] {
        let refused = with(1, &[]).certified_by(authority(), bad).start().await.unwrap_err().to_string();
        assert!(refused.contains("not started") && refused.contains(words), "{refused}");
    }
    let own = with(AUTHORITY, &[]).certified_by(authority(), certificate(1)).start().await.unwrap_err().to_string();
    assert!(own.contains("authority's own"), "{own}");
}
