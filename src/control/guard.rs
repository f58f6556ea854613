//! Who may ask: before anything else is read of a request, its Host, its Origin and its token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{StatusCode, Uri};

use super::rate::Rate;
use super::refusal::Refusal;
use super::routes::App;

/// Requests a second of those who have the token, and of those who have not.
const OF_FRIENDS: u32 = 200;
const OF_STRANGERS: u32 = 50;
/// Requests a second for what the page is made of: some fifty files each time that it is opened.
const OF_THE_PAGE: u32 = 300;

/// How many requests were let through lately. Strangers cannot use up what belongs to those who have the token.
#[derive(Debug)]
pub(super) struct Rates {
    friends: Rate,
    strangers: Rate,
    page: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            friends: Rate::per_second(OF_FRIENDS),
            strangers: Rate::per_second(OF_STRANGERS),
            page: Rate::per_second(OF_THE_PAGE),
        }
    }
}

/// Whether a request with the token came over a connection. One without is not kept for long.
#[derive(Clone, Debug, Default)]
pub(super) struct Trusted(Arc<AtomicBool>);

impl Trusted {
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What every answer says to browsers: keep nothing, load nothing from elsewhere, show it in nobody's frame.
const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Lets a request through, or refuses it.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(app: &App, request: &Request) -> Result<(), Refusal> {
    let (headers, now) = (request.headers(), Instant::now());
    if let Err(refusal) = check_host(headers, request.uri()) {
        return Err(if app.rates.strangers.take(now) { refusal } else { too_many(OF_STRANGERS) });
    }
    let is_page = !request.uri().path().starts_with("/v1");
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let is_friend = presented.is_some_and(|token| app.token.is(token));
    let rate = match (is_friend, is_page) {
        (true, _) => (&app.rates.friends, OF_FRIENDS),
        (false, true) => (&app.rates.page, OF_THE_PAGE),
        (false, false) => (&app.rates.strangers, OF_STRANGERS),
    };
    if !rate.0.take(now) {
        return Err(too_many(rate.1));
    }
    if is_friend && let Some(trusted) = request.extensions().get::<Trusted>() {
        trusted.0.store(true, Ordering::Relaxed);
    }
    match presented {
        _ if is_page || is_friend => Ok(()),
        None => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "no-token",
            "this needs the token from the node's control file: Authorization: Bearer TOKEN",
        )),
        Some(_) => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "wrong-token",
            "the token is not this node's; it is another one at each start, so read the control file again",
        )),
    }
}

fn too_many(per_second: u32) -> Refusal {
    let words = format!("more than {per_second} requests a second; wait a moment");
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", words)
}

/// A page from elsewhere may make a browser send requests here, under another name for this address too (DNS rebinding).
/// Neither looks like a request that somebody on this machine wants.
fn check_host(headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let foreign = |kind, what: &str| {
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            kind,
            format!("{what}; ask for http://127.0.0.1:PORT, http://localhost:PORT or http://[::1]:PORT itself"),
        ))
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return foreign("foreign-host", "the request names no one host");
    };
    // What an absolute target names counts as the host too.
    if !is_own_host(host) || uri.authority().is_some_and(|authority| authority.as_str() != host) {
        return foreign("foreign-host", "the request is meant for another host");
    }
    let is_own =
        |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host));
    if !headers.get_all(header::ORIGIN).iter().all(is_own) {
        return foreign("foreign-origin", "the request comes from a page of somebody else's");
    }
    Ok(())
}

fn is_own_host(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| {
        host.strip_prefix(own).is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_very_machine_are_its_own() {
        for own in ["127.0.0.1", "127.0.0.1:7500", "localhost:1", "localhost", "[::1]", "[::1]:65535"] {
            assert!(is_own_host(own), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1:7500.evil.example",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:+80",
            "127.0.0.1:65536",
            "x@127.0.0.1",
            "127.0.0.2",
            "0.0.0.0",
            "[::]",
            "LOCALHOST.",
            "localhost:80:80",
        ] {
            assert!(!is_own_host(foreign), "{foreign}");
        }
    }
}
