//! The broker as a binary of the benchmark package, so that the benchmarks find it built beside them, optimised.

/// As in the broker: what is received lands in memory that is used again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cairn_broker::run(std::env::args_os())
}
