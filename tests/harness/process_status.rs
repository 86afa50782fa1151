//! What the kernel knows about a process, from `/proc`.

use anyhow::Context as _;

/// Bytes of memory that are resident now and not backed by a file.
///
/// # Errors
/// There is no such process.
pub fn anonymous_bytes(process_id: u32) -> anyhow::Result<u64> {
    Ok(status_line(process_id, "RssAnon")? * 1024)
}

/// Bytes that the process has caused to be written to a disk.
///
/// # Errors
/// There is no such process.
pub fn written_bytes(process_id: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("no write_bytes line")?.trim().parse()?)
}

/// Processor time used so far, user and system, in clock ticks (usually 10 ms).
///
/// # Errors
/// There is no such process.
pub fn processor_ticks(process_id: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    // The second field is the name in parentheses, which may hold anything.
    let behind_name = text.rsplit_once(')').context("no name")?.1;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: u64 = fields.next().context("no user time")?.parse()?;
    let system: u64 = fields.next().context("no system time")?.parse()?;
    Ok(user + system)
}

/// Times that any thread of the process was put to sleep and woken: what an idle process does not do.
///
/// # Errors
/// There is no such process.
pub fn voluntary_switches(process_id: u32) -> anyhow::Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{process_id}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("status"))?;
        total += field(&text, "voluntary_ctxt_switches")?;
    }
    Ok(total)
}

fn status_line(process_id: u32, name: &str) -> anyhow::Result<u64> {
    field(&std::fs::read_to_string(format!("/proc/{process_id}/status"))?, name)
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|line| line.split_whitespace().next()).with_context(|| format!("no {name}"))?;
    Ok(value.parse()?)
}
