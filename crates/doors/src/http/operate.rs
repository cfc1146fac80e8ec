//! From a request to an operation of the gate.

use std::sync::LazyLock;

use callgate_core::{AgentId, Answer, CallFault, Caller, Code, Decision, Disclose, Posture, Reason, Request};
use callgate_text::Json;
use hyper::StatusCode;

use crate::frames::too_many_values;
use crate::shapes::{Malformed, completion_from_json, observed_to_json, preview_to_json, texts_from_json};
use crate::socket::Peer;

use super::body::Wrong;
use super::endpoints::Endpoint;
use super::reply::{OPEN_METRICS, Reply, trouble};
use super::server::Shared;
use super::visit::Admitted;
use super::{DOOR, document};

/// From this size on, a body is parsed where it holds up nobody else.
const HEAVY: usize = 256 * 1024;

/// Anybody may ask for it, however often.
static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| document::openapi().canonical());

/// What anybody may ask.
pub(super) fn anybody(shared: &Shared, endpoint: Endpoint) -> Reply {
    let health = |status, word| Reply::json(status, &Json::object([("status", word)]));
    match endpoint {
        Endpoint::Health => health(StatusCode::OK, "ok"),
        Endpoint::Ready if shared.services.instruments.is_ready() => health(StatusCode::OK, "ok"),
        Endpoint::Ready => health(StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        Endpoint::OpenApi => Reply::written(DOCUMENT.clone()),
        other => misplaced(other),
    }
}

/// What the agent asks whom its credential proves.
pub(super) async fn agent(
    shared: &Shared,
    endpoint: Endpoint,
    id: AgentId,
    posture: Posture,
    admitted: Admitted,
) -> Reply {
    let gate = &shared.services.gate;
    let caller = Caller::Agent { id: id.clone(), posture };
    let Admitted { bytes, _room } = admitted;
    match endpoint {
        Endpoint::Decide => {
            let call = match bytes {
                Err(wrong) => Err((wrong.status, CallFault::Shape(wrong.what))),
                Ok(bytes) => apart(bytes, move |bytes| own_call(&bytes, &id)).await,
            };
            let (status, call) = match call {
                Ok(call) => (StatusCode::OK, Ok(call)),
                Err((status, fault)) => (status, Err(fault)),
            };
            let answer = gate.decide_at(DOOR, &caller, call).await;
            Reply::decided(status_of(&answer, status), &answer)
        }
        Endpoint::Complete => match parsed(bytes, completion_from_json).await {
            Err(refusal) => refusal,
            Ok(completion) => match gate.complete(&caller, completion).await {
                Ok(receipt) => Reply::json(StatusCode::OK, &Json::object([("receipt", receipt.to_json())])),
                Err(reason) => Reply::failed(reason),
            },
        },
        Endpoint::Observe => match parsed(bytes, texts_from_json).await {
            Err(refusal) => refusal,
            Ok(texts) => match gate.observe(&caller, &texts).await {
                Ok(observed) => Reply::json(StatusCode::OK, &observed_to_json(observed)),
                Err(reason) => Reply::failed(reason),
            },
        },
        other => misplaced(other),
    }
}

/// What only the operator may ask.
pub(super) async fn operator(shared: &Shared, peer: &Peer, endpoint: Endpoint, admitted: Option<Admitted>) -> Reply {
    let services = &shared.services;
    match (endpoint, admitted) {
        (Endpoint::Preview, Some(Admitted { bytes, _room })) => {
            let call = match bytes {
                Err(wrong) => Err((wrong.status, format!("the call {}", wrong.what))),
                Ok(bytes) => apart(bytes, |bytes| named_call(&bytes))
                    .await
                    .map_err(|(status, fault)| (status, fault.to_string())),
            };
            let (agent, request) = match call {
                Ok(call) => call,
                Err((status, why)) => return Reply::refused(status, Reason::new(Code::InvalidArguments, why)),
            };
            let caller = Caller::Agent { id: agent, posture: Posture::Advisory };
            match services.gate.preview(&caller, request).await {
                Ok(preview) => Reply::json(StatusCode::OK, &preview_to_json(&preview)),
                Err(reason) => Reply::failed(reason),
            }
        }
        (Endpoint::Status, None) => match services.operator.operate(peer, "status", &Json::Null).await {
            Ok(status) => Reply::json(StatusCode::OK, &status),
            Err(why) => Reply::failed(Reason::new(Code::Internal, why)),
        },
        (Endpoint::Metrics, None) => Reply::text(OPEN_METRICS, services.instruments.metrics()),
        (other, _) => misplaced(other),
    }
}

/// The table sent a request where nothing answers it. A test asks every endpoint.
fn misplaced(_: Endpoint) -> Reply {
    Reply::failed(Reason::new(Code::Internal, "this endpoint is not served"))
}

/// A decision about a call is one whatever it was; only what is no decision about it has a status of its own. What
/// runs is always 200: where the operator lets this door only watch, so is what would have been refused.
fn status_of(answer: &Answer, asked: StatusCode) -> StatusCode {
    let first = answer.verdict.reasons.first();
    let own = first.filter(|reason| reason.policy.is_none() && answer.verdict.disclose == Disclose::Full);
    match answer.decision() {
        Decision::Allow | Decision::WouldDeny => StatusCode::OK,
        Decision::Deny | Decision::Escalate => own.and_then(|reason| trouble(reason.code)).unwrap_or(asked),
    }
}

type Fault = (StatusCode, CallFault);

/// A call of the agent that asks. What names another one is a call, too, and is denied as one.
fn own_call(bytes: &[u8], id: &AgentId) -> Result<Request, Fault> {
    let (agent, request) = call(bytes)?;
    match agent {
        Some(agent) if agent != *id => {
            Err((StatusCode::OK, CallFault::Shape("names another agent than its credential")))
        }
        _ => Ok(request),
    }
}

/// A call of the agent that it names.
fn named_call(bytes: &[u8]) -> Result<(AgentId, Request), Fault> {
    let (agent, request) = call(bytes)?;
    let agent = agent.ok_or((StatusCode::BAD_REQUEST, CallFault::Shape("lacks `agent`")))?;
    Ok((agent, request))
}

fn call(bytes: &[u8]) -> Result<(Option<AgentId>, Request), Fault> {
    let bad = |fault| (StatusCode::BAD_REQUEST, fault);
    if too_many_values(bytes) {
        return Err(bad(CallFault::Shape(TOO_MANY)));
    }
    Request::parse(bytes).map_err(bad)
}

const TOO_MANY: &str = "holds too many values";

/// The body in the form that `shape` reads.
async fn parsed<T: Send + 'static>(
    bytes: Result<Vec<u8>, Wrong>,
    shape: fn(Json) -> Result<T, Malformed>,
) -> Result<T, Reply> {
    let refused = |status, why: String| Reply::refused(status, Reason::new(Code::InvalidArguments, why));
    let bytes = bytes.map_err(|wrong| refused(wrong.status, format!("the body {}", wrong.what)))?;
    let read = apart(bytes, move |bytes| {
        if too_many_values(&bytes) {
            return Err((StatusCode::BAD_REQUEST, CallFault::Reported(format!("the body {TOO_MANY}"))));
        }
        let strict = Json::parse(&bytes).map_err(|error| format!("the body is not strict JSON: {error}"));
        let read = strict.and_then(|json| shape(json).map_err(|why| format!("the body cannot be read: {why}")));
        read.map_err(|why| (StatusCode::BAD_REQUEST, CallFault::Reported(why)))
    });
    read.await.map_err(|(status, fault)| refused(status, fault.to_string()))
}

/// Parses; what is large, away from the tasks that answer.
async fn apart<T: Send + 'static>(
    bytes: Vec<u8>,
    parse: impl FnOnce(Vec<u8>) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    if bytes.len() <= HEAVY {
        return parse(bytes);
    }
    let unread = || (StatusCode::BAD_REQUEST, CallFault::Shape("could not be read"));
    tokio::task::spawn_blocking(move || parse(bytes)).await.unwrap_or_else(|_| Err(unread()))
}
