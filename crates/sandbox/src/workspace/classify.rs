//! Which changes need a permit of their own: what makes somebody's next command, editor, agent or pipeline run what a
//! tool wrote.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::time::Timespec;

use super::after::After;
use super::names::{begun, by_names, folded};
use super::reached::Reached;
use super::repositories::{Bare, in_git};
use super::{Change, Node, links};

/// Why a change needs a permit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A hook of a repository, or what installs hooks.
    RepositoryHook,
    /// Configuration of a repository, which can name programs to run.
    RepositoryConfig,
    /// A continuous-integration pipeline.
    Pipeline,
    /// Configuration of a coding agent or an editor.
    AgentConfig,
    /// Instructions that agents obey.
    Instructions,
    /// What a shell or a session reads at its start.
    ShellStart,
    /// Configuration that makes a build tool or package manager run or trust something else.
    ToolConfig,
    /// A symbolic link that leads out of the folder.
    OutwardLink,
    /// Set-user-ID or set-group-ID.
    SetId,
    /// A device, socket or pipe with a name.
    SpecialNode,
    /// A name that does not show as it is: with control or hidden characters, or one that is no text.
    StrangeName,
    /// The host's file was changed while the run was under way, so that the run may not have seen it.
    ChangedMeanwhile,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::RepositoryHook,
        Self::RepositoryConfig,
        Self::Pipeline,
        Self::AgentConfig,
        Self::Instructions,
        Self::ShellStart,
        Self::ToolConfig,
        Self::OutwardLink,
        Self::SetId,
        Self::SpecialNode,
        Self::StrangeName,
        Self::ChangedMeanwhile,
    ];

    /// The words of all of them, in this order.
    pub const WORDS: &[&str] = &[
        Self::RepositoryHook.as_str(),
        Self::RepositoryConfig.as_str(),
        Self::Pipeline.as_str(),
        Self::AgentConfig.as_str(),
        Self::Instructions.as_str(),
        Self::ShellStart.as_str(),
        Self::ToolConfig.as_str(),
        Self::OutwardLink.as_str(),
        Self::SetId.as_str(),
        Self::SpecialNode.as_str(),
        Self::StrangeName.as_str(),
        Self::ChangedMeanwhile.as_str(),
    ];

    /// The word in policies and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RepositoryHook => "repository_hook",
            Self::RepositoryConfig => "repository_config",
            Self::Pipeline => "pipeline",
            Self::AgentConfig => "agent_config",
            Self::Instructions => "instructions",
            Self::ShellStart => "shell_start",
            Self::ToolConfig => "tool_config",
            Self::OutwardLink => "outward_link",
            Self::SetId => "set_id",
            Self::SpecialNode => "special_node",
            Self::StrangeName => "strange_name",
            Self::ChangedMeanwhile => "changed_meanwhile",
        }
    }
}

/// What a gate's own directory holds, beside its `callgate.toml`: who may do what.
const GATE: &[&str] = &["callgate.toml", "entities.toml", "policies", "tools"];

/// The classes of each change, for what lies in `folder`, which is open as `root`, by a run that began at `since`.
pub(super) fn classify(folder: &Path, root: &OwnedFd, since: Timespec, changes: &[Change]) -> Vec<BTreeSet<Class>> {
    let after = After::new(root, changes);
    let mut bare = Bare::new(&after);
    let reached = Reached::by(folder, &after, changes);
    let classes = changes.iter().map(|change| {
        let mut classes = by_path(&change.path);
        classes.extend(bare.class(change));
        classes.extend(reached.classes(&change.path));
        // A folder is changed whenever something comes into it.
        if matches!(change.before, Some(Node::File { .. } | Node::Link { .. } | Node::Special { .. }))
            && after.host_changed(&change.path).is_none_or(|changed| changed > since)
        {
            classes.insert(Class::ChangedMeanwhile);
        }
        if of_a_gate(&after, &change.path) {
            classes.insert(Class::AgentConfig);
        }
        match &change.after {
            Some(Node::Link { target }) => match links::within(folder, &change.path, target, &|at| after.link(at)) {
                None => {
                    classes.insert(Class::OutwardLink);
                }
                Some(place) => classes.extend(
                    begun(&plain_names(&change.path))
                        .filter(|(_, rest)| after.stands(&place.join(rest)))
                        .map(|(class, _)| class),
                ),
            },
            Some(Node::File { mode, .. } | Node::Folder { mode }) if mode & 0o6000 != 0 => {
                classes.insert(Class::SetId);
            }
            Some(Node::Special { .. }) => {
                classes.insert(Class::SpecialNode);
            }
            Some(Node::File { .. } | Node::Folder { .. }) | None => {}
        }
        classes
    });
    classes.collect()
}

