//! What policy sees of the sandbox: the tier that a call is held to, and what a contained run wants to bring back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use callgate_core::seam::FactSource;
use callgate_core::{
    Call, ChangeGroup, Changes, Code, Containment, Fact, FactSpec, FactType, Facts, ProfileAsked, Reason, Timestamp,
};

use crate::profile::Profiles;
use crate::workspace::{Class, WriteSet, shown};

/// What a call that brings changes back has beside its arguments, for each group of changes of the same classes.
pub const FACTS: &[FactSpec] = &[
    FactSpec { path: "change.classes", kind: FactType::Labels { entity: "Change", ids: Class::WORDS } },
    FactSpec { path: "change.paths", kind: FactType::Paths },
];

/// Paths of one group that are told apart. Beyond, the folders that they lie in stand for them.
const MOST_PATHS: usize = 64;

/// Groups of one call. There are more sets of classes, but no honest run has changes of so many kinds.
const MOST_GROUPS: usize = 64;

/// Reads profiles as policy's settings name them.
#[derive(Debug, Default)]
pub struct SandboxFacts {
    /// The profiles of the settings that were read last, by their text.
    read: Mutex<Option<(Arc<str>, Arc<Profiles>)>>,
}

impl SandboxFacts {
    /// The profiles that stand in these settings, the built-in ones among them.
    ///
    /// # Errors
    /// `sandbox_unavailable` and what is wrong with them.
    pub fn profiles(&self, settings: &Arc<str>) -> Result<Arc<Profiles>, Reason> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, profiles)) = &*read
            && (Arc::ptr_eq(text, settings) || text == settings)
        {
            return Ok(Arc::clone(profiles));
        }
        let profiles = Profiles::of_gate(settings).map_err(|error| unavailable(error.to_string()))?;
        let profiles = Arc::new(profiles);
        *read = Some((Arc::clone(settings), Arc::clone(&profiles)));
        Ok(profiles)
    }
}

fn unavailable(why: String) -> Reason {
    Reason::new(Code::SandboxUnavailable, why)
}

impl FactSource for SandboxFacts {
    fn establish(&self, _call: &Call, _now: Timestamp) -> Result<Vec<(&'static str, Fact)>, String> {
        Ok(Vec::new())
    }

    fn contain(&self, asked: &ProfileAsked) -> Option<Result<Containment, Reason>> {
        let found = self.profiles(&asked.settings).and_then(|profiles| {
            let name = asked.name.escape_debug();
            let profile = profiles.get(&asked.name);
            let profile = profile.ok_or_else(|| unavailable(format!("there is no profile `{name}`")))?;
            Ok(Containment { profile: Arc::clone(&asked.name), digest: profile.digest(), tier: profile.tier.number() })
        });
        Some(found)
    }

    fn weigh(&self, changes: &Changes, facts: &mut Facts) -> Result<(), Reason> {
        if changes.0.len() > MOST_GROUPS {
            return Err(Reason::new(Code::InvalidArguments, "the changes are of too many kinds"));
        }
        for group in &changes.0 {
            if group.paths.is_empty() || group.paths.len() > MOST_PATHS {
                return Err(Reason::new(Code::InvalidArguments, "a group of changes has no paths or too many"));
            }
            facts.insert_act(BTreeMap::from([
                ("change.classes", Fact::Labels(group.classes.clone())),
                ("change.paths", Fact::Names(group.paths.clone())),
            ]));
        }
        Ok(())
    }
}

impl WriteSet {
    /// The changes as policy sees them.
    pub fn to_changes(&self) -> Changes {
        let mut groups: BTreeMap<&BTreeSet<Class>, BTreeSet<&Path>> = BTreeMap::new();
        for change in self.changes() {
            groups.entry(&change.classes).or_default().insert(&change.path);
        }
        let group = |(classes, paths): (&BTreeSet<Class>, BTreeSet<&Path>)| ChangeGroup {
            classes: classes.iter().map(|class| Arc::from(class.as_str())).collect(),
            paths: few(paths).into_iter().map(|path| absolute(self.folder(), path)).collect(),
        };
        Changes(groups.into_iter().map(group).collect())
    }
}

