//! A vault: records that belong to whoever signed them, and that only the readers its owner chose can read, though every
//! member carries them. Four nodes in one program; the last object says whether everything came out as it must.
//!
//! ```sh
//! cargo run --example vault             # tells the story
//! cargo run --example vault -- --json   # one object, and the exit status
//! ```
//!
//! `vault.rs` is the application, about a hundred lines; `story.rs` is what happens to it here.

mod story;
mod vault;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let wants_json = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [option] if option == "--json" => true,
        _ => {
            eprintln!("usage: vault [--json]");
            return ExitCode::from(2);
        }
    };
    let outcome = match story::tell(!wants_json).await {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if wants_json {
        match serde_json::to_string(&outcome) {
            Ok(object) => println!("{object}"),
            Err(error) => eprintln!("error: {error}"),
        }
    }
    if outcome.is_as_it_must_be() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
