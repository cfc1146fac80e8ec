//! Every action that a call can be: the pinned tools and MCP's own methods, their groups, and the Cedar
//! schema that follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use callgate_core::{ServerName, Subject, ToolName};
use callgate_text::{Digest, Json};
use cedar_policy::{Entity, EntityUid, Schema};

use crate::built_in;
use crate::config::{self, Config};
use crate::entities::{Declarations, Sort, uid};
use crate::facts::FactPlan;
use crate::finding::{Finding, LoadError, Rule};
use crate::operations::{self, Operation};
use crate::pins::{self, Pin};
use crate::protocol::METHODS;
use crate::schema::{Overlay, ToolType};

/// Groups that always exist, whether or not a tool is in them.
const CAPABILITIES: &[&str] = &["destructive", "egress", "finance", "read"];
/// The groups whose tools do harm that cannot be undone.
const DANGEROUS: &[&str] = &["destructive", "egress", "finance"];

/// One action.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: ToolName,
    pub(crate) uid: EntityUid,
    /// The resource of the action.
    pub(crate) server: EntityUid,
    /// The groups that it is in, the server among them.
    pub(crate) groups: BTreeSet<String>,
    /// The digest of the pinned definition; `None` for the protocol's methods.
    pub(crate) pinned: Option<Digest>,
    /// The gate's own operation, if it is one.
    pub(crate) operation: Option<Operation>,
    /// The sandbox's profile under which it runs, if it runs contained.
    pub(crate) profile: Option<Arc<str>>,
    /// The protocol method, if it is one.
    pub(crate) method: Option<&'static str>,
    /// Why the tool is dangerous, if it is.
    pub(crate) danger: Option<&'static str>,
    pub(crate) kind: ToolType,
    /// The arguments to which the overlay gives a kind.
    pub(crate) kinds: BTreeSet<String>,
    /// The action entity, its groups as parents.
    pub(crate) entity: Entity,
    /// The declaration in the schema.
    declaration: String,
}

/// All actions, and what they stand on.
#[derive(Debug)]
pub(crate) struct Catalogue {
    actions: Vec<Action>,
    by_name: BTreeMap<ToolName, usize>,
    members: BTreeMap<String, Vec<usize>>,
    prelude: String,
    pub(crate) schema: Schema,
    pub(crate) pins: BTreeMap<ServerName, Pin>,
}

impl Catalogue {
    pub(crate) fn build(
        config: &Config,
        config_text: &Arc<str>,
        pins: Vec<Pin>,
        declarations: &Declarations,
        facts: &FactPlan,
    ) -> Result<Self, LoadError> {
        let mut findings = Vec::new();
        check_names(config, config_text, &pins, &mut findings);
        let mut actions = Vec::new();
        for pin in &pins {
            for (name, definition) in &pin.tools {
                let overlay = built_in::overlay(name, config);
                match Action::of_tool(name, definition, &overlay, facts) {
                    Ok(action) => actions.push(action),
                    Err(message) => findings.push(pin.finding(name, Rule::BadTool, message)),
                }
            }
            for method in METHODS {
                let made = ToolName::of(&pin.server, method.name).map_err(|error| error.to_string());
                let made = made.and_then(|name| {
                    let overlay = method.overlay();
                    let mut action = Action::of_tool(&name, &method.definition(), &overlay, facts)?;
                    (action.pinned, action.method) = (None, Some(method.name));
                    action.join(method.name, facts)?;
                    Ok(action)
                });
                match made {
                    Ok(action) => actions.push(action),
                    Err(message) => findings.push(Finding::new(Rule::BadTool, Arc::clone(&pin.file), message)),
                }
            }
        }
        for operation in Operation::ALL {
            let overlay = operation.name().ok().and_then(|name| config.tool.get(&name)).cloned().unwrap_or_default();
            match Action::of_operation(operation, overlay, facts) {
                Ok(action) => actions.push(action),
                Err(message) => findings.push(Finding::new(Rule::BadTool, "", message)),
            }
        }
        if !findings.is_empty() {
            return Err(findings.into());
        }
        let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for group in CAPABILITIES.iter().copied().chain(METHODS.iter().map(|method| method.name)) {
            members.insert(group.to_owned(), Vec::new());
        }
        let mut by_name = BTreeMap::new();
        for (index, action) in actions.iter().enumerate() {
            if by_name.insert(action.name.clone(), index).is_some() {
                let message =
                    format!("{} is both a tool and a method of the protocol or an operation of the gate", action.name);
                return Err(Finding::new(Rule::BadPin, "", message).into());
            }
            for group in &action.groups {
                members.entry(group.clone()).or_default().push(index);
            }
        }
        let prelude = prelude(declarations, facts, members.keys())?;
        let pins = pins.into_iter().map(|pin| (pin.server.clone(), pin)).collect();
        let schema = schema(&prelude, &actions)?;
        Ok(Self { actions, by_name, members, prelude, schema, pins })
    }

