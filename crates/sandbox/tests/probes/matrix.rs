//! The table, run through.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use callgate_sandbox::Plan;

use crate::bench::{As, Run};
use crate::fixture::Fixture;
use crate::table::{Outside, PROBES, Probe};

/// Probes that succeed, and why that is no harm. None is a way to the host.
const ALLOWED: &[(&str, &str)] = &[];

/// What one probe did.
struct Row {
    control: bool,
    inside: bool,
}

pub(crate) fn plan(fixture: &Fixture, profile: &str, probe: &Probe, unique: &str) -> Plan {
    let bench = &fixture.bench;
    let mut request = bench.request(&fixture.words(probe, unique));
    request.environment.insert("PROBE_SECRET".into(), fixture.token().into());
    // The attacking program is shown to the sandbox as part of the workspace.
    let attacker = bench.workspace.join("attacker");
    crate::bench::copy_program(&bench.attacker(), &attacker);
    request.command[0] = attacker.into_os_string();
    let profile = match profile {
        "read-only" => bench.tighter("workspace", "[profile.tighter.files]\n\"@workspace\" = \"ro\""),
        name => bench.profile(name),
    };
    callgate_sandbox::compile(&profile, &request, &bench.host).unwrap()
}

pub(crate) fn attack(fixture: &Fixture, probe: &Probe, unique: &str) -> Run {
    fixture.bench.run_plan(&plan(fixture, "workspace", probe, unique))
}

fn row(fixture: &Fixture, index: usize, probe: &Probe) -> Row {
    fixture.reset();
    let unique = format!("o{index}{:?}", fixture.bench.who);
    let stdout = fixture.without_sandbox(probe, &unique);
    let control = fixture.succeeded(probe, &unique, &stdout);
    fixture.clean(probe, &unique);
    fixture.reset();
    let unique = format!("i{index}{:?}", fixture.bench.who);
    let run = attack(fixture, probe, &unique);
    let inside = fixture.succeeded(probe, &unique, &run.stdout);
    fixture.clean(probe, &unique);
    assert!(!run.stdout.starts_with("UNKNOWN"), "{}: {}", probe.what, run.stdout);
    if let callgate_sandbox::Exit::Refused(fault) = &run.exit {
        panic!("{}: the sandbox did not start: {fault}", probe.what);
    }
    if std::env::var_os("PROBE_SHOW").is_some() {
        eprintln!(
            "{:?} {}: outside {} | inside {} {}",
            fixture.bench.who,
            probe.what,
            stdout.trim(),
            run.stdout.trim(),
            run.exit
        );
    }
    Row { control, inside }
}

#[test]
fn every_probe_is_stopped_and_would_succeed_outside() {
    let mut wrong = Vec::new();
    let mut columns = Vec::new();
    for who in As::both() {
        let fixture = Fixture::new(who);
        let rows: Vec<Row> = PROBES.iter().enumerate().map(|(index, probe)| row(&fixture, index, probe)).collect();
        for (probe, row) in PROBES.iter().zip(&rows) {
            let expected = expected(probe, who).filter(|_| is_provable(probe));
            if expected.is_some_and(|expected| row.control != expected) {
                wrong.push(format!(
                    "{who:?}, {}: outside it {}",
                    probe.what,
                    if row.control { "succeeds" } else { "fails" }
                ));
            }
            if row.inside != ALLOWED.iter().any(|(what, _)| *what == probe.what) {
                wrong.push(format!(
                    "{who:?}, {}: inside it {}",
                    probe.what,
                    if row.inside { "SUCCEEDS" } else { "fails" }
                ));
            }
        }
        columns.push((who, rows));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: BTreeSet<&str> = PROBES.iter().map(|probe| probe.what).collect();
    assert_eq!(names.len(), PROBES.len(), "every probe is another");
    if columns.len() == 2 {
        compare(&document(&columns));
    }
}

/// Whether the positive control can be tried on this machine. A guest, which has less than the machine that the table
/// was written on, names those that cannot.
fn is_provable(probe: &Probe) -> bool {
    let lacking = std::env::var("CALLGATE_UNPROVABLE").unwrap_or_default();
    !lacking.split(';').any(|what| what == probe.what)
}

/// What the positive control must do; nothing where it cannot be proved.
fn expected(probe: &Probe, who: As) -> Option<bool> {
    match probe.outside {
        Outside::Both => Some(true),
        Outside::Root => Some(who == As::Root),
        Outside::Nobody(_) => None,
    }
}

fn document(columns: &[(As, Vec<Row>)]) -> String {
    let mut text = String::from(
        "# What the native sandbox stops\n\n\
         Written by `CALLGATE_BLESS=1 cargo test -p callgate-sandbox --test probes`; the same test fails when this page\n\
         no longer says what is true. Each probe runs twice as root and twice as an ordinary user: without a sandbox (the\n\
         positive control: it must succeed, or stand here as not provable) and in the built-in profile `workspace`. What\n\
         counts as success is seen from outside wherever there is something to see: a secret that only the host has, a\n\
         file, a listener, a victim. (So that it is the same everywhere, this page names no machine and no kernel.)\n\n",
    );
    let total = PROBES.len();
    let allowed = ALLOWED.len();
    let _ = writeln!(
        text,
        "**{} of {total} probes are stopped**, as root and as an ordinary user; {allowed} are allowed.\n",
        total - allowed
    );
    text.push_str("| part | probe | outside, root | outside, user | inside, root | inside, user |\n| --- | --- | --- | --- | --- | --- |\n");
    for (index, probe) in PROBES.iter().enumerate() {
        let _ = write!(text, "| {} | {} |", probe.part, probe.what);
        for (who, _) in columns {
            let control = match expected(probe, *who) {
                Some(true) => "succeeds",
                Some(false) => "fails",
                None => "not provable",
            };
            let _ = write!(text, " {control} |");
        }
        for (_, rows) in columns {
            let _ = write!(text, " {} |", if rows[index].inside { "**allowed**" } else { "stopped" });
        }
        text.push('\n');
    }
    text.push_str("\n## Not provable here\n\n");
    for probe in PROBES {
        if let Outside::Nobody(why) = probe.outside {
            let _ = writeln!(text, "- {}: {why}.", probe.what);
        }
    }
    text
}

fn compare(document: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox-matrix.md");
    if std::env::var_os("CALLGATE_BLESS").is_some() {
        std::fs::write(path, document).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == document,
        "docs/sandbox-matrix.md is not what this run found; see the first line of this file"
    );
}
