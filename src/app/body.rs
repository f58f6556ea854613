//! Typed messages: anything `serde` can do as JSON, and what is compressed.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::node::{Body, BodyError, Broadcast};

/// A value as the body of a message: its JSON.
///
/// ```
/// use sealnet::app::Json;
/// use sealnet::node::Body;
/// #[derive(serde::Serialize)]
/// struct Block { height: u32 }
/// assert_eq!(Body::from(Json(&Block { height: 7 })).as_bytes(), br#"{"height":7}"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> From<Json<T>> for Body {
    fn from(Json(value): Json<T>) -> Body {
        serde_json::to_vec(&value).map_or_else(|error| Body::failed(BodyError::new(error)), Body::from)
    }
}

/// A body that travels compressed (zlib, RFC 1950). Never for what others may choose parts of while other parts are secret:
/// the length would tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressed<B>(pub B);

impl<B: Into<Body>> From<Compressed<B>> for Body {
    fn from(Compressed(inner): Compressed<B>) -> Body {
        let compressed = inner.into().into_bytes().and_then(|bytes| {
            let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::default());
            encoder.write_all(&bytes).and_then(|()| encoder.finish()).map_err(BodyError::new)
        });
        compressed.map_or_else(Body::failed, Body::from)
    }
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not what it is taken for.
    #[error(
        "the message of {sender:#} under `{title}` is not what is expected: {why}; its sender may run another version"
    )]
    WrongType {
        /// Who made it.
        sender: NodeId,
        /// Its title.
        title: Title,
        /// What is wrong with it.
        why: String,
    },
    /// It is larger, inflated, than the reader allows.
    #[error(
        "the message of {sender:#} under `{title}` inflates to more than {limit} bytes; allow more if you trust it"
    )]
    TooLarge {
        /// Who made it.
        sender: NodeId,
        /// Its title.
        title: Title,
        /// What was allowed.
        limit: usize,
    },
}

impl Broadcast {
    /// What it says, as a value.
    ///
    /// # Errors
    /// If it is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        serde_json::from_slice(&self.message()).map_err(|error| self.wrong_type(error.to_string()))
    }

    /// What was [`Compressed`], at most `limit` bytes of it.
    ///
    /// # Errors
    /// If it was not, or inflates to more.
    pub fn decompressed(&self, limit: usize) -> Result<Bytes, ReadError> {
        match inflate(&self.message(), limit) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                let title = self.title().parse().unwrap_or_default();
                Err(ReadError::TooLarge { sender: self.sender(), title, limit })
            }
            Err(error) => Err(self.wrong_type(error.to_string())),
        }
    }

    fn wrong_type(&self, why: String) -> ReadError {
        ReadError::WrongType { sender: self.sender(), title: self.title().parse().unwrap_or_default(), why }
    }
}

/// Inflates, but never beyond `limit`: `None` if there is more.
fn inflate(bytes: &[u8], limit: usize) -> io::Result<Option<Bytes>> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut inflated)?;
    Ok((inflated.len() <= limit).then(|| inflated.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_inflates_no_further_than_allowed() {
        let text = "again and again, ".repeat(10_000);
        let small = Body::from(Compressed(text.as_str())).into_bytes().unwrap();
        assert!(small.len() < 2000);
        assert_eq!(inflate(&small, text.len()).unwrap().unwrap(), text.as_bytes());
        assert!(inflate(&small, text.len() - 1).unwrap().is_none());
        assert!(inflate(b"not compressed", 100).is_err());
        assert!(inflate(&small[..small.len() / 2], text.len()).is_err());
    }

    #[test]
    fn a_value_that_has_no_json_is_an_error_when_it_is_published_and_no_panic() {
        let no_text_keys = BTreeMap::from([((1, 2), 3)]);
        let error = Body::from(Compressed(Json(&no_text_keys))).into_bytes().unwrap_err();
        assert!(error.to_string().contains("key must be a string"), "{error}");
    }
}
