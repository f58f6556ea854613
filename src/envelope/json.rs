//! The JSON form of envelopes: for people, files and local tools, never on the wire (protocol, section 4).
//!
//! Reading rebuilds the bytes that were signed from the fields and compares the id, so the form can say nothing that
//! the envelope does not. It is read strictly, because two readers that take the same text differently would show two
//! people different messages under one signature.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Map, Value};

use super::parse::{Draft, Envelope, MessageTooLong, Version};
use super::scheme::{Verified, Verifier, VerifyError};
use super::{EnvelopeId, Lifetime, Timestamp, Title, TitleError, parse_object};
use crate::identity::{NetworkHash, NetworkName, NodeId, Signature, decode_hex, encode_hex};

/// The longest JSON form that is read, in bytes: the longest message, each byte of it written as `\u0000`, and room for
/// the rest.
pub const MAX_JSON: usize = 1 << 20;

/// Every key of the form. What is not here is refused.
const KEYS: [&str; 9] =
    ["id", "sender", "title", "message", "message_base64", "time", "lifetime", "network", "signature"];

/// Why a text is not the JSON form of an envelope one may believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Longer than any envelope's form.
    #[error("the text has {size} bytes; the JSON form of an envelope has at most {MAX_JSON}")]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// It is not one JSON object by the strict rules: says what and where.
    #[error("this is not one JSON object: {0}")]
    Syntax(String),
    /// It holds a key that the form does not have.
    #[error("the key \"{}\" does not belong to an envelope", .0.escape_debug())]
    UnknownKey(String),
    /// A field is missing or is not what it must be.
    #[error("the field \"{field}\" {why}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it, as the rest of the sentence.
        why: &'static str,
    },
    /// The title breaks the rule for titles.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// The message is longer than an envelope can carry.
    #[error(transparent)]
    MessageTooLong(#[from] MessageTooLong),
    /// It is of another network than the one that was asked about.
    #[error("the envelope is of the network \"{0}\", not of the one asked about; check the network's name")]
    OtherNetwork(NetworkName),
    /// The id is not that of the other fields: one of them was altered.
    #[error(
        "the fields do not belong to the id {stated}: together they have the id {computed}, so something was altered"
    )]
    Id {
        /// The id in the text.
        stated: EnvelopeId,
        /// The id of what the text says.
        computed: EnvelopeId,
    },
    /// It is not its sender's.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// The form as it is written: the keys in this order.
#[derive(Serialize)]
struct Written<'a> {
    id: String,
    sender: NodeId,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
    time: u64,
    lifetime: u32,
    network: &'a NetworkName,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl Envelope {
    /// The JSON form, on one line. `network` is the name of the network the envelope was parsed or made in: an envelope
    /// holds the name only within its id, and under another name the form would not be believed by anyone.
    pub fn to_json(&self, network: &NetworkName) -> String {
        let message = self.message();
        let text = std::str::from_utf8(&message).ok();
        let written = Written {
            id: self.id().to_string(),
            sender: self.sender(),
            title: self.title(),
            message: text,
            message_base64: text.is_none().then(|| BASE64.encode(&message)),
            time: self.time().as_micros(),
            lifetime: self.lifetime().as_secs(),
            network,
            signature: self.signature().map(|signature| encode_hex(&signature)),
        };
        // Text and numbers under fixed keys: there is nothing in it that JSON could not say.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Reads the JSON form of an envelope of `network`. Like [`Envelope::parse`] it checks everything but the
    /// signature; the id is that of the rebuilt bytes.
    ///
    /// # Errors
    /// A [`JsonError`] naming the first thing that is wrong.
    pub fn from_json(text: &str, version: Version, network: &NetworkHash) -> Result<Self, JsonError> {
        if text.len() > MAX_JSON {
            return Err(JsonError::TooLong { size: text.len() });
        }
        let object = parse_object(text.as_bytes(), 1).map_err(|error| JsonError::Syntax(error.to_string()))?;
        if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(JsonError::UnknownKey(key.chars().take(40).collect()));
        }
        let fields = Fields(&object);
        let name: NetworkName =
            fields.text("network")?.parse().map_err(|_| field_error("network", "is no network's name"))?;
        let hash = match version {
            Version::Signed => NetworkHash::secure(&name),
            Version::Open => NetworkHash::plain(&name),
        };
        if hash != *network {
            return Err(JsonError::OtherNetwork(name));
        }
        let stated = EnvelopeId::from_bytes(fields.hex("id", "is not 64 lower-case hex digits")?);
        let sender = NodeId::from_bytes(fields.hex("sender", "is not 64 lower-case hex digits")?);
        let draft = Draft {
            title: fields.text("title")?.parse::<Title>()?,
            message: fields.message()?,
            time: fields.time()?,
            lifetime: fields.lifetime()?,
        };
        let signature = fields.signature(version)?;
        let envelope = draft.seal(version, sender, network, |_| signature)?;
        match envelope.id() {
            computed if computed == stated => Ok(envelope),
            computed => Err(JsonError::Id { stated, computed }),
        }
    }
}

