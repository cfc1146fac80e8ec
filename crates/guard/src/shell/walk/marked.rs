//! Paths that a line has done something to, which matters to what comes after.

use super::super::cwd::is_inside;

/// As many as are told apart. Beyond that every path counts as one of them.
const MANY: usize = 256;

/// Paths, and everything inside of them.
#[derive(Debug, Default)]
pub(super) struct Marked(Vec<String>);

impl Marked {
    pub(super) fn add<'p>(&mut self, paths: impl IntoIterator<Item = &'p String>) {
        for path in paths {
            if self.0.len() <= MANY && !self.0.contains(path) {
                self.0.push(path.clone());
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `path` is, or lies in, one of them.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.0.len() > MANY || self.0.iter().any(|marked| is_inside(path, marked))
    }
}
