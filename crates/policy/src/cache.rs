//! What is kept over reloads, by content hash: parsed policies and what Cedar's validator said. Validation
//! is slow (a millisecond for each policy), and most reloads change one file of many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use callgate_text::Digest;

use crate::policies::{Fault, Parsed};

type Verdicts = Arc<[Fault]>;

/// Kept results. Only what the last load used stays.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    parsed: Generations<Arc<Parsed>>,
    validated: Generations<Verdicts>,
    /// How often something had to be made.
    made: usize,
}

/// What this load used, and what the one before did.
#[derive(Debug)]
struct Generations<T> {
    now: BTreeMap<Digest, T>,
    before: BTreeMap<Digest, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { now: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl<T: Clone> Generations<T> {
    fn get(&mut self, key: Digest) -> Option<T> {
        if let Some(value) = self.before.remove(&key) {
            self.now.insert(key, value);
        }
        self.now.get(&key).cloned()
    }
}

impl Cache {
    /// The parsed policy of this text.
    pub(crate) fn parsed(
        &self,
        text: &str,
        parse: impl FnOnce(&str) -> Result<Parsed, Vec<Fault>>,
    ) -> Result<Arc<Parsed>, Vec<Fault>> {
        let key = Digest::of(text.as_bytes());
        if let Some(parsed) = self.with(|kept| kept.parsed.get(key)) {
            return Ok(parsed);
        }
        let parsed = Arc::new(parse(text)?);
        self.with(|kept| {
            kept.made += 1;
            kept.parsed.now.insert(key, Arc::clone(&parsed));
        });
        Ok(parsed)
    }

    /// What the validator said about what `key` is the digest of.
    pub(crate) fn validated(&self, key: Digest, validate: impl FnOnce() -> Vec<Fault>) -> Verdicts {
        if let Some(faults) = self.with(|kept| kept.validated.get(key)) {
            return faults;
        }
        let faults: Verdicts = validate().into();
        self.with(|kept| {
            kept.made += 1;
            kept.validated.now.insert(key, Arc::clone(&faults));
        });
        faults
    }

    /// Drops what no load has used since the last call.
    pub(crate) fn turn(&self) {
        self.with(|kept| {
            kept.parsed.before = std::mem::take(&mut kept.parsed.now);
            kept.validated.before = std::mem::take(&mut kept.validated.now);
        });
    }

    /// How many policies were parsed and how many validated, together.
    #[cfg(test)]
    pub(crate) fn made(&self) -> usize {
        self.with(|kept| kept.made)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use crate::files::GateFiles;
    use crate::load::load_with;

    #[test]
    fn only_what_changed_is_made_again() {
        let tool = r#"{"name": "NAME", "inputSchema": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}"#;
        let pin = |names: &[&str]| {
            let tools: Vec<_> = names.iter().map(|name| tool.replace("NAME", name)).collect();
            format!(r#"{{"server": "s", "tools": [{}]}}"#, tools.join(","))
        };
        let policy = |name: &str, least: usize| {
            format!(
                "permit (principal, action == Action::\"s.{name}\", resource) when {{ context.input.x > {least} }};\n"
            )
        };
        let hundred = |last: String| (0..100).map(|least| policy("a", least)).chain([last]).collect::<String>();
        let cache = Cache::default();
        let load = |policies: String, tools: &[&str]| {
            let before = cache.made();
            let files = GateFiles::from_texts([("policies/p.cedar", policies), ("tools/s.json", pin(tools))]);
            load_with(&files, &[], &cache).expect("loaded");
            cache.made() - before
        };
        assert_eq!(load(hundred(policy("b", 1)), &["a", "b"]), 202);
        assert_eq!(load(hundred(policy("b", 1)), &["a", "b"]), 0, "nothing changed");
        assert_eq!(load(hundred(policy("b", 2)), &["a", "b"]), 2, "one policy changed");
        assert_eq!(load(hundred(policy("b", 2)), &["a", "b", "c"]), 0, "another tool concerns no policy");
        let elsewhere = format!("// moved\n{}", hundred(policy("b", 2)));
        assert_eq!(load(elsewhere, &["a", "b", "c"]), 0, "places are not kept");
    }
}
