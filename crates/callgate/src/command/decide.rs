//! `callgate decide` and `callgate explain`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result};
use callgate_core::Decision;
use callgate_text::{Json, MAX_BYTES};

use crate::cli::Place;
use crate::desk;
use crate::exit;
use crate::output::{Output, Tone, harmless, tone};
use crate::place::State;

/// Decides and records the call on standard input.
pub(crate) async fn decide(output: &Output, place: &Place) -> Result<ExitCode> {
    let answer = desk::ask(place, "decide_as", desk::call_body(place, &read()?)).await?;
    let decision = decision(&answer)?;
    output.print(&answer, |output| {
        let mut text = verdict_text(output, &answer, decision);
        let index = answer.get("receipt").and_then(|receipt| receipt.get("index")).and_then(Json::as_i64);
        let recorded = index.map_or_else(|| "not recorded".to_owned(), |index| format!("record {index}"));
        let id = answer.get("id").and_then(Json::as_str).unwrap_or_default();
        text.push_str(&output.paint(Tone::Faint, &format!("  decision {id}, {recorded}")));
        text
    });
    Ok(exit::of(decision))
}

/// Shows how the call on standard input would be decided.
pub(crate) async fn explain(output: &Output, place: &Place) -> Result<ExitCode> {
    let body = desk::call_body(place, &read()?);
    let running = match State::of(place) {
        Ok(state) => desk::ask_running(&state, "explain", body.clone()).await?,
        Err(_) => None,
    };
    let explained = match running {
        Some(explained) => explained,
        None => desk::explain_from(&place.gate, &body).await?,
    };
    let verdict = explained.get("verdict").context("an explanation without a verdict")?;
    let decision = decision(verdict)?;
    output.print(&explained, |output| {
        let mut text = verdict_text(output, verdict, decision);
        if let Some(trace) = explained.get("trace") {
            outline(&mut text, trace, 1);
        }
        text
    });
    Ok(exit::of(decision))
}

/// No more than a call may have, and one byte, so that a longer one is refused as too long.
fn read() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES)? + 1;
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).context("standard input")?;
    Ok(bytes)
}

/// An answer without a known decision is the gate's failure, not an allow.
fn decision(answer: &Json) -> Result<Decision> {
    let word = answer.get("decision").and_then(Json::as_str);
    word.and_then(Decision::from_word).context("an answer without a decision")
}

fn verdict_text(output: &Output, verdict: &Json, decision: Decision) -> String {
    let mut text = output.paint(tone(decision), decision.as_str());
    text.push('\n');
    for reason in verdict.get("reasons").and_then(Json::as_array).unwrap_or_default() {
        let word = |key| reason.get(key).and_then(Json::as_str);
        let code = word("code").unwrap_or_default();
        text.push_str(&format!("  {code}: {}", harmless(word("message").unwrap_or_default())));
        if let (Some(policy), Some(at)) = (word("policy"), word("at")) {
            text.push_str(&output.paint(Tone::Faint, &format!("  [{policy}, {at}]")));
        }
        text.push('\n');
    }
    if let Some(hint) = verdict.get("hint").and_then(Json::as_str) {
        text.push_str(&format!("  {hint}\n"));
    }
    text
}

/// A JSON value as an indented outline.
fn outline(text: &mut String, value: &Json, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(object) => {
            for (key, value) in object.iter() {
                item(text, &indent, key, value, depth);
            }
        }
        Json::Array(items) => {
            for value in items {
                item(text, &indent, "-", value, depth);
            }
        }
        leaf => text.push_str(&format!("{indent}{}\n", plain(leaf))),
    }
}

fn item(text: &mut String, indent: &str, key: &str, value: &Json, depth: usize) {
    match value {
        Json::Object(object) if !object.is_empty() => {
            text.push_str(&format!("{indent}{key}\n"));
            outline(text, value, depth + 1);
        }
        Json::Array(items) if !items.is_empty() => {
            text.push_str(&format!("{indent}{key}\n"));
            outline(text, value, depth + 1);
        }
        leaf => text.push_str(&format!("{indent}{key} {}\n", plain(leaf))),
    }
}

fn plain(leaf: &Json) -> String {
    match leaf {
        Json::String(string) => string.escape_debug().to_string(),
        other => String::from_utf8_lossy(&other.canonical()).into_owned(),
    }
}
