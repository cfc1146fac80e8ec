//! From what a schema says, and what the operator adds, to what policy sees.

use std::collections::{BTreeMap, BTreeSet};

use callgate_core::ToolName;
use unicode_normalization::UnicodeNormalization;

use super::commands::Commands;
use super::pointer::below;
use super::rough::{self, Rough, RoughForm};
use super::shape::{Form, Member, Record, Shape};
use super::{Additional, Kind, Overlay, SchemaError, guess};
use crate::value::{Fault, Root, ValueType, visible};

/// How deep policy looks into an argument; what lies deeper is opaque.
const MAX_DEPTH: usize = 12;

/// The longest name of an argument.
const MAX_NAME: usize = 128;

/// Names that Cedar's JSON or JavaScript's objects give another meaning.
const RESERVED: &[&str] = &["__entity", "__extn", "__expr", "__proto__"];

/// The record of a tool's arguments.
pub(super) fn settle(tool: &ToolName, rough: Rough, overlay: &Overlay) -> Result<(Record, Commands), SchemaError> {
    let mut settler = Settler { tool, overlay, seen: BTreeSet::new(), commands: Commands::default() };
    let record = match rough.form {
        RoughForm::Record { members, open } => settler.record("", members, open, 0)?,
        // `{"type": "object"}`: no arguments, unless undeclared ones may pass.
        RoughForm::Any | RoughForm::Mixed(_) => {
            Record { open: overlay.additional == Additional::Opaque, ..Record::default() }
        }
        _ => return Err(settler.error(None, "its input schema does not describe an object", None)),
    };
    settler.all_seen()?;
    Ok((record, settler.commands))
}

struct Settler<'a> {
    tool: &'a ToolName,
    overlay: &'a Overlay,
    /// The pointers of all arguments that exist.
    seen: BTreeSet<String>,
    commands: Commands,
}

