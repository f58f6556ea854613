//! `handshakes.json`: two whole handshakes and the first records after them (protocol, sections 2 and 3).

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use data_encoding::HEXLOWER;
use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NetworkKey};
use sealnet::link::proof::IdentityProof;
use sealnet::link::record::{RecordOpener, RecordSealer};
use sealnet::noise::{Builder, HandshakePattern, HandshakeState, Keypair, PresharedKey, Role, TransportState};
use sealnet::wire::{Frame, Hello, Mode, Preamble};
use serde::Serialize;

use super::proofs::role_name;
use super::shown::Shown;
use super::{A, B, NETWORK, id, published, secure};

#[derive(Serialize)]
struct File {
    handshakes: Vec<Transcript>,
}

#[derive(Serialize)]
struct Transcript {
    protocol: String,
    network: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_key: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psk: Option<Shown>,
    initiator: Side,
    responder: Side,
    preamble: Shown,
    prologue: Shown,
    h_before: Shown,
    messages: Vec<Message>,
    key_initiator_sends: Shown,
    key_responder_sends: Shown,
    records: Vec<Record>,
}

#[derive(Serialize)]
struct Side {
    seed: Shown,
    id: Shown,
    static_secret: Shown,
    static_public: Shown,
    ephemeral_secret: Shown,
    ephemeral_public: Shown,
}

#[derive(Serialize)]
struct Message {
    from: &'static str,
    payload: Shown,
    message: Shown,
    wire: Shown,
    h: Shown,
}

#[derive(Serialize)]
struct Record {
    from: &'static str,
    number: u64,
    plaintext: Shown,
    wire: Shown,
}

/// One end, with everything it would draw at random.
struct End {
    role: Role,
    seed: [u8; 32],
    static_secret: [u8; 32],
    ephemeral_secret: [u8; 32],
}

/// A, who dials.
const INITIATOR: End = End { role: Role::Initiator, seed: A, static_secret: [0x11; 32], ephemeral_secret: [0x12; 32] };
/// B, who is dialled.
const RESPONDER: End = End { role: Role::Responder, seed: B, static_secret: [0x21; 32], ephemeral_secret: [0x22; 32] };

/// The key that some members share in the second handshake.
const NETWORK_KEY: [u8; 32] = [3; 32];

/// The keys of the protocol page. The crate gives its own away to nobody: that these are they shows in the records,
/// which are sealed a second time with them.
const XX_KEYS: [&str; 2] = [
    "0fe0098213134667862fb8218f776a53bcb48d85dc9434132714807c77147efc",
    "9c5a84aabbc19454b741f25f57f3f4a89b18e4e2306c71183cdc4433cf29321e",
];
const XX_PSK0_KEYS: [&str; 2] = [
    "13e09b1aa647ec0c65a25b9671d8a1d96550903225c9537f098b17851ef16707",
    "d2b2f36e127b8c15cfb13c1192b1950ad04832d0f833aeb61042fd5361dcc1bd",
];

impl End {
    fn begin(&self, mode: Mode) -> HandshakeState {
        let pattern = if mode == Mode::XxPsk0 { HandshakePattern::XX_PSK0 } else { HandshakePattern::XX };
        let prologue = Preamble::new(mode).prologue(&secure(NETWORK));
        let mut builder = Builder::new(pattern).prologue(&prologue).unwrap();
        builder = builder.local_static(Keypair::from_secret(&self.static_secret)).unwrap();
        let ephemeral = Keypair::from_secret(&self.ephemeral_secret);
        builder = builder.fixed_ephemeral_for_test_vectors_only(ephemeral).unwrap();
        if mode == Mode::XxPsk0 {
            let psk = NetworkKey::from_bytes(&NETWORK_KEY).psk(&secure(NETWORK));
            builder = builder.psk(0, PresharedKey::from_bytes(&psk)).unwrap();
        }
        match self.role {
            Role::Initiator => builder.initiator().unwrap(),
            Role::Responder => builder.responder().unwrap(),
        }
    }

    /// The payload of this end's message with its proof.
    fn proof(&self, h: &[u8; 32]) -> Vec<u8> {
        let static_public = *Keypair::from_secret(&self.static_secret).public();
        let proof = IdentityProof::sign(&Identity::from_seed(&self.seed), self.role, h, &static_public);
        assert_eq!(proof.verify(self.role, h, &static_public), Ok(id(&self.seed)));
        proof.encode().to_vec()
    }

    fn shown(&self) -> Side {
        let public = |secret: &[u8; 32]| Shown::from(Keypair::from_secret(secret).public().as_bytes());
        Side {
            seed: Shown::from(&self.seed),
            id: id(&self.seed).as_bytes().into(),
            static_secret: Shown::from(&self.static_secret),
            static_public: public(&self.static_secret),
            ephemeral_secret: Shown::from(&self.ephemeral_secret),
            ephemeral_public: public(&self.ephemeral_secret),
        }
    }
}

