//! The table, run through.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use crate::bench::As;
use crate::fixture::Fixture;
use crate::mutants::{MUTANTS, shown};
use crate::table::{AllowedTo, Outside, Probe, Shows, benign, probes};
use crate::trial::{self, Start};

/// What one probe did.
struct Row {
    /// Without a sandbox, if that was tried.
    control: Option<bool>,
    inside: bool,
}

/// One probe, or nothing where this machine lacks what it needs.
fn row(fixture: &Fixture, index: usize, probe: &Probe) -> Option<Row> {
    let who = fixture.bench.who;
    if let Some(lacking) = fixture.lacks(probe) {
        assert!(std::env::var_os("CI").is_none(), "CI must have {lacking}");
        say(&format!("SKIPPED: {}: {lacking} is not there", probe.what));
        return None;
    }
    let start = Instant::now();
    let (control, outside) = match probe.outside {
        Outside::Never(_) => (None, "not tried".to_owned()),
        Outside::UserOnly(_) if who == As::Root => (None, "not tried".to_owned()),
        _ => {
            let (control, said) = trial::outside(fixture, probe, &fixture.unique(&format!("o{index}")));
            (Some(control), said)
        }
    };
    let inside = |start| {
        let unique = fixture.unique(&format!("i{start:?}{index}"));
        trial::inside(fixture, probe, &unique, "workspace", &[], start)
    };
    let (cold, warm) = (inside(Start::Cold), inside(Start::Warm));
    assert_eq!(cold.0, warm.0, "{}: a sandbox that stood by is another: {cold:?} {warm:?}", probe.what);
    let (inside, said) = warm;
    if std::env::var_os("PROBE_SHOW").is_some() {
        let part = probe.part;
        let what = probe.what;
        let (outside, said) = (outside.trim(), said.trim());
        let took = start.elapsed().as_millis();
        say(&format!(
            "{took} ms {who:?} {part}: {what}: outside {control:?} {outside:.90} | inside {inside} {said:.120}"
        ));
    }
    Some(Row { control, inside })
}

