//! Peers that lie, break off, talk rubbish or say nothing: nobody else notices.

use std::sync::{Arc, Mutex};

use sealnet::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Timestamp, Verified};
use sealnet::identity::NetworkHash;
use sealnet::node::{Event, RequestError};
use sealnet::overlay::Reason;
use sealnet::wire::{Frame, GoodbyeCode, Hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::peer::Peer;
use crate::support::{identity, network, next_text, node, until, within};

fn test_network() -> NetworkHash {
    NetworkHash::secure(&"test".parse().unwrap())
}

fn message(author: &Signed, text: &str) -> Verified<Envelope> {
    let (title, message) = ("chat".parse().unwrap(), text.to_owned().into());
    author.publish(&Draft { title, message, time: Timestamp::now(), lifetime: Lifetime::hours(1) }).unwrap()
}

fn altered(envelope: &Envelope) -> Frame {
    let mut bytes = envelope.as_bytes().to_vec();
    let in_message = bytes.len() - 65;
    bytes[in_message] ^= 1;
    Frame::Broadcast(bytes.into())
}

fn author(n: u8) -> Signed {
    Signed::new(test_network(), Arc::new(identity(n)))
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_silence_and_half_handshakes_disturb_nobody() {
    let nodes = network(3).await;
    let address = nodes[0].listen_address().unwrap();
    let mut held = Vec::new();
    for rubbish in
        [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0xFF; 65_536], b"SEALN\x01\x01\x00", b"SEALN\x02\x00\x00"]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The node may have closed before it has all of it.
        let _ = stream.write_all(rubbish).await;
        let mut answer = Vec::new();
        let _ = within("the connection is closed", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "not a byte is answered to {rubbish:?}");
    }
    for cut_off in [&b""[..], b"SEALN", b"SEALN\x01\x00\x00", b"SEALN\x01\x00\x00\x00\x20half of a key"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(cut_off).await.unwrap();
        held.push(stream);
    }
    let mut chat = nodes[2].subscribe("chat").unwrap();
    nodes[0].broadcast("chat", "undisturbed").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "undisturbed");
    for mut stream in held {
        let mut answer = Vec::new();
        let _ = within("a silent connection is closed", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
    }
    assert!(nodes.iter().all(|node| node.links().len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_line_holds_no_title_no_text_and_no_public_key() {
    let first = node(1, &[]).await;
    let target = first.listen_address().unwrap();
    let tap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tapped = tap.local_addr().unwrap();
    let dump = Arc::new(Mutex::new(Vec::new()));
    let recording = dump.clone();
    tokio::spawn(async move {
        let (client, _) = tap.accept().await.unwrap();
        let server = TcpStream::connect(target).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        for (mut from, mut to) in [(from_client, to_server), (from_server, to_client)] {
            let recording = recording.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer).await {
                    recording.lock().unwrap().extend_from_slice(&buffer[..count]);
                    to.write_all(&buffer[..count]).await.unwrap();
                }
            });
        }
    });
    // The second listens nowhere, so there is no line but the tapped one.
    let through_tap = format!("sealnet://{}@{tapped}", first.id()).parse().unwrap();
    let second = sealnet::node::SecureNode::builder("test".parse().unwrap(), identity(2))
        .genesis(through_tap)
        .overlay(sealnet::overlay::Settings::local());
    let second = second.start().await.unwrap();
    until("they know each other", &[&first, &second], || first.members().len() == 2 && second.members().len() == 2)
        .await;
    let (mut at_first, mut at_second) = (first.subscribe_all(), second.subscribe_all());
    first.broadcast("a-secret-title", "a secret text").await.unwrap();
    second.broadcast("a-secret-title", "another secret text").await.unwrap();
    for _ in 0..2 {
        next_text(&mut at_first).await;
        next_text(&mut at_second).await;
    }
    let dump = dump.lock().unwrap().clone();
    assert!(dump.len() > 1000);
    let holds = |what: &[u8]| dump.windows(what.len()).any(|window| window == what);
    assert!(!holds(b"secret") && !holds(b"sealnet"));
    for node in [&first, &second] {
        assert!(!holds(&node.id().as_bytes()[..16]) && !holds(&node.id().to_string().as_bytes()[..16]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_altered_by_a_relay_goes_no_further_and_costs_the_relay_its_link() {
    let nodes = network(2).await;
    let mut events = nodes[0].events();
    let mut behind = nodes[1].subscribe("chat").unwrap();
    let relay = Peer::connect(&nodes[0], identity(66)).await.unwrap();
    let (good, first, second) = (message(&author(7), "good"), message(&author(7), "one"), message(&author(7), "two"));
    relay.send(Frame::Broadcast(good.as_bytes().clone()));
    relay.send(altered(&first));
    relay.send(altered(&second));
    relay.closed().await;
    let barred =
        async { while !matches!(events.next().await, Some(Event::Barred { reason: Reason::BadSignature, .. })) {} };
    within("the relay is barred", barred).await;
    assert!(nodes[0].links().iter().all(|link| link.peer != identity(66).id()));
    // What the relay spoiled still comes the honest way, and nothing else came.
    let honest = Peer::connect(&nodes[0], identity(67)).await.unwrap();
    honest.send(Frame::Broadcast(first.as_bytes().clone()));
    assert_eq!(next_text(&mut behind).await, "good");
    assert_eq!(next_text(&mut behind).await, "one");
    assert!(Peer::connect(&nodes[0], identity(66)).await.is_err(), "a barred node is not let in again");
    let counts = nodes[1].status().reasons;
    assert_eq!((counts.get(Reason::BadSignature), counts.get(Reason::BadEnvelope)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrives_eight_times_at_once_is_verified_and_delivered_once() {
    let node = node(1, &[]).await;
    let mut chat = node.subscribe("chat").unwrap();
    let mut peers = Vec::new();
    for n in 10..18 {
        peers.push(Peer::connect(&node, identity(n)).await.unwrap());
    }
    let envelope = message(&author(7), "once");
    let before = node.status();
    for peer in &peers {
        peer.send(Frame::Broadcast(envelope.as_bytes().clone()));
    }
    let judged = |reason| node.status().reasons.get(reason) - before.reasons.get(reason);
    until("all copies are judged", &[&node], || judged(Reason::Duplicate) + judged(Reason::Busy) == 7).await;
    assert_eq!(node.status().verifications - before.verifications, 1);
    assert_eq!(next_text(&mut chat).await, "once");
    node.broadcast("chat", "end").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_copy_with_the_same_id_neither_hides_the_real_one_nor_makes_it_cost_twice() {
    let node = node(1, &[]).await;
    let mut chat = node.subscribe("chat").unwrap();
    let (forger, honest) =
        (Peer::connect(&node, identity(66)).await.unwrap(), Peer::connect(&node, identity(67)).await.unwrap());
    let envelope = message(&author(7), "real");
    let mut forged = envelope.as_bytes().to_vec();
    let last = forged.len() - 1;
    forged[last - 40] ^= 1; // within R: the id is the same
    let before = node.status().verifications;
    forger.send(Frame::Broadcast(forged.into()));
    until("the forgery is judged first", &[&node], || node.status().reasons.get(Reason::BadSignature) == 1).await;
    honest.send(Frame::Broadcast(envelope.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "real");
    // One for the forgery, charged to the forger; one for the message.
    assert_eq!(node.status().verifications - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_must_be_understood_and_is_not_ends_the_link_without_blame() {
    let node = node(1, &[]).await;
    let mut stranger = Peer::connect(&node, identity(66)).await.unwrap();
    // A second HELLO breaks the grammar, and that is an offence.
    stranger.send(Hello::new("again", Timestamp::now()).to_frame().unwrap());
    let end = async {
        while let Ok(true) = stranger.reader.fill().await {
            while let Ok(Some(_)) = stranger.reader.next_frame() {}
        }
    };
    within("the node closes the connection", end).await;
    assert_eq!(node.status().reasons.get(Reason::BadFrame), 1);
    assert!(Peer::connect(&node, identity(66)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_a_feature_nobody_announced_ends_the_link_with_a_word_and_without_blame() {
    let node = node(1, &[]).await;
    let frames = [Frame::Revocations(vec![0].into())];
    for frame in frames {
        let mut stranger = Peer::connect(&node, identity(66)).await.unwrap();
        stranger.send(frame.clone());
        let mut said = None;
        let end = async {
            while let Ok(true) = stranger.reader.fill().await {
                while let Ok(Some(frame)) = stranger.reader.next_frame() {
                    if let Frame::Goodbye(goodbye) = frame {
                        said = Some(goodbye.code);
                    }
                }
            }
        };
        within("the node closes the connection", end).await;
        assert_eq!(said, Some(GoodbyeCode::Unsupported), "{frame:?}");
    }
    assert_eq!(node.status().reasons.get(Reason::BadFrame), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_one_node_is_not_sent_to_one_that_does_not_take_them() {
    let node = node(1, &[]).await;
    let (stranger, id) = (Peer::connect(&node, identity(66)).await.unwrap(), identity(66).id());
    until("they are linked", &[&node], || node.links().len() == 1).await;
    assert_eq!(node.send_to(&id, "note", "x").await, Err(RequestError::NotTaken(id)));
    assert_eq!(node.links().len(), 1);
    drop(stranger);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_link_keeps_its_place_against_a_newer_one_of_the_same_node() {
    let node = node(1, &[]).await;
    let older = Peer::connect(&node, identity(66)).await.unwrap();
    tokio::spawn(older.answers_pings());
    let before = node.links();
    let newer = Peer::connect(&node, identity(66)).await.unwrap();
    newer.closed().await;
    until("one link is left", &[&node], || node.links().len() == 1).await;
    assert_eq!(node.links()[0].remote, before[0].remote);
    // One that is dead makes room.
    let newest = Peer::connect(&node, identity(67)).await.unwrap();
    let dead = node.links().iter().find(|link| link.peer == identity(67).id()).unwrap().remote;
    let successor = Peer::connect(&node, identity(67)).await.unwrap();
    newest.closed().await;
    let links = node.links();
    let left: Vec<_> = links.iter().filter(|link| link.peer == identity(67).id()).collect();
    assert!(left.len() == 1 && left[0].remote != dead);
    drop(successor);
}
