//! What values of records are: schemas of files, and registries.

use super::files::Directory;
use super::{expect_after, good};
use crate::config::routes::Action;
use crate::config::routes::schema::Schema;

const CLUSTER: &str = "kafka_clusters: [{ name: events, bootstrap_servers: [\"127.0.0.1:1\"] }]\n";

#[test]
fn registries_are_named_reached_and_told_who_asks() {
    let secrets = "secrets: [{ name: pass, value: a b }, { name: broken, value: \"a\\nb\" }]\n";
    expect_after(
        secrets,
        &[
            (
                "schema_registries: [{ name: a, url: registry }]",
                "schema_registries[0].url: a URL begins with http:// or https://; write it as https://registry.example.com",
            ),
            (
                "schema_registries: [{ name: a, url: \"http://a\", tls: {} }]",
                "schema_registries[0].tls: the address is spoken to in the clear; write https:// in `url`, or leave `tls` out",
            ),
            (
                "schema_registries: [{ name: a, url: \"http://a\", auth: { kind: bearer, token: { secret: broken } } }]",
                "schema_registries[0].auth.token.secret: the secret fits into no header; give it without line breaks",
            ),
            (
                "schema_registries: [{ name: a, url: \"http://a\", auth: { kind: basic, username: \"a:b\", password: { secret: pass } } }]",
                "schema_registries[0].auth.username: there is a colon in it; a name for basic authentication has none",
            ),
        ],
    );
    let config = good(&format!(
        "{secrets}schema_registries: [{{ name: a, url: \"https://a/base/\", auth: {{ kind: basic, username: me, password: {{ secret: pass }} }} }}]"
    ));
    let registry = &config.config.schema_registries[0];
    assert_eq!(&*registry.base_path, "/base");
    assert_eq!(&*registry.upstream.name, "schema_registry/a");
    assert!(registry.upstream.tls.is_some());
    let authorization = registry.authorization.as_ref().expect("it was given");
    assert_eq!(authorization.expose(), "Basic bWU6YSBi");
    assert!(!format!("{registry:?}").contains("bWU6"), "{registry:?}");
}

#[test]
fn a_route_names_a_registry_that_is_there() {
    let registries = format!("{CLUSTER}schema_registries: [{{ name: main, url: \"http://a\" }}]\n");
    expect_after(
        &registries,
        &[(
            "routes: [{ name: a, publish: { cluster: events, topic: t, schema: { kind: registry, registry: mian } } }]",
            "routes[0].publish.schema.registry: no schema registry named \"mian\"; did you mean \"main\"?",
        )],
    );
    let config = good(&format!(
        "{registries}routes: [{{ name: a, publish: {{ cluster: events, topic: t, schema: {{ kind: registry, registry: main, version: 3 }} }} }}]"
    ));
    let Action::Publish(publish) = &config.config.routes[0].action else {
        panic!("it publishes");
    };
    let Some(Schema::Registry(subject)) = &publish.schema else {
        panic!("a registry says");
    };
    assert_eq!((subject.version, &subject.name), (Some(3), &None));
}

#[test]
fn records_that_are_given_out_say_their_schema_themselves() {
    let registries = format!("{CLUSTER}schema_registries: [{{ name: main, url: \"http://a\" }}]\n");
    let route = |more: &str| {
        format!(
            "routes: [{{ name: a, subscribe: {{ cluster: events, topic: t, schema: {{ kind: registry, registry: main{more} }} }} }}]"
        )
    };
    let faults = ["subject: a", "version: 3", "message: a.B"].map(|said| {
        let (name, _) = said.split_once(':').expect("a name");
        let fault = format!(
            "routes[0].subscribe.schema.{name}: each record says itself by which schema of the registry it was written; leave it out"
        );
        (route(&format!(", {said}")), fault)
    });
    let faults = faults.each_ref().map(|(route, fault)| (&**route, &**fault));
    expect_after(&registries, &faults);
    let config = good(&format!("{registries}{}", route("")));
    let Action::Subscribe(subscribe) = &config.config.routes[0].action else {
        panic!("it subscribes");
    };
    assert!(matches!(subscribe.schema, Some(Schema::Registry(_))));
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let directory = Directory::new("record-schemas", &[]);
    let yaml = |schema: &str| {
        format!(
            "version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n{CLUSTER}routes: [{{ name: a, publish: {{ cluster: events, topic: t, schema: {schema} }} }}]"
        )
    };
    directory.write("broken.json", "{");
    directory.write("set.bin", super::grpc::SERVICES);
    directory.write("order.avsc", "\"order\"");
    directory.write("good.avsc", r#"{"type":"array","items":"long"}"#);
    let place = "weir.yaml: routes[0].publish.schema.";
    for (schema, fault) in [
        (
            "{ kind: json, file: broken.json }",
            "file: \"broken.json\" cannot be used: it is no JSON: ",
        ),
        (
            "{ kind: json, file: nowhere.json }",
            "file: \"nowhere.json\" cannot be read: ",
        ),
        (
            "{ kind: avro, file: order.avsc }",
            "file: \"order.avsc\" cannot be used: ",
        ),
        (
            "{ kind: avro, file: set.bin }",
            "file: \"set.bin\" cannot be used: ",
        ),
        (
            "{ kind: protobuf, descriptors: broken.json, message: a.D }",
            "descriptors: \"broken.json\" cannot be used: these bytes are no descriptor set",
        ),
        (
            "{ kind: protobuf, descriptors: set.bin, message: a.E }",
            "descriptors: \"set.bin\" cannot be used: it has no message \"a.E\"; it has a.D",
        ),
    ] {
        directory.write("weir.yaml", yaml(schema));
        let faults = directory.faults();
        assert!(
            matches!(faults.as_slice(), [one] if one.starts_with(&format!("{place}{fault}"))),
            "{schema}: {faults:?}"
        );
    }
    directory.write("weir.yaml", yaml("{ kind: avro, file: good.avsc }"));
    let loaded = directory.load();
    let watched = |path: &std::path::Path| path.ends_with("good.avsc");
    assert!(loaded.watched.paths().any(watched));
}
