//! What servers say of their schemas when they are asked, in the definition language. Reads what is needed
//! to call them, and neither descriptions nor directives.

use std::fmt::Write as _;

use serde_json::Value;

/// The schema; `Err` says what is wrong with it.
pub(super) fn print(text: &str) -> Result<String, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let schema = [&json["data"]["__schema"], &json["__schema"]];
    let schema = schema.into_iter().find(|schema| schema.is_object());
    let schema = schema.ok_or("it has no key `__schema`")?;
    let mut out = String::new();
    let roots = [
        ("query", "queryType"),
        ("mutation", "mutationType"),
        ("subscription", "subscriptionType"),
    ];
    let roots = roots.map(|(root, key)| match schema[key]["name"].as_str() {
        Some(name) => format!("{root}: {name} "),
        None => String::new(),
    });
    line(&mut out, format_args!("schema {{ {} }}", roots.concat()));
    for ty in each(&schema["types"]) {
        let name = name(ty)?;
        if !name.starts_with("__") {
            define(&mut out, name, ty)?;
        }
    }
    Ok(out)
}

fn define(out: &mut String, called: &str, ty: &Value) -> Result<(), String> {
    let names = |of: &Value, between: &str| {
        let names = each(of).map(name).collect::<Result<Vec<_>, _>>();
        names.map(|names| names.join(between))
    };
    match ty["kind"].as_str() {
        Some("SCALAR") => line(out, format_args!("scalar {called}")),
        Some("ENUM") => {
            let values = names(&ty["enumValues"], " ")?;
            line(out, format_args!("enum {called} {{ {values} }}"));
        }
        Some("UNION") => {
            let members = names(&ty["possibleTypes"], " | ")?;
            line(out, format_args!("union {called} = {members}"));
        }
        Some("INPUT_OBJECT") => {
            let members = taken(&ty["inputFields"])?.join(" ");
            line(out, format_args!("input {called} {{ {members} }}"));
        }
        Some(kind @ ("OBJECT" | "INTERFACE")) => {
            let kind = if kind == "OBJECT" {
                "type"
            } else {
                "interface"
            };
            let wider = names(&ty["interfaces"], " & ")?;
            let implements = match wider.is_empty() {
                true => String::new(),
                false => format!("implements {wider} "),
            };
            let mut fields = String::new();
            for field in each(&ty["fields"]) {
                let arguments = taken(&field["args"])?.join(", ");
                let arguments = match arguments.is_empty() {
                    true => String::new(),
                    false => format!("({arguments})"),
                };
                let shape = shape(&field["type"])?;
                let _ = write!(fields, "{}{arguments}: {shape} ", name(field)?);
            }
            line(
                out,
                format_args!("{kind} {called} {implements}{{ {fields}}}"),
            );
        }
        _ => return Err(format!("{called} is of no kind")),
    }
    Ok(())
}

fn taken(of: &Value) -> Result<Vec<String>, String> {
    let each = each(of).map(|value| {
        let (name, shape) = (name(value)?, shape(&value["type"])?);
        Ok(match value["defaultValue"].as_str() {
            Some(default) => format!("{name}: {shape} = {default}"),
            None => format!("{name}: {shape}"),
        })
    });
    each.collect()
}

fn shape(of: &Value) -> Result<String, String> {
    match of["kind"].as_str() {
        Some("NON_NULL") => Ok(format!("{}!", shape(&of["ofType"])?)),
        Some("LIST") => Ok(format!("[{}]", shape(&of["ofType"])?)),
        _ => name(of).map(str::to_owned),
    }
}

fn name(of: &Value) -> Result<&str, String> {
    let why = "a type is cut off or without a name; ask with more `ofType` within each other";
    of["name"].as_str().ok_or_else(|| why.to_owned())
}

fn each(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
