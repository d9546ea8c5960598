//! A GraphQL server of customers and what they buy, for graphs to be composed of.

use async_graphql::{
    EmptySubscription, Enum, Error, ErrorExtensions as _, ID, InputObject, Interface, Object,
    Request, Scalar, ScalarType, Schema, SimpleObject, Union, Value,
};
use futures_util::FutureExt as _;
use weir_tests::Behaviour;
use weir_tests::upstream::{Step, When};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum State {
    Open,
    Paid,
}

struct Day(String);

#[Scalar]
impl ScalarType for Day {
    fn parse(value: Value) -> async_graphql::InputValueResult<Self> {
        match value {
            Value::String(day) => Ok(Self(day)),
            other => Err(async_graphql::InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        // A scalar may be anything: this one is an object.
        async_graphql::value!({ "day": self.0.clone() })
    }
}

#[derive(SimpleObject)]
struct Purchase {
    id: ID,
    total: f64,
}

struct Customer(String);

#[Object]
impl Customer {
    async fn id(&self) -> ID {
        ID(self.0.clone())
    }

    async fn name(&self) -> String {
        format!("Name of {}", self.0)
    }

    async fn since(&self, zone: Option<String>) -> Day {
        Day(zone.unwrap_or_else(|| "UTC".to_owned()))
    }

    async fn secret(&self) -> Result<Option<String>, Error> {
        let error = Error::new("secrets are closed today");
        Err(error.extend_with(|_, extensions| extensions.set("code", "CLOSED")))
    }

    async fn purchases(
        &self,
        #[graphql(default = 2)] first: usize,
        state: Option<State>,
    ) -> Vec<Purchase> {
        let total = if state == Some(State::Paid) { 1.5 } else { 2.5 };
        let each = (0..first).map(|n| Purchase {
            id: ID(format!("{}{n}", self.0)),
            total,
        });
        each.collect()
    }
}

struct Company(String);

#[Object]
impl Company {
    async fn id(&self) -> ID {
        ID(self.0.clone())
    }

    async fn name(&self) -> Option<i32> {
        Some(7)
    }

    async fn staff(&self) -> Vec<Customer> {
        vec![Customer("x".to_owned())]
    }
}

#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
enum Node {
    Customer(Customer),
    Company(Company),
}

#[derive(Union)]
enum Found {
    Customer(Customer),
    Company(Company),
}

#[derive(InputObject)]
struct Rename {
    id: ID,
    #[graphql(default_with = "\"nobody\".to_owned()")]
    name: String,
}

pub struct Query;

#[Object]
impl Query {
    async fn customer(&self, id: ID) -> Result<Option<Customer>, Error> {
        match id.as_str() {
            "nobody" => Ok(None),
            "broken" => Err(Error::new("no such luck")),
            _ => Ok(Some(Customer(id.to_string()))),
        }
    }

    async fn count(&self) -> i32 {
        3
    }

    async fn search(&self, text: String) -> Vec<Found> {
        vec![
            Found::Customer(Customer(text.clone())),
            Found::Company(Company(text)),
        ]
    }

    async fn customers(&self, ids: Vec<ID>) -> Vec<Option<Customer>> {
        let known = |id: ID| (id.as_str() != "nobody").then(|| Customer(id.to_string()));
        ids.into_iter().map(known).collect()
    }

    async fn nodes(&self, ids: Vec<ID>) -> Vec<Option<Node>> {
        let known = |id: ID| (id.as_str() != "nobody").then(|| Customer(id.to_string()));
        ids.into_iter()
            .map(|id| known(id).map(Node::Customer))
            .collect()
    }

    async fn node(&self, id: ID) -> Option<Node> {
        Some(match id.strip_prefix("c") {
            Some(rest) => Node::Company(Company(rest.to_owned())),
            None => Node::Customer(Customer(id.to_string())),
        })
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn rename(&self, input: Rename) -> Customer {
        Customer(format!("{}-{}", input.id.as_str(), input.name))
    }
}

pub type Shop = Schema<Query, Mutation, EmptySubscription>;

pub fn schema() -> Shop {
    Schema::new(Query, Mutation, EmptySubscription)
}

/// What answers as the server does.
pub fn server() -> Behaviour {
    let schema = schema();
    Behaviour::new(When::Whole, move |request| {
        let asked: Request = serde_json::from_value(request.json()).expect("a request");
        let answer = schema.execute(asked).now_or_never().expect("nothing waits");
        let body = serde_json::to_string(&answer).expect("JSON");
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        vec![Step::Send([head, body].concat().into_bytes())]
    })
}
