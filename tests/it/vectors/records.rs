//! `records.json`: one direction of a link across the changes of its key (protocol, section 3).

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use sealnet::link::record::{MAX_PLAINTEXT, REKEY_EVERY, RecordError, RecordOpener};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::handshakes::{direction, seal, seal_by_hand};
use super::published;
use super::shown::Shown;

#[derive(Serialize)]
struct File {
    keys: Vec<Key>,
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Key {
    from_record: u64,
    key: Shown,
}

#[derive(Serialize)]
struct Valid {
    number: u64,
    plaintext: Shown,
    /// Left out where it would fill the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<Shown>,
    wire_sha256: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    number: u64,
    wire: Shown,
    reason: &'static str,
}

/// `REKEY(k)`, by the cipher itself.
fn rekey(key: &[u8; 32]) -> [u8; 32] {
    let mut nonce = [0xFF; 12];
    nonce[..4].copy_from_slice(&[0; 4]);
    let mut new = [0; 32];
    ChaCha20Poly1305::new(key.into()).encrypt_inout_detached(&nonce.into(), &[], new.as_mut_slice().into()).unwrap();
    new
}

/// What is said in the records that are published; all others hold one zero byte.
fn plaintext(number: u64) -> Option<Vec<u8>> {
    match number {
        // The longest one.
        2 => Some(vec![0xAB; MAX_PLAINTEXT]),
        0 | 1 | 65_534..=65_537 | 131_071 | 131_072 => Some(format!("record {number}").into_bytes()),
        _ => None,
    }
}

#[test]
fn the_published_records_are_sealed_and_opened_as_the_files_say() {
    let (first, mut sealer, mut opener) = direction();
    let keys = [first, rekey(&first), rekey(&rekey(&first))];
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for number in 0..=2 * REKEY_EVERY {
        let said = plaintext(number);
        let text = said.as_deref().unwrap_or(&[0]);
        let wire = seal(&mut sealer, text);
        if said.is_some() {
            let generation = usize::try_from(number / REKEY_EVERY).unwrap();
            assert_eq!(wire, seal_by_hand(&keys[generation], number, text));
            if matches!(number, 0 | REKEY_EVERY) {
                invalid.extend(forgeries(&mut opener, &keys, number, &wire));
            }
            valid.push(Valid {
                number,
                plaintext: Shown::from(text),
                wire: (wire.len() < 1_000).then(|| Shown::from(&wire)),
                wire_sha256: Shown::from(&<[u8; 32]>::from(Sha256::digest(&wire))),
            });
        }
        let mut body = wire[2..].to_vec();
        assert_eq!(opener.open(&mut body), Ok(text.len()));
        assert_eq!(body[..text.len()], *text);
    }
    let keys = (0..).step_by(usize::try_from(REKEY_EVERY).unwrap()).zip(&keys);
    let keys = keys.map(|(from_record, key)| Key { from_record, key: Shown::from(key) }).collect();
    published("records.json", &File { keys, valid, invalid });
}

/// What must not open as record `number`, whose true form is `wire`; the opener is left where it was.
fn forgeries(opener: &mut RecordOpener, keys: &[[u8; 32]; 3], number: u64, wire: &[u8]) -> Vec<Invalid> {
    let key = &keys[usize::try_from(number / REKEY_EVERY).unwrap()];
    let text = &plaintext(number).unwrap();
    let flipped = |at: usize| {
        let mut wire = wire.to_vec();
        wire[at] ^= 1;
        wire
    };
    let short = seal_by_hand(key, number, b"");
    let mut forgeries = vec![
        ("length 0", vec![0, 0]),
        ("length 16: nothing sealed", short),
        ("a flipped bit in the body", flipped(2)),
        ("a flipped bit in the tag", flipped(wire.len() - 1)),
        ("the length one too low", [&(wire.len() as u16 - 3).to_be_bytes(), &wire[2..wire.len() - 1]].concat()),
        ("the record after it", seal_by_hand(key, number + 1, text)),
        ("under the key after it", seal_by_hand(&rekey(key), number, text)),
    ];
    if number > 0 {
        forgeries.push(("the record before it, again", seal_by_hand(&keys[0], number - 1, text)));
        forgeries.push(("under the key before it", seal_by_hand(&keys[0], number, text)));
        forgeries.push(("the counter begun anew with the new key", seal_by_hand(key, 0, text)));
    }
    let judged = forgeries.into_iter().map(|(what, wire)| {
        let head = wire.first_chunk().unwrap();
        let reason = match RecordOpener::body_len(*head).and_then(|_| opener.open(&mut wire[2..].to_vec())) {
            Err(RecordError::Length) => "length",
            Err(RecordError::Open) => "open",
            other => panic!("{what}: {other:?}"),
        };
        Invalid { what, number, wire: Shown(wire), reason }
    });
    let judged = judged.collect();
    assert_eq!(opener.records(), number);
    judged
}
