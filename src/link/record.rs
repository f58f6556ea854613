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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::noise::{Builder, TransportState};

    fn transport() -> (TransportState, TransportState) {
        let mut ours = Builder::new("NN".parse().unwrap()).initiator().unwrap();
        let mut theirs = Builder::new("NN".parse().unwrap()).responder().unwrap();
        let mut message = Vec::new();
        ours.write_message(&[], &mut message).unwrap();
        theirs.read_message(&message, &mut Vec::new()).unwrap();
        message.clear();
        theirs.write_message(&[], &mut message).unwrap();
        ours.read_message(&message, &mut Vec::new()).unwrap();
        (ours.into_transport().unwrap(), theirs.into_transport().unwrap())
    }

    /// The two ends of one direction.
    pub(in crate::link) fn pair() -> (RecordSealer, RecordOpener) {
        let (ours, theirs) = transport();
        (RecordSealer::new(ours.sender), RecordOpener::new(theirs.receiver))
    }

    /// A whole record.
    pub(in crate::link) fn sealed(sealer: &mut RecordSealer, plaintext: &[u8]) -> Vec<u8> {
        let mut record = [&[0; HEAD_LEN], plaintext, &[0; TAG_LEN]].concat();
        sealer.seal(&mut record).unwrap();
        record
    }

    fn opened(opener: &mut RecordOpener, record: &[u8]) -> Result<Vec<u8>, RecordError> {
        let (head, body) = record.split_first_chunk().unwrap();
        assert_eq!(RecordOpener::body_len(*head), Ok(body.len()));
        let mut body = body.to_vec();
        let len = opener.open(&mut body)?;
        body.truncate(len);
        Ok(body)
    }

    #[test]
    fn every_length_from_one_byte_to_the_most_goes_through() {
        let (mut sealer, mut opener) = pair();
        for len in [1, 2, 100, 65_518, MAX_PLAINTEXT] {
            let record = sealed(&mut sealer, &vec![5; len]);
            assert_eq!(record.len(), HEAD_LEN + len + TAG_LEN);
            assert_eq!(opened(&mut opener, &record).unwrap(), vec![5; len]);
        }
        assert_eq!((sealer.records(), opener.records()), (5, 5));
    }

    #[test]
    fn no_other_length_is_sealed_or_opened() {
        let (mut sealer, mut opener) = pair();
        for len in (0..HEAD_LEN + MIN_BODY).chain([HEAD_LEN + MAX_PLAINTEXT + 1 + TAG_LEN, 100_000]) {
            assert_eq!(sealer.seal(&mut vec![0; len]), Err(RecordError::Length), "{len}");
        }
        for len in 0..MIN_BODY {
            assert_eq!(opener.open(&mut vec![0; len]), Err(RecordError::Length));
            assert_eq!(RecordOpener::body_len(u16::try_from(len).unwrap().to_be_bytes()), Err(RecordError::Length));
        }
        assert_eq!((sealer.records(), opener.records()), (0, 0));
        assert_eq!(RecordOpener::body_len([0, 17]), Ok(17));
        assert_eq!(RecordOpener::body_len([0xFF, 0xFF]), Ok(65_535));
    }

    #[test]
    fn a_forged_record_moves_nothing() {
        let (mut sealer, mut opener) = pair();
        let record = sealed(&mut sealer, b"the genuine one");
        for bit in 0..(record.len() - HEAD_LEN) * 8 {
            let mut forged = record.clone();
            forged[HEAD_LEN + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&mut opener, &forged), Err(RecordError::Open), "bit {bit}");
        }
        assert_eq!(opened(&mut opener, &record).unwrap(), b"the genuine one");
    }

    #[test]
    fn replayed_swapped_dropped_and_foreign_records_do_not_open() {
        let (mut sealer, mut opener) = pair();
        let records = [b"a", b"b", b"c"].map(|text| sealed(&mut sealer, text));
        assert_eq!(opened(&mut opener, &records[1]), Err(RecordError::Open));
        opened(&mut opener, &records[0]).unwrap();
        assert_eq!(opened(&mut opener, &records[0]), Err(RecordError::Open));
        assert_eq!(opened(&mut opener, &records[2]), Err(RecordError::Open));
        opened(&mut opener, &records[1]).unwrap();
        let (mut other, _) = pair();
        sealed(&mut other, b"a");
        sealed(&mut other, b"b");
        assert_eq!(opened(&mut opener, &sealed(&mut other, b"c")), Err(RecordError::Open));
        // What this end sent itself is of the other direction.
        let (ours, _) = transport();
        let (mut sealer, mut opener) = (RecordSealer::new(ours.sender), RecordOpener::new(ours.receiver));
        assert_eq!(opened(&mut opener, &sealed(&mut sealer, b"echo")), Err(RecordError::Open));
    }

    #[test]
    fn both_ends_change_the_key_after_every_65536_records_and_count_on() {
        let (ours, theirs) = transport();
        // The other end done by hand, as the protocol page says it.
        let (mut sealer, mut by_hand) = (RecordSealer::new(ours.sender), theirs.receiver);
        let (mut sealed_by_hand, mut opener) = (theirs.sender, RecordOpener::new(ours.receiver));
        for i in 0..200_000_u64 {
            let mut record = sealed(&mut sealer, &i.to_be_bytes());
            let len = by_hand.decrypt_in_place(&mut record[HEAD_LEN..]).unwrap();
            assert_eq!(record[HEAD_LEN..HEAD_LEN + len], i.to_be_bytes());

            let mut body = [i.to_be_bytes().to_vec(), vec![0; TAG_LEN]].concat();
            let (plaintext, tag) = body.split_last_chunk_mut::<TAG_LEN>().unwrap();
            *tag = sealed_by_hand.encrypt_in_place(plaintext).unwrap();
            assert_eq!(opener.open(&mut body), Ok(8));

            if (i + 1) % 65_536 == 0 {
                by_hand.rekey().unwrap();
                sealed_by_hand.rekey().unwrap();
            }
        }
        assert_eq!((sealer.records(), opener.records()), (200_000, 200_000));
    }

    #[test]
    fn an_end_that_forgets_to_change_the_key_is_noticed() {
        let (ours, theirs) = transport();
        let (mut sealer, mut forgetful) = (RecordSealer::new(ours.sender), theirs.receiver);
        for i in 0..=REKEY_EVERY {
            let opened = forgetful.decrypt_in_place(&mut sealed(&mut sealer, b"x")[HEAD_LEN..]);
            assert_eq!(opened.is_ok(), i < REKEY_EVERY, "{i}");
        }
    }
}
