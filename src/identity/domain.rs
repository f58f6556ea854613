//! What an identity key may sign.

/// The kinds of statement an identity key signs; there is no other way to make it sign anything.
///
/// The domain's bytes come first in every signed message. None is a prefix of another and each ends in a zero byte, so
/// a signature given for one purpose can never be presented as one of another purpose (protocol, section 1).
///
/// ```
/// use sealnet::identity::Domain;
/// assert_eq!(Domain::Envelope.as_bytes(), b"sealnet/1 envelope\0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// "This session's static key is mine" (section 2).
    Handshake,
    /// "I say this" (section 4).
    Envelope,
    /// "This identity is a member", by an authority (section 10).
    Membership,
    /// "These memberships ended", by an authority (section 10).
    Revocation,
    /// Reserved for replacing an identity by another.
    Rotation,
}

impl Domain {
    /// Every domain, in the order of the protocol page.
    pub const ALL: [Domain; 5] =
        [Domain::Handshake, Domain::Envelope, Domain::Membership, Domain::Revocation, Domain::Rotation];

    /// The bytes every message of this domain begins with.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Domain::Handshake => b"sealnet/1 handshake\0",
            Domain::Envelope => b"sealnet/1 envelope\0",
            Domain::Membership => b"sealnet/1 membership\0",
            Domain::Revocation => b"sealnet/1 revocation\0",
            Domain::Rotation => b"sealnet/1 rotation\0",
        }
    }

    /// Calls `f` with domain ‖ parts as one slice. Short messages, which are all on the way of a broadcast, need no
    /// allocation.
    pub(super) fn with_message<T>(self, parts: &[&[u8]], f: impl FnOnce(&[u8]) -> T) -> T {
        const ON_STACK: usize = 256;
        let prefix = self.as_bytes();
        let len = prefix.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        let chunks = || std::iter::once(prefix).chain(parts.iter().copied());
        if len <= ON_STACK {
            let mut buffer = [0; ON_STACK];
            let mut at = 0;
            for chunk in chunks() {
                buffer[at..at + chunk.len()].copy_from_slice(chunk);
                at += chunk.len();
            }
            f(&buffer[..len])
        } else {
            let mut buffer = Vec::with_capacity(len);
            chunks().for_each(|chunk| buffer.extend_from_slice(chunk));
            f(&buffer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_domain_is_a_prefix_of_another_and_each_ends_in_zero() {
        for a in Domain::ALL {
            assert_eq!(a.as_bytes().last(), Some(&0));
            for b in Domain::ALL {
                assert!(a == b || !b.as_bytes().starts_with(a.as_bytes()));
            }
        }
    }

    #[test]
    fn long_and_short_messages_are_joined_alike() {
        for len in [0, 1, 200, 236, 237, 256, 300, 70_000] {
            let body = vec![7; len];
            let expected = [Domain::Envelope.as_bytes(), &body, b"end"].concat();
            Domain::Envelope.with_message(&[&body, b"end"], |message| assert_eq!(message, expected));
        }
    }
}
