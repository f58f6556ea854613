//! The page and what it is made of, within the program: it works offline. No file of it holds a secret.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;

use super::refusal::Refusal;

/// A file's path below `web/`, and its contents.
type File = (&'static str, &'static [u8]);

/// The files at these paths below `web/`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../web/", $path)))),*]
    };
}

/// Every file of the page.
const FILES: &[File] = files![
    "css/colours.css",
    "css/layout.css",
    "css/parts.css",
    "icon.svg",
    "index.html",
    "js/api.js",
    "js/banner.js",
    "js/dom.js",
    "js/envelope.js",
    "js/graph/place.js",
    "js/graph/style.js",
    "js/graph/travel.js",
    "js/graph/view.js",
    "js/graph/walk.js",
    "js/identity.js",
    "js/keys.js",
    "js/live.js",
    "js/main.js",
    "js/messages.js",
    "js/network.js",
    "js/panels/detail-link.js",
    "js/panels/detail-message.js",
    "js/panels/detail-node.js",
    "js/panels/detail.js",
    "js/panels/drops.js",
    "js/panels/events.js",
    "js/panels/facts.js",
    "js/panels/links.js",
    "js/panels/members.js",
    "js/panels/messages.js",
    "js/panels/publish.js",
    "js/panels/tabs.js",
    "js/panels/tiles.js",
    "js/rates.js",
    "js/reader.js",
    "js/remembered.js",
    "js/rove.js",
    "js/say.js",
    "js/sse.js",
    "js/store.js",
    "js/text.js",
    "js/theme.js",
    "js/token.js",
    "js/words.js",
    "vendor/cytoscape.LICENSE",
    "vendor/cytoscape.min.js",
];

/// `GET /`
pub(super) async fn index() -> Response {
    file("index.html")
}

/// `GET /assets/{*path}`
pub(super) async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    match FILES.iter().find(|(known, _)| *known == path) {
        Some((path, contents)) => ([(CONTENT_TYPE, kind(path))], *contents).into_response(),
        None => Refusal::not_found("no-such-file", "the page has no such file").into_response(),
    }
}

/// The type of a file by the end of its name: browsers are told to believe nothing else.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    /// What lies in `web/` for people who read the source, and is not served.
    const NOT_SERVED: [&str; 1] = ["vendor/README.md"];

    fn collect(folder: &std::path::Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{path}/"), found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn the_program_holds_every_file_of_the_page_and_no_other() {
        let mut there = BTreeSet::new();
        collect(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web"), "", &mut there);
        there.retain(|path| !NOT_SERVED.contains(&path.as_str()));
        let held: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(held, there);
        assert_eq!(held.len(), FILES.len(), "each once");
    }

    /// The policy that the page is served with refuses scripts and styles within the markup; so there are none.
    #[test]
    fn the_markup_holds_no_script_and_no_style_of_its_own() {
        for (path, contents) in FILES.iter().filter(|(path, _)| path.ends_with(".html") || path.ends_with(".svg")) {
            let text = std::str::from_utf8(contents).unwrap();
            for forbidden in ["<style", "style=", "javascript:", " onclick", " onload", "<script>", "//cdn", "https://"]
            {
                assert!(!text.contains(forbidden), "{path} holds {forbidden}");
            }
        }
    }

    /// Text of strangers gets onto the page as text: nothing there makes markup of a string.
    #[test]
    fn our_scripts_make_no_markup_and_run_no_text() {
        for (path, contents) in FILES.iter().filter(|(path, _)| path.starts_with("js/")) {
            let text = std::str::from_utf8(contents).unwrap();
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"]
            {
                assert!(!text.contains(forbidden), "{path} uses {forbidden}");
            }
        }
    }
}
