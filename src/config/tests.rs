//! What a configuration says, and what is said about a wrong one.

use std::time::Duration;

use super::*;
use crate::identity::Identity;

const MINIMAL: &str = "network = \"demo\"\nidentity = \"peer.pem\"\nlisten = \"127.0.0.1:7401\"\n";

/// A whole address whose key is that of the seed `[seed; 32]`.
fn address(seed: u8, host_port: &str) -> String {
    format!("sealnet://{}@{host_port}", Identity::from_seed(&[seed; 32]).id())
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("config"))
}

/// The minimal configuration and `more`.
fn with(more: &str) -> Config {
    parse(&format!("{MINIMAL}{more}")).unwrap()
}

/// Asserts that the minimal configuration and `more` is refused at line and column of `more`, with all of `words`.
#[track_caller]
fn refused(more: &str, line: usize, column: usize, words: &[&str]) {
    assert_refused(&format!("{MINIMAL}{more}"), 3 + line, column, words);
}

#[track_caller]
fn assert_refused(text: &str, line: usize, column: usize, words: &[&str]) {
    let error = parse(text).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.position(), Some((line, column)), "{said}");
    assert!(said.starts_with(&format!("configuration:{line}:{column}: ")), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn what_is_not_said_has_the_defaults_of_the_rooms() {
    let config = with("");
    assert_eq!(config.network().as_str(), "demo");
    assert_eq!(config.network_hash(), NetworkHash::secure(config.network()));
    assert_eq!((config.identity(), config.network_key()), (Some(Path::new("config/peer.pem")), None));
    assert_eq!(config.listen(), Some("127.0.0.1:7401".parse().unwrap()));
    assert!(config.advertise().is_empty() && config.genesis().is_empty() && !config.is_plain());
    assert_eq!(config.preset(), Preset::Wan);
    assert_eq!(config.overlay(), &overlay::Settings::default());
    assert_eq!(config.log(), &log::Settings::default());
    assert_eq!(config.access(), &access::Settings::default());
}

#[test]
fn what_is_said_holds_and_the_rest_is_the_presets() {
    let config = with(
        "preset = \"lan\"\nadvertise = [\"192.0.2.1:7401\", \"[2001:db8::1]:7401\"]\nnetwork_key = \"/k/network.key\"\n\
         [links]\ntarget = 3\nmax = 4\ninbound = 5\nbroadcast = \"flood\"\nping_after = \"1s\"\ndead_after = \"3s\"\n\
         [log]\nfolder = \"../data/peer\"\nin_memory = true\nkeep = \"2h\"\nmax_size = \"1GiB\"\nhistory = false\n[access]\nmode = \"open\"\n",
    );
    let expected = overlay::Settings {
        target_links: 3,
        max_links: 4,
        inbound_links: 5,
        broadcast: overlay::Broadcast::Flood,
        ping_after: Duration::from_secs(1),
        dead_after: Duration::from_secs(3),
        keep: Duration::from_secs(7200),
        history: false,
        ..overlay::Settings::lan()
    };
    assert_eq!(config.overlay(), &expected);
    assert_eq!(config.folder(), Some(Path::new("data/peer")));
    assert!(!config.is_log_on_disk());
    assert_eq!(config.log(), &log::Settings { keep: Duration::from_secs(7200), max_bytes: 1 << 30 });
    assert_eq!(config.advertise().len(), 2);
    assert_eq!(config.network_key(), Some(Path::new("/k/network.key")));
}

#[test]
fn the_control_interface_is_off_unless_the_section_is_there_and_never_leaves_the_machine() {
    assert_eq!(with("").control(), None);
    assert_eq!(with("").control_file(), None);
    let config = with("[control]\nsocket = \"peer.socket\"\nfile = \"/run/peer.control\"\n");
    assert_eq!(config.control().unwrap().at, ControlAt::Socket("config/peer.socket".into()));
    assert_eq!(config.control_file().as_deref(), Some(Path::new("/run/peer.control")));
    assert!(with("[control]\nlisten = \"[::1]:0\"\n").control().is_some());
    for elsewhere in ["0.0.0.0:7500", "[::]:7500", "192.0.2.1:7500"] {
        refused(&format!("[control]\nlisten = \"{elsewhere}\""), 2, 10, &["no loopback address", "ssh"]);
    }
    refused("[control]\nlisten = \"127.0.0.1:0\"\nsocket = \"s\"", 2, 1, &["two places", "take out one"]);
    refused("[control]\nlisten = \"localhost:7500\"", 2, 10, &["is no address"]);
    refused("[control]\nport = 7500", 2, 1, &["unknown setting"]);
    assert_refused(&format!("{MINIMAL}[control]\n"), 4, 1, &["listen = \"127.0.0.1:0\"", "take the section out"]);
}

#[test]
fn a_number_that_moves_takes_along_what_hangs_on_it() {
    let overlay = with("[links]\ntarget = 20\nping_after = \"40s\"\n").overlay().clone();
    assert_eq!((overlay.target_links, overlay.max_links), (20, 30));
    assert_eq!(overlay.dead_after, Duration::from_secs(80));
}

#[test]
fn unknown_settings_are_refused_with_what_was_meant() {
    refused("listne = 1\n", 1, 1, &["unknown setting \"listne\"", "did you mean \"listen\"?"]);
    refused("Preset = 1\n", 1, 1, &["did you mean \"preset\"?"]);
    refused("network-key = 1\n", 1, 1, &["did you mean \"network_key\"?"]);
    refused("[link]\ntarget = 1\n", 1, 2, &["did you mean \"links\"?"]);
    refused("[links]\n  tarjet = 1\n", 2, 3, &["did you mean \"target\"?"]);
    refused(
        "links.dead = 1\n",
        1,
        7,
        &["unknown setting \"dead\"", "in the section [links] there may be: target, max"],
    );
    refused("genesis = [{ adress = \"\" }]\n", 1, 14, &["did you mean \"address\"?"]);
    // The usual slip in TOML: a setting added at the end of the file belongs to the last section.
    refused("[log]\nadvertise = []\n", 2, 1, &["it belongs above the first [section]"]);
    refused("keep = \"1h\"\n", 1, 1, &["it belongs in the section [log]"]);
    let long = "x".repeat(10_000);
    let error = parse(&format!("{MINIMAL}{long} = 1")).unwrap_err().to_string();
    assert!(error.len() < 400, "{error}");
    refused("\"a\\u001b[31m\" = 1\n", 1, 1, &["\\u{1b}"]);
}

#[test]
fn what_is_no_toml_is_refused_with_its_place_and_without_its_text() {
    refused("preset = local\n", 1, 10, &["this is not TOML"]);
    refused("listen = \"127.0.0.1:1\"\n", 1, 1, &["duplicate key"]);
    refused("é = 1\n", 1, 1, &["this is not TOML"]);
    // A key file given by mistake.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n-----END PRIVATE KEY-----\n";
    let digits = "0123456789abcdef".repeat(4);
    for secret in [pem, &digits] {
        let error = parse(secret).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("MC4C") && !said.contains("0123456789abcdef"), "{said}");
    }
}

