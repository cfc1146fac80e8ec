//! Facts: what the gate itself established about a call, never what the model claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callgate_text::{Digest, Json};

use crate::Timestamp;

/// The type of a fact, as policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType {
    /// A truth value.
    Bool,
    /// A 64-bit integer; *unknown* lies at the unsafe end.
    Long,
    /// A string that policy may compare for equality.
    Text,
    /// An instant.
    Datetime,
    /// A set of entities of an enumerated type with exactly these ids, so that a typo fails validation.
    Labels {
        /// The Cedar entity type.
        entity: &'static str,
        /// All ids that exist.
        ids: &'static [&'static str],
    },
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// See [`FactType::Bool`].
    Bool(bool),
    /// See [`FactType::Long`].
    Long(i64),
    /// See [`FactType::Text`].
    Text(Arc<str>),
    /// See [`FactType::Datetime`].
    Datetime(Timestamp),
    /// See [`FactType::Labels`].
    Labels(BTreeSet<Arc<str>>),
}

impl Fact {
    /// Whether this is a value of `expected`.
    pub fn is_a(&self, expected: FactType) -> bool {
        match (self, expected) {
            (Self::Bool(_), FactType::Bool)
            | (Self::Long(_), FactType::Long)
            | (Self::Text(_), FactType::Text)
            | (Self::Datetime(_), FactType::Datetime) => true,
            (Self::Labels(labels), FactType::Labels { ids, .. }) => labels.iter().all(|label| ids.contains(&&**label)),
            _ => false,
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Long(long) => Json::integer(*long),
            Self::Text(text) => Json::from(&**text),
            Self::Datetime(at) => Json::from(at.to_string()),
            Self::Labels(labels) => Json::Array(labels.iter().map(|label| Json::from(&**label)).collect()),
        }
    }
}

/// A fact that a layer promises to establish for every call.
///
/// `policy` builds the type of the context from these; a declared fact that was not supplied denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactSpec {
    /// Where policy finds it below `context`: two names joined by a dot, `env.now`.
    pub path: &'static str,
    /// Its type.
    pub kind: FactType,
}

/// The facts of one call, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<&'static str, Fact>);

impl Facts {
    /// Adds what a layer established. The last value of a path counts.
    pub fn insert(&mut self, path: &'static str, fact: Fact) {
        self.0.insert(path, fact);
    }

    /// The fact at `path`.
    pub fn get(&self, path: &str) -> Option<&Fact> {
        self.0.get(path)
    }

    /// All facts, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.0.iter().map(|(path, fact)| (*path, fact))
    }

    /// The first declared fact that is missing or has another type than declared.
    pub fn missing<'a>(&self, specs: &'a [FactSpec]) -> Option<&'a FactSpec> {
        specs.iter().find(|spec| !self.get(spec.path).is_some_and(|fact| fact.is_a(spec.kind)))
    }

    /// `{path: value, …}`.
    pub fn to_json(&self) -> Json {
        Json::object(self.iter().map(|(path, fact)| (path, fact.to_json())))
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json().canonical())
    }
}
