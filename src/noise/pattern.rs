//! Handshake patterns as data (specification, sections 7.4 to 7.6 and 9).
//!
//! One row of [`TABLE`] is one pattern, written as the specification writes it; the modifier `psk` is applied to any
//! row by rule. The state machine that works off the tokens is the same for all.

use std::fmt;
use std::str::FromStr;

use super::{Role, Setting};

/// One step of a message pattern (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Send an ephemeral public key.
    E,
    /// Send the static public key, encrypted if there is a key already.
    S,
    /// Diffie-Hellman between the two ephemeral keys.
    Ee,
    /// Between the initiator's ephemeral and the responder's static key.
    Es,
    /// Between the initiator's static and the responder's ephemeral key.
    Se,
    /// Between the two static keys.
    Ss,
    /// Mix in the next pre-shared key.
    Psk,
}

use Token::{E, Ee, Es, S, Se, Ss};

/// A pattern without modifiers: who knows whose static key beforehand, and what each message carries.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// The pre-message `-> s`: the responder knows the initiator's static key.
    initiator_known: bool,
    /// The pre-message `<- s`: the initiator knows the responder's static key.
    responder_known: bool,
    /// The messages in turn; the first is the initiator's.
    messages: &'static [&'static [Token]],
}

/// One row of the table; `known` says whose static keys are known beforehand, the initiator's first.
const fn row(name: &'static str, known: (bool, bool), messages: &'static [&'static [Token]]) -> Row {
    Row { name, initiator_known: known.0, responder_known: known.1, messages }
}

const NEITHER: (bool, bool) = (false, false);
const INITIATOR: (bool, bool) = (true, false);
const RESPONDER: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);

/// The pattern of this crate's links.
const ROW_XX: Row = row("XX", NEITHER, &[&[E], &[E, Ee, S, Es], &[S, Se]]);

/// Every one-way, fundamental and deferred pattern of the specification (sections 7.4 to 7.6 and 18.1).
static TABLE: [Row; 38] = [
    row("N", RESPONDER, &[&[E, Es]]),
    row("K", BOTH, &[&[E, Es, Ss]]),
    row("X", RESPONDER, &[&[E, Es, S, Ss]]),
    //
    row("NN", NEITHER, &[&[E], &[E, Ee]]),
    row("NK", RESPONDER, &[&[E, Es], &[E, Ee]]),
    row("NX", NEITHER, &[&[E], &[E, Ee, S, Es]]),
    row("XN", NEITHER, &[&[E], &[E, Ee], &[S, Se]]),
    row("XK", RESPONDER, &[&[E, Es], &[E, Ee], &[S, Se]]),
    ROW_XX,
    row("KN", INITIATOR, &[&[E], &[E, Ee, Se]]),
    row("KK", BOTH, &[&[E, Es, Ss], &[E, Ee, Se]]),
    row("KX", INITIATOR, &[&[E], &[E, Ee, Se, S, Es]]),
    row("IN", NEITHER, &[&[E, S], &[E, Ee, Se]]),
    row("IK", RESPONDER, &[&[E, Es, S, Ss], &[E, Ee, Se]]),
    row("IX", NEITHER, &[&[E, S], &[E, Ee, Se, S, Es]]),
    //
    row("NK1", RESPONDER, &[&[E], &[E, Ee, Es]]),
    row("NX1", NEITHER, &[&[E], &[E, Ee, S], &[Es]]),
    row("X1N", NEITHER, &[&[E], &[E, Ee], &[S], &[Se]]),
    row("X1K", RESPONDER, &[&[E, Es], &[E, Ee], &[S], &[Se]]),
    row("XK1", RESPONDER, &[&[E], &[E, Ee, Es], &[S, Se]]),
    row("X1K1", RESPONDER, &[&[E], &[E, Ee, Es], &[S], &[Se]]),
    row("X1X", NEITHER, &[&[E], &[E, Ee, S, Es], &[S], &[Se]]),
    row("XX1", NEITHER, &[&[E], &[E, Ee, S], &[Es, S, Se]]),
    row("X1X1", NEITHER, &[&[E], &[E, Ee, S], &[Es, S], &[Se]]),
    row("K1N", INITIATOR, &[&[E], &[E, Ee], &[Se]]),
    row("K1K", BOTH, &[&[E, Es], &[E, Ee], &[Se]]),
    row("KK1", BOTH, &[&[E], &[E, Ee, Se, Es]]),
    row("K1K1", BOTH, &[&[E], &[E, Ee, Es], &[Se]]),
    row("K1X", INITIATOR, &[&[E], &[E, Ee, S, Es], &[Se]]),
    row("KX1", INITIATOR, &[&[E], &[E, Ee, Se, S], &[Es]]),
    row("K1X1", INITIATOR, &[&[E], &[E, Ee, S], &[Se, Es]]),
    row("I1N", NEITHER, &[&[E, S], &[E, Ee], &[Se]]),
    row("I1K", RESPONDER, &[&[E, Es, S], &[E, Ee], &[Se]]),
    row("IK1", RESPONDER, &[&[E, S], &[E, Ee, Se, Es]]),
    row("I1K1", RESPONDER, &[&[E, S], &[E, Ee, Es], &[Se]]),
    row("I1X", NEITHER, &[&[E, S], &[E, Ee, S, Es], &[Se]]),
    row("IX1", NEITHER, &[&[E, S], &[E, Ee, Se, S], &[Es]]),
    row("I1X1", NEITHER, &[&[E, S], &[E, Ee, S], &[Se, Es]]),
];

