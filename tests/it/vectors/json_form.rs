//! `json_form.json`: envelopes as people and tools see them (protocol, section 4).

use sealnet::envelope::{Draft, Envelope, JsonError, Scheme, Verifier, Version};
use sealnet::identity::{NetworkName, NodeId};
use serde::Serialize;

use super::envelopes::{draft, open, signed, verify_reason};
use super::shown::Shown;
use super::{A, NETWORK, published, secure};

#[derive(Serialize)]
struct File {
    written: Vec<Written>,
    read: Vec<Written>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Written {
    what: &'static str,
    version: u8,
    text: String,
    envelope: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    version: u8,
    text: String,
    reason: String,
}

fn name() -> NetworkName {
    NETWORK.parse().unwrap()
}

/// What the vectors call the reason for which a text is not the JSON form of an envelope.
fn reason(error: &JsonError) -> String {
    match error {
        JsonError::TooLong { .. } => "length".to_owned(),
        JsonError::Syntax(_) => "json".to_owned(),
        JsonError::UnknownKey(_) => "unknown-key".to_owned(),
        JsonError::Field { field, .. } => format!("field:{field}"),
        JsonError::Title(_) => "field:title".to_owned(),
        JsonError::MessageTooLong(_) => "field:message".to_owned(),
        JsonError::OtherNetwork(_) => "network".to_owned(),
        JsonError::Id { .. } => "id".to_owned(),
        JsonError::Verify(error) => verify_reason(*error).to_owned(),
        other => panic!("a reason without a name: {other}"),
    }
}

/// Reads a text as a node of the secure or the plain network does.
fn read(text: &str, version: u8) -> Result<Envelope, JsonError> {
    match version {
        0 => Envelope::from_json(text, Version::Open, open(NodeId::from_bytes([7; 32])).network()),
        _ => Verifier::new(secure(NETWORK)).check_json(text).map(|verified| Envelope::clone(&verified)),
    }
}

fn written(what: &'static str, scheme: &dyn Scheme, draft: &Draft) -> Written {
    let made = scheme.publish(draft).unwrap();
    let (version, text) = (made.version().as_byte(), made.to_json(&name()));
    assert_eq!(read(&text, version).as_ref(), Ok(&*made));
    Written { what, version, text, envelope: made.as_bytes().into() }
}

#[test]
fn the_published_json_forms_are_written_and_read_as_the_files_say() {
    let (a, now) = (signed(&A), 1_700_000_000_000_000);
    let of_a = |what, title: &str, message: &[u8]| written(what, &a, &draft(title, message, now, 3600));
    let written = vec![
        of_a("the protocol page's envelope", "chat", b"hello"),
        of_a("everything empty", "", b""),
        of_a("a message that is not UTF-8", "bytes", b"\xFF\x00\xFE"),
        of_a("a message that needs escapes", "a \"title\" \\ /", b"\"\\\x08\x0C\n\r\t\x00\x1F\x7F"),
        of_a("a message beyond ASCII is written as it is", "Zürich", "ß\u{2028}\u{202e}😀".as_bytes()),
        written("the extreme numbers", &a, &draft("t", b"m", (1 << 53) - 1, u32::MAX)),
        written("of the plain network", &open(NodeId::from_bytes([7; 32])), &draft("chat", b"hello", 1, 0)),
    ];
    let example = written[0].text.clone();
    let read = also_read(&example).into_iter().map(|(what, text)| {
        let envelope = read(&text, 1).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(envelope.to_json(&name()), example);
        Written { what, version: 1, text, envelope: envelope.as_bytes().into() }
    });
    let read = read.collect();
    let invalid = refused(&example, &written[6].text).into_iter().map(|(what, version, text)| {
        let error = self::read(&text, version).expect_err(what);
        Invalid { what, version, text, reason: reason(&error) }
    });
    published("json_form.json", &File { read, invalid: invalid.collect(), written });
}

/// Replaces `from`, which must be in the text, once.
#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// Other texts of the example.
fn also_read(example: &str) -> Vec<(&'static str, String)> {
    let message = "\"message\":\"hello\"";
    vec![
        ("white space", format!(" \r\n{}\t", example.replace(',', " ,\n ").replace("\":", "\" : "))),
        ("escapes in a key and a text", changed(example, "\"title\":\"chat\"", "\"\\u0074itle\":\"\\u0063hat\"")),
        ("another order", changed(&changed(example, "\"title\":\"chat\",", ""), "}", ",\"title\":\"chat\"}")),
        ("the message in base64", changed(example, message, "\"message_base64\":\"aGVsbG8=\"")),
    ]
}

/// Texts that are refused, by one rule each.
fn refused(example: &str, plain: &str) -> Vec<(&'static str, u8, String)> {
    let time = "1700000000000000";
    let message = "\"message\":\"hello\"";
    let mut refused: Vec<(&'static str, u8, String)> = Vec::new();
    let mut whole = |what, text: &str| refused.push((what, 1, text.to_owned()));
    whole("nothing", "");
    whole("an array", &format!("[{example}]"));
    whole("a text", "\"{}\"");
    whole("null", "null");
    whole("two objects", &format!("{example}{example}"));
    whole("a byte order mark", &format!("\u{feff}{example}"));
    whole("a comma too many", &changed(example, "}", ",}"));
    whole("cut off", &example[..example.len() - 1]);

    let edits = [
        ("the time as a float", time, "1700000000000000.0"),
        ("the time with an exponent", time, "17e14"),
        ("the time with a sign", time, "-1700000000000000"),
        ("the time as minus zero", time, "-0"),
        ("the time with a leading zero", time, "01700000000000000"),
        ("the time as a text", time, "\"1700000000000000\""),
        ("the time as null", time, "null"),
        ("the time in an array", time, "[1700000000000000]"),
        ("time 0", time, "0"),
        ("time 2^53", time, "9007199254740992"),
        ("time 2^64", time, "18446744073709551616"),
        ("a time beyond every float", time, "1e400"),
        ("the lifetime as a float", ":3600", ":3600.0"),
        ("the lifetime with a sign", ":3600", ":-1"),
        ("lifetime 2^32", ":3600", ":4294967296"),
        ("a key twice", "\"title\":", "\"title\":\"chat\",\"title\":"),
        ("a key twice, once with an escape", "\"title\":", "\"titl\\u0065\":\"chat\",\"title\":"),
        ("an unknown key", "{", "{\"extra\":1,"),
        ("a key with a capital", "\"title\":", "\"Title\":"),
        ("an id with a capital", "4e90de85", "4E90de85"),
        ("an id one digit short", "4e90de85", "e90de85"),
        ("a sender with a capital", "8a88e3dd", "8A88e3dd"),
        ("a sender with white space", "8a88e3dd", " 8a88e3dd"),
        ("a signature with a capital", "d230372e", "D230372e"),
        ("a signature two digits long", "d230372e", "00d230372e"),
        ("no title", "\"title\":\"chat\",", ""),
        ("no id", "\"id\":\"4e90de855c91df774dc19a7d4b40b9de543d7648af264da6fc1dc3f9adb28ac7\",", ""),
        ("no time", ",\"time\":1700000000000000", ""),
        ("no lifetime", ",\"lifetime\":3600", ""),
        ("no network", ",\"network\":\"example-net\"", ""),
        ("no message", ",\"message\":\"hello\"", ""),
        ("both messages", message, "\"message\":\"hello\",\"message_base64\":\"aGVsbG8=\""),
        ("base64 without padding", message, "\"message_base64\":\"aGVsbG8\""),
        ("base64 with bits that are not zero", message, "\"message_base64\":\"aGVsbG9=\""),
        ("base64 with white space", message, "\"message_base64\":\"aGVs\\nbG8=\""),
        ("base64 with the other alphabet", message, "\"message_base64\":\"_-8=\""),
        ("the message as a number", message, "\"message\":1"),
        ("a lone surrogate", message, "\"message\":\"\\ud800\""),
        ("a line feed within a text", message, "\"message\":\"a\nb\""),
        ("a title with a control character", "\"chat\"", "\"a\\u0007b\""),
        ("a network that is no name", "example-net", "Example-Net"),
        ("another network", "example-net", "other-net"),
        ("another message", "hello", "hellO"),
        ("another title", "\"chat\"", "\"chat \""),
        ("another time", time, "1700000000000001"),
        ("another lifetime", ":3600", ":3601"),
        ("another sender", "8a88e3dd", "8a88e3de"),
        ("another id", "4e90de85", "4e90de86"),
        ("another signature", "d230372e", "d230372f"),
    ];
    refused.extend(edits.map(|(what, from, to)| (what, 1, changed(example, from, to))));
    refused.push(("a title of 201 bytes", 1, changed(example, "\"chat\"", &format!("\"{}\"", "t".repeat(201)))));
    refused.push((
        "plain: with a signature",
        0,
        changed(plain, "}", &format!(",\"signature\":\"{}\"}}", "0".repeat(128))),
    ));
    refused.push(("plain: another message", 0, changed(plain, "hello", "hellO")));
    refused
}
