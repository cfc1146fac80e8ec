//! `callgate policy check|test`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use callgate_core::seam::FactSource;
use callgate_guard::ShellFacts;
use callgate_guard::shell::TableError;
use callgate_policy::{
    Finding, GateFiles, GateSnapshot, LoadError, Rule, Severity, TestReport, load, lock, render, run_tests_with,
};
use callgate_text::Json;
use notify::{RecursiveMode, Watcher};

use crate::cli::Policy;
use crate::exit;
use crate::layers::{look, specs};
use crate::output::{Output, Tone};

pub(crate) async fn run(output: &Output, policy: Policy) -> Result<ExitCode> {
    match policy {
        Policy::Check { dir, lock } => check(output, &dir, lock),
        Policy::Test { dir, watch: false, junit } => test(output, &dir, junit.as_deref()),
        Policy::Test { dir, watch: true, junit } => watch(output, &dir, junit.as_deref()),
    }
}

/// Warnings are shown and do not fail; whatever keeps the gate from loading does.
fn check(output: &Output, dir: &Path, write_lock: bool) -> Result<ExitCode> {
    // A lock that no longer fits is what is to be replaced; everything else is checked as it will be loaded.
    let files = if write_lock { GateFiles::read_unlocked(dir) } else { GateFiles::read(dir) };
    let result = files.and_then(|files| {
        let loaded = load(&files, &specs())?;
        let findings: Vec<Finding> = loaded.findings.into_iter().chain(look(&loaded.snapshot, &files)).collect();
        if findings.iter().any(|finding| finding.severity() == Severity::Error) {
            return Err(findings.into());
        }
        // Whether they pass is `policy test`'s matter; that they can be read is this one's.
        judge_tests(&loaded.snapshot, &files)?;
        Ok((findings, files))
    });
    let (findings, failed) = match result {
        Ok((findings, files)) => {
            if write_lock {
                lock::write(dir, &files).map_err(shown)?;
            }
            (findings, false)
        }
        Err(error) => (error.findings().to_vec(), true),
    };
    let json = Json::object([
        ("passed", Json::Bool(!failed)),
        ("findings", Json::Array(findings.iter().map(Finding::to_json).collect())),
    ]);
    output.print(&json, |output| {
        let mut text = render(&findings, output.colours());
        match failed {
            true => text.push_str(&output.paint(Tone::Bad, "This directory cannot be loaded.")),
            false => text.push_str(&output.paint(Tone::Good, "This directory loads.")),
        }
        if write_lock && !failed {
            text.push_str(" gate.lock names its files; only these are loaded from now on.");
        }
        text
    });
    Ok(if failed { exit::CHECK_FAILED.into() } else { ExitCode::SUCCESS })
}

/// Runs the directory's tests; the shell guard looks into commands, with the operator's own programs.
fn judge_tests(snapshot: &GateSnapshot, files: &GateFiles) -> Result<TestReport, LoadError> {
    let bad = |error: TableError| LoadError::from(Finding::new(Rule::BadTest, error.file.clone(), error.fault));
    let shell = ShellFacts::new().map_err(bad)?;
    shell.table(files.get("programs.toml")).map_err(bad)?;
    run_tests_with(snapshot, files, &|commands, facts| shell.take_apart(commands, facts))
}

fn shown(error: LoadError) -> anyhow::Error {
    anyhow::anyhow!("{}", render(error.findings(), false))
}

fn test(output: &Output, dir: &Path, junit: Option<&Path>) -> Result<ExitCode> {
    let report = GateFiles::read(dir).and_then(|files| judge_tests(&load(&files, &specs())?.snapshot, &files));
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            let json = Json::object([("findings", error.to_json())]);
            output.print(&json, |output| render(error.findings(), output.colours()));
            return Ok(exit::CHECK_FAILED.into());
        }
    };
    if let Some(path) = junit {
        std::fs::write(path, report.to_junit()).with_context(|| path.display().to_string())?;
    }
    output.print(&report.to_json(), |output| text(output, &report));
    Ok(if report.passed() { ExitCode::SUCCESS } else { exit::CHECK_FAILED.into() })
}

fn text(output: &Output, report: &TestReport) -> String {
    let mut text = String::new();
    for result in &report.results {
        let mark = if result.passed() { output.paint(Tone::Good, "ok  ") } else { output.paint(Tone::Bad, "FAIL") };
        text.push_str(&format!("{mark} {}:{} {}\n", result.file, result.line, result.name));
        for failure in &result.failures {
            text.push_str(&format!("       {failure}\n"));
        }
    }
    for policy in report.uncovered() {
        text.push_str(&output.paint(Tone::Caution, &format!("no test satisfies {} ({})\n", policy.id, policy.at)));
    }
    let passed = report.results.iter().filter(|result| result.passed()).count();
    text.push_str(&format!("{passed} of {} tests passed", report.results.len()));
    text
}

/// Tests again after each change, until interrupted.
fn watch(output: &Output, dir: &Path, junit: Option<&Path>) -> Result<ExitCode> {
    const QUIET: Duration = Duration::from_millis(200);
    let (changed, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            // A receiver that is gone means that the command is ending.
            let _ = changed.send(());
        }
    })?;
    watcher.watch(dir, RecursiveMode::Recursive)?;
    loop {
        test(output, dir, junit)?;
        changes.recv()?;
        while changes.recv_timeout(QUIET).is_ok() {}
        println!();
    }
}
