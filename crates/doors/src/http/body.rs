//! Reading the body of a request, within bounds.

use std::time::Duration;

use callgate_text::MAX_BYTES;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use hyper::{HeaderMap, StatusCode};
use tokio::time::timeout;

/// What is wrong with a body before anything in it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) status: StatusCode,
    /// Goes on where a sentence began with "the call" or "the body".
    pub(super) what: &'static str,
}

impl Wrong {
    const fn new(status: StatusCode, what: &'static str) -> Self {
        Self { status, what }
    }
}

/// The length that is announced for a body that may be read.
///
/// A length, and no transfer coding: what carries both is read differently by different parsers, and whatever
/// stands between a client and this gate could be made to disagree with it about where a request ends.
pub(super) fn announced(headers: &HeaderMap) -> Result<usize, Wrong> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Wrong::new(StatusCode::LENGTH_REQUIRED, "must have a Content-Length, and no Transfer-Encoding"));
    }
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return Err(Wrong::new(StatusCode::LENGTH_REQUIRED, "has no Content-Length"));
    };
    let length = length.to_str().ok().and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    if length > MAX_BYTES {
        return Err(Wrong::new(StatusCode::PAYLOAD_TOO_LARGE, "is longer than 1 MiB"));
    }
    if !is_json(headers) {
        return Err(Wrong::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "must be sent as application/json"));
    }
    Ok(length)
}

/// Whether a request that has no body by its kind has one all the same.
pub(super) fn is_present(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// `application/json`, in UTF-8 and in no coding.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media_type), None) = (types.next(), types.next()) else { return false };
    let Ok(media_type) = media_type.to_str() else { return false };
    let mut parts = media_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    let plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    json && utf8 && plain
}

/// The whole body, if it comes in time.
pub(super) async fn read(body: Incoming, within: Duration) -> Result<Vec<u8>, Wrong> {
    match timeout(within, Limited::new(body, MAX_BYTES).collect()).await {
        Err(_) => Err(Wrong::new(StatusCode::REQUEST_TIMEOUT, "did not arrive in time")),
        Ok(Err(_)) => Err(Wrong::new(StatusCode::BAD_REQUEST, "did not arrive whole")),
        Ok(Ok(collected)) => Ok(collected.to_bytes().into()),
    }
}

/// How much of a refused body is taken off the wire, and for how long. Without that, a client that sends before it
/// listens would find its connection reset, and never see the refusal.
const REST: usize = 4 << 20;
const A_WHILE: Duration = Duration::from_secs(1);

/// Lets a refused body pass; whoever waits to be told that it may send is told the refusal instead.
pub(super) async fn discard(headers: &HeaderMap, body: Incoming, within: Duration) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut body = Limited::new(body, REST);
    let _ = timeout(A_WHILE.min(within), async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn with(fields: &[(HeaderName, &'static str)]) -> Result<usize, u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        announced(&headers).map_err(|wrong| wrong.status.as_u16())
    }

    #[test]
    fn only_a_length_and_the_type_of_json_announce_a_body() {
        let length = (CONTENT_LENGTH, "7");
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert_eq!(with(&[length.clone(), (CONTENT_TYPE, json)]), Ok(7), "{json}");
        }
        for other in [
            "",
            "text/plain",
            "application/jsonl",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/json; boundary=x",
            "application/x-www-form-urlencoded",
            "*/*",
            "application/json;",
        ] {
            assert_eq!(with(&[length.clone(), (CONTENT_TYPE, other)]), Err(415), "{other}");
        }
        let json = (CONTENT_TYPE, "application/json");
        assert_eq!(with(std::slice::from_ref(&length)), Err(415));
        assert_eq!(with(&[length.clone(), json.clone(), json.clone()]), Err(415));
        assert_eq!(with(&[length.clone(), json.clone(), (CONTENT_ENCODING, "gzip")]), Err(415));
        assert_eq!(with(&[length.clone(), json.clone(), (CONTENT_ENCODING, "identity")]), Ok(7));
        assert_eq!(with(std::slice::from_ref(&json)), Err(411));
        assert_eq!(with(&[length, (TRANSFER_ENCODING, "chunked"), json.clone()]), Err(411));
        assert_eq!(with(&[(TRANSFER_ENCODING, "chunked"), json.clone()]), Err(411));
        assert_eq!(with(&[(CONTENT_LENGTH, "1048576"), json.clone()]), Ok(1 << 20));
        // Hyper refuses what is no number; here it is as good as too long.
        for long in ["1048577", "99999999999999999999999999", "-1", "1,1", "1 1"] {
            assert_eq!(with(&[(CONTENT_LENGTH, long), json.clone()]), Err(413), "{long}");
        }
    }
}