/// Whether this is the policy of a gate: an agent that could change it would be its own judge.
fn of_a_gate(after: &After<'_>, path: &Path) -> bool {
    path.ancestors().skip(1).any(|folder| {
        let below = path.strip_prefix(folder).ok().and_then(|below| below.iter().next());
        below.is_some_and(|name| GATE.contains(&folded(&name.to_string_lossy()).as_str()))
            && after.holds(folder, "callgate.toml")
    })
}

/// The names of a path in their plainest form.
pub(super) fn plain_names(path: &Path) -> Vec<String> {
    path.iter().map(|name| folded(&name.to_string_lossy())).collect()
}

/// The classes that the words of a path give it.
pub(super) fn by_path(path: &Path) -> BTreeSet<Class> {
    let mut classes = BTreeSet::new();
    for name in path {
        // What does not show, or turns the direction of reading, deceives whoever looks at it.
        let plain = |text: &&str| !text.chars().any(char::is_control) && callgate_text::reveal(text).is_none();
        if name.to_str().filter(plain).is_none() {
            classes.insert(Class::StrangeName);
        }
    }
    let names = plain_names(path);
    classes.extend(by_names(&names));
    for (index, _) in names.iter().enumerate().filter(|(_, name)| *name == ".git") {
        classes.extend(in_git(names.get(index + 1..).unwrap_or_default()));
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_all() {
        assert_eq!(Class::ALL.map(Class::as_str), Class::WORDS);
    }

    #[test]
    fn paths_are_known_by_what_reads_them() {
        for (path, class) in [
            (".git/hooks/pre-commit", Class::RepositoryHook),
            ("sub/module/.git/hooks/post-checkout", Class::RepositoryHook),
            (".GIT/Hooks/pre-commit", Class::RepositoryHook),
            (".git/config", Class::RepositoryConfig),
            (".git", Class::RepositoryConfig),
            (".git/info/attributes", Class::RepositoryConfig),
            (".git/modules/x/config", Class::RepositoryConfig),
            (".git/rebase-merge/git-rebase-todo", Class::RepositoryConfig),
            (".gi\u{200b}t/config", Class::RepositoryConfig),
            (".git./config", Class::RepositoryConfig),
            (".husky/pre-commit", Class::RepositoryHook),
            (".github/workflows/x.yml", Class::Pipeline),
            (".gitlab-ci.yml", Class::Pipeline),
            (".claude/settings.json", Class::AgentConfig),
            ("deep/er/.vscode/tasks.json", Class::AgentConfig),
            (".mcp.json", Class::AgentConfig),
            ("CLAUDE.md", Class::Instructions),
            ("sub/Agents.MD", Class::Instructions),
            (".github/copilot-instructions.md", Class::Instructions),
            (".bashrc", Class::ShellStart),
            (".envrc", Class::ShellStart),
            (".ssh/authorized_keys", Class::ShellStart),
            (".cargo/config.toml", Class::ToolConfig),
            ("a\nb", Class::StrangeName),
            ("safe\u{202e}txt.sh", Class::StrangeName),
            ("a\u{200b}b", Class::StrangeName),
            (".git/modules/sub/hooks/post-checkout", Class::RepositoryHook),
            (".git/worktrees/x/hooks/y", Class::RepositoryHook),
            (".git/objects/info/alternates", Class::RepositoryConfig),
            (".git/info/exclude", Class::RepositoryConfig),
            (".hu\u{17f}ky/pre-commit", Class::RepositoryHook),
            (".git::$INDEX_ALLOCATION/hooks/x", Class::RepositoryHook),
            ("GIT~1/config", Class::RepositoryConfig),
            ("lefthook-local.toml", Class::RepositoryHook),
            ("a/.LINTSTAGEDRC.js", Class::RepositoryHook),
            ("vendor/sub/.git/hooks/x", Class::RepositoryHook),
            ("Jenkinsfile.release", Class::Pipeline),
            ("azure-pipelines-nightly.yml", Class::Pipeline),
            (".forgejo/workflows/x.yml", Class::Pipeline),
            (".github/CODEOWNERS", Class::Pipeline),
            (".github/dependabot.yml", Class::Pipeline),
            ("my.code-workspace", Class::AgentConfig),
            (".run/all.run.xml", Class::AgentConfig),
            (".roo/mcp.json", Class::AgentConfig),
            (".github/hooks/pre.json", Class::AgentConfig),
            (".roorules-code", Class::Instructions),
            ("node_modules/x/CLAUDE.md", Class::Instructions),
            ("mise.local.toml", Class::ShellStart),
            (".mise.toml", Class::ShellStart),
            ("mise.toml", Class::ShellStart),
            ("rust-toolchain.toml", Class::ToolConfig),
            ("gradle/wrapper/gradle-wrapper.properties", Class::ToolConfig),
            ("x/site-packages/sitecustomize.py", Class::ToolConfig),
        ] {
            assert!(by_path(Path::new(path)).contains(&class), "{path}: {:?}", by_path(Path::new(path)));
        }
    }

    #[test]
    fn ordinary_work_needs_nothing() {
        for path in [
            "src/main.rs",
            "README.md",
            "docs/agents/list.md",
            ".git/index",
            ".git/objects/ab/cdef",
            ".git/HEAD",
            ".git/refs/heads/main",
            ".git/logs/HEAD",
            ".git/COMMIT_EDITMSG",
            "target/debug/x",
            "package.json",
            "node_modules/a/index.js",
            ".gitignore",
            "tests/claude.rs",
            ".github/ISSUE_TEMPLATE/bug.md",
            ".github/PULL_REQUEST_TEMPLATE.md",
            "config/git/x",
            "hooks/x",
            "src/hooks/useThing.ts",
            ".git/info/refs",
            ".git/BISECT_LOG",
            "Makefile",
            "build.rs",
            "setup.py",
            "conftest.py",
            "CMakeLists.txt",
            "Dockerfile",
            "docker-compose.yml",
            ".dockerignore",
            ".editorconfig",
            ".eslintrc.json",
            ".prettierrc",
            "tsconfig.json",
            "pyproject.toml",
            "Cargo.toml",
            "Cargo.lock",
            "go.mod",
            "pnpm-workspace.yaml",
            "build.gradle",
            "gradlew",
            ".gradle/8.5/checksums/checksums.lock",
            "model.pth",
            ".env.example",
            ".nvmrc",
            ".python-version",
            ".venv/pyvenv.cfg",
            ".pytest_cache/v/cache/lastfailed",
            "node_modules/.bin/tsc",
            "node_modules/a/.travis.yml",
            "node_modules/a/.github/workflows/ci.yml",
            "vendor/dep/.gitattributes",
            "vendor/dep/.cargo/config.toml",
            "docs/claude.md.txt",
            "src/agents.rs",
            "src/codex/mod.rs",
            "tools/bazel.py",
            "Grüße.txt",
            "写真/猫.png",
        ] {
            assert_eq!(by_path(Path::new(path)), BTreeSet::new(), "{path}");
        }
    }
}
