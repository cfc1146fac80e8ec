//! `callgate install` and `callgate uninstall`: the hook in a host's settings, and what it does there.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_core::DoorName;
use callgate_doors::hook::claude_code::NAME;
use callgate_policy::{Exposure, Mode, exposed, render, with_mode};
use callgate_text::{Json, Object};

use crate::cli::{Host, InstallAt, Place, UninstallAt};
use crate::desk;
use crate::host::claude_code::{self, Installed, Version};
use crate::host::{Scope, SettingsFile, difference};
use crate::output::{Output, Tone};
use crate::place::{self, State};
use crate::replaced::Replaced;

pub(crate) async fn install(output: &Output, at: &InstallAt) -> Result<ExitCode> {
    let Host::ClaudeCode = at.host;
    let scope = scope(at.user);
    let version = Version::of(&at.program)?;
    let door: DoorName = NAME.parse()?;
    let gate = Configured::read(&at.place.gate, &door)?;
    let mode = at.mode.map(Mode::from).or(gate.as_ref().and_then(|gate| gate.mode)).unwrap_or(Mode::Observe);
    let installed = Installed {
        program: program(scope)?,
        socket: std::path::absolute(place::socket(&at.place)?)?,
        credential: at.credential.as_deref().map(std::path::absolute).transpose()?,
        mode,
    };
    let file = claude_code::settings(scope)?;
    let settings = installed.added_to(&file.settings, scope)?;
    let configuration = gate.map(|gate| gate.with(&door, mode)).transpose()?.flatten();

    let mut changes: Vec<String> = file.difference(&settings).into_iter().collect();
    changes.extend(configuration.as_ref().map(Rewritten::difference));
    if !at.dry_run {
        // The gate first: until the hook stands, its mode acts on nothing.
        if let Some(configuration) = &configuration {
            configuration.write()?;
            taken(&at.place).await?;
        }
        if settings != file.settings {
            write(&file, &settings, scope)?;
        }
    }
    let told = Told { scope, file: &file, mode: Some(mode), changes: &changes, dry_run: at.dry_run };
    output.print(&told.json(Some(version)), |output| {
        let mut text = told.text(output);
        if !at.dry_run {
            text.push_str(next(scope, mode));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// What is said to be enforced is enforced now, not after the quiet that a running gate waits for.
async fn taken(place: &Place) -> Result<()> {
    let reloaded = desk::ask_running(&State::of(place)?, "reload", Json::Null).await;
    reloaded.context("callgate.toml is written, but the running gate did not take it")?;
    Ok(())
}

pub(crate) fn uninstall(output: &Output, at: &UninstallAt) -> Result<ExitCode> {
    let Host::ClaudeCode = at.host;
    let scope = scope(at.user);
    let file = claude_code::settings(scope)?;
    let mut settings = claude_code::without(&file.settings);
    let before = SettingsFile::read(file.backup())?;
    if settings != file.settings && scope == Scope::Managed && before.settings.get("allowManagedHooksOnly").is_none() {
        settings.remove("allowManagedHooksOnly");
    }
    let changes: Vec<String> = file.difference(&settings).into_iter().collect();
    if !changes.is_empty() && !at.dry_run {
        write(&file, &settings, scope)?;
    }
    let told = Told { scope, file: &file, mode: None, changes: &changes, dry_run: at.dry_run };
    output.print(&told.json(None), |output| told.text(output));
    Ok(ExitCode::SUCCESS)
}

fn scope(user: bool) -> Scope {
    if user { Scope::User } else { Scope::Managed }
}

fn write(file: &SettingsFile, settings: &Object, scope: Scope) -> Result<()> {
    file.write(settings).with_context(|| match scope {
        Scope::Managed => "the machine's settings are root's: run this with sudo, or --user for an advisory hook",
        Scope::User => "the user's settings",
    })
}

/// This program. Whoever can replace it can replace what it decides.
fn program(scope: Scope) -> Result<PathBuf> {
    let program = std::env::current_exe()?.canonicalize()?;
    let found = exposed(&program)?;
    if scope == Scope::Managed && !found.is_empty() {
        bail!(
            "others can replace {}:\n{}Copy it to where only root can, and run that one:\n  sudo install -m 755 {0} \
             /usr/local/bin/callgate",
            program.display(),
            render(&found, false)
        );
    }
    Ok(program)
}

fn next(scope: Scope, mode: Mode) -> &'static str {
    match (scope, mode) {
        (_, Mode::Observe) => {
            "It only watches: what policy would deny is recorded as would_deny, and runs. Look at `callgate audit report`, \
             then say\n  callgate install claude-code --mode enforce\n"
        }
        (Scope::Managed, Mode::Enforce) => "Prove it:\n  callgate doctor\n",
        (Scope::User, Mode::Enforce) => {
            "Advisory: whoever runs as this user can take it away again, and so can a repository's own settings. \
             Without --user it is enforced.\n"
        }
    }
}

/// `callgate.toml` of the gate that the hook will ask.
struct Configured {
    path: PathBuf,
    text: String,
    /// What it says of the door, if it says anything.
    mode: Option<Mode>,
    locked: bool,
}

impl Configured {
    /// `None` if there is no gate directory here: only its socket is known.
    fn read(gate: &Path, door: &DoorName) -> Result<Option<Self>> {
        let path = gate.join("callgate.toml");
        if !path.exists() {
            return Ok(None);
        }
        let config = crate::assembly::load(gate, Exposure::Warn)?.last_good().config().clone();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mode = config.doors.get(door).copied();
        Ok(Some(Self { path, text, mode, locked: gate.join("gate.lock").exists() }))
    }

    /// The text in which the door has this mode, if that is another one.
    fn with(self, door: &DoorName, mode: Mode) -> Result<Option<Rewritten>> {
        let by_hand = format!("set `{door} = \"{}\"` below `[doors]` in {}", mode.as_str(), self.path.display());
        if self.mode == Some(mode) {
            return Ok(None);
        }
        if self.locked {
            bail!("gate.lock pins the configuration: {by_hand} yourself, and run `callgate policy check --lock`");
        }
        let after = with_mode(&self.text, door, mode).with_context(|| format!("cannot be changed here: {by_hand}"))?;
        Ok(Some(Rewritten { path: self.path, before: self.text, after }))
    }
}

struct Rewritten {
    path: PathBuf,
    before: String,
    after: String,
}

impl Rewritten {
    fn difference(&self) -> String {
        difference(&self.path, &self.before, &self.after)
    }

    fn write(&self) -> Result<()> {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&self.path)?.permissions());
        Replaced { draft_in: None, mode: mode & 0o777 }.write(&self.path, &self.after)
    }
}

/// What was done, or would be.
struct Told<'a> {
    scope: Scope,
    file: &'a SettingsFile,
    mode: Option<Mode>,
    changes: &'a [String],
    dry_run: bool,
}

