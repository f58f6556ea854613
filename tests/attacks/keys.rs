//! Keys and local: no secret leaves its file.
#![cfg(all(target_os = "linux", feature = "cli"))]

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use sealnet::identity::{Identity, NetworkHash, NetworkKey, Overwrite};

use crate::program::Running;

/// The seeds of the two nodes, and the network key.
const SECRETS: [[u8; 32]; 3] = [[0xA7; 32], [0xB3; 32], [0xC9; 32]];

/// The ways in which a program may print bytes by mistake; a part of them each, which is enough to recognise them.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let part = &secret[..8];
    let list = |hex: bool, separator: &str| {
        let show = |byte: &u8| if hex { format!("{byte:02x}") } else { byte.to_string() };
        part.iter().map(show).collect::<Vec<_>>().join(separator).into_bytes()
    };
    let base64 = BASE64.encode(secret).into_bytes();
    vec![
        part.to_vec(),
        HEXLOWER.encode(part).into_bytes(),
        HEXUPPER.encode(part).into_bytes(),
        list(true, " "),
        list(true, ":"),
        list(true, ", 0x"),
        list(false, ", "),
        list(false, ","),
        base64[..10].to_vec(),
    ]
}

fn assert_holds_no_secret(what: &str, bytes: &[u8]) {
    let network = NetworkHash::secure(&"secrets".parse().unwrap());
    let psk = NetworkKey::from_bytes(&SECRETS[2]).psk(&network);
    let ed25519 = SECRETS.map(|seed| <sha2::Sha512 as sha2::Digest>::digest(seed).to_vec());
    let mut secrets: Vec<&[u8]> = SECRETS.iter().map(|secret| &secret[..]).collect();
    secrets.push(&*psk);
    secrets.extend(ed25519.iter().map(Vec::as_slice));
    for secret in secrets {
        for spelling in spellings(secret) {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{what} holds {}", String::from_utf8_lossy(&spelling));
        }
    }
    assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"), "{what} holds a key file");
    // The middle of the line that holds a key in PEM.
    assert!(
        !bytes.windows(8).any(|window| window == b"p6enp6en" || window == b"s7Ozs7Oz"),
        "{what} holds a key's line"
    );
}

fn start(folder: &Path, n: usize, ports: &[u16]) -> Running {
    let genesis = if n == 0 {
        String::new()
    } else {
        format!("{{ address = \"127.0.0.1:{}\", id_file = \"../keys/0.id\" }}", ports[0])
    };
    let config = format!(
        "network = \"secrets\"\nidentity = \"../keys/{n}.pem\"\nnetwork_key = \"../keys/network.key\"\n\
         listen = \"127.0.0.1:{}\"\npreset = \"local\"\ngenesis = [{genesis}]\n",
        ports[n]
    );
    fs::write(folder.join(format!("config/{n}.toml")), config).unwrap();
    let log = File::create(folder.join(format!("{n}.log"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
    command.args(["run", "--config", &format!("config/{n}.toml")]).current_dir(folder);
    Running::start(command.env("SEALNET_LOG", "trace").stderr(log))
}

#[test]
fn no_secret_is_in_a_log_at_any_level_in_the_process_list_or_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("config")).unwrap();
    for (n, seed) in SECRETS[..2].iter().enumerate() {
        Identity::from_seed(seed).save(&folder.join(format!("keys/{n}.pem")), Overwrite::Refuse).unwrap();
    }
    NetworkKey::from_bytes(&SECRETS[2]).save(&folder.join("keys/network.key"), Overwrite::Refuse).unwrap();
    let held: Vec<_> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    drop(held);

    let mut nodes: Vec<_> = (0..2).map(|n| start(folder, n, &ports)).collect();
    nodes[1].types("hello");
    nodes.iter_mut().for_each(|node| drop(node.prints("hello")));
    // A stranger without the network key, and one that talks rubbish: errors are logged too.
    let stranger = std::net::TcpStream::connect(("127.0.0.1", ports[0])).unwrap();
    std::io::Write::write_all(&mut &stranger, b"SEALN\x01\x00\x00rubbish").unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut &stranger, &mut rest);

    let mut printed = String::new();
    for node in nodes {
        let process = Path::new("/proc").join(node.id().to_string());
        for file in ["cmdline", "environ", "comm"] {
            assert_holds_no_secret(file, &fs::read(process.join(file)).unwrap());
        }
        printed += &node.seen().join("\n");
        assert!(node.stops().success());
    }
    assert_holds_no_secret("standard output", printed.as_bytes());
    for n in 0..2 {
        let log = fs::read(folder.join(format!("{n}.log"))).unwrap();
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains("TRACE") && text.contains("link opened"), "this is no log at trace level: {text}");
        assert_holds_no_secret("the log", &log);
    }
}

#[test]
fn a_secret_would_be_recognised_if_it_were_printed() {
    for printed in [
        format!("{:?}", SECRETS[0]),
        format!("{:02x?}", SECRETS[1]).replace(", ", ""),
        BASE64.encode(&SECRETS[2]),
        HEXLOWER.encode(&SECRETS[0]),
    ] {
        assert!(
            std::panic::catch_unwind(|| assert_holds_no_secret("a print", printed.as_bytes())).is_err(),
            "{printed}"
        );
    }
}
