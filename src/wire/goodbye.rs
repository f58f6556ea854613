//! GOODBYE: why a link ends.

use std::fmt;

use super::ShortText;

/// The last frame of a link. It is sent for reasons that are no offence; who breaks the grammar gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Goodbye {
    /// Why.
    pub code: GoodbyeCode,
    /// A few words for a person; may be empty.
    pub text: ShortText,
}

/// Why a link ends, as one side tells the other (u16 on the wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoodbyeCode {
    /// 0: the node stops.
    Leaving,
    /// 1: there is another link between the two; moves no back-off.
    Duplicate,
    /// 2: no free slot.
    Full,
    /// 3: the visit to a genesis node is over.
    VisitDone,
    /// 4: the link is not needed.
    Idle,
    /// 5: the network is closed and the peer is no member of it.
    NotAdmitted,
    /// 6: the peer is barred for what it did.
    Barred,
    /// 7: a critical frame kind this node does not know.
    Unsupported,
    /// 8: a newer link has taken this one's place.
    Renewed,
    /// 9: too much to do.
    Overload,
    /// 10: the whole network is shutting down.
    NetworkShutdown,
    /// A code of a later version.
    Unknown(u16),
}

impl Goodbye {
    /// A goodbye for the reason `code`, with `text` cut after 128 bytes.
    pub fn new(code: GoodbyeCode, text: &str) -> Self {
        Goodbye { code, text: ShortText::new(text) }
    }
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.text.as_str().is_empty() {
            write!(f, " ({})", self.text)?;
        }
        Ok(())
    }
}

impl GoodbyeCode {
    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        match self {
            GoodbyeCode::Leaving => 0,
            GoodbyeCode::Duplicate => 1,
            GoodbyeCode::Full => 2,
            GoodbyeCode::VisitDone => 3,
            GoodbyeCode::Idle => 4,
            GoodbyeCode::NotAdmitted => 5,
            GoodbyeCode::Barred => 6,
            GoodbyeCode::Unsupported => 7,
            GoodbyeCode::Renewed => 8,
            GoodbyeCode::Overload => 9,
            GoodbyeCode::NetworkShutdown => 10,
            GoodbyeCode::Unknown(code) => code,
        }
    }

    /// The code with this number; one that this version does not know is [`Unknown`](GoodbyeCode::Unknown).
    pub const fn from_u16(code: u16) -> Self {
        match code {
            0 => GoodbyeCode::Leaving,
            1 => GoodbyeCode::Duplicate,
            2 => GoodbyeCode::Full,
            3 => GoodbyeCode::VisitDone,
            4 => GoodbyeCode::Idle,
            5 => GoodbyeCode::NotAdmitted,
            6 => GoodbyeCode::Barred,
            7 => GoodbyeCode::Unsupported,
            8 => GoodbyeCode::Renewed,
            9 => GoodbyeCode::Overload,
            10 => GoodbyeCode::NetworkShutdown,
            other => GoodbyeCode::Unknown(other),
        }
    }
}

impl fmt::Display for GoodbyeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            GoodbyeCode::Leaving => "leaving",
            GoodbyeCode::Duplicate => "duplicate",
            GoodbyeCode::Full => "full",
            GoodbyeCode::VisitDone => "visit done",
            GoodbyeCode::Idle => "idle",
            GoodbyeCode::NotAdmitted => "not admitted",
            GoodbyeCode::Barred => "barred",
            GoodbyeCode::Unsupported => "unsupported",
            GoodbyeCode::Renewed => "renewed",
            GoodbyeCode::Overload => "overload",
            GoodbyeCode::NetworkShutdown => "network shutting down",
            GoodbyeCode::Unknown(code) => return write!(f, "unknown code {code}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_code_and_the_first_eleven_have_names() {
        for number in 0..=u16::MAX {
            let code = GoodbyeCode::from_u16(number);
            assert_eq!(code.as_u16(), number);
            assert_eq!(matches!(code, GoodbyeCode::Unknown(_)), number > 10);
        }
    }

    #[test]
    fn a_goodbye_reads_as_a_sentence() {
        assert_eq!(Goodbye::new(GoodbyeCode::Full, "").to_string(), "full");
        assert_eq!(Goodbye::new(GoodbyeCode::Unknown(77), "a\nb").to_string(), r"unknown code 77 (a\nb)");
    }
}
