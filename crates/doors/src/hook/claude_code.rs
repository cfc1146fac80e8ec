//! Claude Code's words: the documents of its hooks, and its answers to them.
//!
//! Measured on 2.1.330, see `docs/hosts/claude-code.md`. What is built on here:
//!
//! - A denial is JSON on standard output *and* a reason on standard error *and* exit code 2: each alone is enough for
//!   some version, none of them is for all.
//! - One stray byte before the JSON lets the call run, whatever `onFailure` says. So nothing else is ever printed.
//! - Silence, `{}` and exit code 0 leave the call to the host's own permissions. The gate never says `allow`: that
//!   would skip the person whom the host would ask.
//! - `cwd` is where the session works now: it follows `cd`, and it is the host's word, not the model's. Behind a call it
//!   is where that call left it.
//! - A sub-agent has its parent's session; what its calls are called is unique only within it.

use std::time::Duration;

use callgate_core::gate::Reported;
use callgate_core::{
    CallFault, HostCall, NameError, Outcome, Request, ServerName, SessionId, ToolName, WorkingDirectory,
};
use callgate_text::{Digest, Json, Object};

use super::{Event, Heard, MAX_BYTES, Reply};

/// What policy and configuration call this host.
pub const NAME: &str = "claude-code";

/// The events that the hook is installed for.
pub const EVENTS: [&str; 5] = ["PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "SessionStart"];

/// Reads what the host wrote to the hook.
///
/// # Errors
/// What is wrong with it, without any part of it. Before a tool runs, that is a denial.
pub fn read(document: &[u8]) -> Result<Heard, String> {
    let document = Json::parse_within(document, MAX_BYTES).map_err(|error| format!("the host's document: {error}"))?;
    let Json::Object(mut document) = document else { return Err("the host's document is no object".to_owned()) };
    let name = text(&mut document, "hook_event_name")?;
    let session: SessionId =
        text(&mut document, "session_id")?.parse().map_err(|error| format!("the session: {error}"))?;
    let event = match name.as_str() {
        "PreToolUse" => {
            let cwd = directory(&mut document)?;
            Event::Before(Called::read(&mut document)?.before(&session, cwd))
        }
        "PostToolUse" => Event::After(Called::read(&mut document)?.after(&session, Outcome::Ok, &document)?),
        "PostToolUseFailure" => {
            Event::After(Called::read(&mut document)?.after(&session, Outcome::Error, &document)?)
        }
        "UserPromptSubmit" => Event::Prompt(text(&mut document, "prompt")?),
        "SessionStart" => Event::Start,
        _ => Event::Other,
    };
    Ok(Heard { session: Some(session), event })
}

fn text(document: &mut Object, key: &'static str) -> Result<String, String> {
    match document.remove(key) {
        Some(Json::String(text)) => Ok(text),
        _ => Err(format!("the host's document has no text as `{key}`")),
    }
}

/// Where the session works, if the host says so.
fn directory(document: &mut Object) -> Result<Option<WorkingDirectory>, String> {
    match document.remove("cwd") {
        None => Ok(None),
        Some(Json::String(cwd)) => cwd.parse().map(Some).map_err(|error| format!("the host's `cwd` is {error}")),
        Some(_) => Err("the host's document has something else than text as `cwd`".to_owned()),
    }
}

/// What Before and After say alike.
struct Called {
    name: String,
    /// The MCP server, as its configuration calls it.
    server: Option<String>,
    input: Object,
    id: HostCall,
}

impl Called {
    fn read(document: &mut Object) -> Result<Self, String> {
        let name = text(document, "tool_name")?;
        let id = text(document, "tool_use_id")?;
        let id = match document.remove("agent_id") {
            None => id,
            Some(Json::String(agent)) => format!("{agent}:{id}"),
            Some(_) => return Err("the host's document has something else than text as `agent_id`".to_owned()),
        };
        let server = match document.remove("mcp_server") {
            None => None,
            Some(Json::Object(mut server)) => Some(text(&mut server, "name")?),
            Some(_) => return Err("the host's document has something else than an object as `mcp_server`".to_owned()),
        };
        let Some(Json::Object(input)) = document.remove("tool_input") else {
            return Err("the host's document has no object as `tool_input`".to_owned());
        };
        let id = id.parse().map_err(|error| format!("the call's id: {error}"))?;
        Ok(Self { name, server, input, id })
    }

    fn before(self, session: &SessionId, cwd: Option<WorkingDirectory>) -> Result<Request, CallFault> {
        Ok(Request { cwd, ..self.request(session)? })
    }

    fn after(mut self, session: &SessionId, outcome: Outcome, document: &Object) -> Result<Reported, String> {
        for member in by_a_person(&self.name) {
            self.input.remove(member);
        }
        let took = document.get("duration_ms").and_then(Json::as_i64).and_then(|took| u64::try_from(took).ok());
        let result = document.get("tool_response").or_else(|| document.get("error"));
        Ok(Reported {
            request: self.request(session).map_err(|error| format!("the tool: {error}"))?,
            outcome,
            result: result.map(|result| Digest::of(&result.canonical())),
            took: took.map(Duration::from_millis),
        })
    }

    fn request(self, session: &SessionId) -> Result<Request, NameError> {
        let tool = tool(&self.name, self.server.as_deref())?;
        let original = Digest::of(&Json::Object(self.input.clone()).canonical());
        Ok(Request {
            tool,
            session: Some(session.clone()),
            arguments: Some(self.input),
            members: Object::default(),
            cwd: None,
            original,
            offered: None,
            host_call: Some(self.id),
        })
    }
}

/// What the host adds to a call after it was decided: a person's answers, which no model wrote. Before the call
/// these are as foreign to the tool as any other member, so that a model cannot answer for the person.
fn by_a_person(tool: &str) -> &'static [&'static str] {
    match tool {
        "AskUserQuestion" => &["answers", "annotations"],
        _ => &[],
    }
}

