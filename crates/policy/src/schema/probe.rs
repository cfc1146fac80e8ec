//! What must hold of every definition and every call, for fuzzers and tests.

use callgate_core::ToolName;
use callgate_text::Json;
use cedar_policy::{Context, Entities, EntityUid, Request, Schema};

use super::{Overlay, ToolType};
use crate::value::{Ancestors, value_entity_types};

/// How far hostile bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The definition or the arguments are not JSON.
    NotJson,
    /// The definition has no typed action.
    NoType,
    /// The arguments were refused.
    Refused,
    /// The arguments were lifted.
    Lifted,
}

/// Maps the tool `definition` and lifts `arguments`.
///
/// # Errors
/// A broken invariant: Cedar refused the generated schema or what was lifted, or the tool's schema did.
pub fn probe(definition: &[u8], arguments: &[u8], overlay: &Overlay) -> Result<Probed, String> {
    let Ok(Json::Object(arguments)) = Json::parse(arguments) else { return Ok(Probed::NotJson) };
    let Ok(definition) = Json::parse(definition) else { return Ok(Probed::NotJson) };
    let name: ToolName = "probe.tool".parse().map_err(|error| format!("{error}"))?;
    let Ok(tool) = ToolType::from_definition(&name, &definition, overlay) else { return Ok(Probed::NoType) };
    let schema = format!(
        "{}entity Agent; entity Server;\naction \"{name}\" appliesTo {{ principal: Agent, resource: Server, \
         context: {{ \"input\": {}, \"common\": {} }} }};",
        value_entity_types(),
        tool.input_type(),
        tool.common_type(),
    );
    let (schema, _) = Schema::from_cedarschema_str(&schema).map_err(|error| format!("{error}: {schema}"))?;
    let uid = |text: &str| text.parse::<EntityUid>().map_err(|error| error.to_string());
    let named = Ancestors::collect([uid(r#"Path::"/workspace""#)?, uid(r#"Path::".""#)?, uid(r#"Domain::"com""#)?]);
    let Ok(lifted) = tool.lift(Some(&arguments), &named) else { return Ok(Probed::Refused) };
    if !tool.check.accepts(&arguments) {
        return Err("lifted, though the tool's schema refuses it".to_owned());
    }
    let context = Context::from_pairs([("input".to_owned(), lifted.input), ("common".to_owned(), lifted.common)])
        .map_err(|error| error.to_string())?;
    let action = uid(&format!("Action::{:?}", name.as_str()))?;
    Request::new(uid(r#"Agent::"a""#)?, action, uid(r#"Server::"s""#)?, context, Some(&schema))
        .map_err(|error| format!("{error}; {}", tool.input_type()))?;
    Entities::from_entities(lifted.entities, Some(&schema)).map_err(|error| error.to_string())?;
    Ok(Probed::Lifted)
}
