//! From a pinned tool definition to a typed action, and from a call's arguments to Cedar values.
//!
//! A definition passes four steps, each in its own module: `plain` copies the hostile schema into a
//! finite one, `rough` reads its type, `settle` adds kinds and the operator's overlay, `check` compiles
//! what types cannot say. A call then passes `lift` (every member is declared and of its type, or the call
//! is refused), `check`, and `express` (Cedar values, from typed constructors only).
//!
//! What policy does not see: members that are opaque, because Cedar has no type for them or the operator
//! says so; members that are `null` where the schema allows it, which are absent to policy; and the order
//! and number of a list's elements. Everything else of an accepted call is in `context.input`.

mod check;
mod commands;
mod error;
mod express;
mod guess;
mod legacy;
mod lift;
mod names;
mod overlay;
mod pattern;
mod plain;
mod pointer;
mod probe;
mod rough;
mod settle;
mod shape;
#[cfg(test)]
mod tests;
mod unchecked;

use std::collections::BTreeSet;

use callgate_core::{Code, CommandForm, Reason, ToolName, WorkingDirectory};
use callgate_text::{Json, Object};
use cedar_policy::{Entity, RestrictedExpression};

pub use error::SchemaError;
pub use overlay::{Additional, Kind, Overlay};
pub use probe::{Probed, probe};
pub use unchecked::Unchecked;

use self::check::Check;
use self::commands::Commands;
use self::express::Express;
use self::pattern::MAX_PATTERNS;
use self::plain::{MAX_NODES, Unfit};
use self::pointer::At;
use self::rough::Rough;
use self::shape::Record;
use crate::value::{Ancestors, Fault};

/// A tool's arguments as policy sees them.
#[derive(Debug)]
pub struct ToolType {
    record: Record,
    check: Check,
    opaque: BTreeSet<String>,
    optional: BTreeSet<String>,
    commands: Commands,
}

/// The arguments of one call as Cedar values.
#[derive(Clone, Debug)]
pub struct Lifted {
    /// The record `context.input`.
    pub input: RestrictedExpression,
    /// The record `context.common`.
    pub common: RestrictedExpression,
    /// The entities that the two name, each uid once.
    pub entities: Vec<Entity>,
}

impl ToolType {
    /// Reads one tool of a `tools/list` answer: `{"name", "inputSchema", …}`.
    ///
    /// # Errors
    /// [`SchemaError`] says which argument cannot be expressed, and the overlay that would mend it.
    pub fn from_definition(name: &ToolName, definition: &Json, overlay: &Overlay) -> Result<Self, SchemaError> {
        let error = |fault: String| SchemaError { tool: name.to_string(), argument: None, fault, remedy: None };
        let schema = definition.get("inputSchema").ok_or_else(|| error("it has no `inputSchema`".to_owned()))?;
        let plain = plain::copy(schema).map_err(|unfit| match unfit {
            Unfit::Malformed(what) => error(format!("its input schema has {what}")),
            Unfit::TooLarge => {
                error(format!("its input schema, references followed, holds more than {MAX_NODES} schemas"))
            }
            Unfit::Patterns => error(format!("its input schema has more than {MAX_PATTERNS} patterns")),
        })?;
        let (record, commands) = settle::settle(name, Rough::of(&plain.schema), overlay)?;
        let check = Check::compile(plain, &record).map_err(error)?;
        Ok(Self { opaque: record.opaque(), optional: record.optional(), record, check, commands })
    }

    /// The Cedar record type of `context.input`: `{ "amount": decimal, "path"?: Path }`.
    pub fn input_type(&self) -> String {
        self.record.input_type()
    }

    /// The Cedar record type of `context.common`: the arguments that lie in a hierarchy, nested as in
    /// `context.input`, with each list replaced by the deepest common ancestor of its elements.
    pub fn common_type(&self) -> String {
        self.record.common_type()
    }

    /// The top-level arguments that policy cannot see, or cannot see all of; `*` stands for undeclared
    /// ones. A permit that covers one must say so.
    pub fn opaque(&self) -> &BTreeSet<String> {
        &self.opaque
    }

    /// The pointers (`limit`, `filter/since`) of all attributes of `context.input` that may be absent.
    pub fn optional(&self) -> &BTreeSet<String> {
        &self.optional
    }

    /// Whether an argument is a command.
    pub(crate) fn takes_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// The commands among a call's arguments, each with the directory in which it starts.
    pub(crate) fn commands(&self, arguments: Option<&Object>) -> Vec<(CommandForm, Option<&str>)> {
        self.commands.of(arguments)
    }

    /// What of the tool's schema the gate does not enforce, by place.
    pub fn unchecked(&self) -> &BTreeSet<Unchecked> {
        self.check.unchecked()
    }

    /// Turns a call's arguments into Cedar values. Absent arguments are judged as none.
    ///
    /// # Errors
    /// Reasons with code `invalid_arguments`, about declared arguments only.
    pub fn lift(&self, arguments: Option<&Object>, ancestors: &Ancestors) -> Result<Lifted, Vec<Reason>> {
        self.lift_in(arguments, None, ancestors)
    }

    /// As [`ToolType::lift`]; relative paths that have a root start in `cwd` instead, if the host named it.
    pub(crate) fn lift_in(
        &self,
        arguments: Option<&Object>,
        cwd: Option<&WorkingDirectory>,
        ancestors: &Ancestors,
    ) -> Result<Lifted, Vec<Reason>> {
        let none = Object::default();
        let arguments = arguments.unwrap_or(&none);
        let node = lift::read(&self.record, arguments, cwd)?;
        let faults = self.check.faults(arguments, &self.record);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut express = Express::new(ancestors, &node);
        let broken = |Fault(fault)| vec![Reason::new(Code::InvalidArguments, format!("the call {fault}"))];
        let input = express.value(&node).map_err(broken)?;
        let common = express.common(&self.record, &[&node], &At::Top).map_err(broken)?;
        Ok(Lifted { input, common, entities: express.entities() })
    }
}
