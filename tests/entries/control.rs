//! The control interface of a running node: what any program of this machine may say to it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use sealnet::config::Config;
use sealnet::control::Access;
use sealnet::identity::{Identity, Overwrite};
use sealnet::node::SecureNode;

use super::Input;

/// What may be asked for with the token. Not what dials, stops the node or never ends: any bytes may come of an input.
const ROUTES: [(&str, &str); 9] = [
    ("GET", "/v1/status"),
    ("GET", "/v1/members"),
    ("GET", "/v1/network"),
    ("GET", "/v1/messages"),
    ("GET", "/v1/messages/"),
    ("GET", "/v1/settings"),
    ("POST", "/v1/publish"),
    ("POST", "/v1/disconnect"),
    ("POST", "/v1/bar"),
];

struct Served {
    socket: PathBuf,
    token: String,
    _node: SecureNode,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

/// A node that runs as long as the process.
fn served() -> &'static Served {
    static SERVED: OnceLock<Served> = OnceLock::new();
    SERVED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("peer.toml");
        Identity::from_seed(&[1; 32]).save(&folder.path().join("peer.pem"), Overwrite::Refuse).expect("written");
        let text = "network = \"a\"\nidentity = \"peer.pem\"\nlisten = \"127.0.0.1:0\"\npreset = \"local\"\n[control]\nsocket = \"control\"\n";
        std::fs::write(&config, text).expect("written");
        let config = Config::load(&config).expect("a sound configuration");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let builder = SecureNode::from_config(&config).expect("an identity").control(&config);
        let node = runtime.block_on(async { builder.start().await }).expect("nothing is against it");
        let access = Access::read(&folder.path().join("peer.control")).expect("the node has written it");
        let socket = access.address.strip_prefix("unix:").expect("a socket").into();
        let access = serde_json::to_value(&access).expect("as it was written");
        let token = access["token"].as_str().expect("a text").to_owned();
        Served { socket, token, _node: node, _runtime: runtime, _folder: folder }
    })
}

/// Any bytes without the token get nothing but refusals and the page; with it, any words and bodies are answered as a request
/// or in words, and never with a failure of the server's own.
pub(crate) fn control(data: &[u8]) {
    let served = served();
    let mut input = Input::new(data);
    let steer = input.byte();
    let has_token = steer & 1 == 1;
    let request = if has_token || steer & 2 == 2 {
        let (method, route) = ROUTES[input.below(ROUTES.len())];
        let len = usize::from(input.byte() % 64);
        let shown =
            |bytes: &[u8]| bytes.iter().filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect::<String>();
        let words = shown(input.bytes(len));
        let words = if method == "GET" && !words.is_empty() { format!("?{words}") } else { String::new() };
        let token = if has_token { served.token.clone() } else { shown(input.bytes(8)) };
        let body = input.rest();
        let len = body.len();
        let head = format!(
            "{method} {route}{words} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    } else {
        input.rest().to_vec()
    };
    let mut stream = UnixStream::connect(&served.socket).expect("the node runs");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    // The node may close before it has heard everything.
    let _ = stream.write_all(&request).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    let Some(status) = answer.get(9..12) else { return };
    let status: u16 = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).expect("a status");
    assert!(answer.starts_with(b"HTTP/1.") && (status < 500 || matches!(status, 503 | 505)), "{status}");
    let said = String::from_utf8_lossy(&answer);
    assert!(!said.contains(&served.token), "the token is told");
    if !has_token && !is_page(&request) {
        assert!(status >= 400, "{status} without the token");
    }
}

/// Whether nobody needs a token for it.
fn is_page(request: &[u8]) -> bool {
    !request.windows(3).any(|part| part == b"/v1")
}

pub(crate) fn control_seeds() -> Vec<Vec<u8>> {
    let with = |route: u8, words: &[u8], body: &[u8]| [&[1, route, words.len() as u8], words, body].concat();
    vec![
        with(0, b"", b""),
        with(3, b"after=0&count=3", b""),
        with(4, b"", b""),
        with(6, b"", b"{\"title\":\"t\",\"message\":\"hello\",\"lifetime\":0}"),
        with(6, b"", b"{\"title\":\"t\",\"message_base64\":\"AAEC\"}"),
        with(7, b"", b"{\"peer\":\"ab\"}"),
        vec![2, 0, 0],
        [&[0][..], b"GET /v1/status HTTP/1.1\r\nHost: example.org\r\n\r\n"].concat(),
        [
            &[0][..],
            b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n",
        ]
        .concat(),
        [&[0][..], b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"].concat(),
    ]
}
