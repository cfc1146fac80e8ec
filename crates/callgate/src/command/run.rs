//! `callgate run`: anything contained, and what it changed brought back as a whole or not at all.

mod apart;
mod governed;
mod interrupt;
pub(crate) mod report;
mod review;
mod terminal;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_sandbox::{
    Class, Exit, Finished, Host, Journals, Profile, Profiles, Request, Running, Sink, Streams, WriteSet, compile, shown,
};

use super::sandbox::{launcher, profiles, unknown};
use crate::cli::RunAt;
use crate::output::{Output, complain};
use crate::place;
use governed::Governed;
use interrupt::Interrupts;
use report::Walked;
use told::{Changes, Told};

/// Standard output is the program's, and so what is said of the run goes to standard error, for programs as the last
/// line there.
pub(crate) async fn run(output: &Output, at: &RunAt) -> ExitCode {
    let told = contained(at).await.unwrap_or_else(Told::Failed);
    if !matches!(told, Told::Ended { .. })
        && let Some(detail) = told.detail()
    {
        complain(&format!("callgate: {detail}"));
    }
    if output.is_json() {
        if told.spoke() {
            // What the program said need not end with a line of its own.
            complain("");
        }
        complain(&String::from_utf8_lossy(&told.json().canonical()));
    }
    told.code()
}

async fn contained(at: &RunAt) -> Result<Told> {
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
    apart::keep(at, &workspace, profile)?;
    let request = Request {
        command: at.command.clone(),
        workspace: Some(workspace.clone()),
        environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
        ..Request::default()
    };
    let plan = match compile(profile, &request, &host) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Told::Refused(refusal)),
    };
    // Where it cannot be written, nothing starts.
    let report = match &at.report {
        Some(path) => Some((path, File::create(path).with_context(|| path.display().to_string())?)),
        None => None,
    };
    if journals()?.recover(&workspace)? {
        complain("callgate: a commit that was interrupted has been taken back");
    }
    // Only what can be contained is asked for; and what is not allowed never starts.
    let governed = match Governed::ask(at, profile, &workspace).await? {
        Ok(governed) => governed,
        Err(denied) => {
            if let Some((path, file)) = report {
                report::write_denied(file, &denied).with_context(|| path.display().to_string())?;
            }
            return Ok(Told::Denied(denied));
        }
    };
    let interrupts = Interrupts::listen()?;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok();
    let streams = Streams { stdin, stdout: Sink::Inherit, stderr: Sink::Inherit };
    // Somebody sits there. Without a terminal of its own, what runs could not be worked with.
    let (plan, kept) = match terminal::Kept::of_caller() {
        Some(kept) => (plan.with_terminal(), Some(kept)),
        None => (plan, None),
    };
    let ended = async {
        let running = launcher.launch(&plan, streams)?;
        let mut finished = waited(running, &interrupts).await?;
        drop(kept);
        let written = std::mem::take(&mut finished.written);
        let walked = Walked::of(written);
        if let Some((path, file)) = report {
            report::write(file, &finished, &walked).with_context(|| path.display().to_string())?;
        }
        anyhow::Ok((finished, walked))
    };
    let (finished, walked) = match ended.await {
        Ok(ended) => ended,
        Err(error) => {
            governed.lost().await;
            return Err(error);
        }
    };
    let by_itself = matches!(finished.ending.exit, Exit::Code(_));
    if !by_itself {
        complain(&format!("callgate: {}", finished.ending.exit));
    }
    governed.ended(report::for_log(&finished, &walked), by_itself).await?;
    let changes = match walked.failed {
        Some(why) => {
            complain(&format!("callgate: nothing was committed: {why}"));
            Changes::KeptOut
        }
        None => settle(at, &governed, walked.sets, by_itself, &interrupts).await?,
    };
    let spoke = finished.ending.usage.stderr > 0;
    Ok(Told::Ended { exit: finished.ending.exit, signal: interrupts.heard(), changes, spoke })
}

fn journals() -> Result<Journals> {
    place::journals().map(Journals::at)
}

/// Waits for the end, which comes early if somebody wants it to.
async fn waited(running: Running, interrupts: &Interrupts) -> Result<Finished> {
    let canceller = running.canceller()?;
    let mut ended = tokio::task::spawn_blocking(|| running.wait());
    let ended = tokio::select! {
        ended = &mut ended => ended,
        () = interrupts.come() => {
            canceller.cancel();
            ended.await
        }
    };
    Ok(ended.context("the wait for the run failed")??)
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

/// Commits the changes or discards them.
async fn settle(
    at: &RunAt,
    governed: &Governed,
    sets: Vec<WriteSet>,
    by_itself: bool,
    interrupts: &Interrupts,
) -> Result<Changes> {
    let mut changes = Changes::None;
    for set in sets {
        if set.changes().is_empty() || at.discard {
            continue;
        }
        // Whoever has just broken it off is not asked what to keep: nothing.
        let broken_off = interrupts.heard().is_some();
        let asks = at.review && !broken_off;
        let wanted = match asks {
            true => {
                review::show(&set)?;
                tokio::select! {
                    wanted = review::wanted(&set) => wanted?,
                    () = interrupts.come() => false,
                }
            }
            false => by_itself && !broken_off,
        };
        let committed = match governed {
            _ if !wanted => {
                let why = if asks { "" } else { "the run was cut short, so " };
                complain(&format!("callgate: {why}nothing was committed"));
                false
            }
            Governed::By(gate) => gate.commit(set).await?,
            // A person has seen all of it.
            Governed::Alone if asks => committed(set, &Class::ALL.into_iter().collect()).map(|()| true)?,
            Governed::Alone => permitted(at, set)?,
        };
        changes = changes.and(if committed { Changes::Committed } else { Changes::KeptOut });
    }
    Ok(changes)
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
