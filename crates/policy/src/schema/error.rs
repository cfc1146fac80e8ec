//! Why a tool definition has no typed action.

/// Why a tool definition could not be turned into a typed action, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tool `{tool}`{}: {fault}", .argument.as_ref().map(|at| format!(", argument `{at}`")).unwrap_or_default())]
pub struct SchemaError {
    /// The tool.
    pub tool: String,
    /// The argument, as an overlay would name it; none if it is about the whole definition.
    pub argument: Option<String>,
    /// What cannot be expressed, or is wrong with the overlay.
    pub fault: String,
    /// The overlay that would mend it, as lines of `callgate.toml`, if one can.
    pub remedy: Option<String>,
}
