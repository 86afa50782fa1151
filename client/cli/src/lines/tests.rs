//! Lines out of inputs that are cut in every way.

use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Gives out at most `step` bytes a read, and an interruption now and then.
struct Dribble<'a> {
    rest: &'a [u8],
    step: usize,
    interrupt: bool,
}

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.rest.len().min(self.step).min(into.len());
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

fn lines_of(
    input: impl Read,
    read_bytes: usize,
    line_bytes_max: usize,
) -> (Vec<Vec<u8>>, Option<InputError>) {
    let mut blocks = LineBlocks::new(input, read_bytes, line_bytes_max);
    let mut lines = Vec::new();
    loop {
        match blocks.next_block() {
            Ok(Some(block)) => {
                for line in Lines::new(block, line_bytes_max) {
                    match line {
                        Ok(line) => lines.push(line.to_vec()),
                        Err(error) => return (lines, Some(error)),
                    }
                }
            }
            Ok(None) => {
                assert!(matches!(blocks.next_block(), Ok(None)), "the end stays the end");
                return (lines, None);
            }
            Err(error) => return (lines, Some(error)),
        }
    }
}

/// What the lines must be, said in the plainest way.
fn expected(input: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

#[test]
fn empty_lines_carriage_returns_and_a_missing_last_newline() {
    for input in [&b""[..], b"\n", b"\n\n", b"a", b"a\n", b"a\r\n\nb", b"\xff\0\n\xc3"] {
        let (lines, error) = lines_of(input, 1024, 100);
        assert!(error.is_none());
        assert_eq!(lines, expected(input), "{input:?}");
    }
    assert_eq!(lines_of(&b"a\r\n\nb"[..], 1024, 100).0, [&b"a\r"[..], b"", b"b"]);
}

#[test]
fn any_cut_gives_the_same_lines() {
    let seed = 7;
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..300 {
        let length = random.random_range(0..3000);
        let density = random.random_range(1..60);
        let input: Vec<u8> = (0..length)
            .map(|_| if random.random_ratio(1, density) { b'\n' } else { random.random() })
            .collect();
        let (step, read_bytes) = (random.random_range(1..200), random.random_range(1..500));
        let dribble = Dribble { rest: &input, step, interrupt: false };
        let (lines, error) = lines_of(dribble, read_bytes, 4000);
        assert!(error.is_none(), "seed {seed}, round {round}");
        assert_eq!(lines, expected(&input), "seed {seed}, round {round}");
    }
}

#[test]
fn a_line_too_long_is_refused_after_those_before_it() {
    for read_bytes in [1, 3, 1024] {
        for input in [&b"a\nbb\nccccc\nd\n"[..], b"a\nbb\nccccc"] {
            let (lines, error) = lines_of(input, read_bytes, 4);
            assert_eq!(lines, [&b"a"[..], b"bb"], "reads of {read_bytes}");
            assert!(matches!(error, Some(InputError::LineTooLong { line_bytes_max: 4 })));
        }
        let (lines, error) = lines_of(&b"cccc\ncccc"[..], read_bytes, 4);
        assert!(error.is_none());
        assert_eq!(lines.len(), 2);
    }
}

#[test]
fn an_endless_line_costs_bounded_memory() {
    let mut blocks = LineBlocks::new(io::repeat(b'x'), 1024, 10_000);
    assert!(matches!(blocks.next_block(), Err(InputError::LineTooLong { .. })));
    assert!(blocks.partial.capacity() < 50_000, "{}", blocks.partial.capacity());
    assert!(matches!(blocks.next_block(), Ok(None)));
}

#[test]
fn a_read_error_is_told_once() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let mut blocks = LineBlocks::new(Broken, 1024, 100);
    assert!(matches!(blocks.next_block(), Err(InputError::Read(_))));
    assert!(matches!(blocks.next_block(), Ok(None)));
}
