//! Which methods are known, and how a decided one becomes a call.

use callgate_core::seam::OfferKind;
use callgate_core::{CallFault, Request, ServerName, SessionId, ToolName};
use callgate_text::{Digest, Json, Object};

/// A method that is decided like a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Call,
    GetPrompt,
    ReadResource,
    Subscribe,
    Unsubscribe,
    Complete,
    Sample,
    Elicit,
    ListRoots,
}

/// A request about a task, which passes for the tasks of this door's own calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskMethod {
    Get,
    Result,
    Cancel,
    List,
}

/// What a known request of either side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Initialize,
    Plain,
    List(OfferKind),
    Decided(Action),
    Task(TaskMethod),
}

/// The requests of the client. What is not here is refused.
pub(super) fn from_client(method: &str) -> Option<Method> {
    Some(match method {
        "initialize" => Method::Initialize,
        "ping" | "logging/setLevel" => Method::Plain,
        "tools/list" => Method::List(OfferKind::Tool),
        "prompts/list" => Method::List(OfferKind::Prompt),
        "resources/list" => Method::List(OfferKind::Resource),
        "resources/templates/list" => Method::List(OfferKind::Template),
        "tools/call" => Method::Decided(Action::Call),
        "prompts/get" => Method::Decided(Action::GetPrompt),
        "resources/read" => Method::Decided(Action::ReadResource),
        "resources/subscribe" => Method::Decided(Action::Subscribe),
        "resources/unsubscribe" => Method::Decided(Action::Unsubscribe),
        "completion/complete" => Method::Decided(Action::Complete),
        other => Method::Task(task(other)?),
    })
}

/// The requests of the server. What is not here is refused.
pub(super) fn from_server(method: &str) -> Option<Method> {
    Some(match method {
        "ping" => Method::Plain,
        "sampling/createMessage" => Method::Decided(Action::Sample),
        "elicitation/create" => Method::Decided(Action::Elicit),
        "roots/list" => Method::Decided(Action::ListRoots),
        other => Method::Task(task(other)?),
    })
}

fn task(method: &str) -> Option<TaskMethod> {
    match method {
        "tasks/get" => Some(TaskMethod::Get),
        "tasks/result" => Some(TaskMethod::Result),
        "tasks/cancel" => Some(TaskMethod::Cancel),
        "tasks/list" => Some(TaskMethod::List),
        _ => None,
    }
}

/// The notifications of the client that pass.
pub(super) const TOLD_BY_CLIENT: [&str; 5] = [
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

/// The notifications of the server that pass.
pub(super) const TOLD_BY_SERVER: [&str; 9] = [
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/resources/updated",
    "notifications/resources/list_changed",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/elicitation/complete",
    "notifications/tasks/status",
];

impl Action {
    const ALL: [Self; 9] = [
        Self::Call,
        Self::GetPrompt,
        Self::ReadResource,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Complete,
        Self::Sample,
        Self::Elicit,
        Self::ListRoots,
    ];

    /// The method, which is also the tool's part of the call's name, except for calls of tools.
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Call => "tools/call",
            Self::GetPrompt => "prompts/get",
            Self::ReadResource => "resources/read",
            Self::Subscribe => "resources/subscribe",
            Self::Unsubscribe => "resources/unsubscribe",
            Self::Complete => "completion/complete",
            Self::Sample => "sampling/createMessage",
            Self::Elicit => "elicitation/create",
            Self::ListRoots => "roots/list",
        }
    }

    /// The members of `params` that are the call's arguments; for sampling and elicitation any.
    const fn arguments(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Call | Self::GetPrompt => Some(&["name", "arguments"]),
            Self::ReadResource | Self::Subscribe | Self::Unsubscribe => Some(&["uri"]),
            Self::Complete => Some(&["ref", "argument", "context"]),
            Self::ListRoots => Some(&[]),
            Self::Sample | Self::Elicit => None,
        }
    }

    /// Whether the request may ask for a task instead of a result.
    const fn takes_task(self) -> bool {
        matches!(self, Self::Call | Self::Sample | Self::Elicit)
    }
}

/// Reads the call that a decided request makes. `original` is the digest of the bytes to be forwarded.
pub(super) fn read(
    action: Action,
    message: &Object,
    server: &ServerName,
    session: Option<&SessionId>,
    original: Digest,
) -> Result<Request, CallFault> {
    if message.iter().any(|(key, _)| !["jsonrpc", "id", "method", "params"].contains(&key)) {
        return Err(CallFault::Shape("has a member beside `jsonrpc`, `id`, `method` and `params`"));
    }
    let mut params = message.get("params").and_then(Json::as_object).cloned().unwrap_or_default();
    let members = members(action, &mut params)?;
    if let Some(allowed) = action.arguments()
        && params.iter().any(|(key, _)| !allowed.contains(&key))
    {
        return Err(CallFault::Shape("has a member in `params` that is not part of this method"));
    }
    let (name, arguments) = match action {
        Action::Call => called(&mut params)?,
        Action::Sample => (action.method().to_owned(), Some(wrapped(params))),
        Action::Elicit => {
            let message = params.get("message").and_then(Json::as_str).map(str::to_owned);
            let mut arguments = wrapped(params);
            arguments.set("message", message.ok_or(CallFault::Shape("has no text as `message`"))?);
            (action.method().to_owned(), Some(arguments))
        }
        _ => (action.method().to_owned(), Some(params)),
    };
    let tool = ToolName::of(server, &name)?;
    Ok(Request { tool, session: session.cloned(), arguments, members, original, offered: None, host_call: None })
}

/// The name and arguments of `tools/call`. A tool may not have the name of a protocol method: its call
/// would be judged as that method.
fn called(params: &mut Object) -> Result<(String, Option<Object>), CallFault> {
    let Some(Json::String(name)) = params.remove("name") else {
        return Err(CallFault::Shape("has no text as `name`"));
    };
    if Action::ALL.iter().any(|action| action.method().eq_ignore_ascii_case(&name)) {
        return Err(CallFault::Shape("names a method of the protocol as its tool"));
    }
    match params.remove("arguments") {
        None => Ok((name, None)),
        Some(Json::Object(arguments)) => Ok((name, Some(arguments))),
        Some(_) => Err(CallFault::Shape("must have an object as `arguments`")),
    }
}

fn wrapped(params: Object) -> Object {
    [("params".to_owned(), Json::Object(params))].into_iter().collect()
}

/// Takes the protocol's own members out of `params`: all but the progress token are part of the call.
fn members(action: Action, params: &mut Object) -> Result<Object, CallFault> {
    let mut members = Object::default();
    match params.remove("_meta") {
        None => {}
        Some(Json::Object(mut meta)) => {
            if !matches!(meta.remove("progressToken"), None | Some(Json::String(_) | Json::Number(_))) {
                return Err(CallFault::Shape("has a progress token that is neither a string nor a number"));
            }
            if !meta.is_empty() {
                members.set("_meta", meta);
            }
        }
        Some(_) => return Err(CallFault::Shape("must have an object as `_meta`")),
    }
    if action.takes_task()
        && let Some(task) = params.remove("task")
    {
        let Json::Object(task) = task else { return Err(CallFault::Shape("must have an object as `task`")) };
        members.set("task", task);
    }
    Ok(members)
}
