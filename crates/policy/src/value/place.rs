//! A value, and what it is inside of.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::fault::Fault;
use super::host::Host;
use super::mailbox::Mailbox;
use super::path::{self, Root};
use super::types::ValueType;
use super::url::Url;

/// An argument of a kind that policy places in a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Path(String),
    Host(Host),
    Url(Url),
    Mailbox(Mailbox),
}

impl Value {
    /// Reads `text` as a value of `value_type`; `root` is where relative paths start.
    pub(crate) fn read(value_type: ValueType, text: &str, root: Option<&Root>) -> Result<Self, Fault> {
        match value_type {
            ValueType::Path => path::normal(text, root).map(Self::Path),
            ValueType::Host => Host::parse(text).map(Self::Host),
            ValueType::Url => Url::parse(text).map(Self::Url),
            ValueType::Mailbox => Mailbox::parse(text).map(Self::Mailbox),
            ValueType::Domain | ValueType::Zone => Err(Fault("is of a kind that no argument has")),
        }
    }

    /// As [`Value::read`]; relative paths start in `cwd`.
    pub(crate) fn read_in(value_type: ValueType, text: &str, cwd: &str) -> Result<Self, Fault> {
        match value_type {
            ValueType::Path => path::normal_in(text, cwd).map(Self::Path),
            other => Self::read(other, text, None),
        }
    }

    /// The path, if this is one.
    pub(crate) fn as_path(&self) -> Option<&str> {
        match self {
            Self::Path(path) => Some(path),
            Self::Host(_) | Self::Url(_) | Self::Mailbox(_) => None,
        }
    }
}

/// The deepest path that all `values` are inside of, if they are paths and there is one.
pub(crate) fn common_path(values: &[&Value]) -> Option<Value> {
    let mut paths = values.iter().map(|value| value.as_path());
    let first = paths.next()??;
    let common = paths.try_fold(first, |common, path| path::common(common, path?))?;
    Some(Value::Path(common.to_owned()))
}

/// An entity to be: a uid, and the uids of everything named that it is inside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    uid: EntityUid,
    within: BTreeSet<EntityUid>,
    link: Option<Box<Link>>,
}

/// The attributes of a `Url`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    scheme: String,
    host: Place,
    port: i64,
}

impl Place {
    pub(super) fn new(uid: EntityUid, within: impl IntoIterator<Item = EntityUid>) -> Self {
        Self { uid, within: within.into_iter().collect(), link: None }
    }

    /// The place of a URL: inside its host, and whatever its host is inside of.
    pub(super) fn link(uid: EntityUid, scheme: String, host: Place, port: i64) -> Self {
        let within = host.self_and_within();
        Self { uid, within, link: Some(Box::new(Link { scheme, host, port })) }
    }

    /// What all `places` are inside of, as one value called `id`: the deepest common ancestor.
    /// One value alone, or over and over, is its own.
    pub(crate) fn common(places: &[Place], value_type: ValueType, id: &str) -> Option<Self> {
        let (first, rest) = places.split_first()?;
        if rest.iter().all(|place| place.uid == first.uid) {
            return Some(first.clone());
        }
        let within = rest.iter().fold(first.self_and_within(), |within, place| {
            within.intersection(&place.self_and_within()).cloned().collect()
        });
        let links: Vec<_> = places.iter().filter_map(|place| place.link.as_deref()).collect();
        let link = links.first().and_then(|first| {
            let hosts: Vec<_> = links.iter().map(|link| link.host.clone()).collect();
            let same = |test: &dyn Fn(&Link) -> bool| links.iter().all(|link| test(link));
            Some(Box::new(Link {
                scheme: if same(&|link| link.scheme == first.scheme) { first.scheme.clone() } else { String::new() },
                port: if same(&|link| link.port == first.port) { first.port } else { 0 },
                host: Self::common(&hosts, ValueType::Host, id)?,
            }))
        });
        Some(Self { uid: value_type.uid(id), within, link })
    }

    /// How a value is written in a record.
    pub(crate) fn expression(&self) -> RestrictedExpression {
        RestrictedExpression::new_entity_uid(self.uid.clone())
    }

    /// Adds this entity, and those that its attributes name.
    pub(crate) fn collect(self, entities: &mut BTreeMap<EntityUid, Entity>) -> Result<(), Fault> {
        let parents = self.within.into_iter().collect();
        let entity = match self.link {
            None => Entity::new_no_attrs(self.uid.clone(), parents),
            Some(link) => {
                let attributes = [
                    ("scheme".to_owned(), RestrictedExpression::new_string(link.scheme)),
                    ("host".to_owned(), link.host.expression()),
                    ("port".to_owned(), RestrictedExpression::new_long(link.port)),
                ];
                link.host.collect(entities)?;
                Entity::new(self.uid.clone(), attributes.into(), parents)
                    .map_err(|_| Fault("cannot be expressed in Cedar"))?
            }
        };
        entities.insert(self.uid, entity);
        Ok(())
    }

    fn self_and_within(&self) -> BTreeSet<EntityUid> {
        self.within.iter().chain([&self.uid]).cloned().collect()
    }
}