    /// Whether there is such a server: a pinned one, or the gate itself.
    pub(crate) fn has_server(&self, name: &str) -> bool {
        name == operations::SERVER || self.pins.keys().any(|server| server.as_str() == name)
    }

    pub(crate) fn actions(&self) -> &[Action] {
        &self.actions
    }

    pub(crate) fn find(&self, name: &ToolName) -> Option<(usize, &Action)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.actions.get(index)?))
    }

    /// The actions in a group, or the one of that name.
    pub(crate) fn covered(&self, id: &str) -> &[usize] {
        self.members.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether `Action::"id"` is declared, as an action or as a group.
    pub(crate) fn declares(&self, id: &str) -> bool {
        self.members.contains_key(id) || self.named(id).is_some()
    }

    /// The action of this name.
    pub(crate) fn named(&self, id: &str) -> Option<usize> {
        self.by_name.get(&id.parse::<ToolName>().ok()?).copied()
    }

    /// The schema text of only these actions, beside everything that is not an action: enough to validate a
    /// policy that covers no other, and its digest changes exactly when that could.
    pub(crate) fn excerpt(&self, actions: &BTreeSet<usize>) -> String {
        let mut text = self.prelude.clone();
        for action in actions.iter().filter_map(|index| self.actions.get(*index)) {
            text.push_str(&action.declaration);
        }
        text
    }

    /// Everything of it that can change a verdict.
    pub(crate) fn to_json(&self) -> Json {
        let actions = self.actions.iter().map(|action| {
            let members =
                [("declaration", Json::from(action.declaration.as_str())), ("pinned", Json::from(action.pinned))];
            (action.name.as_str(), Json::object(members))
        });
        let pins = self.pins.iter().map(|(server, pin)| {
            let list =
                |digests: &BTreeSet<Digest>| Json::Array(digests.iter().map(|digest| Json::from(*digest)).collect());
            let members = [
                ("instructions", Json::from(pin.instructions)),
                ("prompts", list(&pin.prompts)),
                ("templates", list(&pin.templates)),
            ];
            (server.as_str(), Json::object(members))
        });
        Json::object([
            ("actions", Json::object(actions)),
            ("pins", Json::object(pins)),
            ("prelude", Json::from(self.prelude.as_str())),
        ])
    }
}

impl Action {
    fn of_tool(name: &ToolName, definition: &Json, overlay: &Overlay, facts: &FactPlan) -> Result<Self, String> {
        let kind = ToolType::from_definition(name, definition, overlay).map_err(|error| error.to_string())?;
        let mut groups: BTreeSet<String> = overlay.groups.iter().cloned().collect();
        let destructive = definition.get("annotations").and_then(|hints| hints.get("destructiveHint"));
        let danger = DANGEROUS.iter().copied().find(|group| groups.contains(*group)).map(|group| match group {
            "finance" => "it is in the group `finance`",
            "egress" => "it is in the group `egress`",
            _ => "it is in the group `destructive`",
        });
        let hinted = destructive.and_then(Json::as_bool) == Some(true);
        groups.insert(name.server().to_owned());
        let uid = action_uid(name.as_str()).ok_or("cannot be named in Cedar")?;
        let mut action = Self {
            name: name.clone(),
            server: crate::entities::uid("Server", name.server()).ok_or("cannot be named in Cedar")?,
            entity: Entity::with_uid(uid.clone()),
            uid,
            groups,
            pinned: Some(pins::digest(definition)),
            operation: None,
            profile: overlay.profile.as_deref().map(Arc::from),
            method: None,
            danger: danger.or(hinted.then_some("its definition says `destructiveHint`")),
            kind,
            kinds: overlay.kinds.keys().cloned().collect(),
            declaration: String::new(),
        };
        action.declare(facts)?;
        Ok(action)
    }

    /// One of the gate's own operations, in the groups that the operator gives it.
    fn of_operation(operation: Operation, overlay: Overlay, facts: &FactPlan) -> Result<Self, String> {
        let name = operation.name().map_err(|error| error.to_string())?;
        let overlay = Overlay { groups: overlay.groups, ..operation.overlay() };
        let mut action = Self::of_tool(&name, &operation.definition(), &overlay, facts)?;
        (action.pinned, action.operation) = (None, Some(operation));
        action.declare(facts)?;
        Ok(action)
    }

    /// What its calls are about.
    pub(crate) fn subject(&self) -> Subject {
        match self.operation {
            Some(Operation::Commit) => Subject::Changes,
            _ if self.kind.takes_commands() => Subject::Commands,
            _ => Subject::Arguments,
        }
    }

