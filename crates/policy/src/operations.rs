//! What the gate itself does for an agent, as actions that every gate has: to run something contained, and to bring
//! back what that wrote. Their definitions are ours, so they pass the same road as a pinned tool's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callgate_core::{Call, ChangeGroup, Changes, NameError, ToolName};
use callgate_text::{Json, Object};

use crate::schema::{Kind, Overlay};
use crate::value::{Ancestors, Value, ValueType};

/// The server of the gate's own tools and operations.
pub const SERVER: &str = "callgate";

/// The tool name of bringing changes back, `{folder, write_set}`.
pub const COMMIT: &str = "callgate.commit";

/// The tool name of running a command contained, `{command, profile, workspace}`.
pub const RUN: &str = "callgate.run";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// What a contained run wrote over a folder is committed to it. `context.change` says what.
    Commit,
    /// A program is run contained, on a copy of a folder.
    Run,
}

impl Operation {
    pub(crate) const ALL: [Self; 2] = [Self::Commit, Self::Run];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => COMMIT,
            Self::Run => RUN,
        }
    }

    pub(crate) fn name(self) -> Result<ToolName, NameError> {
        self.as_str().parse()
    }

    /// The operation of this name.
    pub(crate) fn named(name: &ToolName) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name.as_str())
    }

    /// A tool definition whose input schema is the operation's parameters.
    pub(crate) fn definition(self) -> Json {
        let text = || Json::object([("type", "string")]);
        let properties = match self {
            Self::Commit => vec![("folder", text()), ("write_set", text())],
            Self::Run => {
                let words = Json::object([("type", Json::from("array")), ("items", text())]);
                vec![("command", words), ("profile", text()), ("workspace", text())]
            }
        };
        let required = properties.iter().map(|(name, _)| Json::from(*name)).collect();
        let schema = Json::object([
            ("type", Json::from("object")),
            ("properties", Json::object(properties)),
            ("required", Json::Array(required)),
            ("additionalProperties", Json::Bool(false)),
        ]);
        Json::object([("name", Json::from(self.as_str())), ("inputSchema", schema)])
    }

    pub(crate) fn overlay(self) -> Overlay {
        let kinds: &[(&str, Kind)] = match self {
            Self::Commit => &[("folder", Kind::Path), ("write_set", Kind::Text)],
            Self::Run => &[("command", Kind::Command), ("profile", Kind::Text), ("workspace", Kind::Path)],
        };
        let kinds = kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect::<BTreeMap<_, _>>();
        Overlay { kinds, ..Overlay::default() }
    }
}

/// The changes without those that policy cannot tell from another one. What it cannot read stays, and denies.
pub(crate) fn tell_apart(ancestors: &Ancestors, call: &Call, changes: &Changes) -> Changes {
    // A change of the very folder that the call names can be told from all others by that.
    let folder = call.arguments().and_then(|arguments| arguments.get("folder")).and_then(Json::as_str);
    let mut seen = BTreeSet::new();
    let groups = changes.0.iter().map(|group| {
        let telling = |path: &&Arc<str>| match Value::read(ValueType::Path, path, None) {
            Ok(Value::Path(path)) => {
                seen.insert((&group.classes, ancestors.around(&path), folder == Some(path.as_str())))
            }
            Ok(_) | Err(_) => true,
        };
        let paths = group.paths.iter().filter(telling).map(Arc::clone);
        ChangeGroup { classes: group.classes.clone(), paths: paths.collect() }
    });
    Changes(groups.filter(|group| !group.paths.is_empty()).collect())
}

/// The folder in which a run starts.
pub(crate) fn workspace(arguments: Option<&Object>) -> Option<&str> {
    arguments?.get("workspace")?.as_str()
}

/// The profile that a run asks for.
pub(crate) fn profile(arguments: Option<&Object>) -> Option<&str> {
    arguments?.get("profile")?.as_str()
}
