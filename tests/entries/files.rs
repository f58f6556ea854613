//! What lies in files, and what people type.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use sealnet::access::{Label, Serial};
use sealnet::config::Config;
use sealnet::envelope::{EnvelopeId, Title};
use sealnet::identity::{NetworkName, NodeAddress, NodeId};
use sealnet::log::Cursor;

/// Asserts that what is said of a bad text is said in words, and shows nothing that a terminal would obey.
fn assert_fit_to_print(error: &impl Display) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.len() < 4_000, "{} bytes", said.len());
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
}

/// A configuration; its settings are within what the code takes.
pub(crate) fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Config::parse(&text, Path::new("folder")) {
        Ok(config) => {
            let overlay = config.overlay();
            assert!(overlay.target_links <= overlay.max_links, "{overlay:?}");
            assert!(overlay.ping_after * 2 <= overlay.dead_after, "{overlay:?}");
            let _ = format!("{config:?}");
        }
        Err(error) => assert_fit_to_print(&error),
    }
}

pub(crate) fn config_seeds() -> Vec<Vec<u8>> {
    let full = "network = \"demo\"\nidentity = \"peer.pem\"\nlisten = \"127.0.0.1:7401\"\npreset = \"lan\"\n\
                advertise = [\"192.0.2.1:7401\"]\n[links]\ntarget = 3\nping_after = \"1s\"\n[log]\nkeep = \"2h\"\n\
                max_size = \"1GiB\"\n[access]\nmode = \"open\"\n";
    let genesis = format!(
        "network = \"demo\"\nidentity = \"peer.pem\"\n[[genesis]]\naddress = \"sealnet://{}@127.0.0.1:7400\"\n",
        sealnet::identity::Identity::from_seed(&[1; 32]).id()
    );
    vec![b"network = \"demo\"\nidentity = \"peer.pem\"\n".to_vec(), full.as_bytes().to_vec(), genesis.into_bytes()]
}

/// Names, ids, addresses, cursors: each has one spelling, or is refused in words.
pub(crate) fn texts(data: &[u8]) {
    fn one_spelling<T: FromStr<Err: Display> + Display>(text: &str) {
        match text.parse::<T>() {
            Ok(value) => assert_eq!(value.to_string(), text),
            Err(error) => assert_fit_to_print(&error),
        }
    }
    fn read_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(value: &T) {
        assert_eq!(&value.to_string().parse::<T>().expect("own words"), value);
    }
    let text = String::from_utf8_lossy(data);
    one_spelling::<NodeId>(&text);
    one_spelling::<EnvelopeId>(&text);
    one_spelling::<Serial>(&text);
    one_spelling::<NetworkName>(&text);
    one_spelling::<Cursor>(&text);
    one_spelling::<Title>(&text);
    if let Ok(label) = text.parse::<Label>() {
        assert_eq!(label.as_str(), text);
    }
    match text.parse::<NodeAddress>() {
        // IPv6 has several spellings; they are read as one value.
        Ok(address) => read_back(&address),
        Err(error) => assert_fit_to_print(&error),
    }
}

pub(crate) fn texts_seeds() -> Vec<Vec<u8>> {
    let id = sealnet::identity::Identity::from_seed(&[1; 32]).id();
    let texts = [
        id.to_string(),
        format!("sealnet://{id}@example.org:7400"),
        format!("sealnet://{id}@[2001:db8::1]:7400"),
        "0123456789abcdef:17".to_owned(),
        "00112233445566778899aabbccddeeff".to_owned(),
        "a-network.example".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}

/// Files that hold keys: read from a file, as they are.
#[cfg(unix)]
pub(crate) fn key_file(data: &[u8]) {
    use std::cell::OnceCell;
    use std::io::{Seek, Write};
    use std::os::unix::fs::PermissionsExt;

    use sealnet::identity::{Identity, NetworkKey, read_id_file};

    thread_local! {
        static FILE: OnceCell<tempfile::NamedTempFile> = const { OnceCell::new() };
    }
    FILE.with(|cell| {
        let file = cell.get_or_init(|| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("its own file");
            file
        });
        let mut writer = file.as_file();
        writer.set_len(0).and_then(|()| writer.rewind()).and_then(|()| writer.write_all(data)).expect("written");
        let path = file.path();
        match Identity::load(path) {
            Ok(identity) => {
                // A file that is read holds an identity and nothing else that anybody could have meant.
                let text = String::from_utf8_lossy(data);
                assert!(text.contains("-----BEGIN PRIVATE KEY-----"), "{:?} from {text:?}", identity.id());
            }
            Err(error) => assert_fit_to_print(&error),
        }
        if let Ok(id) = read_id_file(path) {
            assert_eq!(id.to_string().as_bytes(), data.trim_ascii_end());
        }
        if NetworkKey::load(path).is_ok() {
            assert_eq!(data.trim_ascii_end().len(), 64);
        }
        #[cfg(feature = "sealed")]
        let _ = sealnet::sealed::SealSecrets::load(path);
    });
}

