//! `weir route`: which route a request would take, and why.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{Failure, Terminal, load};
use crate::config::Config;
use crate::config::listeners::Listener;
use crate::config::policies::Provenance;
use crate::config::routes::{Route, rules};
use crate::routing::{Outcome, Query, Router, normalise};

/// Tells which route a request would take, which others were considered, and
/// which policies would apply. Nothing is sent. Exits with 1 if no route takes it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The method, as GET
    method: Method,
    /// The URL, as http://shop.example.com/orders/1, or a path
    url: Uri,
    /// A YAML file, or a directory of them
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// A header field of the request, as "x-user: 1"
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The listener it comes in on; the first, if not said
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
}

/// Reads `name: value`.
fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as \"name: value\"")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| format!("\"{name}\" is no header name"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "the value cannot be sent in a header")?;
    Ok((name, value))
}

/// Prints the route, its policies, and the rules considered.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let loaded = load(&arguments.config, terminal)?;
    let config = &loaded.config;
    let listener = listener(config, arguments.listener.as_deref())?;
    let router = Router::build(rules(&config.routes))
        .map_err(|conflicts| Failure::Told(format!("{} rules can never match", conflicts.len())))?;
    let path =
        normalise(arguments.url.path()).map_err(|refused| Failure::Told(refused.to_string()))?;
    let headers: HeaderMap = arguments.headers.iter().cloned().collect();
    let query = Query {
        listener: &listener.name,
        host: arguments.url.host().unwrap_or_default(),
        path: &path,
        query: arguments.url.query(),
        method: &arguments.method,
        headers: &headers,
    };
    let name = |route: usize| config.routes.get(route).map_or("", |route| &*route.name);
    let outcome = router.find(&query);
    if let Outcome::Found {
        route,
        captures,
        asks,
        ..
    } = &outcome
    {
        writeln!(terminal.out, "route: {} (by {asks})", name(*route))?;
        for (capture, value) in captures.iter() {
            writeln!(terminal.out, "capture: {capture} = {value}")?;
        }
        if let Some(route) = config.routes.get(*route) {
            print_route(route, terminal)?;
        }
    }
    writeln!(terminal.out, "considered:")?;
    for line in router.explain(&query) {
        let mark = if line.chosen { "*" } else { " " };
        writeln!(
            terminal.out,
            "{mark} {}: {}{}: {}",
            name(line.route),
            line.host,
            line.pattern,
            line.verdict
        )?;
    }
    conclude(outcome)
}

/// The listener asked for, or the first.
fn listener<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Listener, Failure> {
    let mut listeners = config.listeners.iter().map(|listener| &**listener);
    match name {
        Some(name) => listeners
            .find(|listener| *listener.name == *name)
            .ok_or_else(|| Failure::Told(format!("there is no listener \"{name}\""))),
        None => listeners
            .next()
            .ok_or_else(|| Failure::Told("there is no listener".to_owned())),
    }
}

/// That no route takes a request is a failure, told as its caller would be.
fn conclude(outcome: Outcome<'_>) -> Result<(), Failure> {
    let why = match outcome {
        Outcome::Found { .. } => return Ok(()),
        Outcome::NotFound => "no route takes this request (404)".to_owned(),
        Outcome::MethodNotAllowed { allow } => {
            let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
            format!(
                "no route takes this method (405); {} would do",
                allow.join(", ")
            )
        }
        Outcome::Refused(refused) => format!("the path is refused (400): {refused}"),
    };
    Err(Failure::Told(why))
}

fn print_route(route: &Route, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if let Some(team) = &route.team {
        writeln!(terminal.out, "team: {team}")?;
    }
    writeln!(terminal.out, "action: {}", route.action.kind())?;
    for policy in &route.policies {
        let from = match policy.from {
            Provenance::Enforced => " (enforced)",
            Provenance::Route => "",
            Provenance::Default => " (default)",
        };
        writeln!(terminal.out, "policy: {}{from}", policy.config.kind())?;
    }
    Ok(())
}
