//! Every route there is, in one list: the router is made of it, and `docs/control.md` is held against it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::Token;
use super::guard::{Rates, guard};
use super::refusal::Refusal;
use super::{Board, acts, facts, messages, metrics, network, page, settings, streams};
use crate::config::Config;
use crate::node::{Node, WeakNode};

/// Event streams that may be open at once.
const STREAMS: usize = 16;

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    node: WeakNode,
    config: Config,
    board: Board,
    pub(super) token: Token,
    pub(super) rates: Rates,
    streams: Arc<Semaphore>,
}

/// The node that a request is for.
#[derive(Debug)]
pub(super) struct Asked(Arc<App>);

impl App {
    pub(super) fn new(node: WeakNode, config: Config, board: Board, token: Token) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS));
        App { node, config, board, token, rates: Rates::default(), streams }
    }
}

impl Asked {
    /// The node, if it still runs.
    pub(super) fn node(&self) -> Result<Node, Refusal> {
        self.0.node.upgrade().ok_or_else(Refusal::stopped)
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn board(&self) -> &Board {
        &self.0.board
    }

    /// Room for one more event stream.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.0.streams.clone().try_acquire_owned().map_err(|_| {
            Refusal::unavailable("too-many-streams", format!("{STREAMS} event streams are open; close one first"))
        })
    }
}

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Asked(app.clone()))
    }
}

/// A route: method, path, and what answers there.
type Route = (&'static str, &'static str, MethodRouter<Arc<App>>);

/// Every route, in the order of `docs/control.md`.
fn routes() -> [Route; 20] {
    [
        ("GET", "/", get(page::index)),
        ("GET", "/assets/{*path}", get(page::asset)),
        ("GET", "/v1/status", get(facts::status)),
        ("GET", "/v1/members", get(facts::members)),
        ("GET", "/v1/links", get(facts::links)),
        ("GET", "/v1/network", get(network::network)),
        ("GET", "/v1/messages", get(messages::list)),
        ("GET", "/v1/messages/{id}", get(messages::one)),
        ("GET", "/v1/settings", get(settings::settings)),
        ("GET", "/v1/metrics", get(metrics::metrics)),
        ("GET", "/v1/events", get(streams::events)),
        ("GET", "/v1/subscribe", get(streams::subscribe)),
        ("POST", "/v1/publish", post(acts::publish)),
        ("POST", "/v1/send", post(acts::send)),
        ("POST", "/v1/ping", post(acts::ping)),
        ("POST", "/v1/connect", post(acts::connect)),
        ("POST", "/v1/disconnect", post(acts::disconnect)),
        ("POST", "/v1/bar", post(acts::bar)),
        ("POST", "/v1/stop", post(acts::stop)),
        ("POST", "/v1/shutdown", post(acts::shutdown)),
    ]
}

/// What answers requests.
pub(super) fn router(app: App) -> Router {
    let app = Arc::new(app);
    let routes = routes().into_iter().fold(Router::new(), |router, (_, path, answer)| router.route(path, answer));
    routes
        .fallback(async || {
            Refusal::not_found("no-such-route", "there is nothing here; docs/control.md lists what there is")
        })
        .method_not_allowed_fallback(async || {
            let words = "this is asked for in another way; docs/control.md says in which";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", words)
        })
        // The bodies that are read have a bound of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_page_lists_the_routes_that_there_are_and_no_others() {
        let page = include_str!("../../docs/control.md");
        let rows = page.lines().filter_map(|line| {
            let row = line.strip_prefix("| `")?;
            let (route, _) = row.split_once('`')?;
            let (method, path) = route.split_once(' ')?;
            matches!(method, "GET" | "POST").then(|| (method.to_owned(), path.to_owned()))
        });
        let said: Vec<_> = rows.collect();
        let real: Vec<_> = routes().iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
        assert_eq!(said, real);
    }
}
