//! A handshake in progress (specification, section 5.3).

use std::fmt;
use std::sync::Arc;

use super::pattern::Token;
use super::symmetric_state::SymmetricState;
use super::{
    CipherState, DH_LEN, HASH_LEN, HandshakePattern, Keypair, MAX_MESSAGE, NoiseError, PresharedKey, PublicKey, Role,
    Setting, TransportState,
};

/// A handshake between its first and its last message.
///
/// Messages are written and read in the order of the pattern; after the last one
/// [`into_transport`](HandshakeState::into_transport) gives the keys for what follows. There is no earlier way to them:
///
/// ```compile_fail
/// fn too_early(mut handshake: sealnet::noise::HandshakeState) {
///     let _ = handshake.encrypt_in_place(&mut [0; 4]);
/// }
/// ```
///
/// Any error of writing or reading, whoever's fault it is, ends the handshake: all its keys are wiped at once and every
/// later call answers [`NoiseError::Poisoned`].
pub struct HandshakeState {
    // Boxed, so that moving the state leaves no copies of its keys behind.
    live: Option<Box<Live>>,
    pattern: HandshakePattern,
    role: Role,
}

/// What the builder hands over after checking it.
pub(super) struct Setup {
    pub(super) pattern: HandshakePattern,
    pub(super) role: Role,
    pub(super) prologue: Vec<u8>,
    pub(super) s: Option<Arc<Keypair>>,
    pub(super) e: Option<Keypair>,
    pub(super) rs: Option<PublicKey>,
    /// In the order of their modifiers.
    pub(super) psks: Vec<PresharedKey>,
}

/// Everything an error wipes.
struct Live {
    symmetric: SymmetricState,
    s: Option<Arc<Keypair>>,
    e: Option<Keypair>,
    /// The ephemeral key pair to use in place of a fresh one, for test vectors.
    fixed_e: Option<Keypair>,
    rs: Option<PublicKey>,
    re: Option<PublicKey>,
    psks: std::vec::IntoIter<PresharedKey>,
    /// How many messages were written and read.
    index: usize,
}

impl HandshakeState {
    /// `Initialize(handshake_pattern, initiator, prologue, s, e, rs, re)`.
    pub(super) fn initialize(setup: Setup) -> Self {
        let Setup { pattern, role, prologue, s, e, rs, psks } = setup;
        let mut symmetric = SymmetricState::initialize_symmetric(&pattern.protocol_name());
        symmetric.mix_hash(&prologue);
        for owner in [Role::Initiator, Role::Responder] {
            let key = if owner == role { s.as_ref().map(|s| s.public()) } else { rs.as_ref() };
            if let Some(key) = key.filter(|_| pattern.knows_static(owner)) {
                symmetric.mix_hash(key.as_bytes());
            }
        }
        let live = Live { symmetric, s, e: None, fixed_e: e, rs, re: None, psks: psks.into_iter(), index: 0 };
        HandshakeState { live: Some(Box::new(live)), pattern, role }
    }

    /// `WriteMessage(payload, message_buffer)`: appends this end's next message to `message`.
    ///
    /// The payload is encrypted if the pattern has a key by then; in the first message of `XX` it has none.
    ///
    /// # Errors
    /// [`NoiseError::OutOfTurn`], [`NoiseError::Finished`], [`NoiseError::TooLong`] for a message over [`MAX_MESSAGE`],
    /// [`NoiseError::ZeroSharedSecret`] if the peer's key makes it so, [`NoiseError::Randomness`],
    /// [`NoiseError::Poisoned`]. `message` is then as it was.
    pub fn write_message(&mut self, payload: &[u8], message: &mut Vec<u8>) -> Result<(), NoiseError> {
        let start = message.len();
        self.step(message, |live, pattern, role, message| {
            live.turn(pattern, role)?;
            live.write(pattern, role, payload, message, start)
        })
    }

    /// `ReadMessage(message, payload_buffer)`: takes the peer's next message and appends its payload to `payload`.
    ///
    /// # Errors
    /// [`NoiseError::Decrypt`], [`NoiseError::TooShort`], [`NoiseError::TooLong`], [`NoiseError::NotCanonical`] or
    /// [`NoiseError::ZeroSharedSecret`] for a message that is not an honest peer's; [`NoiseError::OutOfTurn`],
    /// [`NoiseError::Finished`], [`NoiseError::Poisoned`]. `payload` is then as it was.
    pub fn read_message(&mut self, message: &[u8], payload: &mut Vec<u8>) -> Result<(), NoiseError> {
        self.step(payload, |live, pattern, role, payload| {
            live.turn(pattern, role.peer())?;
            live.read(pattern, role, message, payload)
        })
    }

