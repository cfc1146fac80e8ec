//! Answers of the stateless era that ask for something before they give a result.

use callgate_core::{Code, Outcome, Reason};
use callgate_text::{Digest, Json, Object};

use crate::Ruling;

use super::Message;
use super::actions::{self, Action};
use super::decided::released;
use super::era::Era;
use super::inflight::{Asked, Expected};
use super::inspect::{inspect, inspected};
use super::message::is_variant;
use super::questions::{self, LONGEST_NAME, MOST_QUESTIONS, Question, Target};
use super::session::Session;

/// Why an answer is not handed over as it is.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It may not be handed over.
    Withheld(Reason),
    /// It asks for something that policy does not let the server ask for.
    MayNotAsk(Action, Ruling),
}

impl From<Reason> for Unfit {
    fn from(reason: Reason) -> Self {
        Self::Withheld(reason)
    }
}

/// What kind of answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A result.
    Complete,
    /// Questions, or a state to come back with.
    InputRequired,
    /// A task that will have the result.
    Task,
}

/// The members that say of which kind an answer is, or what it asks for.
const TELLING: [&str; 5] = ["resultType", "inputRequests", "requestState", "cacheScope", "taskId"];

/// Of which kind the answer to `asked` is.
///
/// # Errors
/// It is of none that this door knows, or of one that does not answer such a request. Clients tell kinds apart in
/// different ways, some by what an answer holds, so one that says it is a result must not ask for anything.
pub(super) fn kind(asked: &Asked, result: &Json) -> Result<Kind, Reason> {
    let withheld = |why| Err(Reason::new(Code::ResultWithheld, why));
    let Some(result) = result.as_object() else { return withheld("the server's answer is not an object") };
    if result.iter().any(|(key, _)| TELLING.iter().any(|name| is_variant(key, name))) {
        return withheld("the server's answer has a member in another spelling");
    }
    let asks = result.contains("inputRequests") || result.contains("requestState");
    let of_task = matches!(asked, Asked::Task { .. });
    match (result.get("resultType").map(Json::as_str), asked) {
        (None | Some(Some("complete")), _) if !asks || of_task => Ok(Kind::Complete),
        (Some(Some("input_required")), Asked::Decided { action, .. }) if action.takes_input() => {
            Ok(Kind::InputRequired)
        }
        (
            Some(Some("task")),
            Asked::Decided { action: Action::Call, expects: Expected::Stateless { task: true, .. } },
        ) if !asks => Ok(Kind::Task),
        _ => withheld("the server's answer is of a kind that this gate does not know for such a request"),
    }
}

/// Whether an answer of the older era is one of the stateless era. A client of both could take it for one.
pub(super) fn is_of_the_other_era(result: &Json) -> bool {
    let kind = result.get("resultType").and_then(Json::as_str);
    matches!(kind, Some("input_required" | "task")) || result.get("inputRequests").is_some()
}

/// The answer that asks, if it may: each thing that it asks for is an action of its own.
///
/// # Errors
/// [`Unfit`].
pub(super) async fn asks(session: &Session, target: Target, mut message: Message) -> Result<Message, Unfit> {
    let result = message.json.get("result").and_then(Json::as_object).cloned().unwrap_or_default();
    let state = match result.get("requestState") {
        None => None,
        Some(Json::String(state)) => Some(state.clone()),
        Some(_) => return Err(withheld("the server's state is no text")),
    };
    if let Some(state) = &state {
        // It goes back as it came, so it cannot be changed: it has nothing hidden in it, or it does not pass.
        if inspect(&*session.gate, &Json::from(state.as_str())).await?.is_some() {
            return Err(withheld("the server's state has hidden characters"));
        }
    }
    message = inspected(&*session.gate, message, "result").await?;
    let after = message.json.get("result").and_then(|result| result.get("inputRequests"));
    let asked = match (result.get("inputRequests"), after) {
        (None, _) if state.is_some() => questions::Asked::new(),
        (Some(Json::Object(before)), Some(Json::Object(after))) if same_names(before, after) && !after.is_empty() => {
            let after = after.clone();
            decide(session, (target, state.as_deref()), &after, Again::Decides).await?
        }
        _ => return Err(withheld("the server's answer asks for nothing that can be told")),
    };
    let forgotten = session.questions.learn(target, state.as_deref(), asked);
    session.report_all(forgotten, Outcome::Timeout).await;
    Ok(message)
}

/// What a task says, if it may ask for what it asks for: the member `member` of `message` is the task. It was
/// inspected. What a task asks for again, word for word, was decided before.
///
/// # Errors
/// [`Unfit`].
pub(super) async fn task_asks(session: &Session, target: Target, message: &Message, member: &str) -> Result<(), Unfit> {
    let Some(task) = message.json.get(member).and_then(Json::as_object) else { return Ok(()) };
    if task.iter().any(|(key, _)| ["inputRequests", "result"].iter().any(|name| is_variant(key, name))) {
        return Err(withheld("the task has a member in another spelling"));
    }
    if task.get("result").is_some_and(is_of_the_other_era) {
        return Err(withheld("the task's result asks for something"));
    }
    let asked = match task.get("inputRequests") {
        None => return Ok(()),
        Some(Json::Object(asked)) => decide(session, (target, None), asked, Again::Knows).await?,
        Some(_) => return Err(withheld("the task's questions are not an object")),
    };
    let forgotten = session.questions.learn(target, None, asked);
    session.report_all(forgotten, Outcome::Timeout).await;
    Ok(())
}

