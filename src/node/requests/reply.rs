//! An answer that is given piece by piece.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::link::{Progress, STREAM_AHEAD, TransferId};
use crate::wire::{RefusedCode, Response};

use super::answer::Answer;

/// An answer that is given piece by piece. Ends with [`finish`](Reply::finish); dropped before, the asker is told that it
/// broke off.
pub struct Reply {
    answer: Answer,
    progress: Arc<Progress>,
}

/// Nobody waits for the answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for this answer any more; stop giving it")]
pub struct ReplyEnded;

impl From<ReplyEnded> for io::Error {
    fn from(ended: ReplyEnded) -> Self {
        io::Error::new(io::ErrorKind::BrokenPipe, ended)
    }
}

impl Reply {
    pub(super) fn begin(mut answer: Answer, total: Option<u64>) -> Result<Self, ReplyEnded> {
        let progress = answer.begin(total).ok_or(ReplyEnded)?;
        Ok(Reply { answer, progress })
    }

    /// Adds to the answer. Waits while 256 KiB of it lie here unsent, so that an asker that reads slowly slows this down.
    /// If this is not waited for to its end, nothing was added.
    ///
    /// # Errors
    /// If nobody waits for the answer any more.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), ReplyEnded> {
        let number = self.answer.number;
        loop {
            let changed = self.progress.changed.notified();
            match self.answer.link.outbox.waiting(TransferId::Response(number)) {
                None => return Err(ReplyEnded),
                Some(waiting) if waiting < STREAM_AHEAD => break,
                Some(_) => changed.await,
            }
        }
        self.answer.link.outbox.add_to_response(number, bytes.into()).map(|_| ()).ok_or(ReplyEnded)
    }

    /// Adds all that `reader` gives, and ends the answer.
    pub(super) async fn copy(mut self, mut reader: impl AsyncRead + Unpin) -> io::Result<()> {
        loop {
            let mut piece = BytesMut::with_capacity(Response::ROOM);
            while piece.len() < Response::ROOM && reader.read_buf(&mut piece).await? > 0 {}
            if piece.is_empty() {
                self.finish();
                return Ok(());
            }
            self.send(piece.freeze()).await?;
        }
    }

    /// Ends the answer: what was added is all of it.
    pub fn finish(mut self) {
        self.answer.is_given = true;
        self.answer.link.outbox.complete_response(self.answer.number);
    }

    /// Waits until nobody waits for the answer any more.
    pub async fn cancelled(&self) {
        self.answer.open.cancelled.cancelled().await;
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answer.is_given {
            self.answer.link.outbox.give_up(TransferId::Response(self.answer.number));
            self.answer.give(RefusedCode::Application, "the answer broke off");
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("number", &self.answer.number).finish_non_exhaustive()
    }
}
