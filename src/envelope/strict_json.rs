//! JSON as the protocol reads it: one object, no key twice, bounded nesting (sections 3 to 5).
//!
//! `serde_json` alone keeps the last of two equal keys, other parsers the first: two nodes would read the same bytes
//! differently. Here a repeated key is an error at every depth, however it is escaped, because keys are compared after
//! unescaping.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why bytes are not one JSON object by the strict rules; says what and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StrictJsonError(String);

/// Reads `bytes` as one JSON object whose values nest at most `max_depth` deep: the object itself is depth 1, an
/// object or array in it depth 2. White space may surround it, nothing else.
///
/// A number that is written as an integer between −2^63 and 2^64 − 1 is one (`Value::as_u64`, `as_i64`); everything
/// with a point or an exponent, `-0` and larger integers are floats, which the integer accessors refuse. The caller
/// bounds the size: what is built takes up to about a hundred times as much memory as the bytes.
///
/// # Errors
/// If the bytes are not UTF-8, not JSON, not an object, nest too deep, or an object holds a key twice.
pub(crate) fn parse_object(bytes: &[u8], max_depth: usize) -> Result<Map<String, Value>, StrictJsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 1, max_depth }.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    match value {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(StrictJsonError("the JSON is no object".to_owned())),
        // What is quoted back is bounded: it may hold text of the sender's.
        Err(error) => Err(StrictJsonError(error.to_string().chars().take(200).collect())),
    }
}

/// The key under which `serde_json` hands over a float when some crate of the same program switched on its feature
/// `arbitrary_precision` (Cargo unifies features). Read alike with and without it, so that two builds agree about
/// every document.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// Reads one value that stands at `depth`.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    max_depth: usize,
}

impl Strict {
    fn checked<E: Error>(self) -> Result<Self, E> {
        if self.depth > self.max_depth {
            return Err(E::custom(format_args!("it nests deeper than {}", self.max_depth)));
        }
        Ok(Strict { depth: self.depth.saturating_add(1), ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        match serde_json::Number::from_f64(value) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(E::custom("number out of range")),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.checked()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut key: Option<String> = entries.next_key()?;
        if key.as_deref() == Some(NUMBER_KEY) {
            let number: f64 = entries.next_value::<String>()?.parse().map_err(A::Error::custom)?;
            return self.visit_f64(number);
        }
        let inner = self.checked()?;
        while let Some(name) = key {
            if map.contains_key(&name) {
                let shown: String = name.chars().take(40).collect();
                return Err(A::Error::custom(format_args!("the key \"{}\" stands twice", shown.escape_debug())));
            }
            map.insert(name, entries.next_value_seed(inner)?);
            key = entries.next_key()?;
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Map<String, Value>, StrictJsonError> {
        parse_object(text.as_bytes(), 4)
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_every_depth_and_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"x":{"k":1,"k":1}}"#,
            r#"{"x":[{"k":1,"\u006b":1}]}"#,
            r#"{"x":[[{"":1,"":1}]]}"#,
            r#"{"/":1,"\/":1}"#,
            r#"{"😀":1,"\ud83d\ude00":1}"#,
        ] {
            assert!(parse(text).unwrap_err().to_string().contains("stands twice"), "{text}");
        }
        assert!(parse(r#"{"a":{"a":1},"A":[{"a":1},{"a":2}]}"#).is_ok(), "the same key in different objects is fine");
    }

    #[test]
    fn only_one_whole_object_is_read() {
        assert!(parse(" \t\r\n{ } \n").unwrap().is_empty());
        for text in [
            "",
            " ",
            "null",
            "1",
            "\"{}\"",
            "[]",
            "[{}]",
            "{}{}",
            "{} 1",
            "{},",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "\u{FEFF}{}",
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\x41"}"#,
            "{/**/}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_object(b"{\"a\":\"\xFF\"}", 4).is_err(), "not UTF-8");
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(r#"{"a":{"b":[{"c":1}]}}"#).is_ok());
        for text in [r#"{"a":{"b":[{"c":[]}]}}"#, r#"{"a":[[[{}]]]}"#] {
            assert!(parse(text).unwrap_err().to_string().contains("nests deeper than 4"), "{text}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn integers_are_told_from_floats() {
        let map = parse(r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":0}"#).unwrap();
        assert_eq!(
            (map["a"].as_u64(), map["b"].as_i64(), map["c"].as_u64()),
            (Some(u64::MAX), Some(i64::MIN), Some(0))
        );
        for number in ["1.0", "1e3", "1E0", "-0", "0.0", "18446744073709551616", "1e-1"] {
            let map = parse(&format!("{{\"n\":{number}}}")).unwrap();
            assert!(map["n"].is_number() && map["n"].as_u64().is_none() && map["n"].as_i64().is_none(), "{number}");
        }
        // See NUMBER_KEY: never an integer, whatever features this build has.
        let map = parse(r#"{"a":[[[{"$serde_json::private::Number":"7"}]]]}"#).unwrap();
        assert!(map["a"][0][0][0].is_number() && map["a"][0][0][0].as_u64().is_none());
        assert!(parse(r#"{"a":{"$serde_json::private::Number":"inf"}}"#).is_err());
        assert!(parse(r#"{"a":{"$serde_json::private::Number":"1","b":2}}"#).is_err());
    }

    #[test]
    fn what_an_error_quotes_is_short_and_escaped() {
        let key = format!("\\u001b{}", "x".repeat(10_000));
        let error = parse(&format!("{{\"{key}\":1,\"{key}\":1}}")).unwrap_err().to_string();
        assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), depth in 0_usize..6) {
            let _ = parse_object(&bytes, depth);
        }

        #[test]
        fn hostile_json_like_text_never_panics(text in r#"[{}\[\]:,"a0-9.eE\\u+ -]{0,60}"#) {
            let _ = parse(&text);
        }
    }
}
