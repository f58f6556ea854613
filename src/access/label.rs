//! A name for people.

use std::fmt;
use std::str::FromStr;

/// What an authority calls a member: 0 to 32 bytes of UTF-8 without control characters (U+0000–001F, U+007F–009F).
///
/// It proves nothing beyond the authority's word, and may contain characters that change the direction of text: print
/// it with [`str::escape_debug`], as `Debug` does.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// The text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// More than [`Label::MAX_LEN`] bytes.
    #[error("the label has {0} bytes; use at most 32 (letters outside ASCII take two to four)")]
    TooLong(usize),
    /// A line feed, an escape character or the like.
    #[error("the label contains a control character; use letters, digits and punctuation")]
    Control,
    /// Not UTF-8.
    #[error("the label is not UTF-8")]
    NotUtf8,
}

impl Label {
    /// The most bytes a label has.
    pub const MAX_LEN: usize = 32;

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, LabelError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(LabelError::TooLong(bytes.len()));
        }
        std::str::from_utf8(bytes).map_err(|_| LabelError::NotUtf8)?.parse()
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        if text.len() > Self::MAX_LEN {
            return Err(LabelError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) { Err(LabelError::Control) } else { Ok(Label(text.to_owned())) }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_text_without_control_characters() {
        for good in ["", "Site 3, Zürich", &"x".repeat(32), "\u{a0}"] {
            assert_eq!(good.parse::<Label>().unwrap().as_str(), good);
            assert_eq!(Label::from_bytes(good.as_bytes()).unwrap().as_str(), good);
        }
        assert_eq!("x".repeat(33).parse::<Label>(), Err(LabelError::TooLong(33)));
        for bad in ["\0", "a\n", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}", "\u{1b}[2J"] {
            assert_eq!(bad.parse::<Label>(), Err(LabelError::Control));
        }
        assert_eq!(Label::from_bytes(&[0xff]), Err(LabelError::NotUtf8));
        assert_eq!(format!("{:?}", "a\u{202e}b".parse::<Label>().unwrap()), r#"Label("a\u{202e}b")"#);
    }
}
