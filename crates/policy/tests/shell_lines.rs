//! Lines, hostile and ordinary, each with what the gate must find out about it and what the pack must decide.
//!
//! A row is `decision | fact | line`: the decision of `policies/shell` in the pack for Claude Code; one fact that must
//! be established (`effects=NAME`, `deletes=PATH`, `dynamic`, `refused`, `-` for none); the line, with `\n`, `\t`, `\r`,
//! `\\` and `\u{…}` for what cannot stand in a row.

#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use callgate_core::gate::NOW;
use callgate_core::seam::{FactSource, Snapshot};
use callgate_core::{Call, Decision, Fact, Facts, Request, Timestamp, judge};
use callgate_guard::{FACTS, ShellFacts};
use callgate_policy::{Developer, GateFiles, GateSnapshot, Template, load};
use callgate_text::Json;

struct Pack {
    snapshot: GateSnapshot,
    shell: ShellFacts,
}

impl Pack {
    fn new() -> Self {
        let developer = Developer {
            workspace: "/home/me/project".to_owned(),
            home: "/home/me".to_owned(),
            uid: 1000,
            user: "me".to_owned(),
        };
        let texts = Template::ClaudeCode(developer).texts();
        let files = GateFiles::from_texts(texts.iter().map(|(path, text)| (*path, text.as_str())));
        let specs: Vec<_> = std::iter::once(NOW).chain(FACTS.iter().copied()).collect();
        let snapshot = load(&files, &specs).expect("the pack").snapshot;
        Self { snapshot, shell: ShellFacts::new().expect("the table") }
    }

    /// What is decided of a line, and its facts.
    fn decide(&self, line: &str) -> (String, String, Facts) {
        self.decide_in(None, line)
    }

    fn decide_in(&self, cwd: Option<&str>, line: &str) -> (String, String, Facts) {
        let document = Json::object([
            ("agent", Json::from("developer-1")),
            ("tool", Json::from("claude-code.Bash")),
            ("arguments", Json::object([("command", Json::from(line))])),
        ]);
        let (agent, request) = Request::parse(&document.canonical()).expect("a call");
        let cwd = cwd.map(|cwd| cwd.parse().expect("a directory"));
        let call = Call::new(agent.expect("an agent"), Request { cwd, ..request });
        let mut facts = Facts::default();
        facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(0)));
        if let Err(reason) = self.shell.take_apart(&self.snapshot.commands(&call), &mut facts) {
            return ("deny".to_owned(), format!("refused: {}", reason.message), facts);
        }
        let verdict = judge(&call, &facts, &self.snapshot);
        let why: Vec<_> = verdict
            .reasons
            .iter()
            .map(|reason| reason.policy.as_ref().map_or_else(|| reason.message.clone(), |policy| policy.id.to_string()))
            .collect();
        (verdict.decision.to_string(), why.join(", "), facts)
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next().expect("an escape") {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '\\' => out.push('\\'),
            'u' => {
                let code: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                out.push(char::from_u32(u32::from_str_radix(&code, 16).expect("a code")).expect("a character"));
            }
            other => panic!("\\{other} in {text}"),
        }
    }
    out
}

/// Whether `wanted` is among the facts.
fn established(wanted: &str, facts: &Facts, why: &str) -> bool {
    let any = |path: &str, test: &dyn Fn(&Fact) -> bool| facts.each().any(|act| act.get(path).is_some_and(test));
    match wanted.split_once('=') {
        None if wanted == "-" => true,
        None if wanted == "refused" => why.starts_with("refused"),
        None if wanted == "dynamic" => any("command.dynamic", &|fact| *fact == Fact::Bool(true)),
        Some(("effects", "")) => {
            any("command.effects", &|fact| !matches!(fact, Fact::Labels(all) if all.is_empty()))
                || any("command.known", &|fact| *fact == Fact::Bool(false))
                || any("command.writes", &|fact| !matches!(fact, Fact::Names(all) if all.is_empty()))
        }
        Some(("effects", effect)) => {
            any("command.effects", &|fact| matches!(fact, Fact::Labels(all) if all.contains(effect)))
        }
        Some(("deletes", path)) => {
            any("command.deletes", &|fact| matches!(fact, Fact::Names(all) if all.contains(path)))
        }
        _ => panic!("no such fact: {wanted}"),
    }
}

