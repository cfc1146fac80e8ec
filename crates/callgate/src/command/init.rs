//! `callgate init`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use callgate_policy::render;
use callgate_text::Json;

use crate::output::Output;

pub(crate) fn run(output: &Output, dir: &Path) -> Result<ExitCode> {
    let written = callgate_policy::init(dir).map_err(|error| anyhow::anyhow!("{}", render(error.findings(), false)))?;
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