#[test]
fn columns_count_characters() {
    refused("genesis = [ \"é\", 1 ]\n", 1, 13, &["is no address"]);
    refused("advertise = [ \"127.0.0.1:1\", 1 ]\n", 1, 30, &["write text"]);
    refused("\r\n\tlisten_ = 1", 2, 2, &["\"listen\""]);
}

#[test]
fn what_has_no_default_must_be_there() {
    assert_refused("identity = \"a.pem\"\n", 1, 1, &["\"network\" is missing", "sealnet init"]);
    assert_refused("network = \"demo\"\n", 1, 1, &["\"identity\" is missing", "sealnet keygen", "plain = true"]);
    let alone = "network = \"demo\"\nidentity = \"a.pem\"\n";
    assert_refused(alone, 1, 1, &["\"genesis\" is missing", "listen"]);
    assert!(parse(&format!("{alone}genesis = [\"{}\"]", address(1, "host:1"))).is_ok());
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let plain = "network = \"demo\"\nlisten = \"127.0.0.1:7401\"\nplain = true\n";
    assert!(parse(plain).unwrap().is_plain());
    assert_ne!(parse(plain).unwrap().network_hash(), with("").network_hash());
    assert_refused(&format!("{MINIMAL}plain = true\n"), 2, 1, &["\"identity\" contradicts plain = true"]);
    assert_refused(&format!("{plain}network_key = \"a\"\n"), 4, 1, &["\"network_key\" contradicts plain = true"]);
    assert_refused(&format!("{plain}trust_on_first_use = true\n"), 4, 1, &["contradicts plain = true"]);
    let pinned = format!("{plain}genesis = [\"{}\"]", address(1, "host:1"));
    assert_refused(&pinned, 4, 12, &["a plain network", "proves no keys"]);
    let config = parse(&format!("{plain}genesis = [\"sealnet://a:1\", {{ address = \"b:2\" }}]")).unwrap();
    assert_eq!(config.genesis(), ["sealnet://a:1".parse().unwrap(), "sealnet://b:2".parse().unwrap()]);

    let dials = format!("network = \"demo\"\nidentity = \"a\"\ngenesis = [\"{}\"]\n", address(1, "host:1"));
    let advertised = format!("{dials}advertise = [\"192.0.2.1:1\"]");
    assert_refused(&advertised, 4, 1, &["without \"listen\"", "take \"advertise\" out"]);
}

