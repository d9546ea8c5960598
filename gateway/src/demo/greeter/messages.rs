//! The greeter's messages, and their description for who asks by reflection.
//!
//! By hand, where others generate: two messages of one field each need no protoc and no build
//! script. A test holds one against the other.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

/// The package of the greeter.
const PACKAGE: &str = "weir.demo";

/// Who wants to be greeted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct HelloRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// How they are.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct HelloReply {
    #[prost(string, tag = "1")]
    pub(super) message: String,
}

/// The file that others would have written:
///
/// ```proto
/// syntax = "proto3";
/// package weir.demo;
/// service Greeter {
///   rpc SayHello(HelloRequest) returns (HelloReply);
///   rpc LotsOfReplies(HelloRequest) returns (stream HelloReply);
///   rpc LotsOfGreetings(stream HelloRequest) returns (HelloReply);
///   rpc BidiHello(stream HelloRequest) returns (stream HelloReply);
/// }
/// message HelloRequest { string name = 1; }
/// message HelloReply { string message = 1; }
/// ```
pub(super) fn descriptors() -> FileDescriptorSet {
    let greeter = ServiceDescriptorProto {
        name: Some("Greeter".to_owned()),
        method: vec![
            method("SayHello", false, false),
            method("LotsOfReplies", false, true),
            method("LotsOfGreetings", true, false),
            method("BidiHello", true, true),
        ],
        options: None,
    };
    let file = FileDescriptorProto {
        name: Some("weir/demo/greeter.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: vec![
            message("HelloRequest", "name"),
            message("HelloReply", "message"),
        ],
        service: vec![greeter],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }
}

fn method(name: &str, asks_often: bool, answers_often: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(format!(".{PACKAGE}.HelloRequest")),
        output_type: Some(format!(".{PACKAGE}.HelloReply")),
        options: None,
        client_streaming: Some(asks_often),
        server_streaming: Some(answers_often),
    }
}

/// A message of one text.
fn message(name: &str, field: &str) -> DescriptorProto {
    let field = FieldDescriptorProto {
        name: Some(field.to_owned()),
        json_name: Some(field.to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![field],
        ..DescriptorProto::default()
    }
}
