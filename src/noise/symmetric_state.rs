//! The running hash and key of a handshake (specification, section 5.2).

use hmac::digest::FixedOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cipher_state::KEY_LEN;
use super::{CipherState, HASH_LEN, NoiseError, TAG_LEN};

/// SHA-256's block: HMAC fills shorter keys up to it with zeros.
const BLOCK_LEN: usize = 64;

/// A chaining key or a key made from one; wiped when dropped.
type Secret = Zeroizing<[u8; HASH_LEN]>;

/// The chaining key `ck`, the handshake hash `h` and the cipher state, which is absent while `k` is empty.
pub(super) struct SymmetricState {
    ck: Secret,
    h: [u8; HASH_LEN],
    cipher: Option<CipherState>,
}

impl SymmetricState {
    /// `InitializeSymmetric(protocol_name)`.
    pub(super) fn initialize_symmetric(protocol_name: &str) -> Self {
        let name = protocol_name.as_bytes();
        let mut h = [0; HASH_LEN];
        match h.get_mut(..name.len()) {
            Some(start) => start.copy_from_slice(name),
            None => h = Sha256::digest(name).into(),
        }
        SymmetricState { ck: Zeroizing::new(h), h, cipher: None }
    }

    /// `MixKey(input_key_material)`.
    pub(super) fn mix_key(&mut self, input_key_material: &[u8]) {
        let [ck, temp_k] = hkdf(&self.ck, input_key_material);
        self.ck = ck;
        self.cipher = Some(CipherState::initialize_key(&temp_k));
    }

    /// `MixHash(data)`.
    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        self.h = Sha256::new().chain_update(self.h).chain_update(data).finalize().into();
    }

    /// `MixKeyAndHash(input_key_material)`, for pre-shared keys.
    pub(super) fn mix_key_and_hash(&mut self, input_key_material: &[u8]) {
        let [ck, temp_h, temp_k] = hkdf(&self.ck, input_key_material);
        self.ck = ck;
        self.mix_hash(&*temp_h);
        self.cipher = Some(CipherState::initialize_key(&temp_k));
    }

    /// `GetHandshakeHash()`, at any point of the handshake.
    pub(super) fn handshake_hash(&self) -> &[u8; HASH_LEN] {
        &self.h
    }

    /// How much longer than its plaintext an encrypted part is now: the tag, or nothing while `k` is empty.
    pub(super) fn overhead(&self) -> usize {
        if self.cipher.is_some() { TAG_LEN } else { 0 }
    }

    /// `EncryptAndHash(plaintext)`, appended to `out`.
    pub(super) fn encrypt_and_hash(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), NoiseError> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        if let Some(cipher) = &mut self.cipher {
            let tag = cipher.encrypt_with_ad(&self.h, &mut out[start..])?;
            out.extend_from_slice(&tag);
        }
        self.mix_hash(&out[start..]);
        Ok(())
    }

    /// `DecryptAndHash(ciphertext)`, the plaintext appended to `out`; on an error `out` is as it was.
    pub(super) fn decrypt_and_hash(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), NoiseError> {
        let start = out.len();
        out.extend_from_slice(ciphertext);
        if let Some(cipher) = &mut self.cipher {
            let opened = cipher.decrypt_with_ad(&self.h, &mut out[start..]);
            out.truncate(start + *opened.as_ref().unwrap_or(&0));
            opened?;
        }
        self.mix_hash(ciphertext);
        Ok(())
    }

    /// `Split()`: the cipher states of initiator to responder and of responder to initiator.
    pub(super) fn split(&self) -> (CipherState, CipherState) {
        let [temp_k1, temp_k2] = hkdf(&self.ck, &[]);
        (CipherState::initialize_key(&temp_k1), CipherState::initialize_key(&temp_k2))
    }
}

/// `HKDF(chaining_key, input_key_material, num_outputs)` (section 4.3), with `N` of 2 or 3 outputs.
fn hkdf<const N: usize>(chaining_key: &[u8; HASH_LEN], input_key_material: &[u8]) -> [Secret; N] {
    const { assert!(N == 2 || N == 3, "the specification knows two and three outputs") }
    let temp_key = hmac(chaining_key, &[input_key_material]);
    let mut outputs = std::array::from_fn(|_| Secret::default());
    let mut previous: &[u8] = &[];
    for (number, output) in (1..).zip(&mut outputs) {
        *output = hmac(&temp_key, &[previous, &[number]]);
        previous = &**output;
    }
    outputs
}

/// `HMAC-HASH(key, data)`, the data in parts (RFC 2104).
fn hmac(key: &[u8; KEY_LEN], data: &[&[u8]]) -> Secret {
    let mut block = Zeroizing::new([0; BLOCK_LEN]);
    block[..KEY_LEN].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in data {
        mac.update(part);
    }
    let mut out = Secret::default();
    mac.finalize_into((&mut *out).into());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_is_that_of_rfc_5869_without_info() {
        let (salt, ikm) = ([0x0B; 32], [0x16; 80]);
        let mut expected = [0; 96];
        hkdf::Hkdf::<Sha256>::new(Some(&salt), &ikm).expand(&[], &mut expected).unwrap();
        let three: [Secret; 3] = super::hkdf(&salt, &ikm);
        assert_eq!(three.map(|output| *output).concat(), expected);
        let two: [Secret; 2] = super::hkdf(&salt, &ikm);
        assert_eq!(two.map(|output| *output).concat(), expected[..64]);
    }

    #[test]
    fn short_names_are_padded_and_long_ones_hashed() {
        let short = SymmetricState::initialize_symmetric("Noise_N_25519_ChaChaPoly_SHA256");
        assert_eq!(&short.h[..31], b"Noise_N_25519_ChaChaPoly_SHA256");
        assert_eq!(short.h[31], 0);
        let exact = SymmetricState::initialize_symmetric("Noise_XX_25519_ChaChaPoly_SHA256");
        assert_eq!(&exact.h, b"Noise_XX_25519_ChaChaPoly_SHA256");
        let long = SymmetricState::initialize_symmetric("Noise_XXpsk0_25519_ChaChaPoly_SHA256");
        assert_eq!(long.h, <[u8; 32]>::from(Sha256::digest("Noise_XXpsk0_25519_ChaChaPoly_SHA256")));
    }

    #[test]
    fn what_does_not_open_leaves_the_buffer_as_it_was() {
        let mut state = SymmetricState::initialize_symmetric("x");
        state.mix_key(b"key");
        let mut out = b"before".to_vec();
        assert_eq!(state.decrypt_and_hash(&[0; 40], &mut out), Err(NoiseError::Decrypt));
        assert_eq!(state.decrypt_and_hash(&[0; 4], &mut out), Err(NoiseError::TooShort(4)));
        assert_eq!(out, b"before");
    }
}
