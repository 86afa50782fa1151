//! Reads what `strace` wrote about a broker, and says whether any acknowledgement left before the sync that covers it.
//! A `kill -9` cannot show a missing sync; this can.

mod acknowledgements;
mod http2;
mod trace;

pub use acknowledgements::{Finding, MARKED_REQUEST, judge, marker};
pub use trace::{Call, parse};

/// How to run a broker so that [`parse`] understands the outcome: traced by a process beside it, so that the broker
/// stays our own child and gets our signals.
pub fn strace(output: &std::path::Path) -> Vec<std::ffi::OsString> {
    let calls = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync";
    let mut words: Vec<std::ffi::OsString> =
        ["strace", "-D", "-f", "-y", "-xx", "-s", "1048576", "-e", calls, "-o"].map(Into::into).to_vec();
    words.push(output.into());
    words
}