/// Past the capture of the test harness, so that one sees how far it is.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn every_probe_is_stopped_or_allowed_and_would_succeed_outside() {
    // To look at one part, or one probe, alone.
    let only = std::env::var("PROBE_ONLY").unwrap_or_default();
    let chosen: Vec<&Probe> =
        probes().filter(|probe| format!("{}: {}", probe.part, probe.what).contains(&only)).collect();
    let columns: Vec<(As, Vec<Option<Row>>)> = std::thread::scope(|scope| {
        let chosen = &chosen;
        let all: Vec<_> =
            As::both().into_iter().map(|who| scope.spawn(move || (who, run_through(who, chosen)))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut wrong = Vec::new();
    for (who, rows) in &columns {
        for (probe, row) in chosen.iter().zip(rows) {
            let Some(row) = row else { continue };
            let mut note = |place: &str, does: bool| {
                let does = if does { "SUCCEEDS" } else { "fails" };
                wrong.push(format!("{who:?}, {}, {}: {place} it {does}", probe.part, probe.what));
            };
            if let (Some(expected), Some(control)) = (expected(probe, *who).filter(|_| is_provable(probe)), row.control)
                && control != expected
            {
                note("outside", control);
            }
            if row.inside != is_allowed(probe, *who) {
                note("inside", row.inside);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: BTreeSet<(&str, &str)> = chosen.iter().map(|probe| (probe.part, probe.what)).collect();
    assert_eq!(names.len(), chosen.len(), "every probe is another");
    let complete = columns.iter().all(|(_, rows)| rows.iter().all(Option::is_some));
    if columns.len() == 2 && complete && only.is_empty() {
        compare(&document(&columns));
    }
}

#[test]
fn ordinary_programs_work() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        for (index, probe) in benign().iter().enumerate() {
            if let Some(Row { control, inside }) = row(&fixture, index, probe) {
                assert_eq!((control, inside), (Some(true), true), "{who:?}: {}", probe.what);
            }
        }
    }
}

fn run_through(who: As, chosen: &[&Probe]) -> Vec<Option<Row>> {
    let fixture = Fixture::new(who);
    let start = Instant::now();
    let one = |(index, probe): (usize, &&Probe)| {
        if index % 50 == 0 && index > 0 {
            say(&format!("{who:?}: {index} of {} probes, {} s", chosen.len(), start.elapsed().as_secs()));
        }
        row(&fixture, index, probe)
    };
    chosen.iter().enumerate().map(one).collect()
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
        Outside::User | Outside::UserOnly(_) => Some(who == As::Unprivileged),
        Outside::Nobody(_) | Outside::Never(_) => None,
    }
}

fn is_allowed(probe: &Probe, who: As) -> bool {
    match probe.allowed {
        None => false,
        Some((AllowedTo::Everybody, _)) => true,
        Some((AllowedTo::User, _)) => who == As::Unprivileged,
    }
}

/// How success was looked for: from outside, by what only the host could have told, or by the kernel's word alone.
fn seen(probe: &Probe) -> &'static str {
    match probe.shows {
        Shows::Claims => "the kernel's answer",
        Shows::Says(_) => "what it could say",
        _ => "the host",
    }
}

fn document(columns: &[(As, Vec<Option<Row>>)]) -> String {
    let mut text = String::from(
        "# What the native sandbox stops\n\n\
         Written by `CALLGATE_BLESS=1 cargo test -p callgate-sandbox --test probes`; the same test fails when this page\n\
         no longer says what is true. Each probe runs twice as root and twice as an ordinary user: without a sandbox (the\n\
         positive control: it must succeed, or stand here as not provable) and in the built-in profile `workspace`, under\n\
         tighter limits where a bomb is to run into one. What counts as success is seen from outside wherever there is\n\
         something to see (*the host*: a file, a listener, a victim, what processes use), else by what the attacker\n\
         could say, which only the host could have told it, and only else by the kernel's answer. Probes of the part\n\
         `commit` are judged after a commit to which nobody gave a permit. (So that it is the same everywhere, this page\n\
         names no machine and no kernel.)\n\n",
    );
    let total = probes().count();
    let allowed = |who: As| probes().filter(|probe| is_allowed(probe, who)).count();
    let (root, user) = (allowed(As::Root), allowed(As::Unprivileged));
    let _ = writeln!(
        text,
        "Of {total} probes, **{} are stopped** and {root} allowed as root, **{} stopped** and {user} allowed as an \
         ordinary user.\nWhat is allowed is the work itself, what shows of the machine, and what the kernel counts by \
         user; each stands\n[below](#allowed-and-why) with the reason.\n",
        total - root,
        total - user
    );
    text.push_str(
        "| part | probe | seen by | outside, root | outside, user | inside, root | inside, user |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (index, probe) in probes().enumerate() {
        let _ = write!(text, "| {} | {} | {} |", probe.part, probe.what, seen(probe));
        for (who, _) in columns {
            let control = match (probe.outside, expected(probe, *who)) {
                (Outside::Never(_), _) | (Outside::UserOnly(_), Some(false)) => "not tried",
                (_, Some(true)) => "succeeds",
                (_, Some(false)) => "fails",
                (_, None) => "not provable",
            };
            let _ = write!(text, " {control} |");
        }
        for (_, rows) in columns {
            let inside = rows[index].as_ref().is_some_and(|row| row.inside);
            let _ = write!(text, " {} |", if inside { "**allowed**" } else { "stopped" });
        }
        text.push('\n');
    }
    text.push_str("\n## Allowed, and why\n\n");
    for probe in probes() {
        if let Some((to, why)) = probe.allowed {
            let to = if to == AllowedTo::User { " (where an ordinary user starts the launcher)" } else { "" };
            let _ = writeln!(text, "- {}: {}{to}: {why}.", probe.part, probe.what);
        }
    }
    text.push_str(
        "\nNot probed, and not stopped: what the processor tells of others by time (caches, branch prediction), the\n\
         time of day, and errors of the kernel that nobody knows yet. Who must be safe from these asks for a tier with a\n\
         kernel of its own. Not probed either is what a broker of network traffic would have to stop (names with a NUL in\n\
         them, a server name that is not the host, rebinding, redirects): there is no way out that it could guard.\n",
    );
    text.push_str("\n## What must work, and does\n\n");
    for probe in benign() {
        let _ = writeln!(text, "- {}", probe.what);
    }
    text.push_str(
        "\nAnd real work: `tests/work.rs` builds with `cargo`, tests with `pytest` and `npm`, commits with `git`.\n",
    );
    text.push_str("\n## Not provable here\n\n");
    for probe in probes() {
        if let Outside::Nobody(why) | Outside::Never(why) | Outside::UserOnly(why) = probe.outside {
            let _ = writeln!(text, "- {}: {}: {why}.", probe.part, probe.what);
        }
    }
    text.push_str(
        "\n## What each layer is good for\n\n\
         Without these layers, and with all others, the probe succeeds; with any one of them it is stopped.\n\n\
         | without | probe |\n| --- | --- |\n",
    );
    for (layers, _, part, what) in MUTANTS {
        let _ = writeln!(text, "| {} | {part}: {what} |", shown(layers));
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
