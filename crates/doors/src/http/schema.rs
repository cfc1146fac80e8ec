//! The shapes of bodies and answers, as JSON Schema (2020-12, the dialect of OpenAPI 3.1).

use callgate_core::{Code, Decision};
use callgate_text::{Json, Object};

/// What a body or an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Call,
    NamedCall,
    Completion,
    Texts,
    Answer,
    Denial,
    Kept,
    Observed,
    Preview,
    Status,
    Health,
    OpenMetrics,
    OpenApi,
}

impl Shape {
    pub(super) const ALL: [Self; 13] = [
        Self::Answer,
        Self::Call,
        Self::Completion,
        Self::Denial,
        Self::Health,
        Self::Kept,
        Self::NamedCall,
        Self::Observed,
        Self::OpenApi,
        Self::OpenMetrics,
        Self::Preview,
        Self::Status,
        Self::Texts,
    ];

    /// Its name below `#/components/schemas`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Call => "Call",
            Self::NamedCall => "NamedCall",
            Self::Completion => "Completion",
            Self::Texts => "Texts",
            Self::Answer => "Answer",
            Self::Denial => "Denial",
            Self::Kept => "Kept",
            Self::Observed => "Observed",
            Self::Preview => "Preview",
            Self::Status => "Status",
            Self::Health => "Health",
            Self::OpenMetrics => "OpenMetrics",
            Self::OpenApi => "OpenApi",
        }
    }

    /// What it is sent as.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text",
            _ => "application/json",
        }
    }

    pub(super) fn schema(self) -> Json {
        match self {
            Self::Call => call(false),
            Self::NamedCall => call(true),
            Self::Completion => completion(),
            Self::Texts => record([Member::must("texts", list(text()))]),
            Self::Answer => answer(),
            Self::Denial => denial(),
            Self::Kept => record([Member::must("receipt", receipt())]),
            Self::Observed => observed(),
            Self::Preview => record([Member::must("verdict", verdict()), Member::must("trace", open_object())]),
            Self::Status => status(),
            Self::Health => record([Member::must("status", words(["ok", "not_ready"]))]),
            Self::OpenMetrics => text(),
            Self::OpenApi => open_object(),
        }
    }
}

fn call(named: bool) -> Json {
    let agent = name("^[A-Za-z0-9_][A-Za-z0-9._@:-]*$", "The agent; over HTTP its credential says who it is.");
    record([
        if named { Member::must("agent", agent) } else { Member::may("agent", agent) },
        Member::may("session", name("^[A-Za-z0-9_][A-Za-z0-9._@:/-]*$", "The host's session.")),
        Member::must("tool", name("^[A-Za-z0-9_][A-Za-z0-9_-]*\\.[A-Za-z0-9._/-]+$", "`<server>.<tool>`.")),
        Member::may("arguments", open_object()),
    ])
}

fn completion() -> Json {
    let mut schema = record([
        Member::must("id", described(text(), "The decision's id.")),
        Member::must("permit", described(text(), "The permit that came with the allow.")),
        Member::must("status", words(["ok", "error", "timeout", "not_run"])),
        Member::may("result", described(Json::object::<&str, Json>([]), "The result; only its digest is kept.")),
        Member::may("result_digest", described(digest(), "In place of the result: the digest of its bytes.")),
    ]);
    let both = Json::object([("required", Json::from(vec!["result", "result_digest"]))]);
    add(&mut schema, "not", both);
    schema
}

fn answer() -> Json {
    let mut schema = decided(words(
        [Decision::Allow, Decision::Deny, Decision::Escalate, Decision::WouldDeny].map(Decision::as_str),
    ));
    let released = words([Decision::Allow, Decision::WouldDeny].map(Decision::as_str));
    let properties =
        |member: &'static str, schema: Json| Json::object([("properties", Json::object([(member, schema)]))]);
    add(&mut schema, "if", properties("decision", released));
    add(&mut schema, "then", properties("permit", text()));
    add(&mut schema, "else", properties("permit", null()));
    schema
}

fn denial() -> Json {
    let mut schema = decided(words([Decision::Deny.as_str()]));
    let permit = Json::object([("permit", null())]);
    add(&mut schema, "allOf", Json::Array(vec![Json::object([("properties", permit)])]));
    schema
}

