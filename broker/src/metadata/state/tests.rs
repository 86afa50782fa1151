//! Commands one by one.
