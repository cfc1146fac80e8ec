//! Which changes need a permit of their own: what makes somebody's next command, editor, agent or pipeline run what a
//! tool wrote.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::{Change, Node};

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
    /// A name with control characters, or one that is no text.
    StrangeName,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 11] = [
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
        }
    }
}

/// Names that mean the same wherever they stand. All lower-case: a file system may not tell cases apart.
const NAMES: &[(&str, Class)] = &[
    (".pre-commit-config.yaml", Class::RepositoryHook),
    ("lefthook.yml", Class::RepositoryHook),
    (".lefthook.yml", Class::RepositoryHook),
    (".overcommit.yml", Class::RepositoryHook),
    (".gitmodules", Class::RepositoryConfig),
    (".gitattributes", Class::RepositoryConfig),
    (".gitconfig", Class::RepositoryConfig),
    (".hgrc", Class::RepositoryConfig),
    (".gitlab-ci.yml", Class::Pipeline),
    (".travis.yml", Class::Pipeline),
    (".drone.yml", Class::Pipeline),
    (".woodpecker.yml", Class::Pipeline),
    (".appveyor.yml", Class::Pipeline),
    ("appveyor.yml", Class::Pipeline),
    ("azure-pipelines.yml", Class::Pipeline),
    ("bitbucket-pipelines.yml", Class::Pipeline),
    ("cloudbuild.yaml", Class::Pipeline),
    ("jenkinsfile", Class::Pipeline),
    (".mcp.json", Class::AgentConfig),
    ("mcp.json", Class::AgentConfig),
    ("opencode.json", Class::AgentConfig),
    (".claude.json", Class::AgentConfig),
    (".aider.conf.yml", Class::AgentConfig),
    (".devcontainer.json", Class::AgentConfig),
    (".dir-locals.el", Class::AgentConfig),
    (".exrc", Class::AgentConfig),
    (".nvimrc", Class::AgentConfig),
    (".nvim.lua", Class::AgentConfig),
    (".vimrc", Class::AgentConfig),
    (".cursorignore", Class::AgentConfig),
    ("claude.md", Class::Instructions),
    ("claude.local.md", Class::Instructions),
    ("agents.md", Class::Instructions),
    ("agents.override.md", Class::Instructions),
    ("agent.md", Class::Instructions),
    ("gemini.md", Class::Instructions),
    ("qwen.md", Class::Instructions),
    ("skill.md", Class::Instructions),
    ("copilot-instructions.md", Class::Instructions),
    (".cursorrules", Class::Instructions),
    (".windsurfrules", Class::Instructions),
    (".clinerules", Class::Instructions),
    (".goosehints", Class::Instructions),
    (".rules", Class::Instructions),
    (".bashrc", Class::ShellStart),
    (".bash_profile", Class::ShellStart),
    (".bash_login", Class::ShellStart),
    (".bash_logout", Class::ShellStart),
    (".bash_aliases", Class::ShellStart),
    (".profile", Class::ShellStart),
    (".zshrc", Class::ShellStart),
    (".zshenv", Class::ShellStart),
    (".zprofile", Class::ShellStart),
    (".zlogin", Class::ShellStart),
    (".zlogout", Class::ShellStart),
    (".kshrc", Class::ShellStart),
    (".cshrc", Class::ShellStart),
    (".tcshrc", Class::ShellStart),
    (".login", Class::ShellStart),
    (".inputrc", Class::ShellStart),
    (".envrc", Class::ShellStart),
    (".xprofile", Class::ShellStart),
    (".xinitrc", Class::ShellStart),
    (".xsession", Class::ShellStart),
    (".pam_environment", Class::ShellStart),
    (".netrc", Class::ToolConfig),
    (".npmrc", Class::ToolConfig),
    (".yarnrc", Class::ToolConfig),
    (".yarnrc.yml", Class::ToolConfig),
    (".pnpmfile.cjs", Class::ToolConfig),
    ("bunfig.toml", Class::ToolConfig),
    (".pypirc", Class::ToolConfig),
    ("pip.conf", Class::ToolConfig),
    ("sitecustomize.py", Class::ToolConfig),
    ("usercustomize.py", Class::ToolConfig),
    (".gdbinit", Class::ToolConfig),
    (".lldbinit", Class::ToolConfig),
    (".curlrc", Class::ToolConfig),
    (".wgetrc", Class::ToolConfig),
];

