//! Whoever may not get in does not, and the node does not notice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use sealnet::control::{ClientError, Status};
use serde_json::{Value, json};

use super::Place;
use crate::support::{PATIENCE, within};

/// Somebody who says exactly what is written here.
struct Stranger {
    address: String,
}

/// Status and body of an answer.
type Answer = (u16, String);

impl Stranger {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request without more ado; `head` goes without its last empty line.
    fn says(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        // An answer may come, and the connection close, before everything was taken.
        let _ = stream
            .write_all(format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
        let _ = stream.write_all(body);
        answer(&mut stream)
    }
}

/// What comes until the connection is closed. It may be cut off with what was not read.
fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..count]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn kind(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.1).unwrap_or_else(|_| panic!("no JSON: {answer:?}"));
    assert!(body["error"].as_str().is_some_and(|words| words.len() > 20), "{body}");
    body["kind"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_or_comes_from_elsewhere_is_refused_and_the_node_does_not_notice() {
    let place = Place::loopback();
    let node = place.start().await;
    let (stranger, token) = (Stranger { address: place.access().address }, place.token());
    let host = stranger.address.strip_prefix("http://").unwrap().to_owned();
    let bearer = format!("Authorization: Bearer {token}");
    let before = node.status();
    let strangers = tokio::task::spawn_blocking(move || {
        let says = |head: &str| stranger.says(head, b"");
        let status = format!("GET /v1/status HTTP/1.1\r\nHost: {host}");
        let refused = |head: &str, status: u16, word: &str| {
            let answer = says(head);
            assert_eq!((answer.0, kind(&answer).as_str()), (status, word), "{head}");
            assert!(!answer.1.contains(&token), "{head}");
        };
        refused(&status, 401, "no-token");
        for wrong in ["Bearer", "Bearer ", "Bearer 00", "Basic 00", &format!("Bearer {}", "0".repeat(64))] {
            // Space at the end of a line is none.
            let word = if wrong.trim().starts_with("Bearer ") { "wrong-token" } else { "no-token" };
            refused(&format!("{status}\r\nAuthorization: {wrong}"), 401, word);
        }
        for cut in [&token[..63], &format!("{token}0"), &token.to_uppercase()] {
            refused(&format!("{status}\r\nAuthorization: Bearer {cut}"), 401, "wrong-token");
        }
        // Also what does not exist is nobody's business.
        refused(&format!("GET /v1/nothing HTTP/1.1\r\nHost: {host}"), 401, "no-token");
        refused(&format!("POST /v1/stop HTTP/1.1\r\nHost: {host}"), 401, "no-token");

        for foreign in
            ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1", "localhost@evil.example"]
        {
            refused(&format!("GET /v1/status HTTP/1.1\r\nHost: {foreign}\r\n{bearer}"), 403, "foreign-host");
            refused(&format!("GET / HTTP/1.1\r\nHost: {foreign}"), 403, "foreign-host");
        }
        refused(
            &format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{bearer}"),
            403,
            "foreign-host",
        );
        let absolute = format!("GET http://evil.example/v1/status HTTP/1.1\r\nHost: {host}\r\n{bearer}");
        refused(&absolute, 403, "foreign-host");
        for foreign in ["http://evil.example", "null", "https://127.0.0.1", &format!("https://{host}"), "file://", ""] {
            refused(&format!("{status}\r\nOrigin: {foreign}\r\n{bearer}"), 403, "foreign-origin");
        }
        assert_eq!(says(&format!("{status}\r\nOrigin: http://{host}\r\n{bearer}")).0, 200);

        let with_token = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}");
        refused(&with_token("GET", "/v1/nothing"), 404, "no-such-route");
        refused(&with_token("POST", "/v1/status"), 405, "wrong-method");
        refused(&with_token("GET", "/v1/messages?after=7"), 400, "malformed");
        refused(&with_token("GET", "/v1/messages?after=0000000000000000:1"), 409, "other-log");
        refused(&with_token("GET", "/v1/messages?limit=0"), 400, "malformed");
        refused(&with_token("GET", "/v1/messages?unknown=1"), 400, "malformed");
        refused(&with_token("GET", "/v1/messages/xyz"), 400, "malformed");
        refused(&with_token("GET", &format!("/v1/messages/{}", "0".repeat(64))), 404, "no-such-message");
        refused(&with_token("GET", "/v1/subscribe?title=%00"), 400, "malformed");
        refused(&with_token("GET", "/v1/events?after=x"), 400, "malformed");
        refused(&with_token("POST", "/v1/shutdown"), 403, "not-allowed");
        let posts = |path: &str, body: &[u8]| stranger.says(&with_token("POST", path), body);
        for (path, body, status, word) in [
            ("/v1/publish", &b"{"[..], 400, "malformed"),
            ("/v1/publish", b"[]", 400, "malformed"),
            ("/v1/publish", b"\xff\xfe", 400, "malformed"),
            ("/v1/publish", br#"{"title":"t"}"#, 400, "malformed"),
            ("/v1/publish", br#"{"title":"t","message":"a","message_base64":"YQ=="}"#, 400, "malformed"),
            ("/v1/publish", br#"{"title":"t","message_base64":"a"}"#, 400, "malformed"),
            ("/v1/publish", br#"{"title":"t","message":"a","more":1}"#, 400, "malformed"),
            ("/v1/publish", br#"{"title":"sealnet/leave","message":"a"}"#, 400, "malformed"),
            ("/v1/publish", br#"{"title":"t","message":"a","lifetime":-1}"#, 400, "malformed"),
            ("/v1/ping", br#"{"peer":"ffff"}"#, 404, "no-such-node"),
            ("/v1/ping", br#"{"peer":""}"#, 404, "no-such-node"),
            ("/v1/disconnect", b"", 400, "malformed"),
            ("/v1/connect", br#"{"address":"nowhere"}"#, 400, "malformed"),
            ("/v1/stop", br#"{"now":true}"#, 400, "malformed"),
        ] {
            let answer = posts(path, body);
            assert_eq!((answer.0, kind(&answer).as_str()), (status, word), "{path} {}", String::from_utf8_lossy(body));
        }
        let own = format!("{{\"peer\":\"{}\"}}", "x".repeat(300_000));
        // The answer may be lost with what was not read of the request.
        assert!([0, 413].contains(&posts("/v1/ping", own.as_bytes()).0));
        let large = format!("{{\"title\":\"t\",\"message\":\"{}\"}}", "x".repeat(131_073));
        let answer = posts("/v1/publish", large.as_bytes());
        assert_eq!((answer.0, kind(&answer).as_str()), (413, "too-large"));
        let long = says(&format!("{status}\r\nX-Long: {}\r\n{bearer}", "x".repeat(20_000)));
        assert!([0, 431].contains(&long.0), "{long:?}");
        for rubbish in ["", "\r\n", "x", "GET", "GET / HTTP/9.9", "\u{0}\u{1}", "GET / HTTP/1.1"] {
            let status = says(rubbish).0;
            assert!([0, 400, 403].contains(&status), "{rubbish:?}: {status}");
        }
    });
    strangers.await.unwrap();
    let after = node.status();
    assert_eq!((after.reasons, after.members, after.log), (before.reasons, before.members, before.log));
    assert!(!node.is_stopping());
    let said: Value =
        place.client().post("/v1/publish", &json!({ "title": "t", "message": "still here" })).await.unwrap();
    assert_eq!(said["kept"], true);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_without_a_token_cannot_use_up_what_belongs_to_those_who_have_it() {
    let place = Place::loopback();
    let node = place.start().await;
    let stranger = Stranger { address: place.access().address };
    let many = move || {
        let mut stream = stranger.connect();
        let request = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(400);
        let last = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || writer.write_all((request + last).as_bytes()));
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        writing.join().unwrap().unwrap();
        let (refused, too_many) = (answers.matches("HTTP/1.1 401").count(), answers.matches("HTTP/1.1 429").count());
        assert_eq!(refused + too_many, 401);
        too_many
    };
    // However slow this machine is, at some moment they come too fast.
    let refused = tokio::task::spawn_blocking(move || while many() == 0 {});
    within("some are too many", refused).await.unwrap();
    let status: Status = place.client().get("/v1/status").await.unwrap();
    assert_eq!(status.id, node.id());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_streams_are_bounded_and_free_again_when_they_end() {
    let place = Place::loopback();
    let node = place.start().await;
    let client = place.client();
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(client.events(None).await.unwrap());
    }
    let refused = client.events(None).await.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused { status: 503, kind, .. } if kind == "too-many-streams"),
        "{refused}"
    );
    let _: Status = client.get("/v1/status").await.unwrap();

    let stranger = Stranger { address: place.access().address };
    // Strangers are sent away when somebody comes, so that whoever has the token is heard at once.
    let idle: Vec<TcpStream> = (0..200).map(|_| stranger.connect()).collect();
    let status: Status = client.get("/v1/status").await.unwrap();
    assert_eq!(status.id, node.id());
    assert!(
        client.events(None).await.is_err_and(|error| error.to_string().contains("16")),
        "the streams are still there"
    );

    // Sixteen are the streams'; a request of before may still be on its way out.
    let head = format!("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", place.token());
    let friends = async {
        let mut friends = Vec::new();
        loop {
            let mut friend = stranger.connect();
            // It may be refused before it has said anything.
            let _ = friend.write_all(head.as_bytes());
            let mut answer = [0; 12];
            match friend.read_exact(&mut answer) {
                Ok(()) if answer.ends_with(b"200") => friends.push(friend),
                // Too many in a second, which passes.
                Ok(()) if answer.ends_with(b"429") => {}
                _ => return friends,
            }
        }
    };
    let friends = within("a connection too many is refused", friends).await;
    let full = client.get::<Status>("/v1/status").await.unwrap_err();
    let is_full = matches!(&full, ClientError::Refused { status: 503, kind, .. } if kind == "too-many-connections");
    // The answer may be lost with the request that was not read.
    assert!(is_full || matches!(full, ClientError::Unreachable { .. } | ClientError::Answer(_)), "{full}");
    drop((idle, friends, streams));
    within("there is room again", async { while client.events(None).await.is_err() {} }).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_file_is_its_owners_alone_holds_another_token_each_time_and_goes_with_the_node() {
    let place = Place::loopback();
    let node = place.start().await;
    let mode = |file: &str| std::fs::metadata(place.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("node.control"), 0o600);
    let (first, old) = (place.token(), place.client());
    node.stop().await;
    assert!(!place.path("node.control").exists());
    let error = sealnet::control::Access::load(&place.path("node.toml")).unwrap_err().to_string();
    assert!(error.contains("no node runs") && error.contains("sealnet run --config"), "{error}");
    let error = old.get::<Status>("/v1/status").await.unwrap_err().to_string();
    assert!(error.contains("does not answer"), "{error}");

    let node = place.start().await;
    assert_ne!(place.token(), first);
    std::fs::set_permissions(place.path("node.control"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = sealnet::control::Access::load(&place.path("node.toml")).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_serves_as_well_is_private_and_is_taken_over_only_when_nobody_answers_there() {
    let place = Place::new("control = { socket = \"node.socket\" }");
    let node = place.start().await;
    assert_eq!(std::fs::metadata(place.path("node.socket")).unwrap().permissions().mode() & 0o777, 0o600);
    let status: Status = place.client().get("/v1/status").await.unwrap();
    assert_eq!(status.id, node.id());
    assert_eq!(place.access().page(), None);

    let config = sealnet::config::Config::load(&place.path("node.toml")).unwrap();
    let second = sealnet::node::SecureNode::from_config(&config).unwrap().control(&config).start().await;
    let error = second.unwrap_err().to_string();
    assert!(error.contains("node.socket") && error.contains("in use"), "{error}");
    let _: Status = place.client().get("/v1/status").await.unwrap();
    node.stop().await;
    assert!(!place.path("node.socket").exists());

    // What a node that was killed left behind.
    drop(std::os::unix::net::UnixListener::bind(place.path("node.socket")).unwrap());
    let node = place.start().await;
    let _: Status = place.client().get("/v1/status").await.unwrap();
    node.stop().await;
}
