//! What a message consists of.

use bytes::Bytes;

/// What a message consists of: text, bytes, or JSON.
///
/// ```
/// use sealnet::node::Body;
/// let text = Body::from("hello");
/// let json = Body::from(serde_json::json!({"height": 7}));
/// assert_eq!(json.as_bytes(), br#"{"height":7}"#);
/// # let _ = text;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Result<Bytes, BodyError>);

/// A value could not be made into a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be made into a message: {why}")]
pub struct BodyError {
    why: String,
}

impl BodyError {
    /// What prevented it.
    pub(crate) fn new(why: impl std::fmt::Display) -> Self {
        BodyError { why: why.to_string() }
    }
}

impl Body {
    /// The bytes that will be sent; none if the value could not be made into any, which an error says when it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// A body that cannot be sent.
    pub(crate) fn failed(error: BodyError) -> Body {
        Body(Err(error))
    }

    pub(crate) fn into_bytes(self) -> Result<Bytes, BodyError> {
        self.0
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body(Ok(Bytes::copy_from_slice(text.as_bytes())))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body(Ok(text.into()))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body(Ok(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Ok(bytes.into()))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body(Ok(Bytes::copy_from_slice(bytes)))
    }
}

impl From<serde_json::Value> for Body {
    fn from(value: serde_json::Value) -> Body {
        Body(Ok(value.to_string().into()))
    }
}
