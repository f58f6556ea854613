//! A blockchain on Sealnet: toy in money, not in workmanship.
//!
//! ```sh
//! cargo run --release --example blockchain -- demo --nodes 5 --blocks 20
//! ```
//!
//! `chain/` is the chain itself, without a network; `network/` puts it on a Sealnet node; `commands/` is what you type. How
//! to use it: `examples/blockchain/README.md`.

#[allow(dead_code, unused_imports, reason = "the tests, tests/blockchain, use the rest of it")]
mod chain;
mod commands;
#[allow(unused_imports, reason = "the tests, tests/blockchain, use the rest of it")]
mod network;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = commands::Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(command.run()),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
