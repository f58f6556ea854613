//! What is sent on a link.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::outbox::Taken;
use super::pack::Pack;
use super::record::RecordSealer;
use super::{LinkError, Outbox, times};
use crate::wire::{Frame, Goodbye};

/// How much one write takes from the lanes, and at most a frame more: four full records. More would make a PING wait
/// behind it for longer and save nothing.
const BATCH: usize = 256 * 1024;

/// A buffer up to this size is kept while nothing is to be sent.
const KEPT: usize = 4 * 1024;

/// So long after the last write a larger buffer is given back. Messages that come ten times a second need not allocate.
const RELEASE_AFTER: Duration = Duration::from_secs(1);

/// The writing half of a link.
pub struct Writer {
    write: Box<dyn AsyncWrite + Send + Unpin>,
    pack: Pack,
}

impl Writer {
    pub(super) fn new(write: Box<dyn AsyncWrite + Send + Unpin>, sealer: Option<RecordSealer>) -> Self {
        Writer { write, pack: Pack::new(sealer) }
    }

    /// Sends what is pushed to `outbox`, one write a batch, until the outbox is closed or aborted. However this ends,
    /// also by being dropped, the outbox is closed and empty afterwards.
    ///
    /// After the good-bye only the sending direction is shut: read on until the peer closes too, for a second perhaps.
    /// Closing with something unread makes the operating system throw away what the peer has not taken yet.
    ///
    /// # Errors
    /// [`LinkError::Stuck`] if the peer takes no byte for [`times::PROGRESS`]; [`LinkError::Closed`] or
    /// [`LinkError::Io`]; [`LinkError::RecordsUsedUp`].
    pub async fn run(mut self, outbox: Outbox) -> Result<(), LinkError> {
        let end = EndOfOutbox(&outbox);
        tokio::select! {
            biased;
            ended = self.drain(end.0) => ended,
            () = outbox.aborted() => Ok(()),
        }
    }

    async fn drain(&mut self, outbox: &Outbox) -> Result<(), LinkError> {
        let mut frames = Vec::new();
        loop {
            match outbox.take(&mut frames, BATCH) {
                Taken::Frames => {
                    self.pack.reserve(frames.iter().map(Frame::encoded_len).sum());
                    frames.iter().try_for_each(|frame| self.pack.put(frame))?;
                    // What was copied need not be held while it is written.
                    frames.clear();
                    self.write_out().await?;
                    outbox.count_records(self.pack.records());
                }
                Taken::Nothing => self.rest(outbox, &mut frames).await,
                Taken::End(goodbye) => {
                    if let Some(goodbye) = goodbye {
                        self.pack.put(&Frame::Goodbye(goodbye))?;
                        self.write_out().await?;
                    }
                    return self.shut().await;
                }
                Taken::Abort => return Ok(()),
            }
        }
    }

    /// Waits for frames. A link that stays idle holds no large buffer.
    async fn rest(&mut self, outbox: &Outbox, frames: &mut Vec<Frame>) {
        if self.pack.capacity() > KEPT {
            if timeout(RELEASE_AFTER, outbox.filled()).await.is_ok() {
                return;
            }
            self.pack.release();
            *frames = Vec::new();
            outbox.shrink();
        }
        outbox.filled().await;
    }

    /// Sends one frame, behind bytes that stand before all records.
    pub(super) async fn send_first(&mut self, before: &[u8], frame: &Frame) -> Result<(), LinkError> {
        self.pack.put_raw(before)?;
        self.pack.put(frame)?;
        self.write_out().await
    }

    /// Sends bytes that stand before all records.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.pack.put_raw(bytes)?;
        self.write_out().await
    }

    /// Says good-bye and shuts the sending direction.
    pub(super) async fn say_goodbye(&mut self, goodbye: Goodbye) -> Result<(), LinkError> {
        self.send_first(&[], &Frame::Goodbye(goodbye)).await?;
        self.shut().await
    }

    /// Writes what is packed, as long as the peer takes something.
    async fn write_out(&mut self) -> Result<(), LinkError> {
        let mut rest = self.pack.finish()?;
        while !rest.is_empty() {
            let written = timeout(times::PROGRESS, self.write.write(rest)).await.map_err(|_| LinkError::Stuck)??;
            if written == 0 {
                return Err(LinkError::Closed);
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        // Nothing on a socket; a channel of somebody's own may hold bytes back until then.
        timeout(times::PROGRESS, self.write.flush()).await.map_err(|_| LinkError::Stuck)??;
        self.pack.clear();
        Ok(())
    }

    async fn shut(&mut self) -> Result<(), LinkError> {
        Ok(timeout(times::PROGRESS, self.write.shutdown()).await.map_err(|_| LinkError::Stuck)??)
    }
}

/// Ends the outbox when its writer ends: returned, failed or dropped.
struct EndOfOutbox<'a>(&'a Outbox);

impl Drop for EndOfOutbox<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("records", &self.pack.records()).finish_non_exhaustive()
    }
}
