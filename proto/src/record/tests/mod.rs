//! Tests of the batch codec: golden bytes, refusals one by one, the oracle, and damaged or arbitrary bytes.

mod arbitrary;
mod codecs;
mod damage;
mod golden;
mod oracle;
mod refusals;
mod retain;
mod samples;
mod varints;
