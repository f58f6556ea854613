//! Links that are open.

use super::*;

#[tokio::test(start_paused = true)]
async fn links_go_on_over_a_change_of_keys() {
    // 70,000 records in one direction: every frame is waited for, so that each has a record of its own.
    let (dialled, accepted) = open(&noise(1), &noise(2)).await;
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let outbox = Outbox::default();
    let writing = tokio::spawn(dialled.writer.run(outbox.clone()));
    let mut reader = accepted.reader;
    for n in 0..70_000_u64 {
        outbox.push_control(Frame::Ping(n.to_be_bytes())).unwrap();
        assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Ping(n.to_be_bytes())));
    }
    outbox.close(Some(goodbye(GoodbyeCode::Leaving)));
    assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Goodbye(goodbye(GoodbyeCode::Leaving))));
    assert!(next(&mut reader).await.unwrap().is_none());
    writing.await.unwrap().unwrap();
    // HELLO and GOODBYE too.
    assert_eq!(reader.records(), 70_002);
    assert!(!reader.needs_renewal() && outbox.records() <= 70_002);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_left_after_thirty_seconds_and_costs_bounded_memory() {
    let (dialled, accepted) = open(&noise(1), &noise(2)).await;
    let (link, _peer) = (dialled.unwrap(), accepted.unwrap());
    let scheme = Signed::new(network("a"), identity(1));
    let draft = Draft {
        title: "flood".parse().unwrap(),
        message: vec![1; 10_000].into(),
        time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
        lifetime: Lifetime::hours(1),
    };
    let envelope = scheme.publish(&draft).unwrap();
    let outbox = Outbox::default();
    let running = tokio::spawn(link.writer.run(outbox.clone()));
    let start = Instant::now();
    for _ in 0..10_000 {
        let _ = outbox.push_broadcast(&envelope);
        assert!(outbox.queued_bytes() <= (4 << 20) + 4_096 * 32);
        tokio::task::yield_now().await;
    }
    assert!(matches!(running.await.unwrap(), Err(LinkError::Stuck)));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert!(outbox.is_closed() && outbox.queued_bytes() == 0);
}

#[test]
fn a_script_needs_nothing_that_is_not_public() {
    // With a network key the script's builder takes the key that the protocol page derives.
    let psk = NetworkKey::from_bytes(&[9; 32]).psk(&network("a"));
    let prologue = Preamble::new(Mode::XxPsk0).prologue(&network("a"));
    let builder = Builder::new(HandshakePattern::XX_PSK0).prologue(&prologue).unwrap();
    let builder = builder.local_static(Keypair::generate().unwrap()).unwrap();
    let mut message = Vec::new();
    let mut handshake = builder.psk(0, PresharedKey::from_bytes(&psk)).unwrap().initiator().unwrap();
    handshake.write_message(&[], &mut message).unwrap();
    assert_eq!(message.len(), 48);
}
