//! What the model may call and whether it must: `Tool` and `ToolConfig`, read. Of tools, only
//! functions; those that Gemini runs itself can be asked of no other provider.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::gemini::member::{either, exclusive};
use crate::gemini::schema;
use crate::json::{Fault, Kind, Value};
use crate::llm::{Choose, Request, Tool};

/// Reads `tools` and `toolConfig` into `request`.
///
/// # Errors
/// If a tool is no function, or the configuration speaks of functions there are not.
pub(super) fn read<'a>(
    tools: Option<Value<'a, '_>>,
    choose: Option<Value<'a, '_>>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    if let Some(tools) = tools {
        tools.one_or_more(&mut |tool| declared(tool, &mut request.tools))?;
    }
    let Some(choose) = choose else { return Ok(()) };
    let [calling, calling_] = choose.pick(["functionCallingConfig", "function_calling_config"])?;
    match either(calling, calling_)? {
        Some(calling) => choice(calling, request),
        None => Ok(()),
    }
}

fn declared<'a>(tool: Value<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<(), Fault> {
    let mut other = None;
    let [functions, functions_] = tool.members(
        ["functionDeclarations", "function_declarations"],
        &mut |name| other = Some(format!("{}.{name}", tool.path())),
    )?;
    if let Some(path) = other {
        let fault = tool.fault(
            Kind::OutOfRange,
            "tools that Gemini runs itself are only passed through, to Gemini itself",
            "declare functions",
        );
        return Err(fault.at_path(path));
    }
    let Some(functions) = either(functions, functions_)? else {
        return Ok(());
    };
    functions.elements(&mut |value| {
        tools.push(function(value)?);
        Ok(())
    })
}

fn function<'a>(value: Value<'a, '_>) -> Result<Tool<'a>, Fault> {
    let [name, description, parameters, json, json_] = value.pick([
        "name",
        "description",
        "parameters",
        "parametersJsonSchema",
        "parameters_json_schema",
    ])?;
    let json = either(json, json_)?;
    exclusive(parameters, json, "send parameters or parametersJsonSchema")?;
    let name = name.ok_or_else(|| value.missing("name", "name the function"))?;
    Ok(Tool {
        name: name.text()?,
        description: description.map(|text| text.text()).transpose()?,
        parameters: match (parameters, json) {
            (Some(parameters), _) => Some(schema::read(&parameters)?),
            (None, Some(json)) => Some(json.json_object()?),
            (None, None) => None,
        },
        strict: None,
    })
}

/// Reads `functionCallingConfig`. Functions that are not allowed are left out of the request, which
/// is the same to the model; `VALIDATED` is `AUTO` with every function strict.
fn choice<'a>(value: Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    let [mode, allowed, allowed_] =
        value.pick(["mode", "allowedFunctionNames", "allowed_function_names"])?;
    let allowed = either(allowed, allowed_)?;
    let word = mode.map_or(Ok(Cow::Borrowed("AUTO")), |mode| mode.text())?;
    let (choose, may_allow) = match (&*word, mode) {
        ("" | "AUTO" | "MODE_UNSPECIFIED", _) => (Choose::Auto, false),
        ("NONE", _) => (Choose::None, false),
        ("ANY", _) => (Choose::Any, true),
        ("VALIDATED", _) => (Choose::Auto, true),
        (_, mode) => {
            let at = mode.unwrap_or(value);
            return Err(at.unknown_word("say AUTO, ANY, VALIDATED or NONE"));
        }
    };
    let mut one = false;
    if let Some(names) = allowed {
        let names = known(names, &request.tools)?;
        one = names.len() == 1;
        if !names.is_empty() && !may_allow {
            return Err(value.fault(
                Kind::Conflict,
                "allowedFunctionNames stands beside a mode that takes none",
                "set the mode to ANY or VALIDATED",
            ));
        }
        if !names.is_empty() {
            request.tools.retain(|tool| names.contains(&tool.name));
        }
    }
    if word == "VALIDATED" {
        for tool in &mut request.tools {
            tool.strict = Some(true);
        }
    }
    request.choose = Some(match (choose, &request.tools[..]) {
        (Choose::Any, [only]) if one => Choose::Tool(only.name.clone()),
        (choose, _) => choose,
    });
    Ok(())
}

fn known<'a>(names: Value<'a, '_>, tools: &[Tool<'_>]) -> Result<HashSet<Cow<'a, str>>, Fault> {
    let declared: HashSet<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let mut known = HashSet::new();
    names.elements(&mut |value| {
        let name = value.text()?;
        if !declared.contains(&*name) {
            return Err(value.fault(
                Kind::OutOfRange,
                "no function of this name is declared",
                "declare it in tools",
            ));
        }
        known.insert(name);
        Ok(())
    })?;
    Ok(known)
}
