//! What arrives on a link: opened, and cut into frames.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::LinkError;
use super::record::{HEAD_LEN, RENEW_FROM, RecordOpener};
use crate::wire::{Frame, FrameDecoder, FrameError, Kind};

/// What a link reads at once to begin with, and after being quiet: some frames of ids, or a few short messages.
const LEAST_READ: usize = 2 * 1024;

/// What a busy link reads at once: two full records.
const MOST_READ: usize = 128 * 1024;

/// A buffer up to this size is kept while nothing arrives; a larger one is given back.
const KEPT: usize = 2 * LEAST_READ;

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
    /// How much to read at once.
    size: usize,
    decoder: FrameDecoder,
    /// A record did not open: nothing behind it counts.
    broken: bool,
}

impl Reader {
    pub(super) fn new(read: Box<dyn AsyncRead + Send + Unpin>, opener: Option<RecordOpener>) -> Self {
        let decoder = FrameDecoder::new();
        Reader { read, opener, buffer: BytesMut::new(), size: LEAST_READ, decoder, broken: false }
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
        self.buffer.capacity().saturating_add(self.decoder.held_bytes())
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
                self.adapt(arrived, room);
                Poll::Ready(Ok(arrived))
            }
            Poll::Pending => {
                // An idle link holds no large buffer. To take it anew when something comes costs next to nothing.
                if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
                    self.buffer = BytesMut::new();
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
        } else {
            self.buffer.reserve(self.size);
        }
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
        if self.broken {
            self.buffer = BytesMut::new();
        }
        // How the stream was cut on its way must not decide which frames count: sound ones are given out first.
        !self.broken || opener.records() > before
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
