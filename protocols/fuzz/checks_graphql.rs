//! What must hold of any bytes that are read as GraphQL, as a request for it, or as what a caller
//! accepts of it.

use serde_json::Value;
use weir_protocols::graphql::document::cost::Costs;
use weir_protocols::graphql::document::{Document, Measure};
use weir_protocols::graphql::limits::Limits;
use weir_protocols::graphql::request::{Request, Requests, from_json, from_query};
use weir_protocols::graphql::transport_ws::{self, Message, Session};
use weir_protocols::graphql::{Fault, lex, response};

/// Tokens are counted as by a lexer that keeps them, fragments change no measure, and what is read of a
/// request is what a tree parser reads.
pub fn graphql(data: &[u8]) {
    body(data);
    message(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    tokens(text);
    document(text);
    query_string(text);
    answer(text);
}

/// What is read of a message is what a tree parser reads, written anew it is read as the same, and it
/// begins one operation or none.
fn message(data: &[u8]) {
    let Ok(message) = transport_ws::read(data) else {
        return;
    };
    // A tree is not read as deep.
    let Ok(tree) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    if let Message::Subscribe { id, payload } = &message {
        assert_eq!(
            (tree["type"].as_str(), tree["id"].as_str()),
            (Some("subscribe"), Some(&**id))
        );
        let inner: Value = serde_json::from_str(payload).expect("a payload is JSON");
        assert_eq!(inner, tree["payload"]);
        let written = transport_ws::subscribe(id, payload.as_bytes()).expect("it is JSON");
        assert_eq!(transport_ws::read(&written).ok().as_ref(), Some(&message));
    }
    let mut session = Session::default();
    session.heard(r#"{"type":"connection_ack"}"#);
    let said = session.said(&message);
    assert!(said.is_ok(), "{said:?}");
    assert_eq!(
        session.in_flight(),
        usize::from(matches!(message, Message::Subscribe { .. }))
    );
    if let Ok(text) = std::str::from_utf8(data) {
        session.heard(text);
    }
    assert!(session.in_flight() <= 1);
}

const UNBOUNDED: lex::Limits = lex::Limits {
    tokens: u64::MAX,
    nesting: u64::MAX,
};

fn tokens(text: &str) {
    let counted = lex::count(text, UNBOUNDED);
    let kept = lex_all(text);
    if matches!(counted, Err(Fault::FragmentCycle(_))) {
        let written = |word: &str| kept.iter().flatten().any(|token| *token == word);
        assert!(written("fragment") && written("..."), "{kept:?}");
        return;
    }
    let counted = counted.ok();
    assert_eq!(
        counted.map(|count| count.tokens),
        kept.as_ref().map(|tokens| tokens.len() as u64),
        "{kept:?}"
    );
    let (Some(count), Some(tokens)) = (counted, kept) else {
        return;
    };
    let mut depths = tokens.iter().scan(0_u64, |open, token| {
        match token.as_str() {
            "{" | "[" | "(" => *open += 1,
            "}" | "]" | ")" => *open = open.saturating_sub(1),
            _ => {}
        }
        Some(*open)
    });
    let deepest = depths.by_ref().max().unwrap_or(0);
    assert_eq!(count.nesting, deepest);
    let exact = lex::Limits {
        tokens: count.tokens,
        nesting: count.nesting,
    };
    assert_eq!(lex::count(text, exact).ok(), Some(count));
    for (tokens, nesting) in [(1, 0), (0, 1)] {
        let less = lex::Limits {
            tokens: count.tokens.saturating_sub(tokens),
            nesting: count.nesting.saturating_sub(nesting),
        };
        assert_eq!(lex::count(text, less).is_ok(), less == exact);
    }
}

/// The tokens, by a lexer that goes by characters and cuts off one after the other; `None` if something
/// is none.
fn lex_all(text: &str) -> Option<Vec<String>> {
    // The last is the next, so that it can be taken off.
    let mut rest: Vec<char> = text.chars().rev().collect();
    let mut tokens = Vec::new();
    while let Some(first) = rest.pop() {
        match first {
            ' ' | '\t' | '\r' | '\n' | ',' | '\u{feff}' => {}
            '#' => while rest.pop_if(|c| !matches!(c, '\r' | '\n')).is_some() {},
            '"' => tokens.push(lex_string(&mut rest)?.to_owned()),
            '.' if starts(&rest, "..") => {
                rest.truncate(rest.len() - 2);
                tokens.push("...".to_owned());
            }
            c if "!$&():=@[]{|}".contains(c) => tokens.push(c.to_string()),
            c if c == '_' || c.is_ascii_alphabetic() => {
                let mut name = c.to_string();
                while let Some(c) = rest.pop_if(|c| *c == '_' || c.is_ascii_alphanumeric()) {
                    name.push(c);
                }
                tokens.push(name);
            }
            c if c == '-' || c.is_ascii_digit() => tokens.push(lex_number(c, &mut rest)?),
            _ => return None,
        }
    }
    Some(tokens)
}

fn starts(rest: &[char], with: &str) -> bool {
    let next = rest.iter().rev().take(with.len());
    next.copied().eq(with.chars())
}

fn lex_string(rest: &mut Vec<char>) -> Option<&'static str> {
    if !starts(rest, "\"\"") {
        loop {
            match rest.pop()? {
                '"' => return Some("string"),
                '\r' | '\n' => return None,
                '\\' if matches!(rest.last(), Some('"' | '\\')) => drop(rest.pop()),
                _ => {}
            }
        }
    }
    rest.truncate(rest.len() - 2);
    while !starts(rest, "\"\"\"") {
        match starts(rest, "\\\"\"\"") {
            true => rest.truncate(rest.len() - 4),
            false => drop(rest.pop()?),
        }
    }
    rest.truncate(rest.len() - 3);
    Some("block string")
}

/// Greedy, with whatever may not follow a number: it is judged as a whole.
fn lex_number(first: char, rest: &mut Vec<char>) -> Option<String> {
    let mut number = first.to_string();
    while let Some(c) = rest.pop_if(|c| matches!(c, '_' | '.') || c.is_ascii_alphanumeric()) {
        number.push(c);
        if matches!(c, 'e' | 'E')
            && let Some(sign) = rest.pop_if(|c| matches!(c, '+' | '-'))
        {
            number.push(sign);
        }
    }
    is_number(&number).then_some(number)
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let unsigned = |text: &str| digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(unsigned)
}

fn document(text: &str) {
    let Some(measure) = measured(text) else {
        return;
    };
    let limits = Limits {
        tokens: 0,
        depth: measure.depth,
        aliases: measure.aliases,
        directives: measure.directives,
        root_fields: measure.root_fields,
        cost: measure.cost,
    };
    assert_eq!(limits.check(&measure), Ok(()));
    assert!(measure.depth >= 1 && measure.root_fields >= 1);
    assert!(measure.cost >= measure.root_fields && measure.cost >= measure.depth);
    // A selection set by itself is a query; as the body of a fragment, or twice, it asks for the same.
    if !text.starts_with('{') || text.contains("W_") {
        return;
    }
    let within = measured(&format!("{{...W_}} fragment W_ on T {text}"));
    assert_eq!(within, Some(measure));
    let twice = measured(&format!("{{...W_ ...W_}} fragment W_ on T {text}"));
    let doubled = Measure {
        aliases: measure.aliases.saturating_mul(2),
        directives: measure.directives.saturating_mul(2),
        root_fields: measure.root_fields.saturating_mul(2),
        cost: measure.cost.saturating_mul(2),
        ..measure
    };
    assert_eq!(twice, Some(doubled));
}

fn measured(text: &str) -> Option<Measure> {
    let document = Document::parse(text, 100_000).ok()?;
    let counted = lex::count(text, UNBOUNDED).expect("it is counted before it is parsed");
    assert_eq!(document.tokens(), counted.tokens);
    let operation = document.operation(None).ok()?;
    operation.measure(&Costs::default(), None).ok()
}

/// A body, against a parse of all of it.
fn body(data: &[u8]) {
    let requests = match from_json(data, 3) {
        Ok(Requests::One(request)) => vec![request],
        Ok(Requests::Batch(batch)) => batch,
        Err(fault) => {
            assert!(fault.byte <= data.len());
            return;
        }
    };
    // A tree cannot hold lone surrogates or great depth; nor need it.
    let Ok(tree) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    assert!((1..=3).contains(&requests.len()));
    for (index, request) in requests.iter().enumerate() {
        let tree = tree.get(index).unwrap_or(&tree);
        let text = |name: &str| tree[name].as_str().filter(|text| !text.is_empty());
        assert_eq!(request.query.as_deref(), text("query"));
        assert_eq!(request.operation_name.as_deref(), text("operationName"));
        let variables = request.variables.as_ref();
        assert_eq!(variables.is_some(), tree["variables"].is_object());
        assert_eq!(request.extensions.is_some(), tree["extensions"].is_object());
        let hash = &tree["extensions"]["persistedQuery"]["sha256Hash"];
        let persisted = request.persisted.as_ref();
        assert_eq!(persisted.map(|found| &*found.sha256), hash.as_str());
        again_by_query_string(request);
    }
}

/// The same request as a GET.
fn again_by_query_string(request: &Request<'_>) {
    let encoded =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let mut query = String::new();
    for (name, value) in [
        ("query", request.query.as_deref()),
        ("operationName", request.operation_name.as_deref()),
        (
            "variables",
            request.variables.as_ref().map(|json| json.get()),
        ),
        (
            "extensions",
            request.extensions.as_ref().map(|json| json.get()),
        ),
    ] {
        if let Some(value) = value {
            query.push_str(&format!("{}={}&", encoded(name), encoded(value)));
        }
    }
    assert_eq!(from_query(&query).as_ref(), Ok(request));
}

fn query_string(text: &str) {
    if let Ok(request) = from_query(text) {
        assert!(
            request.query.is_some() || request.persisted.is_some() || request.document_id.is_some()
        );
        again_by_query_string(&request);
    }
}

fn answer(text: &str) {
    if response::negotiate(Some(text)).is_none() {
        // Whoever accepts neither accepts neither by saying so twice.
        assert_eq!(response::negotiate(Some(&format!("{text},{text}"))), None);
    }
    let error = response::Error {
        message: text,
        place: None,
        code: "code",
        extra: &[],
    };
    let mut out = Vec::new();
    response::write(&mut out, &[error]);
    let tree: Value = serde_json::from_slice(&out).expect("an error is JSON");
    assert_eq!(tree["errors"][0]["message"], text);
}
