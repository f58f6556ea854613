//! Sealed content by hand (protocol, section 11): with randomness of one's choice, and wrong in one thing where it is to be
//! refused. Uses the crate `hpke` and nothing of Sealnet's own sealing.

use std::convert::Infallible;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem as _, OpModeR, OpModeS, Serializable};
use sealnet::identity::{NetworkHash, NodeId};
use sha2::{Digest, Sha256};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Suite = hpke::aead::ChaCha20Poly1305;

pub(crate) const MAGIC: [u8; 4] = [0, 0x53, 0x4C, 1];
pub(crate) const STANZA: usize = 88;

/// A content under one key, for one sender on one network.
pub(crate) struct Sealer {
    pub(crate) info: Vec<u8>,
    pub(crate) content_key: [u8; 32],
}

impl Sealer {
    pub(crate) fn new(network: &NetworkHash, sender: &NodeId, content_key: [u8; 32]) -> Self {
        let info = [&b"sealnet/1 seal\0"[..], network.as_bytes(), sender.as_bytes()].concat();
        Sealer { info, content_key }
    }

    /// The stanza for the reader with this public key, whose ephemeral key is made of `n`.
    pub(crate) fn stanza(&self, reader: &[u8; 32], n: u8) -> [u8; STANZA] {
        let key = <Kem as hpke::Kem>::PublicKey::from_bytes(reader).unwrap();
        let (enc, ct) = hpke::single_shot_seal_with_rng::<Suite, Kdf, Kem>(
            &OpModeS::Base,
            &key,
            &self.info,
            &self.content_key,
            &[],
            &mut Fixed(n),
        )
        .unwrap();
        let stanza = [&hint(&enc.to_bytes(), reader)[..], &enc.to_bytes(), &ct].concat();
        stanza.try_into().unwrap()
    }

    pub(crate) fn commitment(&self, stanzas: &[[u8; STANZA]]) -> [u8; 32] {
        let head = [&[u8::try_from(stanzas.len()).unwrap()][..], &stanzas.concat()].concat();
        self.derive(&[&b"commit\0"[..], &Sha256::digest(head)].concat())
    }

    pub(crate) fn body(&self, padded: &[u8]) -> Vec<u8> {
        let cipher = ChaCha20Poly1305::new(&self.derive(b"body\0").into());
        cipher.encrypt(&[0; 12].into(), Payload { msg: padded, aad: &self.info }).unwrap()
    }

    /// The whole message, as it should be.
    pub(crate) fn message(&self, stanzas: &[[u8; STANZA]], data: &[u8]) -> Vec<u8> {
        message(stanzas, &self.commitment(stanzas), &self.body(&pad(data)))
    }

    fn derive(&self, info: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(b"sealnet/1 seal-keys\0"), &self.content_key).expand(info, &mut key).unwrap();
        key
    }
}

pub(crate) fn message(stanzas: &[[u8; STANZA]], commitment: &[u8; 32], body: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &[u8::try_from(stanzas.len()).unwrap()], &stanzas.concat(), commitment, body].concat()
}

pub(crate) fn hint(enc: &[u8], reader: &[u8; 32]) -> [u8; 8] {
    let hash = Sha256::digest([&b"sealnet/1 seal-hint\0"[..], enc, reader].concat());
    hash[..8].try_into().unwrap()
}

/// `length ‖ data ‖ zeros` up to the class of the page.
pub(crate) fn pad(data: &[u8]) -> Vec<u8> {
    let mut padded = [&u32::try_from(data.len()).unwrap().to_be_bytes()[..], data].concat();
    let mut classes = (8..=16).map(|n| 1 << n).chain((9..).map(|n| n * 8192));
    let class = classes.find(|class| *class >= padded.len()).unwrap();
    padded.resize(class, 0);
    padded
}

/// What a stanza holds for this secret key: HPKE alone.
pub(crate) fn open_stanza(info: &[u8], stanza: &[u8], secret: &[u8; 32]) -> Option<Vec<u8>> {
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).unwrap();
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&stanza[8..40]).unwrap();
    hpke::single_shot_open::<Suite, Kdf, Kem>(&OpModeR::Base, &key, &enc, info, &stanza[40..], &[]).ok()
}

/// The ephemeral secret key that is made of `n`.
pub(crate) fn ephemeral(n: u8) -> [u8; 32] {
    Kem::derive_keypair(&[n; 32]).0.to_bytes().into()
}

/// Gives one byte for ever.
struct Fixed(u8);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
