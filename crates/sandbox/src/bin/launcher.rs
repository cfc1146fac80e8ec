//! The launcher as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_sandbox::launcher::main()
}
