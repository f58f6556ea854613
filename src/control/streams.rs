//! Server-sent events: what happens, and what is said, as it comes. A reader that breaks off goes on where it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hyper::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Board;
use super::board::Newest;
use super::body::Words;
use super::messages::{cursor, of_cursor, with_place};
use super::refusal::Refusal;
use super::routes::Asked;
use crate::identity::NetworkName;
use crate::node::{Item, Subscription};

/// Events that are read from the board at once.
const BATCH: usize = 256;

/// A line goes out this often, so that both ends notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<u64>,
}

pub(super) async fn events(
    asked: Asked,
    headers: HeaderMap,
    Words(From { after }): Words<From>,
) -> Result<Response, Refusal> {
    let (board, permit) = (asked.board().clone(), asked.stream()?);
    let after = match last_event(&headers)? {
        Some(last) => Some(last.parse().map_err(|_| Refusal::malformed("Last-Event-ID is no number of an event"))?),
        None => after,
    };
    let reader = Reader {
        after: after.unwrap_or_else(|| board.now()),
        newest: board.newest(),
        ready: VecDeque::new(),
        board,
        _permit: permit,
    };
    Ok(stream_of(reader, Reader::next))
}

fn last_event(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let last = headers.get("last-event-id").map(|last| last.to_str());
    last.transpose().map_err(|_| Refusal::malformed("Last-Event-ID is no text"))
}

fn stream_of<T: Send + 'static, F>(reader: T, next: impl Fn(T) -> F + Send + Copy + 'static) -> Response
where
    F: Future<Output = Option<(Event, T)>> + Send,
{
    let events = stream::unfold(reader, move |reader| async move {
        next(reader).await.map(|(event, reader)| (Ok::<_, Infallible>(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Somebody who reads the board.
struct Reader {
    board: Board,
    newest: watch::Receiver<Newest>,
    after: u64,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            // Noted before reading: what is told meanwhile wakes this reader again.
            let is_last = self.newest.borrow_and_update().is_last;
            let read = self.board.read(self.after, BATCH);
            self.after = read.next;
            if let Some(count) = read.missed {
                let before = read.events.first().map_or(read.next, |first| first.number - 1);
                let missed = json!({ "count": count });
                self.ready.push_back(Event::default().id(before.to_string()).event("missed").data(missed.to_string()));
            }
            for told in read.events {
                self.ready.push_back(Event::default().id(told.number.to_string()).event(told.kind).data(&*told.data));
            }
            if self.ready.is_empty() && (is_last || self.newest.changed().await.is_err()) {
                return None;
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    title: Option<String>,
    /// A cursor, or `start`.
    after: Option<String>,
}

pub(super) async fn subscribe(
    asked: Asked,
    headers: HeaderMap,
    Words(which): Words<Which>,
) -> Result<Response, Refusal> {
    let node = asked.node()?;
    let subscription = match &which.title {
        Some(title) => node.subscribe(title).map_err(Refusal::malformed)?,
        None => node.subscribe_all(),
    };
    let subscription = match last_event(&headers)?.or(which.after.as_deref()) {
        None => subscription,
        Some("start") => subscription.from_start(),
        Some(after) => subscription.after(cursor(after)?).map_err(of_cursor)?,
    };
    let follower = Follower {
        subscription,
        network: node.network().clone(),
        board: asked.board().clone(),
        _permit: asked.stream()?,
    };
    Ok(stream_of(follower, Follower::next))
}

/// Somebody who reads the log.
struct Follower {
    subscription: Subscription,
    network: NetworkName,
    board: Board,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(mut self) -> Option<(Event, Self)> {
        let item = self.subscription.next().await?;
        let event = match item {
            Item::Broadcast(message) => {
                let cursor = message.cursor();
                let form = with_place(message.envelope(), &self.network, cursor, message.is_late(), &self.board);
                Event::default().id(cursor.to_string()).event("message").data(form)
            }
            Item::Missed { count } => {
                let cursor = self.subscription.cursor();
                Event::default().id(cursor.to_string()).event("missed").data(json!({ "count": count }).to_string())
            }
        };
        Some((event, self))
    }
}
