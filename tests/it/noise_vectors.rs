//! The published test vectors of our cipher suite, all of them, at both ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use sealnet::noise::{
    Builder, CipherState, HandshakePattern, HandshakeState, Keypair, PresharedKey, PublicKey, Role, Setting,
    TransportState,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    protocol_name: String,
    init_prologue: Hex,
    resp_prologue: Hex,
    init_static: Option<Hex>,
    resp_static: Option<Hex>,
    init_ephemeral: Option<Hex>,
    resp_ephemeral: Option<Hex>,
    init_remote_static: Option<Hex>,
    resp_remote_static: Option<Hex>,
    #[serde(default)]
    init_psks: Vec<Hex>,
    #[serde(default)]
    resp_psks: Vec<Hex>,
    handshake_hash: Option<Hex>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    payload: Hex,
    ciphertext: Hex,
}

#[derive(Clone, PartialEq, Debug)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER.decode(text.as_bytes()).map(Hex).map_err(serde::de::Error::custom)
    }
}

impl Hex {
    fn key(&self) -> [u8; 32] {
        self.0.as_slice().try_into().unwrap()
    }
}

#[test]
fn all_59_vectors_of_cacophony_are_replayed() {
    assert_eq!(replay_all("cacophony.txt"), 59);
}

#[test]
fn all_51_vectors_of_snow_are_replayed() {
    assert_eq!(replay_all("snow.txt"), 51);
}

/// Replays every vector of the file whose protocol is of our suite; returns how many there were.
fn replay_all(file: &str) -> usize {
    let path = vectors_of_snow().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File = serde_json::from_str(&text).unwrap();
    // By the name's end and not by what parses: a pattern we failed to understand must not be skipped.
    let ours = file.vectors.iter().filter(|vector| vector.protocol_name.ends_with("_25519_ChaChaPoly_SHA256"));
    ours.inspect(|vector| replay(vector)).count()
}

/// The vectors come with the crate `snow`; where its sources lie only Cargo knows.
fn vectors_of_snow() -> PathBuf {
    let metadata = |offline: &[&str]| {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
            .args(["metadata", "--format-version", "1"])
            .args(offline)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    };
    let output = metadata(&["--offline"]).or_else(|| metadata(&[])).expect("cargo metadata failed");
    let metadata: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let snow = packages.iter().find(|package| package["name"] == "snow").unwrap();
    Path::new(snow["manifest_path"].as_str().unwrap()).parent().unwrap().join("tests/vectors")
}

fn replay(vector: &Vector) {
    let name = &vector.protocol_name;
    let pattern = HandshakePattern::from_protocol_name(name).unwrap();
    assert_eq!(pattern.protocol_name(), *name);
    let (mut initiator, mut responder) = (handshake(vector, Role::Initiator), handshake(vector, Role::Responder));

    let (handshake, transport) = vector.messages.split_at(pattern.messages());
    for (at, expected) in handshake.iter().enumerate() {
        let (writer, reader) =
            if at % 2 == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
        assert!(writer.is_my_turn() && !reader.is_my_turn(), "{name}, message {at}");
        let (mut message, mut payload) = (Vec::new(), Vec::new());
        writer.write_message(&expected.payload.0, &mut message).unwrap();
        assert_eq!(Hex(message.clone()), expected.ciphertext, "{name}, message {at}");
        reader.read_message(&message, &mut payload).unwrap();
        assert_eq!(Hex(payload), expected.payload, "{name}, message {at}");
        assert_eq!(writer.handshake_hash(), reader.handshake_hash(), "{name}, message {at}");
    }
    assert!(initiator.is_finished() && responder.is_finished(), "{name}");
    if let Some(expected) = &vector.handshake_hash {
        assert_eq!(initiator.handshake_hash().unwrap(), expected.key(), "{name}");
    }

    if pattern.is_one_way() {
        let (mut sender, mut receiver) = (initiator.into_one_way().unwrap(), responder.into_one_way().unwrap());
        for (at, expected) in transport.iter().enumerate() {
            carry(&mut sender, &mut receiver, expected, &format!("{name}, record {at}"));
        }
    } else {
        let TransportState { sender: mut to_responder, receiver: mut at_initiator, .. } =
            initiator.into_transport().unwrap();
        let TransportState { sender: mut to_initiator, receiver: mut at_responder, .. } =
            responder.into_transport().unwrap();
        for (at, expected) in transport.iter().enumerate() {
            let (sender, receiver) = if (pattern.messages() + at).is_multiple_of(2) {
                (&mut to_responder, &mut at_responder)
            } else {
                (&mut to_initiator, &mut at_initiator)
            };
            carry(sender, receiver, expected, &format!("{name}, record {at}"));
        }
    }
}

/// The vectors give keys a pattern has no use for, too; our builder would refuse those.
fn handshake(vector: &Vector, role: Role) -> HandshakeState {
    let pattern = HandshakePattern::from_protocol_name(&vector.protocol_name).unwrap();
    let (prologue, s, e, rs, psks) = match role {
        Role::Initiator => (
            &vector.init_prologue,
            &vector.init_static,
            &vector.init_ephemeral,
            &vector.init_remote_static,
            &vector.init_psks,
        ),
        Role::Responder => (
            &vector.resp_prologue,
            &vector.resp_static,
            &vector.resp_ephemeral,
            &vector.resp_remote_static,
            &vector.resp_psks,
        ),
    };
    let given = |key: &Option<Hex>, setting| key.as_ref().filter(|_| pattern.uses(role, setting)).map(Hex::key);
    let mut builder = Builder::new(pattern).prologue(&prologue.0).unwrap();
    if let Some(key) = given(s, Setting::LocalStatic) {
        builder = builder.local_static(Keypair::from_secret(&key)).unwrap();
    }
    if let Some(key) = given(e, Setting::LocalEphemeral) {
        builder = builder.fixed_ephemeral_for_test_vectors_only(Keypair::from_secret(&key)).unwrap();
    }
    if let Some(key) = given(rs, Setting::RemoteStatic) {
        builder = builder.remote_static(PublicKey::from_bytes(key).unwrap()).unwrap();
    }
    assert_eq!(pattern.psks().count(), psks.len(), "{}", vector.protocol_name);
    for (number, key) in pattern.psks().zip(psks) {
        builder = builder.psk(number, PresharedKey::from_bytes(&key.key())).unwrap();
    }
    match role {
        Role::Initiator => builder.initiator().unwrap(),
        Role::Responder => builder.responder().unwrap(),
    }
}

fn carry(sender: &mut CipherState, receiver: &mut CipherState, expected: &Message, what: &str) {
    let mut record = expected.payload.0.clone();
    let tag = sender.encrypt_in_place(&mut record).unwrap();
    record.extend_from_slice(&tag);
    assert_eq!(Hex(record.clone()), expected.ciphertext, "{what}");
    let len = receiver.decrypt_in_place(&mut record).unwrap();
    assert_eq!(record[..len], expected.payload.0, "{what}");
}
