//! The `google.api.http` rule of a method (google/api/http.proto), as written, and what else its options say. Does not know what a
//! pattern means, nor which fields there are.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};

use super::{Fault, builtin};

/// One way to call a method over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The method of the request, or `*` for any.
    pub http_method: String,
    /// The template of its path.
    pub pattern: String,
    /// What the request's body is.
    pub body: Body,
    /// The one field of the answer that is sent; all of it, if none is named.
    pub response_body: Option<String>,
}

/// What the body of an HTTP request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: what the path does not say, the query does.
    None,
    /// The message, apart from what the path says.
    Whole,
    /// One field of it; the query says the rest.
    Field(String),
}

/// Whether a method's options say that it changes nothing.
pub(super) fn only_reads(method: &MethodDescriptor) -> bool {
    const IDEMPOTENCY_LEVEL: u32 = 34;
    const NO_SIDE_EFFECTS: i32 = 1;
    let options = method.options();
    let level = options.get_field_by_number(IDEMPOTENCY_LEVEL);
    level.and_then(|level| level.as_enum_number()) == Some(NO_SIDE_EFFECTS)
}

/// The rules of a method: its own and the additional ones.
pub(super) fn read(method: &MethodDescriptor, path: &str) -> Result<Vec<Rule>, Fault> {
    let fault = |why: String| Fault::Rule {
        method: path.to_owned(),
        why,
    };
    let options = method.options().encode_to_vec();
    if options.is_empty() {
        return Ok(Vec::new());
    }
    // Read again with a definition of ours: the set may have none, or another.
    let Some((descriptor, extension)) = builtin::http_option() else {
        return Ok(Vec::new());
    };
    let options = DynamicMessage::decode(descriptor, &*options)
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    if !options.has_extension(&extension) {
        return Ok(Vec::new());
    }
    let rule = options.get_extension(&extension);
    let Some(rule) = rule.as_message() else {
        return Ok(Vec::new());
    };
    let additional = rule.get_field_by_name("additional_bindings");
    let additional = additional.as_deref().and_then(|value| value.as_list());
    let additional = additional.unwrap_or_default().iter();
    let mut rules = vec![one(rule).map_err(fault)?];
    for binding in additional.filter_map(|value| value.as_message()) {
        if binding.has_field_by_name("additional_bindings") {
            return Err(fault("nests additional_bindings, which may not be".into()));
        }
        rules.push(one(binding).map_err(fault)?);
    }
    Ok(rules)
}

fn one(rule: &DynamicMessage) -> Result<Rule, String> {
    let text = |message: &DynamicMessage, name: &str| {
        let value = message.get_field_by_name(name)?;
        Some(value.as_str()?.to_owned())
    };
    let methods = ["get", "put", "post", "delete", "patch"];
    let said = methods.iter().find(|name| rule.has_field_by_name(name));
    let (http_method, pattern) = if let Some(name) = said {
        (Some(name.to_ascii_uppercase()), text(rule, name))
    } else if let Some(custom) = rule.get_field_by_name("custom")
        && let Some(custom) = custom.as_message()
    {
        (text(custom, "kind"), text(custom, "path"))
    } else {
        (None, None)
    };
    let named = |text: &String| !text.is_empty();
    let (Some(http_method), Some(pattern)) = (http_method.filter(named), pattern.filter(named))
    else {
        return Err(
            "names no HTTP method with a path: it is one of get, put, post, delete, patch, \
                    or custom with a kind and a path"
                .into(),
        );
    };
    let body = match text(rule, "body").filter(named) {
        None => Body::None,
        Some(all) if all == "*" => Body::Whole,
        Some(field) => Body::Field(field),
    };
    Ok(Rule {
        http_method,
        pattern,
        body,
        response_body: text(rule, "response_body").filter(named),
    })
}
