//! `call_tool` and `cancel`: the gate's own tools over the socket.

use callgate_core::{CallFault, Caller, Code, Reason};
use callgate_text::Json;
use tokio::sync::watch;

use crate::outbox::Outbox;
use crate::shapes::Fields;
use crate::tools::{Conduct, Progress};

use super::connection::Request;
use super::operate::{malformed, shape};
use super::wire;

/// Runs a tool, telling of its progress until its answer.
pub(super) async fn call(request: &Request, id: i64, caller: Caller, body: Json) -> Result<Json, Reason> {
    let Some(tools) = request.shared.tools.get() else {
        return Err(Reason::new(Code::UnknownTool, "this gate runs no tools of its own"));
    };
    let call = wire::request_from_json(body).unwrap_or_else(|why| Err(CallFault::Shape(shape(why))));
    let (conduct, followed, cancel) = Conduct::new();
    let Some(_entry) = request.running.enter(id, cancel) else {
        return Err(Reason::new(Code::InvalidArguments, "another call of this id is under way"));
    };
    let called = tools.call(caller, request.greeting.kind(), call, conduct);
    let followed = tell(id, followed, &request.outbox);
    // What waits to be told when the call ends is no longer news.
    tokio::select! {
        biased;
        called = called => Ok(called.to_json()),
        () = followed => Err(Reason::new(Code::Internal, "the connection is gone")),
    }
}

/// `{id}` of a call on this connection.
pub(super) fn cancel(request: &Request, body: Json) -> Result<Json, Reason> {
    let mut body = Fields::of(body).map_err(malformed)?;
    let id = body.take("id").and_then(|id| id.as_i64());
    body.end().map_err(malformed)?;
    let id = id.ok_or_else(|| malformed("`id` is no integer"))?;
    Ok(Json::object([("under_way", Json::Bool(request.running.cancel(id)))]))
}

/// Hands progress on as fast as it is read, and never ends.
async fn tell(id: i64, mut followed: watch::Receiver<Option<Progress>>, outbox: &Outbox) {
    while followed.changed().await.is_ok() {
        let progress = followed.borrow_and_update().as_ref().map(Progress::to_json);
        if let Some(progress) = progress {
            let frame = Json::object([("id", Json::integer(id)), ("progress", progress)]);
            if outbox.send(frame.canonical()).await.is_err() {
                break;
            }
        }
    }
    // The call ends by itself, cancelled if the connection is lost: its end must be reported.
    std::future::pending().await
}
