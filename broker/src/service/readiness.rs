//! What `/readyz` and the gRPC health service answer: a broker is ready while it serves and its data directory takes
//! appends. The reason it is not is always a sentence that a person can act on.

use parking_lot::Mutex;
use std::sync::Arc;

/// Where the broker is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not yet serving: what it is doing.
    Starting(&'static str),
    /// Serving.
    Serving,
    /// Refusing new work.
    ShuttingDown,
}

/// The phase, shared by whoever sets and whoever shows it.
#[derive(Clone, Debug)]
pub struct Readiness {
    phase: Arc<Mutex<Phase>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { phase: Arc::new(Mutex::new(Phase::Starting("opening the data directory"))) }
    }
}

impl Readiness {
    /// Notes the phase.
    pub fn set(&self, phase: Phase) {
        *self.phase.lock() = phase;
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        self.phase.lock().clone()
    }

    /// Why it is not ready as far as the phase goes; `None` while serving.
    pub fn obstacle(&self) -> Option<String> {
        match self.phase() {
            Phase::Serving => None,
            Phase::Starting(what) => Some(format!("starting: {what}")),
            Phase::ShuttingDown => Some("shutting down".into()),
        }
    }
}
