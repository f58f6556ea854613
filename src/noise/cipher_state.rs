//! A key and its counter (specification, section 5.1).

use std::fmt;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{MAX_MESSAGE, NoiseError, TAG_LEN};

/// How many bytes a cipher key has.
pub(super) const KEY_LEN: usize = 32;

/// The counter the specification reserves: no message uses it, [`CipherState::rekey`] does.
const MAX_NONCE: u64 = u64::MAX;

/// A ChaCha20-Poly1305 key `k` and the counter `n` of the messages it sealed or opened: one direction of a connection.
///
/// It always has a key: where the specification says "`k` is empty", the handshake has no `CipherState`. Nothing here
/// allocates; the cipher object is made once per key and wiped when dropped. It cannot be copied, because two copies
/// would use the same counter twice:
///
/// ```compile_fail
/// fn twice(state: &sealnet::noise::CipherState) -> sealnet::noise::CipherState {
///     state.clone()
/// }
/// ```
///
/// The counter moves only after success, and a refused message leaves the buffer as it came. A failed opening does not
/// end a `CipherState`, so that a forgery cannot shut out the genuine message behind it; whoever carries messages over
/// a stream, where a forgery means that the stream is no longer whole, closes the connection instead.
#[derive(ZeroizeOnDrop)]
pub struct CipherState {
    k: ChaCha20Poly1305,
    n: u64,
}

impl CipherState {
    /// `InitializeKey(key)`.
    pub(super) fn initialize_key(key: &[u8; KEY_LEN]) -> Self {
        CipherState { k: ChaCha20Poly1305::new(key.into()), n: 0 }
    }

    /// The number of the next message: how many were sealed or opened so far. A new key by
    /// [`rekey`](CipherState::rekey) does not reset it.
    pub fn nonce(&self) -> u64 {
        self.n
    }

    /// Encrypts `buffer` in place, without associated data, and returns the tag that follows it on the wire.
    ///
    /// # Errors
    /// [`NoiseError::TooLong`] if `buffer` and tag together exceed [`MAX_MESSAGE`], [`NoiseError::NonceExhausted`];
    /// `buffer` is then unchanged.
    pub fn encrypt_in_place(&mut self, buffer: &mut [u8]) -> Result<[u8; TAG_LEN], NoiseError> {
        self.encrypt_with_ad(&[], buffer)
    }

    /// Opens `buffer`, ciphertext and tag, in place and without associated data. Returns the length of the plaintext
    /// that `buffer` now begins with.
    ///
    /// # Errors
    /// [`NoiseError::Decrypt`] if it was not sealed with this key and counter, [`NoiseError::TooShort`],
    /// [`NoiseError::TooLong`], [`NoiseError::NonceExhausted`]; `buffer` and counter are then unchanged.
    pub fn decrypt_in_place(&mut self, buffer: &mut [u8]) -> Result<usize, NoiseError> {
        self.decrypt_with_ad(&[], buffer)
    }

    /// `REKEY(k)`: replaces the key by the first 32 bytes of what it makes of 32 zero bytes under the reserved counter
    /// (section 4.2). Who later learns the new key cannot open what the old one sealed. The counter goes on.
    ///
    /// Both ends have to do it after the same message; when is not the Noise machine's business (section 11.3).
    ///
    /// # Errors
    /// None today. The signature leaves room so that a cipher that refused could never leave a key of zeros behind.
    pub fn rekey(&mut self) -> Result<(), NoiseError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        self.seal(MAX_NONCE, &[], &mut *key)?;
        self.k = ChaCha20Poly1305::new((&*key).into());
        Ok(())
    }

    /// `EncryptWithAd(ad, plaintext)`.
    pub(super) fn encrypt_with_ad(&mut self, ad: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG_LEN], NoiseError> {
        if buffer.len() > MAX_MESSAGE - TAG_LEN {
            return Err(NoiseError::TooLong(buffer.len().saturating_add(TAG_LEN)));
        }
        let n = self.usable_nonce()?;
        let tag = self.seal(n, ad, buffer)?;
        self.n = n + 1;
        Ok(tag)
    }

    /// `DecryptWithAd(ad, ciphertext)`.
    pub(super) fn decrypt_with_ad(&mut self, ad: &[u8], buffer: &mut [u8]) -> Result<usize, NoiseError> {
        let len = buffer.len();
        if len > MAX_MESSAGE {
            return Err(NoiseError::TooLong(len));
        }
        let (ciphertext, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().ok_or(NoiseError::TooShort(len))?;
        let n = self.usable_nonce()?;
        self.k
            .decrypt_inout_detached(&nonce_bytes(n).into(), ad, ciphertext.into(), (&*tag).into())
            .map_err(|_| NoiseError::Decrypt)?;
        self.n = n + 1;
        Ok(len - TAG_LEN)
    }

    fn usable_nonce(&self) -> Result<u64, NoiseError> {
        if self.n == MAX_NONCE { Err(NoiseError::NonceExhausted) } else { Ok(self.n) }
    }

    fn seal(&self, n: u64, ad: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG_LEN], NoiseError> {
        let len = buffer.len();
        // The cipher's only reason to refuse is a length of 256 GiB.
        let tag = self
            .k
            .encrypt_inout_detached(&nonce_bytes(n).into(), ad, buffer.into())
            .map_err(|_| NoiseError::TooLong(len))?;
        Ok(tag.into())
    }
}

