//! Compiles gRPC's test service, Weir's own, and one that stands for somebody's, and describes services that are
//! called by HTTP and JSON, without a protoc of the machine's.

use std::path::PathBuf;

use prost::Message;

const PROTOS: &str = "proto";
const SERVICE: &str = "grpc/testing/test.proto";
const SHOP: &str = "shop.proto";
const METERS: &str = "meters.proto";
/// What callers of Weir compile themselves.
const OWN_PROTOS: &str = "../gateway/proto";
const OWN: &str = "weir/events/v1/events.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={PROTOS}");
    println!("cargo:rerun-if-changed={OWN_PROTOS}");
    let descriptors = protox::compile([SERVICE], [PROTOS])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // For server reflection, and for clients that read messages by their description.
    std::fs::write(out.join("grpc.testing.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    let own = protox::compile([OWN], [OWN_PROTOS])?;
    tonic_prost_build::configure().compile_fds(own)?;
    let meters = protox::compile([METERS], [PROTOS])?;
    std::fs::write(out.join("meters.bin"), meters.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(meters)?;
    // Written by the compiler itself: as messages of prost's, methods lose their rules.
    let mut shop = protox::Compiler::new([PROTOS])?;
    shop.include_imports(true).open_file(SHOP)?;
    std::fs::write(out.join("shop.bin"), shop.encode_file_descriptor_set())?;
    Ok(())
}