    /// Does one step, or on an error drops everything and restores `out`.
    fn step(
        &mut self,
        out: &mut Vec<u8>,
        step: impl FnOnce(&mut Live, HandshakePattern, Role, &mut Vec<u8>) -> Result<(), NoiseError>,
    ) -> Result<(), NoiseError> {
        let live = self.live.as_mut().ok_or(NoiseError::Poisoned)?;
        let start = out.len();
        step(live, self.pattern, self.role, out).inspect_err(|_| {
            out.truncate(start);
            self.live = None;
        })
    }

    /// `GetHandshakeHash()` as it stands now: `h` over everything up to the last message written or read.
    ///
    /// A signature over it that travels in the next message's payload binds its signer to this session.
    ///
    /// # Errors
    /// [`NoiseError::Poisoned`].
    pub fn handshake_hash(&self) -> Result<[u8; HASH_LEN], NoiseError> {
        self.live().map(|live| *live.symmetric.handshake_hash())
    }

    /// The peer's static public key, `rs`: given to the builder, or received.
    ///
    /// # Errors
    /// [`NoiseError::NoRemoteStatic`] before a message brought it, [`NoiseError::Poisoned`].
    pub fn remote_static(&self) -> Result<PublicKey, NoiseError> {
        self.live()?.rs.ok_or(NoiseError::NoRemoteStatic)
    }

    /// The peer's ephemeral public key, `re`, which tells handshakes apart: an honest peer never sends one twice.
    /// `None` before a message brought it.
    ///
    /// # Errors
    /// [`NoiseError::Poisoned`].
    pub fn remote_ephemeral(&self) -> Result<Option<PublicKey>, NoiseError> {
        self.live().map(|live| live.re)
    }

    /// The handshake's pattern.
    pub fn pattern(&self) -> HandshakePattern {
        self.pattern
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the next message is this end's to write. False after the last one and after an error.
    pub fn is_my_turn(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.turn(self.pattern, self.role).is_ok())
    }

    /// Whether the last message was written or read. False after an error.
    pub fn is_finished(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.index == self.pattern.messages())
    }

    /// `Split()`: ends the handshake and gives the keys for what follows.
    ///
    /// # Errors
    /// [`NoiseError::NotFinished`]; [`NoiseError::OneWay`] for a one-way pattern; [`NoiseError::Poisoned`].
    pub fn into_transport(self) -> Result<TransportState, NoiseError> {
        if self.pattern.is_one_way() {
            return Err(NoiseError::OneWay);
        }
        let live = self.finished()?;
        let (from_initiator, from_responder) = live.symmetric.split();
        let (sender, receiver) = match self.role {
            Role::Initiator => (from_initiator, from_responder),
            Role::Responder => (from_responder, from_initiator),
        };
        Ok(TransportState {
            sender,
            receiver,
            handshake_hash: *live.symmetric.handshake_hash(),
            remote_static: live.rs,
        })
    }

    /// `Split()` of a one-way pattern: the only direction there is, sealing at the initiator and opening at the
    /// responder. The other key is thrown away; nobody may use it (section 7.4).
    ///
    /// # Errors
    /// [`NoiseError::NotFinished`]; [`NoiseError::NotOneWay`] for an interactive pattern; [`NoiseError::Poisoned`].
    pub fn into_one_way(self) -> Result<CipherState, NoiseError> {
        if !self.pattern.is_one_way() {
            return Err(NoiseError::NotOneWay);
        }
        Ok(self.finished()?.symmetric.split().0)
    }

    fn live(&self) -> Result<&Live, NoiseError> {
        self.live.as_deref().ok_or(NoiseError::Poisoned)
    }

    fn finished(&self) -> Result<&Live, NoiseError> {
        let live = self.live()?;
        if live.index == self.pattern.messages() { Ok(live) } else { Err(NoiseError::NotFinished) }
    }
}

