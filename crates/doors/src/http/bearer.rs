//! The credential of a request.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    /// No `Authorization`.
    Nothing,
    /// Something that is no bearer token, or more than one thing: whose word would count?
    Garbled,
    /// A token, which may be anybody's or nobody's.
    Token(&'a str),
}

/// Reads `Authorization: Bearer TOKEN` (RFC 6750 § 2.1). Nothing else of a request can be a credential.
pub(super) fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Presented::Nothing };
    if values.next().is_some() {
        return Presented::Garbled;
    }
    let token = value.to_str().ok().and_then(|value| value.split_once(' ')).and_then(|(scheme, token)| {
        let token = token.trim_matches(' ');
        let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        (scheme.eq_ignore_ascii_case("bearer") && plain).then_some(token)
    });
    token.map_or(Presented::Garbled, Presented::Token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn one_bearer_token_is_a_credential_and_nothing_else() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            match presented(&headers) {
                Presented::Nothing => "nothing".to_owned(),
                Presented::Garbled => "garbled".to_owned(),
                Presented::Token(token) => format!("token {token}"),
            }
        };
        assert_eq!(of(&[]), "nothing");
        for (value, token) in
            [("Bearer a", "token a"), ("bearer  a", "token a"), ("BEARER a.b-c_d~e+f/g=", "token a.b-c_d~e+f/g=")]
        {
            assert_eq!(of(&[value]), token);
        }
        for garbled in [
            "",
            "Bearer",
            "Bearer ",
            "a",
            "Basic YTpi",
            "Bearer a b",
            "Bearer a,b",
            "Bearer\ta",
            "Bearera",
            "Token a",
            "Bearer a, Bearer b",
        ] {
            assert_eq!(of(&[garbled]), "garbled", "{garbled:?}");
        }
        assert_eq!(of(&["Bearer a", "Bearer b"]), "garbled");
        assert_eq!(of(&["Bearer a", "Bearer a"]), "garbled");
    }
}
