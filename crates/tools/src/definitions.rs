//! What the server offers, as MCP gives it.

use callgate_text::Json;

/// What policy calls the server of the built-in tools.
pub const SERVER: &str = "callgate";

/// The tool that runs a shell.
pub const TERMINAL: &str = "terminal";

/// The tool that remembers.
pub const MEMORY: &str = "memory";

/// The pin: `{"server": "callgate", "tools": […]}`, as `tools/callgate.json` of a gate directory holds it.
const PIN: &str = include_str!("definitions.json");

/// The pin as text, a line for each tool.
pub fn pin() -> &'static str {
    PIN
}

/// The definitions of all tools, in the order in which they are listed.
pub fn definitions() -> Vec<Json> {
    // Were it not strict JSON, nothing would be offered; a test sees to that.
    match Json::parse(PIN.as_bytes()) {
        Ok(Json::Object(mut pin)) => match pin.remove("tools") {
            Some(Json::Array(tools)) => tools,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The definition of one tool, by its name without the server's.
pub fn definition(name: &str) -> Option<Json> {
    definitions().into_iter().find(|tool| tool.get("name").and_then(Json::as_str) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_seven_are_offered() {
        let names: Vec<String> =
            definitions().iter().filter_map(|tool| tool.get("name")?.as_str().map(str::to_owned)).collect();
        let expected = ["terminal", "read_file", "write_file", "edit_file", "search_files", "list_directory", "memory"];
        assert_eq!(names, expected);
        assert_eq!(Json::parse(PIN.as_bytes()).unwrap().get("server").unwrap().as_str(), Some(SERVER));
    }
}
