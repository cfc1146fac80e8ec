//! The places that policies name, so that a value is put inside those of them that hold it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::EntityUid;

use super::fault::Fault;
use super::host::{Host, domain};
use super::mailbox::Mailbox;
use super::path;
use super::place::{Place, Value};
use super::types::ValueType;
use super::url::Url;
use super::zone::{self, Zone};

/// The values that policies and entities name: `Path::"/workspace"`, `Domain::"company.com"`.
///
/// A value's real ancestors may be many; only the named ones can decide anything, so only they are built.
#[derive(Clone, Debug, Default)]
pub struct Ancestors {
    paths: BTreeMap<String, EntityUid>,
    domains: BTreeMap<String, EntityUid>,
    hosts: BTreeSet<EntityUid>,
    misspelt: Vec<(EntityUid, String)>,
}

impl Ancestors {
    /// Collects the values among `uids`; others are ignored.
    pub fn collect(uids: impl IntoIterator<Item = EntityUid>) -> Self {
        let mut ancestors = Self::default();
        for uid in uids.into_iter().collect::<BTreeSet<_>>() {
            if let Some(value_type) = ValueType::of(&uid) {
                ancestors.add(value_type, uid);
            }
        }
        ancestors
    }

    /// The named values that no argument can equal or be inside of, because they are not in normal form
    /// (`Path::"/workspace/"`, `Domain::"Company.com"`), each with a sentence that says what to write.
    /// A policy that names one would silently never match, so it is an error.
    pub fn misspelt(&self) -> &[(EntityUid, String)] {
        &self.misspelt
    }

    fn add(&mut self, value_type: ValueType, uid: EntityUid) {
        let id = uid.id().unescaped();
        match normal(value_type, id) {
            Ok(normal) if normal == id => match value_type {
                ValueType::Path => drop(self.paths.insert(normal, uid)),
                ValueType::Domain => drop(self.domains.insert(normal, uid)),
                ValueType::Host => drop(self.hosts.insert(uid)),
                ValueType::Url | ValueType::Mailbox | ValueType::Zone => {}
            },
            Ok(normal) => self.misspelt.push((uid, format!("write {}::{normal:?}", value_type.as_str()))),
            Err(Fault(fault)) => self.misspelt.push((uid, fault.to_owned())),
        }
    }

    /// The deepest named path that `path` is or is inside of, and whether it is that path. Two of which both are the
    /// same are in all the same places, and policy has no name for either.
    pub(crate) fn around<'a>(&'a self, path: &str) -> (Option<&'a str>, bool) {
        let own = self.paths.get_key_value(path);
        let above = || path::ancestors(path).find_map(|above| self.paths.get_key_value(above));
        let deepest = own.or_else(above).map(|(name, _)| name.as_str());
        (deepest, own.is_some())
    }

    /// The place of `value`. `beside` are the other paths of the call: one may be inside another.
    pub(crate) fn place(&self, value: &Value, beside: &BTreeSet<&str>) -> Place {
        match value {
            Value::Path(path) => {
                let named = |above: &str| self.paths.get(above).cloned();
                let beside = |above: &str| beside.contains(above).then(|| ValueType::Path.uid(above));
                let within = path::ancestors(path).filter_map(|above| named(above).or_else(|| beside(above)));
                Place::new(ValueType::Path.uid(path), within)
            }
            Value::Host(host) => self.host(host),
            Value::Mailbox(mailbox) => {
                Place::new(ValueType::Mailbox.uid(&mailbox.id()), self.named_domains(mailbox.domains()))
            }
            Value::Url(url) => {
                Place::link(ValueType::Url.uid(&url.id), url.scheme.clone(), self.host(&url.host), i64::from(url.port))
            }
        }
    }

    /// The value of nothing: inside every named place, so that *all are inside* holds of an empty list.
    pub(crate) fn nothing(&self, value_type: ValueType, id: &str) -> Place {
        let domains = || self.domains.values().cloned();
        let zones = || Zone::ALL.iter().map(|zone| ValueType::Zone.uid(zone.as_str()));
        let uid = value_type.uid(id);
        match value_type {
            ValueType::Path => Place::new(uid, self.paths.values().cloned()),
            ValueType::Mailbox => Place::new(uid, domains()),
            ValueType::Url => {
                let within = self.hosts.iter().cloned().chain(domains()).chain(zones());
                Place::link(uid, String::new(), Place::new(ValueType::Host.uid(id), within), 0)
            }
            ValueType::Host | ValueType::Domain | ValueType::Zone => Place::new(uid, domains().chain(zones())),
        }
    }

    fn host(&self, host: &Host) -> Place {
        let zones = zone::of(host).into_iter().map(|zone| ValueType::Zone.uid(zone.as_str()));
        Place::new(ValueType::Host.uid(&host.id()), self.named_domains(host.domains()).chain(zones))
    }

    fn named_domains<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = EntityUid> {
        names.filter_map(|name| self.domains.get(name).cloned())
    }
}

/// The normal form of the id of a uid.
fn normal(value_type: ValueType, id: &str) -> Result<String, Fault> {
    match value_type {
        ValueType::Path => path::canonical(id),
        ValueType::Domain => domain(id),
        ValueType::Host => Host::parse(id).map(|host| host.id()),
        ValueType::Url => Url::parse(id).map(|url| url.id),
        ValueType::Mailbox => Mailbox::parse(id).map(|mailbox| mailbox.id()),
        // Enumerated, so Cedar's validator finds what does not exist.
        ValueType::Zone => Ok(id.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_another_form_are_misspelt() {
        let uids = [
            (ValueType::Path, "/workspace"),
            (ValueType::Path, "/workspace/"),
            (ValueType::Path, "workspace"),
            (ValueType::Path, "./src"),
            (ValueType::Path, "/a/../b"),
            (ValueType::Domain, "Company.com"),
            (ValueType::Domain, "*.company.com"),
            (ValueType::Domain, "company.com"),
            (ValueType::Host, "0x7f.1"),
            (ValueType::Mailbox, "Ann <ann@company.com>"),
        ];
        let ancestors = Ancestors::collect(uids.map(|(value_type, id)| value_type.uid(id)));
        let misspelt: Vec<_> = ancestors.misspelt().iter().map(|(uid, remedy)| format!("{uid}: {remedy}")).collect();
        assert_eq!(
            misspelt,
            [
                "Domain::\"*.company.com\": is not a host name or address",
                "Domain::\"Company.com\": write Domain::\"company.com\"",
                "Host::\"0x7f.1\": write Host::\"127.0.0.1\"",
                "Mailbox::\"Ann <ann@company.com>\": is not one plain e-mail address",
                "Path::\"/a/../b\": write Path::\"/b\"",
                "Path::\"/workspace/\": write Path::\"/workspace\"",
                "Path::\"workspace\": write Path::\"./workspace\"",
            ]
        );
    }
}
