//! Where a symbolic link leads.

use std::path::{Component, Path, PathBuf};

/// Links on the way of one link.
const MOST_LINKS: usize = 32;

/// The place in `folder` that a link at `path` leads to, below the folder and without links on the way; nothing if it
/// leads out of it, or could.
///
/// `link` says where the link at a path leads, if one will stand there. A link that is inside stays inside whatever is
/// changed later: each link on its way is judged by itself when it is made, and a target with a `..` behind a name is
/// never taken for inside. Where that leads is up to what the name before it is by then: by `x/../y` one climbs out as
/// soon as `x` is a link to a higher folder, and a link to that leads nowhere else than inside.
pub(super) fn within(
    folder: &Path,
    path: &Path,
    target: &Path,
    link: &dyn Fn(&Path) -> Option<PathBuf>,
) -> Option<PathBuf> {
    let mut left = MOST_LINKS;
    follow(folder, path, target, link, &mut left)
}

fn follow(
    folder: &Path,
    path: &Path,
    target: &Path,
    link: &dyn Fn(&Path) -> Option<PathBuf>,
    left: &mut usize,
) -> Option<PathBuf> {
    *left = left.checked_sub(1)?;
    let (mut here, rest) = match target.strip_prefix(folder) {
        Ok(rest) if target.is_absolute() => (PathBuf::new(), rest),
        _ => (path.parent().unwrap_or(Path::new("")).to_owned(), target),
    };
    let mut named = false;
    for part in rest.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if named || !here.pop() => return None,
            Component::ParentDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
            Component::Normal(name) => {
                named = true;
                here.push(name);
                if let Some(next) = link(&here) {
                    here = follow(folder, &here, &next, link, left)?;
                }
            }
        }
    }
    Some(here)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn leads_out(path: &str, target: &str, links: &[(&str, &str)]) -> bool {
        let links: BTreeMap<PathBuf, PathBuf> = links.iter().map(|(at, to)| (at.into(), to.into())).collect();
        within(Path::new("/work"), Path::new(path), Path::new(target), &|at| links.get(at).cloned()).is_none()
    }

    #[test]
    fn links_out_are_seen() {
        for (path, target, out) in [
            ("a", "b", false),
            ("a/b", "../c", false),
            ("a/b", "../../c", true),
            ("a", "..", true),
            ("a", ".", false),
            ("a/b", "..", false),
            ("a", "/etc", true),
            ("a", "/", true),
            ("a", "/work", false),
            ("a", "/work/b", false),
            ("a", "/work/../etc", true),
            ("a", "/works/b", true),
            ("a/b/c", "../../../x", true),
            ("a/b/c", "./../../x", false),
            ("a", "b/../../c", true),
            // By its words inside; where it leads, `d` says.
            ("p/q/l", "d/../../x", true),
            ("a", "b/../c", true),
            ("a", "b//c/./d", false),
        ] {
            assert_eq!(leads_out(path, target, &[]), out, "{path} → {target}");
        }
    }

    #[test]
    fn links_over_links_are_followed() {
        let there =
            [("d", "sub"), ("up/here", ".."), ("out", "/etc"), ("loop", "loop"), ("one", "two"), ("two", "one")];
        for (path, target, out) in [
            ("a", "d/x", false),
            ("a", "up/here/x", false),
            ("a", "up/here/../x", true),
            ("a", "out/passwd", true),
            ("sub/a", "../out", true),
            ("a", "loop", true),
            ("a", "one/x", true),
        ] {
            assert_eq!(leads_out(path, target, &there), out, "{path} → {target}");
        }
    }

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Walked {
        To(PathBuf),
        Out,
        InCircles,
    }

    /// A file system of folders and links in which the kernel's rules are applied one by one.
    fn walk(links: &BTreeMap<PathBuf, PathBuf>, path: &Path, target: &Path) -> Walked {
        let parts = |target: &Path| -> Vec<String> {
            target.components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).rev().collect()
        };
        let (mut here, mut rest) = (path.parent().unwrap().to_owned(), parts(target));
        for _ in 0..500 {
            let Some(part) = rest.pop() else { return Walked::To(here) };
            match part.as_str() {
                "/" => return Walked::Out,
                ".." => {
                    if !here.pop() {
                        return Walked::Out;
                    }
                }
                "." => {}
                name => {
                    here.push(name);
                    if let Some(next) = links.get(&here) {
                        here.pop();
                        rest.extend(parts(next));
                    }
                }
            }
        }
        Walked::InCircles
    }

    fn targets() -> impl Strategy<Value = PathBuf> {
        let part = prop_oneof![Just(".."), Just("a"), Just("b"), Just("c"), Just("/")];
        prop::collection::vec(part, 1..5).prop_map(|parts| parts.into_iter().collect())
    }

    fn paths() -> impl Strategy<Value = PathBuf> {
        let part = prop_oneof![Just("a"), Just("b"), Just("c")];
        prop::collection::vec(part, 1..4).prop_map(|parts| parts.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_called_inside_is_inside_and_the_same_place(
            links in prop::collection::btree_map(paths(), targets(), 0..6),
            path in paths(), target in targets(),
        ) {
            // Only links that stand in real folders.
            let links: BTreeMap<PathBuf, PathBuf> = links.iter()
                .filter(|(at, _)| !at.ancestors().skip(1).any(|above| links.contains_key(above)) && **at != path)
                .map(|(at, to)| (at.clone(), to.clone())).collect();
            prop_assume!(!path.ancestors().skip(1).any(|above| links.contains_key(above)));
            let mut all = links.clone();
            all.insert(path.clone(), target.clone());
            if let Some(there) = within(Path::new("/nowhere"), &path, &target, &|at| all.get(at).cloned()) {
                prop_assert_eq!(Walked::To(there), walk(&all, &path, &target));
            }
        }

        /// Links that were inside when they were made, each by itself, never lead out together.
        #[test]
        fn no_later_link_turns_one_outward(
            made in prop::collection::vec((paths(), targets()), 1..6),
        ) {
            let mut links = BTreeMap::new();
            for (at, to) in made {
                let inside = within(Path::new("/nowhere"), &at, &to, &|at| links.get(at).cloned()).is_some();
                let apart = links.keys().all(|other: &PathBuf| !other.starts_with(&at) && !at.starts_with(other));
                if inside && apart {
                    links.insert(at, to);
                }
            }
            for (at, to) in &links {
                prop_assert_ne!(walk(&links, at, to), Walked::Out);
            }
        }
    }
}
