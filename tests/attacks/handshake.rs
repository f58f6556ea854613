//! Handshake: nobody gets in who has not proven who he is for this very session, and nobody learns anything by trying.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealnet::identity::{NetworkHash, NodeAddress};
use sealnet::node::{Event, SecureNode};
use sealnet::overlay::{Direction, Reason, Settings};
use sealnet::wire::{Frame, GoodbyeCode, Mode, Preamble};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, oneshot};
use tokio::time::Instant;

use crate::forgeries::{Forgery, forgeries};
use crate::peer::Peer;
use crate::script::{Script, honest};
use crate::stage::{NOTHING, Stage, encoded, hello, link_closed, refused, rest_of, say};
use crate::support::{identity, until, within};

const MESSAGE_1: usize = 2 + 32;
const MESSAGE_2: usize = 2 + 193;
const MESSAGE_3: usize = 2 + 161;

fn xx() -> Preamble {
    Preamble::new(Mode::Xx)
}

#[tokio::test(start_paused = true)]
async fn what_does_not_begin_as_this_network_does_is_left_unanswered_before_anything_is_computed() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let mut beginnings: Vec<Vec<u8>> = vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 100], vec![0xFF; 100]];
    for (at, byte) in xx().as_bytes().iter().enumerate() {
        // Every other magic, version, mode and reserved byte, with a sound first message behind it.
        for other in (0..=u8::MAX).filter(|other| other != byte) {
            let mut beginning = xx().as_bytes().to_vec();
            beginning[at] = other;
            beginning.extend(Script::new(tokio::io::duplex(1).0, true).message(&[]));
            beginnings.push(beginning);
        }
    }
    for beginning in beginnings {
        let (mut stream, before) = (stage.connect().await, stage.bytes_read());
        say(&mut stream, &beginning).await;
        assert_eq!(rest_of(&mut stream).await, NOTHING, "{beginning:?}");
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed);
        // The key of the first message was not even read.
        assert_eq!(stage.bytes_read() - before, Preamble::LEN, "{beginning:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_another_length_is_left_at_its_length() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for len in [0, 1, 31, 33, 48, 193, 65_535_u16] {
        let (mut stream, before) = (stage.connect().await, stage.bytes_read());
        say(&mut stream, &[xx().as_bytes(), &len.to_be_bytes()[..], &vec![9; len.into()]].concat()).await;
        assert_eq!(rest_of(&mut stream).await, NOTHING);
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed);
        assert_eq!(stage.bytes_read() - before, Preamble::LEN + 2, "{len}");
    }
    for len in [0, 1, 160, 162, 65_535_u16] {
        let mut script = Script::dial(stage.connect().await).await;
        let before = stage.bytes_read();
        say(&mut script.stream, &[&len.to_be_bytes()[..], &vec![9; len.into()]].concat()).await;
        assert_eq!(rest_of(&mut script.stream).await, NOTHING);
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed);
        assert_eq!(stage.bytes_read() - before, 2, "{len}");
    }
    for len in [0, 1, 192, 194, 65_535_u16] {
        let before = stage.bytes_read();
        let (outcome, rest) = stage
            .dials(identity(1).id(), async |mut stream: DuplexStream| {
                stream.read_exact(&mut [0; Preamble::LEN + MESSAGE_1]).await.unwrap();
                say(&mut stream, &[&len.to_be_bytes()[..], &vec![9; len.into()]].concat()).await;
                rest_of(&mut stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()));
        assert_eq!(stage.bytes_read() - before, 2, "{len}");
    }
    // One that stops short is waited for no longer than any other.
    let mut script = Script::dial(stage.connect().await).await;
    say(&mut script.stream, &[&[0, 161][..], &[9; 160]].concat()).await;
    assert_eq!(rest_of(&mut script.stream).await, NOTHING);
    assert_eq!(refused(&mut events).await, Reason::HandshakeTimeout);
}

