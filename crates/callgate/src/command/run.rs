//! `callgate run`: anything contained, and what it changed brought back as a whole or not at all.

mod review;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_sandbox::{
    Class, Exit, Finished, Host, Profile, Profiles, Request, Sink, Streams, WriteSet, compile, shown,
};
use callgate_text::Json;

use super::sandbox::{launcher, profiles, unknown};
use crate::cli::RunAt;
use crate::exit;
use crate::output::complain;

/// What a run that was ended by its limits exits with; as `timeout` does.
const TIMED_OUT: u8 = 124;
const LIMITED: u8 = 125;

pub(crate) fn run(at: &RunAt) -> Result<ExitCode> {
    let workspace = match &at.workspace {
        Some(folder) => folder.clone(),
        None => std::env::current_dir().context("the current directory")?,
    };
    // Whoever starts us chose this path, links and all; from here on it is the one without them.
    let workspace = workspace.canonicalize().with_context(|| workspace.display().to_string())?;
    let launcher = launcher();
    let host = launcher.probe()?;
    let profiles = profiles(at.gate.as_deref())?;
    let profile = profile(at.profile.as_deref(), &profiles, &host)?;
    let request = Request {
        command: at.command.clone(),
        workspace: Some(workspace),
        directory: None,
        environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
    };
    let plan = match compile(profile, &request, &host) {
        Ok(plan) => plan,
        Err(refusal) => bail!("{refusal}"),
    };
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok();
    let streams = Streams { stdin, stdout: Sink::Inherit, stderr: Sink::Inherit };
    let mut finished = launcher.launch(&plan, streams)?.wait()?;
    let written = std::mem::take(&mut finished.written);
    let sets: Vec<WriteSet> = written.into_iter().map(WriteSet::of).collect::<Result<_, _>>()?;
    if let Some(path) = &at.report {
        report(path, &finished, &sets)?;
    }
    let code = code(&finished.ending.exit);
    if !matches!(finished.ending.exit, Exit::Code(_)) {
        complain(&format!("callgate: {}", finished.ending.exit));
    }
    let settled = settle(at, sets, matches!(finished.ending.exit, Exit::Code(_)))?;
    Ok(if settled { code } else { exit::DENIED.into() })
}

/// The profile that was asked for, or the floor of this machine, with what it gives up.
fn profile<'a>(name: Option<&str>, profiles: &'a Profiles, host: &Host) -> Result<&'a Profile> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let Some((name, given_up)) = host.floor() else {
                bail!("nothing can be contained on this machine; `callgate sandbox probe` says why");
            };
            for part in given_up {
                complain(&format!("callgate: this machine gives no {part}; running under `{name}`"));
            }
            name.to_owned()
        }
    };
    profiles.get(&name).with_context(|| unknown(&name, profiles))
}

/// Commits or discards; `false` if there was something to commit and it was not.
fn settle(at: &RunAt, sets: Vec<WriteSet>, ended_by_itself: bool) -> Result<bool> {
    let mut settled = true;
    for set in sets {
        if set.changes().is_empty() || at.discard {
            continue;
        }
        let permitted: BTreeSet<Class> = at.permit.iter().copied().collect();
        if at.review {
            review::show(&set)?;
            if review::asked(&set)? {
                // A person has seen all of it.
                committed(set, &Class::ALL.into_iter().collect())?;
            } else {
                complain("callgate: nothing was committed");
                settled = false;
            }
            continue;
        }
        if !ended_by_itself {
            complain("callgate: the run was cut short, so nothing was committed");
            settled = false;
            continue;
        }
        let stopped: Vec<_> = set.changes().iter().filter(|change| !change.classes.is_subset(&permitted)).collect();
        for change in &stopped {
            let classes: Vec<&str> = change.classes.iter().map(|class| class.as_str()).collect();
            complain(&format!("callgate: {} {} ({})", change.op.as_str(), shown(&change.path), classes.join(", ")));
        }
        if stopped.is_empty() {
            committed(set, &permitted)?;
        } else {
            complain("callgate: nothing was committed: the changes above need a permit (--review, or --permit CLASS)");
            settled = false;
        }
    }
    Ok(settled)
}

fn committed(set: WriteSet, permitted: &BTreeSet<Class>) -> Result<()> {
    let folder = set.folder().display().to_string();
    let count = set.commit(permitted).context("nothing was committed")?;
    complain(&format!("callgate: {count} changes committed to {folder}"));
    Ok(())
}

fn code(exit: &Exit) -> ExitCode {
    match exit {
        Exit::Code(code) => ExitCode::from(u8::try_from(*code).unwrap_or(u8::MAX)),
        Exit::Signal(signal) => ExitCode::from(u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX)),
        Exit::TimedOut => ExitCode::from(TIMED_OUT),
        Exit::OutOfMemory | Exit::Limit(_) | Exit::OutputCap | Exit::Cancelled => ExitCode::from(LIMITED),
        Exit::Refused(_) => exit::INTERNAL.into(),
    }
}

fn report(path: &PathBuf, finished: &Finished, sets: &[WriteSet]) -> Result<()> {
    let usage = &finished.ending.usage;
    let number = |number: u64| Json::String(number.to_string());
    let written = sets.iter().map(|set| {
        Json::object([
            ("folder", Json::String(shown(set.folder()))),
            ("digest", Json::from(set.digest())),
            ("write_set", set.to_json()),
        ])
    });
    let json = Json::object([
        ("exit", Json::String(finished.ending.exit.word().to_owned())),
        ("detail", Json::String(finished.ending.exit.to_string())),
        ("got", finished.got.as_ref().map_or(Json::Null, callgate_sandbox::ReadBack::to_json)),
        ("wall_millis", number(usage.wall_millis)),
        ("cpu_micros", number(usage.cpu_micros)),
        ("peak_kib", number(usage.peak_kib)),
        ("stdout", number(usage.stdout)),
        ("stderr", number(usage.stderr)),
        ("written", Json::Array(written.collect())),
    ]);
    let mut bytes = json.canonical();
    bytes.push(b'\n');
    std::fs::write(Path::new(path), bytes).with_context(|| path.display().to_string())
}
