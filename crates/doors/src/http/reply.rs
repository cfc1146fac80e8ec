//! Answers, and what every one of them has.

use callgate_core::{Answer, Code, Decision, Reason, Verdict};
use callgate_text::Json;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::shapes::answer_to_json;

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    body: Vec<u8>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What JSON is sent as.
const JSON: &str = "application/json";
/// What metrics are sent as.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// When to try again, in seconds: budgets are refilled every second.
const SOON: HeaderValue = HeaderValue::from_static("1");

impl Reply {
    /// A document of ours.
    pub(super) fn json(status: StatusCode, document: &Json) -> Self {
        Self::of(status, JSON, document.canonical())
    }

    /// A document that is written already.
    pub(super) fn written(document: Vec<u8>) -> Self {
        Self::of(StatusCode::OK, JSON, document)
    }

    /// A text of this type.
    pub(super) fn text(media_type: &'static str, text: String) -> Self {
        Self::of(StatusCode::OK, media_type, text.into_bytes())
    }

    /// A decision. With any status but 200 there is no permit, whatever the decision was.
    pub(super) fn decided(status: StatusCode, answer: &Answer) -> Self {
        let mut document = answer_to_json(answer);
        if let Json::Object(object) = &mut document {
            if answer.decision().releases() {
                // It runs: there is no denial for a model to read.
                object.set("model", Json::Null);
            }
            if status != StatusCode::OK {
                object.set("decision", Decision::Deny.as_str());
                object.set("permit", Json::Null);
            }
        }
        Self::json(status, &document)
    }

    /// A refusal that no decision stands behind, in the form of a denial.
    pub(super) fn refused(status: StatusCode, reason: Reason) -> Self {
        let verdict = Verdict::denial(reason);
        Self::decided(status, &Answer { id: String::new(), verdict, permit: None, containment: None, receipt: None })
    }

    /// What went wrong in the gate, or with what was asked of it.
    pub(super) fn failed(reason: Reason) -> Self {
        let status = trouble(reason.code).unwrap_or(match reason.code {
            Code::UnknownAgent => StatusCode::UNAUTHORIZED,
            Code::InvalidArguments => StatusCode::BAD_REQUEST,
            // A permit that is spent, a session that is over: the same request would be refused again.
            _ => StatusCode::CONFLICT,
        });
        Self::refused(status, reason)
    }

    /// Adds a header field.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// No further request is taken on this connection.
    pub(super) fn hang_up(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    fn of(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Self {
        let headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        let reply = Self { status, body, headers };
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => reply.with(header::RETRY_AFTER, SOON),
            _ => reply,
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The status of what the gate cannot do now, whoever asks.
pub(super) fn trouble(code: Code) -> Option<StatusCode> {
    match code {
        Code::RateExceeded => Some(StatusCode::TOO_MANY_REQUESTS),
        Code::AuditUnavailable | Code::PolicyStale | Code::DeadlineExceeded | Code::Internal => {
            Some(StatusCode::SERVICE_UNAVAILABLE)
        }
        _ => None,
    }
}
