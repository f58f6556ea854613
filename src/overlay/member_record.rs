//! What others need to know of a member also while it is away (protocol, section 5).

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;

use crate::envelope::{Timestamp, parse_object};
use crate::identity::{decode_hex, encode_hex};
use crate::wire::FieldError;
use crate::wire::fields::Fields;

/// The largest record, in bytes.
const MAX_RECORD: usize = 4096;
/// The longest name of a member, in bytes.
const MAX_NAME: usize = 64;

/// The content of `sealnet/member`. Whatever is missing its member did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its certificate of membership, as it was issued; whose word it is nobody has checked yet.
    pub certificate: Option<Bytes>,
    /// The X25519 key that content for it is sealed to, as it wrote it; whether it is a key, who seals checks.
    pub seal_key: Option<[u8; 32]>,
    /// The time after which nobody is to seal to that key.
    pub seal_until: Timestamp,
    /// What it calls itself; at most 64 bytes without control characters. Anybody may call itself anything.
    pub name: String,
}

/// The content of a member record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the member record cannot be read: {0}")]
pub struct MemberRecordError(String);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal_key: Option<String>,
    seal_until: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

impl MemberRecord {
    /// The message of a record's envelope.
    pub fn encode(&self) -> Vec<u8> {
        let body = Body {
            certificate: self.certificate.as_ref().map(|bytes| BASE64.encode(bytes)),
            seal_key: self.seal_key.as_ref().map(|key| encode_hex(key)),
            seal_until: self.seal_until.as_micros(),
            name: &self.name,
        };
        // Strings and a number always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads the message of a record's envelope. Missing keys are empty or 0, unknown ones are passed over.
    ///
    /// # Errors
    /// If it is over 4 KiB, no strict JSON object, or a field is not what it must be.
    pub fn decode(message: &[u8]) -> Result<Self, MemberRecordError> {
        if message.len() > MAX_RECORD {
            return Err(MemberRecordError(format!("{} bytes are more than {MAX_RECORD}", message.len())));
        }
        let object = parse_object(message, 4).map_err(|error| MemberRecordError(error.to_string()))?;
        let fields = Fields(&object);
        let seal_key = match fields.text("seal_key")? {
            Some(text) => Some(decode_hex(text).ok_or(FieldError { field: "seal_key", why: "is no 64 hex digits" })?),
            None => None,
        };
        let name = fields.text("name")?.unwrap_or_default();
        if name.len() > MAX_NAME || name.contains(char::is_control) {
            let why = "is longer than 64 bytes or holds a control character";
            return Err(FieldError { field: "name", why }.into());
        }
        Ok(MemberRecord {
            certificate: fields.base64("certificate")?,
            seal_key,
            seal_until: Timestamp::from_micros(fields.integer("seal_until")?.unwrap_or(0)).unwrap_or(Timestamp::MAX),
            name: name.to_owned(),
        })
    }
}

impl From<FieldError> for MemberRecordError {
    fn from(error: FieldError) -> Self {
        MemberRecordError(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full() -> MemberRecord {
        MemberRecord {
            certificate: Some(Bytes::from_static(b"issued")),
            seal_key: Some([0xAB; 32]),
            seal_until: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
            name: "Jörg 🦭".into(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_what_is_missing_is_empty_or_0() {
        for record in [full(), MemberRecord { certificate: None, ..full() }, MemberRecord::default()] {
            assert_eq!(MemberRecord::decode(&record.encode()), Ok(record));
        }
        assert_eq!(MemberRecord::decode(br#"{"later":[1]}"#), Ok(MemberRecord::default()));
    }

    #[test]
    fn wrong_types_long_names_and_repeated_keys_are_refused() {
        let good = String::from_utf8(full().encode()).unwrap();
        let long = format!("\"name\":\"{}\"", "x".repeat(65));
        for (from, to) in [
            ("1700000000000000", "1700000000000000.0"),
            ("1700000000000000", "\"1700000000000000\""),
            ("1700000000000000", "9007199254740992"),
            ("1700000000000000", "-1"),
            ("\"abab", "\"ABab"),
            ("\"abab", "\"ab"),
            ("\"seal_key\":", "\"seal_key\":null,\"seal_key\":"),
            ("\"aXNzdWVk\"", "\"aXNzdWVk=\""),
            ("\"name\":\"Jörg 🦭\"", "\"name\":7"),
            ("Jörg", "J\\u0007rg"),
            ("\"name\":\"Jörg 🦭\"", &long),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(MemberRecord::decode(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        assert!(MemberRecord::decode(&vec![b' '; MAX_RECORD + 1]).is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = MemberRecord::decode(&bytes);
        }
    }
}
