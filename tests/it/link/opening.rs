//! How links open.

use super::*;

#[tokio::test(start_paused = true)]
async fn both_ends_learn_who_the_other_is_and_what_it_says() {
    let pairs: [(&dyn Channel, &dyn Channel); 3] =
        [(&noise(1), &noise(2)), (&with_key(1, 9), &with_key(2, 9)), (&plain(1), &plain(2))];
    for (dialler, listener) in pairs {
        let (dialled, accepted) = open(dialler, listener).await;
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!((dialled.peer, accepted.peer), (id(2), id(1)));
        assert_eq!((&*dialled.hello.agent, &*accepted.hello.agent), ("listener", "dialler"));

        let frames: Vec<_> = (0..20_u8).map(|n| Frame::Reconcile(vec![n; usize::from(n) * 3_000].into())).collect();
        let back: Vec<_> = frames.iter().rev().cloned().collect();
        let Link { reader: at_dialler, writer: dialler_writes, .. } = dialled;
        let Link { reader: at_listener, writer: listener_writes, .. } = accepted;
        let (to_listener, to_dialler) = (Outbox::default(), Outbox::default());
        frames.iter().for_each(|frame| to_listener.push_bulk(frame.clone()).unwrap());
        back.iter().for_each(|frame| to_dialler.push_bulk(frame.clone()).unwrap());
        to_listener.close(None);
        to_dialler.close(None);
        let (sent, sent_back, (received, end), (received_back, end_back)) = tokio::join!(
            dialler_writes.run(to_listener),
            listener_writes.run(to_dialler),
            receive_all(at_listener),
            receive_all(at_dialler),
        );
        sent.and(sent_back).and(end).and(end_back).unwrap();
        assert_eq!((received, received_back), (frames, back));
    }
}

#[tokio::test(start_paused = true)]
async fn the_handshake_has_the_bytes_of_the_protocol_page() {
    let Tapped { here, there, forth, back } = tapped(|_, _, _| {});
    let (dialler, listener) = (noise(1), noise(2));
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, Some(id(2))), welcome(&listener, there));
    let _open = (dialled.unwrap(), accepted.unwrap());
    let (forth, back) = (forth.lock().unwrap().clone(), back.lock().unwrap().clone());
    assert_eq!(forth[..10], *b"SEALN\x01\x00\x00\x00\x20");
    assert_eq!(forth[PREAMBLE + MESSAGE_1..][..2], [0, 161]);
    assert_eq!(back[..2], [0, 193]);
    let hello = hello("dialler").encode().unwrap().len();
    assert_eq!(forth.len(), PREAMBLE + MESSAGE_1 + MESSAGE_3 + 2 + 5 + hello + 16);
    assert_eq!(back.len(), MESSAGE_2 + 2 + 5 + hello + 1 + 16);

    let Tapped { here, there, forth, back } = tapped(|_, _, _| {});
    let (dialler, listener) = (plain(1), plain(2));
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, Some(id(2))), welcome(&listener, there));
    let _open = (dialled.unwrap(), accepted.unwrap());
    let greeting = [b"SEALN\x01\xFF\x00", &plain_network("a").as_bytes()[..]].concat();
    assert_eq!(forth.lock().unwrap()[..40], greeting);
    assert_eq!(back.lock().unwrap()[..40], greeting);
    assert_eq!(forth.lock().unwrap()[44], Kind::Hello.as_byte());
}

#[tokio::test(start_paused = true)]
async fn message_3_and_hello_travel_in_one_piece() {
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pieces);
    let Tapped { here, there, .. } = tapped(move |way, _, piece| seen.lock().unwrap().push((way, piece.len())));
    let (dialler, listener) = (noise(1), noise(2));
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
    let _open = (dialled.unwrap(), accepted.unwrap());
    let hello = hello("dialler").encode().unwrap().len();
    let expected = [
        (Way::Forth, PREAMBLE + MESSAGE_1),
        (Way::Back, MESSAGE_2),
        (Way::Forth, MESSAGE_3 + 2 + 5 + hello + 16),
        (Way::Back, 2 + 5 + hello + 1 + 16),
    ];
    assert_eq!(*pieces.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_link_over_tcp_opens_and_a_refused_peer_hears_why() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (dialler, listener) = (noise(1), noise(2));
    let (own, theirs) = (hello("dialler"), hello("listener"));
    let serve = async {
        let arrival = accept(&listener, socket.accept().await.unwrap().0.into(), &anybody).await.unwrap();
        let link = arrival.welcome(&theirs).await.unwrap();
        let arrival = accept(&listener, socket.accept().await.unwrap().0.into(), &anybody).await.unwrap();
        assert_eq!((arrival.peer(), &*arrival.hello().agent), (id(1), "dialler"));
        arrival.refuse(goodbye(GoodbyeCode::Full)).await;
        link
    };
    let dial = async {
        let stream = || async { Halves::from(tokio::net::TcpStream::connect(address).await.unwrap()) };
        let link = connect(&dialler, stream().await, Some(id(2)), &own, &anybody).await.unwrap();
        let refused = connect(&dialler, stream().await, Some(id(2)), &own, &anybody).await.unwrap_err();
        assert!(matches!(&refused, LinkError::Goodbye(why) if why.code == GoodbyeCode::Full) && !refused.blames_peer());
        link
    };
    let (accepted, dialled) = tokio::join!(serve, dial);
    let frames = vec![Frame::Reconcile(vec![3; 60_000].into()); 20];
    let (_, received) = tokio::join!(send_all(dialled, frames.clone()), receive_all(accepted.reader));
    assert_eq!(received.0, frames);
    received.1.unwrap();
}

#[tokio::test(start_paused = true)]
async fn frames_that_come_with_the_listeners_hello_are_not_lost() {
    let (here, there) = duplex(1 << 16);
    let script = async {
        let mut script = Script::respond(there, honest(2)).await;
        assert!(matches!(&script.frames().await[..], [Frame::Hello(_)]));
        let hello = encoded(&hello("script").to_frame().unwrap());
        script.send(&[hello, encoded(&Frame::Eager), encoded(&Frame::Lazy)].concat()).await;
        script
    };
    let dialler = noise(1);
    let (dialled, _script) = tokio::join!(dial(&dialler, here, None), script);
    let mut reader = dialled.unwrap().reader;
    assert_eq!(reader.next_frame().unwrap(), Some(Frame::Eager));
    assert_eq!(reader.next_frame().unwrap(), Some(Frame::Lazy));
}
