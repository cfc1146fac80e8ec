//! `callgate init`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_policy::{Developer, Template, render};
use callgate_sandbox::{Host, Part};
use callgate_text::Json;

use super::sandbox::launcher;
use crate::cli::Pack;
use crate::output::{Output, harmless};

pub(crate) fn run(output: &Output, dir: &Path, pack: Option<Pack>, workspace: Option<PathBuf>) -> Result<ExitCode> {
    let template = match pack {
        None => Template::Starter,
        Some(Pack::ClaudeCode) => Template::ClaudeCode(developer(workspace)?),
        Some(Pack::Tools) => Template::Tools(developer(workspace)?),
    };
    if let Template::Tools(developer) = &template
        && std::path::absolute(dir)?.starts_with(&developer.workspace)
    {
        bail!(
            "{} lies in the workspace {}, where the tools could reach it: choose a directory outside, or another \
             workspace with --workspace",
            dir.display(),
            developer.workspace
        );
    }
    let floor = Floor::of(launcher().probe().ok().as_ref());
    let mut settings = floor.settings();
    if floor.profile.is_some() && matches!(template, Template::Tools(_)) {
        settings.push_str(HIDDEN);
    }
    let written = callgate_policy::init(dir, &template, &settings)
        .map_err(|error| anyhow::anyhow!("{}", render(error.findings(), false)))?;
    let files: Vec<String> = written.iter().map(|path| dir.join(path).display().to_string()).collect();
    let json = Json::object([
        ("dir", Json::from(dir.display().to_string())),
        ("files", Json::from(files.clone())),
        ("floor", floor.profile.map_or(Json::Null, Json::from)),
        ("gives_up", Json::from(floor.given_up.clone())),
    ]);
    output.print(&json, |_| {
        let mut text: String = files.iter().map(|file| format!("  {file}\n")).collect();
        text.push_str(&floor.to_string());
        text.push_str(&format!(
            "Next:\n  callgate policy check {0}\n  callgate policy test {0}\n  callgate serve {0}\n",
            dir.display()
        ));
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// What the pack of tools hides from them, behind the profile `floor`: as its entities do, whatever tool it is.
const HIDDEN: &str = "
# What entities.toml calls hidden. Inside it is an empty file, for a command as for a search.
[sandbox.profile.floor.files]
\"@workspace/.env\" = \"hidden\"
";

/// What this machine offers to contain a tool, as the profile `floor`.
struct Floor {
    /// The built-in profile that it extends; none, if nothing can be contained here.
    profile: Option<&'static str>,
    /// What that gives up against `workspace`, and why.
    given_up: Vec<String>,
}

impl Floor {
    fn of(host: Option<&Host>) -> Self {
        let Some(host) = host else {
            return Self { profile: None, given_up: vec!["everything: no launcher could be started".to_owned()] };
        };
        let (profile, parts) = match host.floor() {
            Some((profile, parts)) => (Some(profile), parts),
            None => (None, host.missing.iter().map(|missing| missing.part).collect()),
        };
        let why = |part: Part| format!("{part}: {}", host.why_not(part).unwrap_or_default());
        Self { profile, given_up: parts.into_iter().map(why).collect() }
    }

    /// What stands behind the settings that the pack comes with.
    fn settings(&self) -> String {
        let mut text =
            "\n# What this machine could enforce when this was written; `callgate sandbox probe` finds out anew.\n"
                .to_owned();
        for part in &self.given_up {
            let part: String = part.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("# It gives up: {part}\n"));
        }
        if let Some(profile) = self.profile {
            text.push_str(&format!("[sandbox.profile.floor]\nextends = \"{profile}\"\n"));
        }
        text
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.profile {
            Some(profile) => writeln!(f, "Tools can be contained here: the profile `floor` is `{profile}`.")?,
            None => writeln!(f, "Nothing can be contained here.")?,
        }
        self.given_up.iter().try_for_each(|part| writeln!(f, "  It gives up {}", harmless(part)))
    }
}

/// Who runs this command, and where.
fn developer(workspace: Option<PathBuf>) -> Result<Developer> {
    let workspace = match workspace {
        Some(workspace) => workspace,
        None => std::env::current_dir()?,
    };
    let workspace = workspace.canonicalize().with_context(|| workspace.display().to_string())?;
    let home = std::env::home_dir().context("HOME is not set")?;
    let plain = |path: PathBuf| path.into_os_string().into_string().map_err(|_| anyhow::anyhow!("a path is not UTF-8"));
    let uid = rustix::process::getuid().as_raw();
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty() && !user.contains('.'));
    Ok(Developer { workspace: plain(workspace)?, home: plain(home)?, uid, user: user.unwrap_or(format!("user-{uid}")) })
}
