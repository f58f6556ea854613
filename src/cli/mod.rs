//! The program `sealnet`: one thin file for each subcommand, and what they have in common.
//!
//! Exit status: 0 done; 1 it could not be done, and standard error says why and what to do about it; 2 wrong usage.

mod attack;
mod bench;
mod chart;
mod check;
mod completions;
mod devnet;
mod doctor;
mod escape;
mod id;
mod init;
mod key_name;
mod keygen;
mod log;
mod machine;
mod message;
mod open;
mod out_file;
mod output;
mod passphrase;
mod remote;
mod run;
mod runtime;
mod seal;
mod simulate;
mod statistics;
mod verify;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use output::{Out, complain};

pub use escape::{Escaped, escape};

/// A secure, authenticated overlay network: nodes find each other and carry signed broadcasts to all.
#[derive(Parser)]
#[command(name = "sealnet", version, max_term_width = 100, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    /// Log to standard error: error, warn, info, debug, trace, or like sealnet::overlay=debug [default: warn, or the
    /// variable SEALNET_LOG]
    #[arg(long, global = true, display_order = 900, value_name = "LEVEL", value_parser = log::parse)]
    log: Option<String>,

    /// Log one JSON object a line
    #[arg(long, global = true, display_order = 901)]
    log_json: bool,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Begin with:
  sealnet devnet                         watch a whole network on this machine
  sealnet keygen genesis                 or make a key
  sealnet init my-network                or a whole new network's files
  sealnet check config/peer.toml         see whether a configuration is right
  sealnet run --config config/peer.toml  run a node
  sealnet help COMMAND                   what a command does, with examples

Exit status: 0 done; 1 it could not be done, and standard error says why;
2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::Keygen),
    Id(id::Id),
    Init(init::Init),
    Check(check::Check),
    Run(run::Run),
    Publish(remote::Publish),
    Tail(remote::Tail),
    Status(remote::Status),
    Members(remote::Members),
    Links(remote::Links),
    Network(remote::Network),
    Graph(remote::Draw),
    Ping(remote::Ping),
    Connect(remote::Connect),
    Disconnect(remote::Disconnect),
    Bar(remote::Bar),
    Send(remote::Send),
    Page(remote::Page),
    Stop(remote::Stop),
    Shutdown(remote::Shutdown),
    Verify(verify::Verify),
    Seal(seal::Seal),
    Open(open::Open),
    Doctor(doctor::Doctor),
    Devnet(devnet::Devnet),
    Simulate(simulate::Simulate),
    Attack(attack::AttackCommand),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

impl Command {
    fn run(self, out: &mut Out) -> Result<(), Failure> {
        match self {
            Command::Keygen(command) => command.run(out),
            Command::Id(command) => command.run(out),
            Command::Init(command) => command.run(out),
            Command::Check(command) => command.run(out),
            Command::Run(command) => command.run(out),
            Command::Publish(command) => command.run(out),
            Command::Tail(command) => command.run(out),
            Command::Status(command) => command.run(out),
            Command::Members(command) => command.run(out),
            Command::Links(command) => command.run(out),
            Command::Network(command) => command.run(out),
            Command::Graph(command) => command.run(out),
            Command::Ping(command) => command.run(out),
            Command::Connect(command) => command.run(out),
            Command::Disconnect(command) => command.run(out),
            Command::Bar(command) => command.run(out),
            Command::Send(command) => command.run(out),
            Command::Page(command) => command.run(out),
            Command::Stop(command) => command.run(out),
            Command::Shutdown(command) => command.run(out),
            Command::Doctor(command) => command.run(out),
            Command::Devnet(command) => command.run(out),
            Command::Simulate(command) => command.run(out),
            Command::Attack(command) => command.run(out),
            Command::Bench(command) => command.run(out),
            Command::Verify(command) => command.run(out),
            Command::Seal(command) => command.run(out),
            Command::Open(command) => command.run(out),
            Command::Completions(command) => command.run(out),
        }
    }
}

/// Why a command ends without having done what it was asked.
enum Failure {
    /// The reason and the remedy, for a person.
    Said(String),
    /// Nobody reads the output any more. That is the reader's decision and no fault.
    ClosedPipe,
}

impl Failure {
    fn said(text: impl Into<String>) -> Self {
        Failure::Said(text.into())
    }

    /// Standard output could not be written to.
    fn of_writing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Said(format!("the output could not be written: {error}")),
        }
    }
}

/// The errors of the rooms say themselves what happened, to what, and what to do.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Said(error.to_string())
    }
}

/// The whole program: reads the command line, does what it says, and returns the exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with status 0, wrong usage to standard error with status 2.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Err(why) = log::start(cli.log, cli.log_json) {
        complain(&why);
        return ExitCode::from(2);
    }
    let mut out = Out::stdout();
    let result = cli.command.run(&mut out);
    // What was printed stands before what went wrong.
    let flushed = out.flush();
    match result.and(flushed) {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Said(why)) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_is_explained_with_examples() {
        Cli::command().debug_assert();
        assert!(EXAMPLES.lines().all(|line| line.len() <= 80));
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains(&format!("sealnet {}", command.get_name())), "{}", command.get_name());
            // Longer ones would be broken, and lose their columns.
            assert!(examples.lines().all(|line| line.chars().count() <= 80), "{examples}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }
}
