//! What the host's own hooks, settings and instructions lead to: changing that changes them.
//!
//! A hook may be a link to a script of the tree, `core.hooksPath` may name a folder of it, and `CLAUDE.md` may say no
//! more than `@docs/guide.md`. Only what stands on the host counts: whoever changes where something leads changes
//! something that has a class of its own. Looked at is every folder that a change lies in, and the folders in those
//! that only hold what has a class. What a program that is named here calls in its turn is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use callgate_text::Json;
use rustix::fs::FileType;

use super::after::After;
use super::classify::{by_path, plain_names};
use super::names::{begun, folded, leads_somewhere};
use super::{Change, Class, links};

/// How deep the folders are looked through in which everything has a class.
const DEEPEST: usize = 3;

/// Files that one file may include, one by the other.
const MOST_INCLUDED: usize = 16;

/// Places that something of the host leads to, and of what class that is. What lies below one is meant, too.
pub(super) struct Reached(BTreeMap<PathBuf, BTreeSet<Class>>);

impl Reached {
    pub(super) fn by(folder: &Path, after: &After<'_>, changes: &[Change]) -> Self {
        let around: BTreeSet<&Path> = changes.iter().flat_map(|change| change.path.ancestors().skip(1)).collect();
        let mut search = Search { folder, after, found: BTreeMap::new() };
        for path in around {
            search.folder(path, 0);
        }
        Self(search.found)
    }

    /// The classes of what leads to `path`.
    pub(super) fn classes(&self, path: &Path) -> BTreeSet<Class> {
        if self.0.is_empty() {
            return BTreeSet::new();
        }
        path.ancestors().filter_map(|path| self.0.get(path)).flatten().copied().collect()
    }
}

struct Search<'a> {
    folder: &'a Path,
    after: &'a After<'a>,
    found: BTreeMap<PathBuf, BTreeSet<Class>>,
}

