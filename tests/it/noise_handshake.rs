//! What a handshake refuses.

use proptest::prelude::*;
use sealnet::noise::{
    Builder, HandshakePattern, HandshakeState, Keypair, NoiseError, PresharedKey, PublicKey, Role, Setting,
    TransportState,
};

/// What the links put into messages 2 and 3: an identity and its signature.
const PAYLOAD: [u8; 97] = [0x11; 97];

/// Everything one end is given, so that a test can spoil a part of it.
struct End {
    pattern: HandshakePattern,
    prologue: &'static [u8],
    psk: [u8; 32],
    secret: [u8; 32],
}

impl End {
    fn new(pattern: &str, secret: u8) -> Self {
        End { pattern: pattern.parse().unwrap(), prologue: b"prologue", psk: [9; 32], secret: [secret; 32] }
    }

    fn begin(&self, role: Role, peer: &End) -> HandshakeState {
        let uses = |setting| self.pattern.uses(role, setting);
        let mut builder = Builder::new(self.pattern).prologue(self.prologue).unwrap();
        if uses(Setting::LocalStatic) {
            builder = builder.local_static(Keypair::from_secret(&self.secret)).unwrap();
        }
        if uses(Setting::RemoteStatic) {
            builder = builder.remote_static(*Keypair::from_secret(&peer.secret).public()).unwrap();
        }
        for number in self.pattern.psks() {
            builder = builder.psk(number, PresharedKey::from_bytes(&self.psk)).unwrap();
        }
        match role {
            Role::Initiator => builder.initiator().unwrap(),
            Role::Responder => builder.responder().unwrap(),
        }
    }
}

/// Two ends of an honest handshake, driven over no wire at all.
struct Pair {
    initiator: HandshakeState,
    responder: HandshakeState,
}

impl Pair {
    fn new(pattern: &str) -> Self {
        Self::of(&End::new(pattern, 1), &End::new(pattern, 2))
    }

    fn of(initiator: &End, responder: &End) -> Self {
        Pair {
            initiator: initiator.begin(Role::Initiator, responder),
            responder: responder.begin(Role::Responder, initiator),
        }
    }

    /// Carries messages until the one with number `index`, counted from 0, and gives that one and its reader.
    fn until(mut self, index: usize) -> (Vec<u8>, HandshakeState) {
        for at in 0.. {
            let (writer, reader) = if at % 2 == 0 {
                (&mut self.initiator, &mut self.responder)
            } else {
                (&mut self.responder, &mut self.initiator)
            };
            let payload: &[u8] = if at == 0 { &[] } else { &PAYLOAD };
            let mut message = Vec::new();
            writer.write_message(payload, &mut message).unwrap();
            if at == index {
                return (message, if at % 2 == 0 { self.responder } else { self.initiator });
            }
            reader.read_message(&message, &mut Vec::new()).unwrap();
        }
        unreachable!()
    }
}

