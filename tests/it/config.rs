//! Configuration files: those of the repository work as they are, and a wrong one says what, where and what to do.
#![cfg(unix)]

use std::fs;
use std::path::Path;

use sealnet::config::{Config, ConfigError, ConfigProblem, Preset};
use sealnet::identity::{Identity, NodeAddress, NodeId, Overwrite};
use tempfile::TempDir;

/// The files of the repository's folder `config`, in a folder of their own.
fn committed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    for name in ["genesis.toml", "peer.toml", "full.toml"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        fs::copy(file, folder.path().join("config").join(name)).unwrap();
    }
    folder
}

/// Makes a key as `sealnet keygen NAME` does.
fn keygen(folder: &TempDir, name: &str) -> NodeId {
    let identity = Identity::generate().unwrap();
    identity.save(&folder.path().join("keys").join(name), Overwrite::Refuse).unwrap();
    identity.id()
}

fn load(folder: &TempDir, name: &str) -> Result<Config, ConfigError> {
    Config::load(&folder.path().join("config").join(name))
}

#[test]
fn the_committed_files_work_unchanged_after_keygen() {
    let folder = committed();
    let (genesis_id, peer_id) = (keygen(&folder, "genesis.pem"), keygen(&folder, "peer.pem"));
    let (genesis, peer) = (load(&folder, "genesis.toml").unwrap(), load(&folder, "peer.toml").unwrap());
    for (config, id) in [(&genesis, genesis_id), (&peer, peer_id)] {
        assert_eq!(Identity::load(config.identity().unwrap()).unwrap().id(), id);
        assert_eq!((config.preset(), config.is_plain()), (Preset::Local, false));
        assert_eq!(config.network_hash(), genesis.network_hash());
    }
    let at: NodeAddress = format!("sealnet://{genesis_id}@{}", genesis.listen().unwrap()).parse().unwrap();
    assert_eq!(peer.genesis_besides(&peer_id), [at]);
    assert!(genesis.genesis_besides(&genesis_id).is_empty());
    assert_ne!(genesis.listen(), peer.listen());
}

#[test]
fn the_full_example_says_the_defaults_and_all_of_them() {
    let folder = committed();
    keygen(&folder, "genesis.pem");
    let full = load(&folder, "full.toml").unwrap();
    let minimal = "network = \"demo\"\nidentity = \"../keys/peer.pem\"\nlisten = \"0.0.0.0:7401\"\n\
                   genesis = [{ address = \"127.0.0.1:7400\", id_file = \"../keys/genesis.id\" }]\n\
                   control = { listen = \"127.0.0.1:0\" }\n";
    let file = folder.path().join("config/minimal.toml");
    fs::write(&file, minimal).unwrap();
    let mut minimal = format!("{:?}", Config::load(&file).unwrap());
    minimal = minimal.replace("minimal.toml", "full.toml");
    assert_eq!(format!("{full:?}"), minimal);

    // What is refused as unknown lists what there may be: each of it must be explained.
    let text = fs::read_to_string(folder.path().join("config/full.toml")).unwrap();
    let mut count = 0;
    let entry = "network = \"a\"\nidentity = \"a\"\ngenesis = [{ zzzzzzzz = 0 }]";
    for unknown in
        ["zzzzzzzz = 0", "links.zzzzzzzz = 0", "log.zzzzzzzz = 0", "access.zzzzzzzz = 0", "control.zzzzzzzz = 0", entry]
    {
        let error = Config::parse(unknown, "".as_ref()).unwrap_err().to_string();
        let (_, names) = error.split_once("there may be: ").unwrap();
        for name in names.trim().split(", ") {
            count += 1;
            let written =
                [format!("\n{name} = "), format!("\n# {name} = "), format!("\n[{name}]"), format!(" {name} = ")];
            assert!(written.iter().any(|form| text.contains(form)), "{name} is not in config/full.toml");
        }
    }
    assert_eq!(count, 13 + 6 + 5 + 1 + 4 + 2);
}

#[test]
fn a_missing_key_of_the_genesis_node_says_how_to_come_by_it() {
    let folder = committed();
    let error = load(&folder, "peer.toml").unwrap_err();
    let said = error.to_string();
    assert!(matches!(error.problem(), ConfigProblem::NoIdFile { .. }));
    for words in ["config/peer.toml:6:", "keys/genesis.id does not exist", "`sealnet keygen genesis`", "copy the file"]
    {
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
    assert!(!said.contains(".."), "{said}");
}

#[test]
fn a_file_that_holds_no_id_is_named_and_never_quoted() {
    let folder = committed();
    keygen(&folder, "genesis.pem");
    let id_file = folder.path().join("keys/genesis.id");
    let secret = fs::read_to_string(folder.path().join("keys/genesis.pem")).unwrap();
    for wrong in [secret.as_str(), "", "0123456789", &"00".repeat(32)] {
        fs::write(&id_file, wrong).unwrap();
        let error = load(&folder, "peer.toml").unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(matches!(error.problem(), ConfigProblem::IdFile(_)), "{said}");
        assert!(said.contains("keys/genesis.id") && said.contains("keygen"), "{said}");
        assert!(!said.contains(secret.lines().nth(1).unwrap()) && !said.contains("0123456789"), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_by_name() {
    let folder = committed();
    let missing = load(&folder, "none.toml").unwrap_err();
    assert!(matches!(missing.problem(), ConfigProblem::Missing) && missing.to_string().contains("config/none.toml"));
    assert!(matches!(Config::load(folder.path()).unwrap_err().problem(), ConfigProblem::Io(_)));
    let file = folder.path().join("config/long.toml");
    fs::write(&file, " ".repeat(Config::MAX_LEN + 1)).unwrap();
    assert!(matches!(Config::load(&file).unwrap_err().problem(), ConfigProblem::TooLong));
    fs::write(&file, b"network = \"\xff\"").unwrap();
    assert!(matches!(Config::load(&file).unwrap_err().problem(), ConfigProblem::NotText));
}

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    let folder = committed();
    let id = keygen(&folder, "genesis.pem");
    fs::create_dir_all(folder.path().join("elsewhere/deep")).unwrap();
    let file = folder.path().join("config/here.toml");
    for (path, resolved) in [
        ("genesis.pem", "config/genesis.pem"),
        ("../keys/genesis.pem", "keys/genesis.pem"),
        ("../elsewhere/../keys/genesis.pem", "elsewhere/../keys/genesis.pem"),
    ] {
        fs::write(&file, format!("network = \"a\"\nidentity = \"{path}\"\nlisten = \"127.0.0.1:0\"")).unwrap();
        assert_eq!(Config::load(&file).unwrap().identity().unwrap(), folder.path().join(resolved));
    }
    // Where the folder is a link, `..` leads out of the folder it points to, as it does everywhere else.
    std::os::unix::fs::symlink("elsewhere/deep", folder.path().join("link")).unwrap();
    let linked = folder.path().join("link/here.toml");
    fs::write(&linked, "network = \"a\"\nidentity = \"../../keys/genesis.pem\"\nlisten = \"127.0.0.1:0\"").unwrap();
    let path = Config::load(&linked).unwrap().identity().unwrap().to_owned();
    assert_eq!(Identity::load(&path).unwrap().id(), id);
}
