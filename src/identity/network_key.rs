//! The optional secret that all members of a network share.

use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::key_file::{self, KeyFileError, KeyFileProblem, NewFile, Overwrite, Saved};
use super::{NetworkHash, RandomnessError, read_secret_file};

/// 32 random bytes that every member of a network holds in a file; who has not got them is refused at the first
/// message of the handshake (protocol, sections 1 and 2).
///
/// Never a passphrase: that first message would let anybody test guesses without asking a node. Wiped from memory when
/// dropped, never printed, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NetworkKey([u8; 32]);

impl NetworkKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut key = NetworkKey([0; 32]);
        getrandom::fill(&mut key.0)?;
        Ok(key)
    }

    /// The key with these bytes. The caller wipes its own copy.
    pub const fn from_bytes(bytes: &[u8; 32]) -> Self {
        NetworkKey(*bytes)
    }

    /// Reads the key in the file `path`: 64 lower-case hex digits and at most one end of line.
    ///
    /// # Errors
    /// As [`read_secret_file`], and if the file holds anything else.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let bytes = read_secret_file(path, key_file::MAX_LEN)?;
        let digits = key_file::trim_end_of_line(&bytes);
        let mut key = NetworkKey([0; 32]);
        if digits.len() != 64 || HEXLOWER.decode_mut(digits, &mut key.0).is_err() {
            return Err(KeyFileError::new(path, KeyFileProblem::NotANetworkKey));
        }
        Ok(key)
    }

    /// Writes the key to `path`, mode 0600, as [`Identity::save`](super::Identity::save) writes an identity.
    ///
    /// # Errors
    /// If something is in the way, the folder is not safe, or writing fails.
    pub fn save(&self, path: &Path, overwrite: Overwrite) -> Result<Saved, KeyFileError> {
        let mut text = Zeroizing::new([b'\n'; 65]);
        HEXLOWER.encode_mut(&self.0, &mut text[..64]);
        let file = NewFile { path: path.to_owned(), contents: &*text, is_secret: true };
        let kept_aside = key_file::save(&[file], overwrite)?;
        Ok(Saved { path: path.to_owned(), id_path: None, kept_aside })
    }

    /// The handshake's pre-shared key on `network`: `HKDF-SHA256(salt = NH, ikm = key, info = "sealnet/1 psk\0", 32)`.
    pub fn psk(&self, network: &NetworkHash) -> Zeroizing<[u8; 32]> {
        let (mut extracted, hkdf) = Hkdf::<Sha256>::extract(Some(network.as_bytes()), &self.0);
        extracted.as_mut_slice().zeroize();
        let mut psk = Zeroizing::new([0; 32]);
        hkdf.expand(b"sealnet/1 psk\0", &mut *psk).expect("32 bytes are within HKDF's 8,160");
        psk
    }
}

impl PartialEq for NetworkKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for NetworkKey {}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_psk_is_a_known_answer_bound_to_the_network() {
        let key = NetworkKey::from_bytes(&std::array::from_fn(|i| i as u8));
        let hash = |name: &str| NetworkHash::secure(&name.parse().unwrap());
        // From HMAC of Python's standard library: PRK = HMAC(NH, key), PSK = HMAC(PRK, info, 01).
        let known = "4d8cebe4f33db913a133dac1e4a59e65eccdb5636f247e319335b4fed4f3aba4";
        assert_eq!(HEXLOWER.encode(&*key.psk(&hash("demo"))), known);
        assert_ne!(key.psk(&hash("demo")), key.psk(&hash("demo2")));
    }

    #[test]
    fn the_network_key_is_never_printed() {
        let shown = format!("{0:?} {0:#?}", NetworkKey::from_bytes(&[0xAB; 32]));
        assert!(shown.contains("[redacted]"));
        assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171"));
    }
}
