//! What the tests of the whole stand on: broker processes, a disk that forgets, and the checker of what clients saw.

pub mod faulty_disk;
pub mod process;
