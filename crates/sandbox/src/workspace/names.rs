//! Which names mean something to a program that starts by itself: the tables, and what two spellings of one name are.
//!
//! All names stand here in lower case and in their plainest form: a path is brought to that form before it is looked
//! up, since a file system may not tell spellings apart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::Class;

/// Names that mean the same wherever they stand. Among the pipelines are the files that say who approves what, and what
/// is changed and merged without anybody.
const NAMES: &[(Class, &str)] = &[
    (
        Class::RepositoryHook,
        ".pre-commit-config.yaml .pre-commit-config.yml .pre-commit-hooks.yaml .overcommit.yml captainhook.json \
         .captainhook.json grumphp.yml grumphp.yml.dist .simple-git-hooks.json simple-git-hooks.json .rusty-hook.toml \
         prek.toml",
    ),
    (Class::RepositoryConfig, ".gitmodules .gitattributes .gitconfig .lfsconfig .gitreview .hgrc .hgsub"),
    (
        Class::Pipeline,
        ".gitlab-ci.yml .gitlab-ci.yaml .travis.yml .travis.yaml .drone.yml .drone.yaml .drone.jsonnet .drone.star \
         .woodpecker.yml .woodpecker.yaml .appveyor.yml appveyor.yml bitbucket-pipelines.yml cloudbuild.yaml \
         cloudbuild.yml cloudbuild.json buildspec.yml buildspec.yaml jenkinsfile .cirrus.yml .cirrus.star \
         .buildkite.yml circle.yml codeship-services.yml codeship-steps.yml .build.yml .onedev-buildspec.yml \
         wercker.yml shippable.yml codemagic.yaml bitrise.yml .zuul.yaml zuul.yaml .packit.yaml .readthedocs.yml \
         .readthedocs.yaml .vsts-ci.yml .gocd.yaml buildkite.yml codeowners dependabot.yml dependabot.yaml \
         renovate.json renovate.json5 .renovaterc .renovaterc.json .renovaterc.json5 .mergify.yml .kodiak.toml \
         bors.toml",
    ),
    (
        Class::AgentConfig,
        ".mcp.json mcp.json .mcp.jsonc mcp_config.json mcp_settings.json claude_desktop_config.json opencode.json \
         opencode.jsonc .opencode.json crush.json .crush.json .claude.json .claudeignore .geminiignore .aiignore \
         .aiexclude .aiderignore .aider.conf.yml .aider.conf.yaml .aider.model.settings.yml \
         .aider.model.metadata.json .continuerc.json .cursorignore .cursorindexingignore .codeiumignore .rooignore \
         .clineignore .kilocodeignore .augmentignore .roomodes .kilocodemodes .devcontainer.json devcontainer.json \
         devfile.yaml .devfile.yaml .gitpod.yml .gitpod.dockerfile .replit .stackblitzrc .dir-locals.el \
         .dir-locals-2.el .emacs .exrc _exrc .nvimrc .nvim.lua .lazy.lua .vimrc _vimrc .gvimrc _gvimrc .lvimrc \
         .local.vimrc .kakrc",
    ),
    (
        Class::Instructions,
        "claude.md claude.local.md agents.md agents.local.md agents.override.md agent.md .agent.md gemini.md qwen.md \
         codex.md crush.md crush.local.md opencode.md warp.md skill.md soul.md heartbeat.md airules.md replit.md \
         copilot-instructions.md .cursorrules .windsurfrules .clinerules .roorules .kilocoderules .continuerules \
         .goosehints .goosehints.local .augment-guidelines .openhands_instructions .voidrules .agentrules .rules",
    ),
    (
        Class::ShellStart,
        ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .bash_completion .profile .zshrc .zshenv \
         .zprofile .zlogin .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .shrc .xonshrc .inputrc .editrc \
         .envrc .direnvrc .xprofile .xinitrc .xserverrc .xsession .xsessionrc .pam_environment .login_conf .tmux.conf \
         .screenrc .lessfilter .lesskey .rhosts .shosts .k5login .forward .procmailrc .mailcap .rtx.toml mise.toml \
         .mise.toml",
    ),
    (
        Class::ToolConfig,
        ".netrc _netrc .git-credentials .npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs .pnpmfile.mjs bunfig.toml \
         .bunfig.toml .pypirc pip.conf pip.ini uv.toml sitecustomize.py usercustomize.py .pythonrc .pythonrc.py \
         .pdbrc .gdbinit .lldbinit .radare2rc .curlrc _curlrc .wgetrc .tool-versions rust-toolchain \
         rust-toolchain.toml .bazelrc .bazeliskrc .bazelversion .buckconfig .pants.rc .sbtopts .jvmopts .ghci .irbrc \
         .pryrc .iex.exs .erlang .rprofile .renviron .octaverc .proverc .gemrc .condarc .mambarc .psqlrc .sqliterc \
         .my.cnf .terraformrc terraform.rc nuget.config .msmtprc .ackrc",
    ),
];

