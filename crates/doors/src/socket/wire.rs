//! The bodies of requests and answers, both ways.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callgate_core::gate::{Observed, Passing, Reported};
use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{
    CallFault, ChangeGroup, Changes, Code, Completion, Decision, Reason, Receipt, Request, RunReport, ServerName,
};
use callgate_text::{Json, Revealed};

use crate::Ruling;
use crate::shapes::{self, Fields};

pub(super) use crate::shapes::{Malformed, answer_to_json, observed_to_json, preview_to_json, texts_from_json};

/// The longest sentence of a fault that another process reports.
const LONGEST_FAULT: usize = 300;

pub(super) fn request_to_json(request: &Result<Request, CallFault>) -> Json {
    let request = match request {
        Ok(request) => request,
        Err(fault) => return Json::object([("fault", fault.to_string())]),
    };
    let mut body = vec![("tool", Json::from(&request.tool)), ("original", Json::from(request.original))];
    if let Some(session) = &request.session {
        body.push(("session", Json::from(session)));
    }
    if let Some(arguments) = &request.arguments {
        body.push(("arguments", Json::Object(arguments.clone())));
    }
    if !request.members.is_empty() {
        body.push(("members", Json::Object(request.members.clone())));
    }
    if let Some(offered) = request.offered {
        body.push(("offered", Json::from(offered.to_string())));
    }
    if let Some(cwd) = &request.cwd {
        body.push(("cwd", Json::from(cwd.as_str())));
    }
    if let Some(host_call) = &request.host_call {
        body.push(("host_call", Json::from(host_call)));
    }
    Json::object(body)
}

pub(super) fn request_from_json(body: Json) -> Result<Result<Request, CallFault>, Malformed> {
    let mut body = Fields::of(body)?;
    if let Some(fault) = body.text("fault")? {
        body.end()?;
        let fault: String = fault.chars().filter(|c| !c.is_control()).take(LONGEST_FAULT).collect();
        let fault = callgate_text::reveal(&fault).map_or(fault, |revealed| revealed.text);
        return Ok(Err(CallFault::Reported(fault)));
    }
    let tool = body.text("tool")?.ok_or("`tool` is missing")?;
    let session = body.text("session")?;
    let request = Request {
        tool: match tool.parse() {
            Ok(tool) => tool,
            Err(error) => return Ok(Err(CallFault::Name(error))),
        },
        session: match session.map(|session| session.parse()).transpose() {
            Ok(session) => session,
            Err(error) => return Ok(Err(CallFault::Name(error))),
        },
        arguments: body.object("arguments")?,
        members: body.object("members")?.unwrap_or_default(),
        cwd: body.text("cwd")?.map(|cwd| cwd.parse()).transpose().map_err(|_| "`cwd` is no absolute, plain path")?,
        original: body.digest("original")?.ok_or("`original` is missing")?,
        offered: match body.text("offered")? {
            None => None,
            Some(offered) => Some(offered.parse().map_err(|_| "`offered` is not what a server can offer")?),
        },
        host_call: match body.text("host_call")?.map(|host_call| host_call.parse()).transpose() {
            Ok(host_call) => host_call,
            Err(error) => return Ok(Err(CallFault::Name(error))),
        },
    };
    body.end()?;
    Ok(Ok(request))
}

/// `{call, changes: [{classes, paths}]}`.
pub(super) fn changed_to_json(request: &Request, changes: &Changes) -> Json {
    let words = |words: &BTreeSet<Arc<str>>| Json::Array(words.iter().map(|word| Json::from(&**word)).collect());
    let group =
        |group: &ChangeGroup| Json::object([("classes", words(&group.classes)), ("paths", words(&group.paths))]);
    let changes = changes.0.iter().map(group).collect();
    Json::object([("call", request_to_json(&Ok(request.clone()))), ("changes", Json::Array(changes))])
}

