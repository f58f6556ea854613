//! A key-value table that every member holds and may write to: the later write stands, removals hold, nothing is lost over
//! restarts and cuts, and nobody is in charge.
//!
//! ```sh
//! cargo run --example kv                         # tells a story of three nodes
//! cargo run --example kv -- --json               # one object, and the exit status
//! cargo run --example kv -- --config FILE        # a node of a real network, and a prompt: set, get, remove, list
//! ```
//!
//! `kv.rs` is the application, `story.rs` is what happens to it here, `prompt.rs` reads commands.

mod kv;
mod prompt;
mod story;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => told(false).await,
        ["--json"] => told(true).await,
        ["--config", file] => prompt::serve(file.as_ref()).await.map(|()| true),
        _ => {
            eprintln!("usage: kv [--json | --config FILE]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn told(as_json: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let outcome = story::tell(!as_json).await?;
    if as_json {
        println!("{}", serde_json::to_string(&outcome)?);
    }
    Ok(outcome.is_as_it_must_be())
}
