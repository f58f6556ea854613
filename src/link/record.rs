//! Records: the pieces in which a secure link's stream is sealed (protocol, section 3).
//!
//! `u16 length ‖ Noise transport message`. Each direction has a key of its own, which both ends replace after every
//! 65,536 records. The two halves are separate types: a reader cannot seal and a writer cannot open.

use std::fmt;

use crate::noise::{CipherState, NoiseError, TAG_LEN};

/// The bytes before a record's body: its length.
pub const HEAD_LEN: usize = 2;

/// The most bytes of the stream that one record holds.
pub const MAX_PLAINTEXT: usize = 65_535 - TAG_LEN;

/// The shortest body: one byte and its tag. Empty records do not exist; they would be work for nothing.
pub const MIN_BODY: usize = 1 + TAG_LEN;

/// After how many records a direction changes its key: the protocol's number. Who takes a key out of memory can read
/// what came since the last change, not what came before.
pub const REKEY_EVERY: u64 = 65_536;

/// No direction seals more records than this; the link is renewed before, with new ephemeral keys.
pub const MAX_RECORDS: u64 = 1 << 32;

/// From this record on the link asks to be renewed: hours before the last one at any rate a machine reaches today.
pub const RENEW_FROM: u64 = MAX_RECORDS - (1 << 28);

/// A record cannot be sealed or does not open. It says nothing about whose doing that is: whoever sits on the path can
/// bring it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The body is shorter than 17 bytes, or the plaintext to seal is empty or longer than 65,519.
    #[error("a record's plaintext has 1 to {MAX_PLAINTEXT} bytes")]
    Length,
    /// It was not sealed as this direction's next record.
    #[error("the record does not open; it was altered, replayed or reordered on the way")]
    Open,
    /// This direction has sealed as many records as it may.
    #[error("this direction has sealed {MAX_RECORDS} records; open a new link")]
    UsedUp,
}

/// Seals one direction's records, one after another.
pub struct RecordSealer(CipherState);

/// Opens one direction's records, one after another.
pub struct RecordOpener(CipherState);

impl RecordSealer {
    /// The sealing half of what a handshake left: [`TransportState::sender`](crate::noise::TransportState::sender).
    pub fn new(sender: CipherState) -> Self {
        RecordSealer(sender)
    }

    /// Seals a record in the place where it was built: two bytes for its length, the plaintext, 16 bytes for the tag.
    ///
    /// # Errors
    /// [`RecordError::Length`] or [`RecordError::UsedUp`]; nothing is sealed then.
    pub fn seal(&mut self, record: &mut [u8]) -> Result<(), RecordError> {
        if self.0.nonce() >= MAX_RECORDS {
            return Err(RecordError::UsedUp);
        }
        let (head, body) = record.split_first_chunk_mut::<HEAD_LEN>().ok_or(RecordError::Length)?;
        let len = u16::try_from(body.len()).map_err(|_| RecordError::Length)?;
        let (plaintext, tag) = body.split_last_chunk_mut::<TAG_LEN>().ok_or(RecordError::Length)?;
        if plaintext.is_empty() {
            return Err(RecordError::Length);
        }
        *tag = self.0.encrypt_in_place(plaintext).map_err(|_| RecordError::Length)?;
        *head = len.to_be_bytes();
        rekey_when_due(&mut self.0).map_err(|_| RecordError::UsedUp)
    }

    /// How many records were sealed.
    pub fn records(&self) -> u64 {
        self.0.nonce()
    }
}

impl RecordOpener {
    /// The opening half of what a handshake left: [`TransportState::receiver`](crate::noise::TransportState::receiver).
    pub fn new(receiver: CipherState) -> Self {
        RecordOpener(receiver)
    }

    /// The length of the body that this head announces.
    ///
    /// # Errors
    /// [`RecordError::Length`] below 17.
    pub fn body_len(head: [u8; HEAD_LEN]) -> Result<usize, RecordError> {
        let len = usize::from(u16::from_be_bytes(head));
        if len < MIN_BODY { Err(RecordError::Length) } else { Ok(len) }
    }

    /// Opens a record's body in place and returns the length of the plaintext that it now begins with.
    ///
    /// # Errors
    /// [`RecordError::Length`] or [`RecordError::Open`]; body and counter are then as they were.
    pub fn open(&mut self, body: &mut [u8]) -> Result<usize, RecordError> {
        if body.len() < MIN_BODY {
            return Err(RecordError::Length);
        }
        let len = self.0.decrypt_in_place(body).map_err(|_| RecordError::Open)?;
        rekey_when_due(&mut self.0).map_err(|_| RecordError::Open)?;
        Ok(len)
    }

    /// How many records were opened.
    pub fn records(&self) -> u64 {
        self.0.nonce()
    }
}

fn rekey_when_due(cipher: &mut CipherState) -> Result<(), NoiseError> {
    if cipher.nonce().is_multiple_of(REKEY_EVERY) { cipher.rekey() } else { Ok(()) }
}

impl fmt::Debug for RecordSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSealer").field("records", &self.records()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordOpener").field("records", &self.records()).finish_non_exhaustive()
    }
}