impl Told<'_> {
    fn posture(&self) -> &'static str {
        match self.mode {
            Some(Mode::Observe) => "observing",
            Some(Mode::Enforce) => self.scope.posture(),
            None => "the hook is gone",
        }
    }

    fn json(&self, version: Option<Version>) -> Json {
        let mut members = vec![
            ("host", Json::from(NAME)),
            ("scope", Json::from(self.scope.as_str())),
            ("file", Json::from(self.file.path.display().to_string())),
            ("changed", Json::Bool(!self.changes.is_empty() && !self.dry_run)),
            ("difference", Json::from(self.changes.to_vec())),
        ];
        if let Some(mode) = self.mode {
            members.extend([("mode", Json::from(mode.as_str())), ("posture", Json::from(self.posture()))]);
        }
        members.extend(version.map(|version| ("version", Json::from(version.to_string()))));
        if self.file.backup().exists() {
            members.push(("backup", Json::from(self.file.backup().display().to_string())));
        }
        Json::object(members)
    }

    fn text(&self, output: &Output) -> String {
        if self.changes.is_empty() {
            return format!("{} is as it should be; nothing was changed.\n", self.file.path.display());
        }
        let mut text: String =
            self.changes.iter().flat_map(|change| change.lines()).fold(String::new(), |text, line| {
                let tone = match line.as_bytes().first() {
                    Some(b'+') => Tone::Good,
                    Some(b'-') => Tone::Bad,
                    _ => Tone::Faint,
                };
                text + &output.paint(tone, line) + "\n"
            });
        match self.dry_run {
            true => text.push_str("Nothing was changed.\n"),
            false => text.push_str(&format!("{} is written ({}).\n", self.file.path.display(), self.posture())),
        }
        text
    }
}