/// The code of an error that sends the user to an address first (MCP 2025-11-25 alone).
const ADDRESS_REQUIRED: i64 = -32042;

/// An error that asks, if it may: in the older era a server may refuse a request until the user has been to an
/// address, which it names in the error. That is an elicitation.
///
/// # Errors
/// [`Unfit`].
pub(super) async fn error_asks(session: &Session, message: &Message) -> Result<(), Unfit> {
    let Some(error) = message.json.get("error").and_then(Json::as_object) else { return Ok(()) };
    if error.iter().any(|(key, _)| ["code", "data"].iter().any(|name| is_variant(key, name))) {
        return Err(withheld("the server's error has a member in another spelling"));
    }
    let code = error.get("code").and_then(Json::as_i64);
    if code.is_none() {
        return Err(withheld("the server's error has no code"));
    }
    if code != Some(ADDRESS_REQUIRED) {
        return Ok(());
    }
    if session.phase.stage().era() != Some(Era::Handshake) {
        return Err(withheld("the server's error is of another era of the protocol"));
    }
    let asked = error.get("data").and_then(|data| data.get("elicitations")).and_then(Json::as_array);
    let Some(asked) = asked.filter(|asked| !asked.is_empty() && asked.len() <= MOST_QUESTIONS) else {
        return Err(withheld("the server's error asks for nothing that can be told"));
    };
    for params in asked {
        let request = [("method", Json::from(Action::Elicit.method())), ("params", params.clone())];
        let request: Object = request.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if params.as_object().is_none() {
            return Err(withheld("the server's error asks for nothing that can be told"));
        }
        let digest = Digest::of(&Json::Object(request.clone()).canonical());
        let call = actions::read(Action::Elicit, &request, session.reader(Era::Handshake), digest);
        let ruling = session.gate.decide(call).await;
        match released(&ruling) {
            // It has no answer: the client makes its request again.
            Some(permit) => session.report(Some(permit), Outcome::Ok, None).await,
            None => return Err(Unfit::MayNotAsk(Action::Elicit, ruling)),
        }
    }
    Ok(())
}

/// What happens to a question that was asked before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// It is decided anew.
    Decides,
    /// It is the same question.
    Knows,
}

async fn decide(
    session: &Session,
    (target, state): (Target, Option<&str>),
    asked: &Object,
    again: Again,
) -> Result<questions::Asked, Unfit> {
    if asked.len() > MOST_QUESTIONS {
        return Err(withheld("the server asks for too much at once"));
    }
    let mut read = Vec::with_capacity(asked.len());
    for (name, request) in asked.iter() {
        if name.len() > LONGEST_NAME {
            return Err(withheld("the name of a question is too long"));
        }
        read.push((name, question(request)?, request));
    }
    let (mut let_through, mut fresh) = (questions::Asked::new(), Vec::new());
    for (name, kind, request) in read {
        let digest = Digest::of(&request.canonical());
        let known = if again == Again::Knows { session.questions.known(target, state, name, digest) } else { None };
        let question = match known {
            Some(question) => question,
            None => {
                let whole = request.as_object().cloned().unwrap_or_default();
                let call = actions::read(kind, &whole, session.reader(Era::Stateless), digest);
                let ruling = session.gate.decide(call).await;
                let Some(permit) = released(&ruling) else {
                    // Nothing of it is asked, then.
                    session.report_all(fresh, Outcome::NotRun).await;
                    return Err(Unfit::MayNotAsk(kind, ruling));
                };
                fresh.push(permit.clone());
                Question { kind, asked: digest, released: Some(permit) }
            }
        };
        let_through.insert(name.to_owned(), question);
    }
    Ok(let_through)
}

/// Of which kind a question is.
fn question(request: &Json) -> Result<Action, Unfit> {
    let none = || withheld("the server asks for something that the protocol does not have");
    let object = request.as_object().ok_or_else(none)?;
    let method = object.get("method").and_then(Json::as_str);
    let kind = method.and_then(actions::in_an_answer).ok_or_else(none)?;
    let fits = |key: &str, value: &Json| key == "method" || key == "params" && value.as_object().is_some();
    if object.iter().all(|(key, value)| fits(key, value)) { Ok(kind) } else { Err(none()) }
}

fn same_names(before: &Object, after: &Object) -> bool {
    before.len() == after.len() && before.iter().all(|(name, _)| after.contains(name))
}

fn withheld(why: &'static str) -> Unfit {
    Unfit::Withheld(Reason::new(Code::ResultWithheld, why))
}

/// A result of the stateless era as somebody may keep it: for this client alone. What it shows was chosen for
/// this agent, so a cache that serves others must not have it.
pub(super) fn kept_private(message: Message) -> Message {
    let Some(Json::Object(result)) = message.json.get("result") else { return message };
    match result.get("cacheScope") {
        None => message,
        Some(scope) if scope.as_str() == Some("private") => message,
        Some(_) => {
            let mut result = result.clone();
            result.set("cacheScope", "private");
            message.with("result", result)
        }
    }
}
