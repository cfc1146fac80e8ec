//! Facts: what the gate itself established about a call, never what the model claimed.

use std::borrow::Cow;
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
    /// An absolute path in normal form.
    Path,
    /// A set of paths in normal form. Beside `name` policy sees `name_within`: the deepest path that all are in.
    Paths,
    /// A set of hosts. Beside `name` policy sees `name_within`: what all of them are in.
    Hosts,
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
    /// See [`FactType::Path`].
    Name(Arc<str>),
    /// See [`FactType::Paths`] and [`FactType::Hosts`].
    Names(BTreeSet<Arc<str>>),
}

impl Fact {
    /// Whether this is a value of `expected`.
    pub fn is_a(&self, expected: FactType) -> bool {
        match (self, expected) {
            (Self::Bool(_), FactType::Bool)
            | (Self::Long(_), FactType::Long)
            | (Self::Text(_), FactType::Text)
            | (Self::Datetime(_), FactType::Datetime)
            | (Self::Name(_), FactType::Path)
            | (Self::Names(_), FactType::Paths | FactType::Hosts) => true,
            (Self::Labels(labels), FactType::Labels { ids, .. }) => labels.iter().all(|label| ids.contains(&&**label)),
            _ => false,
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Long(long) => Json::integer(*long),
            Self::Text(text) | Self::Name(text) => Json::from(&**text),
            Self::Datetime(at) => Json::from(at.to_string()),
            Self::Labels(labels) | Self::Names(labels) => {
                Json::Array(labels.iter().map(|label| Json::from(&**label)).collect())
            }
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

/// What a call is about, beside its arguments: which sections of facts it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// Nothing but its arguments.
    #[default]
    Arguments,
    /// Commands among its arguments: the sections `command` and `line`.
    Commands,
    /// What a contained run wrote: the section `change`.
    Changes,
}

impl Subject {
    /// Whether a call about this has the facts of `section`.
    pub fn has(self, section: &str) -> bool {
        match section {
            "command" | "line" => self == Self::Commands,
            "change" => self == Self::Changes,
            _ => true,
        }
    }
}

impl FactSpec {
    /// Whether a call about `subject` has it.
    pub fn is_of(&self, subject: Subject) -> bool {
        self.path.split_once('.').is_none_or(|(section, _)| subject.has(section))
    }
}

/// The facts of one call, by path.
///
/// A call may be several acts: a shell line runs several programs. What differs between them is kept for each, and
/// policy is asked about each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    all: BTreeMap<&'static str, Fact>,
    acts: Vec<BTreeMap<&'static str, Fact>>,
}

impl Facts {
    /// Adds what a layer established. The last value of a path counts.
    pub fn insert(&mut self, path: &'static str, fact: Fact) {
        self.all.insert(path, fact);
    }

    /// Adds an act: what is true of it alone.
    pub fn insert_act(&mut self, act: BTreeMap<&'static str, Fact>) {
        self.acts.push(act);
    }

    /// The facts of each act; of the call, if it is one.
    pub fn each(&self) -> impl Iterator<Item = Cow<'_, Self>> {
        let whole = self.acts.is_empty().then_some(Cow::Borrowed(self));
        let acts = self.acts.iter().map(|act| {
            let all = self.all.iter().chain(act).map(|(path, fact)| (*path, fact.clone())).collect();
            Cow::Owned(Self { all, acts: Vec::new() })
        });
        whole.into_iter().chain(acts)
    }

    /// The fact at `path`.
    pub fn get(&self, path: &str) -> Option<&Fact> {
        self.all.get(path)
    }

    /// All facts of the call as a whole, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.all.iter().map(|(path, fact)| (*path, fact))
    }

    /// The first declared fact that is missing or has another type than declared.
    pub fn missing<'a>(&self, specs: impl IntoIterator<Item = &'a FactSpec>) -> Option<&'a FactSpec> {
        specs.into_iter().find(|spec| !self.get(spec.path).is_some_and(|fact| fact.is_a(spec.kind)))
    }

    /// `{path: value, …, acts?: [{path: value, …}]}`.
    pub fn to_json(&self) -> Json {
        let object = |facts: &BTreeMap<&'static str, Fact>| {
            facts.iter().map(|(path, fact)| (*path, fact.to_json())).collect::<Vec<_>>()
        };
        let mut members = object(&self.all);
        if !self.acts.is_empty() {
            members.push(("acts", Json::Array(self.acts.iter().map(|act| Json::object(object(act))).collect())));
        }
        Json::object(members)
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json().canonical())
    }
}