/// `claude-code.<Tool>` for a tool of the host's own, `<server>.<tool>` for `mcp__<server>__<tool>`.
///
/// The host writes `_` for what may not stand in a name, in servers and tools alike. A server that would have the
/// host's own name is refused: its tools would be decided as the host's.
fn tool(name: &str, server: Option<&str>) -> Result<ToolName, NameError> {
    let Some(rest) = name.strip_prefix("mcp__") else {
        return ToolName::of(&NAME.parse()?, name);
    };
    // Without the host's word, where the server's name ends is a guess; the first `__` may be part of it.
    let known = server.map(plain).and_then(|server| {
        let tool = rest.strip_prefix(server.as_str())?.strip_prefix("__")?;
        Some((server, tool))
    });
    match known {
        Some((server, tool)) if server != NAME => ToolName::of(&server.parse::<ServerName>()?, tool),
        // No name: refused as one.
        _ => "".parse(),
    }
}

fn plain(server: &str) -> String {
    server.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

/// What the hook's process does: its one document, its one line for people and models, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// For standard output, and nothing beside it.
    pub document: String,
    /// For standard error.
    pub line: Option<String>,
    /// The exit code.
    pub code: u8,
}

/// `reply` in this host's words.
pub fn words(reply: &Reply) -> Words {
    let pass = |members: Vec<(&str, Json)>| Words { document: say(Json::object(members)), line: None, code: 0 };
    match reply {
        Reply::Pass => pass(vec![]),
        Reply::Deny(why) => {
            let answer = [("permissionDecision", "deny"), ("permissionDecisionReason", why)];
            let answer = Json::object([("hookEventName", "PreToolUse")].into_iter().chain(answer));
            Words { document: say(Json::object([("hookSpecificOutput", answer)])), line: Some(one_line(why)), code: 2 }
        }
        Reply::Stop(why) => pass(vec![("continue", Json::Bool(false)), ("stopReason", Json::from(why.as_str()))]),
        Reply::Tell(text) => pass(vec![("systemMessage", Json::from(text.as_str()))]),
        Reply::Remark(text) => {
            let answer = Json::object([("hookEventName", "UserPromptSubmit"), ("additionalContext", text.as_str())]);
            pass(vec![("hookSpecificOutput", answer)])
        }
        Reply::Unkept(why) => {
            Words { document: say(Json::object::<&str, Json>([])), line: Some(one_line(why)), code: 2 }
        }
    }
}

fn say(document: Json) -> String {
    String::from_utf8_lossy(&document.canonical()).into_owned()
}

/// One line that cannot be empty: some hosts let a call run when the reason is.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.trim().is_empty() { "Denied by Callgate.".to_owned() } else { line }
}
