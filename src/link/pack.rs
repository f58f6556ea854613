//! Frames packed into records, in the place where they are sealed.

use super::record::{HEAD_LEN, MAX_PLAINTEXT, RecordSealer};
use super::{LinkError, spare};
use crate::noise::TAG_LEN;
use crate::wire::Frame;

/// The most that [`Frame::encode_head_into`] appends.
const MOST_HEAD: usize = 215;

/// Builds what one write sends. A frame's bytes are copied once: to where they are sealed.
///
/// Between writes it holds no memory; its buffer is [one that a thread's writers share](spare).
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
        if self.out.capacity() == 0 {
            self.out = spare::bytes();
        }
        let records = bytes / (MAX_PLAINTEXT / 2) + 1;
        let needed = bytes.saturating_add(records.saturating_mul(HEAD_LEN + TAG_LEN));
        // Few sizes, so that it seldom grows; and not twice what was ever needed, as it would by itself.
        let size = needed.checked_next_power_of_two().unwrap_or(needed);
        self.out.reserve_exact(size.saturating_sub(self.out.len()));
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

    /// What was given by [`finish`](Self::finish) is written: leaves the memory to the thread's next write.
    pub(super) fn clear(&mut self) {
        spare::give_bytes(std::mem::take(&mut self.out));
        self.record = None;
    }

    /// How much memory the buffer holds.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.out.capacity()
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::link::record::RecordOpener;
    use crate::link::record::tests::pair;
    use crate::wire::{FrameDecoder, Request, RequestNumber};

    fn packed(pack: &mut Pack, frames: &[Frame]) -> Vec<u8> {
        pack.reserve(frames.iter().map(Frame::encoded_len).sum());
        frames.iter().for_each(|frame| pack.put(frame).unwrap());
        let out = pack.finish().unwrap().to_vec();
        pack.clear();
        out
    }

    /// The plaintexts of the records.
    fn opened(opener: &mut RecordOpener, mut stream: &[u8]) -> Vec<Bytes> {
        let mut plaintexts = Vec::new();
        while let Some((head, rest)) = stream.split_first_chunk() {
            let (body, rest) = rest.split_at(RecordOpener::body_len(*head).unwrap());
            let mut body = body.to_vec();
            let len = opener.open(&mut body).unwrap();
            body.truncate(len);
            plaintexts.push(body.into());
            stream = rest;
        }
        plaintexts
    }

    fn decoded(chunks: impl IntoIterator<Item = Bytes>) -> Vec<Frame> {
        let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        decoder.finish().unwrap();
        frames
    }

    fn broadcast(len: usize) -> Frame {
        Frame::Broadcast(vec![7; len].into())
    }

    #[test]
    fn many_small_frames_share_a_record_and_none_is_cut() {
        let (sealer, mut opener) = pair();
        let mut pack = Pack::new(Some(sealer));
        let frames = vec![broadcast(300); 700];
        let stream = packed(&mut pack, &frames);
        let records = opened(&mut opener, &stream);
        assert_eq!(records.len(), 4);
        // Each holds whole frames: the receiver copies none of them.
        let in_each: Vec<_> = records.into_iter().map(|record| decoded([record]).len()).collect();
        assert_eq!(in_each, [214, 214, 214, 58]);
        assert_eq!(stream.len(), 700 * 305 + 4 * (HEAD_LEN + TAG_LEN));
    }

    #[test]
    fn what_fits_no_record_fills_records_to_the_brim() {
        let (sealer, mut opener) = pair();
        let mut pack = Pack::new(Some(sealer));
        let frames = vec![broadcast(131_000); 3];
        let records = opened(&mut opener, &packed(&mut pack, &frames));
        let lens: Vec<_> = records.iter().map(Bytes::len).collect();
        let most = MAX_PLAINTEXT;
        assert_eq!(lens, [most, most, most, most, most, 3 * 131_005 - 5 * most]);
        assert_eq!(decoded(records), frames);
    }

    #[test]
    fn a_head_may_run_over_the_end_of_a_record() {
        let request = Frame::Request(Request {
            number: RequestNumber::new(7).unwrap(),
            title: "t".repeat(200).parse().unwrap(),
            kind: Default::default(),
            last: true,
            bytes: vec![1; 65_400 - 215].into(),
        });
        for missing in 0..250 {
            let (sealer, mut opener) = pair();
            let mut pack = Pack::new(Some(sealer));
            let frames = [broadcast(MAX_PLAINTEXT - 5 - missing), request.clone(), broadcast(MAX_PLAINTEXT)];
            assert_eq!(decoded(opened(&mut opener, &packed(&mut pack, &frames))), frames, "{missing}");
        }
    }

    /// Where and in how much room a write of these stood.
    fn written_from(pack: &mut Pack, frames: &[Frame]) -> (*const u8, usize) {
        pack.reserve(frames.iter().map(Frame::encoded_len).sum());
        frames.iter().for_each(|frame| pack.put(frame).unwrap());
        let place = (pack.finish().unwrap().as_ptr(), pack.capacity());
        pack.clear();
        assert_eq!(pack.capacity(), 0);
        place
    }

    #[test]
    fn the_packs_of_a_thread_write_from_one_buffer_after_the_other_and_hold_none_between() {
        let frames = vec![broadcast(300); 300];
        let mut packs: Vec<_> = (0..3).map(|_| Pack::new(Some(pair().0))).collect();
        let places: Vec<_> =
            (0..5).flat_map(|_| packs.iter_mut().map(|pack| written_from(pack, &frames)).collect::<Vec<_>>()).collect();
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
        assert!(places[0].1 <= 128 * 1024);
    }

    #[test]
    fn large_writes_one_after_the_other_allocate_once() {
        let mut pack = Pack::new(Some(pair().0));
        // As large as a write of a link becomes: a batch of 256 KiB, and a frame more.
        let frames = vec![broadcast(131_000); 3];
        let (_, capacity) = written_from(&mut pack, &frames);
        for _ in 0..20 {
            let kept = spare::bytes();
            assert_eq!(kept.capacity(), capacity);
            pack.out = kept;
            written_from(&mut pack, &frames);
        }
    }

    #[test]
    fn the_end_of_a_handshake_stands_before_the_first_record() {
        let (sealer, mut opener) = pair();
        let mut pack = Pack::new(Some(sealer));
        pack.put_raw(b"message 3").unwrap();
        let stream = packed(&mut pack, &[Frame::Eager]);
        let records = opened(&mut opener, stream.strip_prefix(b"message 3").unwrap());
        assert_eq!(decoded(records), [Frame::Eager]);
    }

    #[test]
    fn without_records_frames_stand_on_the_stream_as_they_are() {
        let mut pack = Pack::new(None);
        let frames = [broadcast(100_000), Frame::Eager];
        assert_eq!(decoded([packed(&mut pack, &frames).into()]), frames);
        assert_eq!(pack.records(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_packed_is_what_comes_out(batches in vec(vec(0..131_386_usize, 0..8), 1..4), small in 0..300_usize) {
            let (sealer, mut opener) = pair();
            let mut pack = Pack::new(Some(sealer));
            let (mut frames, mut records) = (Vec::new(), Vec::new());
            for batch in batches {
                let batch: Vec<_> = batch.into_iter().flat_map(|len| [broadcast(len), broadcast(small)]).collect();
                let stream = packed(&mut pack, &batch);
                prop_assert!(stream.is_empty() == batch.is_empty());
                records.extend(opened(&mut opener, &stream));
                frames.extend(batch);
            }
            prop_assert_eq!(pack.records(), records.len() as u64);
            prop_assert_eq!(decoded(records), frames);
        }
    }
}
