//! Tests of the batch codec: golden bytes, refusals one by one, the oracle, and arbitrary bytes.

mod golden;
