//! Hosts, whatever the spelling: `0x7f.1`, `[::ffff:127.0.0.1]` and `127.0.0.1` are one.

use std::net::{IpAddr, Ipv6Addr};

use super::fault::{Fault, visible};

const LONGEST: usize = 512;

/// A host in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name in ASCII, lower case, without the dot at the end.
    Name(String),
    /// An address; one of IPv4 that is written inside IPv6 counts as IPv4.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as browsers do (WHATWG URL), less what other parsers read otherwise.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault("is longer than any host name"));
        }
        visible(text)?;
        if let Some(address) = bracketed(text)? {
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        let name = ascii(text)?;
        match url::Host::parse(&name) {
            // Resolvers take `127.0.0.1.` and `0x.1` for names, browsers for addresses.
            Ok(url::Host::Ipv4(_)) if text.ends_with('.') || name.split('.').any(|part| part == "0x") => {
                Err(Fault("is an address that parsers read differently"))
            }
            Ok(url::Host::Ipv4(address)) => Ok(Self::Address(IpAddr::V4(address))),
            Ok(url::Host::Domain(domain)) if domain == name => Ok(Self::Name(name)),
            _ => Err(Fault("is not a host name or address")),
        }
    }

    /// The normal form as text.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }

    /// As it stands in a URL.
    pub(super) fn in_url(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.id(),
        }
    }

    /// The names that this host is inside of, itself first; none of an address.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        let name = match self {
            Self::Name(name) => Some(name.as_str()),
            Self::Address(_) => None,
        };
        std::iter::successors(name, |name| name.split_once('.').map(|(_, parent)| parent))
    }
}

/// The normal form of a domain name; not of an address.
pub(super) fn domain(text: &str) -> Result<String, Fault> {
    match Host::parse(text)? {
        Host::Name(name) => Ok(name),
        Host::Address(_) => Err(Fault("is an address and not a domain name")),
    }
}

/// IPv6, with or without brackets. A colon means nothing else here.
fn bracketed(text: &str) -> Result<Option<Ipv6Addr>, Fault> {
    let inner = text.strip_prefix('[').map(|rest| rest.strip_suffix(']').ok_or(Fault("has an unclosed bracket")));
    let address = match inner {
        Some(inner) => inner?,
        None if text.contains(':') => text,
        None => return Ok(None),
    };
    address.parse().map(Some).map_err(|_| Fault("is not a host: give a name or an address, without a port"))
}

/// Lower-case ASCII labels. Of a name in another script only the spelling that maps to itself is read,
/// since older resolvers map the others (`ß`, full-width letters) elsewhere.
fn ascii(text: &str) -> Result<String, Fault> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let name = if text.is_ascii() { text.to_ascii_lowercase() } else { punycode(text)? };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(Fault("is not a host name or address"));
    }
    Ok(name)
}

fn punycode(text: &str) -> Result<String, Fault> {
    const SEVERAL: Fault = Fault("is a host name with several spellings: write its `xn--` form");
    if text.contains(['ß', 'ẞ', 'ς']) {
        return Err(SEVERAL);
    }
    let ascii = idna::domain_to_ascii(text).map_err(|_| Fault("is not a host name or address"))?;
    let (unicode, valid) = idna::domain_to_unicode(&ascii);
    if valid.is_ok() && unicode == text.to_lowercase() { Ok(ascii) } else { Err(SEVERAL) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Option<String> {
        Host::parse(text).ok().map(|host| host.id())
    }

    #[test]
    fn spellings_of_one_host_are_one_host() {
        for (text, expected) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("my_bucket.s3", "my_bucket.s3"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7F000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("0251.0376.0251.0376", "169.254.169.254"),
            ("0", "0.0.0.0"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("[::FFFF:7f00:1]", "127.0.0.1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
            ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
            ("сompany.com", "xn--ompany-yof.com"),
        ] {
            let read = id(text);
            if text.starts_with('с') {
                assert!(read.as_deref().is_some_and(|id| id.starts_with("xn--") && id != "company.com"), "{read:?}");
            } else {
                assert_eq!(read.as_deref(), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn what_parsers_read_differently_is_no_host() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a@b",
            "a:80",
            "a%2eb",
            "%61.com",
            "[::1",
            "[fe80::1%25eth0]",
            "[::1]:80",
            "127.0.0.1.",
            "0x.1",
            "0x",
            "1.2.3.4.5",
            "1.2.3.256",
            "256.256.256.256",
            "1.2.3.08",
            "faß.de",
            "ⓔxample.com",
            "ｅxample.com",
            "a。b",
            "exam\u{AD}ple.com",
            "exa\u{200B}mple.com",
            "example.com\n",
            "-a.com",
            "a-.com",
            "xn--a",
            "xn--zzzzzzzz",
            "*.com",
            "a,b",
            &"a".repeat(64),
        ] {
            assert_eq!(id(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn normal_forms_stay(text in "\\PC{0,20}|[0-9a-fx.:\\[\\]]{0,20}|[a-z.-]{0,20}") {
            if let Ok(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.id()), Ok(host.clone()));
                prop_assert_eq!(Host::parse(&host.in_url()), Ok(host));
            }
        }

        #[test]
        fn every_spelling_of_an_address_is_that_address(address: u32, form in 0..5) {
            let [a, b, c, d] = address.to_be_bytes();
            let text = match form {
                0 => format!("{address}"),
                1 => format!("0x{address:x}"),
                2 => format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
                3 => format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
                _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            };
            prop_assert_eq!(id(&text), Some(format!("{a}.{b}.{c}.{d}")));
        }
    }
}
