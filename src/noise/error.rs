//! What can go wrong in a handshake or with a record, and whose doing it is.

use std::fmt;

use super::{MAX_MESSAGE, TAG_LEN};

/// Why the Noise machine refused.
///
/// No variant holds key material or bytes of a message, so an error may be printed and logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// The handshake pattern needs something that the builder was not given.
    #[error("the handshake pattern needs {0}; give it to the builder before choosing the role")]
    Missing(Setting),
    /// The builder was given the same thing a second time; the second would silently replace the first.
    #[error("{0} was given to the builder twice; give it once")]
    Twice(Setting),
    /// The builder was given something that the handshake pattern never uses in this role: somebody counts on a
    /// protection that would not be there.
    #[error("the handshake pattern never uses {0} in this role; leave it away or choose another pattern")]
    Unused(Setting),
    /// A message was written when the peer's was to be read, or read when one's own was to be written.
    #[error("it is {0}'s turn to send a handshake message; write and read in the order of the pattern")]
    OutOfTurn(Role),
    /// The handshake has no further message.
    #[error("the handshake is complete and has no further message; go on with into_transport")]
    Finished,
    /// The handshake still has messages to come.
    #[error("the handshake is not complete; write or read its remaining messages first")]
    NotFinished,
    /// The pattern is one-way and was taken for an interactive one.
    #[error("the pattern lets only the initiator send; use into_one_way")]
    OneWay,
    /// The pattern is interactive and was taken for a one-way one.
    #[error("the pattern lets both ends send; use into_transport")]
    NotOneWay,
    /// The pattern has not brought the peer's static key yet, or never does.
    #[error("the peer's static key is not known yet; ask again when the message that carries it was read")]
    NoRemoteStatic,
    /// An earlier error ended this handshake; its keys are wiped.
    #[error("this handshake failed earlier and its keys are wiped; begin a new one on a new connection")]
    Poisoned,
    /// A message or its payload is longer than the specification allows (section 3).
    #[error("a message of {0} bytes is too long; a Noise message, its tags included, has at most {MAX_MESSAGE}")]
    TooLong(usize),
    /// A message ends before what it must contain.
    #[error("the message of {0} bytes is too short for what it must contain (a tag alone has {TAG_LEN})")]
    TooShort(usize),
    /// The message was not made with this key, this counter and this history: forged, altered, replayed, reordered, or
    /// the two sides disagree about prologue or keys.
    #[error(
        "the message does not authenticate; it was altered on the way, or the two sides disagree about the network"
    )]
    Decrypt,
    /// A Diffie-Hellman result was all zero: the peer sent a point of low order and would dictate the keys (section
    /// 12.1).
    #[error("the peer's public key is of low order and was refused")]
    ZeroSharedSecret,
    /// A public key has another, shorter-to-compare encoding: two names for one key.
    #[error("the public key is not in its canonical encoding")]
    NotCanonical,
    /// The counter reached 2^64 − 1, which the specification reserves (section 5.1).
    #[error("this key's counter is used up; open a new connection")]
    NonceExhausted,
    /// The operating system gave no random bytes.
    #[error(
        "the operating system gave no random bytes ({0}); no key was made, try again when the system has started up"
    )]
    Randomness(#[from] getrandom::Error),
}

/// What a handshake can be given; named in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Bytes both sides must agree on before the first message.
    Prologue,
    /// The own static key pair, `s`.
    LocalStatic,
    /// The peer's static public key, `rs`.
    RemoteStatic,
    /// The pre-shared key of the modifier `psk` with this number.
    Psk(u8),
    /// The own ephemeral key pair, `e`; given from outside only to replay test vectors.
    LocalEphemeral,
    /// The peer's ephemeral public key, `re`; it always comes with a message.
    RemoteEphemeral,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Prologue => f.write_str("the prologue"),
            Setting::LocalStatic => f.write_str("the own static key pair"),
            Setting::RemoteStatic => f.write_str("the peer's static public key"),
            Setting::Psk(number) => write!(f, "the pre-shared key psk{number}"),
            Setting::LocalEphemeral => f.write_str("the own ephemeral key pair"),
            Setting::RemoteEphemeral => f.write_str("the peer's ephemeral public key"),
        }
    }
}

/// The two ends of a handshake (section 7.1): the initiator sends the first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends the first message: who dialled.
    Initiator,
    /// Answers it: who was dialled.
    Responder,
}

impl Role {
    /// The other end.
    pub const fn peer(self) -> Role {
        match self {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Initiator => "the initiator",
            Role::Responder => "the responder",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_thing_and_what_to_do() {
        let shown = NoiseError::Missing(Setting::Psk(2)).to_string();
        assert!(shown.contains("psk2") && shown.contains("builder"), "{shown}");
        let shown = NoiseError::OutOfTurn(Role::Responder).to_string();
        assert!(shown.contains("the responder's turn"), "{shown}");
        assert!(NoiseError::TooLong(70_000).to_string().contains("65535"));
    }
}
