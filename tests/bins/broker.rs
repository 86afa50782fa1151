//! The broker again, as a binary of this package: the tests of one package cannot ask for another's binary.

fn main() -> std::process::ExitCode {
    cairn_broker::command_line::run(std::env::args_os())
}
