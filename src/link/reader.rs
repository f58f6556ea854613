//! What arrives on a link: opened, and cut into frames.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::record::{HEAD_LEN, RENEW_FROM, RecordOpener};
use super::{LinkError, Meter};
use crate::wire::{Frame, FrameDecoder, FrameError, Kind};

/// What a link reads at once to begin with, and after being quiet: some frames of ids, or a few short messages.
const LEAST_READ: usize = 2 * 1024;

/// What a busy link reads at once: two full records.
const MOST_READ: usize = 128 * 1024;

/// The reading half of a link.
///
/// ```no_run
/// # async fn read(mut reader: sealnet::link::Reader) -> Result<(), sealnet::link::LinkError> {
/// loop {
///     // First what is there: the peer's first frames may have come together with its HELLO.
///     while let Some(frame) = reader.next_frame()? {
///         println!("{frame:?}");
///     }
///     if !reader.fill().await? {
///         return Ok(()); // the stream ended where it may end
///     }
/// }
/// # }
/// ```
pub struct Reader {
    read: Box<dyn AsyncRead + Send + Unpin>,
    opener: Option<RecordOpener>,
    /// What has arrived and is no whole record yet; always empty without records.
    buffer: BytesMut,
    /// How large the memory behind `buffer` is, the parts that were handed on included.
    allocated: usize,
    /// How much to read at once.
    size: usize,
    decoder: FrameDecoder,
    /// A record did not open: nothing behind it counts.
    broken: bool,
    meter: Arc<Meter>,
}

impl Reader {
    pub(super) fn new(read: Box<dyn AsyncRead + Send + Unpin>, opener: Option<RecordOpener>) -> Self {
        let decoder = FrameDecoder::new();
        let (buffer, meter) = (BytesMut::new(), Arc::default());
        Reader { read, opener, buffer, allocated: 0, size: LEAST_READ, decoder, broken: false, meter }
    }

    /// Counts what arrives with `meter` from now on, and what has arrived so far.
    pub fn count_with(&mut self, meter: Arc<Meter>) {
        meter.add(self.meter.traffic());
        self.meter = meter;
    }

    /// Waits for bytes, reads once, and opens the records that are whole, in place. `false` means that the peer ended
    /// the stream where it may end; `true` that it is worth asking [`next_frame`](Self::next_frame).
    ///
    /// Take all frames before the next call: least memory is held then, and a stream that ends with frames not taken
    /// counts as cut off. Nothing is lost if the call is dropped half-way.
    ///
    /// # Errors
    /// [`LinkError::Record`] if a record does not open (frames of the records before it still come first),
    /// [`LinkError::Frame`] if the stream ended within a frame, [`LinkError::Closed`] or [`LinkError::Io`].
    pub async fn fill(&mut self) -> Result<bool, LinkError> {
        if self.broken {
            return Err(LinkError::Record);
        }
        let arrived = poll_fn(|cx| self.poll_read(cx)).await?;
        if arrived == 0 {
            let within = !self.buffer.is_empty() || self.decoder.is_mid_frame();
            return if within { Err(FrameError::CutOff.into()) } else { Ok(false) };
        }
        if self.open_records() { Ok(true) } else { Err(LinkError::Record) }
    }

