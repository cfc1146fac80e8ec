//! `callgate.toml`: the gate's own settings, and what it knows about servers and tools beyond their pins.
//!
//! ```toml
//! [gate]
//! name = "quickstart"
//! origin = "gate.example/quickstart"   # the name of the log
//! stale_limit = "15m"                  # deny once changed policy could not be loaded for so long
//!
//! [server.bank]
//! description = "payments"
//!
//! [tool."bank.payment_send"]
//! groups = ["finance", "egress"]
//! kinds = { amount = "money" }
//!
//! [doors]
//! claude-code = "observe"              # record what would be denied, deny nothing; without a word: enforce
//!
//! [http]
//! listen = "127.0.0.1:7465"            # a loopback address; without it, nothing listens for HTTP
//! origins = ["http://localhost:3000"]  # pages that may call; without it, none
//!
//! [shell]
//! home = "/home/dev"                   # of the user as whom commands run
//! of = "host"                          # whose shell reads them: the host's, or the gate's own
//!
//! [tools]
//! workspace = "/home/dev/project"      # where the gate's own tools work, and where relative paths begin
//!
//! [log]
//! agent_records_per_minute = 600
//! agent_bytes_per_minute = 4194304
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callgate_core::{DoorName, ServerName, Shell, ToolName};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::finding::{Finding, LoadError, Rule};
use crate::schema::Overlay;

/// The file.
pub(crate) const FILE: &str = "callgate.toml";

/// The typed content of `callgate.toml`. Whatever is not listed here is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// About the gate itself.
    pub gate: GateConfig,
    /// What the operator says about a server.
    #[serde(deserialize_with = "named")]
    pub server: BTreeMap<ServerName, ServerConfig>,
    /// What the operator says about a tool, by `<server>.<tool>`.
    #[serde(deserialize_with = "named")]
    pub tool: BTreeMap<ToolName, Overlay>,
    /// What a decision means at a door; at one that is not listed here it is enforced.
    #[serde(deserialize_with = "named")]
    pub doors: BTreeMap<DoorName, Mode>,
    /// The door for HTTP.
    pub http: HttpConfig,
    /// How much each agent may write to the log.
    pub log: LogConfig,
    /// Profiles of the sandbox, which that layer reads for itself.
    pub sandbox: toml::Table,
    /// Where commands run.
    pub shell: ShellConfig,
    /// Where the gate's own tools work.
    pub tools: ToolsConfig,
}

/// What a decision means at a door. Only the operator sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What is denied does not run.
    #[default]
    Enforce,
    /// What would be denied is recorded as `would_deny`, and runs.
    Observe,
}

impl Mode {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// What people call this gate.
    pub name: Option<String>,
    /// The origin line of the log's checkpoints; unique to this gate.
    pub origin: Option<String>,
    /// How long the last good policy may stand in for one that cannot be loaded. 15 minutes if not given.
    #[serde(deserialize_with = "duration")]
    pub stale_limit: Duration,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { name: None, origin: None, stale_limit: Duration::from_secs(15 * 60) }
    }
}

/// `[server.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// For people.
    pub description: Option<String>,
}

/// `[shell]`: what the operator says of where commands run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShellConfig {
    /// The home directory of the user as whom they run.
    pub home: Option<String>,
    /// Whose shell reads them: `host` or `gate`.
    #[serde(deserialize_with = "shell")]
    pub of: Shell,
}

fn shell<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Shell, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "host" => Ok(Shell::Host),
        "gate" => Ok(Shell::Gate),
        _ => Err(D::Error::custom("`of` is \"host\" or \"gate\"")),
    }
}

/// `[tools]`: the gate's own tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolsConfig {
    /// The folder that they work in, and that `@workspace` stands for in their profiles. Without it, those that need
    /// one are refused.
    #[serde(deserialize_with = "folder")]
    pub workspace: Option<String>,
}

