//! An identity as PKCS#8 in PEM.

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, pem};
use pkcs8::{AlgorithmIdentifierRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{KeyFileProblem, Passphrase};
use crate::identity::Identity;

const LABEL: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// id-Ed25519 (RFC 8410, section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// The private key is an octet string within the octet string (RFC 8410, section 7): tag and length of the inner one.
const INNER: [u8; 2] = [0x04, 32];

/// `identity` as PKCS#8 **version 1**: without the public key, which would make it version 2, and that is an error to
/// OpenSSL 3.0. Encrypted, if there is a passphrase.
pub(super) fn encode(
    identity: &Identity,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, KeyFileProblem> {
    let mut inner = Zeroizing::new([0; 34]);
    inner[..2].copy_from_slice(&INNER);
    inner[2..].copy_from_slice(&*identity.seed());
    // 48 bytes fit every limit of the encoder; should it fail nevertheless, it says so.
    let failed = |error| KeyFileProblem::Io { doing: "encoded", error: std::io::Error::other(error) };
    let info = PrivateKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: ED25519, parameters: None },
        private_key: OctetStringRef::new(&*inner).map_err(failed)?,
        public_key: None,
    };
    let (document, label) = match passphrase {
        Some(passphrase) => (super::passphrase::encrypt(&info, passphrase)?, ENCRYPTED),
        None => (SecretDocument::encode_msg(&info).map_err(failed)?, LABEL),
    };
    document.to_pem(label, LineEnding::LF).map_err(failed)
}

/// Whether some PEM text begins in `bytes`.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The identity in `text`: version 1, or version 2 with a public key that is the private key's. A passphrase is used
/// where one is needed.
pub(super) fn decode(text: &[u8], passphrase: Option<&Passphrase>) -> Result<Identity, KeyFileProblem> {
    if !is_pem(text) {
        return Err(KeyFileProblem::NotPem);
    }
    let is_encrypted = match pem::decode_label(text) {
        Ok(LABEL) => false,
        Ok(ENCRYPTED) => true,
        Ok("RSA PRIVATE KEY") => return Err(KeyFileProblem::OtherAlgorithm("RSA".into())),
        Ok("EC PRIVATE KEY") => return Err(KeyFileProblem::OtherAlgorithm("elliptic curve (ECDSA)".into())),
        Ok(other) => return Err(KeyFileProblem::OtherLabel(other.chars().take(40).collect())),
        Err(_) => return Err(KeyFileProblem::CutOff),
    };
    // Decoded base64 is shorter than its text, so the buffer is never enlarged, which would leave a copy behind.
    let mut buffer = Zeroizing::new(vec![0; text.len()]);
    let (_, der) = pem::decode(text, &mut buffer).map_err(|_| KeyFileProblem::Damaged)?;
    if !is_encrypted {
        return read(der);
    }
    let document = super::passphrase::decrypt(der, passphrase.ok_or(KeyFileProblem::Passphrase)?)?;
    // One in 256 wrong passphrases gives something that looks like a padding; what is in front of it is no key.
    read(document.as_bytes()).map_err(|problem| match problem {
        KeyFileProblem::Damaged => KeyFileProblem::WrongPassphrase,
        problem => problem,
    })
}

/// The identity in `der`, a `PrivateKeyInfo`.
fn read(der: &[u8]) -> Result<Identity, KeyFileProblem> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFileProblem::Damaged)?;
    if info.algorithm.oid != ED25519 {
        return Err(KeyFileProblem::OtherAlgorithm(algorithm(info.algorithm)));
    }
    let seed = info.private_key.as_bytes().strip_prefix(&INNER).and_then(|seed| seed.try_into().ok());
    let (Some(seed), None) = (seed, info.algorithm.parameters) else {
        return Err(KeyFileProblem::Damaged);
    };
    let identity = Identity::from_seed(seed);
    match info.public_key.map(|key| key.as_bytes() == Some(identity.id().as_bytes())) {
        Some(false) => Err(KeyFileProblem::PublicHalf),
        _ => Ok(identity),
    }
}

