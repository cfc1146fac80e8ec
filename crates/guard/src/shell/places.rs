//! Places that mean something: where credentials lie, what runs by itself, what is the system's.

use super::Effect;
use super::cwd::is_inside;
use super::walk::{Act, Way};

/// Below a home directory: what holds credentials.
const SECRET_HOME: &[&str] = &[
    ".ssh",
    ".aws",
    ".gnupg",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".kube/config",
    ".kube",
    ".docker/config.json",
    ".config/gcloud",
    ".config/gh",
    ".config/hub",
    ".config/glab-cli",
    ".config/git/credentials",
    ".config/op",
    ".config/doctl",
    ".config/rclone",
    ".azure",
    ".oci",
    ".terraform.d/credentials.tfrc.json",
    ".terraformrc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".vault-token",
    ".config/google-chrome",
    ".config/chromium",
    ".mozilla",
    "Library/Keychains",
    "Library/Application Support/Google/Chrome",
    "Library/Cookies",
    ".local/share/keyrings",
    ".password-store",
    ".bitcoin",
    ".ethereum",
    ".electrum",
    ".claude/.credentials.json",
    ".claude.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".mysql_history",
    ".fly/config.yml",
    ".netlify/config.json",
    ".databrickscfg",
    ".snowflake",
    ".boto",
    ".s3cfg",
    ".config/heroku",
    ".authinfo",
    ".authinfo.gpg",
    ".gitlab-runner",
    ".step",
    ".sops",
    ".config/sops/age",
];

/// Anywhere: names of files that hold credentials; `*` stands for anything.
const SECRET_NAMES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ed25519_sk",
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    ".htpasswd",
    ".netrc",
    ".pypirc",
    ".git-credentials",
    "credentials.json",
    "service-account*.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "terraform.tfstate",
    "kubeconfig",
    "*.ovpn",
    ".pgpass",
    "master.key",
    "wallet.dat",
    "token.json",
    ".vault_pass",
];

/// Names that look like the above and hold none.
const HARMLESS_NAMES: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env.defaults",
    "*.pub",
    "known_hosts",
    "cacert.pem",
    "ca.pem",
    "ca-certificates.crt",
    ".env.test",
    "*.pub.pem",
];

/// Absolute: what holds credentials.
const SECRET_ROOT: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/ssh",
    "/etc/krb5.keytab",
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/run/secrets",
    "/var/run/secrets",
    "/etc/docker/key.json",
    "/etc/NetworkManager/system-connections",
    "/etc/wpa_supplicant",
    "/var/lib/docker",
    "/private/etc/master.passwd",
    "/etc/security/opasswd",
    "/dev/mem",
    "/proc/kcore",
    "/etc/letsencrypt",
    "/root/.ssh",
    "/etc/passwd-",
];

/// Below a home directory: what runs by itself, or decides what runs.
const START_HOME: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".config/fish",
    ".config/autostart",
    ".config/systemd",
    ".local/share/systemd",
    ".config/environment.d",
    ".pam_environment",
    ".xinitrc",
    ".xsession",
    ".xprofile",
    ".Xresources",
    ".inputrc",
    ".ssh",
    ".gitconfig",
    ".config/git",
    ".vimrc",
    ".vim",
    ".config/nvim",
    ".emacs",
    ".emacs.d",
    ".tmux.conf",
    ".screenrc",
    ".gdbinit",
    ".lldbinit",
    ".pythonrc",
    ".config/pip",
    ".pip",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".cargo/config",
    ".cargo/config.toml",
    ".cargo/bin",
    ".local/bin",
    "bin",
    ".bin",
    ".config/gtk-3.0",
    "Library/LaunchAgents",
    "Library/LaunchDaemons",
    ".claude",
    ".codex",
    ".gemini",
    ".cursor",
    ".config/claude",
    ".mcp.json",
    ".irbrc",
    ".perltidyrc",
    ".Rprofile",
    ".config/direnv",
    ".direnvrc",
    ".envrc",
    ".local/lib/python",
    ".gnupg",
    ".aws",
    ".kube",
    ".docker",
    ".config/code",
    ".vscode",
    ".vscode-server",
    ".ipython",
    ".jupyter",
    ".local/share/applications",
];

