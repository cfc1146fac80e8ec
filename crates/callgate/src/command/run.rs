//! `callgate run`: anything contained, and what it changed brought back as a whole or not at all.

mod governed;
pub(crate) mod report;
mod review;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_sandbox::{
    Class, Exit, Finished, Host, Journals, Profile, Profiles, Request, Running, Sink, Streams, WriteSet, compile, shown,
};

use super::sandbox::{launcher, profiles, unknown};
use crate::cli::RunAt;
use crate::exit;
use crate::output::complain;
use crate::place;
use governed::Governed;

/// What a run that was ended by its limits exits with; as `timeout` does.
const TIMED_OUT: u8 = 124;
const LIMITED: u8 = 125;

pub(crate) async fn run(at: &RunAt) -> Result<ExitCode> {
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
        workspace: Some(workspace.clone()),
        environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
        ..Request::default()
    };
    let plan = match compile(profile, &request, &host) {
        Ok(plan) => plan,
        Err(refusal) => bail!("{refusal}"),
    };
    if journals()?.recover(&workspace)? {
        complain("callgate: a commit that was interrupted has been taken back");
    }
    // Only what can be contained is asked for; and what is not allowed never starts.
    let governed = match Governed::ask(at, profile, &workspace).await? {
        Ok(governed) => governed,
        Err(denied) => {
            complain(&format!("callgate: {denied}"));
            return Ok(exit::DENIED.into());
        }
    };
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok();
    let streams = Streams { stdin, stdout: Sink::Inherit, stderr: Sink::Inherit };
    // Somebody sits there. Without a terminal of its own, what runs could not be worked with.
    let (plan, kept) = match terminal::Kept::of_caller() {
        Some(kept) => (plan.with_terminal(), Some(kept)),
        None => (plan, None),
    };
    let ended = async {
        let running = launcher.launch(&plan, streams)?;
        let mut finished = waited(running).await?;
        drop(kept);
        let written = std::mem::take(&mut finished.written);
        let sets: Vec<WriteSet> = written.into_iter().map(WriteSet::of).collect::<Result<_, _>>()?;
        if let Some(path) = &at.report {
            report::write(path, &finished, &sets)?;
        }
        anyhow::Ok((finished, sets))
    };
    let (finished, sets) = match ended.await {
        Ok(ended) => ended,
        Err(error) => {
            governed.lost().await;
            return Err(error);
        }
    };
    let exit = &finished.ending.exit;
    if !matches!(exit, Exit::Code(_)) {
        complain(&format!("callgate: {exit}"));
    }
    let settled = settle(at, &governed, report::for_log(&finished, &sets), sets, matches!(exit, Exit::Code(_))).await;
    Ok(if settled? { code(exit) } else { exit::DENIED.into() })
}

fn journals() -> Result<Journals> {
    place::journals().map(Journals::at)
}

async fn waited(running: Running) -> Result<Finished> {
    Ok(tokio::task::spawn_blocking(|| running.wait()).await.context("the wait for the run failed")??)
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

/// Reports how the run went, then commits or discards; `false` if there was something to commit and it was not.
async fn settle(
    at: &RunAt,
    governed: &Governed,
    report: callgate_core::RunReport,
    sets: Vec<WriteSet>,
    ended_by_itself: bool,
) -> Result<bool> {
    governed.ended(report, ended_by_itself).await?;
    let mut settled = true;
    for set in sets {
        if set.changes().is_empty() || at.discard {
            continue;
        }
        if at.review {
            review::show(&set)?;
            if !review::asked(&set)? {
                complain("callgate: nothing was committed");
                settled = false;
                continue;
            }
        } else if !ended_by_itself {
            complain("callgate: the run was cut short, so nothing was committed");
            settled = false;
            continue;
        }
        settled &= match governed {
            Governed::By(gate) => gate.commit(set).await?,
            // A person has seen all of it.
            Governed::Alone if at.review => committed(set, &Class::ALL.into_iter().collect()).map(|()| true)?,
            Governed::Alone => permitted(at, set)?,
        };
    }
    Ok(settled)
}

/// Without a gate, what needs a permit of its own has it from the command line or stops the commit.
fn permitted(at: &RunAt, set: WriteSet) -> Result<bool> {
    let permitted: BTreeSet<Class> = at.permit.iter().copied().collect();
    if !stopped(&set, &permitted) {
        return committed(set, &permitted).map(|()| true);
    }
    complain("callgate: nothing was committed: the changes above need a permit (--review, or --permit CLASS)");
    Ok(false)
}

/// Shows the changes that need a permit beside those that are given; `false` if there are none.
fn stopped(set: &WriteSet, permitted: &BTreeSet<Class>) -> bool {
    let mut any = false;
    for change in set.changes().iter().filter(|change| !change.classes.is_subset(permitted)) {
        let classes: Vec<&str> = change.classes.iter().map(|class| class.as_str()).collect();
        complain(&format!("callgate: {} {} ({})", change.op.as_str(), shown(&change.path), classes.join(", ")));
        any = true;
    }
    any
}

fn committed(set: WriteSet, permitted: &BTreeSet<Class>) -> Result<()> {
    let folder = set.folder().display().to_string();
    let count = set.commit(permitted, &journals()?).context("nothing was committed")?;
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