/// Names that begin and end so.
const PATTERNS: &[(&str, &str, Class)] = &[
    ("lefthook.", "", Class::RepositoryHook),
    (".lefthook.", "", Class::RepositoryHook),
    ("lefthook-local.", "", Class::RepositoryHook),
    (".lefthook-local.", "", Class::RepositoryHook),
    (".huskyrc", "", Class::RepositoryHook),
    ("husky.config.", "", Class::RepositoryHook),
    (".simple-git-hooks.", "", Class::RepositoryHook),
    ("simple-git-hooks.", "", Class::RepositoryHook),
    // What a hook that is there will run.
    (".lintstagedrc", "", Class::RepositoryHook),
    ("lint-staged.config.", "", Class::RepositoryHook),
    ("jenkinsfile.", "", Class::Pipeline),
    ("", ".jenkinsfile", Class::Pipeline),
    ("", ".gitlab-ci.yml", Class::Pipeline),
    ("", ".gitlab-ci.yaml", Class::Pipeline),
    ("azure-pipelines", ".yml", Class::Pipeline),
    ("azure-pipelines", ".yaml", Class::Pipeline),
    (".azure-pipelines", ".yml", Class::Pipeline),
    (".azure-pipelines", ".yaml", Class::Pipeline),
    ("", ".code-workspace", Class::AgentConfig),
    ("", ".sublime-project", Class::AgentConfig),
    ("", ".sublime-workspace", Class::AgentConfig),
    (".clinerules-", "", Class::Instructions),
    (".roorules-", "", Class::Instructions),
    (".kilocoderules-", "", Class::Instructions),
    ("mise.", ".toml", Class::ShellStart),
    (".mise.", ".toml", Class::ShellStart),
];

/// Folders all of whose contents mean the same, by the end of the path that leads to them.
const FOLDERS: &[(Class, &str)] = &[
    (
        Class::RepositoryHook,
        ".husky .githooks .git-hooks .git_hooks githooks git-hooks .lefthook .lefthook-local .cargo-husky \
         .git_template .git-template",
    ),
    (Class::RepositoryConfig, ".hg .svn .jj .sl .bzr _darcs .config/git .config/jj .subversion"),
    (
        Class::Pipeline,
        ".github/workflows .github/actions .gitea/workflows .gitea/actions .forgejo/workflows .forgejo/actions \
         .gitlab-ci .gitlab/ci .gitlab/agents .circleci .buildkite .woodpecker .tekton .ci .jenkins .teamcity \
         bamboo-specs .semaphore .builds .harness .drone .azure-pipelines .azuredevops .pipelines .zuul.d zuul.d",
    ),
    (
        Class::AgentConfig,
        ".claude .claude-plugin .codex .gemini .qwen .cursor .windsurf .codeium .continue .roo .kilocode .cline .kiro \
         .opencode .crush .goose .amazonq .augment .agents .agent .amp .junie .trae .factory .openhands .devin .cody \
         .tabnine .aiassistant .copilot .mcp .warp .aider .github/agents .github/hooks .github/copilot .vscode \
         .vscode-server .vs .idea .run .fleet .zed .helix .vim .nvim .emacs.d .theia .nova .externaltoolbuilders \
         .devcontainer .gitpod .idx .codesandbox xcshareddata xcuserdata .config/nvim .config/zed .config/helix \
         .config/emacs .config/code .config/opencode .config/callgate .local/state/callgate .config/goose",
    ),
    (
        Class::Instructions,
        ".clinerules .roorules .github/instructions .github/prompts .github/chatmodes .github/skills",
    ),
    (
        Class::ShellStart,
        ".config/fish .config/nushell .config/powershell .config/xonsh .config/direnv .config/mise .mise \
         .config/autostart .config/systemd .config/environment.d .config/plasma-workspace .config/tmux .bashrc.d \
         .oh-my-zsh .local/share/systemd .local/share/applications library/launchagents library/launchdaemons .ssh \
         .gnupg",
    ),
    (
        Class::ToolConfig,
        ".cargo .mvn .m2 .yarn .bundle .pip .config/pip .config/uv gradle/wrapper .gradle/init.d .gradle/init.gradle \
         tools/bazel .buckconfig.d .docker/config.json .kube/config .aws/config .aws/credentials .azure/config \
         .config/gcloud .ipython",
    ),
];