/// A handshake pattern with its `psk` modifiers, as `XX` or `XXpsk0+psk3`.
///
/// ```
/// use sealnet::noise::HandshakePattern;
/// let pattern: HandshakePattern = "XXpsk0".parse()?;
/// assert_eq!(pattern, HandshakePattern::XX_PSK0);
/// assert!("XXpsk4".parse::<HandshakePattern>().is_err());
/// # Ok::<(), sealnet::noise::PatternError>(())
/// ```
#[derive(Clone, Copy)]
pub struct HandshakePattern {
    row: &'static Row,
    /// Bit N stands for the modifier `pskN`.
    psks: u8,
}

/// Why a text names no handshake pattern or protocol that this crate knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// No row of the specification's tables has this name.
    #[error("\"{}\" is no handshake pattern of the Noise specification; an example is XX", .0.escape_debug())]
    Unknown(String),
    /// Another modifier than `psk`, or a `psk` behind the pattern's last message.
    #[error("\"{}\" is no modifier of this pattern; psk0 up to psk and its number of messages are", .0.escape_debug())]
    Modifier(String),
    /// Modifiers repeated or out of order: each pattern has one name.
    #[error("\"{}\" is out of order; modifiers rise and none stands twice, as in psk0+psk2", .0.escape_debug())]
    Order(String),
    /// The text is not `Noise_PATTERN_25519_ChaChaPoly_SHA256`.
    #[error("\"{}\" is no protocol this crate speaks; its names are Noise_PATTERN_25519_ChaChaPoly_SHA256", .0.escape_debug())]
    Protocol(String),
}

/// What stands around the pattern in a protocol's name (section 8).
const PROTOCOL_NAME: (&str, &str) = ("Noise_", "_25519_ChaChaPoly_SHA256");

impl HandshakePattern {
    /// `XX`: both static keys are sent, encrypted; nobody has to know anybody.
    pub const XX: HandshakePattern = HandshakePattern { row: &ROW_XX, psks: 0 };
    /// `XXpsk0`: the same, and without the pre-shared key not even the first message can be made.
    pub const XX_PSK0: HandshakePattern = HandshakePattern { row: &ROW_XX, psks: 1 };

    /// The pattern in a full protocol name; cipher suite 25519, ChaChaPoly, SHA256 only.
    ///
    /// ```
    /// use sealnet::noise::HandshakePattern;
    /// let pattern = HandshakePattern::from_protocol_name("Noise_XX_25519_ChaChaPoly_SHA256")?;
    /// assert_eq!(pattern, HandshakePattern::XX);
    /// # Ok::<(), sealnet::noise::PatternError>(())
    /// ```
    ///
    /// # Errors
    /// A [`PatternError`] naming the part that is not understood.
    pub fn from_protocol_name(name: &str) -> Result<Self, PatternError> {
        name.strip_prefix(PROTOCOL_NAME.0)
            .and_then(|rest| rest.strip_suffix(PROTOCOL_NAME.1))
            .ok_or_else(|| PatternError::Protocol(quoted(name)))?
            .parse()
    }

