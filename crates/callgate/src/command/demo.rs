//! `callgate demo`: prints what the demo showed.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::demo::{self, Report};
use crate::exit;
use crate::output::{Output, Tone, columns};

pub(crate) async fn run(output: &Output, gate: Option<&Path>) -> Result<ExitCode> {
    if !output.is_json() {
        println!("A gate starts on a copy of the quickstart; each agent gets a credential and a door of its own.\n");
    }
    let report = demo::run(gate).await?;
    let json = serde_json::json!({
        "rows": report.outcomes.iter().map(demo::Outcome::to_json).collect::<Vec<_>>(),
        "uncontained": report.uncontained,
        "failures": report.failures,
        "log": report.verified.first(),
        "tools_log": report.verified.get(1),
    });
    // One row's arguments are what the strict parser refuses, so this document is not printed by it.
    match output.is_json() {
        true => println!("{json}"),
        false => println!("{}", text(output, &report)),
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
}

fn text(output: &Output, report: &Report) -> String {
    let heading = ["agent", "call", "decision", "reason", "time"].map(str::to_owned);
    let mut rows = vec![heading];
    rows.extend(report.outcomes.iter().map(demo::Outcome::cells));
    let mut text = columns(&rows, |row, column, cell| {
        let outcome = row.checked_sub(1).and_then(|row| report.outcomes.get(row));
        match (outcome, column) {
            (None, _) => output.paint(Tone::Faint, cell),
            (Some(outcome), 2) if !outcome.as_expected() => output.paint(Tone::Caution, cell),
            (Some(_), 2) if cell == "allow" => output.paint(Tone::Good, cell),
            (Some(_), 2) => output.paint(Tone::Bad, cell),
            _ => cell.to_owned(),
        }
    });
    if let Some(denial) = report.outcomes.iter().find(|outcome| outcome.is_worth_reading()) {
        text.push_str(&format!("\nWhat the model reads after a denial:\n  {}\n", denial.answer()));
    }
    let allowed = report.outcomes.iter().filter(|outcome| outcome.ran_by_its_answer()).count();
    let denied = report.outcomes.len() - allowed;
    text.push_str(&format!(
        "\n{allowed} calls went through, {denied} did not; the servers' own journals and the workspaces agree.\n"
    ));
    if let Some(why) = &report.uncontained {
        text.push_str(&output.paint(Tone::Caution, &format!("Nothing was run contained: {why}.\n")));
    }
    let sizes: Option<Vec<u64>> = report.verified.iter().map(|log| log.get("size")?.as_u64()).collect();
    if let Some(sizes) = sizes {
        let verify = if sizes.len() == 1 { "The log verifies" } else { "The logs verify" };
        let size: u64 = sizes.iter().sum();
        text.push_str(&format!("{verify}: {size} records, signed, durable before each call was released.\n"));
    }
    if report.failures.is_empty() {
        text.push_str(&output.paint(Tone::Good, "Every decision was the expected one."));
    } else {
        text.push_str(&output.paint(Tone::Bad, "Not as it must be:"));
        for failure in &report.failures {
            text.push_str(&format!("\n  {failure}"));
        }
    }
    text
}