/// Folders of what others wrote. Nothing looks for a pipeline, a hook or a tool's settings in there.
const DEPENDENCIES: &[&str] = &["node_modules", "vendor", "site-packages"];

/// The classes of a path whose `names` are [`folded`], by the tables alone.
pub(super) fn by_names(names: &[String]) -> impl Iterator<Item = Class> {
    let mut classes = Vec::new();
    let mut vendored = false;
    for (index, name) in names.iter().enumerate() {
        let known = table().get(name.as_str()).copied();
        let patterns = PATTERNS.iter().filter(|(start, end, _)| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        });
        let up_to_here = names.get(..=index).unwrap_or_default();
        let found = known.into_iter().chain(patterns.map(|(_, _, class)| *class)).chain(by_folder(up_to_here));
        // `sitecustomize.py` is looked for there.
        classes.extend(found.filter(|class| !vendored || !is_deaf(*class) || name.ends_with("customize.py")));
        vendored |= DEPENDENCIES.contains(&name.as_str());
    }
    classes.into_iter()
}

/// Whether this class is about something that only works where work is done, and not among what others wrote.
fn is_deaf(class: Class) -> bool {
    matches!(class, Class::RepositoryHook | Class::RepositoryConfig | Class::Pipeline | Class::ToolConfig)
}

fn by_folder(names: &[String]) -> impl Iterator<Item = Class> {
    let ends = names.last().and_then(|last| folders().get(last.as_str())).into_iter().flatten();
    ends.filter_map(|(class, folder)| {
        let tail = names.len().checked_sub(folder.len()).and_then(|from| names.get(from..));
        tail.is_some_and(|tail| tail.iter().zip(folder).all(|(here, known)| here == known)).then_some(*class)
    })
}

fn table() -> &'static BTreeMap<&'static str, Class> {
    static TABLE: OnceLock<BTreeMap<&str, Class>> = OnceLock::new();
    TABLE.get_or_init(|| {
        NAMES.iter().flat_map(|(class, names)| names.split_whitespace().map(move |name| (name, *class))).collect()
    })
}

/// Folders by the last of their names.
type Folders = BTreeMap<&'static str, Vec<(Class, Vec<&'static str>)>>;

fn folders() -> &'static Folders {
    static TABLE: OnceLock<Folders> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Folders::new();
        for (class, folders) in FOLDERS {
            for folder in folders.split_whitespace() {
                let names: Vec<&str> = folder.split('/').collect();
                table.entry(names.last().copied().unwrap_or_default()).or_default().push((*class, names));
            }
        }
        table
    })
}

