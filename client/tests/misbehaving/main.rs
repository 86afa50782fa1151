//! The client against a broker in memory that misbehaves on command.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of it is tests, and a panic fails them; clippy takes only the test functions for tests"
)]

mod admin;
mod consumer;
mod fake;
mod producer;
