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

/// What a call that brings changes back has beside its arguments, for each change.
pub const FACTS: &[FactSpec] = &[
    FactSpec { path: "change.classes", kind: FactType::Labels { entity: "Change", ids: Class::WORDS } },
    FactSpec { path: "change.path", kind: FactType::Path },
];

/// Changes that policy may have to be asked about, after those that it cannot tell apart are taken together.
const MOST_ACTS: usize = 4096;

/// Changes of one commit. What makes more of them (a folder of dependencies) belongs where it is not brought back.
const MOST_CHANGES: usize = 100_000;

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
        let acts = changes.0.iter().flat_map(|group| group.paths.iter().map(move |path| (&group.classes, path)));
        for (count, (classes, path)) in acts.enumerate() {
            if count >= MOST_ACTS {
                return Err(Reason::new(Code::InvalidArguments, "the changes lie in too many different places"));
            }
            facts.insert_act(BTreeMap::from([
                ("change.classes", Fact::Labels(classes.clone())),
                ("change.path", Fact::Name(Arc::clone(path))),
            ]));
        }
        Ok(())
    }
}

impl WriteSet {
    /// The changes as policy sees them.
    ///
    /// # Errors
    /// If they are more than 100,000.
    pub fn to_changes(&self) -> Result<Changes, TooManyChanges> {
        if self.changes().len() > MOST_CHANGES {
            return Err(TooManyChanges(self.changes().len()));
        }
        let mut groups: BTreeMap<&BTreeSet<Class>, BTreeSet<Arc<str>>> = BTreeMap::new();
        for change in self.changes() {
            groups.entry(&change.classes).or_default().insert(absolute(self.folder(), &change.path));
        }
        let group = |(classes, paths): (&BTreeSet<Class>, BTreeSet<Arc<str>>)| ChangeGroup {
            classes: classes.iter().map(|class| Arc::from(class.as_str())).collect(),
            paths,
        };
        Ok(Changes(groups.into_iter().map(group).collect()))
    }
}

/// A run wrote more than can be brought back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} changes are more than the {MOST_CHANGES} that can be brought back at once; make the folder that holds them `tmpfs` in the profile"
)]
pub struct TooManyChanges(usize);

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
}
