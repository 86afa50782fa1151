//! What a person at the terminal reads: that the broker is ready, where, and what to type next. The only place that
//! prints to stdout.

use crate::node::Node;
use std::{fmt::Write as _, io::Write as _};

/// Prints to stdout; a closed pipe is no error.
pub(super) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

/// Prints one line to stderr, for the time before there is a log.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "cairn-broker: {text}");
}

/// The lines that tell that a broker is ready.
pub(super) fn ready(node: &Node) -> String {
    let mut text = String::from("cairn-broker is ready\n");
    if let Some(address) = node.grpc_address() {
        let _ = writeln!(text, "  grpc  {address}  (clients)");
    }
    if let Some(address) = node.kafka_address() {
        let _ = writeln!(text, "  kafka {address}  (Kafka clients)");
    }
    if let Some(address) = node.http_address() {
        let _ = writeln!(text, "  http  {address}  (/livez, /readyz, /metrics)");
    }
    let _ = writeln!(text, "  data  {}", node.data_dir().display());
    let elsewhere = match node.grpc_address() {
        Some(address) if address.to_string() != "127.0.0.1:9095" => format!("--broker {address} "),
        _ => String::new(),
    };
    let _ =
        writeln!(text, "next, in another terminal:\n  {} {elsewhere}topic create hello", command_line_tool());
    text
}

/// How the command line is started from here: the binary beside this one if it is built, else through cargo.
fn command_line_tool() -> String {
    let beside =
        std::env::current_exe().ok().map(|path| path.with_file_name("cairn")).filter(|path| path.exists());
    match beside {
        Some(path) => path.display().to_string(),
        None => "cargo run --release -p cairn-cli --".into(),
    }
}
