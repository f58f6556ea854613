//! Titles: what a message is about, and which application it is for.

use std::fmt;
use std::str::FromStr;

/// A title: 0 to 200 bytes of UTF-8 without control characters (U+0000–001F, U+007F–009F). Nothing is normalised: two
/// titles are the same when their bytes are.
///
/// ```
/// use sealnet::envelope::Title;
/// let title: Title = "chat".parse()?;
/// assert!(!title.is_protocol());
/// assert!("line\nbreak".parse::<Title>().is_err());
/// # Ok::<(), sealnet::envelope::TitleError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Title(Box<str>);

/// Why a text is no title.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TitleError {
    /// More than 200 bytes.
    #[error("the title has {size} bytes; use at most {}", Title::MAX_LEN)]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// It holds a control character.
    #[error("the title holds the control character U+{code:04X}; use printable text", code = u32::from(*.0))]
    ControlCharacter(char),
    /// It begins with `sealnet/`.
    #[error("titles beginning with \"{}\" belong to the protocol; choose another", Title::PROTOCOL_PREFIX)]
    Reserved,
}

impl Title {
    /// The longest title, in bytes.
    pub const MAX_LEN: usize = 200;

    /// What the protocol's own titles begin with.
    pub const PROTOCOL_PREFIX: &'static str = "sealnet/";

    /// Checks a text by the rule for titles, the protocol's own included.
    pub(crate) fn check(text: &str) -> Result<(), TitleError> {
        if text.len() > Self::MAX_LEN {
            return Err(TitleError::TooLong { size: text.len() });
        }
        // `char::is_control` is general category Cc: exactly U+0000–001F and U+007F–009F.
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(TitleError::ControlCharacter(c)),
            None => Ok(()),
        }
    }

    /// A title an application may use: one that is not the protocol's.
    ///
    /// # Errors
    /// A [`TitleError`] saying what is wrong with `text`.
    pub fn for_application(text: &str) -> Result<Self, TitleError> {
        let title: Title = text.parse()?;
        if title.is_protocol() { Err(TitleError::Reserved) } else { Ok(title) }
    }

    /// Whether the title belongs to the protocol.
    pub fn is_protocol(&self) -> bool {
        self.0.starts_with(Self::PROTOCOL_PREFIX)
    }

    /// Whether `title` is this one or lies under it: `chain` covers `chain` and `chain/block`, not `chains`. An application
    /// has everything that its title covers.
    ///
    /// ```
    /// # use sealnet::envelope::Title;
    /// let chain: Title = "chain".parse()?;
    /// assert!(chain.covers("chain") && chain.covers("chain/block") && !chain.covers("chains"));
    /// # Ok::<(), sealnet::envelope::TitleError>(())
    /// ```
    pub fn covers(&self, title: &str) -> bool {
        title.strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The title as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Title {
    type Err = TitleError;

    fn from_str(text: &str) -> Result<Self, TitleError> {
        Title::check(text)?;
        Ok(Title(text.into()))
    }
}
