//! Reads a whole data directory offline and changes nothing.

use super::{OpenError, VerifyProgress, VerifyReport};
use crate::disk::Disk;
use std::path::Path;

/// Reads every file of every store below a data directory and lists what is wrong. Changes nothing; works on a read-only
/// copy.
///
/// # Errors
/// The directory cannot be listed.
#[expect(unused_variables, clippy::missing_panics_doc, reason = "a skeleton; the body follows")]
pub fn verify(
    disk: &dyn Disk,
    data_directory: &Path,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, OpenError> {
    unimplemented!()
}