/// Absolute: what runs by itself, or decides what runs.
const START_ROOT: &[&str] = &[
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/crontab",
    "/var/spool/cron",
    "/etc/systemd",
    "/lib/systemd",
    "/usr/lib/systemd",
    "/usr/local/lib/systemd",
    "/run/systemd",
    "/etc/init.d",
    "/etc/rc.local",
    "/etc/rc.d",
    "/etc/init",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh",
    "/etc/environment",
    "/etc/ld.so.preload",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/pam.d",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/ssh",
    "/etc/modules",
    "/etc/modules-load.d",
    "/etc/modprobe.d",
    "/etc/udev",
    "/etc/xdg/autostart",
    "/etc/apt/apt.conf.d",
    "/etc/gitconfig",
    "/etc/update-motd.d",
    "/etc/NetworkManager/dispatcher.d",
    "/etc/logrotate.d",
    "/Library/LaunchAgents",
    "/Library/LaunchDaemons",
    "/etc/at.allow",
    "/etc/anacrontab",
    "/etc/inittab",
    "/etc/hosts.equiv",
    "/root/.ssh",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/etc/security",
    "/etc/dbus-1",
    "/etc/polkit-1",
];

/// Inside any directory: what other programs run.
const START_INSIDE: &[&str] = &[
    "/.git/hooks",
    "/.git/config",
    "/.husky",
    "/.claude/settings.json",
    "/.claude/settings.local.json",
    "/.claude/hooks",
    "/.mcp.json",
    "/.envrc",
    "/.vscode/tasks.json",
    "/.vscode/settings.json",
    "/.cursor/mcp.json",
    "/.gitmodules",
    "/.git/modules",
    "/.codex/config.toml",
    "/.gemini/settings.json",
];

/// What is the system's.
const SYSTEM: &[&str] = &[
    "/etc",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/boot",
    "/sys",
    "/proc",
    "/dev",
    "/System",
    "/Library",
    "/efi",
    "/private/etc",
];

/// Adds the effects that follow from reading, writing or deleting `path`.
pub(super) fn note(path: &str, way: Way, home: &str, act: &mut Act) {
    let own = below_home(path, home);
    match way {
        Way::Reads => {
            if is_secret(path, own) {
                act.effect(Effect::ReadsCredentials);
            }
        }
        Way::Writes => {
            let start = own.is_some_and(|own| START_HOME.iter().any(|place| is_below(own, place)))
                || START_ROOT.iter().any(|place| is_at(path, place))
                || START_INSIDE.iter().any(|place| contains(path, place));
            if start {
                act.effect(Effect::Persists);
            }
            if SYSTEM.iter().any(|place| is_inside(path, place)) {
                act.effect(Effect::ChangesSystem);
            }
            if is_disk(path) {
                act.effect(Effect::Destroys);
            }
        }
        Way::Deletes => {
            if contains(path, "/.git") {
                act.effect(Effect::RewritesHistory);
            }
            if SYSTEM.iter().any(|place| is_inside(path, place)) {
                act.effect(Effect::ChangesSystem);
            }
        }
    }
}

/// Whether `path`, read with everything in it, has credentials in it.
pub(super) fn holds_credentials(path: &str, home: &str) -> bool {
    let plain = path.trim_end_matches("/*");
    let plain = if plain.is_empty() { "/" } else { plain };
    is_inside(home, plain)
        || matches!(plain, "/home" | "/Users" | "/root" | "/etc" | "/var/lib" | "/run" | "/proc")
        || below_home(path, home) == Some("")
        || below_home(plain, home) == Some(".config")
}