#[cfg(unix)]
pub(crate) fn key_file_seeds() -> Vec<Vec<u8>> {
    use sealnet::identity::{Identity, NetworkKey, Overwrite};
    let folder = tempfile::tempdir().expect("a folder");
    let (identity, key) = (folder.path().join("peer.pem"), folder.path().join("network.key"));
    Identity::from_seed(&[1; 32]).save(&identity, Overwrite::Refuse).expect("written");
    NetworkKey::from_bytes(&[2; 32]).save(&key, Overwrite::Refuse).expect("written");
    let mut files = vec![identity.clone(), identity.with_extension("id"), key];
    #[cfg(feature = "sealed")]
    {
        let path = folder.path().join("seal.keys");
        let secrets = sealnet::sealed::SealSecrets::from(sealnet::sealed::SealSecret::from_bytes(&[3; 32]));
        secrets.save(&path).expect("written");
        files.push(path);
    }
    files.drain(..).map(|path| std::fs::read(path).expect("it was just written")).collect()
}

#[cfg(feature = "sealed")]
pub(crate) use self::sealed_files::*;

#[cfg(feature = "sealed")]
mod sealed_files {
    use std::sync::OnceLock;

    use sealnet::sealed::file::{Header, To, With, open_file, seal_file};
    use sealnet::sealed::{SealSecret, SealSecrets};

    use super::super::Input;

    const DATA: &[u8] = b"what lies in the file";

    fn secrets() -> &'static SealSecrets {
        static SECRETS: OnceLock<SealSecrets> = OnceLock::new();
        SECRETS.get_or_init(|| SealSecret::from_bytes(&[8; 32]).into())
    }

    fn good() -> &'static [u8] {
        static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
        GOOD.get_or_init(|| {
            let mut sealed = Vec::new();
            seal_file(&mut &DATA[..], &mut sealed, To::Readers(&[*secrets().key()])).expect("one reader");
            sealed
        })
    }

    /// A sealed file: it opens to what was sealed, or not at all.
    pub(crate) fn sealed_file(data: &[u8]) {
        let _ = Header::read(&mut &data[..]).map(|header| assert!(data.starts_with(header.as_bytes())));
        let mut altered = good().to_vec();
        let mut input = Input::new(data);
        for _ in 0..input.below(4) {
            let at = usize::from(input.number()) % altered.len();
            altered[at] = input.byte();
        }
        if input.byte() > 200 {
            altered.truncate(usize::from(input.number()) % (altered.len() + 1));
        }
        altered.extend_from_slice(input.bytes(4));
        for file in [&altered[..], data] {
            let mut out = Vec::new();
            match open_file(&mut &file[..], &mut out, With::Secrets(secrets())) {
                Ok(_) => assert_eq!((&out[..], file), (DATA, good()), "an altered file opens"),
                Err(_) => assert!(file != good()),
            }
        }
    }

    pub(crate) fn sealed_file_seeds() -> Vec<Vec<u8>> {
        vec![vec![0], vec![1, 0, 9, 4], vec![0, 201, 0, 60], vec![0, 0, 1, 2, 3]]
    }
}