#[test]
fn values_that_mean_nothing_are_refused() {
    for (more, column, words) in [
        ("preset = \"wlan\"", 10, &["\"preset\" is none of the three", "\"wan\""][..]),
        ("preset = 1", 10, &["of the type integer", "\"wan\""]),
        ("plain = \"no\"", 9, &["true or false"]),
        ("genesis = \"sealnet://\"", 11, &["write a list"]),
        ("links = 8", 9, &["a section, [links]"]),
        ("links.target = 0", 16, &["from 1 to 1024"]),
        ("links.target = -1", 16, &["from 1 to 1024"]),
        ("links.target = 99999999999999999999", 16, &["from 1 to 1024"]),
        ("links.target = 8.0", 16, &["a whole number"]),
        ("links.target = 9\nlinks.max = 8", 7, &["less than \"target\", which is 9"]),
        ("links.inbound = 0", 17, &["from 1 to 4096"]),
        ("links.broadcast = \"mesh\"", 19, &["none of the three", "\"auto\"", "\"tree\"", "\"flood\""]),
        ("links.ping_after = 20", 20, &["with a unit", "\"20s\""]),
        ("links.ping_after = \"20\"", 20, &["is no span of time"]),
        ("links.ping_after = \"0s\"", 20, &["from \"100ms\" to \"1d\""]),
        ("links.dead_after = \"39s\"", 7, &["less than twice \"ping_after\", which is \"20s\""]),
        ("log.folder = \"\"", 14, &["is no path"]),
        ("log.keep = \"0s\"", 12, &["from \"1m\" to \"366d\""]),
        ("log.max_size = \"256MB\"", 16, &["is no size", "\"256MiB\""]),
        ("log.max_size = \"10KiB\"", 16, &["from \"1MiB\""]),
        ("access.mode = \"certificate\"", 15, &["later version", "network_key"]),
        ("access.mode = \"allow-list\"", 15, &["later version"]),
        ("access.mode = \"all\"", 15, &["write \"open\""]),
        ("trust_on_first_use = true", 22, &["later version", "pins", "id_file"]),
        ("advertise = [\"0.0.0.0:7401\"]", 14, &["nobody can connect"]),
        ("advertise = [\"192.0.2.1:0\"]", 14, &["nobody can connect"]),
        ("advertise = [\"192.0.2.1:1\", \"192.0.2.1:1\"]", 29, &["twice"]),
        ("advertise = [\"h:1\"]", 14, &["no host name"]),
        ("network_key = \"\"", 15, &["is no path"]),
        ("network_key = \"~/network.key\"", 15, &["begins with ~"]),
    ] {
        refused(more, more.lines().count(), column, words);
    }
    let listen = |value: &str| MINIMAL.replace("\"127.0.0.1:7401\"", value);
    assert_refused(&listen("\"localhost:7401\""), 3, 10, &["is no address", "127.0.0.1:7401"]);
    assert_refused(&listen("7401"), 3, 10, &["of the type integer"]);
    assert_refused(&listen("\"224.0.0.1:1\""), 3, 10, &["multicast"]);
    assert_refused(&MINIMAL.replace("demo", "Demo"), 1, 11, &["no network name", "a-z"]);
    assert!(parse(&listen("\"[::]:0\"")).is_ok());
    assert!(with("trust_on_first_use = false").genesis().is_empty());
    let five = (1..=5).map(|n| format!("\"192.0.2.{n}:1\"")).collect::<Vec<_>>().join(",");
    refused(&format!("advertise = [{five}]"), 1, 13, &["has 5 addresses", "at most 4"]);
}

