//! Which methods are known, and how a decided one becomes a call.

use callgate_core::seam::OfferKind;
use callgate_core::{CallFault, Request, ServerName, SessionId, ToolName};
use callgate_text::{Digest, Json, Object};

use super::era::Era;

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
    /// Answers what the task asks for.
    Update,
}

/// What a known request of either side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Initialize,
    Discover,
    Plain,
    List(OfferKind),
    Decided(Action),
    /// What is subscribed to is decided, resource by resource.
    Listen,
    Task(TaskMethod),
}

/// The requests of the client. What is not here is refused.
pub(super) fn from_client(method: &str, era: Era) -> Option<Method> {
    Some(match (method, era) {
        ("tools/list", _) => Method::List(OfferKind::Tool),
        ("prompts/list", _) => Method::List(OfferKind::Prompt),
        ("resources/list", _) => Method::List(OfferKind::Resource),
        ("resources/templates/list", _) => Method::List(OfferKind::Template),
        ("tools/call", _) => Method::Decided(Action::Call),
        ("prompts/get", _) => Method::Decided(Action::GetPrompt),
        ("resources/read", _) => Method::Decided(Action::ReadResource),
        ("completion/complete", _) => Method::Decided(Action::Complete),
        ("initialize", Era::Handshake) => Method::Initialize,
        ("ping" | "logging/setLevel", Era::Handshake) => Method::Plain,
        ("resources/subscribe", Era::Handshake) => Method::Decided(Action::Subscribe),
        ("resources/unsubscribe", Era::Handshake) => Method::Decided(Action::Unsubscribe),
        ("server/discover", Era::Stateless) => Method::Discover,
        ("subscriptions/listen", Era::Stateless) => Method::Listen,
        (other, era) => Method::Task(task(other, era)?),
    })
}

/// The requests of the server, which only the older era has. What is not here is refused.
pub(super) fn from_server(method: &str) -> Option<Method> {
    Some(match method {
        "ping" => Method::Plain,
        "sampling/createMessage" => Method::Decided(Action::Sample),
        "elicitation/create" => Method::Decided(Action::Elicit),
        "roots/list" => Method::Decided(Action::ListRoots),
        other => Method::Task(task(other, Era::Handshake)?),
    })
}

/// The tasks of the older era, and those of the extension that the stateless one has for them.
fn task(method: &str, era: Era) -> Option<TaskMethod> {
    match (method, era) {
        ("tasks/get", _) => Some(TaskMethod::Get),
        ("tasks/cancel", _) => Some(TaskMethod::Cancel),
        ("tasks/result", Era::Handshake) => Some(TaskMethod::Result),
        ("tasks/list", Era::Handshake) => Some(TaskMethod::List),
        ("tasks/update", Era::Stateless) => Some(TaskMethod::Update),
        _ => None,
    }
}

/// What a server may ask for in an answer of the stateless era: what it asks by itself in the older one.
pub(super) fn in_an_answer(method: &str) -> Option<Action> {
    [Action::Sample, Action::Elicit, Action::ListRoots].into_iter().find(|action| action.method() == method)
}

/// The notifications of the client that pass.
pub(super) fn told_by_client(method: &str, era: Era) -> bool {
    match era {
        Era::Stateless => method == "notifications/cancelled",
        Era::Handshake => matches!(
            method,
            "notifications/initialized"
                | "notifications/cancelled"
                | "notifications/progress"
                | "notifications/roots/list_changed"
                | "notifications/tasks/status"
        ),
    }
}

/// The notifications of the server that pass.
pub(super) fn told_by_server(method: &str, era: Era) -> bool {
    let common = [
        "notifications/cancelled",
        "notifications/progress",
        "notifications/message",
        "notifications/resources/updated",
        "notifications/resources/list_changed",
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
    ];
    let of_era = match era {
        Era::Handshake => ["notifications/elicitation/complete", "notifications/tasks/status"],
        Era::Stateless => ["notifications/subscriptions/acknowledged", "notifications/tasks"],
    };
    common.contains(&method) || of_era.contains(&method)
}

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

    /// The members of `params` that are the call's arguments; for sampling and elicitation all, so that policy
    /// refuses those that it does not know.
    const fn arguments(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Call | Self::GetPrompt => Some(&["name", "arguments"]),
            Self::ReadResource | Self::Subscribe | Self::Unsubscribe => Some(&["uri"]),
            Self::Complete => Some(&["ref", "argument", "context"]),
            Self::ListRoots => Some(&[]),
            Self::Sample | Self::Elicit => None,
        }
    }

    /// Whether a server of the stateless era may ask for input instead of giving a result.
    pub(super) const fn takes_input(self) -> bool {
        matches!(self, Self::Call | Self::GetPrompt | Self::ReadResource)
    }

    /// Whether the request may ask for a task instead of a result.
    const fn takes_task(self) -> bool {
        matches!(self, Self::Call | Self::Sample | Self::Elicit)
    }
}

/// For whom calls are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) server: &'a ServerName,
    pub(super) session: Option<&'a SessionId>,
    pub(super) era: Era,
}

/// Reads the call that a decided request makes. `original` is the digest of the bytes to be forwarded.
pub(super) fn read(
    action: Action,
    message: &Object,
    reader: Reader<'_>,
    original: Digest,
) -> Result<Request, CallFault> {
    let Reader { server, session, era } = reader;
    if message.iter().any(|(key, _)| !["jsonrpc", "id", "method", "params"].contains(&key)) {
        return Err(CallFault::Shape("has a member beside `jsonrpc`, `id`, `method` and `params`"));
    }
    let mut params = message.get("params").and_then(Json::as_object).cloned().unwrap_or_default();
    let members = members(action, era, &mut params)?;
    if let Some(allowed) = action.arguments()
        && params.iter().any(|(key, _)| !allowed.contains(&key))
    {
        return Err(CallFault::Shape("has a member in `params` that is not part of this method"));
    }
    let (name, arguments) = match action {
        Action::Call => called(&mut params)?,
        _ => (action.method().to_owned(), Some(params)),
    };
    let tool = ToolName::of(server, &name)?;
    Ok(Request {
        tool,
        session: session.cloned(),
        arguments,
        members,
        cwd: None,
        original,
        offered: None,
        host_call: None,
    })
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

/// Takes the protocol's own members out of `params`: all but the progress token are part of the call.
fn members(action: Action, era: Era, params: &mut Object) -> Result<Object, CallFault> {
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
    if era == Era::Handshake
        && action.takes_task()
        && let Some(task) = params.remove("task")
    {
        let Json::Object(task) = task else { return Err(CallFault::Shape("must have an object as `task`")) };
        members.set("task", task);
    }
    if era == Era::Stateless && action.takes_input() {
        // Their forms were held against what the server asked for.
        for member in ["inputResponses", "requestState"] {
            if let Some(value) = params.remove(member) {
                members.set(member, value);
            }
        }
    }
    Ok(members)
}
