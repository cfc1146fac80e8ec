//! `callgate sandbox probe|profile`, and the hidden word by which this program becomes a launcher.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_sandbox::{Host, Launcher, Part, Profiles};
use callgate_text::Json;

use crate::cli::Sandbox;
use crate::exit;
use crate::output::{Output, Tone, columns};

/// The only argument of a launcher. Nobody types it.
const LAUNCHER: &str = "launch-contained";

/// The longest configuration that is read.
const MOST_BYTES: u64 = 8 << 20;

/// Whether this process was started to be a launcher.
pub(crate) fn is_launcher() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == LAUNCHER)
}

/// This program, to be started as a launcher.
pub(crate) fn launcher() -> Launcher {
    Launcher::this_program(LAUNCHER)
}

pub(crate) fn run(output: &Output, sandbox: Sandbox) -> Result<ExitCode> {
    match sandbox {
        Sandbox::Probe => probe(output),
        Sandbox::Profile { name, gate } => {
            let profiles = profiles(gate.as_deref())?;
            let profile = profiles.get(&name).with_context(|| unknown(&name, &profiles))?;
            let json = Json::object([("profile", profile.to_json()), ("digest", Json::from(profile.digest()))]);
            output.print(&json, |_| String::from_utf8_lossy(&json.canonical()).into_owned());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The built-in profiles, and those of the gate directory.
pub(crate) fn profiles(gate: Option<&Path>) -> Result<Profiles> {
    let Some(gate) = gate else { return Ok(Profiles::default()) };
    let path = gate.join("callgate.toml");
    let size = std::fs::metadata(&path).with_context(|| path.display().to_string())?.len();
    if size > MOST_BYTES {
        bail!("{}: larger than {MOST_BYTES} bytes", path.display());
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Profiles::of_gate(&text).with_context(|| path.display().to_string())
}

/// What to say about a profile that does not exist.
pub(crate) fn unknown(name: &str, profiles: &Profiles) -> String {
    let known: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    format!("there is no profile `{}`; there are: {}", name.escape_debug(), known.join(", "))
}

fn probe(output: &Output) -> Result<ExitCode> {
    let host = launcher().probe()?;
    output.print(&json(&host), |output| text(output, &host));
    Ok(if host.tier().is_some() { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
}

fn json(host: &Host) -> Json {
    let parts = Part::ALL.map(|part| {
        let why = host.why_not(part).map_or(Json::Null, |why| Json::String(why.to_owned()));
        Json::object([
            ("part", Json::String(part.to_string())),
            ("there", Json::Bool(host.has(part))),
            ("why_not", why),
        ])
    });
    let floor = host.floor().map_or(Json::Null, |(name, _)| Json::String(name.to_owned()));
    Json::object([
        ("tier", host.tier().map_or(Json::integer(0), |tier| Json::integer(tier.number().into()))),
        ("floor", floor),
        ("root", Json::Bool(host.root)),
        ("landlock", Json::integer(host.landlock.into())),
        ("parts", Json::Array(parts.into())),
    ])
}

fn text(output: &Output, host: &Host) -> String {
    let rows: Vec<[String; 3]> = Part::ALL
        .into_iter()
        .map(|part| {
            let there = if host.has(part) { "yes" } else { "no" };
            let version = if part == Part::Landlock { format!("version {}", host.landlock) } else { String::new() };
            [part.to_string(), there.to_owned(), host.why_not(part).map_or(version, str::to_owned)]
        })
        .collect();
    let mut text = columns(&rows, |_, column, cell| match (column, cell) {
        (1, "no") => output.paint(Tone::Caution, cell),
        (1, _) => output.paint(Tone::Good, cell),
        _ => cell.to_owned(),
    });
    match (host.tier(), host.floor()) {
        (None, _) => text.push_str("Nothing can be contained here: what is missing above is needed.\n"),
        (Some(tier), None) => {
            text.push_str(&format!("Tier {tier}, but no built-in profile can be enforced as it stands.\n"));
        }
        (Some(tier), Some((name, given_up))) => {
            text.push_str(&format!("Tier {tier}; the floor is the profile `{name}`.\n"));
            for part in given_up {
                text.push_str(&format!("It gives up: {part}.\n"));
            }
        }
    }
    text
}
