//! `sealnet doctor`: what it makes of each thing that can be wrong. Alone, split and full: its own tests in the library.
#![cfg(all(unix, feature = "cli"))]

use std::net::TcpListener;
use std::time::Duration;

use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NetworkKey, NodeAddress};
use sealnet::node::{Builder, Clock, Secure, SecureNode};
use sealnet::overlay::Settings;
use serde_json::Value;

use super::place::Place;
use super::program::Running;

/// A genesis node of the network "town".
fn genesis() -> Builder<Secure> {
    let identity = Identity::generate().unwrap();
    SecureNode::builder("town".parse().unwrap(), identity)
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local())
}

/// A member's key and configuration in a folder of their own.
struct Patient {
    place: Place,
}

impl Patient {
    fn new(network: &str, genesis: &[String], more: &str) -> Self {
        let place = Place::new();
        place.done("keygen peer");
        let patient = Patient { place };
        patient.write(network, genesis, more);
        patient
    }

    fn write(&self, network: &str, genesis: &[String], more: &str) {
        let genesis: Vec<String> = genesis.iter().map(|address| format!("\"{address}\"")).collect();
        let genesis = genesis.join(", ");
        let text = format!(
            "network = \"{network}\"\nidentity = \"keys/peer.pem\"\npreset = \"local\"\ngenesis = [{genesis}]\n{more}\n"
        );
        self.place.write("peer.toml", &text);
    }

    /// What the doctor finds wrong: its words, and whether it is sure. The program runs beside the nodes of this test.
    async fn complaints(self) -> (Self, Vec<(String, bool)>) {
        let (patient, object) = tokio::task::spawn_blocking(move || {
            let output = self.place.run("doctor --config peer.toml --json");
            let object: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(output.status.success(), object["healthy"] == true, "{object}");
            (self, object)
        })
        .await
        .unwrap();
        let bad = object["findings"].as_array().unwrap().iter().filter(|finding| finding["weight"] == "bad");
        let words = |finding: &Value| {
            assert!(finding["do"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{finding}");
            (finding["what"].as_str().unwrap().to_owned(), finding["sure"] == true)
        };
        (patient, bad.map(words).collect())
    }
}

fn address(node: &SecureNode) -> String {
    node.address().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_a_sound_configuration_and_a_genesis_node_that_answers() {
    let node = genesis().start().await.unwrap();
    let (_, complaints) = Patient::new("town", &[address(&node)], "").complaints().await;
    assert_eq!(complaints, []);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_network_name_is_named() {
    let node = genesis().start().await.unwrap();
    let (_, complaints) = Patient::new("village", &[address(&node)], "").complaints().await;
    assert!(complaints.len() == 1 && complaints[0].0.contains("another network than \"village\""), "{complaints:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_behind_an_address_is_named_with_both() {
    let node = genesis().start().await.unwrap();
    let own: NodeAddress = node.address().unwrap();
    let other = Identity::generate().unwrap().id();
    let wrong = format!("sealnet://{other}@{}:{}", own.host(), own.port());
    let (_, complaints) = Patient::new("town", &[wrong], "").complaints().await;
    assert!(complaints.len() == 1 && complaints[0].0.contains(&node.id().to_string()), "{complaints:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_ten_minutes_off_is_named_and_whose_it_is_where_several_agree() {
    let ahead = || genesis().clock(Clock::StartingAt(Timestamp::now().plus(Duration::from_secs(600))));
    let (one, other) = (ahead().start().await.unwrap(), ahead().start().await.unwrap());
    let (patient, complaints) = Patient::new("town", &[address(&one)], "").complaints().await;
    assert!(complaints.len() == 1 && !complaints[0].1, "with one other it is a guess: {complaints:?}");
    patient.write("town", &[address(&one), address(&other)], "");
    let (_, complaints) = patient.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].1, "{complaints:?}");
    assert!(complaints[0].0.contains("10 minutes behind those of 2 others"), "{complaints:?}");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_and_a_genesis_node_that_is_not_there_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let genesis = format!("sealnet://{}@{gone}", Identity::generate().unwrap().id());
    let more = format!("listen = \"{}\"", taken.local_addr().unwrap());
    let (_, complaints) = Patient::new("town", &[genesis], &more).complaints().await;
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(
        complaints[0].0.contains("is in use") && complaints[1].0.contains(&format!("nobody answers at {gone}")),
        "{complaints:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_key_that_one_side_has_is_named_and_guessed_at_where_it_cannot_be_seen() {
    let keyed = genesis().network_key(NetworkKey::generate().unwrap()).start().await.unwrap();
    let (patient, complaints) = Patient::new("town", &[address(&keyed)], "").complaints().await;
    assert!(
        complaints.len() == 1 && !complaints[0].1 && complaints[0].0.contains("probably has a network key"),
        "{complaints:?}"
    );
    keyed.stop().await;
    let keyless = genesis().start().await.unwrap();
    patient.place.done("keygen --network-key --out keys/network.key");
    patient.write("town", &[address(&keyless)], "network_key = \"keys/network.key\"");
    let (_, complaints) = patient.complaints().await;
    assert!(
        complaints.len() == 1 && complaints[0].1 && complaints[0].0.contains("has no network key"),
        "{complaints:?}"
    );
    keyless.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_networks_of_one_name_that_never_met_are_named() {
    let (here, elsewhere) = (genesis().start().await.unwrap(), genesis().start().await.unwrap());
    let control = "[control]\nlisten = \"127.0.0.1:0\"";
    let patient = Patient::new("town", &[address(&here)], control);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sealnet"));
    command.args(["run", "--config", "peer.toml"]).current_dir(patient.place.path(""));
    let mut running = Running::start(&mut command);
    running.prints("joined");
    // The other one is written down while the node runs on without it.
    patient.write("town", &[address(&here), address(&elsewhere)], control);
    let (_patient, complaints) = patient.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].0.contains("two networks of the same name"), "{complaints:?}");
    assert!(running.stops().success());
    here.stop().await;
    elsewhere.stop().await;
}
