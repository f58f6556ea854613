//! What somebody on the path can do: nothing but end it.

use super::*;

#[tokio::test(start_paused = true)]
async fn every_flipped_bit_of_a_handshake_is_refused() {
    let (dialler, listener) = (noise(1), noise(2));
    let forth = PREAMBLE + MESSAGE_1 + MESSAGE_3;
    for (flipped_way, bytes) in [(Way::Forth, forth), (Way::Back, MESSAGE_2)] {
        for bit in 0..bytes * 8 {
            let Tapped { here, there, forth, back } = tapped(move |way, at, piece| {
                if way == flipped_way && (at..at + piece.len()).contains(&(bit / 8)) {
                    piece[bit / 8 - at] ^= 1 << (bit % 8);
                }
            });
            let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
            let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
            assert!(!dialled.blames_peer() && !accepted.blames_peer(), "{flipped_way:?} {bit}: {dialled} {accepted}");
            if flipped_way == Way::Back || bit / 8 < PREAMBLE + MESSAGE_1 {
                assert!(passed(&forth) == PREAMBLE + MESSAGE_1, "{flipped_way:?} {bit}: the dialler has shown itself");
            }
            let answered = if flipped_way == Way::Forth && bit / 8 < PREAMBLE + 2 { 0 } else { MESSAGE_2 };
            assert!(passed(&back) <= answered, "{flipped_way:?} {bit}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_message_of_another_length_ends_it_without_a_byte() {
    for len in [0, 1, 31, 33, 47, 48, 49, 193, 65_535_u16] {
        let (mut here, there) = duplex(1 << 17);
        let listener = noise(2);
        here.write_all(&[b"SEALN\x01\x00\x00", &len.to_be_bytes()[..], &vec![1; len.into()]].concat()).await.unwrap();
        let error = accept(&listener, there.into(), &anybody).await.unwrap_err();
        assert!(
            matches!(error, LinkError::WrongLength { message: 1, expected: 32, found } if found == usize::from(len)),
            "{len}: {error:?}"
        );
        assert_eq!(rest_of(&mut here).await, NOTHING);
    }
    let (mut here, there) = duplex(1 << 17);
    here.write_all(&[b"SEALN\x01\x01\x00\x00\x20", &[1; 32][..]].concat()).await.unwrap();
    let error = accept(&with_key(2, 9), there.into(), &anybody).await.unwrap_err();
    assert!(matches!(error, LinkError::WrongLength { expected: 48, .. }));
}

#[tokio::test(start_paused = true)]
async fn later_messages_of_another_length_end_it_too() {
    for len in [0, 1, 161, 192, 194, 65_535_u16] {
        let (here, mut there) = duplex(1 << 17);
        let dialler = noise(1);
        let answer = async {
            there.read_exact(&mut [0; PREAMBLE + MESSAGE_1]).await.unwrap();
            there.write_all(&[&len.to_be_bytes()[..], &vec![1; len.into()]].concat()).await.unwrap();
            assert_eq!(rest_of(&mut there).await, NOTHING);
        };
        let (dialled, ()) = tokio::join!(dial(&dialler, here, None), answer);
        assert!(matches!(dialled, Err(LinkError::WrongLength { message: 2, expected: 193, .. })), "{len}");
    }
    for len in [0, 1, 160, 162, 193, 65_535_u16] {
        let (here, there) = duplex(1 << 17);
        let listener = noise(2);
        let say = async {
            let mut script = Script::new(here, true);
            script.stream.write_all(Preamble::new(Mode::Xx).as_bytes()).await.unwrap();
            script.write(&[]).await;
            script.read().await;
            script.stream.write_all(&[&len.to_be_bytes()[..], &vec![1; len.into()]].concat()).await.unwrap();
            assert_eq!(rest_of(&mut script.stream).await, NOTHING);
        };
        let (accepted, ()) = tokio::join!(accept(&listener, there.into(), &anybody), say);
        assert!(matches!(accepted, Err(LinkError::WrongLength { message: 3, expected: 161, .. })), "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_anywhere_in_the_handshake_is_closed_and_nobodys_fault() {
    let (dialler, listener) = (noise(1), noise(2));
    for (cut_way, bytes) in [(Way::Forth, PREAMBLE + MESSAGE_1 + MESSAGE_3), (Way::Back, MESSAGE_2)] {
        for end in (0..bytes).step_by(7) {
            let ((here, mut here_end), (there, mut there_end)) = (duplex(1 << 16), duplex(1 << 16));
            let cut = async {
                let (mut forth, mut back) = (vec![0; PREAMBLE + MESSAGE_1], vec![0; MESSAGE_2]);
                here_end.read_exact(&mut forth).await.unwrap();
                if cut_way == Way::Forth && end < forth.len() {
                    there_end.write_all(&forth[..end]).await.unwrap();
                    return drop((here_end, there_end));
                }
                there_end.write_all(&forth).await.unwrap();
                there_end.read_exact(&mut back).await.unwrap();
                if cut_way == Way::Back {
                    here_end.write_all(&back[..end]).await.unwrap();
                    return drop((here_end, there_end));
                }
                here_end.write_all(&back).await.unwrap();
                let mut message = vec![0; end - forth.len()];
                here_end.read_exact(&mut message).await.unwrap();
                there_end.write_all(&message).await.unwrap();
            };
            let (dialled, accepted, ()) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there), cut);
            assert!(matches!(dialled, Err(LinkError::Closed)), "{cut_way:?} {end}");
            assert!(matches!(accepted, Err(LinkError::Closed)), "{cut_way:?} {end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ephemeral_keys_of_low_order_and_in_other_spellings_are_refused() {
    let mut spelt = [0xFF; 32];
    (spelt[0], spelt[31]) = (0xED + 9, 0x7F);
    let mut one = [0; 32];
    one[0] = 1;
    for key in [[0; 32], one, spelt] {
        let (mut here, there) = duplex(1 << 16);
        here.write_all(&[b"SEALN\x01\x00\x00\x00\x20", &key[..]].concat()).await.unwrap();
        let error = accept(&noise(2), there.into(), &anybody).await.unwrap_err();
        assert!(
            matches!(error, LinkError::Handshake(NoiseError::ZeroSharedSecret | NoiseError::NotCanonical)),
            "{error:?}"
        );
        assert_eq!(rest_of(&mut here).await, NOTHING);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_session_shows_no_title_text_or_key() {
    let secrets: [&[u8]; 6] =
        [b"a-title", b"a message nobody else may read", b"dialler", b"listener", b"agent", b"features"];
    for (dialler, listener) in [(noise(1), noise(2)), (with_key(1, 9), with_key(2, 9))] {
        let Tapped { here, there, forth, back } = tapped(|_, _, _| {});
        let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        let draft = Draft {
            title: "a-title".parse().unwrap(),
            message: secrets[1].to_vec().into(),
            time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
            lifetime: Lifetime::hours(1),
        };
        let envelope = Signed::new(network("a"), identity(1)).publish(&draft).unwrap();
        let outbox = Outbox::default();
        let _ = outbox.push_broadcast(&envelope);
        outbox.close(None);
        let (sent, (received, end)) = tokio::join!(dialled.writer.run(outbox), receive_all(accepted.reader));
        sent.and(end).unwrap();
        assert_eq!(received, [Frame::Broadcast(envelope.as_bytes().clone())]);

        let recording = [forth.lock().unwrap().clone(), back.lock().unwrap().clone()].concat();
        let (one, two, envelope_id, hash) = (id(1), id(2), envelope.id(), network("a"));
        let keys: [&[u8]; 4] = [one.as_bytes(), two.as_bytes(), envelope_id.as_bytes(), hash.as_bytes()];
        for secret in secrets.into_iter().chain(keys) {
            // Eight bytes of a key would do to recognise it.
            let part = &secret[..secret.len().min(8)];
            assert!(!recording.windows(part.len()).any(|window| window == part), "{secret:?}");
        }
    }
}

/// Opens a link through a tap that holds the dialler's records back after its HELLO, and gives what the listener makes
/// of them after `change`.
async fn received_after(change: impl FnOnce(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> (Vec<Frame>, LinkError) {
    let (here, there) = duplex(1 << 16);
    let listener = noise(2);
    let (mut script, accepted) = tokio::join!(
        async {
            let mut script = Script::initiate(here, honest(1)).await;
            script.send(&encoded(&hello("script").to_frame().unwrap())).await;
            script
        },
        welcome(&listener, there),
    );
    let reader = accepted.unwrap().reader;
    let records = (0..4_u8).map(|n| script.sealed(&encoded(&Frame::Ping([n; 8])))).collect();
    script.stream.write_all(&change(records).concat()).await.unwrap();
    let (frames, end) = receive_all(reader).await;
    (frames, end.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn records_replayed_swapped_dropped_or_flipped_close_the_link_and_blame_nobody() {
    let pings = |count: u8| (0..count).map(|n| Frame::Ping([n; 8])).collect::<Vec<_>>();
    let (frames, error) = received_after(|r| vec![r[0].clone(), r[0].clone(), r[1].clone()]).await;
    assert!(frames == pings(1) && matches!(error, LinkError::Record) && !error.blames_peer());
    let (frames, error) = received_after(|r| vec![r[0].clone(), r[2].clone(), r[1].clone()]).await;
    assert!(frames == pings(1) && matches!(error, LinkError::Record));
    let (frames, error) = received_after(|r| vec![r[0].clone(), r[1].clone(), r[3].clone()]).await;
    assert!(frames == pings(2) && matches!(error, LinkError::Record));
    // A record has 2 + 13 + 16 bytes. A longer length waits for more and then does not open.
    for bit in 0..31 * 8 {
        let flip = |mut r: Vec<Vec<u8>>| {
            r[1][bit / 8] ^= 1 << (bit % 8);
            let filler = vec![0; 1 << 15];
            r.push(filler);
            r
        };
        let (frames, error) = received_after(flip).await;
        assert_eq!(frames, pings(1), "bit {bit}");
        assert!(matches!(error, LinkError::Record) && !error.blames_peer(), "bit {bit}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_first_message_gets_no_answer_where_there_is_a_network_key() {
    let (dialler, listener) = (with_key(1, 9), with_key(2, 9));
    let Tapped { here, there, forth, .. } = tapped(|_, _, _| {});
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
    dialled.and(accepted).unwrap();
    let first = forth.lock().unwrap()[..PREAMBLE + 2 + 48].to_vec();

    let replay = |listener: &'static NoiseChannel| {
        let first = first.clone();
        async move {
            let (mut here, there) = duplex(1 << 16);
            here.write_all(&first).await.unwrap();
            here.shutdown().await.unwrap();
            let error = accept(listener, there.into(), &anybody).await.unwrap_err();
            (error, rest_of(&mut here).await.len())
        }
    };
    let listener: &'static NoiseChannel = Box::leak(Box::new(listener));
    for _ in 0..3 {
        let (error, answered) = replay(listener).await;
        assert!(matches!(error, LinkError::ReplayedFirstMessage) && !error.blames_peer());
        assert_eq!(answered, 0);
    }
    // Ten minutes later it is forgotten, and useless: the answer is all there is to have.
    tokio::time::advance(Duration::from_secs(600)).await;
    let (error, answered) = replay(listener).await;
    assert!(matches!(error, LinkError::Closed));
    assert_eq!(answered, MESSAGE_2);
}
