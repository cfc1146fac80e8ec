//! The OpenAPI document, made of the table that routes.

use callgate_text::Json;

use super::endpoints::{ENDPOINTS, Endpoint, Row, Whose};
use super::schema::Shape;

const ABOUT: &str = "\
Ask the gate before a tool runs. Every answer to `decide` names a decision; only `allow` (and `would_deny`, where the \
operator lets this door only watch) comes with a permit, and only with status 200. Whatever else goes wrong is answered \
by a document whose `decision` is `deny`.\n\n\
Bodies are strict JSON, and stricter than their schemas can say: no member twice or in two spellings that differ by case \
alone, no number that a double would change, no lone surrogates, at most 64 levels, 524,288 values and 1 MiB. A request \
has one Host that is a loopback name with the gate's port, no Origin that the operator did not list, and a \
Content-Length in place of a Transfer-Encoding.";

/// The API as OpenAPI 3.1: the same bytes for everybody, whatever the gate's configuration.
pub fn openapi() -> Json {
    let schemas = Shape::ALL.map(|shape| (shape.name(), shape.schema()));
    let mut paths: Vec<(&str, Json)> = Vec::new();
    for row in &ENDPOINTS {
        // Each path has one method; `find` would serve more.
        paths.push((row.path, Json::object([(row.method.as_str().to_ascii_lowercase(), operation(row))])));
    }
    Json::object([
        ("openapi", Json::from("3.1.0")),
        (
            "info",
            Json::object([
                ("title", Json::from("Callgate")),
                ("version", Json::from(env!("CARGO_PKG_VERSION"))),
                ("description", Json::from(ABOUT)),
                ("license", Json::object([("name", "Apache-2.0"), ("identifier", "Apache-2.0")])),
            ]),
        ),
        ("servers", Json::Array(vec![Json::object([("url", "http://127.0.0.1:7465")])])),
        ("paths", Json::object(paths)),
        (
            "components",
            Json::object([
                ("schemas", Json::object(schemas)),
                (
                    "securitySchemes",
                    Json::object([
                        ("agent", bearer("A token of `callgate agent token NAME`.")),
                        ("operator", bearer("A token of `callgate operator token`.")),
                    ]),
                ),
            ]),
        ),
    ])
}

fn operation(row: &Row) -> Json {
    let mut members = vec![("operationId", Json::from(id(row.endpoint))), ("summary", Json::from(row.summary))];
    let scheme = match row.whose {
        Whose::Agents => Some("agent"),
        Whose::Operators => Some("operator"),
        Whose::Anybodys => None,
    };
    if let Some(scheme) = scheme {
        members.push(("security", Json::Array(vec![Json::object([(scheme, Json::Array(Vec::new()))])])));
    }
    if let Some(body) = row.body {
        members.push(("requestBody", Json::object([("required", Json::Bool(true)), ("content", content(body))])));
    }
    let mut responses = vec![("200".to_owned(), response("As asked.", row.answer, &[]))];
    for status in row.statuses() {
        let shape = match (row.endpoint, status) {
            (Endpoint::Ready, 503) => Shape::Health,
            _ => Shape::Denial,
        };
        responses.push((status.to_string(), response(meaning(status), shape, headers(status))));
    }
    members.push(("responses", Json::object(responses)));
    Json::object(members)
}

fn response(description: &str, shape: Shape, headers: &[(&'static str, &str)]) -> Json {
    let mut members = vec![("description", Json::from(description)), ("content", content(shape))];
    if !headers.is_empty() {
        let header = |description: &str| {
            Json::object([
                ("description", Json::from(description)),
                ("required", Json::Bool(true)),
                ("schema", Json::object([("type", "string")])),
            ])
        };
        let headers = headers.iter().map(|(name, description)| (*name, header(description)));
        members.push(("headers", Json::object(headers)));
    }
    Json::object(members)
}

fn content(shape: Shape) -> Json {
    let reference = format!("#/components/schemas/{}", shape.name());
    Json::object([(shape.media_type(), Json::object([("schema", Json::object([("$ref", reference)]))]))])
}

fn bearer(description: &str) -> Json {
    Json::object([("type", "http"), ("scheme", "bearer"), ("description", description)])
}

const fn id(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Decide => "decide",
        Endpoint::Complete => "complete",
        Endpoint::Observe => "observe",
        Endpoint::Preview => "preview",
        Endpoint::Status => "status",
        Endpoint::Metrics => "metrics",
        Endpoint::Health => "health",
        Endpoint::Ready => "ready",
        Endpoint::OpenApi => "openapi",
    }
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "Not what this endpoint reads, or not addressed as HTTP/1.1 asks.",
        401 => "No credential that this gate accepts.",
        403 => "Host or Origin is a stranger's, or the credential is of the other kind.",
        408 => "The body did not arrive in time.",
        409 => "The permit is spent, or it is another agent's.",
        411 => "No Content-Length, or a Transfer-Encoding.",
        413 => "The body is longer than 1 MiB.",
        415 => "The body is not sent as application/json.",
        429 => "The agent asks more than its budget, or has too many connections.",
        503 => "The gate can decide nothing now: its log, its policy, its time or its room fails.",
        _ => "Refused.",
    }
}

const fn headers(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("WWW-Authenticate", "`Bearer`")],
        429 | 503 => &[("Retry-After", "When to try again, in seconds.")],
        _ => &[],
    }
}
