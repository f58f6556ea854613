//! Running the program in a folder of its own, and what it answers.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with the committed configurations, for `sealnet` to be run in.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("config")).unwrap();
        for name in ["genesis.toml", "peer.toml"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
            fs::copy(file, folder.path().join("config").join(name)).unwrap();
        }
        Place(folder)
    }

    /// The same, after `sealnet keygen genesis` and `sealnet keygen peer`.
    pub(crate) fn with_keys() -> Self {
        let place = Place::new();
        place.done("keygen genesis");
        place.done("keygen peer");
        place
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SEALNET_LOG").env_remove("CLICOLOR_FORCE");
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must succeed and have nothing to complain about.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &errors[..]), (Some(0), ""), "sealnet {arguments}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &str) -> Value {
        let text = self.done(&format!("{arguments} --json"));
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asserts that the command fails with `status`, and that standard error says all of `words`.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &str, status: i32, words: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_fails(&output, status, words);
        output
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.0.path().join(file), text).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> std::path::PathBuf {
        self.0.path().join(file)
    }

    /// Runs a command with `input` as its standard input.
    pub(crate) fn feed(&self, arguments: &str, input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

#[track_caller]
pub(crate) fn assert_fails(output: &Output, status: i32, words: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{errors}");
    assert!(errors.starts_with("error: "), "{errors}");
    for word in words {
        assert!(errors.contains(word), "no {word:?} in: {errors}");
    }
}
