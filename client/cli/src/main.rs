//! The `cairn` binary: everything is in the library, so that tests can build the same program.

fn main() -> std::process::ExitCode {
    cairn_cli::run()
}
