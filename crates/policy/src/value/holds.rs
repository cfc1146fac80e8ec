//! Which named places are inside of which, by their names alone.

use cedar_policy::EntityUid;

use super::host::Host;
use super::mailbox::Mailbox;
use super::path;
use super::types::ValueType;
use super::url::Url;

/// Whether whatever is inside of `inner` is inside of `outer`, too; `None` if their names do not tell.
pub(crate) fn holds(outer: &EntityUid, inner: &EntityUid) -> Option<bool> {
    use ValueType::{Domain, Host as Machine, Mailbox as Box, Path, Url as Link, Zone};
    let (above, below) = (ValueType::of(outer)?, ValueType::of(inner)?);
    let (name, id) = (outer.id().unescaped(), inner.id().unescaped());
    if above == Zone || below == Zone {
        return None;
    }
    if outer == inner {
        return Some(true);
    }
    match (above, below) {
        (Path, Path) => Some(path::within(id, name)),
        (Path, _) | (_, Path) => None,
        (Domain, Domain | Machine) => Some(Host::parse(id).ok()?.domains().any(|domain| domain == name)),
        (Domain, Box) => Some(Mailbox::parse(id).ok()?.domains().any(|domain| domain == name)),
        (Domain, Link) => Some(Url::parse(id).ok()?.host.domains().any(|domain| domain == name)),
        (Machine, Link) => Some(Url::parse(id).ok()?.host.id() == name),
        // One value holds no other, and nothing that holds many.
        _ => Some(false),
    }
}

/// Whether no single value can be inside of both: each has one line of ancestors.
pub(crate) fn exclude(a: &EntityUid, b: &EntityUid) -> bool {
    holds(a, b) == Some(false) && holds(b, a) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_inside() {
        for (outer, inner, expected) in [
            (r#"Path::"/a""#, r#"Path::"/a/b""#, Some(true)),
            (r#"Path::"/a/b""#, r#"Path::"/a""#, Some(false)),
            (r#"Path::"/a""#, r#"Path::"/ab""#, Some(false)),
            (r#"Path::"/""#, r#"Path::"./b""#, Some(false)),
            (r#"Domain::"b.com""#, r#"Domain::"a.b.com""#, Some(true)),
            (r#"Domain::"b.com""#, r#"Domain::"ab.com""#, Some(false)),
            (r#"Domain::"b.com""#, r#"Mailbox::"x@a.b.com""#, Some(true)),
            (r#"Domain::"b.com""#, r#"Url::"https://a.b.com/""#, Some(true)),
            (r#"Host::"a.b.com""#, r#"Url::"https://a.b.com/""#, Some(true)),
            (r#"Host::"a.b.com""#, r#"Domain::"b.com""#, Some(false)),
            (r#"Domain::"b.com""#, r#"Host::"1.2.3.4""#, Some(false)),
            (r#"Zone::"public""#, r#"Host::"1.2.3.4""#, None),
            (r#"Zone::"public""#, r#"Zone::"internal""#, None),
            (r#"Path::"/a""#, r#"Domain::"a""#, None),
            (r#"Agent::"a""#, r#"Blueprint::"a""#, None),
        ] {
            let uid = |text: &str| text.parse::<EntityUid>().expect("a uid");
            assert_eq!(holds(&uid(outer), &uid(inner)), expected, "{outer} {inner}");
        }
    }
}