/// Of folders of the table that begin where `names` end: their class, and what is missing. By a link of that name,
/// another folder becomes one of them.
pub(super) fn begun(names: &[String]) -> impl Iterator<Item = (Class, PathBuf)> {
    folders().values().flatten().filter_map(|(class, folder)| {
        (1..folder.len()).find_map(|length| {
            let (start, rest) = folder.split_at(length);
            let tail = names.len().checked_sub(length).and_then(|from| names.get(from..))?;
            tail.iter().zip(start).all(|(here, known)| here == known).then(|| (*class, rest.iter().collect()))
        })
    })
}

/// Whether this is the first name of a folder of the table: where links are worth a look.
pub(super) fn leads_somewhere(name: &str) -> bool {
    folders().values().flatten().any(|(_, folder)| folder.first() == Some(&name))
}

/// The plainest form of a name: what a file system that does not tell spellings apart may take it for.
///
/// Case is folded in full (`ſ` is an `s`, the sign for kelvin a `k`, `ﬁ` two letters), and what some file systems
/// ignore is left out: characters that do not show, dots and spaces at the end, a stream's name behind a colon, and the
/// short form of `.git`.
pub(super) fn folded(name: &str) -> String {
    let visible = name.chars().filter(|character| callgate_text::reveal(character.encode_utf8(&mut [0; 4])).is_none());
    let upper: String = visible.flat_map(char::to_uppercase).collect();
    let lower = upper.to_lowercase();
    let file = lower.split(':').next().unwrap_or_default();
    let trimmed = file.trim_end_matches(['.', ' ']);
    let short = trimmed.strip_prefix("git~").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    match (short, trimmed.is_empty()) {
        (true, _) => ".git".to_owned(),
        (false, true) => lower,
        (false, false) => trimmed.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_found() {
        let mut seen = BTreeMap::new();
        let plain = |name: &str| assert_eq!(folded(name), name, "an entry that no name is folded to");
        for (class, names) in NAMES {
            for name in names.split_whitespace() {
                plain(name);
                assert_eq!(seen.insert(name, *class), None, "`{name}` stands there twice");
            }
        }
        for (_, folders) in FOLDERS {
            folders.split_whitespace().flat_map(|folder| folder.split('/')).for_each(plain);
        }
        DEPENDENCIES.iter().for_each(|name| plain(name));
    }

    proptest::proptest! {
        /// Case, what does not show, and what is ignored at the end change nothing.
        #[test]
        fn a_name_is_known_however_it_is_spelled(
            pick in 0..1000_usize, upper in proptest::collection::vec(proptest::bool::ANY, 40),
            hidden in 0..40_usize, end in "[. ]{0,3}",
        ) {
            let all: Vec<&str> = table().keys().copied().collect();
            let name = all[pick % all.len()];
            let mut spelled: String = name
                .chars()
                .zip(&upper)
                .map(|(character, upper)| if *upper { character.to_ascii_uppercase() } else { character })
                .collect();
            spelled.insert(hidden % (name.len() + 1), '\u{200b}');
            assert_eq!(folded(&format!("{spelled}{end}")), name);
        }

        #[test]
        fn no_name_makes_it_panic(name in "\\PC*") {
            let _ = folded(&name);
            let _ = by_names(&[folded(&name)]).count();
        }
    }

    #[test]
    fn spellings_of_one_name_are_one() {
        for (spelled, name) in [
            (".GIT", ".git"),
            (".git.", ".git"),
            (".git . .", ".git"),
            (".gi\u{200b}t", ".git"),
            (".g\u{200c}it", ".git"),
            (".git::$INDEX_ALLOCATION", ".git"),
            ("GIT~1", ".git"),
            (".hu\u{17f}ky", ".husky"),
            (".v\u{17f}code", ".vscode"),
            ("CLAUDE.MD", "claude.md"),
            ("s\u{212a}ill.md", "skill.md"),
            (".gitcon\u{fb01}g", ".gitconfig"),
            ("g\u{131}thooks", "githooks"),
            ("...", "..."),
            (".", "."),
        ] {
            assert_eq!(folded(spelled), name, "{spelled:?}");
        }
        for other in [".gitx", "git", "git~x", ".git~1", "claude-md"] {
            assert!(folded(other) != ".git" && folded(other) != "claude.md", "{other}");
        }
    }
}
