//! Variables that make other programs of programs.

use super::super::walk::{Act, Walker, Way};
use super::super::{Argument, Dynamic, Effect, cwd};

/// Their value is a command that some program runs.
const COMMANDS: &[&str] = &[
    "PAGER",
    "GIT_PAGER",
    "MANPAGER",
    "EDITOR",
    "VISUAL",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "GIT_PROXY_COMMAND",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "PROMPT_COMMAND",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC",
    "RUSTDOC",
    "CC",
    "CXX",
    "LD",
    "AR",
    "CPP",
    "MAKE",
    "RSYNC_RSH",
    "CVS_RSH",
    "SVN_EDITOR",
    "HGEDITOR",
    "KUBE_EDITOR",
    "SYSTEMD_EDITOR",
    "SYSTEMD_PAGER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "FCEDIT",
    "AWS_PAGER",
    "GH_PAGER",
    "BAT_PAGER",
    "DELTA_PAGER",
    "TAR",
    "FZF_DEFAULT_COMMAND",
    "GH_BROWSER",
    "GH_EDITOR",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "CARGO",
    "SUDO_EDITOR",
];

/// Whatever they hold turns programs, or the shell itself, into something else.
const TURNS: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "LD_DEBUG_OUTPUT",
    "BASH_ENV",
    "ENV",
    "ZDOTDIR",
    "PS0",
    "PS1",
    "PS4",
    "SHELLOPTS",
    "BASHOPTS",
    "PYTHONSTARTUP",
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PERL5OPT",
    "PERL5DB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "GIT_EXEC_PATH",
    "GIT_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_TEMPLATE_DIR",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "HOSTALIASES",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_DIRS",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONFIG_FILE",
    "UV_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "NPM_CONFIG_SCRIPT_SHELL",
    "npm_config_script_shell",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "GIT_SSL_NO_VERIFY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "GOPROXY",
    "GOFLAGS",
    "GONOSUMDB",
    "GONOSUMCHECK",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "MAKEFLAGS",
    "GNUMAKEFLAGS",
    "CDPATH",
    "GLOBIGNORE",
    "FIGNORE",
    "HISTFILE",
    "TERMINFO",
    "TERMCAP",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "LUA_INIT",
    "R_PROFILE",
    "R_PROFILE_USER",
    "VIMINIT",
    "EXINIT",
    "GDBHISTFILE",
    "INPUTRC",
    "PGSERVICEFILE",
    "DOCKER_CONFIG",
    "BASH_LOADABLES_PATH",
];

/// Directories in which programs look for code.
const SEARCHED: &[&str] = &[
    "PYTHONPATH",
    "NODE_PATH",
    "PERL5LIB",
    "PERLLIB",
    "RUBYLIB",
    "GEM_PATH",
    "GEM_HOME",
    "CLASSPATH",
    "LUA_PATH",
    "LUA_CPATH",
];

/// Below a home directory, where people have their own programs.
const OWN: &[&str] = &[
    ".cargo/bin",
    ".local/bin",
    "go/bin",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".volta",
    ".bun/bin",
    ".deno/bin",
    ".npm-global/bin",
    ".yarn/bin",
    ".asdf",
    ".sdkman",
    ".poetry/bin",
    ".local/share/pnpm",
    ".fnm",
    ".krew/bin",
    ".dotnet",
];

pub(super) fn note(walker: &mut Walker<'_>, name: &str, value: &Argument, append: bool, act: &mut Act) {
    let empty = value.known() == Some("");
    if name == "PATH" {
        search_path(walker, value, append, act);
    } else if COMMANDS.contains(&name) {
        if !empty {
            let text = value.known().map(|text| text.trim_start_matches('|').replace("%s", ""));
            let script = text.map_or_else(|| value.clone(), Argument::literal);
            act.script(name, script, false);
        }
    } else if name == "NODE_OPTIONS" {
        let sharp = ["--require", "-r", "--import", "--loader", "--experimental-loader", "--inspect"];
        let words = || value.text().split(|letter: char| letter.is_whitespace() || letter == '=');
        if value.is_unknown() || words().any(|word| sharp.contains(&word)) {
            act.effects(&[Effect::Hijacks, Effect::Executes]);
        }
    } else if SEARCHED.contains(&name) {
        for directory in value.text().split(':').filter(|directory| !directory.is_empty()) {
            walker.run_file(&Argument::literal(directory), act);
        }
    } else if TURNS.contains(&name) || name.starts_with("BASH_FUNC_") || name.starts_with("GIT_CONFIG_") {
        if !empty {
            act.effect(Effect::Hijacks);
            if value.text().contains('/') {
                walker.path(value, Way::Reads, act);
            }
        }
    } else if name == "HOME" && act.command.argv.is_empty() {
        act.effect(Effect::Hijacks);
    }
}

/// Directories that come to stand before those of the system.
fn search_path(walker: &mut Walker<'_>, value: &Argument, append: bool, act: &mut Act) {
    if append {
        return;
    }
    let text = if value.is_unknown() { value.prefix() } else { value.text() };
    let mut sharp = false;
    for directory in text.split(':') {
        if directory.is_empty() && value.is_unknown() {
            continue;
        }
        let directory = if directory.is_empty() { "." } else { directory };
        if is_ordinary(walker, directory) {
            continue;
        }
        let (paths, _) = walker.scope.cwd().resolve(&Argument::literal(directory));
        let inside = |path: &String| walker.scope.cwd().only().is_some_and(|cwd| cwd::is_inside(path, cwd));
        if !directory.is_empty() && directory != "." && paths.iter().all(inside) && !paths.is_empty() {
            act.effect(Effect::Executes);
            act.command.reads.extend(paths);
        } else {
            sharp = true;
            act.command.reads.extend(paths);
        }
    }
    // `PATH=$evil:$PATH`: what stands first is not known at all, unless it is the path as it was.
    if value.is_unknown() && value.prefix().is_empty() && !value.text().is_empty() && !value.text().starts_with(':') {
        sharp = true;
    }
    if sharp {
        act.effect(Effect::Hijacks);
        if act.command.argv.is_empty() {
            walker.scope.hijack();
        } else {
            act.dynamic(Dynamic::Redefined);
        }
    }
}

fn is_ordinary(walker: &Walker<'_>, directory: &str) -> bool {
    let system =
        ["/usr", "/bin", "/sbin", "/opt", "/snap/bin", "/nix", "/run/current-system", "/Library", "/Applications"];
    let path = cwd::normal(directory, "/");
    if !directory.starts_with('/') {
        return false;
    }
    if system.iter().any(|place| cwd::is_inside(&path, place)) {
        return true;
    }
    let own = path.strip_prefix(&walker.home).and_then(|rest| rest.strip_prefix('/'));
    own.is_some_and(|own| OWN.iter().any(|place| own.starts_with(place)))
}