fn decided(decision: Json) -> Json {
    record([
        Member::must("decision", decision),
        Member::must("id", described(text(), "The decision's id, a ULID; empty if nothing was decided.")),
        Member::must("call", or_null(digest())),
        Member::must("policy", or_null(digest())),
        Member::must("facts", or_null(digest())),
        Member::must("permit", described(or_null(text()), "Present exactly where the call may run, once.")),
        Member::must("reasons", list(reason())),
        Member::must("hint", or_null(text())),
        Member::may("approvals", list(approval())),
        Member::may("sandbox", described(containment(), "Where it is there, the call runs under this or not at all.")),
        Member::must("receipt", or_null(receipt())),
        Member::must("model", described(or_null(text()), "What the model may be told of a denial.")),
    ])
}

fn verdict() -> Json {
    record([
        Member::must("decision", words([Decision::Allow, Decision::Deny, Decision::Escalate].map(Decision::as_str))),
        Member::must("call", or_null(digest())),
        Member::must("policy", or_null(digest())),
        Member::must("facts", or_null(digest())),
        Member::must("reasons", list(reason())),
        Member::must("hint", or_null(text())),
        Member::may("approvals", list(approval())),
    ])
}

fn reason() -> Json {
    record([
        Member::must("code", described(words(Code::ALL.iter().map(|code| code.as_str())), "See docs/reasons.md.")),
        Member::may("policy", text()),
        Member::may("at", text()),
        Member::may("path", text()),
        Member::may("message", text()),
    ])
}

fn approval() -> Json {
    record([Member::must("group", text()), Member::must("quorum", count()), Member::may("channel", text())])
}

fn containment() -> Json {
    record([Member::must("profile", text()), Member::must("digest", digest()), Member::must("tier", count())])
}

fn receipt() -> Json {
    record([Member::must("log", text()), Member::must("index", count())])
}

fn observed() -> Json {
    let changed = record([Member::must("at", count()), Member::must("text", text()), Member::must("removed", count())]);
    let changed = described(list(changed), "The texts that changed, by their place; the others may pass as they are.");
    record([Member::must("changed", changed)])
}

/// The operator's own report grows with the gate: a client takes what it knows.
fn status() -> Json {
    let known = Json::object([("well", kind("boolean")), ("wrong", list(text())), ("posture", text())]);
    Json::object([
        ("type", Json::from("object")),
        ("properties", known),
        ("required", Json::from(vec!["posture", "well", "wrong"])),
    ])
}

/// A member of a record.
struct Member {
    name: &'static str,
    schema: Json,
    required: bool,
}

impl Member {
    fn must(name: &'static str, schema: Json) -> Self {
        Self { name, schema, required: true }
    }

    fn may(name: &'static str, schema: Json) -> Self {
        Self { name, schema, required: false }
    }
}

/// An object of these members and no others.
fn record<const N: usize>(members: [Member; N]) -> Json {
    let required: Vec<&str> = members.iter().filter(|member| member.required).map(|member| member.name).collect();
    let properties = members.into_iter().map(|member| (member.name, member.schema));
    Json::object([
        ("type", Json::from("object")),
        ("properties", Json::object(properties)),
        ("required", Json::from(required)),
        ("additionalProperties", Json::Bool(false)),
    ])
}

fn name(pattern: &str, description: &str) -> Json {
    Json::object([
        ("type", Json::from("string")),
        ("pattern", Json::from(pattern)),
        ("maxLength", Json::integer(128)),
        ("description", Json::from(description)),
    ])
}

fn digest() -> Json {
    Json::object([("type", "string"), ("pattern", "^sha256:[0-9a-f]{64}$")])
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Json {
    Json::object([("type", Json::from("string")), ("enum", Json::Array(words.into_iter().map(Json::from).collect()))])
}

fn list(items: Json) -> Json {
    Json::object([("type", Json::from("array")), ("items", items)])
}

fn or_null(schema: Json) -> Json {
    Json::object([("anyOf", Json::Array(vec![schema, null()]))])
}

fn described(mut schema: Json, description: &str) -> Json {
    add(&mut schema, "description", Json::from(description));
    schema
}

fn add(schema: &mut Json, key: &str, value: Json) {
    if let Json::Object(object) = schema {
        Object::set(object, key, value);
    }
}

fn count() -> Json {
    Json::object([("type", Json::from("integer")), ("minimum", Json::integer(0))])
}

fn kind(kind: &str) -> Json {
    Json::object([("type", kind)])
}

fn text() -> Json {
    kind("string")
}

fn null() -> Json {
    kind("null")
}

fn open_object() -> Json {
    kind("object")
}