/// Folders all of whose contents mean the same, by the end of the path that leads to them.
const FOLDERS: &[(&[&str], Class)] = &[
    (&[".husky"], Class::RepositoryHook),
    (&[".githooks"], Class::RepositoryHook),
    (&[".hg"], Class::RepositoryConfig),
    (&[".svn"], Class::RepositoryConfig),
    (&[".config", "git"], Class::RepositoryConfig),
    (&[".github", "workflows"], Class::Pipeline),
    (&[".github", "actions"], Class::Pipeline),
    (&[".gitea", "workflows"], Class::Pipeline),
    (&[".forgejo", "workflows"], Class::Pipeline),
    (&[".circleci"], Class::Pipeline),
    (&[".buildkite"], Class::Pipeline),
    (&[".woodpecker"], Class::Pipeline),
    (&[".tekton"], Class::Pipeline),
    (&[".ci"], Class::Pipeline),
    (&[".claude"], Class::AgentConfig),
    (&[".codex"], Class::AgentConfig),
    (&[".gemini"], Class::AgentConfig),
    (&[".qwen"], Class::AgentConfig),
    (&[".cursor"], Class::AgentConfig),
    (&[".windsurf"], Class::AgentConfig),
    (&[".continue"], Class::AgentConfig),
    (&[".roo"], Class::AgentConfig),
    (&[".cline"], Class::AgentConfig),
    (&[".kiro"], Class::AgentConfig),
    (&[".opencode"], Class::AgentConfig),
    (&[".amazonq"], Class::AgentConfig),
    (&[".augment"], Class::AgentConfig),
    (&[".agents"], Class::AgentConfig),
    (&[".vscode"], Class::AgentConfig),
    (&[".idea"], Class::AgentConfig),
    (&[".zed"], Class::AgentConfig),
    (&[".helix"], Class::AgentConfig),
    (&[".vim"], Class::AgentConfig),
    (&[".devcontainer"], Class::AgentConfig),
    (&[".clinerules"], Class::Instructions),
    (&[".github", "instructions"], Class::Instructions),
    (&[".github", "prompts"], Class::Instructions),
    (&[".github", "chatmodes"], Class::Instructions),
    (&[".config", "fish"], Class::ShellStart),
    (&[".config", "autostart"], Class::ShellStart),
    (&[".config", "systemd"], Class::ShellStart),
    (&[".config", "environment.d"], Class::ShellStart),
    (&[".ssh"], Class::ShellStart),
    (&[".cargo"], Class::ToolConfig),
    (&[".mvn"], Class::ToolConfig),
    (&[".yarn"], Class::ToolConfig),
    (&[".bundle"], Class::ToolConfig),
];

/// What `git` itself writes into its folder when one works with it; all else there can name programs.
const GIT_DATA: &[&str] = &[
    "objects",
    "refs",
    "logs",
    "index",
    "index.lock",
    "head",
    "head.lock",
    "orig_head",
    "fetch_head",
    "merge_head",
    "merge_msg",
    "merge_mode",
    "commit_editmsg",
    "packed-refs",
    "packed-refs.lock",
    "shallow",
    "description",
    "auto_merge",
    "rebase-merge",
    "rebase-apply",
    "cherry_pick_head",
    "revert_head",
    "squash_msg",
];

/// Notes for each change what it is.
pub(super) fn classify(changes: &mut [Change]) {
    let bare = bare_repositories(changes);
    for change in changes {
        change.classes = by_path(&change.path);
        if change.path.parent().is_some_and(|parent| bare.contains(parent)) {
            change.classes.insert(Class::RepositoryConfig);
        }
        if change.path.ancestors().skip(1).any(|folder| {
            folder.file_name() == Some(OsStr::new("hooks")) && folder.parent().is_some_and(|above| bare.contains(above))
        }) {
            change.classes.insert(Class::RepositoryHook);
        }
        match &change.after {
            Some(Node::Link { target }) if leads_out(&change.path, target) => {
                change.classes.insert(Class::OutwardLink);
            }
            Some(Node::File { mode, .. } | Node::Folder { mode }) if mode & 0o6000 != 0 => {
                change.classes.insert(Class::SetId);
            }
            Some(Node::Special { .. }) => {
                change.classes.insert(Class::SpecialNode);
            }
            Some(Node::Link { .. } | Node::File { .. } | Node::Folder { .. }) | None => {}
        }
    }
}

