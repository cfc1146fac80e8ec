//! The arguments of a program, shared: what a wrapper runs is the end of what it was given itself.

use std::ops::Deref;
use std::rc::Rc;

use super::Argument;

/// Arguments, the program's own name first. Cheap to copy.
#[derive(Clone, Default)]
pub struct Argv {
    all: Rc<Vec<Argument>>,
    /// Where in `all` they start.
    start: usize,
}

impl Argv {
    /// `rest`, which is shared where it is the end of these.
    pub(super) fn end(&self, rest: &[Argument]) -> Self {
        let start = self.all.len().saturating_sub(rest.len());
        match self.all.get(start..) {
            Some(end) if std::ptr::eq(end, rest) => Self { all: Rc::clone(&self.all), start },
            _ => Self::from(rest.to_vec()),
        }
    }
}

impl From<Vec<Argument>> for Argv {
    fn from(all: Vec<Argument>) -> Self {
        Self { all: Rc::new(all), start: 0 }
    }
}

impl FromIterator<Argument> for Argv {
    fn from_iter<I: IntoIterator<Item = Argument>>(arguments: I) -> Self {
        Self::from(Vec::from_iter(arguments))
    }
}

impl Deref for Argv {
    type Target = [Argument];

    fn deref(&self) -> &[Argument] {
        self.all.get(self.start..).unwrap_or_default()
    }
}

impl PartialEq for Argv {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Argv {}

impl std::fmt::Debug for Argv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
