//! What became of the scripts.

use std::collections::{BTreeMap, BTreeSet};

use callgate_guard::shell::{Setting, Table, analyse};

use super::compare;
use super::generate::Script;
use super::trace::Event;

#[derive(Default)]
pub(crate) struct Tally {
    scripts: usize,
    pub(crate) events: usize,
    dynamic: usize,
    /// Scripts that were generated without anything dynamic.
    pub(crate) plain: usize,
    /// In how many scripts each construct stands.
    pub(crate) constructs: BTreeMap<&'static str, usize>,
    /// What happened and was not predicted.
    pub(crate) faults: Vec<String>,
    /// Scripts that were called dynamic without need.
    pub(crate) needless: Vec<String>,
}

impl Tally {
    /// Judges one script by what it did.
    pub(crate) fn add(&mut self, script: &Script, trace: &[Event], table: &Table) {
        self.scripts += 1;
        self.events += trace.len();
        self.plain += usize::from(!script.dynamic);
        for construct in script.constructs.iter().collect::<BTreeSet<_>>() {
            *self.constructs.entry(construct).or_default() += 1;
        }
        let setting = Setting { cwd: Some(script.cwd()), home: Some(script.home()) };
        let line = match analyse(&script.text, &setting, table) {
            Ok(line) => line,
            Err(refusal) => {
                self.faults.push(format!("refused ({refusal}):\n{}", script.text));
                return;
            }
        };
        if line.is_dynamic() {
            self.dynamic += 1;
            if !script.dynamic {
                let dynamic = line.commands.iter().filter(|command| !command.dynamic.is_empty());
                let why: Vec<_> =
                    dynamic.map(|command| format!("{:?} {:?}", command.program, command.dynamic)).collect();
                self.needless.push(format!("dynamic ({}):\n{}", why.join(", "), script.text));
            }
            return;
        }
        for (nth, event) in trace.iter().enumerate() {
            if let Err(what) = compare::predicted(event, &trace[nth + 1..], &line, script) {
                self.faults.push(format!(
                    "{what}\n--- script\n{}\n--- predicted\n{}",
                    script.text,
                    compare::shown(&line)
                ));
            }
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.scripts += other.scripts;
        self.events += other.events;
        self.dynamic += other.dynamic;
        self.plain += other.plain;
        for (construct, times) in other.constructs {
            *self.constructs.entry(construct).or_default() += times;
        }
        self.faults.extend(other.faults);
        self.needless.extend(other.needless);
    }

    pub(crate) fn print(&self) {
        for (construct, times) in &self.constructs {
            eprintln!("  {construct}: {times}");
        }
        if std::env::var_os("CALLGATE_SHOW").is_some() {
            eprintln!("{}\n{}", self.needless.join("\n"), self.faults.join("\n"));
        }
        eprintln!(
            "{} scripts, {} events, {} not predicted; {} scripts are dynamic; of {} without anything dynamic, {} ({:.2} %)",
            self.scripts,
            self.events,
            self.faults.len(),
            self.dynamic,
            self.plain,
            self.needless.len(),
            self.needless.len() as f64 * 100.0 / self.plain as f64
        );
    }

    /// The first of `them`, for a test that fails.
    pub(crate) fn first(what: &str, them: &[String]) -> String {
        let first: Vec<_> = them.iter().take(8).map(String::as_str).collect();
        format!("{} {what}, the first of them:\n\n{}", them.len(), first.join("\n\n"))
    }
}
