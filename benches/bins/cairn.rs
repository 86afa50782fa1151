//! The command line as a binary of the benchmark package, so that the benchmarks find it built beside them, optimised.

fn main() -> std::process::ExitCode {
    cairn_cli::run()
}
