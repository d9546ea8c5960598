//! Services that topics stand behind, as their callers compile them: Weir's own, and one of somebody's.

/// `weir.events.v1`, from the file that Weir ships.
pub mod events {
    #![expect(clippy::allow_attributes, reason = "generated")]

    tonic::include_proto!("weir.events.v1");
}

/// `meters.v1`, from `tests/proto/meters.proto`.
pub mod meters {
    #![expect(clippy::allow_attributes, reason = "generated")]

    tonic::include_proto!("meters.v1");

    /// Its description, as a `google.protobuf.FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("meters");
}
