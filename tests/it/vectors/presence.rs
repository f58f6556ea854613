//! `presence.json`: messages of `sealnet/presence` (protocol, section 5).

use std::collections::BTreeMap;

use sealnet::overlay::Presence;
use serde::Serialize;

use super::hello::BAD_ADDRESSES;
use super::published;
use super::shown::Shown;

#[derive(Serialize)]
struct File {
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Valid {
    what: &'static str,
    text: String,
    read: Read,
}

/// What a reader knows afterwards; what was not said is empty or 0.
#[derive(Serialize)]
struct Read {
    addresses: Vec<String>,
    links: usize,
    features: Vec<String>,
    apps: BTreeMap<String, String>,
    epoch: u64,
    period: u64,
}

#[derive(Serialize)]
struct Invalid {
    what: String,
    body: Shown,
}

const PAGE: &str = r#"{"addresses":["192.0.2.7:7000"],"links":["8139770ea87d175f"],"features":[],"apps":{"chat":"1"},"epoch":0,"period":213}"#;

fn valid(what: &'static str, text: &str) -> Valid {
    let presence = Presence::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(Presence::decode(&presence.encode()).as_ref(), Ok(&presence), "{what}");
    let read = Read {
        addresses: presence.addresses.iter().map(ToString::to_string).collect(),
        links: presence.links.map_or(0, |links| links.len()),
        features: presence.features,
        apps: presence.apps,
        epoch: presence.epoch,
        period: presence.period.as_secs(),
    };
    Valid { what, text: text.to_owned(), read }
}

#[test]
fn the_published_presences_are_read_as_the_files_say() {
    let links = |count: usize| vec!["\"0123456789abcdef\""; count].join(",");
    let filled = |len: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(len - 8));
    let valid = vec![
        valid("the protocol page's", PAGE),
        valid("missing keys are empty or 0", "{}"),
        valid("unknown keys are passed over", r#"{"period":1,"name":{"a":[{"b":1}]},"Epoch":-1}"#),
        valid("the highest numbers", r#"{"epoch":9007199254740991,"period":9007199254740991}"#),
        valid("40 links", &format!("{{\"links\":[{}]}}", links(40))),
        valid(
            "as much as HELLO allows",
            &format!(
                r#"{{"addresses":["127.0.0.1:1","[::1]:2"],"features":["{}"],"apps":{{"":"1","sealnet/x":"{}"}}}}"#,
                "f".repeat(32),
                "v".repeat(64)
            ),
        ),
        valid("4,096 bytes", &filled(4_096)),
    ];
    let mut bodies: Vec<(String, String)> = vec![("4,097 bytes".to_owned(), filled(4_097))];
    let fields = [
        "",
        "[]",
        "null",
        r#"{"period":1,"period":1}"#,
        r#"{"x":[[[[]]]]}"#,
        r#"{"epoch":7.0}"#,
        r#"{"epoch":-7}"#,
        r#"{"epoch":9007199254740992}"#,
        r#"{"epoch":null}"#,
        r#"{"period":"1"}"#,
        r#"{"period":9007199254740992}"#,
        r#"{"links":null}"#,
        r#"{"links":["0123456789ABCDEF"]}"#,
        r#"{"links":["01"]}"#,
        r#"{"links":[1]}"#,
        r#"{"features":["A"]}"#,
        r#"{"features":[""]}"#,
        r#"{"features":{}}"#,
        r#"{"apps":{"t":""}}"#,
        r#"{"apps":{"t":1}}"#,
        r#"{"apps":{"t":"\u0007"}}"#,
        r#"{"apps":{"\n":"1"}}"#,
        r#"{"addresses":"127.0.0.1:1"}"#,
        r#"{"addresses":["a:1","a:1"]}"#,
    ];
    bodies.extend(fields.map(|text| (text.to_owned(), text.to_owned())));
    bodies.push(("41 links".to_owned(), format!("{{\"links\":[{}]}}", links(41))));
    bodies.push(("5 addresses".to_owned(), format!("{{\"addresses\":[{}]}}", ["\"127.0.0.1:1\""; 5].join(","))));
    let addresses =
        BAD_ADDRESSES.map(|address| (format!("the address {address}"), format!("{{\"addresses\":[\"{address}\"]}}")));
    bodies.extend(addresses);
    let invalid = bodies.into_iter().map(|(what, body)| {
        assert!(Presence::decode(body.as_bytes()).is_err(), "{what}");
        Invalid { what, body: Shown(body.into_bytes()) }
    });
    published("presence.json", &File { invalid: invalid.collect(), valid });
}