fn is_secret(path: &str, own: Option<&str>) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name == "config" && own == Some(".ssh/config") {
        return false;
    }
    if HARMLESS_NAMES.iter().any(|pattern| !has_glob(name) && matches(pattern, name)) {
        return false;
    }
    if own.is_some_and(|own| SECRET_HOME.iter().any(|place| is_below(own, place))) {
        return true;
    }
    if SECRET_ROOT.iter().any(|place| is_at(path, place)) {
        return true;
    }
    if let Some(rest) = path.strip_prefix("/proc/") {
        let mut parts = rest.split('/').skip(1);
        if matches!(parts.next(), Some("environ" | "mem" | "maps" | "root" | "fd"))
            && rest.split('/').next() != Some("self")
        {
            return true;
        }
        if rest.ends_with("/environ") {
            return true;
        }
    }
    let all = name.bytes().all(|byte| matches!(byte, b'*' | b'?'));
    SECRET_NAMES
        .iter()
        .any(|pattern| if has_glob(name) { !all && meets(name, pattern) } else { matches(pattern, name) })
}

/// The part of `path` below some home directory.
fn below_home<'p>(path: &'p str, home: &str) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix(home).filter(|_| home != "/") {
        return match rest.strip_prefix('/') {
            Some(rest) => Some(rest),
            None => rest.is_empty().then_some(""),
        };
    }
    for homes in ["/home/", "/Users/"] {
        if let Some(rest) = path.strip_prefix(homes) {
            return Some(rest.split_once('/').map_or("", |(_, rest)| rest));
        }
    }
    if let Some(rest) = path.strip_prefix("/root") {
        return rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""));
    }
    path.strip_prefix("/~").map(|rest| rest.split_once('/').map_or("", |(_, rest)| rest))
}

/// Whether `path` is `place` or in it; a glob is if it could match.
fn is_below(path: &str, place: &str) -> bool {
    let mut components = path.split('/');
    for wanted in place.split('/') {
        match components.next() {
            Some(component) if component == wanted => {}
            Some(component) if has_glob(component) => return matches(component, wanted),
            _ => return false,
        }
    }
    true
}

fn is_at(path: &str, place: &str) -> bool {
    is_below(path.trim_start_matches('/'), place.trim_start_matches('/'))
}

/// Whether `/a/b` stands somewhere in `path` as whole components.
fn contains(path: &str, place: &str) -> bool {
    path.match_indices(place).any(|(at, _)| {
        let rest = path.get(at + place.len()..).unwrap_or_default();
        rest.is_empty() || rest.starts_with('/')
    })
}

fn is_disk(path: &str) -> bool {
    let Some(device) = path.strip_prefix("/dev/") else { return false };
    ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "dm-", "md", "mapper/", "loop"]
        .iter()
        .any(|kind| device.starts_with(kind))
}

fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether the glob `pattern` matches `text`. Brackets match any one character: what is asked is whether it could.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where the last star was, and how much of the text it had taken.
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        let (step, fits) = match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
                continue;
            }
            Some('?') => (1, true),
            Some('[') => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                (rest.iter().position(|letter| *letter == ']').map_or(1, |end| end + 2), true)
            }
            Some(letter) => (1, text.get(place) == Some(letter)),
            None => (0, false),
        };
        if fits {
            at += step;
            place += 1;
        } else if let Some((back, taken)) = star {
            at = back + 1;
            place = taken + 1;
            star = Some((back, place));
        } else {
            return false;
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == '*')
}

/// Whether two patterns could match one name; exact where only one of them holds a glob.
fn meets(one: &str, other: &str) -> bool {
    if !has_glob(other) {
        return matches(one, other);
    }
    // `*.pem` and `server.p*`: what both fix at their ends must fit.
    let head = |text: &str| text.chars().take_while(|letter| !matches!(letter, '*' | '?' | '[')).collect::<String>();
    let tail =
        |text: &str| text.chars().rev().take_while(|letter| !matches!(letter, '*' | '?' | ']')).collect::<Vec<_>>();
    let (head_one, head_other) = (head(one), head(other));
    let (tail_one, tail_other) = (tail(one), tail(other));
    let heads = head_one.starts_with(&head_other) || head_other.starts_with(&head_one);
    let tails = tail_one.starts_with(&tail_other) || tail_other.starts_with(&tail_one);
    let closed = !tail_one.is_empty() && !tail_other.is_empty();
    heads && tails && closed
}
