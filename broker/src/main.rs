//! The broker's program: everything is in the library, so that tests can start the same one.

use std::process::ExitCode;

/// Batches are received into buffers of up to a frame's size. The system's allocator gives such memory back to the kernel when
/// it is freed, and every byte received then lands on a page that has to be made anew: half of what receiving costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cairn_broker::run(std::env::args_os())
}