    fn join(&mut self, group: &str, facts: &FactPlan) -> Result<(), String> {
        self.groups.insert(group.to_owned());
        self.declare(facts)
    }

    fn declare(&mut self, facts: &FactPlan) -> Result<(), String> {
        let parents: Option<_> = self.groups.iter().map(|group| action_uid(group)).collect();
        self.entity = Entity::new_no_attrs(self.uid.clone(), parents.ok_or("is in a group that Cedar cannot name")?);
        let groups: Vec<_> = self.groups.iter().map(|group| format!("\"{group}\"")).collect();
        self.declaration = format!(
            "action \"{}\" in [{}] appliesTo {{ principal: [Agent], resource: [Server], context: {{ {}\"input\": {}, \"common\": {} }} }};\n",
            self.name,
            groups.join(", "),
            facts.context_members(self.subject()),
            self.kind.input_type(),
            self.kind.common_type(),
        );
        Ok(())
    }
}

/// `Action::"id"`.
pub(crate) fn action_uid(id: &str) -> Option<EntityUid> {
    uid("Action", id)
}

/// Settings must speak of what is there, and groups must not be taken for tools or servers.
fn check_names(config: &Config, text: &Arc<str>, pins: &[Pin], findings: &mut Vec<Finding>) {
    let mut fault = |name: &str, message: String| {
        let finding = Finding::new(Rule::UnknownName, config::FILE, message);
        findings.push(match text.find(name).filter(|_| !name.is_empty()) {
            Some(start) => finding.at(text, start..start + name.len()),
            None => finding,
        });
    };
    for pin in pins.iter().filter(|pin| CAPABILITIES.contains(&pin.server.as_str())) {
        // What is permitted to the group would be permitted for all of the server.
        fault("", format!("server {} has the name of a group", pin.server));
    }
    for name in config.tool.keys() {
        let operation = Operation::named(name);
        if operation.is_none() && !pins.iter().any(|pin| pin.tools.contains_key(name)) {
            fault(name.as_str(), format!("the overlay is for {name}, which is not pinned"));
        }
    }
    for name in config.server.keys() {
        if !pins.iter().any(|pin| pin.server == *name) {
            fault(name.as_str(), format!("server {name} is not pinned"));
        }
    }
    for (name, overlay) in &config.tool {
        if overlay.profile.is_some() && (name.server() != operations::SERVER || Operation::named(name).is_some()) {
            let message =
                format!("{name} has a profile, but the gate does not run it: only its own tools run contained");
            fault(name.as_str(), message);
        }
        for group in &overlay.groups {
            let plain = !group.is_empty()
                && group.len() <= 64
                && group.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            if !plain {
                fault(name.as_str(), format!("{name} is in a group whose name is not of A-Z a-z 0-9 _ -"));
            } else if group == operations::SERVER || pins.iter().any(|pin| pin.server.as_str() == group) {
                fault(name.as_str(), format!("the group `{group}` of {name} is the name of a server"));
            }
        }
    }
}

/// Everything but the actions: entity types and groups.
fn prelude<'a>(
    declarations: &Declarations,
    facts: &FactPlan,
    groups: impl Iterator<Item = &'a String>,
) -> Result<String, LoadError> {
    let mut text = String::from(crate::value::value_entity_types());
    text.push('\n');
    text.push_str(&facts.entity_types());
    text.push_str("entity Server;\n");
    for sort in Sort::ALL {
        let (shape, tags) = declarations
            .shapes(sort)
            .map_err(|message| Finding::new(Rule::BadEntity, crate::entities::FILE, message))?;
        let parent = sort.parent().map_or_else(String::new, |parent| format!(" in [{}]", parent.type_name()));
        let tags = tags.map_or_else(String::new, |tags| format!(" tags {}", tags.cedar()));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "entity {}{parent} = {}{tags};", sort.type_name(), shape.cedar());
    }
    for group in groups {
        let _ = writeln!(text, "action \"{group}\";");
    }
    Ok(text)
}

fn schema(prelude: &str, actions: &[Action]) -> Result<Schema, LoadError> {
    let mut text = prelude.to_owned();
    actions.iter().for_each(|action| text.push_str(&action.declaration));
    parse(&text)
}

/// Parses schema text that we wrote.
pub(crate) fn parse(text: &str) -> Result<Schema, LoadError> {
    match Schema::from_cedarschema_str(text) {
        Ok((schema, _)) => Ok(schema),
        Err(error) => {
            let causes: Vec<_> = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .map(ToString::to_string)
                .collect();
            Err(Finding::new(Rule::BadSchema, "", format!("the schema is not valid: {}", causes.join(": "))).into())
        }
    }
}
