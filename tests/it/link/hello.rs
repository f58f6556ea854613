//! What may come before both HELLOs have passed.

use super::*;

/// What becomes of a script that says `plaintext` where its HELLO belongs, to a listener and to a dialler.
async fn said_as_hello(plaintext: &[u8]) -> [LinkError; 2] {
    let (here, there) = duplex(1 << 18);
    let listener = noise(2);
    let say = async {
        let mut script = Script::initiate(here, honest(1)).await;
        for piece in plaintext.chunks(65_000) {
            script.send(piece).await;
        }
        assert_eq!(rest_of(&mut script.stream).await, NOTHING, "the peer is told nothing");
    };
    let (accepted, ()) = tokio::join!(accept(&listener, there.into(), &anybody), say);

    let (here, there) = duplex(1 << 18);
    let dialler = noise(2);
    let say = async {
        let mut script = Script::respond(there, honest(1)).await;
        assert!(matches!(&script.frames().await[..], [Frame::Hello(_)]));
        for piece in plaintext.chunks(65_000) {
            script.send(piece).await;
        }
        assert_eq!(rest_of(&mut script.stream).await, NOTHING, "the peer is told nothing");
    };
    let (dialled, ()) = tokio::join!(dial(&dialler, here, None), say);
    [accepted.unwrap_err(), dialled.unwrap_err()]
}

#[tokio::test(start_paused = true)]
async fn only_a_sound_hello_or_a_goodbye_may_come_first() {
    let sound = encoded(&hello("script").to_frame().unwrap());
    let too_long = [&4_097_u32.to_be_bytes()[..], &[1]].concat();
    let head_of_a_broadcast = [&100_000_u32.to_be_bytes()[..], &[0x20]].concat();
    type Is = fn(&BadHello) -> bool;
    let cases: [(Vec<u8>, Is, bool); 8] = [
        (encoded(&Frame::Eager), |why| *why == BadHello::OtherFrame(Kind::Eager), true),
        (encoded(&Frame::Ping([1; 8])), |why| *why == BadHello::OtherFrame(Kind::Ping), true),
        // By its head, before its body has come.
        (head_of_a_broadcast, |why| *why == BadHello::OtherFrame(Kind::Broadcast), true),
        (too_long, |why| matches!(why, BadHello::Frame(FrameError::TooLong { kind: Kind::Hello, .. })), true),
        (encoded(&Frame::Hello("{}".into())), |why| matches!(why, BadHello::Content(_)), true),
        (encoded(&Frame::Hello(r#"{"a":1,"a":2}"#.into())), |why| matches!(why, BadHello::Content(_)), true),
        (vec![0, 0, 0, 0, 0x99], |why| matches!(why, BadHello::OtherFrame(Kind::Optional(_))), true),
        // A newer peer.
        (vec![0, 0, 0, 0, 0x7F], |why| matches!(why, BadHello::Frame(FrameError::Unsupported { .. })), false),
    ];
    for (plaintext, is_expected, blames) in cases {
        for error in said_as_hello(&plaintext).await {
            assert!(matches!(&error, LinkError::BadHello { why, .. } if is_expected(why)), "{error:?}");
            assert_eq!((error.peer(), error.blames_peer()), (Some(id(1)), blames), "{error}");
        }
    }
    for error in said_as_hello(&encoded(&Frame::Goodbye(goodbye(GoodbyeCode::Duplicate)))).await {
        assert!(matches!(&error, LinkError::Goodbye(why) if why.code == GoodbyeCode::Duplicate));
        assert!(!error.blames_peer());
    }
    // The initiator goes on before it was answered.
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let say = async {
        let mut script = Script::initiate(here, honest(1)).await;
        script.send(&[sound.clone(), sound.clone()].concat()).await;
        script
    };
    let (accepted, _script) = tokio::join!(accept(&listener, there.into(), &anybody), say);
    let error = accepted.unwrap_err();
    assert!(matches!(&error, LinkError::BadHello { why: BadHello::OtherFrame(Kind::Hello), .. }), "{error:?}");
    assert!(error.blames_peer());
}

#[tokio::test(start_paused = true)]
async fn a_second_hello_ends_the_link() {
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let hello = encoded(&hello("script").to_frame().unwrap());
    let say = async {
        let mut script = Script::initiate(here, honest(1)).await;
        script.send(&hello).await;
        script.frames().await;
        script.send(&[encoded(&Frame::Eager), hello.clone()].concat()).await;
        script
    };
    let (accepted, _script) = tokio::join!(welcome(&listener, there), say);
    let (frames, end) = receive_all(accepted.unwrap().reader).await;
    assert_eq!(frames, [Frame::Eager]);
    let error = end.unwrap_err();
    assert!(matches!(error, LinkError::UnexpectedFrame(Kind::Hello)) && error.blames_peer());
}

#[tokio::test(start_paused = true)]
async fn an_arrival_that_is_dropped_ends_without_a_word() {
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let say = async {
        let mut script = Script::initiate(here, honest(1)).await;
        script.send(&encoded(&hello("script").to_frame().unwrap())).await;
        rest_of(&mut script.stream).await
    };
    let judge = async {
        let arrival: Arrival = accept(&listener, there.into(), &anybody).await.unwrap();
        drop(arrival);
    };
    let ((), rest) = tokio::join!(judge, say);
    assert_eq!(rest, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn on_a_plain_link_a_hello_says_whose_it_is_and_its_sender_cannot_forget_to() {
    let (dialled, accepted) = open(&plain(1), &plain(2)).await;
    assert_eq!((dialled.unwrap().hello.node, accepted.unwrap().hello.node), (Some(id(2)), Some(id(1))));

    let (mut here, there) = duplex(1 << 16);
    let greeting = Preamble::new(Mode::Plain).prologue(&plain_network("a"));
    here.write_all(&[&greeting, &encoded(&hello("nameless").to_frame().unwrap())[..]].concat()).await.unwrap();
    let error = accept(&plain(2), there.into(), &anybody).await.unwrap_err();
    assert!(matches!(error, LinkError::BadHello { peer: None, why: BadHello::NoNode }));
    // It was in the right network, and heard no more than that.
    assert_eq!(rest_of(&mut here).await, greeting);
}

#[tokio::test(start_paused = true)]
async fn on_a_secure_link_the_proof_says_who_it_is_and_not_the_hello() {
    let (here, there) = duplex(1 << 16);
    let (dialler, listener) = (noise(1), noise(2));
    let mut lie = hello("liar");
    lie.node = Some(id(3));
    let (dialled, accepted) =
        tokio::join!(connect(&dialler, here.into(), None, &lie, &anybody), welcome(&listener, there));
    dialled.unwrap();
    let link = accepted.unwrap();
    assert_eq!((link.peer, link.hello.node), (id(1), Some(id(3))));
}
