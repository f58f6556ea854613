//! Payloads of messages 2 and 3 that prove nothing for their session.

use ed25519_dalek::{Signer, SigningKey};
use sealnet::identity::{Domain, Identity};
use sealnet::link::proof::{IdentityProof, ProofError};
use sealnet::noise::{HandshakeState, Keypair, Role};

use super::script::honest;

/// Makes a payload out of the handshake it is for.
pub(crate) type Forge = Box<dyn Fn(&HandshakeState, &Keypair) -> Vec<u8> + Send + Sync>;

/// One that is refused: what is wrong with it, how it is made, and what the reader says.
pub(crate) struct Forgery {
    pub(crate) what: &'static str,
    pub(crate) forge: Forge,
    pub(crate) is_expected: fn(&ProofError) -> bool,
}

/// The signature of identity 1 over anything.
fn signed(parts: &[&[u8]]) -> [u8; 64] {
    SigningKey::from_bytes(&[1; 32]).sign(&parts.concat()).to_bytes()
}

/// Forgeries by identity 1, which has its own key, and with `earlier` a sound payload of its from another session.
pub(crate) fn forgeries(earlier: Vec<u8>) -> Vec<Forgery> {
    let one = || Identity::from_seed(&[1; 32]);
    let other_key = Keypair::generate().unwrap();
    let by_its_signature = |what, forge| Forgery { what, forge, is_expected: |why| *why == ProofError::Signature };
    let mut forgeries = vec![
        by_its_signature("a payload of an earlier session", Box::new(move |_, _| earlier.clone())),
        by_its_signature(
            "over another static key",
            Box::new(move |handshake, _| {
                let h = handshake.handshake_hash().unwrap();
                IdentityProof::sign(&one(), handshake.role(), &h, other_key.public()).encode().to_vec()
            }),
        ),
        by_its_signature(
            "in the other role",
            Box::new(move |handshake, keypair| {
                let h = handshake.handshake_hash().unwrap();
                IdentityProof::sign(&one(), handshake.role().peer(), &h, keypair.public()).encode().to_vec()
            }),
        ),
        by_its_signature(
            "over another hash",
            Box::new(move |handshake, keypair| {
                IdentityProof::sign(&one(), handshake.role(), &[0; 32], keypair.public()).encode().to_vec()
            }),
        ),
        by_its_signature(
            "by a wrong key: somebody else's name over one's own signature",
            Box::new(|handshake, keypair| {
                let mut payload = honest(1)(handshake, keypair);
                payload[1..33].copy_from_slice(Identity::from_seed(&[3; 32]).id().as_bytes());
                payload
            }),
        ),
        Forgery {
            what: "of another version",
            forge: Box::new(|handshake, keypair| {
                let mut payload = honest(1)(handshake, keypair);
                payload[0] = 2;
                payload
            }),
            is_expected: |why| *why == ProofError::Grammar,
        },
        Forgery {
            what: "by a key of low order, which fits any signature",
            forge: Box::new(|_, _| [&[1, 1][..], &[0; 95]].concat()),
            is_expected: |why| matches!(why, ProofError::Key(_)),
        },
    ];
    for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Handshake) {
        let forge = move |handshake: &HandshakeState, keypair: &Keypair| {
            let (h, role) = (handshake.handshake_hash().unwrap(), u8::from(handshake.role() == Role::Responder) + 1);
            let signature = signed(&[domain.as_bytes(), &[role], &h, keypair.public().as_bytes()]);
            [&[1], &one().id().as_bytes()[..], &signature].concat()
        };
        forgeries.push(by_its_signature("signed in another domain", Box::new(forge)));
    }
    forgeries
}
