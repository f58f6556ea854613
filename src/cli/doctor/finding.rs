//! What the doctor says.

use serde::Serialize;

use super::super::Failure;
use super::super::escape;
use super::super::output::{BAD, GOOD, NAME, Out};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Keeps the node from doing what it is for.
    Bad,
}

/// One thing the doctor found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) subject: &'static str,
    pub(super) weight: Weight,
    /// Whether this is certain; otherwise something else may be the cause.
    pub(super) sure: bool,
    /// What is so.
    pub(super) what: String,
    /// What to do about it.
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn good(subject: &'static str, what: String) -> Self {
        Finding { subject, weight: Weight::Good, sure: true, what, remedy: String::new() }
    }

    pub(super) fn note(subject: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { subject, weight: Weight::Note, sure: true, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn bad(subject: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { subject, weight: Weight::Bad, sure: true, what: what.into(), remedy: remedy.into() }
    }

    /// Something is wrong, and this is probably why.
    pub(super) fn guess(subject: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { sure: false, ..Finding::bad(subject, what, remedy) }
    }

    pub(super) fn print(&self, out: &mut Out) -> Result<(), Failure> {
        let (style, word) = match (self.weight, self.sure) {
            (Weight::Good, _) => (GOOD, "good"),
            (Weight::Note, _) => (NAME, "note"),
            (Weight::Bad, true) => (BAD, "bad"),
            (Weight::Bad, false) => (BAD, "guess"),
        };
        out.line(format_args!("{style}{word:5}{style:#}  {}: {}", self.subject, escape(&self.what)))?;
        if self.remedy.is_empty() { Ok(()) } else { out.line(format_args!("       {}", escape(&self.remedy))) }
    }
}