/// An absolute path with nothing in it that could be written shorter.
fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let names = text.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/'));
    let plain = names.clone().count() > 0 && names.into_iter().all(|name| !matches!(name, "" | "." | ".."));
    match plain && !text.chars().any(char::is_control) {
        true => Ok(Some(text)),
        false => Err(D::Error::custom("`workspace` is an absolute path without `.`, `..` or a slash at its end")),
    }
}

/// `[http]`, read when the gate starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Where to listen: a loopback address and a port. `None`: nowhere.
    #[serde(deserialize_with = "loopback")]
    pub listen: Option<SocketAddr>,
    /// The values of `Origin` with which a browser's page may call. Every other is refused.
    #[serde(deserialize_with = "origins")]
    pub origins: Vec<String>,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Records that one agent may cause in a minute.
    pub agent_records_per_minute: Option<u32>,
    /// Bytes that one agent may cause in a minute, records and disclosures together.
    pub agent_bytes_per_minute: Option<u64>,
}

impl Config {
    /// What a decision means at `door`.
    pub fn mode(&self, door: &DoorName) -> Mode {
        self.doors.get(door).copied().unwrap_or_default()
    }

    /// The doors that only watch.
    pub fn observing(&self) -> impl Iterator<Item = &DoorName> {
        self.doors.iter().filter(|(_, mode)| **mode == Mode::Observe).map(|(door, _)| door)
    }

    pub(crate) fn parse(text: &Arc<str>) -> Result<Self, LoadError> {
        toml::from_str(text).map_err(|error| toml_fault(FILE, text, &error))
    }
}

/// The text of a `callgate.toml` in which `door` has `mode`, with all that else stands in it; `None` if it is written
/// in a way that this cannot follow, or does not load.
pub fn with_mode(text: &str, door: &DoorName, mode: Mode) -> Option<String> {
    let entry = format!("{door} = \"{}\"", mode.as_str());
    let is_door = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        key == door.as_str() || key.trim_matches('"') == door.as_str()
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let section = lines.iter().position(|line| line.trim() == "[doors]");
    match section {
        None => lines.extend([String::new(), "[doors]".to_owned(), entry]),
        Some(section) => {
            let inside =
                lines.iter().enumerate().skip(section + 1).take_while(|(_, line)| !line.trim().starts_with('['));
            let there = inside.filter(|(_, line)| is_door(line)).map(|(at, _)| at).next();
            match there.and_then(|at| lines.get_mut(at)) {
                Some(line) => {
                    let remark = line.find('#').and_then(|at| line.get(at..)).map(|remark| format!("  {remark}"));
                    *line = format!("{entry}{}", remark.unwrap_or_default());
                }
                None => lines.insert(section + 1, entry),
            }
        }
    }
    let text = lines.join("\n") + "\n";
    let config = Config::parse(&Arc::from(text.as_str())).ok()?;
    (config.mode(door) == mode).then_some(text)
}

/// An error of the TOML reader at its place.
pub(crate) fn toml_fault(file: &str, text: &Arc<str>, error: &toml::de::Error) -> LoadError {
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    let finding = Finding::new(Rule::BadToml, file, message);
    match error.span() {
        Some(span) => finding.at(text, span).into(),
        None => finding.into(),
    }
}

/// A table whose keys are names.
fn named<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: std::str::FromStr<Err: std::fmt::Display> + Ord,
    V: Deserialize<'de>,
{
    let table = BTreeMap::<String, V>::deserialize(deserializer)?;
    let named = table.into_iter().map(|(key, value)| {
        let name = key.parse().map_err(|error| D::Error::custom(format!("`{}` is {error}", key.escape_debug())))?;
        Ok((name, value))
    });
    named.collect()
}

/// An address that only this machine can reach.
fn loopback<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    let address = address.ok_or_else(|| D::Error::custom("expected an address and a port, like \"127.0.0.1:7465\""))?;
    match address.ip().is_loopback() {
        true => Ok(Some(address)),
        false => Err(D::Error::custom("HTTP without TLS is for this machine alone: use 127.0.0.1 or [::1]")),
    }
}

