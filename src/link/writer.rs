//! What is sent on a link.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::outbox::Taken;
use super::pack::Pack;
use super::record::RecordSealer;
use super::{LinkError, Meter, Outbox, spare, times};
use crate::wire::{Frame, Goodbye};

/// How much one write takes from the lanes, and at most a frame more: four full records. More would make a PING wait
/// behind it for longer and save nothing.
const BATCH: usize = 256 * 1024;

/// The writing half of a link.
pub struct Writer {
    write: Box<dyn AsyncWrite + Send + Unpin>,
    pack: Pack,
    meter: Arc<Meter>,
    /// How many of the bytes to be written next are the handshake's; the other end does not count them either.
    uncounted: usize,
}

impl Writer {
    pub(super) fn new(write: Box<dyn AsyncWrite + Send + Unpin>, sealer: Option<RecordSealer>) -> Self {
        Writer { write, pack: Pack::new(sealer), meter: Arc::default(), uncounted: 0 }
    }

    /// Counts what is sent with `meter` from now on, and what was sent so far.
    pub fn count_with(&mut self, meter: Arc<Meter>) {
        meter.add(self.meter.traffic());
        self.meter = meter;
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
    pub fn run(mut self, outbox: Outbox) -> impl Future<Output = Result<(), LinkError>> + Send {
        let end = EndOfOutbox(outbox);
        // Not an `async fn`, which would hold the writer twice.
        async move {
            tokio::select! {
                biased;
                ended = self.drain(&end.0) => ended,
                () = end.0.aborted() => Ok(()),
            }
        }
    }

    async fn drain(&mut self, outbox: &Outbox) -> Result<(), LinkError> {
        loop {
            match self.pack_batch(outbox)? {
                Taken::Frames => {
                    self.write_out().await?;
                    outbox.count_records(self.pack.records());
                }
                Taken::Nothing => {
                    // A link that has nothing to send holds no buffer.
                    outbox.filled().await;
                    // Whatever else is ready to run may have more for this link: one record and one system call for all of
                    // it. Where nothing is, this returns at once.
                    tokio::task::yield_now().await;
                }
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

    /// Packs what waits, up to a batch. What was copied is not held while it is written.
    fn pack_batch(&mut self, outbox: &Outbox) -> Result<Taken, LinkError> {
        spare::with_frames(|frames| {
            let taken = outbox.take(frames, BATCH);
            if !frames.is_empty() {
                self.pack.reserve(frames.iter().map(Frame::encoded_len).sum());
                frames.iter().try_for_each(|frame| self.pack.put(frame))?;
            }
            Ok(taken)
        })
    }

    /// Sends one frame, behind bytes that stand before all records.
    pub(super) async fn send_first(&mut self, before: &[u8], frame: &Frame) -> Result<(), LinkError> {
        self.pack.put_raw(before)?;
        self.uncounted = before.len();
        self.pack.put(frame)?;
        self.write_out().await
    }

    /// Sends bytes that stand before all records.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.pack.put_raw(bytes)?;
        self.uncounted = bytes.len();
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
            let counted = written.saturating_sub(self.uncounted);
            self.uncounted = self.uncounted.saturating_sub(written);
            self.meter.wrote(counted);
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
struct EndOfOutbox(Outbox);

impl Drop for EndOfOutbox {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("records", &self.pack.records()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, DuplexStream, duplex, split};
    use tokio::time::Instant;

    use super::*;
    use crate::link::record::tests::pair;
    use crate::wire::{FrameDecoder, GoodbyeCode};

    fn plain(room: usize) -> (Writer, DuplexStream) {
        let (here, there) = duplex(room);
        (Writer::new(Box::new(split(here).1), None), there)
    }

    async fn frames(mut peer: DuplexStream) -> Vec<Frame> {
        let mut stream = Vec::new();
        peer.read_to_end(&mut stream).await.unwrap();
        let mut decoder = FrameDecoder::new();
        decoder.push(stream);
        std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
    }

    /// Notes the length of every write.
    struct Noted(Arc<Mutex<Vec<usize>>>);

    impl AsyncWrite for Noted {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
            self.0.lock().unwrap().push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn closing_sends_what_is_queued_then_the_goodbye_then_the_end() {
        let (writer, peer) = plain(64);
        let outbox = Outbox::default();
        outbox.push_bulk(Frame::Reconcile(vec![1; 60_000].into())).unwrap();
        outbox.push_control(Frame::Eager).unwrap();
        let goodbye = Goodbye::new(GoodbyeCode::Leaving, "bye");
        outbox.close(Some(goodbye.clone()));
        let (ended, frames) = tokio::join!(writer.run(outbox.clone()), frames(peer));
        ended.unwrap();
        let expected = [Frame::Eager, Frame::Reconcile(vec![1; 60_000].into()), Frame::Goodbye(goodbye)];
        assert_eq!(frames, expected);
        assert!(outbox.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_stuck_after_thirty_seconds() {
        let (writer, peer) = plain(64);
        let outbox = Outbox::default();
        outbox.push_control(Frame::Hello(vec![1; 4_000].into())).unwrap();
        let start = Instant::now();
        let running = tokio::spawn(writer.run(outbox.clone()));
        // Meanwhile everybody pushes.
        for _ in 0..1_000 {
            let _ = outbox.push_bulk(Frame::Reconcile(vec![1; 60_000].into()));
            tokio::task::yield_now().await;
            assert!(outbox.queued_bytes() <= 4 << 20);
        }
        assert!(matches!(running.await.unwrap(), Err(LinkError::Stuck)));
        assert_eq!(start.elapsed(), times::PROGRESS);
        assert!(outbox.is_closed() && outbox.queued_bytes() == 0);
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_not_stuck() {
        let (writer, mut peer) = plain(64);
        let outbox = Outbox::default();
        outbox.push_control(Frame::Hello(vec![1; 640].into())).unwrap();
        outbox.close(None);
        let running = tokio::spawn(writer.run(outbox));
        let mut taken = 0;
        let mut buffer = [0; 64];
        loop {
            tokio::time::sleep(times::PROGRESS - Duration::from_millis(1)).await;
            match peer.read(&mut buffer).await.unwrap() {
                0 => break,
                some => taken += some,
            }
        }
        running.await.unwrap().unwrap();
        assert_eq!(taken, 645);
    }

    #[tokio::test(start_paused = true)]
    async fn aborting_ends_even_a_write_that_does_not() {
        let (writer, peer) = plain(64);
        let outbox = Outbox::default();
        outbox.push_control(Frame::Hello(vec![1; 640].into())).unwrap();
        let running = tokio::spawn(writer.run(outbox.clone()));
        tokio::task::yield_now().await;
        let start = Instant::now();
        outbox.abort();
        running.await.unwrap().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(outbox.is_closed());
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_is_dropped_closes_its_outbox() {
        let (writer, _peer) = plain(64);
        let outbox = Outbox::default();
        let running = tokio::spawn(writer.run(outbox.clone()));
        tokio::task::yield_now().await;
        outbox.push_control(Frame::Eager).unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(outbox.is_closed() && outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_gone_ends_the_writer() {
        let (writer, peer) = plain(64);
        drop(peer);
        let outbox = Outbox::default();
        outbox.push_control(Frame::Eager).unwrap();
        assert!(matches!(writer.run(outbox).await, Err(LinkError::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn everything_that_waits_goes_out_in_one_write() {
        let (sealer, _opener) = pair();
        let writes = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer::new(Box::new(Noted(Arc::clone(&writes))), Some(sealer));
        let outbox = Outbox::default();
        for _ in 0..500 {
            outbox.push_bulk(Frame::Reconcile(vec![1; 395].into())).unwrap();
        }
        outbox.close(None);
        writer.run(outbox.clone()).await.unwrap();
        assert_eq!(*writes.lock().unwrap(), [500 * 400 + 4 * 18]);
        assert_eq!(outbox.records(), 4);
        assert!(!outbox.needs_renewal());
    }

    #[tokio::test(start_paused = true)]
    async fn one_write_is_bounded() {
        let writes = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer::new(Box::new(Noted(Arc::clone(&writes))), None);
        let outbox = Outbox::default();
        for _ in 0..64 {
            outbox.push_bulk(Frame::Reconcile(vec![1; 60_000].into())).unwrap();
        }
        outbox.close(None);
        writer.run(outbox).await.unwrap();
        let writes = writes.lock().unwrap();
        assert_eq!(writes.iter().sum::<usize>(), 64 * 60_005);
        assert!(writes.iter().all(|len| *len < BATCH + 60_005), "{writes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_holds_a_buffer_only_while_it_waits_to_write() {
        let frame = Frame::Reconcile(vec![1; 60_000].into());
        for takes in [0, 60_005] {
            let (mut writer, mut peer) = plain(1_000);
            let outbox = Outbox::default();
            outbox.push_bulk(frame.clone()).unwrap();
            let mut stream = vec![0; takes];
            let drain = timeout(Duration::from_secs(1), writer.drain(&outbox));
            let (drain, read) = tokio::join!(drain, peer.read_exact(&mut stream));
            assert!(drain.is_err() && read.is_ok());
            assert_eq!(writer.pack.capacity() > 0, takes == 0);
        }
    }
}
