//! The messages, clients and servers of `grpc.testing`, as generated from `tests/proto`.

#![expect(clippy::allow_attributes, reason = "generated")]

tonic::include_proto!("grpc.testing");

/// The description they were generated from, as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("grpc.testing");