impl Live {
    /// Fails unless the next message is `sender`'s.
    fn turn(&self, pattern: HandshakePattern, sender: Role) -> Result<(), NoiseError> {
        if self.index >= pattern.messages() {
            return Err(NoiseError::Finished);
        }
        let next = if self.index.is_multiple_of(2) { Role::Initiator } else { Role::Responder };
        if next == sender { Ok(()) } else { Err(NoiseError::OutOfTurn(next)) }
    }

    fn write(
        &mut self,
        pattern: HandshakePattern,
        role: Role,
        payload: &[u8],
        message: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), NoiseError> {
        for token in pattern.tokens(self.index) {
            match token {
                Token::E => {
                    let e = match self.fixed_e.take() {
                        Some(fixed) => fixed,
                        None => Keypair::generate()?,
                    };
                    message.extend_from_slice(e.public().as_bytes());
                    self.mix_ephemeral(pattern, e.public());
                    self.e = Some(e);
                }
                Token::S => {
                    let s = self.s.as_ref().ok_or(NoiseError::Missing(Setting::LocalStatic))?;
                    self.symmetric.encrypt_and_hash(s.public().as_bytes(), message)?;
                }
                other => self.mix(other, role)?,
            }
        }
        let len = (message.len() - start).saturating_add(payload.len()).saturating_add(self.symmetric.overhead());
        if len > MAX_MESSAGE {
            return Err(NoiseError::TooLong(len));
        }
        self.symmetric.encrypt_and_hash(payload, message)?;
        self.index += 1;
        Ok(())
    }

    fn read(
        &mut self,
        pattern: HandshakePattern,
        role: Role,
        message: &[u8],
        payload: &mut Vec<u8>,
    ) -> Result<(), NoiseError> {
        let len = message.len();
        if len > MAX_MESSAGE {
            return Err(NoiseError::TooLong(len));
        }
        let mut rest = message;
        for token in pattern.tokens(self.index) {
            match token {
                Token::E => {
                    let (bytes, after) = rest.split_first_chunk::<DH_LEN>().ok_or(NoiseError::TooShort(len))?;
                    let re = PublicKey::from_bytes(*bytes)?;
                    self.mix_ephemeral(pattern, &re);
                    (self.re, rest) = (Some(re), after);
                }
                Token::S => {
                    let sealed = DH_LEN + self.symmetric.overhead();
                    let (sealed, after) = rest.split_at_checked(sealed).ok_or(NoiseError::TooShort(len))?;
                    let mut opened = Vec::with_capacity(sealed.len());
                    self.symmetric.decrypt_and_hash(sealed, &mut opened)?;
                    let bytes = opened.try_into().map_err(|_| NoiseError::TooShort(len))?;
                    (self.rs, rest) = (Some(PublicKey::from_bytes(bytes)?), after);
                }
                other => self.mix(other, role)?,
            }
        }
        if rest.len() < self.symmetric.overhead() {
            return Err(NoiseError::TooShort(len));
        }
        self.symmetric.decrypt_and_hash(rest, payload)?;
        self.index += 1;
        Ok(())
    }

    fn mix_ephemeral(&mut self, pattern: HandshakePattern, key: &PublicKey) {
        self.symmetric.mix_hash(key.as_bytes());
        // Else two sessions with the same pre-shared key and no Diffie-Hellman yet would share a key (section 9.2).
        if pattern.is_psk() {
            self.symmetric.mix_key(key.as_bytes());
        }
    }

