//! What a gRPC call says about itself besides its message: who, and until when.

use super::Services;
use crate::service::{Context, ListenerKind, Principal, Refusal};
use std::time::Duration;
use tonic::{Status, metadata::MetadataMap};

/// What clients may call themselves in.
const CLIENT_ID_HEADER: &str = "cairn-client-id";
/// The standard header of gRPC deadlines.
const TIMEOUT_HEADER: &str = "grpc-timeout";
/// Longer names are cut.
const CLIENT_ID_CHARACTERS_MAX: usize = 255;

impl Services {
    /// The context of a call with a beginning and an end.
    pub(super) fn call(&self, metadata: &MetadataMap) -> Context {
        let now = self.broker.clock().now();
        let mut context = self.stream(metadata);
        context.deadline = header(metadata, TIMEOUT_HEADER)
            .and_then(timeout)
            .map(|timeout| crate::clock::Monotonic(now.0.saturating_add(timeout)));
        context
    }

    /// The context of a call that goes on.
    pub(super) fn stream(&self, metadata: &MetadataMap) -> Context {
        let name = header(metadata, CLIENT_ID_HEADER).or_else(|| header(metadata, "user-agent"));
        let client_id: String = name.unwrap_or_default().chars().take(CLIENT_ID_CHARACTERS_MAX).collect();
        Context {
            principal: Principal::Anonymous,
            client_id: client_id.into(),
            listener: ListenerKind::Grpc,
            deadline: None,
        }
    }
}

fn header<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}

/// At most eight digits and a unit, as the gRPC protocol says.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// A refusal of a whole stream.
pub(super) fn refused(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::ShuttingDown => Status::unavailable(refusal.to_string()),
        Refusal::TooMuch { .. } => Status::resource_exhausted(refusal.to_string()),
    }
}

/// How a stream ends when the broker does.
pub(super) fn shutting_down() -> Status {
    refused(&Refusal::ShuttingDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(timeout("30S"), Some(Duration::from_secs(30)));
        assert_eq!(timeout("1500m"), Some(Duration::from_millis(1500)));
        for wrong in ["", "S", "12", "123456789S", "-1S", "1ä", "1s"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
