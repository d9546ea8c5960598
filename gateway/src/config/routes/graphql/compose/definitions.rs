//! The types of a GraphQL source's schema as types of the graph: those that its root fields lead to.
//!
//! Directives are read over, and so are fields that lead back to where operations begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type as Written, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Name, Positioned};
use weir_protocols::graphql::schema::Schema;

use super::model::{Asked, Endpoint, Field, Interface, Member, Shape, Taken, Type};
use super::part::Names;

/// The definitions of a schema, each with what extends it.
#[derive(Default)]
pub(super) struct Definitions {
    types: BTreeMap<Name, TypeKind>,
    /// The types that queries, mutations and subscriptions begin at.
    roots: [Option<Name>; 3],
}

impl Definitions {
    /// Reads a schema in the definition language.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // It knows more words for what is wrong.
        Schema::parse(text).map_err(|fault| fault.to_string())?;
        Self::parse_types(text)
    }

    /// Reads types, where nothing needs to be there that queries begin at.
    pub(super) fn parse_types(text: &str) -> Result<Self, String> {
        let parsed = parse_schema(text).map_err(|error| error.to_string())?;
        let mut this = Self {
            roots: ["Query", "Mutation", "Subscription"].map(|name| Some(Name::new(name))),
            ..Self::default()
        };
        for definition in parsed.definitions {
            match definition {
                TypeSystemDefinition::Schema(said) => {
                    let said = said.node;
                    let found = [said.query, said.mutation, said.subscription];
                    for (root, found) in this.roots.iter_mut().zip(found) {
                        if found.is_some() || !said.extend {
                            *root = found.map(|name| name.node);
                        }
                    }
                }
                TypeSystemDefinition::Type(said) => {
                    let said = said.node;
                    this.define(said.name.node, said.kind)?;
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(this)
    }

    fn define(&mut self, name: Name, kind: TypeKind) -> Result<(), String> {
        let Some(known) = self.types.get_mut(&name) else {
            self.types.insert(name, kind);
            return Ok(());
        };
        match (known, kind) {
            (TypeKind::Object(known), TypeKind::Object(more)) => {
                known.fields.extend(more.fields);
                known.implements.extend(more.implements);
            }
            (TypeKind::Interface(known), TypeKind::Interface(more)) => {
                known.fields.extend(more.fields);
                known.implements.extend(more.implements);
            }
            (TypeKind::Union(known), TypeKind::Union(more)) => known.members.extend(more.members),
            (TypeKind::Enum(known), TypeKind::Enum(more)) => known.values.extend(more.values),
            (TypeKind::InputObject(known), TypeKind::InputObject(more)) => {
                known.fields.extend(more.fields);
            }
            (TypeKind::Scalar, TypeKind::Scalar) => {}
            _ => return Err(format!("{name} is defined as two kinds of type")),
        }
        Ok(())
    }

    /// The root fields: those of queries, or those of mutations. What federation asks by is none.
    pub(super) fn root(&self, reads: bool) -> &[Positioned<FieldDefinition>] {
        let root = self.roots[usize::from(!reads)].as_ref();
        match root.and_then(|name| self.types.get(name)) {
            Some(TypeKind::Object(object)) => &object.fields,
            _ => &[],
        }
    }

    fn is_root(&self, name: &str) -> bool {
        self.roots
            .iter()
            .flatten()
            .any(|root| root.as_str() == name)
    }

    fn interfaces(kind: &TypeKind) -> &[Positioned<Name>] {
        match kind {
            TypeKind::Object(object) => &object.implements,
            TypeKind::Interface(interface) => &interface.implements,
            _ => &[],
        }
    }

    /// The objects of an interface.
    fn objects_of(&self, interface: &str) -> impl Iterator<Item = &Name> {
        self.types.iter().filter_map(move |(name, kind)| {
            let mut wider = Self::interfaces(kind).iter();
            let of_it = wider.any(|wider| wider.node.as_str() == interface);
            (of_it && matches!(kind, TypeKind::Object(_)) && !self.is_root(name)).then_some(name)
        })
    }
}

/// What fields take and give: each type is made when it is first met.
pub(super) struct Types<'a> {
    definitions: &'a Definitions,
    names: &'a Names<'a>,
    /// All that were made.
    pub(super) made: BTreeMap<Arc<str>, Type>,
    /// What they are called, here and there.
    pub(super) endpoint: Endpoint,
    waiting: Vec<Name>,
}

const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

impl<'a> Types<'a> {
    /// None yet.
    pub(super) fn new(definitions: &'a Definitions, names: &'a Names<'a>) -> Self {
        Self {
            definitions,
            names,
            made: BTreeMap::new(),
            endpoint: Endpoint::default(),
            waiting: Vec::new(),
        }
    }

    /// The name of a type in the graph; it will be made.
    pub(super) fn called(&mut self, own: &Name) -> Result<Arc<str>, String> {
        if BUILT_IN.contains(&own.as_str()) {
            return Ok(own.as_str().into());
        }
        if let Some(called) = self.endpoint.shown.get(own.as_str()) {
            return Ok(called.clone());
        }
        let called: Arc<str> = match self.definitions.types.get(own) {
            None => return Err(format!("it does not define the type {own}")),
            Some(TypeKind::Scalar) => self.names.scalar(own).into(),
            Some(_) => self.names.ty(own).into(),
        };
        let own: Arc<str> = own.as_str().into();
        if let Some(other) = self.endpoint.own.insert(called.clone(), own.clone()) {
            return Err(format!("{own} and {other} would both be called {called}"));
        }
        self.waiting.push(Name::new(&*own));
        self.endpoint.shown.insert(own, called.clone());
        Ok(called)
    }

    fn shape(&mut self, written: &Written) -> Result<Shape, String> {
        match &written.base {
            BaseType::Named(name) => Ok(Shape::Named(self.called(name)?)),
            BaseType::List(item) => Ok(Shape::List(Box::new(self.shape(item)?))),
        }
    }

    /// What a field gives; `None` where that is what operations begin at.
    pub(super) fn given(&mut self, written: &Written) -> Result<Option<Shape>, String> {
        let mut base = &written.base;
        loop {
            match base {
                BaseType::List(item) => base = &item.base,
                BaseType::Named(name) if self.definitions.is_root(name) => return Ok(None),
                BaseType::Named(_) => return self.shape(written).map(Some),
            }
        }
    }

    /// What a field takes.
    pub(super) fn taken(
        &mut self,
        said: &[Positioned<InputValueDefinition>],
    ) -> Result<BTreeMap<Arc<str>, Taken>, String> {
        let mut taken = BTreeMap::new();
        for said in said.iter().map(|said| &said.node) {
            let name: Arc<str> = said.name.node.as_str().into();
            let argument = Taken {
                member: self.member(said)?,
                ty: said.ty.node.to_string().into(),
            };
            taken.insert(name, argument);
        }
        Ok(taken)
    }

    fn member(&mut self, said: &InputValueDefinition) -> Result<Member, String> {
        Ok(Member {
            key: said.name.node.as_str().into(),
            shape: self.shape(&said.ty.node)?,
            // Where it is left out, the source puts its default there.
            required: !said.ty.node.nullable && said.default_value.is_none(),
        })
    }

    /// Makes all types that others name.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        while let Some(own) = self.waiting.pop() {
            let called = self.called(&own)?;
            let Some(kind) = self.definitions.types.get(&own) else {
                continue;
            };
            let wrong = |why: String| format!("{own}: {why}");
            let made = self.make(&own, kind).map_err(wrong)?;
            self.made.insert(called, made);
        }
        Ok(())
    }

    fn make(&mut self, own: &Name, kind: &TypeKind) -> Result<Type, String> {
        Ok(match kind {
            TypeKind::Scalar => Type::Scalar,
            TypeKind::Enum(said) => {
                let values = said.values.iter();
                Type::Enum(
                    values
                        .map(|value| value.node.value.node.as_str().into())
                        .collect(),
                )
            }
            TypeKind::InputObject(said) => {
                let mut members = BTreeMap::new();
                for field in said.fields.iter().map(|field| &field.node) {
                    members.insert(field.name.node.as_str().into(), self.member(field)?);
                }
                Type::Input(members)
            }
            TypeKind::Object(said) => {
                // Whoever meets an object may ask for what it has in common with others.
                self.all(said.implements.iter().map(|wider| &wider.node))?;
                Type::Object(self.fields(&said.fields)?)
            }
            TypeKind::Interface(said) => {
                let wider = self.all(said.implements.iter().map(|wider| &wider.node))?;
                let definitions = self.definitions;
                let objects = self.all(definitions.objects_of(own))?;
                if objects.is_empty() {
                    return Err("no object is of this interface".to_owned());
                }
                let fields = self.fields(&said.fields)?;
                Type::Interface(Interface {
                    fields,
                    objects,
                    wider,
                })
            }
            TypeKind::Union(said) => {
                let mut members: Vec<&Name> = said.members.iter().map(|name| &name.node).collect();
                members.retain(|name| !self.definitions.is_root(name));
                Type::Union(self.all(members.into_iter())?)
            }
        })
    }

    fn all<'n>(&mut self, names: impl Iterator<Item = &'n Name>) -> Result<Vec<Arc<str>>, String> {
        names.map(|name| self.called(name)).collect()
    }

    fn fields(
        &mut self,
        said: &[Positioned<FieldDefinition>],
    ) -> Result<BTreeMap<Arc<str>, Field>, String> {
        let mut fields = BTreeMap::new();
        for field in said.iter().map(|field| &field.node) {
            let Some(shape) = self.given(&field.ty.node)? else {
                continue;
            };
            let key: Arc<str> = field.name.node.as_str().into();
            let member = Member {
                key: key.clone(),
                shape,
                required: false,
            };
            let made = match field.arguments.is_empty() {
                true => Field::Member(member),
                false => Field::Asked(Asked {
                    member,
                    arguments: self.taken(&field.arguments)?,
                }),
            };
            fields.insert(key, made);
        }
        match fields.is_empty() {
            true => Err("it has no field that can be shown".to_owned()),
            false => Ok(fields),
        }
    }
}
