//! The settings in force: `/v1/settings`. A configuration holds no secret, so nothing has to be left out.

use axum::Json;
use serde_json::Value;

use super::refusal::Refusal;
use super::routes::Asked;
use crate::config::Shown;

pub(super) async fn settings(asked: Asked) -> Result<Json<Value>, Refusal> {
    let node = asked.node()?;
    let id = node.is_secure().then(|| node.id());
    let shown = serde_json::to_value(Shown::of(asked.config(), id));
    shown.map(Json).map_err(|error| Refusal::unavailable("not-shown", error))
}
