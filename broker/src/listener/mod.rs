//! How clients come in: sockets, connection limits, and the protocols behind them. A listener converts and nothing else;
//! everything it serves is a call of `service`.
//!
//! What always holds: no more connections than allowed are open; one that does not say in time what it speaks is closed;
//! every accepted socket has `TCP_NODELAY`.

mod accept;
pub mod grpc;
pub mod kafka;

pub use accept::{Accept, ConnectionLimits, Place};
