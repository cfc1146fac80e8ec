//! `callgate explain --command`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use callgate_guard::shell::{Command, Line, Setting, Table, analyse};

use crate::cli::Place;
use crate::exit;
use crate::output::{Output, Tone, harmless};

/// Shows what a command would do: every program that it could run, and what each does.
pub(crate) fn explain(output: &Output, place: &Place, line: &str, cwd: Option<PathBuf>) -> Result<ExitCode> {
    let mut table = Table::builtin()?;
    let programs = place.gate.join("programs.toml");
    match std::fs::read_to_string(&programs) {
        Ok(text) => table.extend("programs.toml", &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| programs.display().to_string()),
    }
    let cwd = match cwd {
        Some(cwd) => std::path::absolute(cwd)?,
        None => std::env::current_dir()?,
    };
    let setting = Setting { cwd: cwd.to_str().map(str::to_owned), home: std::env::var("HOME").ok() };
    let line = match analyse(line, &setting, &table) {
        Ok(line) => line,
        Err(refusal) => {
            let json = callgate_text::Json::object([("refused", refusal.to_string())]);
            output.print(&json, |output| output.paint(Tone::Bad, &format!("refused: {refusal}")));
            return Ok(exit::CHECK_FAILED.into());
        }
    };
    output.print(&line.to_json(), |output| tree(output, &line));
    Ok(ExitCode::SUCCESS)
}

/// One paragraph for each command, below what it is inside of.
fn tree(output: &Output, line: &Line) -> String {
    let mut text = String::new();
    let mut above: &[_] = &[];
    for command in &line.commands {
        let shared = above.iter().zip(&command.within).take_while(|(one, other)| one == other).count();
        for (depth, wrapper) in command.within.iter().enumerate().skip(shared) {
            text.push_str(&format!("{}{}\n", "  ".repeat(depth), output.paint(Tone::Faint, &harmless(wrapper))));
        }
        above = &command.within;
        paragraph(output, command, &mut text);
    }
    if text.is_empty() {
        text.push_str("It runs nothing.");
    }
    text
}

fn paragraph(output: &Output, command: &Command, text: &mut String) {
    let indent = "  ".repeat(command.within.len());
    let argv: Vec<_> = command.argv.iter().map(ToString::to_string).collect();
    let shown = if argv.is_empty() { command.program.clone() } else { argv.join(" ") };
    text.push_str(&format!("{indent}{}\n", harmless(&shown)));
    let mut row = |tone: Tone, name: &str, items: Vec<&str>| {
        if !items.is_empty() {
            text.push_str(&format!("{indent}    {name:<8} {}\n", output.paint(tone, &harmless(&items.join(" ")))));
        }
    };
    if !command.known {
        row(Tone::Caution, "unknown", vec![&command.program]);
    }
    row(Tone::Caution, "dynamic", command.dynamic.iter().map(|why| why.as_str()).collect());
    row(Tone::Bad, "effects", command.effects.iter().map(|effect| effect.as_str()).collect());
    row(Tone::Faint, "reads", command.reads.iter().map(String::as_str).collect());
    row(Tone::Faint, "writes", command.writes.iter().map(String::as_str).collect());
    row(Tone::Bad, "deletes", command.deletes.iter().map(String::as_str).collect());
    row(Tone::Faint, "hosts", command.hosts.iter().map(String::as_str).collect());
}
