//! Why something could not be measured, in words.

/// Whatever went wrong.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What was asked for, or why it is not there.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// A failure that is no library's.
pub(crate) fn said(text: impl Into<String>) -> Failure {
    text.into().into()
}
