//! A composed graph: its types, and what each root field calls. Knows nothing of the documents it was
//! read from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderName, Method};
use weir_protocols::grpc::transcode::Route;

/// One graph from many sources.
#[derive(Debug, Clone, Default)]
pub struct Composed {
    /// Who answers.
    pub sources: Vec<Source>,
    /// The types that are neither built in nor roots.
    pub types: BTreeMap<Arc<str>, Type>,
    /// The fields of `Query`; at least one.
    pub query: BTreeMap<Arc<str>, Arc<Operation>>,
    /// The fields of `Mutation`; it does not exist without any.
    pub mutation: BTreeMap<Arc<str>, Arc<Operation>>,
    /// The fields of `Subscription`; it does not exist without any.
    pub subscription: BTreeMap<Arc<str>, Arc<Feed>>,
    /// The most calls that one operation makes.
    pub max_calls: usize,
}

impl Composed {
    /// The fields of a type that has some.
    pub fn fields(&self, ty: &str) -> Option<&BTreeMap<Arc<str>, Field>> {
        match self.types.get(ty)? {
            Type::Object(fields) => Some(fields),
            Type::Interface(interface) => Some(&interface.fields),
            _ => None,
        }
    }

    /// The objects that a type may be: itself, if it is one.
    pub fn objects<'a>(&'a self, ty: &'a Arc<str>) -> &'a [Arc<str>] {
        match self.types.get(ty) {
            Some(Type::Object(_)) => std::slice::from_ref(ty),
            Some(Type::Interface(interface)) => &interface.objects,
            Some(Type::Union(objects)) => objects,
            _ => &[],
        }
    }

    /// The interfaces of an object, or of an interface.
    pub fn interfaces<'a>(&'a self, ty: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.types.iter().filter_map(move |(name, other)| {
            let Type::Interface(interface) = other else {
                return None;
            };
            let wider = match self.types.get(ty) {
                Some(Type::Interface(this)) => this.wider.contains(name),
                _ => interface.objects.iter().any(|object| **object == *ty),
            };
            wider.then_some(name)
        })
    }
}

/// Who answers for a part of the graph.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// The upstream's name; it exists.
    pub upstream: Arc<str>,
    /// What of the caller's own head its calls take along.
    pub headers: Vec<HeaderName>,
}

/// A type.
#[derive(Debug, Clone)]
pub enum Type {
    /// What is answered.
    Object(BTreeMap<Arc<str>, Field>),
    /// What is sent.
    Input(BTreeMap<Arc<str>, Member>),
    /// What objects of several types have in common.
    Interface(Interface),
    /// One of these objects.
    Union(Vec<Arc<str>>),
    /// One of some names.
    Enum(Vec<Arc<str>>),
    /// Whatever it is.
    Scalar,
}

/// A field of an object. Fields of answers may always be null: a part that fails costs no other.
#[derive(Debug, Clone)]
pub enum Field {
    /// A member of the object's JSON.
    Member(Member),
    /// One that is asked for with arguments.
    Asked(Asked),
    /// What a query gives.
    Link(Link),
}

/// A member of a JSON object.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its key.
    pub key: Arc<str>,
    /// Its type.
    pub shape: Shape,
    /// Whether it has to be sent.
    pub required: bool,
}

/// What objects of several types have in common.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The fields.
    pub fields: BTreeMap<Arc<str>, Field>,
    /// The objects.
    pub objects: Vec<Arc<str>>,
    /// The interfaces that it is one of itself.
    pub wider: Vec<Arc<str>>,
}

/// A member of an object that a GraphQL source is asked for with arguments.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The member.
    pub member: Member,
    /// What the field takes.
    pub arguments: BTreeMap<Arc<str>, Taken>,
}

/// An argument of a field of a GraphQL source.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its name there, its type, and whether it has to be given.
    pub member: Member,
    /// Its type as the source writes it.
    pub ty: Arc<str>,
}

/// What a query gives, asked with what is known of an object.
#[derive(Debug, Clone)]
pub struct Link {
    /// The query.
    pub operation: Arc<Operation>,
    /// Its arguments.
    pub arguments: BTreeMap<Arc<str>, Given>,
}

/// Where an argument's value comes from.
#[derive(Debug, Clone)]
pub enum Given {
    /// A member of the object.
    Parent(Arc<str>),
    /// As written.
    Text(Arc<str>),
}

/// A type as fields have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A named type.
    Named(Arc<str>),
    /// A list.
    List(Box<Shape>),
}

impl Shape {
    /// A named type.
    pub fn named(name: &str) -> Self {
        Self::Named(name.into())
    }

    /// The type within all lists.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Named(name) => name,
            Self::List(item) => item.name(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::List(item) => write!(f, "[{item}]"),
        }
    }
}

/// What a root field calls.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Who is called: an index into the sources.
    pub source: usize,
    /// How.
    pub way: Way,
    /// What the field takes.
    pub arguments: BTreeMap<Arc<str>, Argument>,
    /// What it gives.
    pub answer: Shape,
}

/// What a field of `Subscription` tells of.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The Kafka cluster's name; it exists.
    pub cluster: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// What each record is.
    pub answer: Shape,
}

/// How a source is called.
#[derive(Debug, Clone)]
pub enum Way {
    /// By HTTP and JSON.
    Rest {
        /// The method.
        method: Method,
        /// The path, in pieces.
        path: Vec<Piece>,
    },
    /// By gRPC.
    Grpc {
        /// The method, and how JSON is its messages.
        route: Arc<Route>,
        /// Whether it only reads.
        reads: bool,
    },
    /// By GraphQL.
    Graphql(Root),
}

/// A root field of a GraphQL source.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its name there.
    pub field: Arc<str>,
    /// Whether it is one of queries.
    pub reads: bool,
    /// The types of its arguments as the source writes them.
    pub types: BTreeMap<Arc<str>, Arc<str>>,
    /// Where it is asked.
    pub endpoint: Arc<Endpoint>,
}

/// Where a GraphQL source is asked, and what its types are called there.
#[derive(Debug, Default)]
pub struct Endpoint {
    /// The path.
    pub path: Arc<str>,
    /// By names of the graph, its own.
    pub own: BTreeMap<Arc<str>, Arc<str>>,
    /// By its own names, those of the graph.
    pub shown: BTreeMap<Arc<str>, Arc<str>>,
}

/// A piece of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(Arc<str>),
    /// The value of the parameter of that name.
    Parameter(Arc<str>),
}

/// An argument of a root field.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Where in a call it goes.
    pub place: Place,
    /// Its name there, its type, and whether it has to be given.
    pub member: Member,
}

/// Where in a call an argument goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into the path.
    Path,
    /// Into the query string.
    Query,
    /// It is the body.
    Body,
    /// It is a field of the message.
    Field,
    /// It is a variable.
    Variable,
}
