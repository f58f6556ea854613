//! `sealnet completions`: lets a shell complete this program's command line.

use clap::{Args, CommandFactory, ValueEnum};

use super::output::Out;
use super::{Cli, Failure};

/// Print a script by which a shell completes this program's command line.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  source <(sealnet completions bash)         now; in ~/.bashrc, for ever
  source <(sealnet completions zsh)          the same in ~/.zshrc
  sealnet completions fish > ~/.config/fish/completions/sealnet.fish";

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "sealnet", &mut script);
        out.line(String::from_utf8_lossy(&script).trim_end())
    }
}
