//! `sealnet completions`: what a shell needs to complete commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::Out;
use super::{Cli, Failure};

/// Print what a shell needs to complete this program's commands and flags.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  sealnet completions bash > ~/.local/share/bash-completion/completions/sealnet
  sealnet completions zsh  > ~/.zfunc/_sealnet          (with that folder in $fpath)
  sealnet completions fish > ~/.config/fish/completions/sealnet.fish";

impl Completions {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sealnet", &mut script);
        out.line(String::from_utf8_lossy(&script).trim_end())
    }
}