fn xx_messages() -> [(&'static str, usize, usize); 5] {
    [("XX", 1, 193), ("XX", 2, 161), ("XXpsk0", 0, 48), ("XXpsk0", 1, 193), ("XXpsk0", 2, 161)]
}

/// Asserts that `handshake` is dead in every respect.
fn assert_poisoned(mut handshake: HandshakeState) {
    let mut buffer = b"before".to_vec();
    assert!(!handshake.is_my_turn() && !handshake.is_finished());
    assert_eq!(handshake.write_message(&[], &mut buffer), Err(NoiseError::Poisoned));
    assert_eq!(handshake.read_message(&[0; 200], &mut buffer), Err(NoiseError::Poisoned));
    assert_eq!(handshake.handshake_hash(), Err(NoiseError::Poisoned));
    assert_eq!(handshake.remote_static(), Err(NoiseError::Poisoned));
    assert_eq!(handshake.remote_ephemeral(), Err(NoiseError::Poisoned));
    assert_eq!(buffer, b"before");
    assert_eq!(handshake.into_transport().unwrap_err(), NoiseError::Poisoned);
}

/// The same for any kind of pattern.
fn assert_dead(handshake: HandshakeState) {
    if handshake.pattern().is_one_way() {
        assert_eq!(handshake.into_one_way().unwrap_err(), NoiseError::Poisoned);
    } else {
        assert_poisoned(handshake);
    }
}

#[test]
fn messages_have_the_lengths_the_links_expect() {
    assert_eq!(Pair::new("XX").until(0).0.len(), 32);
    for (pattern, index, len) in xx_messages() {
        assert_eq!(Pair::new(pattern).until(index).0.len(), len, "{pattern} {index}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for (pattern, index, len) in xx_messages() {
        for bit in 0..len * 8 {
            let (mut message, mut reader) = Pair::new(pattern).until(index);
            message[bit / 8] ^= 1 << (bit % 8);
            let mut payload = b"before".to_vec();
            assert!(reader.read_message(&message, &mut payload).is_err(), "{pattern} {index}, bit {bit}");
            assert_eq!(payload, b"before");
            assert_poisoned(reader);
        }
    }
}

#[test]
fn truncated_longer_empty_and_largest_messages_are_refused() {
    for (pattern, index, len) in xx_messages() {
        for wrong in (0..len).chain([len + 1, len + 16, 65_535, 65_536, 1 << 20]) {
            let (mut message, mut reader) = Pair::new(pattern).until(index);
            message.resize(wrong, 0);
            let error = reader.read_message(&message, &mut Vec::new()).unwrap_err();
            match error {
                NoiseError::TooLong(_) => assert!(wrong > 65_535),
                NoiseError::TooShort(_) => assert!(wrong < len),
                error => assert_eq!(error, NoiseError::Decrypt, "{pattern} {index}, {wrong} bytes"),
            }
            assert_poisoned(reader);
        }
    }
}

#[test]
fn a_message_of_65535_bytes_passes_and_one_more_cannot_be_written() {
    // 32 bytes of ephemeral key, no tag.
    let mut pair = Pair::new("XX");
    let (mut message, mut payload) = (Vec::new(), Vec::new());
    pair.initiator.write_message(&[7; 65_503], &mut message).unwrap();
    assert_eq!(message.len(), 65_535);
    pair.responder.read_message(&message, &mut payload).unwrap();
    assert_eq!(payload, [7; 65_503]);

    // 32 for the ephemeral key, 48 for the static key, 16 for the tag.
    let mut message = b"before".to_vec();
    assert_eq!(pair.responder.write_message(&[7; 65_440], &mut message), Err(NoiseError::TooLong(65_536)));
    assert_eq!(message, b"before");
    assert_poisoned(pair.responder);
}

#[test]
fn writing_and_reading_out_of_turn_ends_the_handshake() {
    let Pair { mut initiator, mut responder } = Pair::new("XX");
    assert_eq!(initiator.read_message(&[0; 32], &mut Vec::new()), Err(NoiseError::OutOfTurn(Role::Initiator)));
    assert_eq!(responder.write_message(&[], &mut Vec::new()), Err(NoiseError::OutOfTurn(Role::Initiator)));
    assert_poisoned(initiator);
    assert_poisoned(responder);
    let (message, mut responder) = Pair::new("XX").until(2);
    responder.read_message(&message, &mut Vec::new()).unwrap();
    assert!(responder.is_finished() && !responder.is_my_turn());
    assert_eq!(responder.read_message(&message, &mut Vec::new()), Err(NoiseError::Finished));
    assert_poisoned(responder);
}

#[test]
fn transport_keys_come_only_from_a_finished_handshake_of_the_right_kind() {
    assert_eq!(Pair::new("XX").initiator.into_transport().unwrap_err(), NoiseError::NotFinished);
    assert_eq!(Pair::new("XX").until(2).1.into_transport().unwrap_err(), NoiseError::NotFinished);
    assert_eq!(Pair::new("XX").initiator.into_one_way().unwrap_err(), NoiseError::NotOneWay);
    assert_eq!(Pair::new("N").initiator.into_transport().unwrap_err(), NoiseError::OneWay);
    assert_eq!(Pair::new("N").initiator.into_one_way().unwrap_err(), NoiseError::NotFinished);
}

#[test]
fn ends_that_disagree_about_prologue_or_psk_never_finish() {
    let other_prologue = End { prologue: b"another", ..End::new("XX", 2) };
    let (message, mut initiator) = Pair::of(&End::new("XX", 1), &other_prologue).until(1);
    assert_eq!(initiator.read_message(&message, &mut Vec::new()), Err(NoiseError::Decrypt));

    let other_psk = End { psk: [8; 32], ..End::new("XXpsk0", 2) };
    let (message, mut responder) = Pair::of(&End::new("XXpsk0", 1), &other_psk).until(0);
    assert_eq!(responder.read_message(&message, &mut Vec::new()), Err(NoiseError::Decrypt));

    // A pre-shared key against none: the first message does not even have the right length.
    let (message, mut responder) = Pair::of(&End::new("XX", 1), &End::new("XXpsk0", 2)).until(0);
    assert_eq!(responder.read_message(&message, &mut Vec::new()), Err(NoiseError::TooShort(32)));
}

#[test]
fn messages_of_another_session_and_reflected_ones_are_refused() {
    let (_, mut initiator) = Pair::new("XX").until(1);
    let (foreign, _) = Pair::new("XX").until(1);
    assert_eq!(initiator.read_message(&foreign, &mut Vec::new()), Err(NoiseError::Decrypt));

    let Pair { mut initiator, mut responder } = Pair::new("XX");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    initiator.write_message(&[1; 161], &mut first).unwrap();
    responder.read_message(&first, &mut Vec::new()).unwrap();
    assert_eq!(initiator.read_message(&first, &mut Vec::new()), Err(NoiseError::Decrypt));
    responder.write_message(&PAYLOAD, &mut second).unwrap();
    assert_eq!(responder.read_message(&second, &mut Vec::new()), Err(NoiseError::Decrypt));
}

#[test]
fn the_hash_before_a_message_is_the_same_at_both_ends_and_in_no_other_session() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let Pair { mut initiator, mut responder } = Pair::new("XX");
        for index in 0..3 {
            assert_eq!(initiator.handshake_hash(), responder.handshake_hash());
            seen.push(initiator.handshake_hash().unwrap());
            let (writer, reader) =
                if index % 2 == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
            let mut message = Vec::new();
            writer.write_message(&PAYLOAD, &mut message).unwrap();
            reader.read_message(&message, &mut Vec::new()).unwrap();
        }
        let (ours, theirs) = (initiator.into_transport().unwrap(), responder.into_transport().unwrap());
        assert_eq!(ours.handshake_hash, theirs.handshake_hash);
        seen.push(ours.handshake_hash);
    }
    // Only the hash before the first message, which knows just protocol and prologue, is shared.
    assert_eq!(seen[0], seen[4]);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[test]
fn the_peers_static_key_is_known_once_it_came() {
    let keys = [1, 2].map(|secret| *Keypair::from_secret(&[secret; 32]).public());
    let (message, mut initiator) = Pair::new("XX").until(1);
    assert_eq!(initiator.remote_static(), Err(NoiseError::NoRemoteStatic));
    initiator.read_message(&message, &mut Vec::new()).unwrap();
    assert_eq!(initiator.remote_static(), Ok(keys[1]));
    let (message, mut responder) = Pair::new("XX").until(2);
    assert_eq!(responder.remote_static(), Err(NoiseError::NoRemoteStatic));
    responder.read_message(&message, &mut Vec::new()).unwrap();
    assert_eq!(responder.into_transport().unwrap().remote_static, Some(keys[0]));
}

#[test]
fn every_handshake_has_its_own_ephemeral_key() {
    let keys: std::collections::HashSet<_> = (0..50).map(|_| Pair::new("XX").until(0).0).collect();
    assert_eq!(keys.len(), 50);
}

#[test]
fn the_two_directions_have_different_keys() {
    let Pair { mut initiator, mut responder } = Pair::new("NN");
    let mut message = Vec::new();
    initiator.write_message(&[], &mut message).unwrap();
    responder.read_message(&message, &mut Vec::new()).unwrap();
    message.clear();
    responder.write_message(&[], &mut message).unwrap();
    initiator.read_message(&message, &mut Vec::new()).unwrap();
    let TransportState { mut sender, mut receiver, .. } = initiator.into_transport().unwrap();
    let mut record = [0; 20];
    let (plaintext, tag) = record.split_last_chunk_mut().unwrap();
    *tag = sender.encrypt_in_place(plaintext).unwrap();
    assert_eq!(receiver.decrypt_in_place(&mut record), Err(NoiseError::Decrypt));
}

#[test]
fn no_key_is_ever_printed() {
    let ends = [End::new("XXpsk0", 0xA1), End { psk: [0xC3; 32], ..End::new("XXpsk0", 0xB2) }];
    let mut shown = format!("{:?}", Keypair::from_secret(&[0xA1; 32]));
    shown += &format!("{:?}", PresharedKey::from_bytes(&[0xC3; 32]));
    shown += &format!("{:?}", Builder::new(HandshakePattern::XX).local_static(Keypair::from_secret(&[0xA1; 32])));
    for index in 0..3 {
        let (message, mut reader) = Pair::of(&ends[0], &End { psk: [9; 32], ..End::new("XXpsk0", 0xB2) }).until(index);
        reader.read_message(&message, &mut Vec::new()).unwrap();
        shown += &format!("{reader:?} {reader:#?}");
        if index == 2 {
            shown += &format!("{:?}", reader.into_transport().unwrap());
        }
    }
    let (message, mut reader) = Pair::of(&ends[0], &ends[1]).until(0);
    shown += &format!("{:?} {reader:?}", reader.read_message(&message, &mut Vec::new()));
    assert!(shown.contains("[redacted]"));
    let shown = shown.to_lowercase();
    for secret in [0xA1_u8, 0xB2, 0xC3, 9] {
        assert!(!shown.contains(&format!("{secret:02x}{secret:02x}")), "{shown}");
        assert!(!shown.contains(&format!("{secret}, {secret}")), "{shown}");
    }
}

const PATTERNS: &[&str] = &["N", "X", "NN", "XX", "XXpsk0", "IK", "KXpsk2", "X1X1", "XXpsk0+psk1+psk2+psk3"];

proptest! {
    #[test]
    fn hostile_handshake_bytes_never_panic(
        pattern in prop::sample::select(PATTERNS),
        index in 0..4_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cut in prop::option::of(0..200_usize),
    ) {
        let pair = Pair::new(pattern);
        let index = index % pair.initiator.pattern().messages();
        let (genuine, mut reader) = pair.until(index);
        // Either nothing but noise, or a genuine beginning with noise behind it.
        let mut message = genuine.clone();
        message.truncate(cut.unwrap_or(0));
        message.extend_from_slice(&bytes);
        let mut payload = Vec::new();
        if reader.read_message(&message, &mut payload).is_err() {
            prop_assert!(payload.is_empty());
            assert_dead(reader);
        } else {
            // Without a key there is nothing to authenticate with; the answer must not panic either.
            let _ = reader.write_message(&PAYLOAD, &mut Vec::new());
        }
    }

    #[test]
    fn hostile_records_never_panic_and_never_open(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (message, mut responder) = Pair::new("XX").until(2);
        responder.read_message(&message, &mut Vec::new()).unwrap();
        let TransportState { mut receiver, .. } = responder.into_transport().unwrap();
        let mut record = bytes.clone();
        prop_assert!(receiver.decrypt_in_place(&mut record).is_err());
        prop_assert_eq!((record, receiver.nonce()), (bytes, 0));
    }

    #[test]
    fn hostile_names_and_keys_never_panic(
        name in ".{0,100}",
        tail in "[XNKI1psk+0-9]{0,20}",
        key in any::<[u8; 32]>(),
    ) {
        let _ = name.parse::<HandshakePattern>();
        let _ = HandshakePattern::from_protocol_name(&name);
        if let Ok(pattern) = tail.parse::<HandshakePattern>() {
            prop_assert_eq!(pattern.to_string(), tail);
        }
        let _ = PublicKey::from_bytes(key);
    }
}
