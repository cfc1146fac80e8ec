//! `callgate reload`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use callgate_text::Json;

use crate::cli::Place;
use crate::desk;
use crate::exit;
use crate::output::{Output, complain};
use crate::place::State;

pub(crate) async fn run(output: &Output, place: &Place) -> Result<ExitCode> {
    let state = State::of(place)?;
    match desk::ask_running(&state, "reload", Json::Null).await {
        Ok(Some(answer)) => {
            let policy = answer.get("policy").and_then(Json::as_str).unwrap_or_default().to_owned();
            output.print(&answer, |_| format!("policy {policy} is in force"));
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => bail!("no gate is running: start it with `callgate serve {}`", place.gate.display()),
        Err(error) => {
            complain(&format!("{error:#}\nThe last good policy stays in force."));
            Ok(exit::CHECK_FAILED.into())
        }
    }
}
