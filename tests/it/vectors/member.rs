//! `member.json`: messages of `sealnet/member` (protocol, section 5).

use sealnet::overlay::MemberRecord;
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

/// What a reader knows afterwards; what was not said is `null`, empty or 0.
#[derive(Serialize)]
struct Read {
    certificate: Option<Shown>,
    seal_key: Option<Shown>,
    seal_until: u64,
    name: String,
}

#[derive(Serialize)]
struct Invalid {
    what: String,
    body: Shown,
}

const PAGE: &str = r#"{"seal_key":"04f5f29162c31a8defa18e6e742224ee806fc1718a278be859ba5620402b8f3a","seal_until":1701209600000000,"name":"alice"}"#;

fn valid(what: &'static str, text: &str) -> Valid {
    let record = MemberRecord::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(MemberRecord::decode(&record.encode()).as_ref(), Ok(&record), "{what}");
    let read = Read {
        certificate: record.certificate.as_ref().map(Shown::from),
        seal_key: record.seal_key.as_ref().map(Shown::from),
        seal_until: record.seal_until.as_micros(),
        name: record.name,
    };
    Valid { what, text: text.to_owned(), read }
}

#[test]
fn the_published_member_records_are_read_as_the_files_say() {
    let filled = |len: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(len - 8));
    let valid = vec![
        valid("the protocol page's", PAGE),
        valid("missing keys are empty or 0", "{}"),
        valid("unknown keys are passed over", r#"{"Name":7,"keys":[{"a":[]}]}"#),
        valid(
            "the most of everything",
            &format!(
                r#"{{"certificate":"/+Aa","seal_key":"{}","seal_until":9007199254740991,"name":"{}"}}"#,
                "00".repeat(32),
                "é".repeat(32)
            ),
        ),
        valid("an empty certificate", r#"{"certificate":""}"#),
        valid("4,096 bytes", &filled(4_096)),
    ];
    let mut bodies: Vec<(String, String)> = vec![("4,097 bytes".to_owned(), filled(4_097))];
    let fields = [
        "",
        "[]",
        r#"{"name":"a","name":"a"}"#,
        r#"{"x":[[[[]]]]}"#,
        r#"{"name":null}"#,
        r#"{"name":7}"#,
        r#"{"name":"\u0007"}"#,
        r#"{"name":"\u009f"}"#,
        r#"{"certificate":null}"#,
        r#"{"certificate":"/+Aa="}"#,
        r#"{"certificate":"_-Aa"}"#,
        r#"{"seal_until":-1}"#,
        r#"{"seal_until":1.0}"#,
        r#"{"seal_until":"1"}"#,
        r#"{"seal_until":9007199254740992}"#,
        r#"{"seal_key":null}"#,
        r#"{"seal_key":"00"}"#,
        r#"{"seal_key":7}"#,
    ];
    bodies.extend(fields.map(|text| (text.to_owned(), text.to_owned())));
    bodies.push(("upper-case hex".to_owned(), format!(r#"{{"seal_key":"{}"}}"#, "AB".repeat(32))));
    bodies.push(("a name of 65 bytes".to_owned(), format!(r#"{{"name":"{}"}}"#, "a".repeat(65))));
    let invalid = bodies.into_iter().map(|(what, body)| {
        assert!(MemberRecord::decode(body.as_bytes()).is_err(), "{what}");
        Invalid { what, body: Shown(body.into_bytes()) }
    });
    published("member.json", &File { invalid: invalid.collect(), valid });
}