pub(super) fn changed_from_json(body: Json) -> Result<(Request, Changes), Malformed> {
    let mut body = Fields::of(body)?;
    let request = request_from_json(body.take("call").ok_or("`call` is missing")?)?;
    let request = request.map_err(|_| "`call` is not a call")?;
    let Some(Json::Array(groups)) = body.take("changes") else { return Err("`changes` is not an array") };
    body.end()?;
    let words = |words: Option<Json>| -> Result<BTreeSet<Arc<str>>, Malformed> {
        let Some(Json::Array(words)) = words else { return Err("a group of changes lacks an array") };
        let word = |word: &Json| word.as_str().map(Arc::from).ok_or("a group of changes holds no text");
        words.iter().map(word).collect()
    };
    let group = |group| -> Result<ChangeGroup, Malformed> {
        let mut group = Fields::of(group)?;
        let read = ChangeGroup { classes: words(group.take("classes"))?, paths: words(group.take("paths"))? };
        group.end()?;
        Ok(read)
    };
    Ok((request, Changes(groups.into_iter().map(group).collect::<Result<_, _>>()?)))
}

/// Closed by default: an answer that is not understood in full is not an allow.
pub(super) fn ruling_from_json(answer: &Json) -> Result<Ruling, Malformed> {
    let text = |key| answer.get(key).and_then(Json::as_str);
    let decision = text("decision").and_then(Decision::from_word).ok_or("the answer has no decision")?;
    let first = answer.get("reasons").and_then(Json::as_array).and_then(<[Json]>::first);
    let code = first.and_then(|reason| reason.get("code")).and_then(Json::as_str);
    let code = match decision {
        Decision::Escalate => Code::ApprovalRequired,
        Decision::Allow | Decision::Deny | Decision::WouldDeny => {
            code.and_then(|code| code.parse().ok()).unwrap_or(Code::Internal)
        }
    };
    let permit = text("permit").map(str::to_owned);
    if decision.releases() != permit.is_some() {
        return Err("the answer's permit does not fit its decision");
    }
    Ok(Ruling {
        id: text("id").ok_or("the answer has no id")?.to_owned(),
        decision,
        code,
        for_model: text("model").ok_or("the answer has no sentence")?.to_owned(),
        permit,
    })
}

pub(super) fn completion_to_json(completion: &Completion) -> Json {
    let mut body = vec![
        ("id", Json::from(completion.id.as_str())),
        ("permit", Json::from(completion.permit.as_str())),
        ("status", Json::from(completion.outcome.as_str())),
    ];
    if let Some(result) = completion.result {
        body.push(("result_digest", Json::from(result)));
    }
    if let Some(run) = &completion.run {
        let run = [("exit", Json::from(run.exit.as_str())), ("report", run.report.clone())];
        body.push(("run", Json::object(run)));
    }
    Json::object(body)
}

/// The body of every door's completion, and of a contained run how it went: `run?: {exit, report}`.
pub(super) fn completion_from_json(mut body: Json) -> Result<Completion, Malformed> {
    let run = match &mut body {
        Json::Object(members) => members.remove("run").map(run_from_json).transpose()?,
        _ => None,
    };
    Ok(Completion { run, ..shapes::completion_from_json(body)? })
}

fn run_from_json(run: Json) -> Result<RunReport, Malformed> {
    let mut run = Fields::of(run)?;
    let exit = run.text("exit")?.ok_or("`exit` is missing")?;
    let report = run.take("report").ok_or("`report` is missing")?;
    run.end()?;
    Ok(RunReport { exit, report })
}

/// What was run as `ran`, in the form of a call.
pub(super) fn reported_to_json(reported: &Reported) -> Json {
    let mut body = vec![
        ("ran", request_to_json(&Ok(reported.request.clone()))),
        ("status", Json::from(reported.outcome.as_str())),
    ];
    if let Some(result) = reported.result {
        body.push(("result_digest", Json::from(result)));
    }
    if let Some(took) = reported.took {
        body.push(("took_ms", Json::integer(i64::try_from(took.as_millis()).unwrap_or(i64::MAX))));
    }
    Json::object(body)
}

pub(super) fn reported_from_json(body: Json) -> Result<Reported, Malformed> {
    let mut body = Fields::of(body)?;
    let ran = request_from_json(body.take("ran").ok_or("`ran` is missing")?)?;
    let took = match body.take("took_ms") {
        None => None,
        Some(took) => Some(took.as_i64().and_then(|took| u64::try_from(took).ok()).ok_or("`took_ms` is no duration")?),
    };
    let reported = Reported {
        request: ran.map_err(|_| "`ran` is not a call")?,
        outcome: body.outcome()?,
        result: body.digest("result_digest")?,
        took: took.map(Duration::from_millis),
    };
    body.end()?;
    Ok(reported)
}

