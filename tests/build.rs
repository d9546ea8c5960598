//! Compiles gRPC's test service, and describes services that are called by HTTP and JSON, without a
//! protoc of the machine's.

use std::path::PathBuf;

use prost::Message;

const PROTOS: &str = "proto";
const SERVICE: &str = "grpc/testing/test.proto";
const SHOP: &str = "shop.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={PROTOS}");
    let descriptors = protox::compile([SERVICE], [PROTOS])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // For server reflection, and for clients that read messages by their description.
    std::fs::write(out.join("grpc.testing.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    // Written by the compiler itself: as messages of prost's, methods lose their rules.
    let mut shop = protox::Compiler::new([PROTOS])?;
    shop.include_imports(true).open_file(SHOP)?;
    std::fs::write(out.join("shop.bin"), shop.encode_file_descriptor_set())?;
    Ok(())
}
