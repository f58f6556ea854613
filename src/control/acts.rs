//! What a node is told to do.

use axum::Json as Answer;
use data_encoding::BASE64;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Json;
use super::events::micros;
use super::names::{NameError, resolve};
use super::refusal::Refusal;
use super::routes::Asked;
use crate::envelope::Lifetime;
use crate::identity::{NodeAddress, NodeId};
use crate::node::{Body, Node, PublishError, RequestError, Sent};

type Outcome = Result<Answer<Value>, Refusal>;

/// Some bytes: text, or anything as base64.
#[derive(Deserialize)]
struct Content {
    message: Option<String>,
    message_base64: Option<String>,
}

impl Content {
    fn body(self) -> Result<Body, Refusal> {
        match (self.message, self.message_base64) {
            (Some(text), None) => Ok(text.into()),
            (None, Some(text)) => match BASE64.decode(text.as_bytes()) {
                Ok(bytes) => Ok(bytes::Bytes::from(bytes).into()),
                Err(error) => Err(Refusal::malformed(format!(
                    "\"message_base64\" is not base64 ({error}); it is that of RFC 4648, section 4, padded"
                ))),
            },
            _ => Err(Refusal::malformed("say what to send: either \"message\" (text) or \"message_base64\"")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    title: String,
    message: Option<String>,
    message_base64: Option<String>,
    /// In seconds.
    lifetime: Option<u32>,
}

pub(super) async fn publish(asked: Asked, Json(publish): Json<Publish>) -> Outcome {
    let node = asked.node()?;
    let Publish { title, message, message_base64, lifetime } = publish;
    let mut publish = node.broadcast(&title, Content { message, message_base64 }.body()?);
    if let Some(seconds) = lifetime {
        publish = publish.lifetime(Lifetime::secs(seconds));
    }
    let receipt = publish.await.map_err(|error| match error {
        PublishError::Title(_) | PublishError::Body(_) => Refusal::malformed(error),
        PublishError::TooLarge { .. } => Refusal::too_large(error),
        PublishError::Stopping => Refusal::unavailable("stopping", error),
        error => Refusal::unavailable("not-published", error),
    })?;
    Ok(Answer(json!({
        "id": receipt.id.to_string(),
        "time": receipt.time.as_micros(),
        "cursor": receipt.cursor.to_string(),
        "neighbours": receipt.neighbours,
        "announced": receipt.announced,
        "kept": receipt.is_kept,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    to: String,
    title: String,
    message: Option<String>,
    message_base64: Option<String>,
}

pub(super) async fn send(asked: Asked, Json(send): Json<Send>) -> Outcome {
    let node = asked.node()?;
    let Send { to, title, message, message_base64 } = send;
    let peer = named(&node, &to)?;
    let body = Content { message, message_base64 }.body()?;
    match node.send_to(&peer, &title, body).await {
        Ok(Sent::Directly) => Ok(Answer(json!({ "to": peer, "sent": "directly" }))),
        Ok(Sent::Sealed(receipt)) => Ok(Answer(json!({ "to": peer, "sent": "sealed", "id": receipt.id.to_string() }))),
        Err(error) => Err(of_request(error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    peer: String,
}

pub(super) async fn ping(asked: Asked, Json(Peer { peer }): Json<Peer>) -> Outcome {
    let node = asked.node()?;
    let peer = named(&node, &peer)?;
    let round_trip = node.ping(&peer).await.map_err(of_request)?;
    Ok(Answer(json!({ "peer": peer, "round_trip_us": micros(round_trip) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    address: String,
}

pub(super) async fn connect(asked: Asked, Json(Connect { address }): Json<Connect>) -> Outcome {
    let node = asked.node()?;
    let address: NodeAddress = address.parse().map_err(Refusal::malformed)?;
    match node.connect(&address).await {
        Ok(id) => Ok(Answer(json!({ "id": id }))),
        Err(error) => Err(Refusal::unavailable("no-link", error)),
    }
}

pub(super) async fn disconnect(asked: Asked, Json(Peer { peer }): Json<Peer>) -> Outcome {
    let node = asked.node()?;
    let peer = named(&node, &peer)?;
    Ok(Answer(json!({ "peer": peer, "done": node.disconnect(&peer) })))
}

pub(super) async fn bar(asked: Asked, Json(Peer { peer }): Json<Peer>) -> Outcome {
    let node = asked.node()?;
    let peer = named(&node, &peer)?;
    if !node.bar(&peer) {
        return Err(Refusal::malformed("a node does not bar itself; name another"));
    }
    Ok(Answer(json!({ "peer": peer, "done": true })))
}

/// Nothing has to be said with the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn stop(asked: Asked, Json(Nothing {}): Json<Nothing>) -> Outcome {
    let node = asked.node()?;
    tracing::info!("asked to stop by the control interface");
    // It waits for this very request to be answered, among others.
    tokio::spawn(async move { node.stop().await });
    Ok(Answer(json!({ "stopping": true })))
}

pub(super) async fn shutdown(asked: Asked, Json(Nothing {}): Json<Nothing>) -> Outcome {
    drop(asked.node()?);
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "not-allowed",
        "nobody has the right to shut this network down: it takes certificates of membership, which no network has yet; stop \
         the nodes one by one",
    ))
}

fn named(node: &Node, name: &str) -> Result<NodeId, Refusal> {
    resolve(node, name).map_err(|error| match error {
        NameError::Nobody(_) => Refusal::not_found("no-such-node", error),
        NameError::Several { .. } => Refusal::new(StatusCode::CONFLICT, "several-nodes", error),
    })
}

fn of_request(error: RequestError) -> Refusal {
    match error {
        RequestError::NotLinked(_) => Refusal::not_found("not-linked", error),
        RequestError::Title(_) | RequestError::Body(_) => Refusal::malformed(error),
        RequestError::TooLarge { .. } => Refusal::too_large(error),
        error => Refusal::unavailable("no-answer", error),
    }
}