/// The counter as ChaChaPoly takes it: 32 zero bits, then little-endian (section 12.3).
fn nonce_bytes(n: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&n.to_le_bytes());
    nonce
}

impl fmt::Debug for CipherState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CipherState").field("k", &"[redacted]").field("n", &self.n).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (CipherState, CipherState) {
        (CipherState::initialize_key(&[7; 32]), CipherState::initialize_key(&[7; 32]))
    }

    fn sealed(sender: &mut CipherState, plaintext: &[u8]) -> Vec<u8> {
        let mut record = plaintext.to_vec();
        let tag = sender.encrypt_in_place(&mut record).unwrap();
        record.extend_from_slice(&tag);
        record
    }

    #[test]
    fn a_forged_record_does_not_move_the_counter() {
        let (mut sender, mut receiver) = pair();
        let record = sealed(&mut sender, b"genuine");
        for bit in 0..record.len() * 8 {
            let mut forged = record.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let as_it_came = forged.clone();
            assert_eq!(receiver.decrypt_in_place(&mut forged), Err(NoiseError::Decrypt), "bit {bit}");
            assert_eq!(forged, as_it_came);
            assert_eq!(receiver.nonce(), 0);
        }
        let mut genuine = record.clone();
        assert_eq!(receiver.decrypt_in_place(&mut genuine), Ok(7));
        assert_eq!((&genuine[..7], receiver.nonce()), (&b"genuine"[..], 1));
    }

    #[test]
    fn replayed_swapped_and_dropped_records_are_refused() {
        let (mut sender, mut receiver) = pair();
        let records: Vec<_> = (0..3).map(|n| sealed(&mut sender, &[n; 40])).collect();
        assert_eq!(receiver.decrypt_in_place(&mut records[1].clone()), Err(NoiseError::Decrypt));
        assert_eq!(receiver.decrypt_in_place(&mut records[0].clone()), Ok(40));
        assert_eq!(receiver.decrypt_in_place(&mut records[0].clone()), Err(NoiseError::Decrypt));
        assert_eq!(receiver.decrypt_in_place(&mut records[2].clone()), Err(NoiseError::Decrypt));
        assert_eq!(receiver.decrypt_in_place(&mut records[1].clone()), Ok(40));
        assert_eq!(receiver.nonce(), 2);
    }

    #[test]
    fn the_reserved_counter_is_never_used() {
        let (mut sender, mut receiver) = pair();
        sender.n = u64::MAX - 1;
        receiver.n = u64::MAX - 1;
        let mut last = sealed(&mut sender, b"last");
        assert_eq!(receiver.decrypt_in_place(&mut last.clone()), Ok(4));
        for _ in 0..2 {
            let mut buffer = *b"more";
            assert_eq!(sender.encrypt_in_place(&mut buffer), Err(NoiseError::NonceExhausted));
            assert_eq!((sender.nonce(), &buffer), (u64::MAX, b"more"));
            assert_eq!(receiver.decrypt_in_place(&mut last), Err(NoiseError::NonceExhausted));
        }
        sender.rekey().unwrap();
        assert_eq!(sender.encrypt_in_place(&mut [0]), Err(NoiseError::NonceExhausted));
    }

    #[test]
    fn lengths_from_nothing_to_65535_are_kept_to() {
        let (mut sender, mut receiver) = pair();
        for len in [0, 1, 16, 17, 65_518, 65_519] {
            let mut record = sealed(&mut sender, &vec![3; len]);
            assert_eq!(receiver.decrypt_in_place(&mut record), Ok(len));
        }
        let n = sender.nonce();
        assert_eq!(sender.encrypt_in_place(&mut vec![0; 65_520]), Err(NoiseError::TooLong(65_536)));
        assert_eq!(receiver.decrypt_in_place(&mut vec![0; 65_536]), Err(NoiseError::TooLong(65_536)));
        assert_eq!(receiver.decrypt_in_place(&mut vec![0; 65_535]), Err(NoiseError::Decrypt));
        for len in 0..16 {
            assert_eq!(receiver.decrypt_in_place(&mut vec![0; len]), Err(NoiseError::TooShort(len)));
        }
        assert_eq!((sender.nonce(), receiver.nonce()), (n, n));
    }

    #[test]
    fn a_new_key_opens_only_what_it_sealed_and_the_counter_goes_on() {
        let (mut sender, mut receiver) = pair();
        let mut before = sealed(&mut sender, b"before");
        sender.rekey().unwrap();
        assert_eq!(sender.nonce(), 1);
        let mut after = sealed(&mut sender, b"after");
        assert_eq!(receiver.decrypt_in_place(&mut before), Ok(6));
        assert_eq!(receiver.decrypt_in_place(&mut after), Err(NoiseError::Decrypt));
        receiver.rekey().unwrap();
        assert_eq!(receiver.decrypt_in_place(&mut after), Ok(5));
    }

    #[test]
    fn the_key_is_never_printed_and_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        // Fails to compile when the cipher's `zeroize` feature is lost.
        wiped::<ChaCha20Poly1305>();
        wiped::<CipherState>();
        let shown = format!("{:?} {:#?}", pair().0, pair().1);
        assert!(shown.contains("[redacted]") && !shown.contains("7, 7") && !shown.contains("0707"), "{shown}");
    }
}
