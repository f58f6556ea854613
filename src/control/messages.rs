//! What was said: `/v1/messages`.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Board;
use super::body::Words;
use super::refusal::Refusal;
use super::routes::Asked;
use crate::envelope::{Envelope, EnvelopeId, Title};
use crate::identity::{NetworkName, NodeId, decode_hex};
use crate::log::{Cursor, CursorError, Entry};
use crate::node::Node;

/// So many messages are given at once if nothing is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// So many bytes of them.
const MOST_BYTES: usize = 4 << 20;

/// So many entries of the log are looked at for one request; `next` says where to go on.
const LOOKED_AT: usize = 4096;

/// Entries that are read at once.
const PAGE: usize = 256;

/// A step of a message's way: who got it from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Who got it.
    pub node: NodeId,
    /// From whom; `None` for who made it, and where it is not known.
    pub from: Option<NodeId>,
    /// When, in µs since 1970, by that node's clock.
    pub at_us: u64,
}

/// `GET /v1/messages`: a part of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Each the JSON form of an envelope with `cursor` (the place after it), `late`, and `hops` where they are known.
    pub messages: Vec<Map<String, Value>>,
    /// Where to go on.
    pub next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    title: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
    last: Option<usize>,
}

pub(super) async fn list(asked: Asked, Words(which): Words<Which>) -> Result<Response, Refusal> {
    let node = asked.node()?;
    let Which { title, after, limit, last } = which;
    if last.is_some() && (after.is_some() || limit.is_some()) {
        return Err(Refusal::malformed("\"last\" counts from the end: say either that, or \"after\" and \"limit\""));
    }
    let after = after.as_deref().map(cursor).transpose()?;
    let most = last.or(limit).unwrap_or(USUAL);
    if !(1..=MOST).contains(&most) {
        return Err(Refusal::malformed(format!("give a number from 1 to {MOST}")));
    }
    let wanted = Wanted { title, most };
    let (entries, next) = match last {
        Some(_) => wanted.newest(&node).await,
        None => wanted.after(&node, after).await,
    }
    .map_err(of_cursor)?;
    let mut text = String::from("{\"messages\":[");
    for (n, entry) in entries.iter().enumerate() {
        let cursor = Cursor::new(next.instance(), entry.position);
        if n > 0 {
            text.push(',');
        }
        text.push_str(&with_place(&entry.envelope, node.network(), cursor, entry.is_late, asked.board()));
    }
    text.push_str(&format!("],\"next\":\"{next}\"}}"));
    Ok(json(text))
}

pub(super) async fn one(asked: Asked, Path(id): Path<String>) -> Result<Response, Refusal> {
    let node = asked.node()?;
    let id = decode_hex(&id)
        .map(EnvelopeId::from_bytes)
        .ok_or_else(|| Refusal::malformed("a message is named by its id, 64 lower-case hex digits"))?;
    let Some(envelope) = node.kept(&id).await else {
        let words = "no such message is kept here: it ran out, never came, or was said for its moment only";
        return Err(Refusal::not_found("no-such-message", words));
    };
    let holders: Vec<_> = node.holders(&id).iter().map(|holder| holder.peer.to_string()).collect();
    let more = serde_json::json!({ "holders": holders, "hops": asked.board().hops(&id) });
    Ok(json(joined(&more.to_string(), &envelope.to_json(node.network()))))
}

fn json(text: String) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], text).into_response()
}

pub(super) fn cursor(text: &str) -> Result<Cursor, Refusal> {
    text.parse().map_err(of_cursor)
}

pub(super) fn of_cursor(error: CursorError) -> Refusal {
    match error {
        CursorError::OtherLog { .. } => Refusal::new(StatusCode::CONFLICT, "other-log", error),
        error => Refusal::malformed(error),
    }
}

/// The JSON form of an envelope, with its place in the log and its way.
pub(super) fn with_place(
    envelope: &Envelope,
    network: &NetworkName,
    cursor: Cursor,
    is_late: bool,
    board: &Board,
) -> String {
    let mut place = serde_json::json!({ "cursor": cursor.to_string(), "late": is_late });
    let hops = board.hops(&envelope.id());
    if let (false, Value::Object(place)) = (hops.is_empty(), &mut place) {
        place.insert("hops".into(), serde_json::json!(hops));
    }
    joined(&place.to_string(), &envelope.to_json(network))
}

/// Two JSON objects, neither of them empty, as one.
fn joined(first: &str, second: &str) -> String {
    format!("{},{}", first.strip_suffix('}').unwrap_or(first), second.strip_prefix('{').unwrap_or(second))
}

struct Wanted {
    title: Option<String>,
    most: usize,
}

impl Wanted {
    fn is(&self, envelope: &Envelope) -> bool {
        match &self.title {
            Some(title) => envelope.title() == title,
            None => !envelope.title().starts_with(Title::PROTOCOL_PREFIX),
        }
    }

    /// What comes after a cursor, and where to go on.
    async fn after(&self, node: &Node, after: Option<Cursor>) -> Result<(Vec<Entry>, Cursor), CursorError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut page = node.page(after, PAGE).await?;
        let mut looked_at = 0;
        loop {
            let next = page.next;
            let is_end = page.entries.is_empty();
            for entry in page.entries {
                let here = Cursor::new(next.instance(), entry.position);
                if self.is(&entry.envelope) {
                    bytes += entry.envelope.size();
                    found.push(entry);
                    if found.len() >= self.most || bytes >= MOST_BYTES {
                        return Ok((found, here));
                    }
                }
                looked_at += 1;
            }
            if is_end || looked_at >= LOOKED_AT {
                return Ok((found, next));
            }
            page = node.page(Some(next), PAGE).await?;
        }
    }

    /// The newest, in their order, and the end of the log.
    async fn newest(&self, node: &Node) -> Result<(Vec<Entry>, Cursor), CursorError> {
        let end = node.cursor();
        let (mut found, mut bytes, mut to) = (Vec::new(), 0, end.position().get());
        let mut looked_at = 0;
        while to > 0 && looked_at < LOOKED_AT {
            let from = to.saturating_sub(PAGE as u64);
            let page = node.page(Some(end.at(from)), PAGE).await?;
            let here = page.entries.into_iter().filter(|entry| entry.position.get() <= to);
            for entry in here.collect::<Vec<_>>().into_iter().rev().filter(|entry| self.is(&entry.envelope)) {
                bytes += entry.envelope.size();
                found.push(entry);
                if found.len() >= self.most || bytes >= MOST_BYTES {
                    found.reverse();
                    return Ok((found, end));
                }
            }
            looked_at += PAGE;
            to = from;
        }
        found.reverse();
        Ok((found, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_objects_become_one() {
        let text = joined(r#"{"cursor":"a:1","late":false}"#, r#"{"id":"00"}"#);
        assert_eq!(text, r#"{"cursor":"a:1","late":false,"id":"00"}"#);
    }
}
