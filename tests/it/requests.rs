//! Requests, answers and fetches between real nodes: to neighbours and to members far away.

use std::time::Duration;

use sealnet::identity::NodeId;
use sealnet::node::{Asked, Event, Item, RequestError, Requests, Response, SecureNode, Sent, ServeError};
use sealnet::overlay::{MemberState, Reason, Settings};
use sealnet::wire::RefusedCode;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{identity, network, node, until, within};

/// Answers every request of a title with its own body, until the node stops.
fn echo(node: &SecureNode, title: &str) {
    let mut requests = node.serve(title).unwrap();
    tokio::spawn(async move {
        while let Some(asked) = requests.next().await {
            let body = asked.body.clone();
            asked.reply(body);
        }
    });
}

async fn next(requests: &mut Requests) -> Asked {
    within("a request", requests.next()).await.unwrap()
}

/// Asks for so many echoes at once.
fn many(asker: &SecureNode, peer: &NodeId, count: u32) -> Vec<JoinHandle<Result<Response, RequestError>>> {
    (0..count).map(|n| tokio::spawn(asker.request(peer, "echo", n.to_string()).into_future())).collect()
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n / 251 + n) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_by_whoever_serves_its_title_and_by_nobody_else() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let mut chain = nodes[1].serve("chain").unwrap();
    assert!(matches!(nodes[1].serve("chain"), Err(ServeError::Taken(_))));
    assert!(matches!(nodes[1].serve("sealnet/presence"), Err(ServeError::Title(_))));
    let server = async {
        let asked = next(&mut chain).await;
        assert_eq!((asked.from, asked.title.as_str()), (nodes[0].id(), "chain/block"));
        assert!(asked.wants_answer() && asked.offset() == 0);
        let height: u64 = asked.json().unwrap();
        asked.reply_json(&vec![height, height + 1]).unwrap();
        next(&mut chain).await.refuse("no such block");
        drop(next(&mut chain).await);
        chain
    };
    let asker = async {
        let answer = nodes[0].request(&peer, "chain/block", serde_json::json!(7)).await.unwrap();
        assert_eq!(answer.json::<Vec<u64>>().unwrap(), [7, 8]);
        assert_eq!((answer.from(), answer.text().unwrap()), (peer, "[7,8]"));
        let wrong = answer.json::<String>().unwrap_err();
        assert!(wrong.from == peer && wrong.title == "chain/block", "{wrong}");
        let refused = nodes[0].request(&peer, "chain/block", "").await.unwrap_err();
        let why = "no such block".to_owned();
        assert_eq!(refused, RequestError::Refused { peer, code: RefusedCode::Application, why });
        let dropped = nodes[0].request(&peer, "chain", "").await.unwrap_err();
        assert!(matches!(dropped, RequestError::Refused { code: RefusedCode::Application, .. }), "{dropped}");
    };
    let (chain, ()) = tokio::join!(server, asker);
    // Listening to events makes nobody answer questions.
    let _events = nodes[1].events();
    drop(chain);
    let unserved = nodes[0].request(&peer, "chain/block", "").await.unwrap_err();
    assert!(matches!(unserved, RequestError::Refused { code: RefusedCode::NoSuchTitle, .. }), "{unserved}");
    nodes[1].serve("chain").unwrap();
    nodes[1].stop().await;
    assert!(matches!(nodes[1].serve("other"), Err(ServeError::Stopping)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_to_whoever_serves_its_title_and_else_to_whoever_listens() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let refused = nodes[0].send_to(&peer, "note", "x").await.unwrap_err();
    assert!(matches!(refused, RequestError::Refused { code: RefusedCode::NoSuchTitle, .. }), "{refused}");
    let mut events = nodes[1].events();
    assert_eq!(nodes[0].send_to(&peer, "note", "to the listener").await, Ok(Sent::Directly));
    let mut served = nodes[1].serve("note").unwrap();
    let (sent, ()) = tokio::join!(nodes[0].send_to(&peer, "note/now", "to the server"), async {
        let asked = next(&mut served).await;
        assert!(!asked.wants_answer());
        assert_eq!(asked.text().unwrap(), "to the server");
        asked.reply("and so on");
    });
    assert_eq!(sent, Ok(Sent::Directly));
    nodes[0].broadcast("end", "").await.unwrap();
    let mut heard = Vec::new();
    loop {
        match within("the end", events.next()).await.unwrap() {
            Event::Direct(message) => heard.push(message.message),
            Event::Message(message) if message.title() == "end" => break,
            _ => {}
        }
    }
    assert_eq!(heard, ["to the listener"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_requests_of_every_size_up_to_16_mib_come_whole() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    echo(&nodes[1], "echo");
    for size in [0, 1, 65_526, 65_527, 1 << 20, (1 << 20) + 1, 16 << 20] {
        let body = pattern(size);
        let asking = nodes[0].request(&peer, "echo", body.clone()).limit(16 << 20).deadline(Duration::from_secs(60));
        assert!(asking.await.unwrap().bytes() == &body, "{size}");
    }
    let too_large = nodes[0].request(&peer, "echo", vec![0; (16 << 20) + 1]).await.unwrap_err();
    assert_eq!(too_large, RequestError::TooLarge { size: (16 << 20) + 1, limit: 16 << 20 });
    let not_wanted = nodes[0].request(&peer, "echo", vec![0; 2 << 20]).limit(100_000).await.unwrap_err();
    assert_eq!(not_wanted, RequestError::AnswerTooLarge { peer, limit: 100_000 });
    let mut small = nodes[1].serve("small").unwrap().limit(1_000_000);
    let refused = nodes[0].request(&peer, "small", vec![0; 8 << 20]).await.unwrap_err();
    assert!(matches!(refused, RequestError::Refused { code: RefusedCode::TooLarge, .. }), "{refused}");
    let (answer, ()) = tokio::join!(nodes[0].request(&peer, "small", "x"), async {
        next(&mut small).await.reply("y");
    });
    assert_eq!(answer.unwrap().text().unwrap(), "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_are_answered_in_whatever_order_and_one_more_is_too_many() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let mut served = nodes[1].serve("t").unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..64 {
        let node = nodes[0].clone();
        asking.spawn(async move { (n, node.request(&peer, "t", n.to_string()).await) });
    }
    let mut waiting = Vec::new();
    while waiting.len() < 64 {
        waiting.push(next(&mut served).await);
    }
    assert_eq!(nodes[0].request(&peer, "t", "").await.unwrap_err(), RequestError::Busy(peer));
    // The last first.
    waiting.sort_by_key(|asked| asked.text().unwrap().parse::<u32>().unwrap());
    for asked in waiting.into_iter().rev() {
        let body = asked.body.clone();
        asked.reply(body);
    }
    for (n, answer) in asking.join_all().await {
        assert_eq!(answer.unwrap().text().unwrap(), n.to_string());
    }
    let (answer, ()) = tokio::join!(nodes[0].request(&peer, "t", ""), async { next(&mut served).await.reply("") });
    assert!(answer.unwrap().bytes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_or_runs_out_of_time_is_not_answered_any_more() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let mut served = nodes[1].serve("t").unwrap();
    let patience = Duration::from_millis(50);
    let late = nodes[0].request(&peer, "t", "").deadline(patience).await.unwrap_err();
    assert_eq!(late, RequestError::Deadline { peer, after: patience });
    within("the answerer is told", next(&mut served).await.cancelled()).await;
    let asker = nodes[0].clone();
    let dropped = tokio::spawn(async move { asker.request(&peer, "t", vec![0; 500_000]).await });
    let mut reply = next(&mut served).await.reply_stream(None).unwrap();
    dropped.abort();
    within("the answerer is told", reply.cancelled()).await;
    assert!(reply.send(vec![1, 2, 3]).await.is_err());
    // Nothing of it is left: all 64 places are free.
    echo(&nodes[1], "echo");
    for answer in many(&nodes[0], &peer, 64) {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_closes_ends_what_is_open_on_it_on_both_sides() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let mut served = nodes[1].serve("t").unwrap();
    let asker = nodes[0].clone();
    let asking = tokio::spawn(async move { asker.request(&peer, "t", "").await });
    let asked = next(&mut served).await;
    nodes[0].disconnect(&peer);
    assert_eq!(within("the asker is told", asking).await.unwrap(), Err(RequestError::Closed(peer)));
    within("the answerer is told", asked.cancelled()).await;
    asked.reply("nobody is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_comes_as_it_goes_and_goes_on_where_it_broke_off() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let whole = pattern(5_000_000);
    let (mut files, file) = (nodes[1].serve("files").unwrap(), whole.clone());
    let break_off = std::sync::Arc::new(tokio::sync::Notify::new());
    let breaks = break_off.clone();
    tokio::spawn(async move {
        while let Some(asked) = files.next().await {
            let (file, total) = (file.clone(), Some(file.len() as u64));
            // Some answer at once, some from a reader, some break off.
            match asked.text().unwrap() {
                "at once" => asked.reply(file),
                "read" => {
                    let rest = file[asked.offset() as usize..].to_vec();
                    tokio::spawn(async move { asked.reply_reader(&rest[..], total).await });
                }
                "breaks off" => {
                    let mut reply = asked.reply_stream(total).unwrap();
                    reply.send(file[..100_000].to_vec()).await.unwrap();
                    breaks.notified().await;
                }
                _ => asked.reply_stream(total).unwrap().finish(),
            }
        }
    });
    for how in ["at once", "read"] {
        for from in [0, 1, 1_000_000, 4_999_999, 5_000_000] {
            let mut download = nodes[0].fetch(&peer, "files", how).from(from).await.unwrap();
            assert_eq!((download.total(), download.position()), (Some(5_000_000), from));
            let mut got = Vec::new();
            while let Some(bytes) = within("a piece", download.next()).await.unwrap() {
                got.extend_from_slice(&bytes);
                assert_eq!(download.position(), from + got.len() as u64);
            }
            assert!(got == whole[from as usize..], "{how} from {from}");
        }
    }
    let behind = nodes[0].fetch(&peer, "files", "at once").from(5_000_001).await.unwrap_err();
    assert!(matches!(behind, RequestError::Refused { code: RefusedCode::NotAllowed, .. }), "{behind}");
    // What broke off is gone on with.
    let mut download = nodes[0].fetch(&peer, "files", "breaks off").await.unwrap();
    let mut got = Vec::new();
    let error = loop {
        match within("a piece", download.next()).await {
            Ok(bytes) => got.extend_from_slice(&bytes.unwrap()),
            Err(error) => break error,
        }
        if got.len() == 100_000 {
            break_off.notify_one();
        }
    };
    assert!(matches!(error, RequestError::Refused { code: RefusedCode::Application, .. }), "{error}");
    let mut rest = nodes[0].fetch(&peer, "files", "at once").from(download.position()).await.unwrap();
    while let Some(bytes) = rest.next().await.unwrap() {
        got.extend_from_slice(&bytes);
    }
    assert!(got == whole);
    let mut empty = nodes[0].fetch(&peer, "files", "nothing").await.unwrap();
    let cut = RequestError::CutShort { peer, received: 0, total: 5_000_000 };
    assert_eq!(empty.next().await, Err(cut));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_stops_the_answer_and_nothing_else() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    echo(&nodes[1], "echo");
    let mut files = nodes[1].serve("files").unwrap();
    let (given, mut watched) = tokio::sync::watch::channel(0_usize);
    tokio::spawn(async move {
        let mut reply = next(&mut files).await.reply_stream(None).unwrap();
        while reply.send(vec![7; 64 << 10]).await.is_ok() {
            given.send_modify(|given| *given += 64 << 10);
        }
    });
    let mut download = nodes[0].fetch(&peer, "files", "").await.unwrap();
    // What may be under way, and what is read ahead on the other side.
    let most = (1 << 20) + (256 << 10) + (128 << 10);
    within("the answer fills its window", watched.wait_for(|given| *given > 1 << 20)).await.unwrap();
    for _ in 0..20 {
        nodes[0].request(&peer, "echo", "x").await.unwrap();
        assert!(*watched.borrow() <= most);
    }
    // A broadcast passes it, too.
    let mut heard = nodes[0].subscribe("t").unwrap();
    nodes[1].broadcast("t", "past it").await.unwrap();
    assert!(matches!(within("a broadcast", heard.next()).await, Some(Item::Broadcast(_))));
    assert!(*watched.borrow() <= most);
    let mut read = 0;
    while read < 4 << 20 {
        read += download.next().await.unwrap().unwrap().len();
    }
    assert!(*watched.borrow() <= read + most);
}

/// Nodes each of which is content with one link, which leads to the first: no two others are linked, and none of them lacks
/// a link or has one too many.
async fn star(count: u8) -> Vec<SecureNode> {
    let settings = Settings { target_links: 1, idle_after: Duration::from_secs(1), ..Settings::local() };
    let mut nodes: Vec<SecureNode> = Vec::new();
    for n in 1..=count {
        let builder = SecureNode::builder("test".parse().unwrap(), identity(n))
            .listen("127.0.0.1:0".parse().unwrap())
            .overlay(settings.clone());
        let node = builder.start().await.unwrap();
        // Not as a genesis node, which a joining node leaves for others.
        if let Some(first) = nodes.first() {
            node.connect(&first.address().unwrap()).await.unwrap();
        }
        nodes.push(node);
    }
    let all: Vec<_> = nodes.iter().map(|node| &**node).collect();
    until("everybody knows everybody", &all, || all.iter().all(|node| node.members().len() == usize::from(count)))
        .await;
    nodes
}

/// Two nodes that are not linked.
fn strangers(nodes: &[SecureNode]) -> Option<(&SecureNode, &SecureNode)> {
    let linked = |a: &SecureNode, b: &SecureNode| a.links().iter().any(|link| link.peer == b.id());
    let pairs = nodes.iter().flat_map(|a| nodes.iter().map(move |b| (a, b)));
    pairs.into_iter().find(|(a, b)| a.id() != b.id() && !linked(a, b) && !linked(b, a))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_far_away_is_dialled_when_it_is_asked_and_left_when_nobody_asks_any_more() {
    let nodes = star(8).await;
    let all: Vec<_> = nodes.iter().map(|node| &**node).collect();
    until("two are not linked", &all, || strangers(&nodes).is_some()).await;
    let (asker, answerer) = strangers(&nodes).unwrap();
    let peer = answerer.id();
    echo(answerer, "echo");
    // Many at once open one link.
    let mut events = asker.events();
    for (n, answer) in many(asker, &peer, 20).into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap().text().unwrap(), n.to_string());
    }
    asker.broadcast("end", "").await.unwrap();
    let mut opened = 0;
    loop {
        match within("the end", events.next()).await.unwrap() {
            Event::LinkOpened { peer: with, .. } if with == peer => opened += 1,
            Event::Message(message) if message.title() == "end" => break,
            _ => {}
        }
    }
    assert_eq!(opened, 1);
    let _events = answerer.events();
    assert_eq!(asker.send_to(&peer, "note", "x").await, Ok(Sent::Directly));
    until("the link is closed when it is idle", &[asker, answerer], || {
        asker.links().iter().all(|link| link.peer != peer)
            && answerer.links().iter().all(|link| link.peer != asker.id())
    })
    .await;
    assert!(asker.status().reasons.get(Reason::Idle) + answerer.status().reasons.get(Reason::Idle) >= 1);
    assert_eq!(asker.request(&peer, "echo", "again").await.unwrap().text().unwrap(), "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_may_dial_each_other_at_once() {
    let nodes = star(6).await;
    let all: Vec<_> = nodes.iter().map(|node| &**node).collect();
    nodes.iter().for_each(|node| echo(node, "echo"));
    for round in 0..5 {
        until("two are not linked", &all, || strangers(&nodes).is_some()).await;
        let Some((a, b)) = strangers(&nodes) else { continue };
        let (a_id, b_id) = (a.id(), b.id());
        let (there, back) = tokio::join!(a.request(&b_id, "echo", "x"), b.request(&a_id, "echo", "x"));
        // The link that gives way may take a request with it, and says so.
        for (outcome, peer) in [(there, b_id), (back, a_id)] {
            assert!(outcome.is_ok() || outcome == Err(RequestError::Closed(peer)), "{round}: {outcome:?}");
        }
        a.disconnect(&b_id);
        b.disconnect(&a_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_named_with_what_was_tried() {
    let genesis = node(1, &[]).await;
    let address = genesis.address().unwrap();
    // It is a member, and listens nowhere near the address it announces.
    let nowhere: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
    let settings = Settings { target_links: 1, max_links: 2, ..Settings::local() };
    let start = async |n: u8, advertise: Option<std::net::SocketAddr>| {
        let mut builder = SecureNode::builder("test".parse().unwrap(), identity(n))
            .genesis(address.clone())
            .overlay(settings.clone());
        if let Some(advertise) = advertise {
            builder = builder.advertise(advertise);
        }
        builder.start().await.unwrap()
    };
    let (asker, hidden, silent) = (start(2, None).await, start(3, Some(nowhere)).await, start(4, None).await);
    let knows = |id| asker.member_state(&id) == Some(MemberState::Present);
    until("they are members", &[&genesis, &asker], || knows(hidden.id()) && knows(silent.id())).await;
    let peer = hidden.id();
    let error = asker.request(&peer, "t", "").await.unwrap_err();
    assert_eq!(error, RequestError::CannotDial { peer, tried: vec![(nowhere, Reason::Unreachable)] });
    assert!(error.to_string().contains("127.0.0.1:9 unreachable"), "{error}");
    let peer = silent.id();
    let error = asker.send_to(&peer, "t", "").await.unwrap_err();
    assert_eq!(error, RequestError::CannotDial { peer, tried: Vec::new() });
    let nobody = identity(99).id();
    assert_eq!(asker.request(&nobody, "t", "").await, Err(RequestError::NotLinked(nobody)));
    let own = RequestError::NoLink { peer: asker.id(), reason: Reason::OwnIdentity };
    assert_eq!(asker.request(&asker.id(), "t", "").await, Err(own));
    assert!(matches!(asker.request(&nobody, "sealnet/x", "").await, Err(RequestError::Title(_))));
    asker.stop().await;
    let stopped = asker.request(&genesis.id(), "t", "").await.unwrap_err();
    assert!(matches!(stopped, RequestError::NoLink { reason: Reason::Stopping, .. }), "{stopped}");
}

/// Prints how long ten megabytes take; holds nothing but that they come.
#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_come_from_node_to_node() {
    let nodes = network(2).await;
    let peer = nodes[1].id();
    let whole = bytes::Bytes::from(pattern(10_000_000));
    let (mut files, file) = (nodes[1].serve("files").unwrap(), whole.clone());
    tokio::spawn(async move {
        while let Some(asked) = files.next().await {
            asked.reply(file.clone());
        }
    });
    for _ in 0..3 {
        let start = Instant::now();
        let mut download = nodes[0].fetch(&peer, "files", "").await.unwrap();
        let mut got = Vec::with_capacity(whole.len());
        while let Some(bytes) = download.next().await.unwrap() {
            got.extend_from_slice(&bytes);
        }
        println!("10 MB in {:.1?}", start.elapsed());
        assert!(got == whole);
    }
}