/// Folders that `git` would take for a repository though they are not called `.git`: with a `HEAD` among the changes,
/// and `config`, `objects` or `refs`. Whoever runs `git` below one runs what its configuration names.
fn bare_repositories(changes: &[Change]) -> BTreeSet<PathBuf> {
    let named = |change: &Change, name: &str| {
        change.path.file_name().is_some_and(|own| own.eq_ignore_ascii_case(name)) && change.after.is_some()
    };
    let parents = |name: &'static str| {
        changes.iter().filter(move |change| named(change, name)).filter_map(|change| change.path.parent())
    };
    let marks: BTreeSet<&Path> = ["config", "objects", "refs"].into_iter().flat_map(parents).collect();
    parents("HEAD").filter(|parent| marks.contains(parent) && !is_git(parent)).map(Path::to_owned).collect()
}

fn is_git(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(".git"))
}

fn by_path(path: &Path) -> BTreeSet<Class> {
    let mut classes = BTreeSet::new();
    let mut names = Vec::new();
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        match name.to_str() {
            Some(text) if !text.chars().any(char::is_control) => names.push(folded(text)),
            _ => {
                classes.insert(Class::StrangeName);
                names.push(folded(&name.to_string_lossy()));
            }
        }
    }
    for (index, name) in names.iter().enumerate() {
        let below = names.get(index + 1..).unwrap_or_default();
        classes.extend(NAMES.iter().filter(|(known, _)| known == name).map(|(_, class)| *class));
        let up_to_here = names.get(..=index).unwrap_or_default();
        let ends_with = |folder: &[&str]| {
            let tail = up_to_here.len().checked_sub(folder.len()).and_then(|from| up_to_here.get(from..));
            tail.is_some_and(|tail| tail.iter().zip(folder).all(|(here, known)| here == known))
        };
        classes.extend(FOLDERS.iter().filter(|(folder, _)| ends_with(folder)).map(|(_, class)| *class));
        if name == ".git" {
            classes.extend(in_git(below));
        }
    }
    classes
}

/// In lower case, and without what some file systems ignore: dots and spaces at the end, and characters that do not
/// show.
fn folded(name: &str) -> String {
    let visible: String = callgate_text::reveal(name).map_or_else(
        || name.to_owned(),
        |_| name.chars().filter(|character| callgate_text::reveal(&character.to_string()).is_none()).collect(),
    );
    let trimmed = visible.trim_end_matches(['.', ' ']);
    let kept = if trimmed.is_empty() { &visible } else { trimmed };
    kept.to_lowercase()
}

/// What a path below a `.git` is. The folder itself appearing, or a file in its place that points elsewhere, is
/// configuration, too.
fn in_git(below: &[String]) -> Option<Class> {
    match below.first().map(String::as_str) {
        None => Some(Class::RepositoryConfig),
        Some("hooks") => Some(Class::RepositoryHook),
        // A rebase keeps a list of what it will run.
        Some("rebase-merge" | "rebase-apply") => Some(Class::RepositoryConfig),
        Some(name) if GIT_DATA.contains(&name) => None,
        Some(_) => Some(Class::RepositoryConfig),
    }
}

/// Whether a link at `path` with this target leads out of the folder. Only names are looked at: a link over another
/// link is judged where that one is.
fn leads_out(path: &Path, target: &Path) -> bool {
    if target.is_absolute() {
        return true;
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    false
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
            ".github/CODEOWNERS",
            "config/git/x",
            "hooks/x",
        ] {
            assert_eq!(by_path(Path::new(path)), BTreeSet::new(), "{path}");
        }
    }

    #[test]
    fn links_out_are_seen_by_their_words() {
        for (path, target, out) in [
            ("a", "b", false),
            ("a/b", "../c", false),
            ("a/b", "../../c", true),
            ("a", "/etc", true),
            ("a/b/c", "../../../x", true),
            ("a/b/c", "./../../x", false),
            ("a", "b/../../c", true),
        ] {
            assert_eq!(leads_out(Path::new(path), Path::new(target)), out, "{path} → {target}");
        }
    }
}
