//! Sources of a composed graph that are gRPC services.

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

use super::files::Directory;
use crate::config::routes::Action;
use crate::config::routes::graphql::By;

/// A Book with a title; Books with Get, Put and the stream Watch; and Papers with another Get.
fn descriptors() -> Vec<u8> {
    let title = FieldDescriptorProto {
        name: Some("title".to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    let book = DescriptorProto {
        name: Some("Book".to_owned()),
        field: vec![title],
        ..DescriptorProto::default()
    };
    let service = |name: &str, methods: &[&str]| {
        let method = |name: &&str| MethodDescriptorProto {
            name: Some((*name).to_owned()),
            input_type: Some(".shop.Book".to_owned()),
            output_type: Some(".shop.Book".to_owned()),
            server_streaming: Some(*name == "Watch"),
            ..MethodDescriptorProto::default()
        };
        ServiceDescriptorProto {
            name: Some(name.to_owned()),
            method: methods.iter().map(method).collect(),
            ..ServiceDescriptorProto::default()
        }
    };
    let file = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop".to_owned()),
        message_type: vec![book],
        service: vec![
            service("Books", &["Get", "Put", "Watch"]),
            service("Papers", &["Get"]),
        ],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn yaml(upstream: &str, said: &str) -> String {
    format!(
        "version: 1\n\
         listeners: [{{ name: public, address: 127.0.0.1:0 }}]\n\
         upstreams:\n\
         - {{ name: old, endpoints: [{{ address: 127.0.0.1:1 }}] }}\n\
         - {{ name: new, protocol: http2, endpoints: [{{ address: 127.0.0.1:2 }}] }}\n\
         routes: [{{ name: r, graphql: {{ compose: {{ sources: [{{ kind: grpc, name: shop, \
         upstream: {upstream}, descriptors: set.bin, {said} }}] }} }} }}]\n"
    )
}

#[test]
fn what_cannot_be_called_is_told_with_what_to_do() {
    let at = "weir.yaml: routes[0].graphql.compose.sources[0]";
    let directory = Directory::new("graphql-grpc", &[("weir.yaml", "")]);
    directory.write("set.bin", descriptors());
    let get = "methods: [shop.Books/Get], queries: [shop.Books/Get]";
    for (upstream, said, fault) in [
        (
            "old",
            get,
            ".upstream: the upstream \"old\" speaks http1, and gRPC is HTTP/2; give it `protocol: http2`",
        ),
        (
            "new",
            "methods: [shop.Books/Gets, shop.Books/Put], queries: [shop.Books/Put]",
            ".methods[0]: the descriptors have no method \"shop.Books/Gets\"; did you mean \"shop.Books/Get\"?",
        ),
        (
            "new",
            "methods: [shop.Books/Get, shop.Books/Watch], queries: [shop.Books/Get]",
            ".methods[1]: shop.Books/Watch streams, and a field is asked and answered once; leave it out",
        ),
        (
            "new",
            "methods: [shop.Books/Get], queries: [shop.Books/Get, shop.Books/Put]",
            ".queries[1]: shop.Books/Put is not among `methods`; add it there",
        ),
        (
            "new",
            "queries: [shop.Books/Get, shop.Papers/Get]",
            ".descriptors: shop.Books/Get and shop.Papers/Get would both be called Get; say `rename: { fields: { package.Service/Method: other } }`, or `methods`",
        ),
        (
            "new",
            "methods: [shop.Books/Get], queries: [shop.Books/Get], rename: { types: { shop.Bok: A } }",
            ".rename.types[\"shop.Bok\"]: the source has no type \"shop.Bok\"; write it as the source calls it, without the prefix",
        ),
    ] {
        directory.write("weir.yaml", yaml(upstream, said));
        assert_eq!(directory.faults(), [format!("{at}{fault}")], "{said}");
    }
    directory.write("weir.yaml", yaml("new", get));
    directory.write("set.bin", b"\xff");
    let faults = directory.faults();
    let expected = format!("{at}.descriptors: \"set.bin\" cannot be used: ");
    assert!(faults[0].starts_with(&expected), "{faults:?}");
}

#[test]
fn unary_methods_are_fields_and_may_be_called_otherwise() {
    let said = "queries: [shop.Books/Get], prefix: shop, \
                rename: { types: { shop.Book: Volume }, fields: { shop.Papers/Get: issue } }";
    let directory = Directory::new("graphql-grpc-names", &[("weir.yaml", &yaml("new", said))]);
    directory.write("set.bin", descriptors());
    let loaded = directory.load();
    let Action::Graphql(graphql) = &loaded.config.routes[0].action else {
        panic!("another action");
    };
    let By::Composed(graph) = &graphql.by else {
        panic!("not composed");
    };
    let names = |fields: Vec<_>| fields.join(" ");
    assert_eq!(
        names(graph.query.keys().map(|name| &**name).collect()),
        "shopGet"
    );
    assert_eq!(
        names(graph.mutation.keys().map(|name| &**name).collect()),
        "shopIssue shopPut"
    );
    assert_eq!(
        names(graph.types.keys().map(|name| &**name).collect()),
        "Volume"
    );
}
