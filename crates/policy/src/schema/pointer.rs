//! Where an argument stands.

use std::fmt;

use callgate_text::Json;

/// A place among the arguments of one call; written out only if there is something to say about it.
///
/// Shown as `files/0/path`, which with a slash in front is an RFC 6901 pointer.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    /// The arguments themselves.
    Top,
    /// A member of an object.
    Member(&'a At<'a>, &'a str),
    /// An element of a list.
    Element(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let above = match self {
            Self::Top => return Ok(()),
            Self::Member(above, _) | Self::Element(above, _) => above,
        };
        if !matches!(above, Self::Top) {
            write!(f, "{above}/")?;
        }
        match self {
            Self::Top => Ok(()),
            Self::Member(_, name) => f.write_str(&escape(name)),
            Self::Element(_, index) => write!(f, "{index}"),
        }
    }
}

/// The pointer of the member `name` of what `above` points to.
pub(super) fn below(above: &str, name: &str) -> String {
    if above.is_empty() { escape(name) } else { format!("{above}/{}", escape(name)) }
}

/// The name that a pointer's token stands for.
pub(super) fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// The token that stands for a name.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The value at an RFC 6901 pointer in a URI fragment, and the tokens on the way.
pub(super) fn resolve<'a>(document: &'a Json, pointer: &str) -> Option<(&'a Json, Vec<String>)> {
    let pointer = percent_decode(pointer)?;
    if pointer.is_empty() {
        return Some((document, Vec::new()));
    }
    let mut path = Vec::new();
    let found = pointer.strip_prefix('/')?.split('/').try_fold(document, |value, token| {
        path.push(token.to_owned());
        let token = unescape(token);
        match value {
            Json::Object(members) => members.get(&token),
            Json::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        }
    })?;
    Some((found, path))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_those_of_rfc_6901_without_the_first_slash() {
        let files = At::Member(&At::Top, "fi/l~es");
        let first = At::Element(&files, 0);
        assert_eq!(At::Member(&first, "path").to_string(), "fi~1l~0es/0/path");
        assert_eq!(
            (At::Top.to_string(), below("", "a"), below("a", "b/c")),
            (String::new(), "a".to_owned(), "a/b~1c".to_owned())
        );
        assert_eq!(unescape("fi~1l~0es"), "fi/l~es");
    }
}
