//! Identities that are not proven for this very session.

use super::forgeries::{Forgery, forgeries};
use super::*;

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_not_proven_for_this_session_is_refused_at_both_ends() {
    let earlier = Arc::new(Mutex::new(Vec::new()));
    {
        // A sound session, whose payload is kept.
        let (here, there) = duplex(1 << 16);
        let listener = noise(2);
        let keep = |handshake: &HandshakeState, keypair: &Keypair| {
            let payload = honest(1)(handshake, keypair);
            *earlier.lock().unwrap() = payload.clone();
            payload
        };
        let (accepted, mut script) = tokio::join!(
            async { tokio::time::timeout(Duration::from_secs(1), accept(&listener, there.into(), &anybody)).await },
            Script::initiate(here, &keep)
        );
        // It waits for a HELLO: the proof is accepted.
        assert!(accepted.is_err());
        assert_eq!(rest_of(&mut script.stream).await, NOTHING);
    }
    let earlier = earlier.lock().unwrap().clone();
    for Forgery { what, forge, is_expected } in forgeries(earlier) {
        let (here, there) = duplex(1 << 16);
        let listener = noise(2);
        let (accepted, _script) =
            tokio::join!(accept(&listener, there.into(), &anybody), Script::initiate(here, &forge));
        let error = accepted.unwrap_err();
        assert!(matches!(&error, LinkError::BadIdentityProof(why) if is_expected(why)), "{what}: {error:?}");
        assert!(!error.blames_peer());

        let (here, there) = duplex(1 << 16);
        let dialler = noise(2);
        let answer = async {
            let mut script = Script::answer(there, &forge).await;
            // No message 3.
            assert_eq!(rest_of(&mut script.stream).await, NOTHING);
        };
        let (dialled, ()) = tokio::join!(dial(&dialler, here, None), answer);
        let error = dialled.unwrap_err();
        assert!(matches!(&error, LinkError::BadIdentityProof(why) if is_expected(why)), "{what}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pinned_identity_is_looked_at_only_after_the_proof() {
    // Who claims the pinned name without its key is no other node, but a liar.
    let (here, there) = duplex(1 << 16);
    let claim = |handshake: &HandshakeState, keypair: &Keypair| {
        let mut payload = honest(1)(handshake, keypair);
        payload[1..33].copy_from_slice(id(3).as_bytes());
        payload
    };
    let dialler = noise(2);
    let (dialled, _script) = tokio::join!(dial(&dialler, here, Some(id(3))), Script::answer(there, claim));
    assert!(matches!(dialled, Err(LinkError::BadIdentityProof(ProofError::Signature))));
}
