//! Health and metrics over plain HTTP/1: for supervisors, load balancers and Prometheus. Answers from the first moment on,
//! also while the broker is still recovering. A connection lives for a minute at most, so that a slow client holds nothing
//! for long.

mod connection;

use crate::service::{Broker, Readiness};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use connection::LimitedListener;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The text format of OpenMetrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is answered from.
#[derive(Clone, Debug, Default)]
pub struct HttpState {
    /// Where the broker is in its life.
    pub readiness: Readiness,
    /// Set once there is one.
    pub broker: Arc<OnceLock<Broker>>,
}

/// Serves until `stop` is cancelled and the last answer is out.
///
/// # Errors
/// The listener failed as a whole, in words.
pub async fn serve(listener: TcpListener, state: HttpState, stop: CancellationToken) -> Result<(), String> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state);
    axum::serve(LimitedListener::new(listener), router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|error| format!("the HTTP listener failed: {error}"))
}

/// The process answers: that is all.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(state): State<HttpState>) -> Response {
    let obstacle = match state.broker.get() {
        Some(broker) => broker.obstacle().await,
        None => state.readiness.obstacle(),
    };
    match obstacle {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn metrics(State(state): State<HttpState>) -> Response {
    let Some(broker) = state.broker.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting\n").into_response();
    };
    match broker.scrape().await {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}
