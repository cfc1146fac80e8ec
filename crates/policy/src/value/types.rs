//! The entity types of values, as Cedar declares them.

use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::zone::Zone;

/// An entity type that arguments are lifted into, or that they lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ValueType {
    Path,
    Url,
    Host,
    Mailbox,
    Domain,
    Zone,
}

impl ValueType {
    const ALL: [Self; 6] = [Self::Path, Self::Url, Self::Host, Self::Mailbox, Self::Domain, Self::Zone];

    /// The name in Cedar.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "Path",
            Self::Url => "Url",
            Self::Host => "Host",
            Self::Mailbox => "Mailbox",
            Self::Domain => "Domain",
            Self::Zone => "Zone",
        }
    }

    /// The type of a uid, if it is one of these.
    pub(super) fn of(uid: &EntityUid) -> Option<Self> {
        Self::ALL.into_iter().find(|value_type| uid.type_name() == value_type.name())
    }

    /// The uid of the value `id`.
    pub(super) fn uid(self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.name().clone(), EntityId::new(id))
    }

    fn name(self) -> &'static EntityTypeName {
        static NAMES: LazyLock<[EntityTypeName; 6]> = LazyLock::new(|| {
            ValueType::ALL.map(|value_type| {
                #[expect(clippy::expect_used, reason = "constant identifiers; every test that lifts builds them all")]
                value_type.as_str().parse().expect("an identifier")
            })
        });
        let [path, url, host, mailbox, domain, zone] = &*NAMES;
        match self {
            Self::Path => path,
            Self::Url => url,
            Self::Host => host,
            Self::Mailbox => mailbox,
            Self::Domain => domain,
            Self::Zone => zone,
        }
    }
}

/// The Cedar declarations of the types into which arguments are lifted, for the generated schema.
///
/// A `Host` is inside every `Domain` of its name (`mail.company.com` is inside `Domain::"company.com"`)
/// and inside its zones; a `Url` is inside its host and all that its host is inside of; a `Mailbox` is
/// inside the domains of its address; a `Path` is inside every directory above it. `Zone` is an
/// enumerated type: `"public"` or `"internal"`; if internal, `"private"`, `"loopback"`, `"linklocal"`,
/// `"metadata"`, `"multicast"` or `"reserved"`; and `"name"` or `"address"`.
pub fn value_entity_types() -> &'static str {
    static TYPES: LazyLock<String> = LazyLock::new(|| {
        let zones: Vec<_> = Zone::ALL.iter().map(|zone| format!("\"{}\"", zone.as_str())).collect();
        format!(
            "entity Path in [Path];\n\
             entity Domain;\n\
             entity Zone enum [{}];\n\
             entity Host in [Domain, Zone];\n\
             entity Url in [Host, Domain, Zone] = {{ \"scheme\": String, \"host\": Host, \"port\": Long }};\n\
             entity Mailbox in [Domain];\n",
            zones.join(", ")
        )
    });
    &TYPES
}
