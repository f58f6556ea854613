//! What a handshake is given before it begins.

use std::fmt;
use std::sync::Arc;

use super::handshake_state::Setup;
use super::{HandshakePattern, HandshakeState, Keypair, NoiseError, PresharedKey, PublicKey, Role, Setting};

/// Collects what a handshake needs; choosing the role checks it and gives the [`HandshakeState`].
///
/// Giving a thing twice, or one the pattern never uses, is an error as much as leaving out one it needs: each would
/// mean that somebody counts on something that is not so. The prologue may be left out; it is then empty.
///
/// ```
/// use sealnet::noise::{Builder, HandshakePattern, Keypair, NoiseError, Setting};
/// let error = Builder::new(HandshakePattern::XX).initiator().unwrap_err();
/// assert_eq!(error, NoiseError::Missing(Setting::LocalStatic));
/// let handshake = Builder::new(HandshakePattern::XX)
///     .prologue(b"sealnet")?
///     .local_static(Keypair::generate()?)?
///     .initiator()?;
/// assert!(handshake.is_my_turn());
/// # Ok::<(), NoiseError>(())
/// ```
pub struct Builder {
    pattern: HandshakePattern,
    prologue: Option<Vec<u8>>,
    s: Option<Arc<Keypair>>,
    rs: Option<PublicKey>,
    e: Option<Keypair>,
    psks: [Option<PresharedKey>; 8],
}

impl Builder {
    /// For a handshake by `pattern`.
    pub fn new(pattern: HandshakePattern) -> Self {
        Builder { pattern, prologue: None, s: None, rs: None, e: None, psks: Default::default() }
    }

    /// Bytes both sides must agree on, else the first encrypted message does not open (section 6). Not secret.
    ///
    /// # Errors
    /// [`NoiseError::Twice`].
    pub fn prologue(mut self, prologue: &[u8]) -> Result<Self, NoiseError> {
        set(&mut self.prologue, prologue.to_vec(), Setting::Prologue)?;
        Ok(self)
    }

    /// The own static key pair, `s`; a [`Keypair`] or an `Arc` of one that other connections use too.
    ///
    /// # Errors
    /// [`NoiseError::Twice`].
    pub fn local_static(mut self, keypair: impl Into<Arc<Keypair>>) -> Result<Self, NoiseError> {
        set(&mut self.s, keypair.into(), Setting::LocalStatic)?;
        Ok(self)
    }

    /// The peer's static public key, `rs`, for patterns in which it is known beforehand.
    ///
    /// # Errors
    /// [`NoiseError::Twice`].
    pub fn remote_static(mut self, key: PublicKey) -> Result<Self, NoiseError> {
        set(&mut self.rs, key, Setting::RemoteStatic)?;
        Ok(self)
    }

    /// The pre-shared key of the modifier `psk` with this number.
    ///
    /// # Errors
    /// [`NoiseError::Twice`]; [`NoiseError::Unused`] if the pattern has no such modifier.
    pub fn psk(mut self, number: u8, key: PresharedKey) -> Result<Self, NoiseError> {
        let setting = Setting::Psk(number);
        let slot = self.psks.get_mut(usize::from(number)).ok_or(NoiseError::Unused(setting))?;
        set(slot, key, setting)?;
        Ok(self)
    }

    /// A fixed ephemeral key pair, to replay published test vectors. **Never use it for anything else:** two handshakes
    /// with the same ephemeral key have no forward secrecy and may share their keys.
    ///
    /// # Errors
    /// [`NoiseError::Twice`].
    #[doc(hidden)]
    pub fn fixed_ephemeral_for_test_vectors_only(mut self, keypair: Keypair) -> Result<Self, NoiseError> {
        set(&mut self.e, keypair, Setting::LocalEphemeral)?;
        Ok(self)
    }

    /// The handshake of the side that sends the first message.
    ///
    /// # Errors
    /// [`NoiseError::Missing`] or [`NoiseError::Unused`], naming the thing.
    pub fn initiator(self) -> Result<HandshakeState, NoiseError> {
        self.build(Role::Initiator)
    }

