//! Claude Code's settings: `/etc/claude-code/managed-settings.json`, and one file for each user.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use callgate_doors::hook::claude_code::{EVENTS, NAME};
use callgate_policy::Mode;
use callgate_text::{Json, Object};

use super::{Scope, SettingsFile};

/// The first version with `onFailure`: before it, a hook that cannot start or hangs lets the call run.
pub(crate) const FIRST_TO_FAIL_CLOSED: Version = Version([2, 1, 295]);

/// How long the host waits for the hook, in seconds: much longer than the hook takes at most.
const TIMEOUT: i64 = 60;

/// A version as the host prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) [u32; 3]);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Version {
    /// `2.1.330 (Claude Code)`.
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split_whitespace().next()?.split('.').map(str::parse);
        let version = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
        parts.next().is_none().then_some(Self(version))
    }

    /// The version of the host's program, if it can fail closed.
    pub(crate) fn of(program: &Path) -> Result<Self> {
        let said = Command::new(program).arg("--version").output().with_context(|| {
            format!("cannot start {}; name Claude Code's program with --program", program.display())
        })?;
        let text = String::from_utf8_lossy(&said.stdout);
        let version = Self::read(&text).ok_or_else(|| anyhow!("{} does not tell its version", program.display()))?;
        if version < FIRST_TO_FAIL_CLOSED {
            bail!(
                "Claude Code {version} lets a call run when its hook fails; update it to {FIRST_TO_FAIL_CLOSED} or newer"
            );
        }
        Ok(version)
    }
}

/// The settings file of a scope.
pub(crate) fn settings(scope: Scope) -> Result<SettingsFile> {
    let path = match scope {
        Scope::Managed if cfg!(target_os = "macos") => {
            PathBuf::from("/Library/Application Support/ClaudeCode/managed-settings.json")
        }
        Scope::Managed => PathBuf::from("/etc/claude-code/managed-settings.json"),
        Scope::User => user_directory()?.join("settings.json"),
    };
    SettingsFile::read(path)
}

fn user_directory() -> Result<PathBuf> {
    match std::env::var_os("CLAUDE_CONFIG_DIR") {
        Some(directory) if !directory.is_empty() => Ok(directory.into()),
        _ => Ok(std::env::home_dir().context("HOME is not set")?.join(".claude")),
    }
}

/// The hook as it stands in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) program: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) credential: Option<PathBuf>,
    /// Whether it denies.
    pub(crate) mode: Mode,
}

impl Installed {
    /// The command line after the program.
    fn arguments(&self) -> Result<Vec<String>> {
        let plain = |path: &Path| match path.to_str() {
            // The host would take the dollar for a variable.
            Some(text) if path.is_absolute() && !text.contains(['$', '\n']) => Ok(text.to_owned()),
            _ => Err(anyhow!("{} cannot stand in the host's settings", path.display())),
        };
        plain(&self.program)?;
        let mut arguments = vec!["hook".to_owned(), NAME.to_owned(), "--socket".to_owned(), plain(&self.socket)?];
        if let Some(credential) = &self.credential {
            arguments.extend(["--credential".to_owned(), plain(credential)?]);
        }
        if self.mode == Mode::Observe {
            arguments.push("--observe".to_owned());
        }
        Ok(arguments)
    }

    fn handler(&self, event: &str) -> Result<Json> {
        let mut handler = vec![
            ("type", Json::from("command")),
            ("command", Json::from(self.program.display().to_string())),
            ("args", Json::from(self.arguments()?)),
            ("timeout", Json::integer(TIMEOUT)),
        ];
        if event == "PreToolUse" && self.mode == Mode::Enforce {
            handler.push(("onFailure", Json::from("block")));
        }
        Ok(Json::object(handler))
    }

    /// `settings` with this hook for every event, and with no other of ours.
    pub(crate) fn added_to(&self, settings: &Object, scope: Scope) -> Result<Object> {
        let mut hooks = match without(settings).remove("hooks") {
            None => Object::default(),
            Some(Json::Object(hooks)) => hooks,
            Some(_) => bail!("`hooks` in the settings is no object"),
        };
        let mut settings = settings.clone();
        for event in EVENTS {
            let mut groups = match hooks.get(event) {
                None => Vec::new(),
                Some(Json::Array(groups)) => groups.clone(),
                Some(_) => bail!("`hooks.{event}` in the settings is no array"),
            };
            let mut group = Vec::new();
            if event.contains("ToolUse") {
                group.push(("matcher", Json::from("*")));
            }
            group.push(("hooks", Json::Array(vec![self.handler(event)?])));
            groups.push(Json::object(group));
            hooks.set(event, Json::Array(groups));
        }
        settings.set("hooks", Json::Object(hooks));
        if scope == Scope::Managed && self.mode == Mode::Enforce {
            // Another hook could change a call behind ours.
            settings.set("allowManagedHooksOnly", Json::Bool(true));
        }
        Ok(settings)
    }

    /// The hook for tool calls that stands in `settings`, and whether a failure of it blocks the call.
    pub(crate) fn find(settings: &Object) -> Option<(Self, bool)> {
        let groups = settings.get("hooks")?.get("PreToolUse")?.as_array()?;
        let everywhere = groups.iter().filter(|group| group.get("matcher").and_then(Json::as_str) == Some("*"));
        let handlers = everywhere.filter_map(|group| group.get("hooks")?.as_array()).flatten();
        let handler = handlers.into_iter().find(|handler| is_ours(handler))?;
        let arguments: Vec<&str> = handler.get("args")?.as_array()?.iter().filter_map(Json::as_str).collect();
        let after = |flag| {
            let at = arguments.iter().position(|argument| *argument == flag)?;
            arguments.get(at + 1).map(PathBuf::from)
        };
        let observing = arguments.contains(&"--observe");
        let installed = Self {
            program: PathBuf::from(handler.get("command")?.as_str()?),
            socket: after("--socket")?,
            credential: after("--credential"),
            mode: if observing { Mode::Observe } else { Mode::Enforce },
        };
        Some((installed, handler.get("onFailure").and_then(Json::as_str) == Some("block")))
    }
}

