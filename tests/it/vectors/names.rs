//! `names.json`: hashes of networks, domains, pre-shared keys.

use sealnet::identity::{Domain, NetworkHash, NetworkKey, NetworkName};
use serde::Serialize;

use super::shown::Shown;
use super::{NETWORK, published, secure};

#[derive(Serialize)]
struct File {
    networks: Vec<Network>,
    invalid_names: Vec<Invalid>,
    domains: Vec<Shown>,
    network_keys: Vec<Key>,
}

#[derive(Serialize)]
struct Network {
    name: String,
    secure: Shown,
    plain: Shown,
}

#[derive(Serialize)]
struct Invalid {
    name: String,
    reason: &'static str,
}

#[derive(Serialize)]
struct Key {
    network: &'static str,
    network_key: Shown,
    psk: Shown,
}

#[test]
fn the_published_names_are_those_this_crate_makes() {
    let longest = "x".repeat(64);
    let networks = [NETWORK, "demo", "a", "0", ".", "lab-1.example_net", &longest].map(|text| {
        let name: NetworkName = text.parse().unwrap();
        let (secure, plain) = (NetworkHash::secure(&name), NetworkHash::plain(&name));
        Network { name: text.to_owned(), secure: secure.as_bytes().into(), plain: plain.as_bytes().into() }
    });
    let invalid = |name: &str, reason| {
        assert!(name.parse::<NetworkName>().is_err(), "{name}");
        Invalid { name: name.to_owned(), reason }
    };
    let mut invalid_names = vec![invalid("", "length"), invalid(&"x".repeat(65), "length")];
    let outside = ["Demo", "a b", "a/b", "a\0", "a\n", "zürich", "ａ", "a:b"];
    invalid_names.extend(outside.map(|name| invalid(name, "alphabet")));
    let network_keys = [(NETWORK, [3; 32]), ("demo", [3; 32]), ("demo", std::array::from_fn(|i| i as u8))];
    let network_keys = network_keys.map(|(network, key)| {
        let psk = NetworkKey::from_bytes(&key).psk(&secure(network));
        Key { network, network_key: Shown::from(&key), psk: Shown::from(&*psk) }
    });
    let domains = Domain::ALL.map(|domain| domain.as_bytes().into());
    let file =
        File { networks: networks.into(), invalid_names, domains: domains.into(), network_keys: network_keys.into() };
    published("names.json", &file);
}
