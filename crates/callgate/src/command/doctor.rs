//! `callgate doctor`: proves that a host's door denies, by having the host itself make a call that must not run.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_doors::hook::claude_code::NAME;
use callgate_policy::{Mode, exposed};
use callgate_text::Json;

use crate::cli::DoctorAt;
use crate::desk;
use crate::exit;
use crate::host::canary::{TRIALS, Trial};
use crate::host::claude_code::{self, Installed, Version};
use crate::host::{Scope, SettingsFile};
use crate::output::{Output, Tone, columns, complain};
use crate::place::State;

pub(crate) async fn run(output: &Output, at: &DoctorAt) -> Result<ExitCode> {
    let mut examination = Examination::default();
    let status = desk::ask_running(&State::of(&at.place)?, "status", Json::Null).await?;
    let Some(status) = status else {
        bail!("no gate is running: start it with `callgate serve {}`", at.place.gate.display())
    };
    examination.gate(&status);
    let version = Version::of(&at.program)?;
    examination.note("version", true, format!("Claude Code {version} can fail closed"));
    if let Some(scope) = examination.settings(&at.place)? {
        for trial in &TRIALS {
            if !output.is_json() {
                complain(&format!("callgate: a canary through {}, {} …", at.program.display(), trial.name));
            }
            examination.try_canary(trial, at, scope).await?;
        }
    }
    let holds = examination.checks.iter().all(|check| check.holds);
    let proof =
        [("host", Json::from(NAME)), ("version", Json::from(version.to_string())), ("holds", Json::Bool(holds))];
    ask(at, "proved", Json::object(proof)).await?;
    examination.print(output, holds);
    Ok(if holds { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
}

async fn ask(at: &DoctorAt, op: &str, body: Json) -> Result<Json> {
    desk::ask_running(&State::of(&at.place)?, op, body).await?.context("the gate stopped")
}

struct Check {
    name: String,
    holds: bool,
    found: String,
}

#[derive(Default)]
struct Examination {
    checks: Vec<Check>,
}

impl Examination {
    fn note(&mut self, name: &str, holds: bool, found: impl Into<String>) {
        self.checks.push(Check { name: name.to_owned(), holds, found: found.into() });
    }

    fn gate(&mut self, status: &Json) {
        let wrong = status.get("wrong").and_then(Json::as_array).unwrap_or_default();
        let wrong: Vec<&str> = wrong.iter().filter_map(Json::as_str).collect();
        let well = if wrong.is_empty() { "runs and is well".to_owned() } else { wrong.join("; ") };
        self.note("gate", wrong.is_empty(), well);
        let mode = status.get("doors").and_then(|doors| doors.get(NAME)).and_then(Json::as_str);
        let mode = mode.unwrap_or(Mode::Enforce.as_str());
        self.note("mode", mode == Mode::Enforce.as_str(), format!("the gate's door {NAME}: {mode}"));
    }

    /// Looks for the hook in the settings; returns whose they are.
    fn settings(&mut self, place: &crate::cli::Place) -> Result<Option<Scope>> {
        for scope in [Scope::Managed, Scope::User] {
            let file = claude_code::settings(scope)?;
            if let Some((installed, blocks)) = Installed::find(&file.settings) {
                let told = format!("in {} ({})", file.path.display(), scope.posture());
                self.note("settings", scope == Scope::Managed, told);
                self.hook(&installed, blocks, &crate::place::socket(place)?)?;
                if scope == Scope::Managed {
                    self.managed(&file)?;
                }
                return Ok(Some(scope));
            }
        }
        self.note("settings", false, "no hook is installed: `callgate install claude-code`");
        Ok(None)
    }

    fn hook(&mut self, installed: &Installed, blocks: bool, socket: &Path) -> Result<()> {
        let enforces = blocks && installed.mode == Mode::Enforce;
        let how = if enforces { "a hook that fails blocks the call" } else { "a hook that fails lets the call run" };
        self.note("hook", enforces, how);
        let same = std::path::absolute(socket)? == installed.socket;
        self.note("socket", same, format!("the hook asks {}", installed.socket.display()));
        match exposed(&installed.program) {
            Err(error) => self.note("program", false, format!("{}: {error}", installed.program.display())),
            Ok(found) if !found.is_empty() => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                self.note("program", false, found.join("; "));
            }
            Ok(_) if is_static(&installed.program)? => {
                self.note("program", true, format!("{} is static, and nobody else's", installed.program.display()));
            }
            Ok(_) => self.note(
                "program",
                false,
                format!(
                    "{} loads libraries, so LD_PRELOAD in a repository's settings replaces what it does",
                    installed.program.display()
                ),
            ),
        }
        Ok(())
    }

    fn managed(&mut self, file: &SettingsFile) -> Result<()> {
        let only = file.settings.get("allowManagedHooksOnly").and_then(Json::as_bool) == Some(true);
        let told =
            if only { "no other hook can change a call" } else { "another hook can change a call behind this one" };
        self.note("other hooks", only, told);
        let found = exposed(&file.path)?;
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let told = if found.is_empty() { "only root can change them".to_owned() } else { found.join("; ") };
        self.note("who can change the settings", found.is_empty(), told);
        Ok(())
    }

    async fn try_canary(&mut self, trial: &Trial, at: &DoctorAt, scope: Scope) -> Result<()> {
        let made = ask(at, "canary", Json::Null).await?;
        let word = made.get("word").and_then(Json::as_str).context("the gate made no canary")?;
        let sung = match trial.run(&at.program, scope, word).await {
            Ok(sung) => sung,
            Err(error) => {
                self.note(&format!("canary, {}", trial.name), false, format!("{error:#}"));
                return Ok(());
            }
        };
        let heard = ask(at, "heard", Json::object([("word", word)])).await?;
        let came = heard.get("heard").and_then(Json::as_bool) == Some(true);
        let told = sung.told.as_deref().is_some_and(|told| told.contains("canary") || told.contains("unknown_agent"));
        let whose = match heard.get("agent").and_then(Json::as_str) {
            Some(agent) => format!("as {agent}"),
            None => "as nobody: this user has no [[door]] in entities.toml".to_owned(),
        };
        let (holds, found) = match (sung.ran, came, told) {
            (true, _, _) => (false, "IT RAN".to_owned()),
            (false, true, true) => (true, format!("denied by the gate, {whose}, and the host told its model so")),
            (false, true, false) => (false, format!("the gate denied it ({whose}), but the host did not say so")),
            (false, false, _) => (false, format!("it did not run, but the gate was not asked. {}", sung.complaint)),
        };
        self.note(&format!("canary, {}", trial.name), holds, found);
        Ok(())
    }

    fn print(&self, output: &Output, holds: bool) {
        let checks = self.checks.iter().map(|check| {
            Json::object([
                ("check", Json::from(check.name.as_str())),
                ("holds", Json::Bool(check.holds)),
                ("found", Json::from(check.found.as_str())),
            ])
        });
        let json = Json::object([
            ("host", Json::from(NAME)),
            ("holds", Json::Bool(holds)),
            ("checks", Json::Array(checks.collect())),
        ]);
        output.print(&json, |output| {
            let word = |holds: bool| if holds { "ok".to_owned() } else { "FAIL".to_owned() };
            let rows: Vec<[String; 3]> =
                self.checks.iter().map(|check| [word(check.holds), check.name.clone(), check.found.clone()]).collect();
            let mut text = columns(&rows, |row, column, cell| {
                let good = self.checks.get(row).is_some_and(|check| check.holds);
                if column == 0 {
                    output.paint(if good { Tone::Good } else { Tone::Bad }, cell)
                } else {
                    cell.to_owned()
                }
            });
            text.push_str(match holds {
                true => "Proved: what the gate denies does not run in this host.\n",
                false => "Not proved.\n",
            });
            text
        });
    }
}

/// Whether the program is an ELF file that asks for no dynamic loader.
fn is_static(program: &Path) -> Result<bool> {
    const INTERPRETER: u32 = 3;
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    };
    // 64 bits, little-endian: what this program is built for on Linux.
    if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Ok(cfg!(target_os = "macos"));
    }
    let headers = (|| {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count).map(|at| number(usize::try_from(start + at * size).ok()?, 4)).collect::<Option<Vec<_>>>()
    })();
    Ok(headers.is_some_and(|kinds| !kinds.contains(&u64::from(INTERPRETER))))
}
