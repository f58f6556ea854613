//! One reader's part: the content key, sealed to the reader's key by HPKE in Base mode (RFC 9180).

use std::convert::Infallible;

use hpke::rand_core::{CryptoRng, TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{ContentKey, SealKey, SealSecret};
use crate::identity::RandomnessError;

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::ChaCha20Poly1305;

/// hint ‖ enc ‖ ct
pub(super) const STANZA: usize = HINT + ENC + CT;
const HINT: usize = 8;
const ENC: usize = 32;
const CT: usize = 32 + 16;

/// The operating system's randomness for a function that takes no error: if there is none, it notes that, and what was made
/// is thrown away.
#[derive(Default)]
pub(super) struct SystemRandom(Option<getrandom::Error>);

impl SystemRandom {
    /// Gives what was made, if all its randomness was good.
    pub(super) fn vouch<T>(self, made: T) -> Result<T, RandomnessError> {
        self.0.map_or(Ok(made), |error| Err(error.into()))
    }
}

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        if let Err(error) = getrandom::fill(bytes) {
            self.0 = Some(error);
        }
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}

/// The content key for the holder of `reader`, bound to `info`. `None` only if nothing can be sealed to that key.
pub(super) fn seal(
    info: &[u8],
    reader: &SealKey,
    content_key: &ContentKey,
    random: &mut impl CryptoRng,
) -> Option<[u8; STANZA]> {
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(reader.as_bytes()).ok()?;
    let plaintext = content_key.as_bytes();
    let (enc, ct) =
        hpke::single_shot_seal_with_rng::<Aead, Kdf, Kem>(&OpModeS::Base, &key, info, plaintext, &[], random).ok()?;
    let enc = enc.to_bytes();
    let mut stanza = [0; STANZA];
    let (hint_part, rest) = stanza.split_at_mut(HINT);
    let (enc_part, ct_part) = rest.split_at_mut(ENC);
    hint_part.copy_from_slice(&hint(&enc, reader));
    enc_part.copy_from_slice(&enc);
    if ct_part.len() != ct.len() {
        return None;
    }
    ct_part.copy_from_slice(&ct);
    Some(stanza)
}

/// Whether the stanza says that it is for this reader. Anybody who knows the reader's key can say so.
pub(super) fn is_for(stanza: &[u8], reader: &SealKey) -> bool {
    matches!((stanza.get(..HINT), stanza.get(HINT..HINT + ENC)), (Some(found), Some(enc)) if found == hint(enc, reader))
}

/// The content key in a stanza, if it is for this secret, in this binding, and unaltered.
pub(super) fn open(info: &[u8], stanza: &[u8], secret: &SealSecret) -> Option<ContentKey> {
    let (enc, ct) = (stanza.get(HINT..HINT + ENC)?, stanza.get(HINT + ENC..STANZA)?);
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).ok()?;
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret.as_bytes()).ok()?;
    let opened = hpke::single_shot_open::<Aead, Kdf, Kem>(&OpModeR::Base, &key, &enc, info, ct, &[]).ok()?;
    let opened = Zeroizing::new(opened);
    opened.as_slice().try_into().ok().map(ContentKey::from_bytes)
}

/// The first 8 bytes of SHA-256("sealnet/1 seal-hint\0" ‖ enc ‖ reader's key): saves trying every stanza.
fn hint(enc: &[u8], reader: &SealKey) -> [u8; HINT] {
    let hash = Sha256::new()
        .chain_update(b"sealnet/1 seal-hint\0")
        .chain_update(enc)
        .chain_update(reader.as_bytes())
        .finalize();
    std::array::from_fn(|i| hash[i])
}