/// `settings` without any hook of ours, and without what it leaves empty.
pub(crate) fn without(settings: &Object) -> Object {
    let mut settings = settings.clone();
    let Some(Json::Object(hooks)) = settings.get("hooks") else { return settings };
    let mut kept = Object::default();
    for (event, groups) in hooks.iter() {
        let Json::Array(groups) = groups else {
            kept.set(event, groups.clone());
            continue;
        };
        let groups: Vec<Json> = groups.iter().filter_map(group_without).collect();
        if !groups.is_empty() {
            kept.set(event, Json::Array(groups));
        }
    }
    match kept.is_empty() {
        true => drop(settings.remove("hooks")),
        false => settings.set("hooks", Json::Object(kept)),
    }
    settings
}

/// `None` if nothing of the group is left.
fn group_without(group: &Json) -> Option<Json> {
    let Some(handlers) = group.get("hooks").and_then(Json::as_array) else { return Some(group.clone()) };
    let others: Vec<Json> = handlers.iter().filter(|handler| !is_ours(handler)).cloned().collect();
    if others.len() == handlers.len() {
        return Some(group.clone());
    }
    let Json::Object(mut group) = group.clone() else { return None };
    group.set("hooks", Json::Array(others.clone()));
    (!others.is_empty()).then_some(Json::Object(group))
}

fn is_ours(handler: &Json) -> bool {
    let arguments = handler.get("args").and_then(Json::as_array).unwrap_or_default();
    arguments.iter().map(Json::as_str).take(2).eq([Some("hook"), Some(NAME)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(mode: Mode) -> Installed {
        Installed {
            program: "/usr/local/bin/callgate".into(),
            socket: "/run/callgate/gate.sock".into(),
            credential: None,
            mode,
        }
    }

    fn object(text: &str) -> Object {
        Json::parse(text.as_bytes()).unwrap().as_object().unwrap().clone()
    }

    /// Settings of others, with a hook beside ours in the same group and a member that nobody knows.
    const OTHERS: &str = r#"{"model":"opus","hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command",
        "command":"/x"}]},{"matcher":"*","hooks":[{"type":"command","command":"/old","args":["hook","claude-code"]},
        {"type":"command","command":"/y","args":["hook","codex"]}]}],"Stop":[{"hooks":[]}],"odd":7},"zebra":[1]}"#;

    #[test]
    fn versions_are_compared_by_their_parts() {
        assert_eq!(Version::read("2.1.330 (Claude Code)\n"), Some(Version([2, 1, 330])));
        assert!(Version([2, 1, 9]) < FIRST_TO_FAIL_CLOSED && Version([2, 10, 0]) > FIRST_TO_FAIL_CLOSED);
        for other in ["", "2.1", "2.1.3.4", "v2.1.330", "2.1.x", "-1.0.0"] {
            assert_eq!(Version::read(other), None, "{other}");
        }
    }

    #[test]
    fn installing_keeps_what_others_wrote_and_leaves_one_hook() {
        let once = installed(Mode::Enforce).added_to(&object(OTHERS), Scope::Managed).unwrap();
        let twice = installed(Mode::Enforce).added_to(&once, Scope::Managed).unwrap();
        assert_eq!(once, twice);
        assert_eq!(Installed::find(&once), Some((installed(Mode::Enforce), true)));
        assert_eq!(once.get("allowManagedHooksOnly"), Some(&Json::Bool(true)));
        let text = String::from_utf8(Json::Object(once).canonical()).unwrap();
        assert_eq!(text.matches(r#""claude-code""#).count(), EVENTS.len());
        for kept in [r#""model":"opus""#, r#""/x""#, r#""/y""#, r#""odd":7"#, r#""zebra":[1]"#] {
            assert!(text.contains(kept), "{kept}");
        }
        assert!(!text.contains("/old"));
    }

    #[test]
    fn uninstalling_takes_away_what_installing_added() {
        for before in ["{}", r#"{"model":"opus"}"#, r#"{"hooks":{"Stop":[{"hooks":[{"type":"command"}]}]}}"#] {
            let during = installed(Mode::Observe).added_to(&object(before), Scope::User).unwrap();
            assert_ne!(during, object(before));
            assert_eq!(without(&during), object(before));
        }
        let left = Json::Object(without(&object(OTHERS))).canonical();
        assert!(String::from_utf8(left).unwrap().contains(r#""/y""#));
    }

    #[test]
    fn who_only_watches_blocks_nothing() {
        let settings = installed(Mode::Observe).added_to(&Object::default(), Scope::Managed).unwrap();
        assert_eq!(Installed::find(&settings), Some((installed(Mode::Observe), false)));
        assert_eq!(settings.get("allowManagedHooksOnly"), None);
    }

    #[test]
    fn what_the_host_would_read_differently_is_refused() {
        for path in ["relative/callgate", "/bin/$HOME/callgate", "/bin/a\nb"] {
            let odd = Installed { program: path.into(), ..installed(Mode::Enforce) };
            assert!(odd.added_to(&Object::default(), Scope::User).is_err(), "{path}");
        }
        for odd in [r#"{"hooks":[]}"#, r#"{"hooks":{"PreToolUse":{}}}"#] {
            assert!(installed(Mode::Enforce).added_to(&object(odd), Scope::User).is_err(), "{odd}");
        }
    }
}
