//! Text of other people's making, made harmless for a terminal.

use std::fmt::{self, Display, Write};

/// `text` as it may be shown to a person: on one line, and looking like what it is.
///
/// Somebody else chose the text. Written as it is, it could move the cursor, change colours or the clipboard
/// (terminal escapes), forge lines of output (line breaks), or make the eye read another order or other letters than
/// the bytes have (bidirectional and invisible characters, as in "Trojan Source", CVE-2021-42574). All of these become
/// `\n`, `\t`, `\u{202e}` and the like; everything else stays, letters of all languages included.
///
/// ```
/// use sealnet::cli::escape;
/// assert_eq!(escape("grüße\n\u{1b}[31mred\u{202e}").to_string(), r"grüße\n\u{1b}[31mred\u{202e}");
/// ```
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// The `Display` of [`escape`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_harmful(c) {
                // Known to Rust by name or number: `\n`, `\r`, `\t`, `\u{1b}`.
                match c {
                    '\n' | '\r' | '\t' => write!(f, "{}", c.escape_default())?,
                    c => write!(f, "{}", c.escape_unicode())?,
                }
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Whether a character does something else than to be seen.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' // invisible letters
            | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // invisible
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{fff0}'..='\u{fffb}' // annotations
            | '\u{1d173}'..='\u{1d17a}' // musical format characters
            | '\u{e0000}'..='\u{e0fff}' // tags and further variation selectors
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for text in ["hello, everyone", "Grüße, мир, 世界, שלום, سلام", "👩‍👧 ❤️", r#"C:\temp "x" 'y'"#, ""]
        {
            assert_eq!(escape(text).to_string(), text);
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        for code in 0..=u32::from(char::MAX) {
            let Some(c) = char::from_u32(code) else { continue };
            let shown = escape(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(!shown.chars().any(char::is_control), "{code:x}");
        }
        assert_eq!(escape("a\r\n\tb\u{7}\u{9b}31m\u{7f}").to_string(), r"a\r\n\tb\u{7}\u{9b}31m\u{7f}");
    }

    #[test]
    fn nothing_is_read_in_another_order_than_it_stands() {
        for c in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
        {
            assert_eq!(escape(&c.to_string()).to_string(), c.escape_unicode().to_string());
        }
        assert_eq!(escape("pay\u{200b}pal\u{feff}\u{e0041}").to_string(), r"pay\u{200b}pal\u{feff}\u{e0041}");
    }
}
