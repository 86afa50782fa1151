//! What a process has used so far, as `/proc` tells: processor time, memory, descriptors, maps.

use anyhow::Context as _;
use std::{fs, time::Duration};

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessUsage {
    /// User and system time of all its threads.
    pub processor: Duration,
    /// Resident memory in bytes, maps of files included.
    pub resident_bytes: u64,
    /// Resident memory in bytes that no file backs.
    pub anonymous_bytes: u64,
    /// Bytes that it caused to be written to disks.
    pub written_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Memory maps.
    pub maps: usize,
}

impl ProcessUsage {
    /// Looks at a process.
    ///
    /// # Errors
    /// The process is gone, or `/proc` is not as expected.
    pub fn of(process_id: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            fs::read_to_string(format!("/proc/{process_id}/{name}"))
                .with_context(|| format!("reading {name}"))
        };
        let stat = read("stat")?;
        let behind_name = stat.rsplit_once(')').context("a process name")?.1;
        let field = |index: usize| -> Option<u64> { behind_name.split_whitespace().nth(index)?.parse().ok() };
        let ticks = field(11).context("utime")? + field(12).context("stime")?;
        let status = read("status")?;
        let io = read("io")?;
        Ok(Self {
            processor: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()),
            resident_bytes: number_after(&status, "VmRSS:")? * 1024,
            anonymous_bytes: number_after(&status, "RssAnon:")? * 1024,
            written_bytes: number_after(&io, "write_bytes:")?,
            descriptors: fs::read_dir(format!("/proc/{process_id}/fd"))?.count(),
            maps: read("maps")?.lines().count(),
        })
    }
}

fn number_after(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_string())?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).with_context(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = ProcessUsage::of(std::process::id()).expect("own /proc entries");
        assert!(usage.resident_bytes > 100_000 && usage.descriptors > 2 && usage.maps > 5, "{usage:?}");
    }
}
