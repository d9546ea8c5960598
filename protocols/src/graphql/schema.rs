//! A schema, as far as it says which type a field is of and which objects that may be. Knows nothing of
//! arguments, and does not judge whether the schema is sound.

use std::collections::{HashMap, HashSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::parse_schema;
use async_graphql_parser::types::{
    BaseType, FieldDefinition, SchemaDefinition, ServiceDocument, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use async_graphql_value::Name;

use super::document;
use super::fault::Fault;
use super::field::Field;

/// A schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    types: HashMap<String, Composite>,
    query: Option<String>,
    mutation: Option<String>,
    subscription: Option<String>,
}

/// An object, an interface or a union.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Composite {
    /// The named type of each field.
    fields: HashMap<String, String>,
    /// The objects that it may be: itself, if it is one.
    objects: HashSet<String>,
}

impl Schema {
    /// Reads the definition language, extensions of types included.
    ///
    /// # Errors
    /// If it is none, or defines no type that queries begin at.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let parsed = parse_schema(text).map_err(|error| document::syntax(&error))?;
        let schema = Self::of(&parsed);
        match schema
            .query
            .as_ref()
            .is_some_and(|root| schema.types.contains_key(root))
        {
            true => Ok(schema),
            false => Err(Fault::Syntax {
                problem: "no type is defined that queries begin at".into(),
                at: None,
            }),
        }
    }

    fn of(parsed: &ServiceDocument) -> Self {
        let mut schema = Self {
            query: Some("Query".to_owned()),
            mutation: Some("Mutation".to_owned()),
            subscription: Some("Subscription".to_owned()),
            ..Self::default()
        };
        for definition in &parsed.definitions {
            match definition {
                TypeSystemDefinition::Schema(roots) => schema.begin_at(&roots.node),
                TypeSystemDefinition::Type(of) => schema.define(&of.node),
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        schema
    }

    /// Where operations begin, if not at types of the usual names.
    fn begin_at(&mut self, roots: &SchemaDefinition) {
        let named = |root: &Option<Positioned<Name>>| Some(root.as_ref()?.node.to_string());
        let found = [&roots.query, &roots.mutation, &roots.subscription].map(named);
        let known = [&mut self.query, &mut self.mutation, &mut self.subscription];
        for (known, found) in known.into_iter().zip(found) {
            if found.is_some() || !roots.extend {
                *known = found;
            }
        }
    }

    fn define(&mut self, definition: &TypeDefinition) {
        let name = definition.name.node.as_str();
        match &definition.kind {
            TypeKind::Object(object) => {
                for wider in object.implements.iter().map(|wider| wider.node.as_str()) {
                    self.composite(wider).objects.insert(name.to_owned());
                }
                let this = self.composite(name);
                this.objects.insert(name.to_owned());
                this.add(&object.fields);
            }
            TypeKind::Interface(interface) => self.composite(name).add(&interface.fields),
            TypeKind::Union(union) => {
                let members = union.members.iter().map(|member| member.node.to_string());
                self.composite(name).objects.extend(members);
            }
            TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::InputObject(_) => {}
        }
    }

    fn composite(&mut self, name: &str) -> &mut Composite {
        self.types.entry(name.to_owned()).or_default()
    }

    /// The type at which operations of a sort begin.
    pub(super) fn root(&self, of: document::Type) -> Option<&str> {
        match of {
            document::Type::Query => self.query.as_deref(),
            document::Type::Mutation => self.mutation.as_deref(),
            document::Type::Subscription => self.subscription.as_deref(),
        }
    }

    /// The named type of a field, if both are known.
    pub(super) fn field(&self, of: &str, name: &str) -> Option<&str> {
        self.types.get(of)?.fields.get(name).map(String::as_str)
    }

    /// Whether an object of the type `one` may be one of `other`; types that are not known may be
    /// anything.
    pub(super) fn could_be(&self, one: &str, other: &str) -> bool {
        if one == other {
            return true;
        }
        match (self.types.get(one), self.types.get(other)) {
            (Some(one), Some(other)) => !one.objects.is_disjoint(&other.objects),
            _ => true,
        }
    }

    /// Whether it defines the field, on a type if one is said.
    pub fn defines(&self, field: &Field) -> bool {
        match &field.of {
            Some(of) => self.field(of, &field.name).is_some(),
            None => {
                let mut types = self.types.values();
                types.any(|of| of.fields.contains_key(&field.name))
            }
        }
    }
}

impl Composite {
    fn add(&mut self, fields: &[Positioned<FieldDefinition>]) {
        self.fields.extend(fields.iter().map(|field| {
            let field = &field.node;
            (
                field.name.node.to_string(),
                named(&field.ty.node).to_owned(),
            )
        }));
    }
}

/// The type within lists.
fn named(of: &Type) -> &str {
    let mut base = &of.base;
    loop {
        match base {
            BaseType::Named(name) => return name,
            BaseType::List(within) => base = &within.base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "
        schema { query: Root }
        type Root { node: Node, people: [[Person!]!]!, either: Either }
        interface Node { id: ID }
        interface Person implements Node { id: ID, name: String }
        type User implements Node & Person { id: ID, name: String, ssn: String }
        type Order implements Node { id: ID }
        union Either = User | Order
        extend type User { friend: Person }
    ";

    #[test]
    fn fields_lead_to_types_and_types_to_objects() {
        let schema = Schema::parse(SHOP).expect("a schema");
        assert_eq!(schema.root(document::Type::Query), Some("Root"));
        assert_eq!(schema.root(document::Type::Mutation), None);
        assert_eq!(schema.field("Root", "people"), Some("Person"));
        assert_eq!(schema.field("User", "friend"), Some("Person"));
        assert_eq!(schema.field("User", "nothing"), None);
        assert_eq!(schema.field("Nothing", "id"), None);
        for (one, other, expected) in [
            ("User", "User", true),
            ("User", "Person", true),
            ("Person", "User", true),
            ("Either", "Node", true),
            ("Order", "Person", false),
            ("User", "Order", false),
            ("User", "Root", false),
            ("User", "Unknown", true),
        ] {
            assert_eq!(schema.could_be(one, other), expected, "{one} {other}");
        }
        let defines = |field: &str| schema.defines(&field.parse().expect("a field"));
        assert!(defines("User.ssn") && defines("*.ssn"));
        assert!(!defines("Order.ssn") && !defines("*.nothing"));
    }

    #[test]
    fn what_is_no_schema_is_refused_in_words_of_ours() {
        for (text, problem) in [
            (
                "type {",
                "expected name (line 1, column 6); send a GraphQL document",
            ),
            (
                "type A { a: Int }",
                "no type is defined that queries begin at; send a GraphQL document",
            ),
        ] {
            let fault = Schema::parse(text).expect_err(text);
            assert_eq!(fault.to_string(), problem);
        }
    }
}
