//! What `cp -b` and its kin do beside their work: what stood where they write gets another name, which begins with its
//! own.

use super::super::Argument;
use super::super::table::Kind;
use super::act::Way;
use super::{Act, Walker};

impl Walker<'_> {
    /// The last of `operands` is the target, unless all of them go `into` a directory.
    pub(super) fn back_up(&mut self, operands: &[&Argument], into: Option<&Argument>, act: &mut Act) {
        let (sources, target) = match (into, operands.split_last()) {
            (Some(into), _) => (operands, into),
            (None, Some((target, sources))) => (sources, *target),
            (None, None) => return,
        };
        // Several go into a directory, and so does whatever has no name of its own to go to.
        let directory = into.is_some() || sources.len() > 1 || sources.iter().any(|source| source.is_many());
        let text = target.text();
        let named = !matches!(text.rsplit('/').next(), Some("" | "." | ".."));
        if (!directory || target.is_many()) && (named || target.is_unknown()) {
            self.path(target, Way::Deletes, act);
            self.role(Kind::Prefix, target, act);
        }
        for source in sources {
            self.path(&below(target, source), Way::Deletes, act);
        }
    }
}

/// What `source` is called in the directory `target`: by the last of its names, or, if not even that is known, by any.
fn below(target: &Argument, source: &Argument) -> Argument {
    let mut path = target.clone();
    path.push("/");
    let text = source.text().trim_end_matches('/');
    let name = text.rfind('/').map_or(0, |slash| slash + 1);
    if source.known().is_some() {
        path.push(text.get(name..).unwrap_or_default());
    } else {
        path.push_pattern("*");
    }
    path
}