#[tokio::test(start_paused = true)]
async fn every_flipped_bit_of_messages_2_and_3_ends_the_connection_without_a_byte() {
    let stage = Stage::open().await;
    for bit in 0..MESSAGE_3 * 8 {
        let mut script = Script::dial(stage.connect().await).await;
        let payload = script.payload(honest(1));
        let mut message = script.message(&payload);
        message[bit / 8] ^= 1 << (bit % 8);
        // A flipped length must not find the handshake going on behind it.
        say(&mut script.stream, &[&message[..], &[0; 70_000]].concat()).await;
        assert_eq!(rest_of(&mut script.stream).await, NOTHING, "bit {bit}");
    }
    for bit in 0..MESSAGE_2 * 8 {
        let (outcome, rest) = stage
            .dials(identity(1).id(), async |stream: DuplexStream| {
                let mut script = Script::new(stream, false);
                script.stream.read_exact(&mut [0; Preamble::LEN]).await.unwrap();
                script.read().await;
                let payload = script.payload(honest(1));
                let mut message = script.message(&payload);
                message[bit / 8] ^= 1 << (bit % 8);
                say(&mut script.stream, &[&message[..], &[0; 70_000]].concat()).await;
                // Message 3, with this node's identity in it, does not come.
                rest_of(&mut script.stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()), "bit {bit}");
    }
    assert_eq!(stage.node.links().len(), 0);
    // Nobody was blamed: identity 1, in whose name all of it came, is let in.
    stage.guest(1).await;
}

/// A sound payload of identity 1, from a session that then ends.
async fn earlier_payload(stage: &Stage) -> Vec<u8> {
    let earlier = Mutex::new(Vec::new());
    let keep = |handshake: &_, keypair: &_| {
        let payload = honest(1)(handshake, keypair);
        *earlier.lock().unwrap() = payload.clone();
        payload
    };
    let mut events = stage.node.events();
    drop(Script::initiate(stage.connect().await, keep).await);
    // The node had taken it for what it is, and waited for a HELLO.
    assert_eq!(refused(&mut events).await, Reason::ConnectionLost);
    earlier.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_not_proven_for_this_session_is_refused_at_both_ends() {
    let stage = Stage::open().await;
    let earlier = earlier_payload(&stage).await;
    let mut events = stage.node.events();
    for Forgery { what, forge, .. } in forgeries(earlier) {
        let mut script = Script::initiate(stage.connect().await, &forge).await;
        say(&mut script.stream, &[7; 100]).await;
        assert_eq!(rest_of(&mut script.stream).await, NOTHING, "{what}");
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed, "{what}");

        let (outcome, rest) = stage
            .dials(identity(1).id(), async |stream: DuplexStream| {
                let mut script = Script::answer(stream, &forge).await;
                rest_of(&mut script.stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()), "{what}");
    }
    stage.guest(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_dialler_that_finds_another_identity_closes_before_it_has_said_who_it_is() {
    let stage = Stage::open().await;
    let (outcome, rest) = stage
        .dials(identity(1).id(), async |stream: DuplexStream| {
            let mut script = Script::answer(stream, honest(2)).await;
            rest_of(&mut script.stream).await
        })
        .await;
    let error = outcome.unwrap_err();
    assert_eq!((error.reason, rest), (Reason::WrongIdentity, NOTHING.to_vec()));
    // Both are named to the one who has to find out.
    assert!(error.why.contains(&identity(1).id().to_string()) && error.why.contains(&identity(2).id().to_string()));
}

/// All points of low order and their other spellings, and spellings of points that are sound otherwise.
fn bad_keys() -> Vec<[u8; 32]> {
    let little = |low: u8, middle: u8, high: u8| {
        let mut key = [middle; 32];
        (key[0], key[31]) = (low, high);
        key
    };
    let order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut keys: Vec<[u8; 32]> =
        order_8.map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()).into();
    // 0, 1, p - 1, p, p + 1, and 9 spelt as p + 9.
    keys.extend([little(0, 0, 0), little(1, 0, 0)]);
    keys.extend([0xEC, 0xED, 0xEE, 0xED + 9].map(|low| little(low, 0xFF, 0x7F)));
    // The highest bit does not count in RFC 7748, and no key is written with it.
    let with_high_bit = keys.clone().into_iter().map(|mut key| {
        key[31] |= 0x80;
        key
    });
    keys.extend(with_high_bit.collect::<Vec<_>>());
    keys.push(little(9, 0, 0x80));
    keys
}

#[tokio::test(start_paused = true)]
async fn ephemeral_keys_of_low_order_and_in_other_spellings_are_refused_at_both_ends() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for key in bad_keys() {
        let mut stream = stage.connect().await;
        say(&mut stream, &[xx().as_bytes(), &[0, 32][..], &key].concat()).await;
        assert_eq!(rest_of(&mut stream).await, NOTHING, "{key:02x?}");
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed);

        let (outcome, rest) = stage
            .dials(identity(1).id(), async |mut stream: DuplexStream| {
                stream.read_exact(&mut [0; Preamble::LEN + MESSAGE_1]).await.unwrap();
                say(&mut stream, &[&[0, 193][..], &key, &[0; 161]].concat()).await;
                rest_of(&mut stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()), "{key:02x?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_mode_or_network_changed_on_the_way_is_noticed_at_both_ends() {
    let stage = Stage::open().await;
    let network = NetworkHash::secure(&"a".parse().unwrap());
    let mut other_version = xx().prologue(&network);
    other_version[5] = 2;
    // What the dialler said, before somebody made of it what this node takes.
    let prologues = [
        other_version,
        Preamble::new(Mode::XxPsk0).prologue(&network),
        Preamble::new(Mode::Plain).prologue(&network),
        xx().prologue(&NetworkHash::secure(&"b".parse().unwrap())),
    ];
    for prologue in prologues {
        let mut script = Script::bound_to(stage.connect().await, true, &prologue);
        script.stream.write_all(xx().as_bytes()).await.unwrap();
        script.write(&[]).await;
        let answer = script.heard().await;
        assert!(script.handshake().read_message(&answer, &mut Vec::new()).is_err(), "the dialler notices");

        let (outcome, rest) = stage
            .dials(identity(1).id(), async |stream: DuplexStream| {
                let mut script = Script::bound_to(stream, false, &prologue);
                script.stream.read_exact(&mut [0; Preamble::LEN]).await.unwrap();
                script.read().await;
                let payload = script.payload(honest(1));
                script.write(&payload).await;
                rest_of(&mut script.stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_not_taken_in_by_its_own_words() {
    let stage = Stage::open().await;
    for dressed_as_message_2 in [false, true] {
        let (outcome, rest) = stage
            .dials(identity(1).id(), async |mut stream: DuplexStream| {
                let mut said = [0; Preamble::LEN + MESSAGE_1];
                stream.read_exact(&mut said).await.unwrap();
                let back =
                    if dressed_as_message_2 { [&[0, 193], &said[10..], &[0; 161]].concat() } else { said.to_vec() };
                say(&mut stream, &back).await;
                rest_of(&mut stream).await
            })
            .await;
        assert_eq!((outcome.unwrap_err().reason, rest), (Reason::HandshakeFailed, NOTHING.to_vec()));
    }
    // What it answered on one connection, said to it on another.
    let mut script = Script::new(stage.connect().await, true);
    script.stream.write_all(xx().as_bytes()).await.unwrap();
    script.write(&[]).await;
    let answer = script.heard().await;
    let mut other = Script::dial(stage.connect().await).await;
    say(&mut other.stream, &[&[0, 161][..], &answer[32..]].concat()).await;
    assert_eq!(rest_of(&mut other.stream).await, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn one_sessions_last_message_is_worth_nothing_in_another() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let (mut one, mut two) = (Script::dial(stage.connect().await).await, Script::dial(stage.connect().await).await);
    let (of_one, of_two) = (one.payload(honest(1)), two.payload(honest(1)));
    let (of_one, of_two) = (one.message(&of_one), two.message(&of_two));
    say(&mut one.stream, &of_two).await;
    say(&mut two.stream, &of_one).await;
    for mut script in [one, two] {
        // The right one, said afterwards, finds nobody any more.
        assert_eq!(rest_of(&mut script.stream).await, NOTHING);
        assert_eq!(refused(&mut events).await, Reason::HandshakeFailed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_of_a_byte_a_second_is_over_in_time_whichever_part_is_slow() {
    /// Says it a byte a second until the node closes; how long it listened.
    async fn trickled(mut stream: DuplexStream, bytes: &[u8]) -> Duration {
        let begun = Instant::now();
        let mut closed = Vec::new();
        for byte in bytes {
            say(&mut stream, &[*byte]).await;
            match tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut closed)).await {
                Ok(_) => break,
                Err(_) => assert!(begun.elapsed() < Duration::from_secs(30), "it still listens"),
            }
        }
        assert_eq!(closed, NOTHING);
        begun.elapsed()
    }
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let took = trickled(stage.connect().await, &[&xx().as_bytes()[..], &[0; 34]].concat()).await;
    assert_eq!((took, refused(&mut events).await), (Duration::from_secs(2), Reason::HandshakeTimeout));

    let mut script = Script::dial(stage.connect().await).await;
    let payload = script.payload(honest(1));
    let message = script.message(&payload);
    let took = trickled(script.stream, &message).await;
    assert_eq!((took, refused(&mut events).await), (Duration::from_secs(5), Reason::HandshakeTimeout));

    let mut script = Script::initiate(stage.connect().await, honest(1)).await;
    let record = script.sealed(&hello());
    let took = trickled(script.stream, &record).await;
    assert_eq!((took, refused(&mut events).await), (Duration::from_secs(5), Reason::HandshakeTimeout));
    assert_eq!(stage.node.links().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_of_a_living_neighbour_is_sent_away() {
    let stage = Stage::of("a", Settings::wan()).await;
    let older = tokio::spawn(stage.peer(1).await.answers_pings());
    let first = stage.node.links()[0].link;
    let mut newer = stage.peer(1).await;
    let said = loop {
        match newer.next().await {
            Some(Frame::Goodbye(goodbye)) => break goodbye.code,
            Some(_) => {}
            None => panic!("closed without a word"),
        }
    };
    assert_eq!(said, GoodbyeCode::Duplicate);
    newer.closed().await;
    let links = stage.node.links();
    assert!(links.len() == 1 && links[0].link == first && !older.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_of_a_neighbour_silent_for_thirty_seconds_takes_its_place() {
    let stage = Stage::of("a", Settings::wan()).await;
    let silent = stage.guest(1).await;
    let before = stage.node.links();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(stage.node.links(), before, "thirty seconds alone end nothing");
    let mut events = stage.node.events();
    let begun = Instant::now();
    let newer = tokio::spawn(stage.peer(1).await.answers_pings());
    assert_eq!(link_closed(&mut events, 1).await, Reason::Silent);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let links = stage.node.links();
    assert!(links.len() == 1 && links[0].link != before[0].link);
    assert!(!newer.is_finished());
    drop(silent);
}

#[tokio::test]
async fn a_node_that_reaches_itself_through_a_proxy_refuses_and_does_not_try_for_ever_faster() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    // Without a key in the address, the node does not see from the configuration that it is its own.
    let node = SecureNode::builder("test".parse().unwrap(), identity(1))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local())
        .genesis(NodeAddress::new(None, &address.to_string()).unwrap());
    let (node, mut events) = node.start_with_events().await.unwrap();
    let target = node.listen_address().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut dialler, _) = proxy.accept().await.unwrap();
            let mut listener = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut dialler, &mut listener).await });
        }
    });
    let (mut failures, mut refusals) = (Vec::new(), 0);
    let watch = async {
        while failures.len() < 4 || refusals < 4 {
            match events.next().await.unwrap() {
                Event::DialFailed { reason, .. } => {
                    assert_eq!(reason, Reason::OwnIdentity);
                    failures.push(Instant::now());
                }
                Event::ConnectionRefused { .. } => refusals += 1,
                Event::LinkOpened { .. } => panic!("a node is its own neighbour"),
                _ => {}
            }
        }
    };
    within("it gives up again and again", watch).await;
    // The pauses grow, so there is no loop.
    let pauses: Vec<_> = failures.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.iter().sum::<Duration>() > Duration::from_millis(700), "{pauses:?}");
    assert!(pauses[2] > pauses[0], "{pauses:?}");
    assert!(node.links().is_empty() && node.members().iter().all(|member| member.id == node.id()));
}

/// A way to a node that opens only when both ways are waited for, and stays open then.
async fn gate(both: Arc<Barrier>) -> (SocketAddr, oneshot::Sender<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (set_target, target)) = (listener.local_addr().unwrap(), oneshot::channel());
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let Ok(target) = target.await else { return };
        both.wait().await;
        let mut next = Some(first);
        while let Some(mut dialler) = next {
            tokio::spawn(async move {
                // At the end of the round the node may be gone already.
                let Ok(mut node) = TcpStream::connect(target).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut dialler, &mut node).await;
            });
            next = listener.accept().await.ok().map(|(stream, _)| stream);
        }
    });
    (address, set_target)
}

/// Two nodes dial each other at once; says whether two links came of it for a moment.
async fn crossed_dials(round: usize) -> bool {
    let both = Arc::new(Barrier::new(2));
    let ((to_one, one_is), (to_other, other_is)) = (gate(both.clone()).await, gate(both).await);
    let start = async |n: u8, genesis: u8, at: SocketAddr| {
        let genesis = NodeAddress::new(Some(identity(genesis).id()), &at.to_string()).unwrap();
        let builder = SecureNode::builder("test".parse().unwrap(), identity(n)).genesis(genesis);
        let builder = builder.listen("127.0.0.1:0".parse().unwrap()).overlay(Settings::local());
        builder.start_with_events().await.unwrap()
    };
    let ((one, mut at_one), (other, mut at_other)) = tokio::join!(start(1, 2, to_other), start(2, 1, to_one));
    one_is.send(one.listen_address().unwrap()).unwrap();
    other_is.send(other.listen_address().unwrap()).unwrap();
    let (mut opened, mut ended) = ([0, 0], [false, false]);
    let watch = async {
        while ended != [true, true] {
            let (node, event) = tokio::select! {
                event = at_one.next() => (0, event.unwrap()),
                event = at_other.next() => (1, event.unwrap()),
            };
            match event {
                Event::LinkOpened { direction, .. } => {
                    opened[node] += 1;
                    ended[node] |= direction == Direction::Outbound;
                }
                Event::DialFailed { .. } => ended[node] = true,
                Event::LinkClosed { reason, .. } => assert_eq!(reason, Reason::DuplicateLink, "round {round}"),
                _ => {}
            }
        }
    };
    within("both dials come to their end", watch).await;
    let agree = || {
        let (here, there) = (one.links(), other.links());
        here.len() == 1 && there.len() == 1 && here[0].direction != there[0].direction
    };
    until("they agree on one link", &[&one, &other], agree).await;
    assert!(opened.iter().all(|count| *count <= 2), "round {round}: {opened:?} links were opened");
    // It carries, both ways, and is the same link then.
    let (here, there) = (one.links()[0].link, other.links()[0].link);
    one.ping(&other.id()).await.unwrap();
    other.ping(&one.id()).await.unwrap();
    assert_eq!((one.links()[0].link, other.links()[0].link), (here, there), "round {round}");
    tokio::join!(one.stop(), other.stop());
    opened.contains(&2)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_dial_each_other_at_once_two_hundred_times_one_link_is_left() {
    let mut crossed = 0;
    for batch in 0..25 {
        let rounds: tokio::task::JoinSet<_> = (0..8).map(|round| crossed_dials(batch * 8 + round)).collect();
        crossed += rounds.join_all().await.into_iter().filter(|crossed| *crossed).count();
    }
    assert!(crossed > 20, "only {crossed} of 200 times two links were opened at once");
}

/// An address of this machine that is not loopback; nothing is sent to find it.
fn own_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_silent_connections_from_one_address_hold_four_places_and_others_are_served() {
    let Some(own) = own_address() else {
        println!("NOT RUN: this machine has no address but loopback");
        return;
    };
    let node = SecureNode::builder("test".parse().unwrap(), identity(1))
        .listen("0.0.0.0:0".parse().unwrap())
        .overlay(Settings::local());
    let node = node.start().await.unwrap();
    let port = node.listen_address().unwrap().port();
    let (mut closed, begun) = (tokio::task::JoinSet::new(), Instant::now());
    for _ in 0..1000 {
        let mut stream = TcpStream::connect((own, port)).await.unwrap();
        closed.spawn(async move {
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
            assert_eq!(said, NOTHING);
        });
    }
    let took = begun.elapsed();
    // At this very moment somebody from elsewhere comes.
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let honest = Peer::over(stream, &node, identity(2)).await.unwrap();
    honest.send(Frame::Ping(*b"are you "));
    tokio::spawn(honest.answers_pings());
    node.ping(&identity(2).id()).await.unwrap();
    within("all silent ones are closed", closed.join_all()).await;
    // Those that had a place were waited for, two seconds each.
    let had_a_place = node.status().reasons.get(Reason::HandshakeTimeout);
    assert!((1..=4 * (1 + took.as_secs() / 2)).contains(&had_a_place), "{had_a_place} in {took:?}");
    assert_eq!(node.status().reasons.get(Reason::Overload), 1000 - had_a_place);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_a_sound_hello_may_come_first_and_until_then_nobody_is_blamed() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let firsts: [Vec<u8>; 6] = [
        encoded(&Frame::Ping([1; 8])),
        [&4_097_u32.to_be_bytes()[..], &[0x01], &[b' '; 4_097]].concat(),
        encoded(&Frame::Hello("{}".into())),
        [&100_000_u32.to_be_bytes()[..], &[0x20]].concat(),
        [hello(), hello()].concat(),
        // A newer peer.
        vec![0, 0, 0, 0, 0x7F],
    ];
    for first in firsts {
        let mut script = Script::initiate(stage.connect().await, honest(1)).await;
        script.send(&first).await;
        assert_eq!(rest_of(&mut script.stream).await, NOTHING, "{first:?}");
        assert_eq!(refused(&mut events).await, Reason::BadHello);
    }
    stage.guest(1).await;
}
