//! `Host` and `Origin`: whether a request was meant for this gate, and by whom it was made.
//!
//! A browser on this machine carries requests of pages from anywhere. It names the page in `Origin`, and where the
//! page's own name was made to point at the loopback interface (DNS rebinding), `Host` is that name.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Why a request is not for this gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Not exactly one readable `Host`.
    Unnamed,
    /// `Host` is neither a loopback address nor `localhost`, with our port.
    Elsewhere,
    /// A page made the request, and the operator did not list its origin.
    Page,
}

/// Whether a request with these headers is for the gate that listens on `port`.
pub(super) fn check(headers: &HeaderMap, port: u16, origins: &[String]) -> Result<(), Stranger> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Stranger::Unnamed) };
    let host = host.to_str().map_err(|_| Stranger::Unnamed)?;
    if !is_ours(host, port) {
        return Err(Stranger::Elsewhere);
    }
    let mut listed =
        headers.get_all(ORIGIN).iter().map(|origin| origins.iter().any(|own| own.as_bytes() == origin.as_bytes()));
    match (listed.next(), listed.next()) {
        (None, _) | (Some(true), None) => Ok(()),
        (Some(_), _) => Err(Stranger::Page),
    }
}

fn is_ours(host: &str, port: u16) -> bool {
    let (name, rest) = match host.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, rest)) if address.parse() == Ok(Ipv6Addr::LOCALHOST) => (true, rest),
            _ => return false,
        },
        None => {
            let end = host.find(':').unwrap_or(host.len());
            let (name, rest) = host.split_at_checked(end).unwrap_or((host, ""));
            let address = name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            (address || name.eq_ignore_ascii_case("localhost"), rest)
        }
    };
    let told = match rest.strip_prefix(':') {
        // Digits alone: `+80` would parse, too.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
        None => rest.is_empty().then_some(80),
    };
    name && told == Some(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn with(hosts: &[&'static str], origins: &[&'static str], port: u16) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        check(&headers, port, &["http://localhost:3000".to_owned()])
    }

    #[test]
    fn p07_only_a_loopback_name_with_our_port_is_ours() {
        for host in ["127.0.0.1:7465", "localhost:7465", "LocalHost:7465", "[::1]:7465", "127.8.9.1:7465"] {
            assert_eq!(with(&[host], &[], 7465), Ok(()), "{host}");
        }
        assert_eq!(with(&["localhost"], &[], 80), Ok(()));
        for host in [
            "",
            ":7465",
            "localhost",
            "localhost:",
            "localhost:80",
            "localhost:+7465",
            "localhost:7465:7465",
            "localhost.:7465",
            "evil.example:7465",
            "localhost.evil.example:7465",
            "127.0.0.1.evil.example:7465",
            "127.1:7465",
            "2130706433:7465",
            "0x7f000001:7465",
            "0.0.0.0:7465",
            "192.168.0.1:7465",
            "[::]:7465",
            "[::1:7465",
            "[::1]7465",
            "::1:7465",
            "[::ffff:127.0.0.1]:7465",
            "user@localhost:7465",
            "localhost:7465/",
            "localhost:7465, evil.example",
            "localhost:74650",
            "localhost:73001",
        ] {
            assert_eq!(with(&[host], &[], 7465), Err(Stranger::Elsewhere), "{host}");
        }
        for hosts in [&[][..], &["localhost:7465", "localhost:7465"], &["localhost:7465", "evil.example"]] {
            assert_eq!(with(hosts, &[], 7465), Err(Stranger::Unnamed), "{hosts:?}");
        }
    }

    #[test]
    fn p07_a_page_is_refused_unless_the_operator_listed_it() {
        let origin = |origins: &[&'static str]| with(&["localhost:7465"], origins, 7465);
        assert_eq!(origin(&[]), Ok(()));
        assert_eq!(origin(&["http://localhost:3000"]), Ok(()));
        for origins in [
            &["null"][..],
            &[""],
            &["https://localhost:3000"],
            &["http://localhost:30000"],
            &["http://localhost"],
            &["HTTP://LOCALHOST:3000"],
            &["http://evil.example"],
            &["http://localhost:7465"],
            &["http://localhost:3000", "http://evil.example"],
            &["http://localhost:3000", "http://localhost:3000"],
        ] {
            assert_eq!(origin(origins), Err(Stranger::Page), "{origins:?}");
        }
    }
}
