//! Every wait has an end.

use super::*;

/// How long `future` takes, and what it gives.
async fn timed<T>(future: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let result = future.await;
    (start.elapsed(), result)
}

#[tokio::test(start_paused = true)]
async fn a_listener_waits_two_seconds_for_the_first_message_however_it_trickles() {
    for channel in [&noise(2) as &dyn Channel, &with_key(2, 9), &plain(2)] {
        let (mut here, there) = duplex(1 << 16);
        let trickle = tokio::spawn(async move {
            for byte in *b"SEALN" {
                if here.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            rest_of(&mut here).await.len()
        });
        let (took, result) = timed(accept(channel, there.into(), &anybody)).await;
        assert!(matches!(result, Err(LinkError::HandshakeTimeout)));
        assert_eq!(took, Duration::from_secs(2));
        assert_eq!(trickle.await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stops_half_way_ends_after_five_seconds_at_both_ends() {
    for channel in [&noise(1) as &dyn Channel, &with_key(1, 9), &plain(1)] {
        let (here, _there) = duplex(1 << 16);
        let (took, result) = timed(dial(channel, here, None)).await;
        assert!(matches!(result, Err(LinkError::HandshakeTimeout)));
        assert_eq!(took, Duration::from_secs(5));
    }
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let stop = async {
        let mut script = Script::new(here, true);
        script.stream.write_all(Preamble::new(Mode::Xx).as_bytes()).await.unwrap();
        script.write(&[]).await;
        script.read().await;
        rest_of(&mut script.stream).await
    };
    let ((took, result), _) = tokio::join!(timed(accept(&listener, there.into(), &anybody)), stop);
    assert!(matches!(result, Err(LinkError::HandshakeTimeout)));
    assert_eq!(took, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_does_not_come_is_waited_for_five_seconds_at_both_ends() {
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let (script, (took, result)) =
        tokio::join!(Script::initiate(here, honest(1)), timed(accept(&listener, there.into(), &anybody)));
    let error = result.unwrap_err();
    assert!(matches!(error, LinkError::HelloTimeout) && !error.blames_peer());
    assert_eq!(took, Duration::from_secs(5));
    drop(script);

    let (here, there) = duplex(1 << 16);
    let dialler = noise(1);
    let (script, (took, result)) =
        tokio::join!(Script::respond(there, honest(2)), timed(dial(&dialler, here, Some(id(2)))));
    assert!(matches!(result, Err(LinkError::HelloTimeout)));
    assert_eq!(took, Duration::from_secs(5));
    drop(script);
}

#[tokio::test(start_paused = true)]
async fn a_refused_peer_that_does_not_go_is_left_after_a_second() {
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let (mut script, arrival) = tokio::join!(
        async {
            let mut script = Script::initiate(here, honest(1)).await;
            script.send(&encoded(&hello("script").to_frame().unwrap())).await;
            script
        },
        accept(&listener, there.into(), &anybody)
    );
    let (took, ()) = timed(arrival.unwrap().refuse(goodbye(GoodbyeCode::Barred))).await;
    assert_eq!(took, Duration::from_secs(1));
    assert_eq!(script.frames().await, [Frame::Goodbye(goodbye(GoodbyeCode::Barred))]);
    assert_eq!(rest_of(&mut script.stream).await, NOTHING);
}
