//! `callgate status`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use callgate_text::{Json, Object};

use crate::cli::Place;
use crate::desk;
use crate::exit;
use crate::output::{Output, Tone};
use crate::place::State;

pub(crate) async fn run(output: &Output, place: &Place) -> Result<ExitCode> {
    let state = State::of(place)?;
    let Some(status) = desk::ask_running(&state, "status", Json::Null).await? else {
        bail!("no gate is running: start it with `callgate serve {}`", place.gate.display());
    };
    let well = status.get("well").and_then(Json::as_bool) == Some(true);
    output.print(&status, |output| text(output, &status, well));
    Ok(if well { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
}

fn text(output: &Output, status: &Json, well: bool) -> String {
    let word = |key: &str| match status.get(key) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let log = |key: &str| match status.get("log").and_then(|log| log.get(key)) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let posture = match word("posture").as_str() {
        "advisory" => output.paint(Tone::Caution, "advisory: an agent runs as the gate's own user, or as root"),
        other => other.to_owned(),
    };
    let mut text = format!(
        "mode      {}\nposture   {posture}\npolicy    {} ({} policies, {} agents, {} tools)\nlog       {} ({} records, {} under a checkpoint)\n",
        word("mode"),
        word("policy"),
        word("policies"),
        word("agents"),
        word("tools"),
        log("origin"),
        log("size"),
        log("checkpoint"),
    );
    for (host, proof) in status.get("proofs").and_then(Json::as_object).into_iter().flat_map(Object::iter) {
        let word = |key| proof.get(key).and_then(Json::as_str).unwrap_or_default();
        let holds = proof.get("holds").and_then(Json::as_bool) == Some(true);
        let found = if holds { "denials were proved" } else { "denials could NOT be proved" };
        text.push_str(&format!("proof     {host}: {found} {} on version {}\n", word("at"), word("version")));
    }
    match well {
        true => text.push_str(&output.paint(Tone::Good, "well")),
        false => {
            for wrong in status.get("wrong").and_then(Json::as_array).unwrap_or_default() {
                text.push_str(&output.paint(Tone::Bad, wrong.as_str().unwrap_or_default()));
                text.push('\n');
            }
            for host in status.get("unproved").and_then(Json::as_array).unwrap_or_default() {
                let host = host.as_str().unwrap_or_default();
                let unproved = format!("the door {host} enforces, and that is not proved: run `callgate doctor`");
                text.push_str(&output.paint(Tone::Bad, &unproved));
                text.push('\n');
            }
        }
    }
    text
}