/// The paths, or, while they are too many, the folders of the deepest ones in their place.
fn few<'a>(mut paths: BTreeSet<&'a Path>) -> BTreeSet<&'a Path> {
    while paths.len() > MOST_PATHS {
        let deepest = paths.iter().map(|path| path.components().count()).max().unwrap_or_default();
        // A folder that stands for what is in it stands for itself as well. At depth 0 there is one.
        let around = |path: &'a Path| match path.components().count() == deepest {
            true => path.parent().unwrap_or_else(|| Path::new("")),
            false => path,
        };
        paths = paths.into_iter().map(around).collect();
    }
    paths
}

/// A path as policy reads it. A name that is no text, or has control characters in it, is of a class of its own;
/// policy sees the folder that it lies in.
fn absolute(folder: &Path, path: &Path) -> Arc<str> {
    let plain = |path: &Path| path.to_str().is_some_and(|text| !text.chars().any(char::is_control));
    let nearest = path.ancestors().find(|path| plain(path)).unwrap_or_else(|| Path::new(""));
    let path = folder.join(nearest);
    let text = path.to_str().map_or_else(|| shown(&path), str::to_owned);
    Arc::from(text.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn asked(name: &str, settings: &str) -> ProfileAsked {
        ProfileAsked { name: name.into(), settings: settings.into() }
    }

    #[test]
    fn p11_a_profile_is_there_whole_or_denies() {
        let facts = SandboxFacts::default();
        let tier = |asked: &ProfileAsked| facts.contain(asked).unwrap().map(|held| held.tier).map_err(|why| why.code);
        assert_eq!(tier(&asked("workspace", "")), Ok(2));
        let own = "[sandbox.profile.strong]\ntier = 3\n";
        assert_eq!(tier(&asked("strong", own)), Ok(3));
        assert_eq!(tier(&asked("strong", "")), Err(Code::SandboxUnavailable));
        // What is wrong with one profile keeps all of them away.
        for broken in
            ["[sandbox.profile.x]\nextends = \"none\"", "[sandbox]\nprofil = 1", "[sandbox.profile.x]\ntier = 9", "["]
        {
            assert_eq!(tier(&asked("workspace", broken)), Err(Code::SandboxUnavailable), "{broken}");
        }
        assert_eq!(tier(&asked("strong", own)), Ok(3));
    }

    #[test]
    fn names_that_are_no_text_are_seen_as_the_folder_around_them() {
        use std::os::unix::ffi::OsStrExt;
        let odd = |bytes: &'static [u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
        for (path, seen) in [
            (odd(b"src/main.rs"), "/work/src/main.rs"),
            (odd(b"src/a\xff/b"), "/work/src"),
            (odd(b"a\nb"), "/work"),
            (odd(b""), "/work"),
            (odd(b"back\\slash 'quoted'"), "/work/back\\slash 'quoted'"),
        ] {
            assert_eq!(&*absolute(Path::new("/work"), &path), seen);
        }
    }

    proptest! {
        #[test]
        fn few_paths_stand_for_all_of_them(
            paths in prop::collection::btree_set("[a-c]{1,2}(/[a-d]{1,2}){0,4}", 0..200),
        ) {
            let all: BTreeSet<&Path> = paths.iter().map(Path::new).collect();
            let seen = few(all.clone());
            prop_assert!(seen.len() <= MOST_PATHS);
            for path in &all {
                prop_assert!(seen.iter().any(|seen| path.starts_with(seen)), "{path:?} is in none of {seen:?}");
            }
            if all.len() <= MOST_PATHS {
                prop_assert_eq!(seen, all);
            }
        }
    }
}