/// `scheme://host`, `scheme://host:port`, as browsers write them.
fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    let is_origin = |text: &String| {
        url::Url::parse(text).is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == *text)
    };
    match all.iter().all(is_origin) {
        true => Ok(all),
        false => Err(D::Error::custom("expected origins as browsers write them, like \"http://localhost:3000\"")),
    }
}

/// `"90s"`, `"15m"`, `"2h"`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fault = || D::Error::custom("expected a duration like \"90s\", \"15m\" or \"2h\"");
    let unit = text.chars().last().ok_or_else(fault)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(fault()),
    };
    let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| fault())?;
    count.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_changed_and_nothing_else() {
        let door: DoorName = "claude-code".parse().unwrap();
        for (before, after) in [
            ("", "\n[doors]\nclaude-code = \"enforce\"\n"),
            ("[gate]\nname = \"x\"\n", "[gate]\nname = \"x\"\n\n[doors]\nclaude-code = \"enforce\"\n"),
            (
                "# a\n[doors]\nmcp = \"observe\"\n[log]\n",
                "# a\n[doors]\nclaude-code = \"enforce\"\nmcp = \"observe\"\n[log]\n",
            ),
            ("[doors]\n\"claude-code\" = \"observe\" # for now\n", "[doors]\nclaude-code = \"enforce\"  # for now\n"),
        ] {
            assert_eq!(with_mode(before, &door, Mode::Enforce).as_deref(), Some(after));
            assert_eq!(with_mode(after, &door, Mode::Enforce).as_deref(), Some(after));
        }
        // What it cannot follow it leaves to the operator.
        for odd in ["doors = { claude-code = \"observe\" }\n", "doors.claude-code = \"observe\"\n", "[doors\n"] {
            assert_eq!(with_mode(odd, &door, Mode::Enforce), None, "{odd}");
        }
    }

    #[test]
    fn a_workspace_is_a_plain_absolute_path() {
        let of = |text: &str| {
            let text = format!("[tools]\nworkspace = \"{text}\"\n");
            Config::parse(&Arc::from(text)).map(|config| config.tools.workspace)
        };
        assert_eq!(of("/home/me/project").unwrap().as_deref(), Some("/home/me/project"));
        for other in ["", "/", "project", "~/project", "/a/", "/a//b", "/a/../b", "/a/./b", "/a\\nb"] {
            assert!(of(other).is_err(), "{other}");
        }
        assert!(Config::parse(&Arc::from("[tools]\nshell = \"sh\"\n")).is_err());
    }

    #[test]
    fn http_listens_on_this_machine_alone_and_for_pages_that_are_named() {
        let of = |text: &str| Config::parse(&Arc::from(format!("[http]\n{text}\n"))).map(|config| config.http);
        assert_eq!(of("").unwrap(), HttpConfig::default());
        for address in ["127.0.0.1:7465", "[::1]:7465", "127.0.0.2:80"] {
            assert_eq!(of(&format!("listen = \"{address}\"")).unwrap().listen, Some(address.parse().unwrap()));
        }
        for other in
            ["0.0.0.0:7465", "[::]:7465", "192.168.1.1:7465", "localhost:7465", "127.0.0.1", "127.0.0.1:0", "7465", ""]
        {
            assert!(of(&format!("listen = \"{other}\"")).is_err(), "{other}");
        }
        let listed = of("origins = [\"http://localhost:3000\", \"https://tool.example\"]").unwrap();
        assert_eq!(listed.origins, ["http://localhost:3000", "https://tool.example"]);
        for other in [
            "*",
            "null",
            "",
            "localhost:3000",
            "http://localhost:3000/",
            "http://LOCALHOST:3000",
            "http://localhost:80",
            "http://user@localhost",
            "file:///x",
            "http://localhost:3000/page",
        ] {
            assert!(of(&format!("origins = [\"{other}\"]")).is_err(), "{other}");
        }
        assert!(of("tls = true").is_err());
    }
}
