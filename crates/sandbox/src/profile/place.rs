//! A place in the file system, as a profile names it.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// The word that stands for the folder that a run works in.
const WORKSPACE: &str = "@workspace";

/// Longer ones no kernel takes.
const MOST_BYTES: usize = 4096;

/// An absolute path in its plain form, or one below `@workspace`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    in_workspace: bool,
    /// Below `/` or below the workspace; never begins or ends with `/`.
    rest: String,
}

/// Why a text is no [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Neither absolute nor below `@workspace`.
    #[error("`{0}` is neither an absolute path nor `@workspace` or a path below it")]
    Relative(String),
    /// There is a shorter way to write it; two ways to write one place would be two entries for it.
    #[error("`{0}` is not in its plain form: no `.`, `..`, `//`, `/` at the end or control characters")]
    NotPlain(String),
    /// Longer than 4096 bytes.
    #[error("a path of {0} bytes is too long")]
    TooLong(usize),
}

impl Place {
    /// The folder that a run works in.
    pub fn workspace() -> Self {
        Self { in_workspace: true, rest: String::new() }
    }

    /// Whether it lies in the workspace, or is it.
    pub fn is_in_workspace(&self) -> bool {
        self.in_workspace
    }

    /// Whether `other` is this place or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        let below = || other.rest.strip_prefix(&self.rest).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.in_workspace == other.in_workspace && (self.rest.is_empty() || below())
    }

    /// How many names stand in it.
    pub fn depth(&self) -> usize {
        self.rest.split('/').filter(|name| !name.is_empty()).count()
    }

    /// The path, with the workspace at `workspace`; nothing if there is no workspace and this lies in one.
    pub fn at(&self, workspace: Option<&Path>) -> Option<PathBuf> {
        let base = if self.in_workspace { workspace? } else { Path::new("/") };
        Some(if self.rest.is_empty() { base.to_owned() } else { base.join(&self.rest) })
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text.len() > MOST_BYTES {
            return Err(PlaceError::TooLong(text.len()));
        }
        let (in_workspace, rest) = match text.strip_prefix(WORKSPACE) {
            Some("") => return Ok(Self::workspace()),
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = rest.strip_prefix('/').ok_or_else(|| PlaceError::Relative(text.to_owned()))?;
        if !in_workspace && rest.is_empty() {
            return Ok(Self { in_workspace, rest: String::new() });
        }
        let plain = rest.split('/').all(|name| !matches!(name, "" | "." | "..")) && !rest.contains(char::is_control);
        if !plain {
            return Err(PlaceError::NotPlain(text.escape_debug().to_string()));
        }
        Ok(Self { in_workspace, rest: rest.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.in_workspace, self.rest.as_str()) {
            (true, "") => f.write_str(WORKSPACE),
            (true, rest) => write!(f, "{WORKSPACE}/{rest}"),
            (false, rest) => write!(f, "/{rest}"),
        }
    }
}

/// Whether `path` is absolute and has neither `.` nor `..` in it.
pub(crate) fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_places_are_places() {
        for good in ["/", "/usr", "/usr/lib", "@workspace", "@workspace/.env", "/a b"] {
            assert_eq!(good.parse::<Place>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "usr",
            "/usr/",
            "//usr",
            "/usr/../etc",
            "/./usr",
            "@workspace/",
            "@workspaces",
            "@workspace/..",
            "/a\nb",
            "/a\0b",
            "~",
            "$HOME",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_contains_what_is_below_it_and_nothing_else() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        assert!(place("/usr").contains(&place("/usr/lib")));
        assert!(place("/").contains(&place("/usr")));
        assert!(!place("/usr").contains(&place("/usrlib")));
        assert!(!place("/").contains(&place("@workspace")));
        assert!(place("@workspace").contains(&place("@workspace/a")));
        assert!(!place("@workspace/a").contains(&place("@workspace")));
    }

    proptest! {
        #[test]
        fn text_and_place_are_one_to_one(text in "(@workspace)?(/[a-c.]{0,3}){0,4}") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string(), text);
            }
        }
    }
}
