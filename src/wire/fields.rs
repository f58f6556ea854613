//! Fields of JSON objects that peers send (HELLO, presences), read and checked by one rule each.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::{Map, Value};

use crate::envelope::{Timestamp, Title};

/// A field of a JSON object is missing or is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field \"{field}\" {why}")]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it, as the rest of the sentence.
    pub why: &'static str,
}

/// The most addresses of one node.
pub(crate) const MAX_ADDRESSES: usize = 4;

/// The most features of one node.
pub(crate) const MAX_FEATURES: usize = 32;

/// The most applications of one node.
pub(crate) const MAX_APPS: usize = 32;

/// The longest version of an application, in bytes: a SHA-256 in hex, for those who let a hash of their rules be it.
pub(crate) const MAX_APP_VERSION: usize = 64;

/// The largest integer, 2^53 − 1: exact in every language's JSON.
const MAX_INTEGER: u64 = Timestamp::MAX.as_micros();

/// The fields of one object. A field that is absent is `None` or empty; one that is `null` is of the wrong type.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A text.
    pub(crate) fn text(self, field: &'static str) -> Result<Option<&'a str>, FieldError> {
        self.read(field, "is no text", Value::as_str)
    }

    /// An integer from 0 to 2^53 − 1, written without point and exponent.
    pub(crate) fn integer(self, field: &'static str) -> Result<Option<u64>, FieldError> {
        self.read(field, "is no integer from 0 to 2^53 - 1", |value| value.as_u64().filter(|n| *n <= MAX_INTEGER))
    }

    /// A truth value, false if absent.
    pub(crate) fn flag(self, field: &'static str) -> Result<bool, FieldError> {
        Ok(self.read(field, "is neither true nor false", Value::as_bool)?.unwrap_or(false))
    }

    /// Bytes in base64 (RFC 4648 section 4, padded).
    pub(crate) fn base64(self, field: &'static str) -> Result<Option<Bytes>, FieldError> {
        self.read(field, "is no padded base64", |value| Some(BASE64.decode(value.as_str()?.as_bytes()).ok()?.into()))
    }

    /// At most four `"ip:port"`.
    pub(crate) fn addresses(self, field: &'static str) -> Result<Vec<SocketAddr>, FieldError> {
        const WHY: &str = "is no list of texts \"ip:port\"";
        let addresses = self.list(field, WHY, |value| address(value.as_str()?))?;
        check_addresses(field, &addresses)?;
        Ok(addresses)
    }

    /// At most 32 features.
    pub(crate) fn features(self, field: &'static str) -> Result<Vec<String>, FieldError> {
        let features = self.list(field, "is no list of texts", |value| value.as_str().map(str::to_owned))?;
        check_features(field, &features)?;
        Ok(features)
    }

    /// At most 32 applications: their versions by their titles.
    pub(crate) fn apps(self, field: &'static str) -> Result<BTreeMap<Title, String>, FieldError> {
        const WHY: &str = "is no object of versions by title";
        let entry = |(title, version): (&String, &Value)| Some((title.parse().ok()?, version.as_str()?.to_owned()));
        let apps = self.read(field, WHY, |value| value.as_object()?.iter().map(entry).collect())?.unwrap_or_default();
        check_apps(field, &apps)?;
        Ok(apps)
    }

    /// Whether the field is there.
    pub(crate) fn has(self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// An array of what `read` makes of its values; empty if absent.
    pub(crate) fn list<T>(
        self,
        field: &'static str,
        why: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, FieldError> {
        let mut list: Vec<T> =
            self.read(field, why, |value| value.as_array()?.iter().map(read).collect())?.unwrap_or_default();
        // Kept for every member: most have one address, where a growing list begins with room for four.
        list.shrink_to_fit();
        Ok(list)
    }

    fn read<T>(
        self,
        field: &'static str,
        why: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        self.0.get(field).map(|value| read(value).ok_or(FieldError { field, why })).transpose()
    }
}

/// `"ip:port"`, as the protocol page writes it. The standard library takes more, which other languages refuse: leading
/// zeros in the port, and a zone that is 0.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once(':')?;
    let has_zone = ip.contains('%');
    text.parse().ok().filter(|_| !has_zone && !port.starts_with('0'))
}

/// The field must be there.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, FieldError> {
    value.ok_or(FieldError { field, why: "is missing" })
}

/// An integer that every language reads exactly: at most 2^53 − 1.
pub(crate) fn check_integer(field: &'static str, value: u64) -> Result<(), FieldError> {
    ensure(value <= MAX_INTEGER, field, "is above 2^53 - 1")
}

/// At most four, each with a port and without a scope, which means something on its own host only.
pub(crate) fn check_addresses(field: &'static str, addresses: &[SocketAddr]) -> Result<(), FieldError> {
    ensure(addresses.len() <= MAX_ADDRESSES, field, "names more than 4 addresses")?;
    let scoped = |address: &SocketAddr| matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0);
    ensure(!addresses.iter().any(scoped), field, "names an address with a scope")?;
    ensure(addresses.iter().all(|address| address.port() != 0), field, "names port 0")
}

/// At most 32 of `[a-z0-9.-]{1,32}`.
pub(crate) fn check_features(field: &'static str, features: &[String]) -> Result<(), FieldError> {
    ensure(features.len() <= MAX_FEATURES, field, "names more than 32 features")?;
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let good = |feature: &String| (1..=32).contains(&feature.len()) && feature.bytes().all(letter);
    ensure(features.iter().all(good), field, "names a feature that is not 1 to 32 of a-z, 0-9, '.' and '-'")
}

/// At most 32, each version 1 to 64 bytes without control characters (the rule for titles holds by their type).
pub(crate) fn check_apps(field: &'static str, apps: &BTreeMap<Title, String>) -> Result<(), FieldError> {
    ensure(apps.len() <= MAX_APPS, field, "names more than 32 applications")?;
    let good = |version: &String| (1..=MAX_APP_VERSION).contains(&version.len()) && !version.contains(char::is_control);
    ensure(apps.values().all(good), field, "names a version that is not 1 to 64 bytes without control characters")
}

/// At most `most` bytes.
pub(crate) fn check_len(field: &'static str, text: &str, most: usize, why: &'static str) -> Result<(), FieldError> {
    ensure(text.len() <= most, field, why)
}

fn ensure(good: bool, field: &'static str, why: &'static str) -> Result<(), FieldError> {
    if good { Ok(()) } else { Err(FieldError { field, why }) }
}