    /// The full protocol name, which is the first thing both sides hash (section 8).
    pub fn protocol_name(&self) -> String {
        format!("{}{self}{}", PROTOCOL_NAME.0, PROTOCOL_NAME.1)
    }

    /// How many messages the handshake has: 1 to 4.
    pub fn messages(&self) -> usize {
        self.row.messages.len()
    }

    /// Whether only the initiator ever sends: `N`, `K` and `X` (section 7.4).
    pub fn is_one_way(&self) -> bool {
        self.messages() == 1
    }

    /// The numbers of its `psk` modifiers, rising.
    pub fn psks(&self) -> impl Iterator<Item = u8> {
        let psks = self.psks;
        (0..8).filter(move |number| psks & (1 << number) != 0)
    }

    /// Whether an end in this role has to be given `setting` (or, for the prologue, may be).
    pub fn uses(&self, role: Role, setting: Setting) -> bool {
        match setting {
            Setting::Prologue => true,
            Setting::LocalStatic => self.knows_static(role) || self.sends(role, S),
            Setting::RemoteStatic => self.knows_static(role.peer()),
            Setting::Psk(number) => self.psks().any(|psk| psk == number),
            Setting::LocalEphemeral => self.sends(role, E),
            Setting::RemoteEphemeral => false,
        }
    }

    /// Whether the static key of `owner` is known to its peer beforehand.
    pub(super) fn knows_static(&self, owner: Role) -> bool {
        match owner {
            Role::Initiator => self.row.initiator_known,
            Role::Responder => self.row.responder_known,
        }
    }

    /// The tokens of message `index`, counted from 0, with those of the modifiers: `psk0` stands before everything,
    /// `pskN` at the end of the Nth message (section 9.4). Empty behind the last message.
    pub(super) fn tokens(&self, index: usize) -> impl Iterator<Item = Token> + use<> {
        let psks = self.psks;
        let has_psk = move |number: usize| number < 8 && psks & (1 << number) != 0;
        let message = self.row.messages.get(index).copied();
        let before = (index == 0 && has_psk(0)).then_some(Token::Psk);
        let after = (message.is_some() && has_psk(index + 1)).then_some(Token::Psk);
        before.into_iter().chain(message.unwrap_or_default().iter().copied()).chain(after)
    }

    /// Whether the pattern has pre-shared keys; ephemeral keys are then mixed into the key too (section 9.2).
    pub(super) fn is_psk(&self) -> bool {
        self.psks != 0
    }

    fn sends(&self, role: Role, token: Token) -> bool {
        let first = if role == Role::Initiator { 0 } else { 1 };
        self.row.messages.iter().skip(first).step_by(2).any(|message| message.contains(&token))
    }
}

impl PartialEq for HandshakePattern {
    fn eq(&self, other: &Self) -> bool {
        self.row.name == other.row.name && self.psks == other.psks
    }
}

impl Eq for HandshakePattern {}

impl fmt::Display for HandshakePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        for (at, number) in self.psks().enumerate() {
            write!(f, "{}psk{number}", if at == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for HandshakePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandshakePattern({self})")
    }
}

impl FromStr for HandshakePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        // A name is upper-case letters and digits, a modifier begins with a lower-case letter (section 8.1).
        let (name, modifiers) = match text.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit())) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let row = TABLE.iter().find(|row| row.name == name).ok_or_else(|| PatternError::Unknown(quoted(text)))?;
        let mut psks = 0_u8;
        for modifier in modifiers.split('+').filter(|_| !modifiers.is_empty()) {
            let number = match modifier.strip_prefix("psk").map(str::as_bytes) {
                Some([digit @ b'0'..=b'7']) if usize::from(digit - b'0') <= row.messages.len() => digit - b'0',
                _ => return Err(PatternError::Modifier(quoted(modifier))),
            };
            let bit = 1 << number;
            if psks >= bit {
                return Err(PatternError::Order(quoted(modifier)));
            }
            psks |= bit;
        }
        Ok(HandshakePattern { row, psks })
    }
}

