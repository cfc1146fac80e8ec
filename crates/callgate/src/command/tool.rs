//! `callgate tool pin|list|diff`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use callgate_core::ServerName;
use callgate_doors::mcp::{Limits, diff, pin};
use callgate_policy::{GateFiles, render};
use callgate_text::{Digest, Json};

use crate::cli::Tool;
use crate::exit;
use crate::output::{Output, Tone, columns};
use crate::replaced::{Replaced, indented};

/// The longest pin that is read.
const MOST_BYTES: usize = 64 << 20;

pub(crate) async fn run(output: &Output, tool: Tool) -> Result<ExitCode> {
    match tool {
        Tool::Pin { server, gate, dry_run, command } => {
            let (server, offered) = offered(&server, command).await?;
            let before = pinned(&gate, &server)?;
            let difference = diff(&before, &offered);
            if !dry_run {
                write(&gate, &server, &offered)?;
            }
            output.print(&difference.to_json(), |output| {
                let mut text = difference.to_string();
                if !difference.is_empty() {
                    text.push_str(&texts(&offered));
                }
                let hidden = hidden(&offered);
                if hidden > 0 {
                    let warning =
                        format!("{hidden} characters in these texts hide from a reader; look at them above.\n");
                    text.push_str(&output.paint(Tone::Caution, &warning));
                }
                text.push_str(&match (dry_run, difference.is_empty()) {
                    (true, _) => "Nothing is written.".to_owned(),
                    (false, true) => format!("Nothing changed: {server} was pinned like this."),
                    (false, false) => output.paint(Tone::Good, &format!("tools/{server}.json pins this.")),
                });
                text
            });
            Ok(ExitCode::SUCCESS)
        }
        Tool::Diff { server, gate, command } => {
            let (server, offered) = offered(&server, command).await?;
            let difference = diff(&pinned(&gate, &server)?, &offered);
            output.print(&difference.to_json(), |_| match difference.is_empty() {
                true => format!("{server} offers what is pinned."),
                false => difference.to_string(),
            });
            Ok(if difference.is_empty() { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
        }
        Tool::List { gate } => {
            list(output, &gate)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts the server and asks what it offers.
async fn offered(server: &str, command: Vec<OsString>) -> Result<(ServerName, Json)> {
    let server: ServerName = server.parse().context("--server")?;
    let offered = pin(&server, &command, Limits::default()).await?;
    Ok((server, offered))
}

fn path(gate: &Path, server: &ServerName) -> std::path::PathBuf {
    gate.join("tools").join(format!("{server}.json"))
}

/// What is pinned; nothing, if the server never was.
fn pinned(gate: &Path, server: &ServerName) -> Result<Json> {
    let path = path(gate, server);
    match std::fs::read(&path) {
        Ok(bytes) => Json::parse_within(&bytes, MOST_BYTES).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Json::object([("server", server.as_str())])),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// What a model will read of a pin, with whatever hides shown as its code point: read it before you pin it.
fn texts(pin: &Json) -> String {
    let mut text = String::new();
    if let Some(instructions) = pin.get("instructions").and_then(Json::as_str) {
        text.push_str(&format!("\ninstructions\n  {}\n", plain(instructions)));
    }
    for member in ["tools", "prompts", "templates"] {
        for definition in pin.get(member).and_then(Json::as_array).unwrap_or_default() {
            let word = |key| definition.get(key).and_then(Json::as_str).unwrap_or_default();
            text.push_str(&format!("\n{}\n  {}\n", plain(word("name")), plain(word("description"))));
        }
    }
    text
}

fn plain(text: &str) -> String {
    let shown = |character: char| match callgate_text::reveal(character.encode_utf8(&mut [0; 4])) {
        Some(_) => character.escape_unicode().to_string(),
        None => character.to_string(),
    };
    text.chars().map(shown).collect::<String>().replace('\n', "\n  ")
}

/// How many characters of all strings hide from a reader.
fn hidden(value: &Json) -> usize {
    match value {
        Json::String(text) => callgate_text::reveal(text).map_or(0, |revealed| revealed.removed),
        Json::Array(items) => items.iter().map(hidden).sum(),
        Json::Object(object) => object.iter().map(|(_, value)| hidden(value)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

fn write(gate: &Path, server: &ServerName, offered: &Json) -> Result<()> {
    let path = path(gate, server);
    std::fs::create_dir_all(path.parent().context("a gate directory")?)?;
    // Not drafted beside it: what lies in `tools` is loaded.
    Replaced { draft_in: Some(gate), mode: 0o644 }.write(&path, &(indented(offered) + "\n"))
}

/// The name, digest and title of everything that is pinned.
fn list(output: &Output, gate: &Path) -> Result<()> {
    let files = GateFiles::read(gate).map_err(|error| anyhow::anyhow!("{}", render(error.findings(), false)))?;
    let mut rows = Vec::new();
    for (path, text) in files.below("tools") {
        let pin = Json::parse_within(text.as_bytes(), MOST_BYTES).with_context(|| path.to_owned())?;
        let server = pin.get("server").and_then(Json::as_str).unwrap_or_default();
        for (member, kind) in [("tools", ""), ("prompts", "prompt "), ("templates", "template ")] {
            for definition in pin.get(member).and_then(Json::as_array).unwrap_or_default() {
                let word = |key| definition.get(key).and_then(Json::as_str).unwrap_or_default();
                let digest = Digest::of(&definition.canonical()).to_string();
                rows.push([format!("{kind}{server}.{}", word("name")), digest, word("title").to_owned()]);
            }
        }
    }
    let json = rows
        .iter()
        .map(|[name, digest, title]| Json::object([("name", name.as_str()), ("digest", digest), ("title", title)]));
    output.print(&Json::Array(json.collect()), |output| {
        columns(&rows, |_, column, cell| if column == 1 { output.paint(Tone::Faint, cell) } else { cell.to_owned() })
    });
    Ok(())
}
