//! A chat: rooms, names that are bound to keys, what was said before one came, and words for one member alone.
//!
//! ```sh
//! cargo run --example chat -- --name alice                      # the first; it says what the others add:
//! cargo run --example chat -- --name bob --genesis sealnet://…  # each in a terminal of its own
//! cargo run --example chat -- demo --nodes 3 --json             # the whole story by processes, and the exit status
//! ```
//!
//! `rooms.rs` is the application, `session.rs` one person at a terminal (or a program behind pipes, with `--json`), `demo.rs`
//! starts several and looks at what they see.

mod demo;
mod options;
mod rooms;
mod session;

use std::process::ExitCode;

use options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Options::parse(std::env::args().skip(1)) {
        Ok(Options::Session(options)) => session::run(options).await.map(|()| true),
        Ok(Options::Demo { nodes, json }) => demo::run(nodes, json),
        Err(problem) => {
            eprintln!("error: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