    /// The handshake of the side that answers.
    ///
    /// # Errors
    /// [`NoiseError::Missing`] or [`NoiseError::Unused`], naming the thing.
    pub fn responder(self) -> Result<HandshakeState, NoiseError> {
        self.build(Role::Responder)
    }

    fn build(self, role: Role) -> Result<HandshakeState, NoiseError> {
        let mut given = vec![(Setting::LocalStatic, self.s.is_some()), (Setting::RemoteStatic, self.rs.is_some())];
        given.extend((0..).map(Setting::Psk).zip(self.psks.iter().map(Option::is_some)));
        for (setting, is_given) in given {
            match (self.pattern.uses(role, setting), is_given) {
                (true, false) => return Err(NoiseError::Missing(setting)),
                (false, true) => return Err(NoiseError::Unused(setting)),
                _ => {}
            }
        }
        let setup = Setup {
            pattern: self.pattern,
            role,
            prologue: self.prologue.unwrap_or_default(),
            s: self.s,
            e: self.e,
            rs: self.rs,
            psks: self.psks.into_iter().flatten().collect(),
        };
        Ok(HandshakeState::initialize(setup))
    }
}

fn set<T>(slot: &mut Option<T>, value: T, setting: Setting) -> Result<(), NoiseError> {
    if slot.is_some() {
        return Err(NoiseError::Twice(setting));
    }
    *slot = Some(value);
    Ok(())
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("pattern", &self.pattern).field("keys", &"[redacted]").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(pattern: &str) -> Builder {
        Builder::new(pattern.parse().unwrap())
    }

    fn keypair() -> Keypair {
        Keypair::generate().unwrap()
    }

    fn psk() -> PresharedKey {
        PresharedKey::from_bytes(&[5; 32])
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |builder: Builder| builder.initiator().unwrap_err();
        assert_eq!(missing(new("XX")), NoiseError::Missing(Setting::LocalStatic));
        assert_eq!(missing(new("NK")), NoiseError::Missing(Setting::RemoteStatic));
        assert_eq!(missing(new("NNpsk0+psk2").psk(0, psk()).unwrap()), NoiseError::Missing(Setting::Psk(2)));
        assert_eq!(new("NK").responder().unwrap_err(), NoiseError::Missing(Setting::LocalStatic));
    }

    #[test]
    fn giving_a_thing_twice_is_an_error() {
        let twice = |result: Result<Builder, NoiseError>| result.unwrap_err();
        let xx = || new("XX").local_static(keypair()).unwrap();
        assert_eq!(twice(xx().local_static(keypair())), NoiseError::Twice(Setting::LocalStatic));
        assert_eq!(twice(xx().prologue(b"").unwrap().prologue(b"")), NoiseError::Twice(Setting::Prologue));
        let key = *keypair().public();
        assert_eq!(
            twice(xx().remote_static(key).unwrap().remote_static(key)),
            NoiseError::Twice(Setting::RemoteStatic)
        );
        assert_eq!(twice(xx().psk(1, psk()).unwrap().psk(1, psk())), NoiseError::Twice(Setting::Psk(1)));
        let fixed = xx().fixed_ephemeral_for_test_vectors_only(keypair()).unwrap();
        assert_eq!(
            twice(fixed.fixed_ephemeral_for_test_vectors_only(keypair())),
            NoiseError::Twice(Setting::LocalEphemeral)
        );
    }

    #[test]
    fn a_key_the_pattern_never_uses_is_refused() {
        let xx = || new("XX").local_static(keypair()).unwrap();
        assert_eq!(xx().psk(0, psk()).unwrap().initiator().unwrap_err(), NoiseError::Unused(Setting::Psk(0)));
        assert_eq!(xx().psk(8, psk()).unwrap_err(), NoiseError::Unused(Setting::Psk(8)));
        let known = xx().remote_static(*keypair().public()).unwrap();
        assert_eq!(known.responder().unwrap_err(), NoiseError::Unused(Setting::RemoteStatic));
        let nn = new("NN").local_static(keypair()).unwrap();
        assert_eq!(nn.initiator().unwrap_err(), NoiseError::Unused(Setting::LocalStatic));
    }
}
