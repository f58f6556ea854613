//! Identities that are not proven for this very session.

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
    let other_key = Keypair::generate().unwrap();
    type Forge<'a> = Box<dyn Fn(&HandshakeState, &Keypair) -> Vec<u8> + 'a>;
    type Is = fn(&ProofError) -> bool;
    let forgeries: Vec<(Forge<'_>, Is)> = vec![
        (Box::new(|_, _| earlier.lock().unwrap().clone()), |error| *error == ProofError::Signature),
        (
            Box::new(|handshake, _| {
                let h = handshake.handshake_hash().unwrap();
                IdentityProof::sign(&identity(1), handshake.role(), &h, other_key.public()).encode().to_vec()
            }),
            |error| *error == ProofError::Signature,
        ),
        (
            Box::new(|handshake, keypair| {
                let h = handshake.handshake_hash().unwrap();
                IdentityProof::sign(&identity(1), handshake.role().peer(), &h, keypair.public()).encode().to_vec()
            }),
            |error| *error == ProofError::Signature,
        ),
        (
            Box::new(|handshake, keypair| {
                IdentityProof::sign(&identity(1), handshake.role(), &[0; 32], keypair.public()).encode().to_vec()
            }),
            |error| *error == ProofError::Signature,
        ),
        (
            // Somebody else's name over one's own signature.
            Box::new(|handshake, keypair| {
                let mut payload = honest(1)(handshake, keypair);
                payload[1..33].copy_from_slice(id(3).as_bytes());
                payload
            }),
            |error| *error == ProofError::Signature,
        ),
        (
            Box::new(|handshake, keypair| {
                let mut payload = honest(1)(handshake, keypair);
                payload[0] = 2;
                payload
            }),
            |error| *error == ProofError::Grammar,
        ),
        (
            // A key of low order.
            Box::new(|_, _| [&[1, 1][..], &[0; 95]].concat()),
            |error| matches!(error, ProofError::Key(_)),
        ),
    ];
    for (number, (forge, is_expected)) in forgeries.iter().enumerate() {
        let (here, there) = duplex(1 << 16);
        let listener = noise(2);
        let (accepted, _script) =
            tokio::join!(accept(&listener, there.into(), &anybody), Script::initiate(here, forge));
        let error = accepted.unwrap_err();
        assert!(matches!(&error, LinkError::BadIdentityProof(why) if is_expected(why)), "{number}: {error:?}");
        assert!(!error.blames_peer());

        let (here, there) = duplex(1 << 16);
        let dialler = noise(2);
        let answer = async {
            let mut script = Script::answer(there, forge).await;
            // No message 3.
            assert_eq!(rest_of(&mut script.stream).await, NOTHING);
        };
        let (dialled, ()) = tokio::join!(dial(&dialler, here, None), answer);
        let error = dialled.unwrap_err();
        assert!(matches!(&error, LinkError::BadIdentityProof(why) if is_expected(why)), "{number}: {error:?}");
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
