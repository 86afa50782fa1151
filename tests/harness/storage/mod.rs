//! A store under a random workload, beside a plain model that knows what must be true of it at any moment, also after a
//! power cut. One seed decides everything.

mod batches;
mod check;
mod clock;
mod crashes;
mod faults;
mod model;
pub mod planted;
mod reduction;
mod run;
mod settings;
mod workload;

pub use crashes::{CrashReport, CrashTest, enumerate_crashes};
pub use faults::{FaultReport, enumerate_faults, fill_up};
pub use model::{LogModel, Model, ModelBatch, SharedModel};
pub use run::{Run, Tolerance};
pub use settings::{Settings, small_store_options};
