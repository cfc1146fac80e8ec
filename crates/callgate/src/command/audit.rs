//! `callgate audit …`: reading, verifying and exporting the log. Only `erase` and changes of the
//! key need a gate; everything else reads files, with no network.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use callgate_audit::note::VerifierKey;
use callgate_audit::{AuditError, Evidence, LogDir, Opening, Reader, Shown, TlogProof, VerifyOptions, verify};
use callgate_text::Json;

use crate::cli::{Audit, LogPlace, Place};
use crate::command::report;
use crate::desk;
use crate::exit;
use crate::output::{Output, Tone, complain, harmless};
use crate::place::State;

pub(crate) async fn run(output: &Output, audit: Audit) -> Result<ExitCode> {
    match audit {
        Audit::Tail { lines, log } => tail(output, lines, &log)?,
        Audit::Show { index, log } => show(output, index, &log)?,
        Audit::Verify { key, checkpoint, log } => return verify_log(output, &key, checkpoint.as_deref(), &log),
        Audit::Prove { index, out, evidence, open, log } => {
            if evidence || !open.is_empty() {
                prove_evidence(output, index, &open, out.as_deref(), &log)?;
            } else {
                prove(output, index, out.as_deref(), &log)?;
            }
        }
        Audit::Check { file, leaf, key } => return check(output, &file, leaf.as_deref(), &key),
        Audit::Export { from, disclose, log } => export(from, disclose, &log)?,
        Audit::Report { log } => print_report(output, &log)?,
        Audit::Erase { agent, session, index, place } => erase(output, agent, session, index, &place).await?,
        Audit::Key { rotate, retire, place } => key(output, rotate, retire, &place).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn log_dir(log: &LogPlace) -> Result<LogDir> {
    let root = match &log.log {
        Some(root) => root.clone(),
        None => State::of(&log.place)?.log(),
    };
    Ok(LogDir::open(&root)?)
}

fn tail(output: &Output, lines: u64, log: &LogPlace) -> Result<()> {
    let dir = log_dir(log)?;
    let shown = Reader::open(&dir).tail(lines)?;
    let json = Json::Array(shown.iter().map(|shown| shown.to_json(dir.origin())).collect());
    output.print(&json, |output| shown.iter().map(|shown| line(output, shown)).collect());
    Ok(())
}

fn line(output: &Output, shown: &Shown) -> String {
    let word = |key: &str| shown.leaf.get(key).and_then(Json::as_str).unwrap_or_default();
    let decision = match word("decision") {
        "allow" => output.paint(Tone::Good, "allow"),
        word @ ("escalate" | "would_deny") => output.paint(Tone::Caution, word),
        "" => shown
            .leaf
            .get("details")
            .and_then(|details| details.get("status"))
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned(),
        other => output.paint(Tone::Bad, other),
    };
    let reasons = shown.leaf.get("reasons").and_then(Json::as_array).unwrap_or_default();
    let reasons: Vec<_> = reasons
        .iter()
        .map(|reason| {
            let word = |key: &str| reason.get(key).and_then(Json::as_str);
            match (word("code"), word("policy")) {
                (Some(code), Some(policy)) => format!("{code} [{policy}]"),
                (code, _) => code.unwrap_or_default().to_owned(),
            }
        })
        .collect();
    let words = [
        format!("{:>6}", shown.index),
        word("at").to_owned(),
        word("kind").to_owned(),
        decision,
        word("agent").to_owned(),
        word("tool").to_owned(),
        reasons.join(", "),
    ];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ") + "\n"
}

fn show(output: &Output, index: u64, log: &LogPlace) -> Result<()> {
    let dir = log_dir(log)?;
    let reader = Reader::open(&dir);
    let shown = reader.record(index)?;
    let json = disclosed(&reader, &dir, &shown)?;
    output.print(&json, |output| {
        let mut text = line(output, &shown);
        for (name, value) in json.get("disclosed").and_then(Json::as_object).into_iter().flat_map(|all| all.iter()) {
            let value = harmless(&String::from_utf8_lossy(&value.canonical()));
            text.push_str(&format!("        {name} {value}\n"));
        }
        for name in json.get("erased").and_then(Json::as_array).unwrap_or_default() {
            text.push_str(&format!("        {} (erased)\n", name.as_str().unwrap_or_default()));
        }
        text
    });
    Ok(())
}

/// `{log, index, record, disclosed: {name: value}, erased: [name]}`.
fn disclosed(reader: &Reader, dir: &LogDir, shown: &Shown) -> Result<Json> {
    let (mut open, mut erased) = (Vec::new(), Vec::new());
    for (name, opening) in reader.openings(shown)? {
        match opening {
            Opening::Open(disclosure) => {
                open.push((name, Json::parse_within(&disclosure.value, disclosure.value.len())?))
            }
            Opening::Gone => erased.push(Json::from(name)),
        }
    }
    let mut json = shown.to_json(dir.origin());
    if let Json::Object(object) = &mut json {
        object.set("disclosed", Json::object(open));
        object.set("erased", Json::Array(erased));
    }
    Ok(json)
}

/// A log that does not verify is a check that failed; one that cannot be read is an error.
fn verify_log(output: &Output, keys: &[String], checkpoint: Option<&Path>, log: &LogPlace) -> Result<ExitCode> {
    let dir = log_dir(log)?;
    let own_key = keys.is_empty();
    let keys = match own_key {
        true => dir.trusted_keys()?,
        false => parse_keys(keys)?,
    };
    let saved = checkpoint.map(|path| std::fs::read(path).with_context(|| path.display().to_string())).transpose()?;
    let options = VerifyOptions { keys, saved: saved.into_iter().collect(), disclosures: true };
    match verify(&dir, &options) {
        Ok(verified) => {
            let json = verified.to_json();
            output.print(&json, |output| {
                let mut text = output.paint(Tone::Good, "verified");
                text.push_str(&format!(
                    "  {}: {} records under the checkpoint, {} behind it\n",
                    verified.checkpoint.origin, verified.checkpoint.size, verified.unsigned
                ));
                if let Some(values) = &verified.disclosures {
                    text.push_str(&format!(
                        "{} values can be opened, {} were erased or lost as the log says, {} belong to no record\n",
                        values.open,
                        values.gone.min(values.recorded),
                        values.stray
                    ));
                    if !values.is_sound() {
                        let unsound = format!(
                            "{} values are missing and no record says why, {} are not what was committed to",
                            values.unexplained(),
                            values.changed
                        );
                        text.push_str(&output.paint(Tone::Bad, &unsound));
                        text.push('\n');
                    }
                }
                if own_key {
                    text.push_str(
                        "The key came from beside the log. To prove more, give the key you were given: --key\n",
                    );
                }
                text
            });
            let sound = verified.disclosures.is_none_or(|values| values.is_sound());
            Ok(if sound { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
        }
        Err(error @ (AuditError::Tampered(_) | AuditError::Note { .. })) => {
            let json = Json::object([("error", error.to_string())]);
            if output.is_json() {
                output.print(&json, |_| String::new());
            }
            complain(&format!("callgate: {error}"));
            Ok(exit::CHECK_FAILED.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn prove(output: &Output, index: u64, out: Option<&Path>, log: &LogPlace) -> Result<()> {
    let proven = Reader::open(&log_dir(log)?).prove(index)?;
    let proof = proven.proof.to_string();
    match out {
        Some(path) => {
            std::fs::write(path, proof).with_context(|| path.display().to_string())?;
            let json = Json::object([("file", path.display().to_string())]);
            output.print(&json, |_| format!("{} proves record {index}", path.display()));
        }
        None => {
            let leaf = String::from_utf8_lossy(&proven.shown.bytes).into_owned();
            let json = Json::object([("proof", proof.as_str()), ("leaf", &leaf)]);
            output.print(&json, |_| proof.clone());
        }
    }
    Ok(())
}

fn prove_evidence(output: &Output, index: u64, open: &[String], out: Option<&Path>, log: &LogPlace) -> Result<()> {
    let names: Vec<&str> = open.iter().map(String::as_str).collect();
    let evidence = Reader::open(&log_dir(log)?).evidence(index, &names)?.to_json();
    match out {
        Some(path) => {
            std::fs::write(path, evidence.canonical()).with_context(|| path.display().to_string())?;
            let json = Json::object([("file", path.display().to_string())]);
            output.print(&json, |_| {
                format!("{} proves record {index}; check it with `callgate audit check`", path.display())
            });
        }
        None => output.print(&evidence, |_| String::from_utf8_lossy(&evidence.canonical()).into_owned()),
    }
    Ok(())
}

/// Checks one record for somebody who has neither the log nor a gate.
fn check(output: &Output, file: &Path, leaf: Option<&Path>, keys: &[String]) -> Result<ExitCode> {
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let keys = parse_keys(keys)?;
    let bytes = read(file)?;
    let found = match leaf {
        Some(leaf) => {
            let leaf = read(leaf)?;
            TlogProof::parse(&bytes).and_then(|proof| Ok((proof.verify(&leaf, &keys)?, proof.index, leaf, Vec::new())))
        }
        None => Evidence::parse(&bytes)
            .and_then(|found| Ok((found.verify(&keys)?, found.proof.index, found.leaf, found.opened))),
    };
    let (checkpoint, index, leaf, opened) = match found {
        Ok(found) => found,
        Err(error) => {
            if output.is_json() {
                output.print(&Json::object([("error", error.to_string())]), |_| String::new());
            }
            complain(&format!("callgate: {}: {error}", file.display()));
            return Ok(exit::CHECK_FAILED.into());
        }
    };
    let opened: Vec<(String, Json)> = opened
        .into_iter()
        .map(|one| Ok((one.name, Json::parse_within(&one.value, one.value.len())?)))
        .collect::<Result<_>>()?;
    let json = Json::object([
        ("log", Json::from(checkpoint.origin.as_str())),
        ("index", Json::integer(i64::try_from(index)?)),
        ("record", Json::parse(&leaf)?),
        ("opened", Json::object(opened.clone())),
    ]);
    output.print(&json, |output| {
        let mut text = output.paint(Tone::Good, "proven");
        text.push_str(&format!(
            "  record {index} of {}\n{}\n",
            checkpoint.origin,
            harmless(&String::from_utf8_lossy(&leaf))
        ));
        for (name, value) in &opened {
            text.push_str(&format!("        {name} {}\n", harmless(&String::from_utf8_lossy(&value.canonical()))));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

fn parse_keys(keys: &[String]) -> Result<Vec<VerifierKey>> {
    keys.iter().map(|key| key.parse().with_context(|| format!("`{key}` is no key"))).collect()
}

/// One JSON document a line, whatever the format: an export is for programs.
fn export(from: u64, disclose: bool, log: &LogPlace) -> Result<()> {
    let dir = log_dir(log)?;
    let reader = Reader::open(&dir);
    let mut records = reader.records(from)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while let Some(shown) = records.next_record()? {
        let json = if disclose { disclosed(&reader, &dir, &shown)? } else { shown.to_json(dir.origin()) };
        out.write_all(&json.canonical())?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn print_report(output: &Output, log: &LogPlace) -> Result<()> {
    let report = Reader::open(&log_dir(log)?).report(0)?;
    output.print(&report.to_json(), |_| report::text(&report));
    Ok(())
}

async fn erase(
    output: &Output,
    agent: Option<String>,
    session: Option<String>,
    index: Option<u64>,
    place: &Place,
) -> Result<()> {
    let index = index.map(i64::try_from).transpose()?.map(Json::integer);
    let body = [("agent", agent.map(Json::from)), ("session", session.map(Json::from)), ("index", index)];
    let body = body.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let erased = desk::ask(place, "erase", Json::object(body)).await?;
    output.print(&erased, |_| {
        let number = |key| erased.get(key).and_then(Json::as_i64).unwrap_or_default();
        format!(
            "{} values of {} records are erased; record {} says so",
            number("values"),
            number("records"),
            number("index")
        )
    });
    Ok(())
}

async fn key(output: &Output, rotate: bool, retire: bool, place: &Place) -> Result<()> {
    if retire {
        let retired = desk::ask(place, "retire_key", Json::Null).await?;
        let key = retired.get("retired").and_then(Json::as_str).unwrap_or_default().to_owned();
        output.print(&retired, |_| format!("{key}\nThis key signs no more; checkpoints it signed stay valid."));
        return Ok(());
    }
    if rotate {
        let rotated = desk::ask(place, "rotate_key", Json::Null).await?;
        let key = rotated.get("vkey").and_then(Json::as_str).unwrap_or_default().to_owned();
        output.print(&rotated, |_| format!("{key}\nBoth keys sign until `callgate audit key --retire`."));
        return Ok(());
    }
    let keys = LogDir::open(&State::of(place)?.log())?.trusted_keys()?;
    let all: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let newest = all.last().cloned().context("the log has no key")?;
    let json = Json::object([("vkey", Json::from(newest)), ("all", Json::from(all.clone()))]);
    output.print(&json, |_| all.join("\n"));
    Ok(())
}
