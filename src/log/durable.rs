//! Waiting until something is durable.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{LogError, Position};

/// When an appended envelope is durable: a future of its position. Dropping it changes nothing about the envelope.
#[derive(Debug)]
#[must_use = "the envelope is not durable before this is ready"]
pub struct Durable(Stage);

#[derive(Debug)]
enum Stage {
    Now(Position),
    #[cfg_attr(not(feature = "disk"), expect(dead_code, reason = "only a disk makes anybody wait"))]
    Later(oneshot::Receiver<Result<Position, LogError>>),
}

impl Durable {
    /// It is, at this position.
    pub(super) const fn at(position: Position) -> Self {
        Durable(Stage::Now(position))
    }

    /// It will be when this is answered.
    #[cfg(feature = "disk")]
    pub(super) const fn later(answer: oneshot::Receiver<Result<Position, LogError>>) -> Self {
        Durable(Stage::Later(answer))
    }

    /// The position, if it was durable at once.
    pub fn at_once(&self) -> Option<Position> {
        match self.0 {
            Stage::Now(position) => Some(position),
            Stage::Later(_) => None,
        }
    }
}

impl Future for Durable {
    type Output = Result<Position, LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Stage::Now(position) => Poll::Ready(Ok(*position)),
            Stage::Later(answer) => Pin::new(answer).poll(cx).map(|answer| answer.unwrap_or(Err(LogError::Closed))),
        }
    }
}
