//! `entities.toml`: who exists. Blueprints and their nesting, agents, users, groups, and their attributes.
//!
//! ```toml
//! [blueprint.staff]
//! [blueprint.finance]
//! parents = ["staff"]                 # a parent's forbid holds for finance, too
//! payees = ["vendor-a", "vendor-b"]   # principal.blueprint.payees
//!
//! [agent.finance-1]
//! blueprint = "finance"               # or ["finance", "night-shift"]; the first is principal.blueprint
//! uid = 1007                          # the process at the socket with this user id is finance-1
//! revoked = true                      # denied from the next call on
//!
//! [[door]]                            # who comes in without a credential of its own
//! uid = 1000
//! host = "claude-code"
//! agent = "finance-1"
//!
//! [group.finance-oncall]
//! [user.ann]
//! groups = ["finance-oncall"]
//! ```
//!
//! Every other key is an attribute: a string, an integer, a float (a Cedar `decimal`, at most four digits),
//! a boolean, an entity (`{ Domain = "company.com" }`), a list of one type of these (a set), or a table (a
//! record). Below `tags`, keys are free and all values of a kind of entity have one type. What some
//! entities of a kind lack is optional in Cedar, so policy must ask with `has` first.

mod attribute;
mod door;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use callgate_core::AgentId;
use callgate_text::Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use attribute::{Attribute, Shape, uid};
pub(crate) use door::{Door, agent as agent_at_door};

use crate::finding::{Finding, LoadError, Rule};

/// The file.
pub(crate) const FILE: &str = "entities.toml";

/// A kind of entity that `entities.toml` declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sort {
    Agent,
    Blueprint,
    Group,
    User,
}

impl Sort {
    pub(crate) const ALL: [Self; 4] = [Self::Agent, Self::Blueprint, Self::Group, Self::User];

    /// The Cedar entity type.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Blueprint => "Blueprint",
            Self::Group => "Group",
            Self::User => "User",
        }
    }

    /// The table in the file.
    const fn table(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Blueprint => "blueprint",
            Self::Group => "group",
            Self::User => "user",
        }
    }

    /// What its entities may be in.
    pub(crate) const fn parent(self) -> Option<Self> {
        match self {
            Self::Agent | Self::Blueprint => Some(Self::Blueprint),
            Self::User => Some(Self::Group),
            Self::Group => None,
        }
    }

    /// The key that names the parents.
    const fn parents_key(self) -> Option<&'static str> {
        match self {
            Self::Agent => Some("blueprint"),
            Self::Blueprint => Some("parents"),
            Self::User => Some("groups"),
            Self::Group => None,
        }
    }
}

/// One entity of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Direct parents, as listed.
    pub(crate) parents: Vec<String>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) tags: BTreeMap<String, Attribute>,
    /// Of agents: the user id of its process.
    pub(crate) uid: Option<u32>,
    /// Of agents: denied until reinstated.
    pub(crate) revoked: bool,
    span: Range<usize>,
}

/// What `entities.toml` declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declarations {
    entities: BTreeMap<Sort, BTreeMap<String, Declared>>,
    doors: Vec<(Range<usize>, Door)>,
}

impl Declarations {
    pub(crate) fn parse(text: &Arc<str>) -> Result<Self, LoadError> {
        let document = DeTable::parse(text).map_err(|error| crate::config::toml_fault(FILE, text, &error))?;
        let mut declarations = Self::default();
        let mut findings = Vec::new();
        for (name, value) in document.get_ref() {
            let span = name.span();
            if name.get_ref() == "door" {
                declarations.read_doors(value, text, &mut findings);
                continue;
            }
            let Some(sort) = Sort::ALL.into_iter().find(|sort| sort.table() == name.get_ref()) else {
                let message = format!("unknown table `{}`", clip(name.get_ref()));
                let help = "the tables are [agent.NAME], [blueprint.NAME], [user.NAME], [group.NAME] and [[door]]";
                findings.push(Finding::new(Rule::BadEntity, FILE, message).at(text, span).help(help));
                continue;
            };
            let DeValue::Table(entities) = value.get_ref() else {
                findings.push(Finding::new(Rule::BadEntity, FILE, "expected a table of entities").at(text, span));
                continue;
            };
            for (id, value) in entities {
                match Declared::read(sort, id.get_ref(), id.span(), value.get_ref()) {
                    Ok(declared) => {
                        declarations.entities.entry(sort).or_default().insert(id.get_ref().to_string(), declared);
                    }
                    Err((span, message)) => {
                        findings.push(Finding::new(Rule::BadEntity, FILE, message).at(text, span).help(SHAPE));
                    }
                }
            }
        }
        declarations.link(text, &mut findings);
        if findings.is_empty() { Ok(declarations) } else { Err(findings.into()) }
    }