fn check(rows: &str, least: usize) {
    let pack = Pack::new();
    let mut failures = Vec::new();
    let mut decisions: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    for (number, row) in rows.lines().enumerate().filter(|(_, row)| !row.is_empty() && !row.starts_with('#')) {
        let mut fields = row.splitn(3, " | ");
        let [expected, wanted, line] = [(); 3].map(|()| fields.next().unwrap_or_else(|| panic!("row {number}: {row}")));
        count += 1;
        let (decision, why, facts) = pack.decide(&unescape(line));
        *decisions.entry(decision.clone()).or_default() += 1;
        if decision != expected || !established(wanted, &facts, &why) {
            let text = String::from_utf8_lossy(&facts.to_json().canonical()).into_owned();
            failures.push(format!(
                "{}: {line}\n   expected {expected} ({wanted}), decided {decision} ({why})\n   {text}",
                number + 1
            ));
        }
    }
    eprintln!("{count} lines: {decisions:?}");
    assert!(failures.is_empty(), "{} of {count} lines:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= least, "only {count} lines");
}

#[test]
fn hostile_lines_do_not_pass() {
    check(include_str!("lines/hostile.txt"), 400);
}

#[test]
fn ordinary_lines_pass_without_asking() {
    check(include_str!("lines/benign.txt"), 400);
}

#[test]
fn a_line_runs_where_the_host_says_that_its_session_is() {
    let pack = Pack::new();
    for (cwd, line, expected, wanted) in [
        (Some("/home/me/.ssh"), "cat id_rsa", "deny", "effects=reads_credentials"),
        (Some("/home/me/project"), "cat id_rsa.txt", "allow", "-"),
        (Some("/home/me"), "cat .ssh/id_rsa", "deny", "effects=reads_credentials"),
        (Some("/"), "rm -rf target", "deny", "deletes=/target"),
        (Some("/home/me"), "rm -rf project", "deny", "deletes=/home/me/project"),
        (Some("/home/me/project"), "rm -rf target", "allow", "deletes=/home/me/project/target"),
        (Some("/home/me/project/a"), "rm -rf ../target", "allow", "deletes=/home/me/project/target"),
        (Some("/etc"), "echo x > passwd", "escalate", "effects=changes_system"),
        (Some("/"), "find . -delete", "deny", "deletes=/*"),
        (Some("/home/me"), "grep -r KEY .", "deny", "effects=reads_credentials"),
        (None, "rm -rf target", "allow", "deletes=/home/me/project/target"),
    ] {
        let (decision, why, facts) = pack.decide_in(cwd, line);
        assert_eq!(decision, expected, "{line} in {cwd:?}: {why}");
        assert!(
            established(wanted, &facts, &why),
            "{line} in {cwd:?}: {}",
            String::from_utf8_lossy(&facts.to_json().canonical())
        );
    }
}

#[test]
fn relative_paths_of_a_hosts_tools_start_where_its_session_is() {
    let pack = Pack::new();
    let search = |cwd: Option<&str>, path: &str| {
        let document = format!(
            r#"{{"agent": "developer-1", "tool": "claude-code.Grep", "arguments": {{"pattern": "x", "path": {path:?}}}}}"#
        );
        let (agent, request) = Request::parse(document.as_bytes()).expect("a call");
        let cwd = cwd.map(|cwd| cwd.parse().expect("a directory"));
        let call = Call::new(agent.expect("an agent"), Request { cwd, ..request });
        let mut facts = Facts::default();
        facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(0)));
        judge(&call, &facts, &pack.snapshot).decision.to_string()
    };
    assert_eq!(search(None, "src"), "allow");
    assert_eq!(search(Some("/home/me/project"), "src"), "allow");
    assert_ne!(search(Some("/home/me/.ssh"), "."), "allow");
    assert_ne!(search(Some("/home/me/project"), "../../me/.ssh"), "allow");
    assert_ne!(search(Some("/"), "etc"), "allow");
}