impl Verifier {
    /// Reads and judges the JSON form of one signed envelope of this network.
    ///
    /// # Errors
    /// A [`JsonError`] if the text is not the form of an envelope, or the envelope is not its sender's.
    pub fn check_json(&self, text: &str) -> Result<Verified<Envelope>, JsonError> {
        Ok(self.judge(Envelope::from_json(text, Version::Signed, self.network())?)?)
    }
}

fn field_error(field: &'static str, why: &'static str) -> JsonError {
    JsonError::Field { field, why }
}

/// The fields of the object, each read by one rule.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn text(&self, field: &'static str) -> Result<&'a str, JsonError> {
        let value = self.0.get(field).ok_or(field_error(field, "is missing"))?;
        value.as_str().ok_or(field_error(field, "is no text"))
    }

    fn hex<const N: usize>(&self, field: &'static str, why: &'static str) -> Result<[u8; N], JsonError> {
        decode_hex(self.text(field)?).ok_or(field_error(field, why))
    }

    /// An integer written with digits only: what has a sign, a point or an exponent is none.
    fn integer(&self, field: &'static str, why: &'static str) -> Result<u64, JsonError> {
        let value = self.0.get(field).ok_or(field_error(field, "is missing"))?;
        value.as_u64().ok_or(field_error(field, why))
    }

    fn time(&self) -> Result<Timestamp, JsonError> {
        const WHY: &str = "is no integer from 1 to 2^53 - 1 (microseconds since 1970)";
        let micros = self.integer("time", WHY)?;
        Timestamp::from_micros(micros).filter(|_| micros > 0).ok_or(field_error("time", WHY))
    }

    fn lifetime(&self) -> Result<Lifetime, JsonError> {
        const WHY: &str = "is no integer from 0 to 2^32 - 1 (seconds)";
        let secs = self.integer("lifetime", WHY)?;
        u32::try_from(secs).map(Lifetime::secs).map_err(|_| field_error("lifetime", WHY))
    }

    fn message(&self) -> Result<Bytes, JsonError> {
        match (self.0.contains_key("message"), self.0.contains_key("message_base64")) {
            (true, true) => Err(field_error("message_base64", "stands beside \"message\"; one of the two is enough")),
            (false, false) => Err(field_error("message", "is missing, and so is \"message_base64\"")),
            (true, false) => Ok(Bytes::copy_from_slice(self.text("message")?.as_bytes())),
            (false, true) => BASE64
                .decode(self.text("message_base64")?.as_bytes())
                .map(Bytes::from)
                .map_err(|_| field_error("message_base64", "is no padded base64")),
        }
    }

    fn signature(&self, version: Version) -> Result<Option<Signature>, JsonError> {
        match version {
            Version::Signed => self.hex("signature", "is not 128 lower-case hex digits").map(Some),
            Version::Open if self.0.contains_key("signature") => {
                Err(field_error("signature", "does not belong to an envelope of a plain network"))
            }
            Version::Open => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::envelope::{MAX_MESSAGE, Open, Scheme, Signed};
    use crate::identity::Identity;

    /// The known answer of the protocol page: its envelope by A, in the JSON form.
    const EXAMPLE: &str = concat!(
        r#"{"id":"4e90de855c91df774dc19a7d4b40b9de543d7648af264da6fc1dc3f9adb28ac7","#,
        r#""sender":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","title":"chat","#,
        r#""message":"hello","time":1700000000000000,"lifetime":3600,"network":"example-net","signature":""#,
        "d230372e0bdb0a53c5a814083ce96b034f7a543e881905cd8c0d610ab0ed2a0b",
        r#"a7ee43094a7a322d31746f530f9f8b5babb28e8d3b38e0ec71680c300b395d09"}"#
    );

    fn name(text: &str) -> NetworkName {
        text.parse().unwrap()
    }

    fn verifier() -> Verifier {
        Verifier::new(NetworkHash::secure(&name("example-net")))
    }

    /// What is said about the example after replacing `from`, which must be in it.
    #[track_caller]
    fn altered(from: &str, to: &str) -> JsonError {
        assert!(EXAMPLE.contains(from), "{from}");
        verifier().check_json(&EXAMPLE.replacen(from, to, 1)).unwrap_err()
    }

    #[track_caller]
    fn assert_field(error: &JsonError, expected: &str) {
        assert!(matches!(error, JsonError::Field { field, .. } if *field == expected), "{error}");
    }

    #[test]
    fn the_published_example_is_read_and_written_letter_for_letter() {
        let envelope = verifier().check_json(EXAMPLE).unwrap();
        assert_eq!((envelope.title(), &envelope.message()[..]), ("chat", &b"hello"[..]));
        assert_eq!(envelope.to_json(&name("example-net")), EXAMPLE);
    }

    #[test]
    fn white_space_order_and_escapes_of_json_do_not_matter() {
        let spaced = EXAMPLE.replace(',', ",\n  ").replace("\"title\":\"chat\"", "\"\\u0074itle\" : \"ch\\u0061t\"");
        assert_eq!(verifier().check_json(&format!(" {spaced}\n")).unwrap().to_json(&name("example-net")), EXAMPLE);
    }

    #[test]
    fn times_that_are_no_plain_integers_are_refused() {
        for bad in [
            "1700000000000000.0",
            "17e14",
            "1.7e15",
            "-1700000000000000",
            "-0",
            "0",
            "\"1700000000000000\"",
            "9007199254740992",
            "18446744073709551616",
            "1e400",
            "null",
            "[1700000000000000]",
            "01700000000000000",
            "+1",
            "true",
        ] {
            let error = altered("1700000000000000", bad);
            assert!(matches!(error, JsonError::Field { field: "time", .. } | JsonError::Syntax(_)), "{bad}: {error}");
        }
        for bad in ["3600.0", "36e2", "-1", "4294967296", "\"3600\""] {
            assert_field(&altered(":3600", &format!(":{bad}")), "lifetime");
        }
    }

    #[test]
    fn a_key_may_not_stand_twice_however_it_is_escaped() {
        for twice in [r#""title":"chat","title":"#, r#""\u0074itle":"x","title":"#, r#""ti\u0074le":"chat","title":"#] {
            let error = altered("\"title\":", twice);
            assert!(matches!(&error, JsonError::Syntax(text) if text.contains("stands twice")), "{error}");
        }
    }

    #[test]
    fn unknown_keys_and_missing_ones_are_refused() {
        assert_eq!(altered("{", "{\"extra\":1,"), JsonError::UnknownKey("extra".to_owned()));
        assert_eq!(altered("{", "{\"Title\":\"\","), JsonError::UnknownKey("Title".to_owned()));
        for key in ["id", "sender", "title", "message", "time", "lifetime", "network", "signature"] {
            let mut object: Map<String, Value> = serde_json::from_str(EXAMPLE).unwrap();
            object.remove(key).unwrap();
            assert_field(&verifier().check_json(&Value::Object(object).to_string()).unwrap_err(), key);
        }
    }

    #[test]
    fn only_one_object_is_an_envelope() {
        let twice = format!("{EXAMPLE}{EXAMPLE}");
        let in_array = format!("[{EXAMPLE}]");
        for bad in ["", "[]", "null", "\"\"", "7", "{", &in_array, &twice] {
            assert!(matches!(verifier().check_json(bad), Err(JsonError::Syntax(_))), "{bad}");
        }
        for nested in ["[\"hello\"]", "{\"a\":1}"] {
            assert!(matches!(altered("\"hello\"", nested), JsonError::Syntax(_)));
        }
        let size = MAX_JSON + 1;
        assert_eq!(verifier().check_json(&" ".repeat(size)), Err(JsonError::TooLong { size }));
    }

    #[test]
    fn hex_is_lower_case_and_of_the_right_length() {
        for (field, digits) in [("id", "4e90de85"), ("sender", "8a88e3dd"), ("signature", "d230372e")] {
            assert_field(&altered(digits, &digits.to_uppercase()), field);
            assert_field(&altered(digits, &digits[1..]), field);
            assert_field(&altered(digits, &format!("0{digits}")), field);
        }
    }

    #[test]
    fn the_message_is_text_or_base64_and_not_both() {
        assert_field(&altered("\"message\":", "\"message_base64\":\"aGVsbG8=\",\"message\":"), "message_base64");
        for bad in ["aGVsbG8", "aGVsbG9=", "aGVsbG8=\\n", "_-8="] {
            let to = format!("\"message_base64\":\"{bad}\"");
            assert_field(&altered("\"message\":\"hello\"", &to), "message_base64");
        }
    }

    #[test]
    fn what_was_altered_does_not_have_the_id_any_more() {
        for (from, to) in
            [("hello", "hellO"), ("\"chat\"", "\"chat \""), ("000,", "001,"), (":3600", ":3601"), ("8a88", "8a89")]
        {
            assert!(matches!(altered(from, to), JsonError::Id { .. }), "{from}");
        }
        assert!(matches!(altered("chat", "a\\u0007b"), JsonError::Title(TitleError::ControlCharacter('\u{7}'))));
        assert_eq!(altered("d230372e", "d230372f"), JsonError::Verify(VerifyError::Signature));
    }

    #[test]
    fn an_envelope_of_another_network_or_kind_of_network_is_named_as_such() {
        let other = Verifier::new(NetworkHash::secure(&name("other")));
        assert_eq!(other.check_json(EXAMPLE), Err(JsonError::OtherNetwork(name("example-net"))));
        let plain = NetworkHash::plain(&name("example-net"));
        assert_field(&Envelope::from_json(EXAMPLE, Version::Open, &plain).unwrap_err(), "signature");
    }

    #[test]
    fn the_form_of_a_plain_envelope_has_no_signature() {
        let network = name("example-net");
        let scheme = Open::new(NetworkHash::plain(&network), NodeId::from_bytes([7; 32]));
        let draft = Draft {
            title: "t".parse().unwrap(),
            message: Bytes::from_static(b"\xff"),
            time: Timestamp::MAX,
            lifetime: Lifetime::LIVE_ONLY,
        };
        let made = scheme.publish(&draft).unwrap();
        let json = made.to_json(&network);
        assert!(!json.contains("signature") && json.contains("\"message_base64\":\"/w==\""), "{json}");
        assert_eq!(&Envelope::from_json(&json, Version::Open, scheme.network()).unwrap(), &*made);
    }

    #[test]
    fn the_longest_form_is_short_enough_to_be_read() {
        let network = name("n");
        let scheme = Signed::new(NetworkHash::secure(&network), Arc::new(Identity::from_seed(&[1; 32])));
        for byte in [0, 0xff] {
            let draft = Draft {
                title: "\"".repeat(200).parse().unwrap(),
                message: vec![byte; MAX_MESSAGE].into(),
                time: Timestamp::MAX,
                lifetime: Lifetime::secs(u32::MAX),
            };
            let made = scheme.publish(&draft).unwrap();
            assert_eq!(Envelope::from_json(&made.to_json(&network), Version::Signed, scheme.network()).unwrap(), *made);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_as_the_same_bytes(
            title in "[^\\p{Cc}]{0,50}", message in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,50}",
            time in 1u64..1 << 53, lifetime: u32, as_text: bool,
        ) {
            let network = name("example-net");
            let scheme = Signed::new(NetworkHash::secure(&network), Arc::new(Identity::from_seed(&[1; 32])));
            let draft = Draft {
                title: title.parse().unwrap(),
                message: if as_text { text.into() } else { message.into() },
                time: Timestamp::from_micros(time).unwrap(),
                lifetime: Lifetime::secs(lifetime),
            };
            let made = scheme.publish(&draft).unwrap();
            prop_assert_eq!(verifier().check_json(&made.to_json(&network)).unwrap(), made);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,300}") {
            prop_assert!(verifier().check_json(&text).is_err());
        }
    }
}
