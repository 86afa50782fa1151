//! The client against a broker in memory that misbehaves on command.

mod admin;
mod consumer;
mod fake;
mod producer;
