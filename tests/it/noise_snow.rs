//! Live against `snow`, an independent implementation of the same specification, in both roles.

use sealnet::noise::{
    Builder, HandshakePattern, HandshakeState, Keypair, NoiseError, PresharedKey, TAG_LEN, TransportState,
};

const PROLOGUE: &[u8] = b"the same forty bytes at both ends, always";
const OUR_SECRET: [u8; 32] = [0x0A; 32];
const THEIR_SECRET: [u8; 32] = [0x0B; 32];
const PSK: [u8; 32] = [0x5A; 32];
/// Both ends renew a direction's key after each record n with (n + 1) mod 65,536 = 0.
const REKEY_EVERY: u64 = 65_536;

/// One of our ends and one of snow's, after a handshake with payloads of the size the links use.
fn connected(pattern: HandshakePattern, we_dial: bool) -> (TransportState, snow::TransportState) {
    let (mut ours, mut theirs) = (our_end(pattern, we_dial), snows_end(pattern, we_dial));
    let mut buffer = vec![0; 65_535];
    for index in 0..pattern.messages() {
        let payload = if index == 0 { vec![] } else { vec![index as u8; 97] };
        let mut received = Vec::new();
        if (index % 2 == 0) == we_dial {
            let mut message = Vec::new();
            ours.write_message(&payload, &mut message).unwrap();
            let len = theirs.read_message(&message, &mut buffer).unwrap();
            received.extend_from_slice(&buffer[..len]);
        } else {
            let len = theirs.write_message(&payload, &mut buffer).unwrap();
            ours.read_message(&buffer[..len], &mut received).unwrap();
        }
        assert_eq!(received, payload);
        assert_eq!(&ours.handshake_hash().unwrap()[..], theirs.get_handshake_hash());
    }
    let ours = ours.into_transport().unwrap();
    assert_eq!(&ours.handshake_hash[..], theirs.get_handshake_hash());
    (ours, theirs.into_transport_mode().unwrap())
}

fn our_end(pattern: HandshakePattern, we_dial: bool) -> HandshakeState {
    let mut builder =
        Builder::new(pattern).prologue(PROLOGUE).unwrap().local_static(Keypair::from_secret(&OUR_SECRET)).unwrap();
    for number in pattern.psks() {
        builder = builder.psk(number, PresharedKey::from_bytes(&PSK)).unwrap();
    }
    if we_dial { builder.initiator().unwrap() } else { builder.responder().unwrap() }
}

fn snows_end(pattern: HandshakePattern, we_dial: bool) -> snow::HandshakeState {
    let mut builder = snow::Builder::new(pattern.protocol_name().parse().unwrap())
        .prologue(PROLOGUE)
        .unwrap()
        .local_private_key(&THEIR_SECRET)
        .unwrap();
    for number in pattern.psks() {
        builder = builder.psk(number, &PSK).unwrap();
    }
    if we_dial { builder.build_responder().unwrap() } else { builder.build_initiator().unwrap() }
}

/// Carries `count` small records each way, with the links' rule for new keys.
fn exchange(ours: &mut TransportState, theirs: &mut snow::TransportState, count: u64) {
    let (mut record, mut opened) = ([0; 64], [0; 64]);
    for n in 0..count {
        let plaintext = n.to_be_bytes();
        let len = plaintext.len();

        record[..len].copy_from_slice(&plaintext);
        let tag = ours.sender.encrypt_in_place(&mut record[..len]).unwrap();
        record[len..len + TAG_LEN].copy_from_slice(&tag);
        let got = theirs.read_message(&record[..len + TAG_LEN], &mut opened).unwrap();
        assert_eq!(opened[..got], plaintext);

        let sealed = theirs.write_message(&plaintext, &mut record).unwrap();
        let got = ours.receiver.decrypt_in_place(&mut record[..sealed]).unwrap();
        assert_eq!(record[..got], plaintext);

        assert_eq!((ours.sender.nonce(), ours.receiver.nonce()), (n + 1, n + 1));
        if (n + 1).is_multiple_of(REKEY_EVERY) {
            ours.sender.rekey().unwrap();
            theirs.rekey_incoming();
            theirs.rekey_outgoing();
            ours.receiver.rekey().unwrap();
        }
    }
}

#[test]
fn two_hundred_thousand_records_cross_three_renewals_when_we_dial() {
    let (mut ours, mut theirs) = connected(HandshakePattern::XX, true);
    exchange(&mut ours, &mut theirs, 200_000);
}

#[test]
fn two_hundred_thousand_records_cross_three_renewals_when_snow_dials() {
    let (mut ours, mut theirs) = connected(HandshakePattern::XX_PSK0, false);
    exchange(&mut ours, &mut theirs, 200_000);
}

#[test]
fn both_roles_and_both_patterns_understand_each_other() {
    for pattern in [HandshakePattern::XX, HandshakePattern::XX_PSK0] {
        for we_dial in [true, false] {
            let (mut ours, mut theirs) = connected(pattern, we_dial);
            assert_eq!(ours.remote_static, Some(*Keypair::from_secret(&THEIR_SECRET).public()));
            assert_eq!(theirs.get_remote_static().unwrap(), Keypair::from_secret(&OUR_SECRET).public().as_bytes());
            exchange(&mut ours, &mut theirs, 100);
        }
    }
}

#[test]
fn the_longest_records_understand_each_other() {
    let (mut ours, mut theirs) = connected(HandshakePattern::XX, true);
    let (mut record, mut opened) = (vec![7; 65_535], vec![0; 65_535]);
    let (plaintext, tag) = record.split_last_chunk_mut::<TAG_LEN>().unwrap();
    *tag = ours.sender.encrypt_in_place(plaintext).unwrap();
    assert_eq!(theirs.read_message(&record, &mut opened).unwrap(), 65_519);
    assert!(opened[..65_519].iter().all(|byte| *byte == 7));
    let len = theirs.write_message(&opened[..65_519], &mut record).unwrap();
    assert_eq!(len, 65_535);
    assert_eq!(ours.receiver.decrypt_in_place(&mut record), Ok(65_519));
    assert!(record[..65_519].iter().all(|byte| *byte == 7));
}

#[test]
fn a_renewal_that_one_side_forgets_is_noticed_at_once() {
    let (mut ours, mut theirs) = connected(HandshakePattern::XX, true);
    let mut record = [0; 64];
    theirs.rekey_outgoing();
    let len = theirs.write_message(b"renewed", &mut record).unwrap();
    assert_eq!(ours.receiver.decrypt_in_place(&mut record[..len]), Err(NoiseError::Decrypt));
    ours.receiver.rekey().unwrap();
    assert_eq!(ours.receiver.decrypt_in_place(&mut record[..len]), Ok(7));
}