    fn read_doors(&mut self, value: &Spanned<DeValue<'_>>, text: &Arc<str>, findings: &mut Vec<Finding>) {
        let mut fault = |span, message: &str| {
            findings.push(Finding::new(Rule::BadEntity, FILE, message).at(text, span).help(DOOR));
        };
        let DeValue::Array(rows) = value.get_ref() else {
            return fault(value.span(), "expected an array of doors");
        };
        for row in rows {
            match Door::read(row.get_ref()) {
                Ok(door) if self.doors.iter().any(|(_, other)| other.clashes(&door)) => {
                    fault(row.span(), "another door says the same of whom it is for");
                }
                Ok(door) => self.doors.push((row.span(), door)),
                Err(message) => fault(row.span(), &message),
            }
        }
    }

    /// Who comes in without a credential: the doors, then what agents say of themselves.
    pub(crate) fn doors(&self) -> impl Iterator<Item = Door> {
        let agents =
            self.of(Sort::Agent).filter_map(|(id, declared)| Some(Door::of_user(declared.uid?, id.parse().ok()?)));
        self.doors.iter().map(|(_, door)| door.clone()).chain(agents)
    }

    /// All entities of a kind, by name.
    pub(crate) fn of(&self, sort: Sort) -> impl Iterator<Item = (&str, &Declared)> {
        self.entities.get(&sort).into_iter().flatten().map(|(id, declared)| (id.as_str(), declared))
    }

    pub(crate) fn get(&self, sort: Sort, id: &str) -> Option<&Declared> {
        self.entities.get(&sort)?.get(id)
    }

    /// Everything that the entity is in, at any depth, without itself.
    pub(crate) fn ancestors(&self, sort: Sort, id: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let (mut sort, mut level) = (sort, vec![id]);
        while let Some(parent) = sort.parent() {
            level = level
                .into_iter()
                .filter_map(|id| self.get(sort, id))
                .flat_map(|declared| declared.parents.iter().map(String::as_str))
                .filter(|id| found.insert(*id))
                .collect();
            if level.is_empty() {
                break;
            }
            sort = parent;
        }
        found
    }

    /// The users in a group, if there is such a group.
    pub(crate) fn members(&self, group: &str) -> Option<BTreeSet<&str>> {
        self.get(Sort::Group, group)?;
        let inside = |declared: &Declared| declared.parents.iter().any(|parent| parent == group);
        Some(self.of(Sort::User).filter(|(_, user)| inside(user)).map(|(id, _)| id).collect())
    }

    /// The shape of the attributes and of the tags of a kind of entity.
    pub(crate) fn shapes(&self, sort: Sort) -> Result<(Shape, Option<Shape>), String> {
        let mut shape = None;
        let mut tags = None;
        for (id, declared) in self.of(sort) {
            let wrap = |fault: String| format!("{} {}: {fault}", sort.table(), clip(id));
            let own = Shape::of_record(&declared.attributes).map_err(wrap)?;
            shape = Some(match shape {
                None => own,
                Some(before) => Shape::join(before, own).map_err(wrap)?,
            });
            for value in declared.tags.values() {
                let own = Shape::of(value).map_err(wrap)?;
                tags = Some(match tags {
                    None => own,
                    Some(before) => Shape::join(before, own).map_err(wrap)?,
                });
            }
        }
        Ok((shape.unwrap_or_else(|| Shape::Record(BTreeMap::new())), tags))
    }

    /// Checks what one entity says about another.
    fn link(&self, text: &Arc<str>, findings: &mut Vec<Finding>) {
        for (span, door) in &self.doors {
            let fault = match self.get(Sort::Agent, door.agent.as_str()) {
                None => format!("the door is for agent {}, which is not declared", clip(door.agent.as_str())),
                Some(_)
                    if self.of(Sort::Agent).any(|(id, agent)| {
                        agent.uid.is_some_and(|uid| door.is_of_any(uid)) && id != door.agent.as_str()
                    }) =>
                {
                    "an agent's `uid` says the same of whom this door is for".to_owned()
                }
                Some(_) => continue,
            };
            findings.push(Finding::new(Rule::BadEntity, FILE, fault).at(text, span.clone()).help(DOOR));
        }
        let mut uids = BTreeMap::new();
        for sort in Sort::ALL {
            for (id, declared) in self.of(sort) {
                let mut fault = |message: String| {
                    let finding = Finding::new(Rule::BadEntity, FILE, message).at(text, declared.span.clone());
                    findings.push(finding.help(SHAPE));
                };
                for parent in &declared.parents {
                    if sort.parent().and_then(|sort| self.get(sort, parent)).is_none() {
                        let kind = sort.parent().map_or("parent", Sort::table);
                        fault(format!("{} {id} is in {kind} {}, which is not declared", sort.table(), clip(parent)));
                    }
                }
                if self.ancestors(sort, id).contains(id) && sort == Sort::Blueprint {
                    fault(format!("blueprint {id} is inside itself"));
                }
                if let Some(uid) = declared.uid
                    && let Some(other) = uids.insert(uid, id)
                {
                    fault(format!("agents {other} and {id} share the user id {uid}"));
                }
            }
            if let Err(message) = self.shapes(sort) {
                findings.push(Finding::new(Rule::BadEntity, FILE, message).help(SHAPE));
            }
        }
    }
}

