//! `hello.json`: bodies of HELLO (protocol, section 3).

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sealnet::wire::{Hello, HelloError};
use serde::Serialize;

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

/// What a reader knows afterwards; what was not said is `null`, empty or false.
#[derive(Serialize)]
struct Read {
    agent: String,
    time: u64,
    max_version: u64,
    node: Option<String>,
    listen: Vec<String>,
    features: Vec<String>,
    apps: BTreeMap<String, String>,
    certificate: Option<String>,
    epoch: Option<u64>,
    renew: bool,
}

#[derive(Serialize)]
struct Invalid {
    what: String,
    body: Shown,
    reason: String,
}

const LEAST: &str = r#"{"agent":"a","time":1,"max_version":1}"#;

/// The least HELLO with `more` in it.
fn with(more: &str) -> String {
    LEAST.replacen('}', &format!(",{more}}}"), 1)
}

fn valid(what: &'static str, text: &str) -> Valid {
    let hello = Hello::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(Hello::decode(&hello.encode().unwrap()).as_ref(), Ok(&hello), "{what}");
    let read = Read {
        agent: hello.agent,
        time: hello.time.as_micros(),
        max_version: hello.max_version,
        node: hello.node.map(|node| node.to_string()),
        listen: hello.listen.iter().map(ToString::to_string).collect(),
        features: hello.features,
        apps: hello.apps.into_iter().map(|(title, version)| (title.to_string(), version)).collect(),
        certificate: hello.certificate.map(|bytes| HEXLOWER.encode(&bytes)),
        epoch: hello.epoch,
        renew: hello.renew,
    };
    Valid { what, text: text.to_owned(), read }
}

