//! From a request on the socket to an operation of the gate.

use callgate_core::{CallFault, Code, Reason};
use callgate_text::Json;

use super::calling;
use super::connection::Request;
use super::wire::{self, Malformed};

/// Runs `op` for whoever is at the other end *now*.
pub(super) async fn operate(request: &Request, id: i64, op: &str, body: Json) -> Result<Json, Reason> {
    let services = &request.shared.services;
    let gate = &services.gate;
    let caller = services.identify.identify(&request.peer, &request.greeting);
    match op {
        "decide" => {
            let call = wire::request_from_json(body).unwrap_or_else(|why| Err(CallFault::Shape(shape(why))));
            let door = request.greeting.kind();
            Ok(wire::answer_to_json(&gate.decide_at(door, &caller, call).await))
        }
        "decide_changes" => {
            let (call, changes) = wire::changed_from_json(body).map_err(malformed)?;
            let door = request.greeting.kind();
            Ok(wire::answer_to_json(&gate.decide_changes(door, &caller, call, &changes).await))
        }
        "call_tool" => calling::call(request, id, caller, body).await,
        "cancel" => calling::cancel(request, body),
        "complete" => {
            let completion = wire::completion_from_json(body).map_err(malformed)?;
            gate.complete(&caller, completion).await.map(|receipt| receipt.to_json())
        }
        "report" => {
            let reported = wire::reported_from_json(body).map_err(malformed)?;
            gate.report(&caller, reported).await.map(|receipt| receipt.to_json())
        }
        "preview" => {
            // A trace holds the text of policies, and asking leaves no record: an agent could map them all.
            trusted(request)?;
            let call = wire::request_from_json(body).map_err(malformed)?;
            let call = call.map_err(|fault| Reason::new(Code::InvalidArguments, fault.to_string()))?;
            gate.preview(&caller, call).await.map(|preview| wire::preview_to_json(&preview))
        }
        "standing" => {
            let (server, offers) = wire::offers_from_json(body).map_err(malformed)?;
            gate.standing(&caller, &server, &offers).await.map(|standing| wire::standing_to_json(&standing))
        }
        "observe" => {
            let texts = wire::texts_from_json(body).map_err(malformed)?;
            gate.observe(&caller, &texts).await.map(wire::observed_to_json)
        }
        other => operator(request, other, &body).await,
    }
}

async fn operator(request: &Request, op: &str, body: &Json) -> Result<Json, Reason> {
    trusted(request)?;
    let done = request.shared.services.operator.operate(&request.peer, op, body).await;
    done.map_err(|why| Reason::new(Code::Internal, why))
}

fn trusted(request: &Request) -> Result<(), Reason> {
    if request.shared.is_operator(&request.peer, &request.greeting) {
        return Ok(());
    }
    Err(Reason::new(Code::NotPermitted, "only the gate's own user may ask this, without a token and as no door"))
}

pub(super) fn malformed(why: Malformed) -> Reason {
    Reason::new(Code::InvalidArguments, format!("the request cannot be read: {why}"))
}

/// The sentence of [`CallFault::Shape`] begins with "the call".
pub(super) const fn shape(_: Malformed) -> &'static str {
    "does not have the form of a call"
}
