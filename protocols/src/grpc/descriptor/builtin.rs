//! The files everybody imports, so that no set need have them: Google's HTTP rules, raw bodies and
//! error details, and the messages of gRPC's reflection. Those of `google.protobuf` come with the
//! library.

use std::sync::LazyLock;

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions,
    OneofDescriptorProto,
};
use prost_reflect::{DescriptorPool, ExtensionDescriptor, MessageDescriptor};

/// The number of the extension of `google.protobuf.MethodOptions` that holds a rule.
const HTTP: i32 = 72_295_728;

struct File {
    name: &'static str,
    package: &'static str,
    imports: &'static [&'static str],
    messages: &'static [Message],
}

/// A message, in the one before the dot if there is one.
struct Message(&'static str, &'static [Field]);

struct Field(&'static str, i32, Kind);

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    /// A map of texts to texts.
    Map,
    Bytes,
    Blobs,
    Int32,
    Int64,
    Bool,
    One(&'static str),
    Many(&'static str),
    /// A text, or a message, of the message's one oneof.
    Choice(Option<&'static str>),
}

use Kind::{Blobs, Bool, Bytes, Choice, Int32, Int64, Many, Map, One, Text, Texts};

const ANY: &str = "google.protobuf.Any";

const FILES: &[File] = &[
    File {
        name: "google/api/http.proto",
        package: "google.api",
        imports: &[],
        messages: &[
            Message(
                "Http",
                &[
                    Field("rules", 1, Many("google.api.HttpRule")),
                    Field("fully_decode_reserved_expansion", 2, Bool),
                ],
            ),
            Message(
                "HttpRule",
                &[
                    Field("selector", 1, Text),
                    Field("get", 2, Choice(None)),
                    Field("put", 3, Choice(None)),
                    Field("post", 4, Choice(None)),
                    Field("delete", 5, Choice(None)),
                    Field("patch", 6, Choice(None)),
                    Field("custom", 8, Choice(Some("google.api.CustomHttpPattern"))),
                    Field("body", 7, Text),
                    Field("response_body", 12, Text),
                    Field("additional_bindings", 11, Many("google.api.HttpRule")),
                ],
            ),
            Message(
                "CustomHttpPattern",
                &[Field("kind", 1, Text), Field("path", 2, Text)],
            ),
        ],
    },
    File {
        name: "google/api/annotations.proto",
        package: "google.api",
        imports: &["google/api/http.proto", "google/protobuf/descriptor.proto"],
        messages: &[],
    },
    File {
        name: "google/api/httpbody.proto",
        package: "google.api",
        imports: &["google/protobuf/any.proto"],
        messages: &[Message(
            "HttpBody",
            &[
                Field("content_type", 1, Text),
                Field("data", 2, Bytes),
                Field("extensions", 3, Many(ANY)),
            ],
        )],
    },
    File {
        name: "google/rpc/status.proto",
        package: "google.rpc",
        imports: &["google/protobuf/any.proto"],
        messages: &[Message(
            "Status",
            &[
                Field("code", 1, Int32),
                Field("message", 2, Text),
                Field("details", 3, Many(ANY)),
            ],
        )],
    },
    File {
        name: "google/rpc/error_details.proto",
        package: "google.rpc",
        imports: &["google/protobuf/duration.proto"],
        messages: ERROR_DETAILS,
    },
    File {
        name: "grpc/reflection/v1/reflection.proto",
        package: "grpc.reflection.v1",
        imports: &[],
        messages: REFLECTION,
    },
];

const ERROR_DETAILS: &[Message] = &[
    Message(
        "ErrorInfo",
        &[
            Field("reason", 1, Text),
            Field("domain", 2, Text),
            Field("metadata", 3, Map),
        ],
    ),
    Message(
        "RetryInfo",
        &[Field("retry_delay", 1, One("google.protobuf.Duration"))],
    ),
    Message(
        "DebugInfo",
        &[Field("stack_entries", 1, Texts), Field("detail", 2, Text)],
    ),
    Message(
        "QuotaFailure",
        &[Field(
            "violations",
            1,
            Many("google.rpc.QuotaFailure.Violation"),
        )],
    ),
    Message(
        "QuotaFailure.Violation",
        &[
            Field("subject", 1, Text),
            Field("description", 2, Text),
            Field("api_service", 3, Text),
            Field("quota_metric", 4, Text),
            Field("quota_id", 5, Text),
            Field("quota_dimensions", 6, Map),
            Field("quota_value", 7, Int64),
            Field("future_quota_value", 8, Int64),
        ],
    ),
    Message(
        "PreconditionFailure",
        &[Field(
            "violations",
            1,
            Many("google.rpc.PreconditionFailure.Violation"),
        )],
    ),
    Message(
        "PreconditionFailure.Violation",
        &[
            Field("type", 1, Text),
            Field("subject", 2, Text),
            Field("description", 3, Text),
        ],
    ),
    Message(
        "BadRequest",
        &[Field(
            "field_violations",
            1,
            Many("google.rpc.BadRequest.FieldViolation"),
        )],
    ),
    Message(
        "BadRequest.FieldViolation",
        &[
            Field("field", 1, Text),
            Field("description", 2, Text),
            Field("reason", 3, Text),
            Field("localized_message", 4, One("google.rpc.LocalizedMessage")),
        ],
    ),
    Message(
        "RequestInfo",
        &[Field("request_id", 1, Text), Field("serving_data", 2, Text)],
    ),
    Message(
        "ResourceInfo",
        &[
            Field("resource_type", 1, Text),
            Field("resource_name", 2, Text),
            Field("owner", 3, Text),
            Field("description", 4, Text),
        ],
    ),
    Message("Help", &[Field("links", 1, Many("google.rpc.Help.Link"))]),
    Message(
        "Help.Link",
        &[Field("description", 1, Text), Field("url", 2, Text)],
    ),
    Message(
        "LocalizedMessage",
        &[Field("locale", 1, Text), Field("message", 2, Text)],
    ),
];

/// As far as questions are asked here: the rest of an answer is passed over.
const REFLECTION: &[Message] = &[
    Message(
        "ServerReflectionRequest",
        &[
            Field("host", 1, Text),
            Field("file_by_filename", 3, Choice(None)),
            Field("file_containing_symbol", 4, Choice(None)),
            Field("list_services", 7, Choice(None)),
        ],
    ),
    Message(
        "ServerReflectionResponse",
        &[
            Field(
                "file_descriptor_response",
                4,
                Choice(Some("grpc.reflection.v1.FileDescriptorResponse")),
            ),
            Field(
                "list_services_response",
                6,
                Choice(Some("grpc.reflection.v1.ListServiceResponse")),
            ),
            Field(
                "error_response",
                7,
                Choice(Some("grpc.reflection.v1.ErrorResponse")),
            ),
        ],
    ),
    Message(
        "FileDescriptorResponse",
        &[Field("file_descriptor_proto", 1, Blobs)],
    ),
    Message(
        "ListServiceResponse",
        &[Field(
            "service",
            1,
            Many("grpc.reflection.v1.ServiceResponse"),
        )],
    ),
    Message("ServiceResponse", &[Field("name", 1, Text)]),
    Message(
        "ErrorResponse",
        &[
            Field("error_code", 1, Int32),
            Field("error_message", 2, Text),
        ],
    ),
];

struct Builtin {
    types: DescriptorPool,
    files: Vec<FileDescriptorProto>,
}

static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| {
    let mut types = DescriptorPool::global();
    let ours = FILES.iter().map(written);
    if let Err(fault) = types.add_file_descriptor_protos(ours) {
        debug_assert!(false, "the files written here are sound: {fault:?}");
    }
    let files = types
        .files()
        .map(|file| file.file_descriptor_proto().clone());
    let files = files
        .filter(|file| !file.name().starts_with("grpc/"))
        .collect();
    Builtin { types, files }
});

/// A file that need not be in a set.
pub(super) fn file(name: &str) -> Option<&'static FileDescriptorProto> {
    BUILTIN.files.iter().find(|file| file.name() == name)
}

/// Whether a file need not be asked for.
pub(in crate::grpc) fn has_file(name: &str) -> bool {
    file(name).is_some()
}

/// One of the types written here, or of `google.protobuf`.
pub(in crate::grpc) fn message(name: &str) -> Option<MessageDescriptor> {
    BUILTIN.types.get_message_by_name(name)
}

/// The options of a method, and the one that is a rule.
pub(super) fn http_option() -> Option<(MessageDescriptor, ExtensionDescriptor)> {
    let options = message("google.protobuf.MethodOptions")?;
    let extension = options.get_extension(HTTP.unsigned_abs())?;
    Some((options, extension))
}

fn written(file: &File) -> FileDescriptorProto {
    let mut messages: Vec<DescriptorProto> = Vec::new();
    for Message(name, fields) in file.messages {
        let message = |name: &str| message_proto(file.package, name, fields);
        match name.split_once('.') {
            None => messages.push(message(name)),
            Some((outer, inner)) => {
                let outer = messages.iter_mut().find(|there| there.name() == outer);
                outer
                    .into_iter()
                    .for_each(|outer| outer.nested_type.push(message(inner)));
            }
        }
    }
    let mut written = FileDescriptorProto {
        name: Some(file.name.into()),
        package: Some(file.package.into()),
        dependency: file.imports.iter().map(|&import| import.into()).collect(),
        message_type: messages,
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    if file.name.ends_with("annotations.proto") {
        written.extension.push(FieldDescriptorProto {
            extendee: Some(".google.protobuf.MethodOptions".into()),
            ..field_proto(&Field("http", HTTP, One("google.api.HttpRule")))
        });
    }
    written
}

fn message_proto(package: &str, name: &str, fields: &[Field]) -> DescriptorProto {
    let mut message = DescriptorProto {
        name: Some(name.into()),
        field: fields.iter().map(field_proto).collect(),
        ..Default::default()
    };
    if fields.iter().any(|field| matches!(field.2, Choice(_))) {
        message.oneof_decl.push(OneofDescriptorProto {
            name: Some("choice".into()),
            options: None,
        });
    }
    let outer = match name {
        "Violation" => "QuotaFailure.Violation",
        name => name,
    };
    for (field, Field(field_name, ..)) in message.field.iter_mut().zip(fields) {
        if field.type_name.as_deref() == Some("") {
            let entry = entry_name(field_name);
            field.type_name = Some(format!(".{package}.{outer}.{entry}"));
            message.nested_type.push(entry_proto(entry));
        }
    }
    message
}

fn field_proto(Field(name, number, kind): &Field) -> FieldDescriptorProto {
    let is_choice = matches!(kind, Choice(_));
    let (kind, label, type_name) = match *kind {
        Text | Choice(None) => (Type::String, Label::Optional, None),
        Texts => (Type::String, Label::Repeated, None),
        Map => (Type::Message, Label::Repeated, Some("")),
        Bytes => (Type::Bytes, Label::Optional, None),
        Blobs => (Type::Bytes, Label::Repeated, None),
        Int32 => (Type::Int32, Label::Optional, None),
        Int64 => (Type::Int64, Label::Optional, None),
        Bool => (Type::Bool, Label::Optional, None),
        One(name) | Choice(Some(name)) => (Type::Message, Label::Optional, Some(name)),
        Many(name) => (Type::Message, Label::Repeated, Some(name)),
    };
    let absolute = |name: &str| match name {
        "" => String::new(),
        name => format!(".{name}"),
    };
    FieldDescriptorProto {
        name: Some((*name).into()),
        number: Some(*number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name: type_name.map(absolute),
        oneof_index: is_choice.then_some(0),
        ..Default::default()
    }
}

/// What a compiler calls the entries of a map.
const fn entry_name(field: &str) -> &'static str {
    match field.as_bytes() {
        b"metadata" => "MetadataEntry",
        _ => "QuotaDimensionsEntry",
    }
}

fn entry_proto(name: &str) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.into()),
        field: [Field("key", 1, Text), Field("value", 2, Text)]
            .iter()
            .map(field_proto)
            .collect(),
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}
