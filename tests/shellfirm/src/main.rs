//! `shellfirm` and the gate on the lines of `crates/policy/tests/lines`, with both verdicts counted.
//!
//! `cargo run --release --manifest-path tests/shellfirm/Cargo.toml`. For `shellfirm` a line is flagged if any of its
//! built-in checks matches, at whatever severity: the most that it can say. For the gate a line is flagged if the pack
//! for Claude Code does not allow it. The lines are ours, so the counts say where the two differ, not which is better on
//! somebody else's.

use std::time::Instant;

use callgate_core::gate::NOW;
use callgate_core::seam::{FactSource, Snapshot};
use callgate_core::{Call, Decision, Fact, Facts, Request, Timestamp, judge};
use callgate_guard::{FACTS, ShellFacts};
use callgate_policy::{Developer, GateFiles, Template, load};
use callgate_text::Json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let developer = Developer {
        workspace: "/home/me/project".to_owned(),
        home: "/home/me".to_owned(),
        uid: 1000,
        user: "me".to_owned(),
    };
    let texts = Template::ClaudeCode(developer).texts();
    let files = GateFiles::from_texts(texts.iter().map(|(path, text)| (*path, text.as_str())));
    let specs: Vec<_> = std::iter::once(NOW).chain(FACTS.iter().copied()).collect();
    let snapshot = load(&files, &specs).map_err(|_| "the pack does not load")?.snapshot;
    let shell = ShellFacts::new()?;
    let checks = shellfirm::checks::get_all()?;
    let flagged_by_us = |line: &str| {
        let document = Json::object([
            ("agent", Json::from("developer-1")),
            ("tool", Json::from("claude-code.Bash")),
            ("arguments", Json::object([("command", Json::from(line))])),
        ]);
        let Ok((Some(agent), request)) = Request::parse(&document.canonical()) else { return true };
        let call = Call::new(agent, request);
        let mut facts = Facts::default();
        facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(0)));
        shell.take_apart(&snapshot.commands(&call), &mut facts).is_err()
            || judge(&call, &facts, &snapshot).decision != Decision::Allow
    };
    let flagged_by_them = |line: &str| !shellfirm::checks::run_check_on_command(&checks, line).is_empty();
    let sets = [
        ("hostile", include_str!("../../../crates/policy/tests/lines/hostile.txt")),
        ("ordinary", include_str!("../../../crates/policy/tests/lines/benign.txt")),
    ];
    println!("{:<10} {:>6} {:>20} {:>20} {:>12}", "", "lines", "flagged by callgate", "flagged by shellfirm", "time, ratio");
    for (name, rows) in sets {
        let lines: Vec<String> = rows
            .lines()
            .filter_map(|row| row.splitn(3, " | ").nth(2))
            .map(|line| line.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r").replace("\\\\", "\\"))
            .collect();
        let started = Instant::now();
        let ours = lines.iter().filter(|line| flagged_by_us(line)).count();
        let our_time = started.elapsed();
        let started = Instant::now();
        let theirs = lines.iter().filter(|line| flagged_by_them(line)).count();
        let ratio = our_time.as_secs_f64() / started.elapsed().as_secs_f64();
        println!("{name:<10} {:>6} {ours:>20} {theirs:>20} {ratio:>12.2}", lines.len());
    }
    Ok(())
}
