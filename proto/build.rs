//! Compiles the protobuf services with protox, so that no `protoc` is needed on any machine.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

#[expect(clippy::disallowed_methods, reason = "a build script has no Disk")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=protobuf");
    let files =
        ["cairn/v1/log.proto", "cairn/v1/admin.proto", "cairn/v1/cluster.proto", "cairn/v1/groups.proto"];
    let descriptors = protox::compile(files, ["protobuf"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?).join("cairn_descriptors.bin");
    fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
