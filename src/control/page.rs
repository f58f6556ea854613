//! The page and what it is made of, within the program: it works offline. No file of it holds a secret.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;

use super::refusal::Refusal;

/// Name, type and contents of every file.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("index.html", "text/html; charset=utf-8", include_bytes!("../../web/index.html")),
    ("page.js", "text/javascript; charset=utf-8", include_bytes!("../../web/page.js")),
    ("page.css", "text/css; charset=utf-8", include_bytes!("../../web/page.css")),
];

/// `GET /`
pub(super) async fn index() -> Response {
    file("index.html")
}

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    file(&name)
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, contents)) => ([(CONTENT_TYPE, *kind)], *contents).into_response(),
        None => Refusal::not_found("no-such-file", "the page has no such file").into_response(),
    }
}