const DOOR: &str =
    "a door is a `uid`, a `host` or a `session` or none of both, and an `agent`; no two are for the same";

const SHAPE: &str = "attributes are strings, integers, decimals of at most 4 digits, booleans, `{ Type = \"id\" }`, lists of one \
type, or tables; every entity of a kind gives an attribute the same type";

impl Declared {
    /// Everything of it that can change a verdict.
    pub(crate) fn to_json(&self) -> Json {
        let values = |values: &BTreeMap<String, Attribute>| {
            Json::object(values.iter().map(|(name, value)| (name.as_str(), value.to_json())))
        };
        Json::object([
            ("parents", Json::Array(self.parents.iter().map(|parent| Json::from(parent.as_str())).collect())),
            ("attributes", values(&self.attributes)),
            ("tags", values(&self.tags)),
            ("revoked", Json::Bool(self.revoked)),
        ])
    }

    fn read(sort: Sort, id: &str, span: Range<usize>, value: &DeValue<'_>) -> Result<Self, (Range<usize>, String)> {
        if id.parse::<AgentId>().is_err() {
            let rule = "1 to 128 of A-Z a-z 0-9 . _ - @ :, the first a letter, digit or _";
            return Err((span, format!("`{}` is not a name: {rule}", clip(id))));
        }
        let DeValue::Table(table) = value else {
            return Err((span, format!("{} {id} must be a table", sort.table())));
        };
        let mut declared = Self {
            parents: Vec::new(),
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
            uid: None,
            revoked: false,
            span,
        };
        for (key, value) in table {
            let (key, span) = (&**key.get_ref(), value.span());
            let fault = |message: &str| (span.clone(), format!("`{}` {message}", clip(key)));
            match (sort, key) {
                (_, key) if sort.parents_key() == Some(key) => {
                    declared.parents =
                        strings(value.get_ref()).ok_or_else(|| fault("must be a name or a list of names"))?;
                }
                (Sort::Agent, "uid") => {
                    declared.uid = Some(user_id(value.get_ref()).ok_or_else(|| fault("must be a user id"))?);
                }
                (Sort::Agent, "revoked") => {
                    declared.revoked = value.get_ref().as_bool().ok_or_else(|| fault("must be true or false"))?;
                }
                (_, "tags") => {
                    let DeValue::Table(tags) = value.get_ref() else {
                        return Err(fault("must be a table"));
                    };
                    for (name, value) in tags {
                        let tag = Attribute::read(value.get_ref(), 0).map_err(|message| (value.span(), message))?;
                        declared.tags.insert(name.get_ref().to_string(), tag);
                    }
                }
                (_, "parents" | "blueprint" | "groups" | "uid" | "revoked") => {
                    return Err(fault(&format!("means nothing on a {}", sort.table())));
                }
                (_, key) => {
                    attribute::check_name(key).map_err(|message| (span.clone(), message))?;
                    let value = Attribute::read(value.get_ref(), 0).map_err(|message| fault(&message))?;
                    declared.attributes.insert(key.to_owned(), value);
                }
            }
        }
        if sort == Sort::Agent
            && let Some(first) = declared.parents.first()
        {
            let blueprint = Attribute::Entity { kind: "Blueprint".to_owned(), id: first.clone() };
            declared.attributes.insert("blueprint".to_owned(), blueprint);
        }
        Ok(declared)
    }
}

fn user_id(value: &DeValue<'_>) -> Option<u32> {
    match value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str().replace('_', "").parse().ok(),
        _ => None,
    }
}

/// One string, or a list of them.
fn strings(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::String(one) => Some(vec![one.to_string()]),
        DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Names in messages are short.
fn clip(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
