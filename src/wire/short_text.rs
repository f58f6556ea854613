//! The few words that GOODBYE and REFUSED may carry.

use std::fmt;

/// At most 128 bytes of UTF-8 for a person to read.
///
/// It may come from a stranger and hold anything: `Display` escapes control characters, so that it can be printed to a
/// terminal; [`as_str`](ShortText::as_str) gives it as it came.
///
/// ```
/// use sealnet::wire::ShortText;
/// assert_eq!(ShortText::new("see \u{1b}[31mlater").to_string(), r"see \u{1b}[31mlater");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShortText(Box<str>);

impl ShortText {
    /// The longest text, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The text, cut after the last whole character that fits into 128 bytes.
    pub fn new(text: &str) -> Self {
        let fits = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=text.len().min(Self::MAX_LEN)).rev().find(fits).unwrap_or(0);
        ShortText(text[..end].into())
    }

    /// The text in `bytes`; `None` if they are no UTF-8 or too many.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > Self::MAX_LEN {
            return None;
        }
        Some(ShortText(std::str::from_utf8(bytes).ok()?.into()))
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(ShortText::new("").as_str(), "");
        assert_eq!(ShortText::new(&"x".repeat(500)).as_str().len(), 128);
        let text = ShortText::new(&format!("x{}", "é".repeat(100)));
        assert_eq!((text.as_str().len(), text.as_str().chars().last()), (127, Some('é')));
    }

    #[test]
    fn received_texts_are_utf_8_and_short_and_print_escaped() {
        assert!(ShortText::decode(&[b'x'; 128]).is_some());
        assert!(ShortText::decode(&[b'x'; 129]).is_none());
        assert!(ShortText::decode(b"\xFF").is_none());
        let text = ShortText::decode("\u{1b}[2J\r\n\u{202e}".as_bytes()).unwrap();
        assert!(text.to_string().is_ascii() && !text.to_string().contains(char::is_control));
    }
}
