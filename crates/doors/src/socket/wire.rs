//! The bodies of requests and answers, both ways.

use std::time::Duration;

use callgate_core::gate::{Observed, Passing, Preview, Reported};
use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{
    Answer, CallFault, Code, Completion, Decision, Disclose, Outcome, Reason, Receipt, Request, ServerName,
};
use callgate_text::{Digest, Json, Object, Revealed};

use crate::Ruling;

/// The longest sentence of a fault that another process reports.
const LONGEST_FAULT: usize = 300;

/// A body that is not what it should be; names what is wrong, never the value.
pub(super) type Malformed = &'static str;

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

/// The answer as other doors give it, no more of it than policy discloses, and the sentence for the model.
/// What is at the other end carries an agent's credential, and whatever it reads the agent may read.
pub(super) fn answer_to_json(answer: &Answer) -> Json {
    let mut json = answer.to_json();
    if let Json::Object(object) = &mut json {
        let code = |code: Code| Json::object([("code", code.as_str())]);
        let reasons = match answer.verdict.disclose {
            Disclose::Full => None,
            Disclose::Code => Some(answer.verdict.reasons.iter().map(|reason| code(reason.code)).collect()),
            Disclose::None => Some(vec![code(Ruling::from(answer).code)]),
        };
        if let Some(reasons) = reasons {
            object.set("reasons", Json::Array(reasons));
            object.set("hint", Json::Null);
            object.remove("approvals");
        }
        object.set("model", answer.for_model());
    }
    json
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

pub(super) fn preview_to_json(preview: &Preview) -> Json {
    Json::object([("verdict", preview.verdict.to_json()), ("trace", preview.trace.clone())])
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
    Json::object(body)
}

pub(super) fn completion_from_json(body: Json) -> Result<Completion, Malformed> {
    let mut body = Fields::of(body)?;
    let completion = Completion {
        id: body.text("id")?.ok_or("`id` is missing")?,
        permit: body.text("permit")?.ok_or("`permit` is missing")?,
        outcome: body.outcome()?,
        result: body.digest("result_digest")?,
    };
    body.end()?;
    Ok(completion)
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

pub(super) fn texts_from_json(body: Json) -> Result<Vec<Passing>, Malformed> {
    let mut body = Fields::of(body)?;
    let Some(Json::Array(texts)) = body.take("texts") else { return Err("`texts` is not an array") };
    body.end()?;
    let passing = |text| match text {
        Json::String(text) => Ok(Passing { text }),
        _ => Err("`texts` holds something other than text"),
    };
    texts.into_iter().map(passing).collect()
}

/// Only what changed, by its place: `{"changed":[{"at","text","removed"}]}`.
pub(super) fn observed_to_json(observed: Vec<Observed>) -> Json {
    let count = |count: usize| Json::integer(i64::try_from(count).unwrap_or(i64::MAX));
    let changed = observed.into_iter().enumerate().filter_map(|(at, observed)| match observed {
        Observed::Unchanged => None,
        Observed::Sanitised(Revealed { text, removed }) => {
            Some(Json::object([("at", count(at)), ("text", Json::from(text)), ("removed", count(removed))]))
        }
    });
    Json::object([("changed", Json::Array(changed.collect()))])
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

/// The members of a body, taken out one by one; what is left over is refused.
struct Fields(Object);

impl Fields {
    fn of(body: Json) -> Result<Self, Malformed> {
        match body {
            Json::Object(object) => Ok(Self(object)),
            _ => Err("not an object"),
        }
    }

    fn take(&mut self, key: &str) -> Option<Json> {
        self.0.remove(key)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Malformed> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err("a member that should be text is not"),
        }
    }

    fn object(&mut self, key: &str) -> Result<Option<Object>, Malformed> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err("a member that should be an object is not"),
        }
    }

    fn digest(&mut self, key: &str) -> Result<Option<Digest>, Malformed> {
        let text = self.text(key)?;
        text.map(|text| text.parse()).transpose().map_err(|_| "a member that should be a digest is not")
    }

    fn outcome(&mut self) -> Result<Outcome, Malformed> {
        self.text("status")?.as_deref().and_then(Outcome::from_word).ok_or("`status` is not one")
    }

    fn count(&mut self, key: &str) -> Result<usize, Malformed> {
        let count = self.take(key).and_then(|count| count.as_i64());
        count.and_then(|count| usize::try_from(count).ok()).ok_or("a member that should be a count is not")
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err("there is a member too many") }
    }
}
