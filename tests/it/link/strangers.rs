//! Who does not belong together, and how little it learns.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_wrong_network_key_is_refused_at_the_first_message_without_a_byte() {
    type Is = fn(&LinkError) -> bool;
    let cases: [(NoiseChannel, NoiseChannel, Is); 3] = [
        (noise(1), with_key(2, 9), |error| matches!(error, LinkError::WrongPreamble(PreambleError::Mode(0)))),
        (with_key(1, 9), noise(2), |error| matches!(error, LinkError::WrongPreamble(PreambleError::Mode(1)))),
        (with_key(1, 9), with_key(2, 8), |error| matches!(error, LinkError::Handshake(NoiseError::Decrypt))),
    ];
    for (dialler, listener, is_expected) in cases {
        let Tapped { here, there, back, .. } = tapped(|_, _, _| {});
        let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
        let error = accepted.unwrap_err();
        assert!(is_expected(&error) && !error.blames_peer(), "{error:?}");
        assert!(matches!(dialled, Err(LinkError::Closed)));
        assert_eq!(passed(&back), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn two_networks_with_the_same_identities_never_link() {
    let (dialler, listener) = (noise(1), NoiseChannel::new(identity(2), network("b"), None).unwrap());
    let Tapped { here, there, forth, .. } = tapped(|_, _, _| {});
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
    assert!(matches!(dialled, Err(LinkError::Handshake(NoiseError::Decrypt))));
    assert!(matches!(accepted, Err(LinkError::Closed)));
    assert_eq!(passed(&forth), PREAMBLE + MESSAGE_1);

    let (dialler, listener) = (plain(1), PlainChannel::new(plain_network("b"), id(2)));
    let Tapped { here, there, back, .. } = tapped(|_, _, _| {});
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), welcome(&listener, there));
    assert!(matches!(accepted, Err(LinkError::WrongNetwork)));
    assert!(matches!(dialled, Err(LinkError::Closed)));
    assert_eq!(passed(&back), 0);
}

#[tokio::test(start_paused = true)]
async fn plain_and_secure_never_fall_back_to_each_other() {
    let cases: [(&dyn Channel, &dyn Channel, u8); 2] = [(&plain(1), &noise(2), 0xFF), (&noise(1), &plain(2), 0)];
    for (dialler, listener, mode) in cases {
        let Tapped { here, there, back, .. } = tapped(|_, _, _| {});
        let (dialled, accepted) = tokio::join!(dial(dialler, here, None), welcome(listener, there));
        assert!(matches!(accepted, Err(LinkError::WrongPreamble(PreambleError::Mode(found))) if found == mode));
        assert!(matches!(dialled, Err(LinkError::Closed)));
        assert_eq!(passed(&back), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn another_identity_than_the_pinned_one_never_learns_who_dialled() {
    for (dialler, listener) in [(noise(1), noise(2)), (with_key(1, 9), with_key(2, 9))] {
        let Tapped { here, there, forth, .. } = tapped(|_, _, _| {});
        let (dialled, accepted) = tokio::join!(dial(&dialler, here, Some(id(3))), welcome(&listener, there));
        let error = dialled.unwrap_err();
        assert!(matches!(error, LinkError::WrongIdentity { expected, found } if expected == id(3) && found == id(2)));
        assert!(!error.blames_peer());
        assert!(matches!(accepted, Err(LinkError::Closed)));
        assert!(passed(&forth) <= PREAMBLE + 2 + 48);
    }
    let (here, there) = duplex(1 << 16);
    let (dialler, listener) = (plain(1), plain(2));
    let (dialled, _) = tokio::join!(dial(&dialler, here, Some(id(3))), welcome(&listener, there));
    assert!(matches!(dialled, Err(LinkError::WrongIdentity { .. })));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_admitted_is_told_nothing() {
    let (dialler, listener) = (noise(1), noise(2));
    let own = hello("");

    let Tapped { here, there, forth, .. } = tapped(|_, _, _| {});
    let (dialled, accepted) =
        tokio::join!(connect(&dialler, here.into(), None, &own, &nobody), welcome(&listener, there));
    assert!(matches!(dialled, Err(LinkError::Refused(peer)) if peer == id(2)));
    assert!(accepted.is_err());
    assert_eq!(passed(&forth), PREAMBLE + MESSAGE_1);

    let Tapped { here, there, back, .. } = tapped(|_, _, _| {});
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), accept(&listener, there.into(), &nobody));
    assert!(matches!(accepted, Err(LinkError::Refused(peer)) if peer == id(1)));
    assert!(matches!(dialled, Err(LinkError::Closed)));
    assert_eq!(passed(&back), MESSAGE_2);

    let (here, there) = duplex(1 << 16);
    let (dialler, listener) = (plain(1), plain(2));
    let (dialled, accepted) = tokio::join!(dial(&dialler, here, None), accept(&listener, there.into(), &nobody));
    assert!(matches!(accepted, Err(LinkError::Refused(peer)) if peer == id(1)));
    assert!(matches!(dialled, Err(LinkError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_reaches_itself_refuses() {
    // Through a proxy to its own listener, and another process with the same identity.
    let own = noise(1);
    let cases: [(&dyn Channel, &dyn Channel); 4] =
        [(&own, &own), (&noise(1), &noise(1)), (&with_key(1, 9), &with_key(1, 9)), (&plain(1), &plain(1))];
    for (dialler, listener) in cases {
        let (dialled, accepted) = open(dialler, listener).await;
        let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
        // The first to notice closes; on a secure network that is the dialler, on a plain one the listener.
        assert!(matches!(dialled, LinkError::OwnIdentity) || matches!(accepted, LinkError::OwnIdentity));
        assert!(matches!(dialled, LinkError::OwnIdentity | LinkError::Closed));
        assert!(matches!(accepted, LinkError::OwnIdentity | LinkError::Closed));
    }
    // The listener would notice by itself.
    let (here, there) = duplex(1 << 16);
    let (accepted, _script) = tokio::join!(accept(&own, there.into(), &anybody), Script::initiate(here, honest(1)));
    assert!(matches!(accepted, Err(LinkError::OwnIdentity)));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_hears_its_own_words_refuses() {
    // A mirror: what the dialler says comes back, as it is or dressed as message 2.
    for dressed in [false, true] {
        let (here, mut mirror) = duplex(1 << 16);
        let dialler = noise(1);
        let reflect = async {
            let mut said = [0; PREAMBLE + MESSAGE_1];
            mirror.read_exact(&mut said).await.unwrap();
            let answer = if dressed { [&[0, 193], &said[10..], &[0; 161]].concat() } else { said[8..].to_vec() };
            mirror.write_all(&answer).await.unwrap();
            assert_eq!(rest_of(&mut mirror).await, NOTHING);
        };
        let (dialled, ()) = tokio::join!(dial(&dialler, here, None), reflect);
        let error = dialled.unwrap_err();
        assert!(matches!(error, LinkError::WrongLength { .. } | LinkError::Handshake(NoiseError::Decrypt)), "{error}");
    }
}
