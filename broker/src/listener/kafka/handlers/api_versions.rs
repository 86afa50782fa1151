//! What is served, in which versions.

use super::{Call, SERVED};
use crate::service::Refusal;
use cairn_proto::kafka::{
    ErrorCode,
    api_versions::{ApiVersionsRequest, ApiVersionsResponse},
};

/// Since this version clients say what they are.
const NAMED_SINCE: i16 = 3;

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(call: &Call, request: ApiVersionsRequest) -> Result<ApiVersionsResponse, Refusal> {
    let names = [&request.client_software_name, &request.client_software_version];
    if call.version >= NAMED_SINCE && !names.into_iter().all(|name| is_software_name(name)) {
        return Ok(ApiVersionsResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() });
    }
    Ok(ApiVersionsResponse::advertise(SERVED.iter().copied()))
}

/// Letters and digits, and `-` and `.` between them (KIP-511).
fn is_software_name(name: &str) -> bool {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let edge = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    edge(name.chars().next()) && edge(name.chars().next_back()) && name.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_software() {
        for name in ["apache-kafka-java", "3.9.0", "a"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "ä"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