/// A gate with one tool that takes a program and its arguments, or nothing.
fn bench(programs: Option<&str>, call: &str) -> (Decision, Facts) {
    let tool = r#"{"server": "box", "tools": [{"name": "run", "description": "Runs.", "inputSchema": {"type": "object",
        "properties": {"argv": {"type": "array", "items": {"type": "string"}}}, "additionalProperties": false}}]}"#;
    let policy = r#"
        @id("looks")
        permit (principal, action == Action::"box.run", resource)
        when { context.command.known && !context.command.dynamic && context.command.effects.isEmpty() }
        when { context.command.writes_within in Path::"/work" && context.line.commands < 3 };"#;
    let mut texts = vec![
        ("callgate.toml", "[tool.\"box.run\"]\nkinds = { argv = \"command\" }\nroots = { argv = \"/work\" }\n"),
        ("entities.toml", "[blueprint.b]\n[agent.a]\nblueprint = \"b\"\n"),
        ("policies/p.cedar", policy),
        ("tools/box.json", tool),
    ];
    texts.extend(programs.map(|programs| ("programs.toml", programs)));
    let specs: Vec<_> = std::iter::once(NOW).chain(FACTS.iter().copied()).collect();
    let loaded = load(&GateFiles::from_texts(texts), &specs);
    let snapshot =
        loaded.unwrap_or_else(|error| panic!("{}", callgate_policy::render(error.findings(), false))).snapshot;
    let document = format!(r#"{{"agent": "a", "tool": "box.run", "arguments": {call}}}"#);
    let (agent, request) = Request::parse(document.as_bytes()).expect("a call");
    let call = Call::new(agent.expect("an agent"), request);
    let mut facts = Facts::default();
    facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(0)));
    let shell = ShellFacts::new().expect("the table");
    match shell.take_apart(&snapshot.commands(&call), &mut facts) {
        Ok(()) => (judge(&call, &facts, &snapshot).decision, facts),
        Err(_) => (Decision::Deny, facts),
    }
}

#[test]
fn a_list_of_arguments_is_a_command_that_no_shell_reads() {
    assert_eq!(bench(None, r#"{"argv": ["ls", "-la", "$(rm -rf /)"]}"#).0, Decision::Allow, "nothing expands");
    assert_eq!(bench(None, r#"{"argv": ["cp", "a", "b"]}"#).0, Decision::Allow);
    assert_eq!(bench(None, r#"{"argv": ["cp", "a", "/etc/b"]}"#).0, Decision::Deny);
    assert_eq!(bench(None, r#"{"argv": ["sh", "-c", "rm -rf /x"]}"#).0, Decision::Deny);
    assert_eq!(bench(None, r#"{"argv": ["ls\r"]}"#).0, Decision::Deny);
}

#[test]
fn p03_a_command_that_is_not_given_is_not_known() {
    for arguments in ["{}", r#"{"argv": []}"#] {
        let (decision, facts) = bench(None, arguments);
        assert_eq!(decision, Decision::Deny, "{arguments}");
        assert!(facts.each().all(|act| act.get("command.known") == Some(&Fact::Bool(false))), "{arguments}");
    }
}

#[test]
fn programs_of_the_operators_own_count_and_bad_ones_deny() {
    let call = r#"{"argv": ["deploy", "now"]}"#;
    assert_eq!(bench(None, call).0, Decision::Deny, "nobody knows it");
    assert_eq!(bench(Some("[deploy]\noperands = [\"text\"]\n"), call).0, Decision::Allow);
    assert_eq!(bench(Some("[deploy]\neffects = [\"publishes\"]\n"), call).0, Decision::Deny);
    for broken in
        ["[deploy", "[deploy]\neffects = [\"nothing\"]\n", "[deploy]\noperands = [\"x\"]\n", "[deploy]\nx = 1\n"]
    {
        assert_eq!(bench(Some(broken), call).0, Decision::Deny, "{broken}");
    }
}