/// The handshake in `mode`, carried from end to end.
fn shake_hands(mode: Mode) -> (Vec<Message>, TransportState, TransportState) {
    let (mut initiator, mut responder) = (INITIATOR.begin(mode), RESPONDER.begin(mode));
    let mut messages = Vec::new();
    for at in 0..3 {
        let (end, writer, reader) = if at == 1 {
            (&RESPONDER, &mut responder, &mut initiator)
        } else {
            (&INITIATOR, &mut initiator, &mut responder)
        };
        let payload = if at == 0 { Vec::new() } else { end.proof(&writer.handshake_hash().unwrap()) };
        let (mut message, mut read) = (Vec::new(), Vec::new());
        writer.write_message(&payload, &mut message).unwrap();
        reader.read_message(&message, &mut read).unwrap();
        assert_eq!((&read, reader.handshake_hash()), (&payload, writer.handshake_hash()));
        messages.push(Message {
            from: role_name(end.role),
            payload: Shown(payload),
            wire: Shown([&(message.len() as u16).to_be_bytes()[..], &message].concat()),
            message: Shown(message),
            h: Shown::from(&writer.handshake_hash().unwrap()),
        });
    }
    (messages, initiator.into_transport().unwrap(), responder.into_transport().unwrap())
}

/// The direction from initiator to responder after the handshake without a network key: its key, and both its ends.
pub(super) fn direction() -> ([u8; 32], RecordSealer, RecordOpener) {
    let (_, initiator, responder) = shake_hands(Mode::Xx);
    (key(XX_KEYS[0]), RecordSealer::new(initiator.sender), RecordOpener::new(responder.receiver))
}

fn key(hex: &str) -> [u8; 32] {
    HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

/// Record `number` under `key`, by the cipher itself.
pub(super) fn seal_by_hand(key: &[u8; 32], number: u64, plaintext: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    let mut body = plaintext.to_vec();
    let tag = ChaCha20Poly1305::new(key.into()).encrypt_inout_detached(&nonce.into(), &[], body.as_mut_slice().into());
    body.extend_from_slice(&tag.unwrap());
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

/// The next record of a direction, by the crate.
pub(super) fn seal(sealer: &mut RecordSealer, plaintext: &[u8]) -> Vec<u8> {
    let mut record = [&[0; 2], plaintext, &[0; 16]].concat();
    sealer.seal(&mut record).unwrap();
    record
}

fn transcript(mode: Mode, keys: [&str; 2]) -> Transcript {
    let (messages, initiator, responder) = shake_hands(mode);
    let h_before = INITIATOR.begin(mode).handshake_hash().unwrap();
    let keys = keys.map(key);

    let mut hello = Vec::new();
    let time = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
    Hello::new("example/1", time).to_frame().unwrap().encode_into(&mut hello).unwrap();
    let mut ping = Vec::new();
    Frame::Ping(*b"12345678").encode_into(&mut ping).unwrap();

    let mut records = Vec::new();
    let TransportState { sender, receiver: opened_by_initiator, .. } = initiator;
    let TransportState { sender: answering, receiver: opened_by_responder, .. } = responder;
    for (end, key, sender, receiver) in
        [(&INITIATOR, keys[0], sender, opened_by_responder), (&RESPONDER, keys[1], answering, opened_by_initiator)]
    {
        let (mut sealer, mut opener) = (RecordSealer::new(sender), RecordOpener::new(receiver));
        for (number, plaintext) in (0..).zip([&hello, &ping]) {
            let wire = seal(&mut sealer, plaintext);
            assert_eq!(wire, seal_by_hand(&key, number, plaintext));
            let mut body = wire[2..].to_vec();
            assert_eq!(opener.open(&mut body), Ok(plaintext.len()));
            records.push(Record {
                from: role_name(end.role),
                number,
                plaintext: Shown(plaintext.clone()),
                wire: Shown(wire),
            });
        }
    }
    let has_key = mode == Mode::XxPsk0;
    let psk = NetworkKey::from_bytes(&NETWORK_KEY).psk(&secure(NETWORK));
    Transcript {
        protocol: INITIATOR.begin(mode).pattern().protocol_name(),
        network: NETWORK,
        network_key: has_key.then(|| Shown::from(&NETWORK_KEY)),
        psk: has_key.then(|| Shown::from(&*psk)),
        initiator: INITIATOR.shown(),
        responder: RESPONDER.shown(),
        preamble: Preamble::new(mode).as_bytes().into(),
        prologue: Shown::from(&Preamble::new(mode).prologue(&secure(NETWORK))),
        h_before: Shown::from(&h_before),
        messages,
        key_initiator_sends: Shown::from(&keys[0]),
        key_responder_sends: Shown::from(&keys[1]),
        records,
    }
}

#[test]
fn the_published_handshakes_are_those_this_crate_makes() {
    let handshakes = vec![transcript(Mode::Xx, XX_KEYS), transcript(Mode::XxPsk0, XX_PSK0_KEYS)];
    published("handshakes.json", &File { handshakes });
}