#[test]
fn a_secret_in_place_of_its_path_is_refused_and_not_repeated() {
    let digits = "0123456789abcdef".repeat(4);
    for secret in [&digits, "-----BEGIN PRIVATE KEY-----MC4CAQ"] {
        for text in [format!("{MINIMAL}network_key = \"{secret}\""), MINIMAL.replace("peer.pem", secret)] {
            let error = parse(&text).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains("path of the key's file") && !said.contains(secret), "{said}");
        }
    }
}

#[test]
fn genesis_entries_name_their_key() {
    let (one, two) = (address(1, "192.0.2.1:7400"), address(2, "[2001:db8::1]:7400"));
    let config = with(&format!("genesis = [\"{one}\", \"{two}\"]"));
    assert_eq!(config.genesis(), [one.parse().unwrap(), two.parse().unwrap()]);

    refused("genesis = [\"sealnet://192.0.2.1:7400\"]", 1, 12, &["which key", "id_file", "sealnet id"]);
    refused("genesis = [{ address = \"192.0.2.1:7400\" }]", 1, 12, &["which key"]);
    refused("genesis = [\"192.0.2.1:7400\"]", 1, 12, &["does not begin with sealnet://"]);
    refused("genesis = [\"sealnet://abc@192.0.2.1:7400\"]", 1, 12, &["64 lower-case hex digits"]);
    refused("genesis = [{ id_file = \"a.id\" }]", 1, 12, &["\"address\" is missing"]);
    refused(&format!("genesis = [{{ address = \"{one}\" }}]"), 1, 24, &["an entry of its own"]);
    refused(&format!("genesis = [\"{one}\", \"{one}\"]"), 1, 12 + one.len() + 4, &["twice"]);
    let weak = format!("genesis = [\"sealnet://{}@192.0.2.1:7400\"]", "00".repeat(32));
    refused(&weak, 1, 12, &["a key that no node can have"]);
    refused(
        "genesis = [{ address = \"192.0.2.1:7400\", id_file = \"../keys/none.id\" }]",
        1,
        52,
        &["keys/none.id does not exist", "sealnet keygen none", "copy the file"],
    );
}

#[test]
fn a_node_leaves_itself_out_of_the_list() {
    let (one, two) = (address(1, "192.0.2.1:7400"), address(2, "192.0.2.2:7400"));
    let config = with(&format!("genesis = [\"{one}\", \"{two}\"]"));
    let own = Identity::from_seed(&[1; 32]).id();
    assert_eq!(config.genesis_besides(&own), [two.parse().unwrap()]);
    assert_eq!(config.genesis_besides(&Identity::from_seed(&[3; 32]).id()), config.genesis());
}

#[test]
fn what_is_drafted_parses_as_what_it_says() {
    let one: NodeAddress = address(1, "192.0.2.1:7400").parse().unwrap();
    let draft = Draft {
        network: "demo".parse().unwrap(),
        identity: "/k/a \"b\\\n.pem".into(),
        network_key: Some("/k/network.key".into()),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        preset: Preset::Local,
        genesis: vec![DraftGenesis::Address(one.clone())],
        control: Some(DraftControl { listen: "127.0.0.1:0".parse().unwrap(), watch: vec!["other.toml".into()] }),
    };
    let text = draft.to_string();
    assert!(
        matches!(parse(&text).unwrap_err().problem(), ConfigProblem::InvalidValue { name: "identity", .. }),
        "{text}"
    );
    let config = parse(&Draft { identity: "/k/a \"b\\.pem".into(), ..draft }.to_string()).unwrap();
    assert_eq!(config.identity(), Some(Path::new("/k/a \"b\\.pem")));
    assert_eq!((config.genesis(), config.preset()), (&[one][..], Preset::Local));
    assert_eq!(config.network_key(), Some(Path::new("/k/network.key")));
    let control = config.control().unwrap();
    assert_eq!(control.at, ControlAt::Loopback("127.0.0.1:0".parse().unwrap()));
    assert_eq!(control.watch, [Path::new("config/other.toml")]);
}

#[test]
fn a_text_that_is_too_long_is_not_even_looked_at() {
    let error = parse(&" ".repeat(Config::MAX_LEN + 1)).unwrap_err();
    assert!(matches!(error.problem(), ConfigProblem::TooLong) && error.position().is_none());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z=\\[\\]{}\"'.,0-9\\n é-]{0,200}") {
        let _ = parse(&text);
        let _ = parse(&format!("{MINIMAL}{text}"));
    }
}
