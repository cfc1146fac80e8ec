//! Where a host says that its session works.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The working directory of a host's session: the host's word, not the model's, and part of the call.
///
/// A session does not stay where it began: after `cd ~/.ssh` the path `id_rsa` means another file. So relative paths of
/// a call that has one start there, and not where the operator's configuration says that sessions begin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkingDirectory(Arc<str>);

/// As many bytes as Linux takes in a path.
const LONGEST: usize = 4096;

/// Why a text is no [`WorkingDirectory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an absolute path without `.`, `..`, doubled slashes and control characters, at most 4096 bytes long")]
pub struct NotADirectory;

impl WorkingDirectory {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkingDirectory {
    type Err = NotADirectory;

    /// A slash at the end is left out.
    fn from_str(text: &str) -> Result<Self, NotADirectory> {
        let inside = text.strip_prefix('/').ok_or(NotADirectory)?;
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let plain = |component: &str| !matches!(component, "" | "." | "..");
        let whole = inside.is_empty() && text == "/" || inside.split('/').all(plain);
        if !whole || text.len() > LONGEST || text.chars().any(char::is_control) || callgate_text::reveal(text).is_some()
        {
            return Err(NotADirectory);
        }
        Ok(Self(Arc::from(if inside.is_empty() { "/" } else { text.strip_suffix('/').unwrap_or(text) })))
    }
}

impl fmt::Display for WorkingDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkingDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_an_absolute_path_is_one() {
        for (text, path) in [("/", "/"), ("/a", "/a"), ("/a/b c/", "/a/b c"), ("/home/me/.ssh", "/home/me/.ssh")] {
            assert_eq!(text.parse::<WorkingDirectory>().expect(text).as_str(), path);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for bad in [
            "",
            "a",
            "~",
            "~/x",
            "//",
            "/a//b",
            "/a/../b",
            "/a/.",
            "/./a",
            "/a/..",
            "C:\\x",
            "/a\nb",
            "/a\0",
            "/a\u{202e}b",
            &long,
        ] {
            assert!(bad.parse::<WorkingDirectory>().is_err(), "{bad:?}");
        }
    }
}
