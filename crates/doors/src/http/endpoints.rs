//! The one table of endpoints: it routes, and the OpenAPI document is made of it.

use hyper::Method;

use super::schema::Shape;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Decide,
    Complete,
    Observe,
    Preview,
    Status,
    Metrics,
    Health,
    Ready,
    OpenApi,
}

/// Whose credential opens an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Agents,
    Operators,
    Anybodys,
}

/// One row of the table.
pub(super) struct Row {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) whose: Whose,
    /// For people, one line.
    pub(super) summary: &'static str,
    /// What is posted.
    pub(super) body: Option<Shape>,
    /// What comes with 200.
    pub(super) answer: Shape,
    /// The other statuses that this endpoint itself can give, beyond what [`Row::statuses`] adds.
    others: &'static [u16],
}

/// All of them.
pub(super) static ENDPOINTS: [Row; 9] = [
    Row {
        endpoint: Endpoint::Decide,
        method: Method::POST,
        path: "/v1/decide",
        whose: Whose::Agents,
        summary: "Decide a call before it runs: binding, recorded, and durable before the answer.",
        body: Some(Shape::Call),
        answer: Shape::Answer,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Complete,
        method: Method::POST,
        path: "/v1/complete",
        whose: Whose::Agents,
        summary: "Report what became of an allowed call; only the agent that decided it can, and only once.",
        body: Some(Shape::Completion),
        answer: Shape::Kept,
        others: &[409],
    },
    Row {
        endpoint: Endpoint::Observe,
        method: Method::POST,
        path: "/v1/observe",
        whose: Whose::Agents,
        summary: "Look at texts on their way to a model: what hides from a reader is taken out.",
        body: Some(Shape::Texts),
        answer: Shape::Observed,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Preview,
        method: Method::POST,
        path: "/v1/preview",
        whose: Whose::Operators,
        summary: "What `decide` would say of an agent's call, and how it came to it; nothing is recorded.",
        body: Some(Shape::NamedCall),
        answer: Shape::Preview,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Status,
        method: Method::GET,
        path: "/v1/status",
        whose: Whose::Operators,
        summary: "What the gate enforces, and whether it is well.",
        body: None,
        answer: Shape::Status,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Metrics,
        method: Method::GET,
        path: "/metrics",
        whose: Whose::Operators,
        summary: "Metrics, as OpenMetrics 1.0 text.",
        body: None,
        answer: Shape::OpenMetrics,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Health,
        method: Method::GET,
        path: "/healthz",
        whose: Whose::Anybodys,
        summary: "Whether the process answers.",
        body: None,
        answer: Shape::Health,
        others: &[],
    },
    Row {
        endpoint: Endpoint::Ready,
        method: Method::GET,
        path: "/readyz",
        whose: Whose::Anybodys,
        summary: "Whether a call could be allowed: policy not stale, log open, disk not nearly full.",
        body: None,
        answer: Shape::Health,
        others: &[503],
    },
    Row {
        endpoint: Endpoint::OpenApi,
        method: Method::GET,
        path: "/openapi.json",
        whose: Whose::Anybodys,
        summary: "This document.",
        body: None,
        answer: Shape::OpenApi,
        others: &[],
    },
];

impl Row {
    /// Every status that this endpoint can give, 200 left out, sorted.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let mut all = vec![400, 403];
        if self.whose != Whose::Anybodys {
            all.extend([401, 429, 503]);
        }
        if self.body.is_some() {
            all.extend([408, 411, 413, 415]);
        }
        all.extend(self.others);
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Why there is no endpoint for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoEndpoint {
    /// Nothing has this path.
    Path,
    /// Something has it, with these methods.
    Method(String),
}

/// The endpoint of exactly this path and method.
pub(super) fn find(method: &Method, path: &str) -> Result<&'static Row, NoEndpoint> {
    let here = || ENDPOINTS.iter().filter(|row| row.path == path);
    match here().find(|row| row.method == *method) {
        Some(row) => Ok(row),
        None if here().next().is_none() => Err(NoEndpoint::Path),
        None => Err(NoEndpoint::Method(here().map(|row| row.method.as_str()).collect::<Vec<_>>().join(", "))),
    }
}
