//! URLs with a host, of which every parser finds the same scheme, host and port.

use super::fault::{Fault, visible};
use super::host::Host;

const LONGEST: usize = 8192;

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// The normal form.
    pub(crate) id: String,
    /// The scheme, in lower case.
    pub(crate) scheme: String,
    /// The host.
    pub(crate) host: Host,
    /// The port, or the scheme's default, or 0 where none is known.
    pub(crate) port: u16,
}

impl Url {
    /// Reads `scheme://host[:port]…`.
    ///
    /// Browsers (WHATWG) and libraries (RFC 3986) find different hosts in `http://a\@b`, `http:/a`,
    /// `http://a%2eb` and `http://a@b`: those are refused, and so are user names and passwords.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault("is longer than a URL may be"));
        }
        visible(text)?;
        if text.contains([' ', '\\']) {
            return Err(Fault("holds a space or a backslash, which a URL must not"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or(Fault("is not a URL with a host, such as https://example.com/"))?;
        let scheme = scheme.to_ascii_lowercase();
        let host_text = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let (host, port) = authority(host_text)?;
        let parsed = url::Url::parse(text).map_err(|_| Fault("is not a URL"))?;
        if parsed.scheme() != scheme || scheme == "file" {
            return Err(Fault("is not a URL with a host, such as https://example.com/"));
        }
        let same_host = parsed.host_str().map(Host::parse) == Some(Ok(host.clone()));
        if !same_host || (port.is_some() && parsed.port_or_known_default() != port) {
            return Err(Fault("is a URL that parsers read differently"));
        }
        let tail = parsed.as_str().get(parsed[..url::Position::BeforePath].len()..).unwrap_or_default();
        let shown = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
        let id = format!("{scheme}://{}{shown}{tail}", host.in_url());
        Ok(Self { id, scheme, host, port: parsed.port_or_known_default().unwrap_or(0) })
    }
}

/// `host[:port]`, without user information.
fn authority(text: &str) -> Result<(Host, Option<u16>), Fault> {
    if text.contains('@') {
        return Err(Fault("is a URL with a user name or password"));
    }
    let host_end = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(host_end).unwrap_or((text, ""));
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| Fault("is a URL with a port above 65535"))?)
        }
        _ => return Err(Fault("is a URL whose port is not a number")),
    };
    Ok((Host::parse(host)?, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<(String, String, u16)> {
        Url::parse(text).ok().map(|url| (url.scheme, url.host.id(), url.port))
    }

    #[test]
    fn finds_scheme_host_and_port() {
        for (text, scheme, host, port) in [
            ("https://Example.com", "https", "example.com", 443),
            ("HTTP://example.com:8080/a?b#c", "http", "example.com", 8080),
            ("http://example.com.:80/", "http", "example.com", 80),
            ("http://2130706433/", "http", "127.0.0.1", 80),
            ("http://[::ffff:10.0.0.1]:8/", "http", "10.0.0.1", 8),
            ("https://example.com/@evil.com", "https", "example.com", 443),
            ("https://example.com?@evil.com", "https", "example.com", 443),
            ("https://example.com#@evil.com", "https", "example.com", 443),
            ("ssh://git.example.com/x", "ssh", "git.example.com", 0),
            ("postgres://DB.internal:5432/x", "postgres", "db.internal", 5432),
            ("s3://0x7f.1/x", "s3", "127.0.0.1", 0),
        ] {
            assert_eq!(read(text), Some((scheme.to_owned(), host.to_owned(), port)), "{text}");
        }
        assert_eq!(Url::parse("HTTPS://a.COM:443/x/../y").map(|url| url.id), Ok("https://a.com/y".to_owned()));
    }

    #[test]
    fn what_parsers_read_differently_is_no_url() {
        for text in [
            "",
            "example.com",
            "/path",
            "//example.com",
            "http:example.com",
            "http:/example.com",
            "http:///example.com",
            "https:\\\\example.com",
            "http://good.com\\@evil.com",
            "http://good.com@evil.com",
            "http://user:pass@good.com",
            "http://good.com:80@evil.com",
            "http://good.com%00.evil.com",
            "http://good%2ecom",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:99999",
            "http://a:80:80",
            "http://a:+80",
            "http://a b/",
            " http://a/",
            "http://a/\n",
            "http://a\t.com",
            "javascript://example.com/%0aalert(1)\u{0}",
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "data:text/html,x",
            "javascript:alert(1)",
            "mailto:a@b.c",
            "about:blank",
            "view-source:https://a.com",
            "blob:https://a.com/x",
            "http://[::1",
            "http://[::1]x",
            "http://a。com",
            "http://ｅvil.com",
            "http://faß.de",
            "http://a\u{202E}.com",
            "http://*/",
            "http://a,b/",
            "http://a;b.com/",
            "1http://a",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn normal_forms_stay(text in "[a-z]{1,5}://[a-z0-9.:\\[\\]@%-]{1,16}(/\\PC{0,8})?") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.id), Ok(url));
            }
        }
    }
}