    /// The tokens that put nothing on the wire. The builder and the table see to it that the keys are there; should
    /// they not be, it is an error and not a panic.
    fn mix(&mut self, token: Token, role: Role) -> Result<(), NoiseError> {
        let initiator = role == Role::Initiator;
        let (own_is_static, peers_is_static) = match token {
            Token::Ee => (false, false),
            Token::Ss => (true, true),
            Token::Es => (!initiator, initiator),
            Token::Se => (initiator, !initiator),
            Token::Psk => {
                let psk = self.psks.next().ok_or(NoiseError::Missing(Setting::Psk(0)))?;
                self.symmetric.mix_key_and_hash(psk.as_bytes());
                return Ok(());
            }
            // Both are handled where they are written and read.
            Token::E | Token::S => return Ok(()),
        };
        let own = if own_is_static {
            self.s.as_deref().ok_or(NoiseError::Missing(Setting::LocalStatic))?
        } else {
            self.e.as_ref().ok_or(NoiseError::Missing(Setting::LocalEphemeral))?
        };
        let peers = if peers_is_static {
            self.rs.as_ref().ok_or(NoiseError::Missing(Setting::RemoteStatic))?
        } else {
            self.re.as_ref().ok_or(NoiseError::Missing(Setting::RemoteEphemeral))?
        };
        self.symmetric.mix_key(own.dh(peers)?.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for HandshakeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeState")
            .field("pattern", &self.pattern)
            .field("role", &self.role)
            .field("messages", &self.live.as_ref().map(|live| live.index))
            .field("keys", &"[redacted]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::super::dh::tests::{LOW_ORDER, bytes};
    use super::*;

    fn xx(s: Keypair) -> Builder {
        Builder::new(HandshakePattern::XX).local_static(s).unwrap()
    }

    fn written(handshake: &mut HandshakeState) -> Vec<u8> {
        let mut message = Vec::new();
        handshake.write_message(b"payload", &mut message).unwrap();
        message
    }

    fn read(handshake: &mut HandshakeState, message: &[u8]) -> Result<(), NoiseError> {
        handshake.read_message(message, &mut Vec::new())
    }

    #[test]
    fn ephemeral_keys_of_low_order_are_refused() {
        for hex in LOW_ORDER {
            // As the first message: refused at once if misspelt, else when the first key would be made from it.
            let mut responder = xx(Keypair::generate().unwrap()).responder().unwrap();
            let refused = read(&mut responder, &bytes(hex)).and_then(|()| {
                assert_eq!(responder.remote_ephemeral(), Ok(PublicKey::from_bytes(bytes(hex)).ok()));
                responder.write_message(&[], &mut Vec::new())
            });
            assert!(matches!(refused, Err(NoiseError::ZeroSharedSecret | NoiseError::NotCanonical)), "{hex}");
            assert_eq!(responder.handshake_hash(), Err(NoiseError::Poisoned));

            // As the second: no key is ever made.
            let mut initiator = xx(Keypair::generate().unwrap()).initiator().unwrap();
            written(&mut initiator);
            let message = [&bytes(hex)[..], &[0; 161]].concat();
            let refused = read(&mut initiator, &message);
            assert!(matches!(refused, Err(NoiseError::ZeroSharedSecret | NoiseError::NotCanonical)), "{hex}");
        }
    }

    #[test]
    fn static_keys_of_low_order_are_refused() {
        // Only a liar can send one: it goes through its own half of the handshake with another key. The encrypted key
        // itself opens; what the honest side makes of it does not pass.
        for hex in &LOW_ORDER[..5] {
            let lie = PublicKey::from_bytes(bytes(hex)).unwrap();

            let mut initiator = xx(Keypair::generate().unwrap()).initiator().unwrap();
            let mut liar = xx(Keypair::claiming(lie)).responder().unwrap();
            read(&mut liar, &written(&mut initiator)).unwrap();
            assert_eq!(read(&mut initiator, &written(&mut liar)), Err(NoiseError::ZeroSharedSecret), "{hex}");

            let mut liar = xx(Keypair::claiming(lie)).initiator().unwrap();
            let mut responder = xx(Keypair::generate().unwrap()).responder().unwrap();
            read(&mut responder, &written(&mut liar)).unwrap();
            read(&mut liar, &written(&mut responder)).unwrap();
            assert_eq!(read(&mut responder, &written(&mut liar)), Err(NoiseError::ZeroSharedSecret), "{hex}");
            assert_eq!(responder.remote_static(), Err(NoiseError::Poisoned));
        }
    }

    #[test]
    fn a_static_key_in_another_spelling_is_refused() {
        // u = 9 is the base point; 9 + p is the same number.
        let mut bytes = [0xFF; 32];
        (bytes[0], bytes[31]) = (0xED + 9, 0x7F);
        assert_eq!(PublicKey::from_bytes(bytes), Err(NoiseError::NotCanonical));
        let mut initiator = xx(Keypair::generate().unwrap()).initiator().unwrap();
        let mut liar = xx(Keypair::claiming(PublicKey::spelt(bytes))).responder().unwrap();
        read(&mut liar, &written(&mut initiator)).unwrap();
        assert_eq!(read(&mut initiator, &written(&mut liar)), Err(NoiseError::NotCanonical));
    }

    #[test]
    fn the_halves_of_a_connection_can_move_to_other_tasks() {
        fn movable<T: Send + 'static>() {}
        movable::<HandshakeState>();
        movable::<TransportState>();
        movable::<CipherState>();
    }
}