impl Settler<'_> {
    fn record(
        &mut self,
        above: &str,
        members: BTreeMap<String, rough::Member>,
        open: bool,
        depth: usize,
    ) -> Result<Record, SchemaError> {
        let mut folded = BTreeSet::new();
        let mut record = Record { open: open && self.overlay.additional == Additional::Opaque, ..Record::default() };
        for (name, member) in members {
            let pointer = below(above, &name);
            self.check_name(&pointer, &name)?;
            if !folded.insert(fold(&name)) {
                return Err(self.error(
                    Some(&pointer),
                    "another argument differs from it only in case, width or composition",
                    None,
                ));
            }
            if name == "*" && record.open {
                return Err(self.error(
                    Some(&pointer),
                    "an argument called `*` cannot stand beside undeclared ones",
                    None,
                ));
            }
            let shape = Shape { null: member.rough.null, form: self.form(&pointer, &name, member.rough.form, depth)? };
            record.members.insert(name, Member::new(shape, member.required));
        }
        Ok(record)
    }

    fn form(&mut self, pointer: &str, name: &str, rough: RoughForm, depth: usize) -> Result<Form, SchemaError> {
        let form = self.read(pointer, name, rough, depth)?;
        let is_list = matches!(form, Form::List { .. });
        if self.overlay.roots.contains_key(pointer)
            && !(is_list || matches!(form, Form::Value { value_type: ValueType::Path, .. }))
            && !self.commands.has(pointer)
        {
            let remedy = format!("kinds = {{ {pointer:?} = \"path\" }}");
            return Err(self.error(
                Some(pointer),
                "it has a root but is not of kind `path` or `command`",
                Some(remedy),
            ));
        }
        if self.overlay.scale.contains_key(pointer) && !(is_list || matches!(form, Form::Long { .. })) {
            return Err(self.error(Some(pointer), "it has a scale but is not a number", None));
        }
        Ok(form)
    }

    fn read(&mut self, pointer: &str, name: &str, rough: RoughForm, depth: usize) -> Result<Form, SchemaError> {
        self.seen.insert(pointer.to_owned());
        if depth >= MAX_DEPTH || self.overlay.opaque.iter().any(|opaque| opaque == pointer) {
            return Ok(Form::Opaque);
        }
        let kind = self.overlay.kinds.get(pointer).copied();
        let form = match rough {
            RoughForm::Text { format, listed } => {
                let guessed = if listed { Kind::Text } else { guess::kind(name, format.as_deref()) };
                return self.text(pointer, kind.unwrap_or(guessed));
            }
            RoughForm::Integer => return self.number(pointer, kind, Form::Long { scale: 0 }),
            RoughForm::Number => return self.number(pointer, kind, Form::Decimal),
            RoughForm::List { item, single } => match self.form(pointer, name, item.form, depth + 1)? {
                Form::Opaque => Form::Opaque,
                // No element but `null` can be in it, and policy sees none of those.
                Form::Nothing => Form::Opaque,
                item => return Ok(Form::List { item: Box::new(item), single }),
            },
            RoughForm::Any | RoughForm::Mixed(_) => Form::Opaque,
            RoughForm::Nothing => Form::Nothing,
            RoughForm::Bool => Form::Bool,
            RoughForm::Record { members, open } => Form::Record(self.record(pointer, members, open, depth + 1)?),
        };
        match kind {
            Some(kind) => Err(self.misfit(pointer, kind)),
            None => Ok(form),
        }
    }

    fn text(&mut self, pointer: &str, kind: Kind) -> Result<Form, SchemaError> {
        let value = |value_type| Form::Value { value_type, root: None };
        Ok(match kind {
            Kind::Text => Form::Text,
            Kind::Command => {
                let root = self.overlay.roots.get(pointer);
                if root.is_some_and(|root| !root.starts_with('/')) {
                    return Err(self.error(Some(pointer), "the root of a command is an absolute path", None));
                }
                self.commands.insert(pointer, root);
                Form::Text
            }
            Kind::Url => value(ValueType::Url),
            Kind::Host => value(ValueType::Host),
            Kind::Mailbox => value(ValueType::Mailbox),
            Kind::Path => {
                let root = self.overlay.roots.get(pointer).map(|root| Root::read(root)).transpose().map_err(
                    |Fault(fault)| {
                        let remedy = format!("roots = {{ {pointer:?} = \"/workspace\" }}");
                        self.error(Some(pointer), &format!("its root {fault}"), Some(remedy))
                    },
                )?;
                Form::Value { value_type: ValueType::Path, root }
            }
            Kind::Money => return Err(self.misfit(pointer, kind)),
        })
    }

    fn number(&self, pointer: &str, kind: Option<Kind>, plain: Form) -> Result<Form, SchemaError> {
        match (kind, self.overlay.scale.get(pointer).copied()) {
            (None, Some(scale @ 0..=18)) => Ok(Form::Long { scale }),
            (_, Some(_)) => Err(self.error(
                Some(pointer),
                "`scale` is a power of ten from 0 to 18, and no kind stands beside it",
                Some(format!("scale = {{ {pointer:?} = 2 }}")),
            )),
            (Some(Kind::Money), None) => Ok(Form::Money),
            (Some(kind), None) => Err(self.misfit(pointer, kind)),
            (None, None) => Ok(plain),
        }
    }

    fn check_name(&self, pointer: &str, name: &str) -> Result<(), SchemaError> {
        let fault = match visible(name) {
            _ if name.is_empty() => "it has no name",
            _ if name.len() > MAX_NAME => "its name is too long",
            _ if RESERVED.contains(&name) => "its name has another meaning in Cedar or JavaScript",
            Err(Fault(fault)) => fault,
            Ok(()) => return Ok(()),
        };
        Err(self.error(Some(pointer), fault, None))
    }

    /// Every pointer of the overlay names an argument that is there, or a typo would switch a check off.
    fn all_seen(&self) -> Result<(), SchemaError> {
        let Overlay { kinds, scale, roots, opaque, roles, .. } = self.overlay;
        let pointers = kinds.keys().chain(scale.keys()).chain(roots.keys()).chain(opaque).chain(roles.keys());
        for pointer in pointers {
            if !self.seen.contains(pointer) {
                return Err(self.error(
                    Some(pointer),
                    "the overlay names it, but the tool has no such visible argument",
                    None,
                ));
            }
        }
        Ok(())
    }

    fn misfit(&self, pointer: &str, kind: Kind) -> SchemaError {
        let of = if kind == Kind::Money { "numbers" } else { "strings" };
        self.error(Some(pointer), &format!("kind `{kind}` is for {of}, which the schema does not say it is"), None)
    }

    fn error(&self, argument: Option<&str>, fault: &str, remedy: Option<String>) -> SchemaError {
        SchemaError {
            tool: self.tool.to_string(),
            argument: argument.map(|name| name.escape_debug().to_string()),
            fault: fault.to_owned(),
            remedy: remedy.map(|line| format!("[tool.\"{}\"]\n{line}", self.tool)),
        }
    }
}

/// What a reader that matches names without regard to case, width or composition would see.
pub(super) fn fold(name: &str) -> String {
    name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}
