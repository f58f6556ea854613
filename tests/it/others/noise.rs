//! flynn's Noise vectors: the only ones that have plain XXpsk0. Its format is lines of `key=value`, a block for each
//! handshake.

use std::collections::HashMap;

use sealnet::noise::{Builder, HandshakePattern, HandshakeState, Keypair, PresharedKey, Role, TransportState};

use super::{file, unhex};

/// The values of one block by their keys.
type Block<'a> = HashMap<&'a str, &'a str>;

#[test]
fn flynns_handshakes_of_our_two_protocols_are_replayed() {
    let Some(text) = file("noise/flynn-vectors.txt") else { return };
    for (protocol, expected) in [("Noise_XX_25519_ChaChaPoly_SHA256", 4), ("Noise_XXpsk0_25519_ChaChaPoly_SHA256", 4)] {
        let blocks = text.split("\n\n").map(|block| block.lines().filter_map(|line| line.split_once('=')).collect());
        let ours = blocks.filter(|block: &Block<'_>| block.get("handshake") == Some(&protocol));
        let run = ours.inspect(|block| replay(protocol, block)).count();
        println!("flynn {protocol}: {run} handshakes replayed");
        assert_eq!(run, expected, "{protocol}");
    }
}

fn begin(protocol: &str, block: &Block<'_>, role: Role) -> HandshakeState {
    let pattern = HandshakePattern::from_protocol_name(protocol).unwrap();
    let (s, e) = match role {
        Role::Initiator => ("init_static", "gen_init_ephemeral"),
        Role::Responder => ("resp_static", "gen_resp_ephemeral"),
    };
    let keypair = |name: &str| Keypair::from_secret(&unhex(block[name]));
    let mut builder = Builder::new(pattern).local_static(keypair(s)).unwrap();
    builder = builder.fixed_ephemeral_for_test_vectors_only(keypair(e)).unwrap();
    if let Some(prologue) = block.get("prologue") {
        builder = builder.prologue(&bytes(prologue)).unwrap();
    }
    if let Some(key) = block.get("preshared_key") {
        builder = builder.psk(0, PresharedKey::from_bytes(&unhex(key))).unwrap();
    }
    match role {
        Role::Initiator => builder.initiator().unwrap(),
        Role::Responder => builder.responder().unwrap(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn replay(protocol: &str, block: &Block<'_>) {
    let mut initiator = begin(protocol, block, Role::Initiator);
    let mut responder = begin(protocol, block, Role::Responder);
    let expected = |at: usize| {
        let part = |what: &str| block.get(format!("msg_{at}_{what}").as_str()).map(|hex| bytes(hex));
        part("payload").zip(part("ciphertext"))
    };
    for at in 0..3 {
        let (payload, ciphertext) = expected(at).unwrap();
        let (writer, reader) =
            if at % 2 == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
        let (mut message, mut read) = (Vec::new(), Vec::new());
        writer.write_message(&payload, &mut message).unwrap();
        assert_eq!(message, ciphertext, "{protocol}, message {at}");
        reader.read_message(&message, &mut read).unwrap();
        assert_eq!(read, payload, "{protocol}, message {at}");
    }
    let TransportState { mut sender, mut receiver, .. } = initiator.into_transport().unwrap();
    let mut other = responder.into_transport().unwrap();
    let mut records = 0;
    for at in 3.. {
        let Some((payload, ciphertext)) = expected(at) else { break };
        // Its initiator speaks first again, although the handshake's last message was its own too.
        let (sealing, opening) =
            if at % 2 == 1 { (&mut sender, &mut other.receiver) } else { (&mut other.sender, &mut receiver) };
        let mut record = payload.clone();
        let tag = sealing.encrypt_in_place(&mut record).unwrap();
        record.extend_from_slice(&tag);
        assert_eq!(record, ciphertext, "{protocol}, message {at}");
        let len = opening.decrypt_in_place(&mut record).unwrap();
        assert_eq!(record[..len], payload, "{protocol}, message {at}");
        records += 1;
    }
    assert!(records >= 2, "{protocol}: records both ways");
}
