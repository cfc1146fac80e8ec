//! `callgate init`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use callgate_policy::{Developer, Template, render};
use callgate_text::Json;

use crate::cli::Host;
use crate::output::Output;

pub(crate) fn run(output: &Output, dir: &Path, pack: Option<Host>, workspace: Option<PathBuf>) -> Result<ExitCode> {
    let template = match pack {
        None => Template::Starter,
        Some(Host::ClaudeCode) => Template::ClaudeCode(developer(workspace)?),
    };
    let written = callgate_policy::init(dir, &template)
        .map_err(|error| anyhow::anyhow!("{}", render(error.findings(), false)))?;
    let files: Vec<String> = written.iter().map(|path| dir.join(path).display().to_string()).collect();
    let json = Json::object([("dir", Json::from(dir.display().to_string())), ("files", Json::from(files.clone()))]);
    output.print(&json, |_| {
        let mut text: String = files.iter().map(|file| format!("  {file}\n")).collect();
        text.push_str(&format!(
            "Next:\n  callgate policy check {0}\n  callgate policy test {0}\n  callgate serve {0}\n",
            dir.display()
        ));
        text
    });
    Ok(ExitCode::SUCCESS)
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
