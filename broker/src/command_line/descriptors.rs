//! The process's limit of open files: raised as far as the system lets it be, because the usual one is far below what a
//! broker may need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Journal, checkpoint, locks, event queues, and the sockets that listen.
const OTHERS: usize = 200;

/// Raises the limit, and warns when it stays below what the configuration may use.
pub(super) fn allow(connections_max: usize, segment_open_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let reached = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_refused) => limit.current,
    };
    let wanted = u64::try_from(connections_max + segment_open_max + OTHERS).unwrap_or(u64::MAX);
    // `None` is no limit.
    if let Some(allowed) = reached.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            "this process may open {allowed} files, and {wanted} could be needed: raise the limit (ulimit -n), or lower connections-max"
        );
    }
}
