//! Which APIs a broker serves, and in which versions. The first request of most clients, whose answer they also
//! must be able to read when the version they asked in is unknown.

use super::{api::ApiKey, error_code::ErrorCode, table::message};

message! {
    /// Asks for the served APIs.
    pub struct ApiVersionsRequest {
        /// Name of the client's library.
        client_software_name: String [3+],
        /// Version of the client's library.
        client_software_version: String [3+],
    }

    /// The served APIs.
    pub struct ApiVersionsResponse {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The served APIs.
        api_keys: Vec<ApiVersion>,
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// Features the broker could use.
        supported_features: Vec<SupportedFeatureKey> [3+, tag 0],
        /// Rises with every change of the finalized features; -1 is unknown.
        finalized_features_epoch: i64 [3+, tag 1] = -1,
        /// Features in use.
        finalized_features: Vec<FinalizedFeatureKey> [3+, tag 2],
        /// Of no meaning any more.
        zk_migration_ready: bool [3+, tag 3],
    }

    /// One served API.
    pub struct ApiVersion {
        /// Its number.
        api_key: i16,
        /// The lowest version.
        min_version: i16,
        /// The highest version.
        max_version: i16,
    }

    /// A feature the broker could use.
    pub struct SupportedFeatureKey {
        /// Its name.
        name: String,
        /// The lowest version.
        min_version: i16,
        /// The highest version.
        max_version: i16,
    }

    /// A feature the cluster has agreed to use.
    pub struct FinalizedFeatureKey {
        /// Its name.
        name: String,
        /// The highest level in use.
        max_version_level: i16,
        /// The lowest level in use.
        min_version_level: i16,
    }
}

impl ApiVersionsResponse {
    /// The answer to a request of a served version: `apis` with their advertised versions. No tagged field is sent:
    /// clients that miscount them are still about.
    #[must_use]
    pub fn advertise(apis: impl IntoIterator<Item = ApiKey>) -> Self {
        let mut api_keys: Vec<_> = apis.into_iter().map(ApiVersion::of).collect();
        api_keys.sort_unstable_by_key(|api| api.api_key);
        Self { api_keys, ..Self::default() }
    }

    /// The answer to a request of an unknown version, to be written in version 0, which every client can read: it
    /// learns the versions to ask in.
    #[must_use]
    pub fn unsupported_version() -> Self {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        Self { error_code, api_keys: vec![ApiVersion::of(ApiKey::ApiVersions)], ..Self::default() }
    }
}

impl ApiVersion {
    fn of(api: ApiKey) -> Self {
        let (min_version, max_version) = api.advertised().into_inner();
        Self { api_key: api.number(), min_version, max_version }
    }
}
