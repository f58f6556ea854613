//! What people and files write: names, ids, addresses, cursors, configurations.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use proptest::prelude::*;
use sealnet::access::{Label, Serial};
use sealnet::config::{Config, Draft, DraftGenesis, Preset};
use sealnet::envelope::{EnvelopeId, Title};
use sealnet::identity::{Identity, NetworkName, NodeAddress, NodeId};
use sealnet::log::Cursor;

/// Asserts that a text is either refused or the value's own spelling.
fn assert_one_spelling<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// Asserts that a value is read back from its own text.
fn assert_read_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(value: &T) {
    assert_eq!(&value.to_string().parse::<T>().unwrap(), value);
}

/// Texts that are near to being an id, an address or a cursor.
fn nearly() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,100}",
        "[0-9a-fA-F+ ]{30,70}",
        "[0-9a-f]{64}",
        "[0-9a-f]{32}",
        "[0-9a-f]{16}:[+-]?[0-9]{0,22}",
        "(sealnet://)?([0-9a-f]{64}@)?[a-z0-9.:\\[\\]%_-]{0,20}:[+-]?[0-9]{0,6}",
        "sealnet://([0-9a-f]{64}@)?\\[[0-9a-fA-F:.%]{2,20}\\]:[0-9]{1,5}",
    ]
}

fn host_port() -> impl Strategy<Value = String> {
    let v6 = any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]"));
    let host =
        prop_oneof!["[a-z0-9][a-zA-Z0-9._-]{0,20}", any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()), v6];
    (host, 1..=u16::MAX).prop_map(|(host, port)| format!("{host}:{port}"))
}

fn node_address() -> impl Strategy<Value = NodeAddress> {
    (any::<[u8; 32]>(), host_port())
        .prop_map(|(seed, at)| NodeAddress::new(Some(Identity::from_seed(&seed).id()), &at).unwrap())
}

proptest! {
    #[test]
    fn texts_have_one_spelling_and_never_panic(text in nearly()) {
        assert_one_spelling::<NodeId>(&text);
        assert_one_spelling::<EnvelopeId>(&text);
        assert_one_spelling::<Serial>(&text);
        assert_one_spelling::<NetworkName>(&text);
        assert_one_spelling::<Cursor>(&text);
        assert_one_spelling::<Title>(&text);
        if let Ok(label) = text.parse::<Label>() {
            prop_assert_eq!(label.as_str(), text.as_str());
        }
        // IPv6 has several spellings; they are read as one value.
        if let Ok(address) = text.parse::<NodeAddress>() {
            assert_read_back(&address);
        }
    }

    #[test]
    fn ids_addresses_and_cursors_are_read_back(
        (id, serial, position) in any::<([u8; 32], [u8; 16], u64)>(),
        address in node_address(),
        at in host_port(),
    ) {
        assert_read_back(&NodeId::from_bytes(id));
        assert_read_back(&EnvelopeId::from_bytes(id));
        assert_read_back(&Serial::from_bytes(serial));
        assert_read_back(&format!("00112233445566ff:{position}").parse::<Cursor>().unwrap());
        assert_read_back(&address);
        assert_read_back(&NodeAddress::new(None, &at).unwrap());
    }

    #[test]
    fn what_an_error_quotes_is_bounded_and_escaped(text in "[\u{0}-\u{1f}a-z\u{202e}]{0,2000}") {
        let errors = [
            text.parse::<NodeId>().err().map(|error| error.to_string()),
            text.parse::<EnvelopeId>().err().map(|error| error.to_string()),
            text.parse::<Serial>().err().map(|error| error.to_string()),
            text.parse::<NetworkName>().err().map(|error| error.to_string()),
            text.parse::<Cursor>().err().map(|error| error.to_string()),
            text.parse::<NodeAddress>().err().map(|error| error.to_string()),
            Config::parse(&text, Path::new("")).err().map(|error| error.to_string()),
        ];
        for error in errors.into_iter().flatten() {
            // A file that is no TOML is described over several lines, but never shown.
            prop_assert!(!error.contains(|c: char| c.is_control() && c != '\n'), "{:?}", error);
            prop_assert!(error.len() < 4_000, "{} bytes", error.len());
        }
    }

    #[test]
    fn a_drafted_configuration_says_what_was_drafted(
        network in "[a-z0-9._-]{1,64}",
        // What looks like a key itself (a line feed, five hyphens) is refused as a path.
        (identity, network_key) in ("[^\u{0}\n/-]{1,30}", prop::option::of("[^\u{0}\n/-]{1,30}")),
        port in 1..=u16::MAX,
        preset in prop::sample::select(Preset::ALL.to_vec()),
        mut genesis in prop::collection::vec(node_address(), 0..4),
    ) {
        // The first two are no files, and are resolved with the folder they stand in; the third is refused as a shell's.
        let is_file = |name: &str| !matches!(name, "." | "..") && !name.starts_with('~');
        prop_assume!(is_file(&identity) && network_key.as_deref().is_none_or(is_file));
        genesis.sort();
        genesis.dedup_by_key(|address| address.id());
        let draft = Draft {
            network: network.parse().unwrap(),
            identity: identity.clone().into(),
            network_key: network_key.clone().map(Into::into),
            listen: Some(([127, 0, 0, 1], port).into()),
            preset,
            genesis: genesis.iter().cloned().map(DraftGenesis::Address).collect(),
            control: None,
        };
        let config = Config::parse(&draft.to_string(), Path::new("folder")).unwrap();
        prop_assert_eq!(config.network(), &draft.network);
        let identity = Path::new("folder").join(identity);
        prop_assert_eq!(config.identity(), Some(identity.as_path()));
        let network_key = network_key.map(|file| Path::new("folder").join(file));
        prop_assert_eq!(config.network_key(), network_key.as_deref());
        prop_assert_eq!((config.listen(), config.preset()), (draft.listen, preset));
        prop_assert_eq!(config.genesis(), genesis.as_slice());
    }

    #[test]
    fn a_damaged_configuration_never_panics(damage in super::damage()) {
        let good = "network = \"demo\"\nidentity = \"peer.pem\"\nlisten = \"127.0.0.1:7401\"\npreset = \"lan\"\n\
                    advertise = [\"192.0.2.1:7401\"]\n[links]\ntarget = 3\nping_after = \"1s\"\n[log]\nkeep = \"2h\"\n\
                    max_size = \"1GiB\"\n[access]\nmode = \"open\"\n";
        prop_assert!(Config::parse(good, Path::new("")).is_ok());
        let text = damage.to(good.as_bytes());
        if let Err(error) = Config::parse(&String::from_utf8_lossy(&text), Path::new("")) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
