//! The program `sealnet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealnet::cli::main()
}
