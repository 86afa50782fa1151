//! Bodies for fuzzing: any bytes in, nothing out, and no way to panic. Bounded runs in the tests use them as well.

pub use super::journal::fuzz_journal_frame;
