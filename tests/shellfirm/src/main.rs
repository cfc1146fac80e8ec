//! `shellfirm` and the gate on the lines of `crates/policy/tests/lines`, with both verdicts counted.
//!
//! `cargo run --release --manifest-path tests/shellfirm/Cargo.toml`. For the gate a line is flagged if the pack for
//! Claude Code does not allow it. For `shellfirm` two things are counted: lines that any of its checks matches, at
//! whatever severity, which is the most that it can say; and lines that its hook for agents does not allow, with its own
//! settings, in a directory of its own where none of the paths exist. Lines at which it panics are told and left out for
//! both. The lines are ours, so the counts say where the two differ, not which is better on somebody else's.

use std::hint::black_box;
use std::time::{Duration, Instant};

use callgate_core::gate::NOW;
use callgate_core::seam::{FactSource, Snapshot};
use callgate_core::{Call, Decision, Fact, Facts, Request, Timestamp, judge};
use callgate_guard::shell::{Setting, Table, analyse};
use callgate_guard::{FACTS, ShellFacts};
use callgate_policy::{Developer, GateFiles, GateSnapshot, Template, load};
use callgate_text::Json;
use shellfirm::agent::{Decision as Theirs, assess_command};
use shellfirm::checks::{Check, run_check_on_command};
use shellfirm::env::MockEnvironment;
use shellfirm::{AgentConfig, Settings};

const HOME: &str = "/home/me";
const WORKSPACE: &str = "/home/me/project";
/// Each line is judged this often, and the best time counts.
const ROUNDS: usize = 5;

struct Ours {
    snapshot: GateSnapshot,
    shell: ShellFacts,
}

impl Ours {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let developer =
            Developer { workspace: WORKSPACE.to_owned(), home: HOME.to_owned(), uid: 1000, user: "me".to_owned() };
        let texts = Template::ClaudeCode(developer).texts();
        let files = GateFiles::from_texts(texts.iter().map(|(path, text)| (*path, text.as_str())));
        let specs: Vec<_> = std::iter::once(NOW).chain(FACTS.iter().copied()).collect();
        let snapshot = load(&files, &specs).map_err(|_| "the pack does not load")?.snapshot;
        Ok(Self { snapshot, shell: ShellFacts::new()? })
    }

    /// Whether the pack does not allow the line; all of it, from the bytes of the call to the verdict.
    fn flags(&self, line: &str) -> bool {
        let document = Json::object([
            ("agent", Json::from("developer-1")),
            ("tool", Json::from("claude-code.Bash")),
            ("arguments", Json::object([("command", Json::from(line))])),
        ]);
        let Ok((Some(agent), request)) = Request::parse(&document.canonical()) else { return true };
        let call = Call::new(agent, request);
        let mut facts = Facts::default();
        facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(0)));
        self.shell.take_apart(&self.snapshot.commands(&call), &mut facts).is_err()
            || judge(&call, &facts, &self.snapshot).decision != Decision::Allow
    }
}

struct Peer {
    checks: Vec<Check>,
    settings: Settings,
    environment: MockEnvironment,
    agent: AgentConfig,
}

impl Peer {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let environment =
            MockEnvironment { cwd: WORKSPACE.into(), home: Some(HOME.into()), ..MockEnvironment::default() };
        let checks = shellfirm::checks::get_all()?;
        Ok(Self { checks, settings: Settings::default(), environment, agent: AgentConfig::default() })
    }

    /// Whether it survives the line. In a thread of its own: what it left undone there is then gone with it.
    fn survives(&self, line: &str) -> bool {
        std::thread::scope(|scope| scope.spawn(|| self.matches(line)).join().is_ok())
    }

    fn matches(&self, line: &str) -> bool {
        !run_check_on_command(&self.checks, line).is_empty()
    }

    fn flags(&self, line: &str) -> bool {
        let assessed = assess_command(line, &self.settings, &self.checks, &self.environment, &self.agent);
        !assessed.is_ok_and(|assessment| assessment.decision == Theirs::Allow)
    }
}

/// How many of the lines are flagged, and the best time for all of them.
fn count(lines: &[String], flags: impl Fn(&str) -> bool) -> (usize, Duration) {
    let mut best = Duration::MAX;
    let mut flagged = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        flagged = lines.iter().filter(|line| black_box(flags(line))).count();
        best = best.min(started.elapsed());
    }
    (flagged, best)
}

/// The line of a row, without the escapes for what cannot stand in one.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '\\' => '\\',
            'u' => {
                let code: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
            }
            _ => return None,
        });
    }
    Some(out)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ours, peer) = (Ours::new()?, Peer::new()?);
    let table = Table::builtin()?;
    let setting = Setting { cwd: Some(WORKSPACE.to_owned()), home: Some(HOME.to_owned()) };
    let sets = [
        ("hostile", include_str!("../../../crates/policy/tests/lines/hostile.txt")),
        ("ordinary", include_str!("../../../crates/policy/tests/lines/benign.txt")),
    ];
    for (name, rows) in sets {
        let rows = rows.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
        let lines: Option<Vec<_>> = rows.map(|row| unescape(row.splitn(3, " | ").nth(2)?)).collect();
        let (lines, fatal): (Vec<_>, Vec<_>) =
            lines.ok_or("a row is no row")?.into_iter().partition(|line| peer.survives(line));
        let (checked, floor) = count(&lines, |line| peer.matches(line));
        println!("{} {name} lines; times beside those of shellfirm's checks", lines.len());
        println!("  and {} at which shellfirm panics: {fatal:?}", fatal.len());
        let row = |what: &str, flagged: usize, time: Duration| {
            println!("  {what:<28} {flagged:>5} flagged {:>8.2} ×", time.as_secs_f64() / floor.as_secs_f64());
        };
        row("shellfirm, any check", checked, floor);
        let (flagged, time) = count(&lines, |line| peer.flags(line));
        row("shellfirm, hook for agents", flagged, time);
        let (flagged, time) = count(&lines, |line| ours.flags(line));
        row("callgate, pack", flagged, time);
        let (_, time) = count(&lines, |line| analyse(line, &setting, &table).is_err());
        println!("  {:<28} {:>13} {:>8.2} ×", "callgate, analysis alone", "", time.as_secs_f64() / floor.as_secs_f64());
    }
    Ok(())
}