/// The name of a key's kind, for those who took the wrong file.
fn algorithm(found: AlgorithmIdentifierRef<'_>) -> String {
    let curve = found.parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    match (found.oid.to_string().as_str(), curve.map(|curve| curve.to_string()).as_deref()) {
        ("1.2.840.113549.1.1.1", _) => "RSA".into(),
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => "P-256 (ECDSA)".into(),
        ("1.2.840.10045.2.1", _) => "elliptic curve (ECDSA)".into(),
        ("1.3.101.110", _) => "X25519".into(),
        ("1.3.101.111", _) => "X448".into(),
        ("1.3.101.113", _) => "Ed448".into(),
        (other, _) => format!("number {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Keys of this file are secrets of nobody: they stand in RFC 8410 or were made for these tests.

    /// RFC 8410, section 10.3.
    const VERSION_1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    /// The same with an attribute and the public key.
    const VERSION_2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
    const P_256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNGFX0lJLgBsGDNVe
BkkAFNhNp4UgOXdYeUakPtQPj8ahRANCAASToG3yRt8LIhqq97R0bWKK25K5B5nz
urAMRxTfwiq+EcZt1Uvr2Z4f0xOVsrq5OyR9HLMVfq2U3XOD9gVxP/3z
-----END PRIVATE KEY-----
";
    const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEA1wgRfL4cJk/mfGWp
Xppnp651FmKtvps3tGQ4yvmVF15lAIdmus7DBjT23A9MjV7g1b4MR8oi1zS8JUL/
m9/pbwIDAQABAkBzquZlOIpB3Zb48WKS/fGmFETtfrVBI5NqWMLoBCs7vtGAL6E1
6s8/zR7aNF+s7sunOlBEprubiturCXzqpweBAiEA8kJ+0Jmf9c/XXKu4ZhgOmjlf
mzWszr67l4gExlGi4UECIQDjOjslvfyQNXhBbs3DGwnvD/3OLoXPLlXIqK3jgz5u
rwIgKimkhI2YJ2Hq63f/edVKBVFi8FJhJwJPB8pmelWO8YECIB10G9ydjtJmi+r3
YOaMZ7I8QWrrbt7XI7l52+hkx7/zAiEA36dJNUP2JoCdNFwQ8/b8njHKnsvo9wzd
VgQJ2OxcsA8=
-----END PRIVATE KEY-----
";
    /// Of the same key as [`VERSION_1`]'s neighbours in no way; under the passphrase "test", from `openssl genpkey`.
    const UNDER_TEST: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAiYbeHt+t9AICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDGJCviM6FcHiOe8RZ7FkL0EQHZ2
D5ByDWUNaXUrGdMIyQjdsYDS+RPOlWpHMV1DP0O2ypOBfQCNxg8ukldesllLaLgi
QuBJGXHlbsBSePKUDCM=
-----END ENCRYPTED PRIVATE KEY-----
";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAf9cwwctfXUV8PSbSTQ/2JHmKKzK8mD+fILCQ0RkaMu0=
-----END PUBLIC KEY-----
";
    const RFC_8410_ID: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

    fn problem(text: &str) -> String {
        format!("{:?}", decode(text.as_bytes(), None).unwrap_err())
    }

    #[test]
    fn versions_1_and_2_are_read_and_version_1_is_written() {
        for text in [VERSION_1, VERSION_2, &VERSION_1.replace('\n', "\r\n"), &format!("A comment.\n{VERSION_1}")] {
            let identity = decode(text.as_bytes(), None).unwrap();
            assert_eq!(identity.id().to_string(), RFC_8410_ID);
            assert_eq!(encode(&identity, None).unwrap().as_str(), VERSION_1);
        }
    }

    #[test]
    fn a_public_half_that_does_not_match_is_refused() {
        assert_eq!(problem(&VERSION_2.replace("Gb9ECWmE", "Gb9ECWmF")), "PublicHalf");
    }

    #[test]
    fn keys_of_other_kinds_are_named() {
        assert_eq!(problem(P_256), "OtherAlgorithm(\"P-256 (ECDSA)\")");
        assert_eq!(problem(RSA), "OtherAlgorithm(\"RSA\")");
        assert_eq!(problem(&VERSION_1.replace("K2VwB", "K2VuB")), "OtherAlgorithm(\"X25519\")");
        assert_eq!(problem(&RSA.replace("PRIVATE", "RSA PRIVATE")), "OtherAlgorithm(\"RSA\")");
        assert_eq!(problem(&P_256.replace("PRIVATE", "EC PRIVATE")), "OtherAlgorithm(\"elliptic curve (ECDSA)\")");
        assert_eq!(problem(UNDER_TEST), "Passphrase");
        assert_eq!(problem(PUBLIC), "OtherLabel(\"PUBLIC KEY\")");
    }

    #[test]
    fn what_is_cut_off_damaged_or_no_key_is_refused() {
        for text in ["", "\n", "garbage", "\0\0\0", &"ab".repeat(32), "PRIVATE KEY"] {
            assert_eq!(problem(text), "NotPem");
        }
        // Cut anywhere: never a panic, never a key.
        for len in 0..VERSION_1.trim_end().len() {
            assert!(decode(&VERSION_1.as_bytes()[..len], None).is_err(), "{len}");
        }
        assert_eq!(problem(&VERSION_1[..80]), "CutOff");
        assert_eq!(problem(&VERSION_1.replace("END PRIVATE", "END PUBLIC")), "CutOff");
        // Framed well, but not what it should be inside: cut, longer, shorter seed, parameters, version 2 without key.
        for bad in [
            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVg=",
            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCAA==",
            "MC0CAQAwBQYDK2VwBCEEH9Tuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVg=",
            "MDACAQAwBwYDK2VwBQAEIgQg1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=",
            "MC4CAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
            "not base64",
            "",
        ] {
            let text = format!("-----BEGIN PRIVATE KEY-----\n{bad}\n-----END PRIVATE KEY-----\n");
            assert_eq!(problem(&text), "Damaged", "{bad}");
        }
    }

    #[test]
    fn a_flipped_bit_never_panics_and_never_gives_the_key_in_another_spelling() {
        let id = RFC_8410_ID.parse().unwrap();
        for bit in 0..VERSION_2.len() * 8 {
            let mut bytes = VERSION_2.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The attribute is not looked at; where the bit is in the key, the public half no longer matches.
            assert!(decode(&bytes, None).is_err() || decode(&bytes, None).unwrap().id() == id, "bit {bit}");
        }
    }
}
