//! Frames packed into records, in the place where they are sealed.

use super::LinkError;
use super::record::{HEAD_LEN, MAX_PLAINTEXT, RecordSealer};
use crate::noise::TAG_LEN;
use crate::wire::Frame;

/// The most that [`Frame::encode_head_into`] appends.
const MOST_HEAD: usize = 215;

/// Builds what one write sends. A frame's bytes are copied once: to where they are sealed.
///
/// Its buffer is used again and again; after the first writes nothing is allocated for a record.
pub(super) struct Pack {
    sealer: Option<RecordSealer>,
    out: Vec<u8>,
    /// Where the record in progress begins in `out`, its length first.
    record: Option<usize>,
    /// For the few heads that run over a record's end.
    head: Vec<u8>,
}

impl Pack {
    pub(super) fn new(sealer: Option<RecordSealer>) -> Self {
        Pack { sealer, out: Vec::new(), record: None, head: Vec::new() }
    }

    /// Begins with bytes that stand before all records: the end of a handshake.
    pub(super) fn put_raw(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.seal()?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes room for frames of so many bytes, so that the buffer grows once.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let records = bytes / (MAX_PLAINTEXT / 2) + 1;
        self.out.reserve(bytes.saturating_add(records.saturating_mul(HEAD_LEN + TAG_LEN)));
    }

    /// Appends a frame.
    pub(super) fn put(&mut self, frame: &Frame) -> Result<(), LinkError> {
        let len = frame.encoded_len();
        // A frame that lies within one record is read without a copy; a record costs 18 bytes.
        if len > self.room() && len <= MAX_PLAINTEXT && self.room() <= MAX_PLAINTEXT / 2 {
            self.seal()?;
        }
        let rest = if self.sealer.is_none() || self.room() > MOST_HEAD {
            self.begin();
            frame.encode_head_into(&mut self.out)
        } else {
            let mut head = std::mem::take(&mut self.head);
            head.clear();
            let rest = frame.encode_head_into(&mut head);
            let put = self.append(&head);
            self.head = head;
            put?;
            rest
        };
        match rest {
            Ok(rest) => self.append(rest),
            // The outbox has looked at the length before.
            Err(too_long) => {
                debug_assert!(false, "{too_long}");
                Ok(())
            }
        }
    }

    /// Seals the record in progress and gives what is to be written.
    pub(super) fn finish(&mut self) -> Result<&[u8], LinkError> {
        self.seal()?;
        Ok(&self.out)
    }

    /// What was given by [`finish`](Self::finish) is written: begins anew in the same memory.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.record = None;
    }

    /// How much memory the buffer holds.
    pub(super) fn capacity(&self) -> usize {
        self.out.capacity()
    }

    /// Gives the buffer's memory back.
    pub(super) fn release(&mut self) {
        self.out = Vec::new();
        self.record = None;
    }

    /// How many records were sealed.
    pub(super) fn records(&self) -> u64 {
        self.sealer.as_ref().map_or(0, RecordSealer::records)
    }

    /// How many bytes still go into the record in progress or the next one.
    fn room(&self) -> usize {
        self.record.map_or(MAX_PLAINTEXT, |begin| (begin + HEAD_LEN + MAX_PLAINTEXT).saturating_sub(self.out.len()))
    }

    fn begin(&mut self) {
        if self.sealer.is_some() && self.record.is_none() {
            self.record = Some(self.out.len());
            self.out.extend_from_slice(&[0; HEAD_LEN]);
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        if self.sealer.is_none() {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            self.begin();
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.out.extend_from_slice(now);
            bytes = later;
            if self.room() == 0 {
                self.seal()?;
            }
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), LinkError> {
        if let (Some(sealer), Some(begin)) = (&mut self.sealer, self.record.take()) {
            self.out.extend_from_slice(&[0; TAG_LEN]);
            sealer.seal(self.out.get_mut(begin..).unwrap_or_default())?;
        }
        Ok(())
    }
}