impl Search<'_> {
    fn folder(&mut self, path: &Path, depth: usize) {
        for (name, kind) in self.after.host_entries(path) {
            let here = path.join(&name);
            let plain = folded(&name);
            match kind {
                FileType::Symlink => self.link(&here),
                FileType::Directory if plain == ".git" => {
                    self.repository(path, &here);
                    self.folder(&here.join("hooks"), DEEPEST);
                }
                FileType::Directory if depth < DEEPEST && (depth > 0 || leads_somewhere(&plain)) => {
                    self.folder(&here, depth + 1);
                }
                // A submodule, or another working tree, of a repository in here.
                FileType::RegularFile if plain == ".git" => self.elsewhere(path, &here),
                FileType::RegularFile if is_of_agents(path, &plain) => self.programs(path, &here),
                FileType::RegularFile if by_path(&here).contains(&Class::Instructions) => {
                    self.instructions(&here, &mut MOST_INCLUDED.clone());
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, place: PathBuf, classes: &BTreeSet<Class>) {
        // The whole tree would be of every class.
        if !place.as_os_str().is_empty() {
            self.found.entry(place).or_default().extend(classes);
        }
    }

    /// A link that has a class gives it to what it leads to.
    fn link(&mut self, path: &Path) {
        let mut classes = by_path(path);
        classes.remove(&Class::StrangeName);
        let begun: Vec<_> = begun(&plain_names(path)).collect();
        if classes.is_empty() && begun.is_empty() {
            return;
        }
        let Some(target) = self.after.host_link(path) else { return };
        let place = links::within(self.folder, path, &target, &|at| self.after.host_link(at));
        if let Some(place) = place {
            for (class, rest) in begun {
                self.note(place.join(rest), &BTreeSet::from([class]));
            }
            if classes.is_empty() {
                return;
            }
            self.note(place.clone(), &classes);
            if classes.contains(&Class::Instructions) {
                self.instructions(&place, &mut MOST_INCLUDED.clone());
            }
        }
    }

    /// What instructions include by `@`.
    fn instructions(&mut self, path: &Path, left: &mut usize) {
        let Some(text) = self.after.host_text(path) else { return };
        let parent = path.parent().unwrap_or(Path::new(""));
        for word in text.split(|character: char| character.is_whitespace() || "`'\"()[]<>,;".contains(character)) {
            let Some(named) = word.strip_prefix('@').filter(|named| !named.is_empty()) else { continue };
            let places = [named, named.trim_end_matches(['.', ':', '!', '?'])].map(|named| below(parent, named));
            for place in places.into_iter().flatten() {
                let new = !self.found.get(&place).is_some_and(|classes| classes.contains(&Class::Instructions));
                self.note(place.clone(), &BTreeSet::from([Class::Instructions]));
                if new && *left > 0 {
                    *left -= 1;
                    self.instructions(&place, left);
                }
            }
        }
    }

    /// The programs that an agent's settings name: hooks, and servers of tools. Its host starts them, outside.
    fn programs(&mut self, folder: &Path, path: &Path) {
        let Some(text) = self.after.host_text(path) else { return };
        let Ok(settings) = Json::parse(text.as_bytes()) else { return };
        // Those of a project lie in it, or in a folder of its own.
        let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let tree = if hidden { folder.parent().unwrap_or(folder) } else { folder };
        let mut words = Vec::new();
        commands(&settings, false, &mut words);
        for place in words.iter().filter_map(|word| self.place(tree, word)).collect::<Vec<_>>() {
            self.note(place, &BTreeSet::from([Class::AgentConfig]));
        }
    }

    /// What the configuration of the repository at `tree` names.
    fn repository(&mut self, tree: &Path, git: &Path) {
        for name in ["config", "config.worktree"] {
            self.config(tree, &git.join(name), &mut MOST_INCLUDED.clone());
        }
    }

    /// A `.git` that is a file says where the repository of `tree` lies.
    fn elsewhere(&mut self, tree: &Path, file: &Path) {
        let text = self.after.host_text(file).unwrap_or_default();
        let named = text.strip_prefix("gitdir:").map(|named| named.trim().to_owned());
        let Some(git) = named.and_then(|named| self.place(tree, &named)) else { return };
        self.repository(tree, &git);
        // Another working tree shares the settings of the first.
        if let Some(common) = git.parent().filter(|parent| parent.ends_with("worktrees")).and_then(Path::parent) {
            self.repository(tree, common);
        }
    }

    fn config(&mut self, tree: &Path, path: &Path, left: &mut usize) {
        let Some(text) = self.after.host_text(path) else { return };
        for (section, key, value) in settings(&text) {
            let (hook, config) = (BTreeSet::from([Class::RepositoryHook]), BTreeSet::from([Class::RepositoryConfig]));
            match (section.as_str(), key.as_str()) {
                // Where to fetch from, and who one is: nothing that is run.
                ("remote" | "branch" | "submodule" | "user" | "url", _) => {}
                ("include" | "includeif", "path") => {
                    let Some(place) = self.place(path.parent().unwrap_or(Path::new("")), &value) else { continue };
                    self.note(place.clone(), &config);
                    if *left > 0 {
                        *left -= 1;
                        self.config(tree, &place, left);
                    }
                }
                ("core", "attributesfile") => {
                    let place = self.place(tree, &value);
                    place.into_iter().for_each(|place| self.note(place, &config));
                }
                ("core", "hookspath") => {
                    let place = self.place(tree, &value);
                    place.into_iter().for_each(|place| self.note(place, &hook));
                }
                // A command, or nothing that names a file.
                _ => {
                    let words =
                        value.split(|character: char| character.is_whitespace() || "!'\";&|()=".contains(character));
                    let named =
                        words.filter(|word| word.contains(['/', '.'])).filter_map(|word| self.place(tree, word));
                    named.collect::<Vec<_>>().into_iter().for_each(|place| self.note(place, &hook));
                }
            }
        }
    }

    /// The place that a setting names, read from `from`.
    fn place(&self, from: &Path, named: &str) -> Option<PathBuf> {
        match Path::new(named).strip_prefix(self.folder) {
            Ok(rest) => below(Path::new(""), rest.to_str()?),
            Err(_) => below(from, named),
        }
    }
}

/// Whether a file of this name holds an agent's hooks or servers, and not an editor's tasks.
fn is_of_agents(folder: &Path, name: &str) -> bool {
    let within =
        |folder_name: &str| folder.file_name().is_some_and(|own| folded(&own.to_string_lossy()) == folder_name);
    name.ends_with(".json")
        && match name {
            "settings.json" | "settings.local.json" => [".claude", ".gemini", ".qwen"].into_iter().any(within),
            "hooks.json" => !by_path(folder).is_empty(),
            _ => name.contains("mcp") && by_path(&folder.join(name)).contains(&Class::AgentConfig),
        }
}

/// The words of all commands in `settings` that could name a file.
fn commands(settings: &Json, runs: bool, words: &mut Vec<String>) {
    match settings {
        Json::Object(members) => members.iter().for_each(|(key, value)| {
            commands(value, matches!(key, "command" | "args" | "bash" | "apiKeyHelper"), words);
        }),
        Json::Array(items) => items.iter().for_each(|item| commands(item, runs, words)),
        Json::String(text) if runs => {
            let plain = text.replace(['"', '\''], "");
            let parts = plain.split(|character: char| character.is_whitespace() || ";&|()=<>".contains(character));
            // The project's folder is a variable's value.
            let parts =
                parts.map(
                    |part| if part.starts_with('$') { part.split_once('/').map_or("", |(_, rest)| rest) } else { part },
                );
            words.extend(parts.filter(|part| part.contains(['/', '.'])).map(str::to_owned));
        }
        Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null => {}
    }
}

/// `named` below `from`, by its words; nothing if it leads out.
fn below(from: &Path, named: &str) -> Option<PathBuf> {
    let mut place = from.to_owned();
    for part in Path::new(named).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => place.push(name),
            Component::ParentDir if place.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// The settings of a file as `git` writes them: section, key and value, the first two in lower case.
fn settings(text: &str) -> Vec<(String, String, String)> {
    let (mut section, mut found) = (String::new(), Vec::new());
    let joined = text.replace("\\\n", "").replace("\\\r\n", "");
    for line in joined.lines() {
        let mut line = line.trim_start();
        if let Some(header) = line.strip_prefix('[') {
            let name =
                header.split(|character: char| character.is_whitespace() || character == ']' || character == '.');
            section = name.into_iter().next().unwrap_or_default().to_lowercase();
            // Behind the name of a subsection, which may hold a bracket in quotes, a setting may follow at once.
            line = header.rsplit_once(']').map_or("", |(_, rest)| rest).trim_start();
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.trim().replace(['"'], "").replace("\\\\", "\\");
        let key = key.trim().to_lowercase();
        if !key.is_empty() && !key.starts_with(['#', ';']) {
            found.push((section.clone(), key, value));
        }
    }
    found
}

/// Whether every place that `text` names is below the folder.
pub(super) fn check_settings(text: &str) -> bool {
    let mut words: Vec<String> = settings(text).into_iter().map(|(_, _, value)| value).collect();
    if let Ok(json) = Json::parse(text.as_bytes()) {
        commands(&json, true, &mut words);
    }
    let places = words.iter().filter_map(|word| below(Path::new("a/b"), word));
    places.into_iter().all(|place| place.components().all(|part| matches!(part, Component::Normal(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let text = "# hooksPath = no\n[core]\n\tbare = false\n\tHooksPath = \"scripts/hooks\"\n[filter \"x]y\"] clean = ./a\n\
                    \tsmudge = sh \\\n./b\n[Alias]\n go = !./c d\n[include]path=../e\n";
        let found = settings(text);
        let of = |section: &str, key: &str| {
            let one = found.iter().find(|(own, name, _)| own == section && name == key);
            one.map(|(_, _, value)| value.as_str())
        };
        assert_eq!(of("core", "hookspath"), Some("scripts/hooks"));
        assert_eq!(of("filter", "clean"), Some("./a"));
        assert_eq!(of("filter", "smudge"), Some("sh ./b"));
        assert_eq!(of("alias", "go"), Some("!./c d"));
        assert_eq!(of("include", "path"), Some("../e"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\[|\\]|\"|=|\\\\|\n|\r|#|;|[a-c]|\\PC){0,60}") {
            assert!(check_settings(&text));
            for (section, key, _) in settings(&text) {
                assert_eq!((section.to_lowercase(), key.to_lowercase()), (section, key));
            }
        }

        #[test]
        fn no_name_leads_above(from in "[a-c/]{0,6}", named in "[a-c./]{0,12}") {
            if let Some(place) = below(Path::new(from.trim_start_matches('/')), &named) {
                assert!(place.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }

    #[test]
    fn places_stay_below() {
        assert_eq!(below(Path::new("a"), "./b/../c"), Some("a/c".into()));
        assert_eq!(below(Path::new("a"), "../../c"), None);
        assert_eq!(below(Path::new("a"), "/c"), None);
    }
}
