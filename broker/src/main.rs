//! The broker's program: everything is in the library, so that tests can start the same one.

use std::process::ExitCode;

fn main() -> ExitCode {
    cairn_broker::run(std::env::args_os())
}
