//! The `cairn` binary: everything is in the library, so that tests can build the same program.

/// As in the broker: what is received lands in memory that is used again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cairn_cli::run()
}