pub(super) fn receipt_from_json(receipt: &Json) -> Result<Receipt, Malformed> {
    let log = receipt.get("log").and_then(Json::as_str).ok_or("the receipt names no log")?;
    let index = receipt.get("index").and_then(Json::as_i64).and_then(|index| u64::try_from(index).ok());
    Ok(Receipt { log: log.to_owned(), index: index.ok_or("the receipt has no index")? })
}

pub(super) fn offers_to_json(server: &ServerName, offers: Vec<Offer>) -> Json {
    let offers = offers
        .into_iter()
        .map(|offer| Json::object([("kind", Json::from(offer.kind.as_str())), ("definition", offer.definition)]))
        .collect();
    Json::object([("server", Json::from(server)), ("offers", Json::Array(offers))])
}

pub(super) fn offers_from_json(body: Json) -> Result<(ServerName, Vec<Offer>), Malformed> {
    let mut body = Fields::of(body)?;
    let server = body.text("server")?.and_then(|name| name.parse().ok()).ok_or("`server` is not one")?;
    let Some(Json::Array(items)) = body.take("offers") else { return Err("`offers` is not an array") };
    body.end()?;
    let offer = |item| {
        let mut item = Fields::of(item)?;
        let kind = match item.text("kind")?.as_deref() {
            Some("tool") => OfferKind::Tool,
            Some("prompt") => OfferKind::Prompt,
            Some("resource") => OfferKind::Resource,
            Some("template") => OfferKind::Template,
            Some("instructions") => OfferKind::Instructions,
            _ => return Err("`kind` is not one"),
        };
        let definition = item.take("definition").ok_or("`definition` is missing")?;
        item.end()?;
        Ok(Offer { kind, definition })
    };
    Ok((server, items.into_iter().map(offer).collect::<Result<_, _>>()?))
}

pub(super) fn standing_to_json(standing: &[Standing]) -> Json {
    let word = |standing: &Standing| match standing {
        Standing::Shown => Json::from("shown"),
        Standing::Hidden => Json::from("hidden"),
        Standing::Quarantined => Json::from("quarantined"),
    };
    Json::Array(standing.iter().map(word).collect())
}

pub(super) fn standing_from_json(standing: &Json, expected: usize) -> Result<Vec<Standing>, Malformed> {
    let words = standing.as_array().ok_or("the answer is not an array")?;
    if words.len() != expected {
        return Err("the answer has another length than the question");
    }
    let standing = |word: &Json| match word.as_str() {
        Some("shown") => Ok(Standing::Shown),
        Some("hidden") => Ok(Standing::Hidden),
        Some("quarantined") => Ok(Standing::Quarantined),
        _ => Err("the answer holds an unknown word"),
    };
    words.iter().map(standing).collect()
}

pub(super) fn texts_to_json(texts: Vec<Passing>) -> Json {
    let texts: Vec<String> = texts.into_iter().map(|passing| passing.text).collect();
    Json::object([("texts", Json::from(texts))])
}

pub(super) fn observed_from_json(body: Json, expected: usize) -> Result<Vec<Observed>, Malformed> {
    let mut body = Fields::of(body)?;
    let Some(Json::Array(changed)) = body.take("changed") else { return Err("`changed` is not an array") };
    let mut observed = vec![Observed::Unchanged; expected];
    for item in changed {
        let mut item = Fields::of(item)?;
        let place = item.count("at")?;
        let text = item.text("text")?.ok_or("`text` is missing")?;
        let removed = item.count("removed")?;
        *observed.get_mut(place).ok_or("`at` lies outside")? = Observed::Sanitised(Revealed { text, removed });
    }
    Ok(observed)
}

pub(super) fn reason_to_json(reason: &Reason) -> Json {
    Json::object([("code", reason.code.as_str()), ("message", reason.message.as_str())])
}

/// An error of the gate; one that is not understood is `internal`.
pub(super) fn reason_from_json(error: &Json) -> Reason {
    let code = error.get("code").and_then(Json::as_str).and_then(|code| code.parse().ok()).unwrap_or(Code::Internal);
    let message = error.get("message").and_then(Json::as_str).unwrap_or("the gate refused");
    Reason::new(code, message)
}