#[test]
fn the_published_hellos_are_read_as_the_files_say() {
    let many = |count: usize, item: &str| vec![item; count].join(",");
    let apps = |count: usize| (0..count).map(|n| format!("\"t{n}\":\"1\"")).collect::<Vec<_>>().join(",");
    let most = |more: &str| with(&format!("{more},\"x\":\"{}\"", "y".repeat(4_096 - with(more).len() - 7)));
    let valid = vec![
        valid("the example of the record", r#"{"agent":"example/1","max_version":1,"time":1700000000000000}"#),
        valid(
            "the protocol page's",
            r#"{"agent":"sealnet/0.1.0","time":1700000000000000,"max_version":1,"listen":["192.0.2.7:7000","[2001:db8::7]:7000"],"features":[],"apps":{"chat":"1"}}"#,
        ),
        valid(
            "white space, escapes and another order",
            " {\"max_version\" : 1,\n\"tim\\u0065\":1,\t\"agent\":\"\\u00e4\"}\r\n",
        ),
        valid(
            "everything empty or zero",
            r#"{"agent":"","time":0,"max_version":1,"listen":[],"features":[],"apps":{},"certificate":"","epoch":0,"renew":false}"#,
        ),
        valid(
            "the highest numbers",
            r#"{"agent":"a","time":9007199254740991,"max_version":9007199254740991,"epoch":9007199254740991}"#,
        ),
        valid(
            "all keys",
            &with(&format!(
                r#""node":"{}","listen":["127.0.0.1:1"],"features":["reconcile","x.y-1"],"apps":{{"a":"é"}},"certificate":"/+Aa","epoch":7,"renew":true"#,
                "ab".repeat(32)
            )),
        ),
        valid("unknown keys, four deep", &with(r#""new":{"a":[{"b":1.5e3}]},"x":null,"y":-0.0"#)),
        valid("unknown numbers that are no integers", &with(r#""x":[1e300,-7,18446744073709551616]"#)),
        valid(
            "IPv6 in several spellings",
            &with(r#""listen":["[::1]:1","[2001:DB8:0:0:0:0:0:1]:65535","[::ffff:192.0.2.1]:80"]"#),
        ),
        valid("four addresses", &with(&format!("\"listen\":[{}]", many(4, "\"192.0.2.1:1\"")))),
        valid(
            "32 features of 32 bytes",
            &with(&format!("\"features\":[{}]", many(32, &format!("\"{}\"", "f".repeat(32))))),
        ),
        valid("32 applications", &with(&format!("\"apps\":{{{}}}", apps(32)))),
        valid(
            "the longest title and version",
            &with(&format!("\"apps\":{{\"{}\":\"{}\"}}", "t".repeat(200), "v".repeat(64))),
        ),
        valid("an empty title, and one of the protocol", &with(r#""apps":{"":"1","sealnet/x":"2"}"#)),
        valid("the longest agent", &LEAST.replace("\"a\"", &format!("\"{}\"", "a".repeat(64)))),
        valid("4,096 bytes", &most("\"renew\":true")),
    ];
    let invalid = refused().into_iter().map(|(what, body)| {
        let reason = match Hello::decode(&body).expect_err(&what) {
            HelloError::TooLong { .. } => "length".to_owned(),
            HelloError::Json { .. } => "json".to_owned(),
            HelloError::Field(error) => format!("field:{}", error.field),
            other => panic!("a reason without a name: {other}"),
        };
        Invalid { what, body: Shown(body), reason }
    });
    published("hello.json", &File { invalid: invalid.collect(), valid });
}

/// Bodies that are refused, by one rule each.
fn refused() -> Vec<(String, Vec<u8>)> {
    let mut refused: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, body: &str| refused.push((what.to_owned(), body.as_bytes().to_vec()));
    add("nothing", "");
    add("an array", &format!("[{LEAST}]"));
    add("null", "null");
    add("two objects", &format!("{LEAST}{LEAST}"));
    add("a byte order mark", &format!("\u{feff}{LEAST}"));
    add("a comma too many", &LEAST.replace('}', ",}"));
    add("4,097 bytes", &with(&format!("\"x\":\"{}\"", "y".repeat(4_097 - LEAST.len() - 7))));
    add("five deep", &with(r#""new":{"a":[{"b":[]}]}"#));
    add("a key twice", &with(r#""time":1"#));
    add("a key twice, once with an escape", &with(r#""tim\u0065":1"#));
    add("an unknown key twice, deep inside", &with(r#""new":[{"a":1,"a":1}]"#));
    add("a lone surrogate", &with(r#""x":"\ud800""#));
    add("a lone surrogate as a key", &with(r#""\udc00":1"#));
    add("a number beyond every float", &with(r#""x":1e400"#));
    add("a number with a leading zero", &with(r#""x":01"#));
    add("NaN", &with(r#""x":NaN"#));
    add("a control character in a text", &with("\"x\":\"\t\""));
    for field in ["agent", "time", "max_version"] {
        add(&format!("no {field}"), &LEAST.replace(field, "other"));
        add(
            &format!("{field} is null"),
            &LEAST
                .replace("\"a\"", "1")
                .replace(&format!("\"{field}\":1"), &format!("\"{field}\":null"))
                .replace("\"agent\":1", "\"agent\":\"a\""),
        );
    }
    for number in ["1.0", "1e3", "-1", "-0", "\"1\"", "9007199254740992", "18446744073709551616", "[1]", "true"] {
        add(&format!("time {number}"), &LEAST.replace("\"time\":1", &format!("\"time\":{number}")));
        add(&format!("epoch {number}"), &with(&format!("\"epoch\":{number}")));
    }
    add("max_version 0", &LEAST.replace("\"max_version\":1", "\"max_version\":0"));
    add("an agent of 65 bytes", &LEAST.replace("\"a\"", &format!("\"{}\"", "a".repeat(65))));
    let fields = [
        format!("\"node\":\"{}\"", "AB".repeat(32)),
        format!("\"node\":\"{}\"", "ab".repeat(31)),
        "\"node\":1".to_owned(),
        format!("\"listen\":[{}]", ["\"192.0.2.1:1\""; 5].join(",")),
        "\"listen\":\"192.0.2.1:1\"".to_owned(),
        "\"listen\":[1]".to_owned(),
        "\"listen\":null".to_owned(),
        format!("\"features\":[{}]", vec!["\"a\""; 33].join(",")),
        format!("\"features\":[\"{}\"]", "f".repeat(33)),
        "\"features\":[\"\"]".to_owned(),
        "\"features\":[\"A\"]".to_owned(),
        "\"features\":[\"a_b\"]".to_owned(),
        "\"features\":[\"a\",1]".to_owned(),
        format!("\"apps\":{{{}}}", (0..33).map(|n| format!("\"t{n}\":\"1\"")).collect::<Vec<_>>().join(",")),
        format!("\"apps\":{{\"{}\":\"1\"}}", "t".repeat(201)),
        format!("\"apps\":{{\"t\":\"{}\"}}", "v".repeat(65)),
        "\"apps\":{\"t\":\"\"}".to_owned(),
        "\"apps\":{\"t\":1}".to_owned(),
        "\"apps\":{\"\\u0085\":\"1\"}".to_owned(),
        "\"apps\":{\"t\":\"\\u007f\"}".to_owned(),
        "\"apps\":[]".to_owned(),
        "\"certificate\":\"AA\"".to_owned(),
        "\"certificate\":\"AB==\"".to_owned(),
        "\"certificate\":\"_-Aa\"".to_owned(),
        "\"certificate\":\"AA==\\n\"".to_owned(),
        "\"renew\":0".to_owned(),
        "\"renew\":\"true\"".to_owned(),
        "\"renew\":null".to_owned(),
    ];
    for field in fields {
        let shown: String = field.chars().take(60).collect();
        add(&shown, &with(&field));
    }
    for address in BAD_ADDRESSES {
        add(&format!("the address {address}"), &with(&format!("\"listen\":[\"{address}\"]")));
    }
    refused.push((
        "not UTF-8".to_owned(),
        with("\"x\":\"?\"").bytes().map(|b| if b == b'?' { 0xFF } else { b }).collect(),
    ));
    refused
}

/// Texts that are no `ip:port`.
pub(super) const BAD_ADDRESSES: [&str; 16] = [
    "",
    "192.0.2.1",
    "192.0.2.1:",
    "192.0.2.1:0",
    "192.0.2.1:65536",
    "192.0.2.1:080",
    "192.0.2.1:+80",
    "192.0.2.1:80 ",
    "192.0.2.01:80",
    "192.0.2:80",
    "localhost:80",
    "::1:80",
    "[::1]",
    "[192.0.2.1]:80",
    "[fe80::1%2]:80",
    "[fe80::1%0]:80",
];
