//! What the tests of the whole stand on: broker processes, the command line, a disk that forgets, what clients did and
//! saw, and the checker of that.

pub mod command_line;
pub mod faulty_disk;
pub mod history;
pub mod kafka;
pub mod load;
mod log;
pub mod process;
pub mod process_status;
pub mod scene;
pub mod seed;
pub mod storage;
pub mod system_calls;
pub mod tree;
pub mod wire;
pub mod witness;