    /// The next whole frame; `None` when more has to arrive first.
    ///
    /// # Errors
    /// [`LinkError::Frame`], or [`LinkError::UnexpectedFrame`] for another HELLO.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, LinkError> {
        match self.decoder.next_frame()? {
            Some(Frame::Hello(_)) => Err(LinkError::UnexpectedFrame(Kind::Hello)),
            None if self.decoder.kind_in_progress() == Some(Kind::Hello) => {
                Err(LinkError::UnexpectedFrame(Kind::Hello))
            }
            frame => Ok(frame),
        }
    }

    /// How many records this direction has carried; 0 on a link without records.
    pub fn records(&self) -> u64 {
        self.opener.as_ref().map_or(0, RecordOpener::records)
    }

    /// Whether so many records have come that the link should be renewed. Its age is the node's to judge.
    pub fn needs_renewal(&self) -> bool {
        self.records() >= RENEW_FROM
    }

    /// How many bytes of memory the reader holds for what is not yet a frame, spare room included.
    pub fn held_bytes(&self) -> usize {
        self.allocated.saturating_add(self.decoder.held_bytes())
    }

    pub(super) fn decoder(&mut self) -> &mut FrameDecoder {
        &mut self.decoder
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, LinkError>> {
        self.make_room();
        let room = self.buffer.capacity().saturating_sub(self.buffer.len());
        // This future has no state of its own: while nothing has arrived, nothing is in the buffer.
        let polled = pin!(self.read.read_buf(&mut self.buffer)).poll(cx);
        match polled {
            Poll::Ready(arrived) => {
                let arrived = arrived?;
                self.meter.read(arrived);
                self.adapt(arrived, room);
                Poll::Ready(Ok(arrived))
            }
            Poll::Pending => {
                // An idle link holds no buffer. To take it anew when something comes costs next to nothing.
                if self.buffer.is_empty() {
                    self.release();
                }
                Poll::Pending
            }
        }
    }

    /// Makes room for the next read. The memory follows what has arrived, never what a record announces.
    fn make_room(&mut self) {
        let room = self.buffer.capacity().saturating_sub(self.buffer.len());
        // What is left behind frames that are still in use is used up first, as long as it is worth a read.
        if room >= self.size / 2 || self.buffer.try_reclaim(self.size) {
            return;
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::with_capacity(self.size);
            self.allocated = self.buffer.capacity();
        } else {
            self.buffer.reserve(self.size);
            self.allocated = self.allocated.max(self.buffer.capacity());
        }
    }

    fn release(&mut self) {
        self.buffer = BytesMut::new();
        self.allocated = 0;
    }

    /// Reads that come back full ask for longer ones, short ones for shorter ones.
    fn adapt(&mut self, arrived: usize, room: usize) {
        if arrived >= room {
            self.size = self.size.saturating_mul(2).min(MOST_READ);
        } else if arrived < self.size / 4 {
            self.size = (self.size / 2).max(LEAST_READ);
        }
    }

    /// Opens the whole records in the buffer and hands their plaintext on; `false` if nothing came out of it but the
    /// knowledge that the stream was altered.
    fn open_records(&mut self) -> bool {
        let Some(opener) = &mut self.opener else {
            self.decoder.push(self.buffer.split());
            return true;
        };
        let before = opener.records();
        while let Some(head) = self.buffer.first_chunk::<HEAD_LEN>() {
            let Ok(len) = RecordOpener::body_len(*head) else {
                self.broken = true;
                break;
            };
            if self.buffer.len() < HEAD_LEN.saturating_add(len) {
                break;
            }
            self.buffer.advance(HEAD_LEN);
            let mut body = self.buffer.split_to(len);
            let Ok(plaintext) = opener.open(&mut body) else {
                self.broken = true;
                break;
            };
            body.truncate(plaintext);
            self.decoder.push(body);
        }
        // How the stream was cut on its way must not decide which frames count: sound ones are given out first.
        let worth_asking = !self.broken || opener.records() > before;
        if self.broken {
            self.release();
        }
        worth_asking
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("opener", &self.opener)
            .field("buffered", &self.buffer.len())
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex, split};

    use super::*;
    use crate::link::record::tests::{pair, sealed};
    use crate::wire::Goodbye;

    fn encoded(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode_into(&mut bytes).unwrap());
        bytes
    }

    /// A reader without records, and what it reads from.
    fn plain() -> (Reader, DuplexStream) {
        let (here, there) = duplex(1 << 20);
        (Reader::new(Box::new(split(here).0), None), there)
    }

    async fn next(reader: &mut Reader) -> Result<Option<Frame>, LinkError> {
        loop {
            match reader.next_frame()? {
                Some(frame) => return Ok(Some(frame)),
                None if !reader.fill().await? => return Ok(None),
                None => {}
            }
        }
    }

    /// Lets the reader find out that nothing more has come.
    async fn is_pending(reader: &mut Reader) -> bool {
        tokio::time::timeout(std::time::Duration::from_secs(1), reader.fill()).await.is_err()
    }

    fn broadcast(len: usize) -> Frame {
        Frame::Broadcast(vec![7; len].into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_link_holds_little_memory_whatever_it_read_before() {
        let (mut reader, mut peer) = plain();
        for _ in 0..40 {
            let burst = encoded(&vec![broadcast(1_000); 500]);
            peer.write_all(&burst).await.unwrap();
            for _ in 0..500 {
                next(&mut reader).await.unwrap().unwrap();
            }
        }
        assert_eq!(reader.size, MOST_READ);
        assert!(is_pending(&mut reader).await);
        assert_eq!(reader.held_bytes(), 0);

        // Little by little it also asks for less again.
        for _ in 0..10 {
            peer.write_all(&encoded(&[Frame::Eager])).await.unwrap();
            assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Eager));
        }
        assert_eq!(reader.size, LEAST_READ);
        assert!(is_pending(&mut reader).await);
        assert_eq!(reader.held_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_link_reads_many_frames_at_once_without_copying_them() {
        let (mut reader, mut peer) = plain();
        let stream = encoded(&vec![broadcast(300); 3_000]);
        peer.write_all(&stream).await.unwrap();
        let (mut fills, mut frames) = (0, Vec::new());
        while frames.len() < 3_000 {
            assert!(reader.fill().await.unwrap());
            fills += 1;
            while let Some(frame) = reader.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        // 915,000 bytes: 2, 4, 8 … 128 KiB, then 128 KiB at a time.
        assert!(fills <= 14, "{fills}");
        let Frame::Broadcast(a) = &frames[2_000] else { panic!() };
        let Frame::Broadcast(b) = &frames[2_001] else { panic!() };
        assert_eq!(b.as_ptr() as usize - a.as_ptr() as usize, 305);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_follows_what_arrived_and_not_what_was_announced() {
        let (mut sealer, opener) = pair();
        let (here, mut peer) = duplex(1 << 20);
        let mut reader = Reader::new(Box::new(split(here).0), Some(opener));
        // A record of 65,535 bytes, in it the head of the largest frame, a few bytes at a time.
        let frame = encoded(&[broadcast(131_000)]);
        let record = sealed(&mut sealer, &frame[..65_519]);
        for (at, piece) in record.chunks(100).enumerate() {
            peer.write_all(piece).await.unwrap();
            assert!(reader.fill().await.unwrap());
            assert_eq!(reader.next_frame().unwrap(), None);
            assert!(reader.held_bytes() <= 3 * 100 * (at + 1) + 2 * LEAST_READ, "{at}: {}", reader.held_bytes());
        }
        assert!(is_pending(&mut reader).await);
        assert!(reader.held_bytes() <= 2 * 65_535);
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_mebibyte_is_refused_by_its_head_and_blames_the_peer() {
        for kind in [Kind::Broadcast, Kind::Ping, Kind::from_byte(0x80).unwrap()] {
            let (mut reader, mut peer) = plain();
            peer.write_all(&[0, 0x10, 0, 0, kind.as_byte()]).await.unwrap();
            let error = next(&mut reader).await.unwrap_err();
            assert!(matches!(error, LinkError::Frame(FrameError::TooLong { .. })) && error.blames_peer(), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickled_frame_comes_out_whole_or_not_at_all() {
        let (mut reader, mut peer) = plain();
        let stream = encoded(&[broadcast(2_000)]);
        for byte in &stream[..stream.len() - 1] {
            peer.write_all(&[*byte]).await.unwrap();
            assert!(reader.fill().await.unwrap());
            assert_eq!(reader.next_frame().unwrap(), None);
        }
        drop(peer);
        let error = reader.fill().await.unwrap_err();
        assert!(matches!(error, LinkError::Frame(FrameError::CutOff)) && !error.blames_peer());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_end_between_frames_and_nowhere_else() {
        let (mut sealer, opener) = pair();
        let (here, mut peer) = duplex(1 << 20);
        let mut reader = Reader::new(Box::new(split(here).0), Some(opener));
        let record = sealed(&mut sealer, &encoded(&[Frame::Eager]));
        peer.write_all(&record).await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Eager));
        assert!(next(&mut reader).await.unwrap().is_none());
        for end in 1..record.len() {
            let (_, opener) = pair();
            let mut reader = Reader::new(Box::new(std::io::Cursor::new(record[..end].to_vec())), Some(opener));
            assert!(matches!(next(&mut reader).await, Err(LinkError::Frame(FrameError::CutOff))), "{end}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_before_a_record_that_does_not_open_still_count() {
        for cut in [1, 10, 26, 40, 1_000] {
            let (mut sealer, opener) = pair();
            let good = sealed(&mut sealer, &encoded(&[Frame::Eager, Frame::Lazy]));
            let mut bad = sealed(&mut sealer, &encoded(&[Frame::Eager]));
            bad[5] ^= 1;
            let behind = sealed(&mut sealer, &encoded(&[Frame::Eager]));
            let stream = [good, bad, behind].concat();
            let (here, mut peer) = duplex(cut);
            let mut reader = Reader::new(Box::new(split(here).0), Some(opener));
            let feed = tokio::spawn(async move { peer.write_all(&stream).await });
            assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Eager));
            assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Lazy));
            for _ in 0..3 {
                let error = next(&mut reader).await.unwrap_err();
                assert!(matches!(error, LinkError::Record) && !error.blames_peer(), "{cut}: {error}");
            }
            feed.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn impossible_lengths_are_refused_before_anything_else_is_read() {
        for len in 0..17_u16 {
            let (_, opener) = pair();
            let (here, mut peer) = duplex(1 << 10);
            let mut reader = Reader::new(Box::new(split(here).0), Some(opener));
            peer.write_all(&len.to_be_bytes()).await.unwrap();
            assert!(matches!(reader.fill().await, Err(LinkError::Record)), "{len}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_hello_is_refused_by_its_head() {
        let (mut reader, mut peer) = plain();
        let stream = encoded(&[Frame::Eager, Frame::Hello(vec![b' '; 100].into())]);
        peer.write_all(&stream[..10]).await.unwrap();
        assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Eager));
        let error = next(&mut reader).await.unwrap_err();
        assert!(matches!(error, LinkError::UnexpectedFrame(Kind::Hello)) && error.blames_peer());
        // A good-bye may come at any time.
        let (mut reader, mut peer) = plain();
        let goodbye = Frame::Goodbye(Goodbye::new(crate::wire::GoodbyeCode::Idle, ""));
        peer.write_all(&encoded(std::slice::from_ref(&goodbye))).await.unwrap();
        assert_eq!(next(&mut reader).await.unwrap(), Some(goodbye));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_fill_loses_nothing() {
        let (mut reader, mut peer) = plain();
        for round in 0..50_u8 {
            assert!(is_pending(&mut reader).await);
            let stream = encoded(&[Frame::Ping([round; 8])]);
            let (first, second) = stream.split_at(usize::from(round) % stream.len());
            peer.write_all(first).await.unwrap();
            if !first.is_empty() {
                assert!(reader.fill().await.unwrap());
            }
            assert!(is_pending(&mut reader).await);
            peer.write_all(second).await.unwrap();
            assert_eq!(next(&mut reader).await.unwrap(), Some(Frame::Ping([round; 8])));
        }
    }
}
