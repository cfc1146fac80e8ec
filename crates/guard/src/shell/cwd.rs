//! Directories and paths, as they are written: no link is followed, no file is looked at.

use super::{Argument, Dynamic, Setting};

/// The working directories that are possible at one point of a script; `None` if one of them is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cwd(Option<Vec<String>>);

/// As many as are told apart.
const MANY: usize = 16;

impl Cwd {
    pub(super) fn new(setting: &Setting) -> Self {
        let cwd = setting.cwd.as_deref().filter(|cwd| cwd.starts_with('/'));
        Self(cwd.map(|cwd| vec![normal(cwd, "/")]))
    }

    pub(super) fn unknown() -> Self {
        Self(None)
    }

    /// Either of the two.
    pub(super) fn or(self, other: Self) -> Self {
        let (Some(mut all), Some(others)) = (self.0, other.0) else { return Self(None) };
        for cwd in others {
            if !all.contains(&cwd) {
                all.push(cwd);
            }
        }
        Self((all.len() <= MANY).then_some(all))
    }

    /// The one directory, if there is just one.
    pub(super) fn only(&self) -> Option<&str> {
        match self.0.as_deref() {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// All of them, if they are known.
    pub(super) fn all(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// After `cd path`.
    pub(super) fn enter(&self, path: &str) -> Self {
        if path.starts_with('/') {
            return Self(Some(vec![normal(path, "/")]));
        }
        Self(self.0.as_ref().map(|all| all.iter().map(|cwd| normal(path, cwd)).collect()))
    }

    /// The paths that `argument` may mean, and what is not known about them.
    pub(super) fn resolve(&self, argument: &Argument) -> (Vec<String>, Option<Dynamic>) {
        let text = argument.text();
        if argument.is_unknown() {
            // The part before is where it starts; where it leads nobody knows: `$x` may hold `/..`.
            return (Vec::new(), Some(Dynamic::Path));
        }
        let mut dynamic = None;
        let mut path = text;
        let cut;
        if argument.is_glob() {
            let first = argument.prefix().len();
            // The component with the first glob is the last one that counts; what follows cannot leave it, but for `..`.
            let end = text.get(first..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| first + at);
            if text.get(end..).unwrap_or_default().split('/').any(|component| component == "..") {
                dynamic = Some(Dynamic::Link);
            }
            cut = text.get(..end).unwrap_or(text).to_owned();
            path = &cut;
        }
        if path.starts_with('/') {
            return (vec![normal(path, "/")], dynamic);
        }
        match &self.0 {
            Some(all) => (all.iter().map(|cwd| normal(path, cwd)).collect(), dynamic),
            None => (vec![relative(path)], Some(Dynamic::Path)),
        }
    }
}

/// An absolute path without `.`, `..` and doubled slashes.
pub(super) fn normal(path: &str, cwd: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    let before = if path.starts_with('/') { "" } else { cwd };
    for component in before.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            other => components.push(other),
        }
    }
    if components.is_empty() {
        return "/".to_owned();
    }
    let length = components.iter().map(|component| component.len() + 1).sum();
    let mut normal = String::with_capacity(length);
    for component in components {
        normal.push('/');
        normal.push_str(component);
    }
    normal
}

/// A path in a directory that is not known: `./x`; `/` for what climbs out of it, which may be anything.
fn relative(path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.pop().is_none() => return "/".to_owned(),
            ".." => {}
            other => components.push(other),
        }
    }
    format!("./{}", components.join("/"))
}

/// Whether `path` is `within` or inside of it.
pub(super) fn is_inside(path: &str, within: &str) -> bool {
    within == "/" || path.strip_prefix(within).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
