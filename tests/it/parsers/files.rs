//! Key files and id files.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use sealnet::identity::{Identity, NetworkKey, Overwrite, read_id_file};

use super::damage;

/// Overwrites a file that only its owner may read.
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

proptest! {
    // Each case writes files.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn keys_are_read_back_and_damaged_files_never_panic_or_give_another_key_unnoticed(
        (seed, network_key) in any::<([u8; 32], [u8; 32])>(), damage in damage(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peer.pem");
        let identity = Identity::from_seed(&seed);
        identity.save(&path, Overwrite::Refuse).unwrap();
        prop_assert_eq!(Identity::load(&path).unwrap().id(), identity.id());
        let id_path = path.with_extension("id");
        prop_assert_eq!(read_id_file(&id_path).unwrap(), identity.id());

        let text = fs::read(&path).unwrap();
        write(&path, &damage.to(&text));
        if let Err(error) = Identity::load(&path) {
            // Nothing of a key is quoted: 8 letters of its base64 in a row would be.
            let secret = std::str::from_utf8(&text).unwrap().lines().nth(1).unwrap();
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains(&secret[24..32]));
        }

        let id_text = fs::read(&id_path).unwrap();
        write(&id_path, &damage.to(&id_text));
        if let Ok(id) = read_id_file(&id_path) {
            let text = fs::read_to_string(&id_path).unwrap();
            prop_assert_eq!(id.to_string(), text.trim_end());
        }

        let path = folder.path().join("network.key");
        let key = NetworkKey::from_bytes(&network_key);
        key.save(&path, Overwrite::Refuse).unwrap();
        prop_assert_eq!(&NetworkKey::load(&path).unwrap(), &key);
        let text = fs::read(&path).unwrap();
        write(&path, &damage.to(&text));
        if let Err(error) = NetworkKey::load(&path) {
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains(std::str::from_utf8(&text[..16]).unwrap()));
        }
    }

    #[test]
    fn hostile_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), armour in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let body = data_encoding::BASE64.encode(&bytes);
        let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        write(&path, if armour { text.as_bytes() } else { &bytes });
        prop_assert!(Identity::load(&path).is_err());
        prop_assert!(NetworkKey::load(&path).is_err() && read_id_file(&path).is_err());
    }
}
