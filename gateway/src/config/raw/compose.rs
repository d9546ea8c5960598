//! `routes[].graphql.compose` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;

/// One graph from many sources.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GraphqlCompose")]
pub struct Compose {
    /// What the graph is made of.
    #[schemars(length(min = 1))]
    pub sources: Vec<Source>,
    /// Fields that lead from an object of one source to what a query gives.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Fields of `Subscription`, each fed by the records of a Kafka topic. The route has to say
    /// `subscriptions: { kind: pass }`.
    #[serde(default)]
    pub feeds: Vec<Feed>,
    /// The most that one request asks of its sources, and one event of a subscription: calls of REST APIs, and root fields of GraphQL
    /// servers, however many of those go in one call. What is asked once for several fields counts once.
    #[serde(default = "Compose::default_max_calls")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_calls: usize,
}

impl Compose {
    const fn default_max_calls() -> usize {
        100
    }
}

/// A part of the graph, and who answers for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GraphqlSource")]
pub enum Source {
    /// A REST API that an OpenAPI 3 document describes: GET operations become fields of `Query`,
    /// all others fields of `Mutation`.
    Openapi {
        /// The source's name, which errors tell.
        name: Name,
        /// Who is called: the name of an entry of `upstreams`.
        upstream: Name,
        /// The document, as `${file:orders.yaml}`: YAML or JSON. Its first server says which path
        /// all others begin with.
        document: String,
        /// What the names of its types and root fields begin with.
        #[serde(default)]
        prefix: Option<String>,
        /// Other names.
        #[serde(default)]
        rename: Rename,
        /// The operations that become fields, by `operationId`; all, if not said.
        #[serde(default)]
        operations: Option<Vec<String>>,
        /// Header fields of the caller's that its calls take along, as `Authorization`; none, if not
        /// said.
        #[serde(default)]
        headers: Vec<String>,
    },
    /// gRPC services that a set of descriptors describes: unary methods that only read become fields of
    /// `Query`, all other unary ones fields of `Mutation`.
    Grpc {
        /// The source's name, which errors tell.
        name: Name,
        /// Who is called: the name of an entry of `upstreams` that speaks `http2`.
        upstream: Name,
        /// The file with the services and their messages, as
        /// `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it.
        descriptors: String,
        /// What the names of its types and root fields begin with.
        #[serde(default)]
        prefix: Option<String>,
        /// Other names: of types also by their full names, as `{ shop.Book: Volume }`, and in `fields`
        /// what stands for the name of a method, as `{ shop.Books/Get: getBook }`.
        #[serde(default)]
        rename: Rename,
        /// The methods that become fields, as `shop.Books/Get`; all that are unary, if not said.
        #[serde(default)]
        methods: Option<Vec<String>>,
        /// Methods that only read, besides those whose options say `idempotency_level =
        /// NO_SIDE_EFFECTS` and those that `google.api.http` binds to GET.
        #[serde(default)]
        queries: Vec<String>,
        /// Header fields of the caller's that its calls take along, as `Authorization`; none, if not
        /// said.
        #[serde(default)]
        headers: Vec<String>,
    },
    /// A GraphQL server: its queries and mutations become those of the graph. Subscriptions do not.
    Graphql {
        /// The source's name, which errors tell.
        name: Name,
        /// Who is called: the name of an entry of `upstreams`.
        upstream: Name,
        /// The path that takes operations, by POST.
        #[serde(default = "Source::default_path")]
        path: String,
        /// The schema, as `${file:shop.graphql}`: in the definition language, or what an introspection
        /// query gave, as JSON.
        schema: String,
        /// What the names of its types and root fields begin with.
        #[serde(default)]
        prefix: Option<String>,
        /// Other names.
        #[serde(default)]
        rename: Rename,
        /// The root fields that are shown, as the source calls them; all, if not said.
        #[serde(default)]
        fields: Option<Vec<String>>,
        /// Header fields of the caller's that its calls take along, as `Authorization`; none, if not
        /// said.
        #[serde(default)]
        headers: Vec<String>,
    },
}

/// What a source of any kind says.
pub struct Shared<'a> {
    /// Its name.
    pub name: &'a Name,
    /// Who is called.
    pub upstream: &'a Name,
    /// What the names of its types and root fields begin with.
    pub prefix: Option<&'a str>,
    /// Other names.
    pub rename: &'a Rename,
    /// Header fields of the caller's that its calls take along.
    pub headers: &'a [String],
}

impl Source {
    fn default_path() -> String {
        "/graphql".to_owned()
    }

    /// What it says as sources of any kind do.
    pub fn shared(&self) -> Shared<'_> {
        match self {
            Self::Openapi {
                name,
                upstream,
                prefix,
                rename,
                headers,
                ..
            }
            | Self::Grpc {
                name,
                upstream,
                prefix,
                rename,
                headers,
                ..
            }
            | Self::Graphql {
                name,
                upstream,
                prefix,
                rename,
                headers,
                ..
            } => Shared {
                name,
                upstream,
                prefix: prefix.as_deref(),
                rename,
                headers,
            },
        }
    }
}

/// Other names than a source's own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GraphqlRename")]
pub struct Rename {
    /// Of types, as `{ Order: Purchase }`.
    pub types: BTreeMap<String, String>,
    /// Of fields, by the names that their types have in the graph, as `{ Query.getOrder: order }`.
    pub fields: BTreeMap<String, String>,
}

/// A field of `Subscription`: whoever asks for it is told each record that comes to a topic from then on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GraphqlFeed")]
pub struct Feed {
    /// The field's name.
    pub field: String,
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic.
    pub topic: String,
    /// What a record's value is, as JSON: an object type of `schema`, or, without that, of the graph.
    #[serde(rename = "type")]
    pub ty: String,
    /// Types that are of this topic, in the definition language, as `${file:events.graphql}`; those that
    /// `type` leads to become part of the graph.
    #[serde(default)]
    pub schema: Option<String>,
}

/// A field that leads from an object to what a query gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GraphqlLink")]
pub struct Link {
    /// The type that gets the field.
    #[serde(rename = "type")]
    pub ty: String,
    /// The field's name.
    pub field: String,
    /// The field of `Query` that gives its value.
    pub query: String,
    /// That field's arguments: `"{parent.customerId}"` is what the source says of the object, whether
    /// it was asked for or not. Anything else is text.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
}