/// What is quoted back from a text is bounded: it may be the whole of a wrong file.
fn quoted(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(name: &str) -> Vec<Vec<Token>> {
        let pattern: HandshakePattern = name.parse().unwrap();
        (0..pattern.messages()).map(|index| pattern.tokens(index).collect()).collect()
    }

    #[test]
    fn the_modifier_puts_keys_where_section_9_says() {
        use Token::Psk;
        assert_eq!(tokens("XXpsk0"), [vec![Psk, E], vec![E, Ee, S, Es], vec![S, Se]]);
        assert_eq!(tokens("NNpsk0+psk2"), [vec![Psk, E], vec![E, Ee, Psk]]);
        assert_eq!(tokens("Npsk0+psk1"), [vec![Psk, E, Es, Psk]]);
        assert_eq!(tokens("XXpsk1+psk3"), [vec![E, Psk], vec![E, Ee, S, Es], vec![S, Se, Psk]]);
        assert_eq!("XX".parse::<HandshakePattern>().unwrap().tokens(3).count(), 0);
        assert_eq!("XXpsk3".parse::<HandshakePattern>().unwrap().tokens(usize::MAX - 1).count(), 0);
    }

    #[test]
    fn every_pattern_has_exactly_one_name() {
        for row in &TABLE {
            for psks in 0..1 << (row.messages.len() + 1) {
                let pattern = HandshakePattern { row, psks };
                assert_eq!(pattern.to_string().parse(), Ok(pattern));
                assert_eq!(HandshakePattern::from_protocol_name(&pattern.protocol_name()), Ok(pattern));
            }
        }
        for unknown in ["", "xx", "XY", "XX2", "Xx", "psk0", "XXfallback", "NNpsk3", "XXpsk4", "XXpsk8", "XXpsk", "XX+"]
        {
            assert!(unknown.parse::<HandshakePattern>().is_err(), "{unknown}");
        }
        for modifier in ["XXpsk0+", "XXpsk00", "XXpsk+1", "XX+psk0", "XXpsk0psk1", "XXpsk0++psk1", "XXpsk0 "] {
            assert!(matches!(modifier.parse::<HandshakePattern>(), Err(PatternError::Modifier(_))), "{modifier}");
        }
        for order in ["XXpsk0+psk0", "XXpsk2+psk1"] {
            assert!(matches!(order.parse::<HandshakePattern>(), Err(PatternError::Order(_))), "{order}");
        }
    }

    #[test]
    fn other_suites_and_protocols_are_refused() {
        for name in [
            "",
            "Noise_XX",
            "Noise__25519_ChaChaPoly_SHA256",
            "NoiseXX_25519_ChaChaPoly_SHA256",
            "Noise_XX_448_ChaChaPoly_SHA256",
            "Noise_XX_25519_AESGCM_SHA256",
            "Noise_XX_25519_ChaChaPoly_BLAKE2s",
            "Noise_XX_25519_ChaChaPoly_SHA256 ",
        ] {
            assert!(HandshakePattern::from_protocol_name(name).is_err(), "{name}");
        }
    }

    /// Section 7.3, as far as it concerns the table: no key is sent twice or sent although known, no Diffie-Hellman is
    /// done twice or before its keys are there.
    #[test]
    fn every_row_is_a_valid_pattern() {
        for row in &TABLE {
            let (mut e, mut s) = ([false; 2], [row.initiator_known, row.responder_known]);
            let mut done: Vec<Token> = Vec::new();
            for (index, message) in row.messages.iter().enumerate() {
                for token in *message {
                    let sender = index % 2;
                    match token {
                        E => assert!(!std::mem::replace(&mut e[sender], true), "{}", row.name),
                        S => assert!(!std::mem::replace(&mut s[sender], true), "{}", row.name),
                        Ee => assert!(e[0] && e[1], "{}", row.name),
                        Es => assert!(e[0] && s[1], "{}", row.name),
                        Se => assert!(s[0] && e[1], "{}", row.name),
                        Ss => assert!(s[0] && s[1], "{}", row.name),
                        Token::Psk => panic!("{}: pre-shared keys come by modifier", row.name),
                    }
                    assert!(matches!(token, E | S) || !done.contains(token), "{}", row.name);
                    done.push(*token);
                }
            }
            assert_eq!(row.messages[0].first(), Some(&E), "{}", row.name);
            assert_eq!(row.name.starts_with('K'), row.initiator_known, "{}", row.name);
        }
    }
}
