//! What policy knows of the gate's own tools without being told: the gate runs them, so where they start and whose
//! shell reads a command are its own to say.

use callgate_core::{Shell, ToolName};

use crate::config::Config;
use crate::operations::SERVER;
use crate::schema::{Kind, Overlay};

/// The home directory inside the sandbox.
const HOME: &str = "/home/agent";

/// The argument of one of the gate's own tools that is a path or a command.
fn placed(name: &ToolName) -> Option<(&'static str, Kind)> {
    if name.server() != SERVER {
        return None;
    }
    match name.tool() {
        "terminal" => Some(("command", Kind::Command)),
        "read_file" | "write_file" | "edit_file" | "search_files" | "list_directory" => Some(("path", Kind::Path)),
        _ => None,
    }
}

/// The operator's overlay, with what is so whatever it says.
pub(crate) fn overlay(name: &ToolName, config: &Config) -> Overlay {
    let mut overlay = config.tool.get(name).cloned().unwrap_or_default();
    if let Some((argument, kind)) = placed(name) {
        overlay.kinds.insert(argument.to_owned(), kind);
        overlay.roots.remove(argument);
        overlay.roots.extend(config.tools.workspace.clone().map(|workspace| (argument.to_owned(), workspace)));
    }
    overlay
}

/// Whose shell reads the commands of a tool, and the home directory there.
pub(crate) fn shell<'a>(name: &ToolName, config: &'a Config) -> (Shell, Option<&'a str>) {
    match placed(name) {
        Some((_, Kind::Command)) => (Shell::Gate, Some(HOME)),
        _ => (config.shell.of, config.shell.home.as_deref()),
    }
}
