//! The lines of `strace -f -y -xx` as calls. What stands in the file first happened first: a call begins at the line
//! that names its arguments and has ended at the line that names its result.

use std::collections::HashMap;

/// One system call on a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// What the descriptor leads to: a path, or `socket:[…]`.
    pub target: String,
    /// The bytes that it was given, all parts together.
    pub data: Vec<u8>,
    /// The line at which it began.
    pub begun: usize,
    /// The line at which it had ended; `None` if it never did.
    pub ended: Option<usize>,
    /// What it returned; -1 if it failed or never ended.
    pub result: i64,
}

/// All calls of a trace, in the order in which they began. Lines that are no calls (exits, signals) are skipped.
pub fn parse(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(call) = unfinished.remove(thread).and_then(|index| calls.get_mut(index)) else {
                continue;
            };
            call.ended = Some(number);
            call.result = result_in(resumed);
        } else if let Some(mut call) = begin(rest, number) {
            if rest.ends_with("<unfinished ...>") {
                unfinished.insert(thread, calls.len());
            } else {
                call.ended = Some(number);
                call.result = result_in(rest);
            }
            calls.push(call);
        }
    }
    calls
}

fn begin(line: &str, number: usize) -> Option<Call> {
    let (name, arguments) = line.split_once('(')?;
    let after_descriptor = arguments.trim_start_matches(|c: char| c.is_ascii_digit());
    let (target, rest) = after_descriptor.strip_prefix('<')?.split_once('>')?;
    let target = String::from_utf8_lossy(&unescape(target)).into_owned();
    let mut data = Vec::new();
    // Every second piece between quotation marks is inside of them: with -xx no byte of data is a quotation mark.
    for quoted in rest.split('"').skip(1).step_by(2) {
        data.extend(unescape(quoted));
    }
    Some(Call { name: name.into(), target, data, begun: number, ended: None, result: -1 })
}

/// `\x48\x69` is `Hi`.
fn unescape(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).filter_map(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok()).collect()
}

fn result_in(line: &str) -> i64 {
    let result = line.rsplit_once(" = ").and_then(|(_, result)| result.split_whitespace().next());
    result.and_then(|result| result.parse().ok()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_overlap_are_put_together() {
        let trace = "\
7 pwrite64(3<\\x2f\\x61>, \"\\x48\\x69\", 2, 0 <unfinished ...>
8 sendto(4<\\x73\\x6f>, \"\\x21\", 1, MSG_NOSIGNAL, NULL, 0) = 1
7 <... pwrite64 resumed>)           = 2
7 fdatasync(3<\\x2f\\x61>)          = -1 EIO (Input/output error)
9 writev(4<\\x73\\x6f>, [{iov_base=\"\\x31\", iov_len=1}, {iov_base=\"\\x32\\x33\", iov_len=2}], 2) = 3
9 +++ exited with 0 +++
9 --- SIGCHLD {si_signo=SIGCHLD} ---
7 fdatasync(3<\\x2f\\x61> <unfinished ...>
";
        let call = |name: &str, target: &str, data: &[u8], begun, ended, result| Call {
            name: name.into(),
            target: target.into(),
            data: data.into(),
            begun,
            ended,
            result,
        };
        let expected = [
            call("pwrite64", "/a", b"Hi", 0, Some(2), 2),
            call("sendto", "so", b"!", 1, Some(1), 1),
            call("fdatasync", "/a", b"", 3, Some(3), -1),
            call("writev", "so", b"123", 4, Some(4), 3),
            call("fdatasync", "/a", b"", 7, None, -1),
        ];
        assert_eq!(parse(trace), expected);
    }
}
