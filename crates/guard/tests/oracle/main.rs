//! Holds the analysis against bash itself.
//!
//! Scripts are generated, run by a real `bash` in namespaces of their own, and traced: every program that started, every
//! file that was read, written or deleted must have been predicted, or the line must have been said to be dynamic. And
//! of scripts that were generated without anything dynamic, at most one in a hundred may be called so.
//!
//! 2,000 scripts; 20,000 where `CALLGATE_LONG` is set. `CALLGATE_SEED` changes which,
//! `CALLGATE_SCRIPTS` how many.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail")]
#![allow(clippy::useless_format, reason = "the scripts are all written alike")]

mod compare;
mod generate;
mod random;
mod spell;
mod trace;
mod world;

use std::collections::BTreeMap;

use callgate_guard::shell::{Setting, Table, analyse};

use generate::Script;
use random::Random;

/// Scripts that one bash drives, under one trace.
const BATCH: usize = 250;

#[test]
fn everything_that_happens_was_predicted() {
    if !world::is_possible() {
        return;
    }
    let wanted = std::env::var("CALLGATE_SCRIPTS").ok().and_then(|count| count.parse().ok());
    let count = wanted.unwrap_or(if std::env::var_os("CALLGATE_LONG").is_some() { 20_000 } else { 2_000 });
    let seed = std::env::var("CALLGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Random::new(seed);
    let table = Table::builtin().expect("the table");
    let mut constructs: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    let (mut events, mut dynamic, mut still, mut needless) = (0, 0, 0, Vec::new());
    for batch in 0..count / BATCH {
        let scripts: Vec<Script> = (0..BATCH).map(|number| Script::generate(&mut random, number)).collect();
        let traces = world::run(&scripts);
        for (script, trace) in scripts.iter().zip(traces) {
            for construct in &script.constructs {
                *constructs.entry(construct).or_default() += 1;
            }
            let setting = Setting { cwd: Some(script.cwd()), home: Some(script.home()) };
            let line = analyse(&script.text, &setting, &table);
            let line = match line {
                Ok(line) => line,
                Err(refusal) => {
                    faults.push(format!("refused ({refusal}):\n{}", script.text));
                    continue;
                }
            };
            events += trace.len();
            if line.is_dynamic() {
                dynamic += 1;
            }
            if !script.dynamic {
                still += 1;
                if line.is_dynamic() {
                    let why: Vec<_> = line
                        .commands
                        .iter()
                        .filter(|command| !command.dynamic.is_empty())
                        .map(|command| format!("{:?} {:?}", command.program, command.dynamic))
                        .collect();
                    needless.push(format!("dynamic without need ({}):\n{}", why.join(", "), script.text));
                }
            }
            if !line.is_dynamic() {
                for event in &trace {
                    if let Err(what) = compare::predicted(event, &line, script) {
                        faults.push(format!(
                            "batch {batch}: {what}\n--- script\n{}\n--- predicted\n{}",
                            script.text,
                            compare::shown(&line)
                        ));
                    }
                }
            }
        }
    }
    eprintln!("{count} scripts, {events} events, {dynamic} dynamic; {} of {still} needlessly", needless.len());
    for (construct, times) in &constructs {
        eprintln!("  {construct}: {times}");
    }
    if std::env::var_os("CALLGATE_SHOW").is_some() {
        for needless in &needless {
            eprintln!("{needless}");
        }
    }
    let rare: Vec<_> = constructs.iter().filter(|(_, times)| **times * 200 < count).collect();
    assert!(rare.is_empty(), "constructs that are hardly ever generated: {rare:?}");
    assert!(events > count * 2, "hardly anything was traced: {events} events");
    assert!(
        faults.is_empty(),
        "{} things were not predicted, the first of them:\n\n{}",
        faults.len(),
        faults.iter().take(8).cloned().collect::<Vec<_>>().join("\n\n")
    );
    assert!(
        needless.len() * 100 <= still,
        "{} of {still} are dynamic without need, the first of them:\n\n{}",
        needless.len(),
        needless.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n")
    );
}
