//! What Claude Code really does when a hook misbehaves, and what its switches turn off: measured, and written down.
//!
//! `docs/hosts/claude-code.md` is made from this by `CALLGATE_BLESS=1 cargo test -p callgate --test hosts matrix`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::claude::{Managed, Place, program};

/// Our own denial, in the host's words.
const DENY: &str = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#;

/// A way in which a hook can behave: a shell script, or its absence.
enum Hook {
    Script(String),
    Missing,
    NotExecutable,
    Http,
}

fn behaviours() -> Vec<(&'static str, Hook)> {
    let say = |text: &str, code: u8| Hook::Script(format!("cat > /dev/null\ncat <<'END'\n{text}\nEND\nexit {code}"));
    let script = |text: &str| Hook::Script(text.to_owned());
    let decision = |members: &str| {
        format!(r#"{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","permissionDecision":{members}}}}}"#)
    };
    vec![
        ("denial as JSON, exit 0", say(DENY, 0)),
        ("denial as JSON, reason on standard error, exit 2: what Callgate says", {
            Hook::Script(format!("cat > /dev/null\necho no >&2\ncat <<'END'\n{DENY}\nEND\nexit 2"))
        }),
        ("exit 2 with a reason on standard error", script("cat > /dev/null\necho no >&2\nexit 2")),
        ("exit 2 without a word", script("cat > /dev/null\nexit 2")),
        ("exit 1", script("cat > /dev/null\nexit 1")),
        ("exit 7 with a reason", script("cat > /dev/null\necho no >&2\nexit 7")),
        ("killed", script("kill -9 $$")),
        ("hangs longer than its timeout", script("sleep 20")),
        ("is missing", Hook::Missing),
        ("is not executable", Hook::NotExecutable),
        ("HTTP hook, nobody listens", Hook::Http),
        ("`ask`", say(&decision(r#""ask","permissionDecisionReason":"no""#), 0)),
        ("denial without a reason", say(&decision(r#""deny""#), 0)),
        ("denial and `suppressOutput`", say(&DENY.replacen('{', r#"{"suppressOutput":true,"#, 1), 0)),
        ("denial and a member that nobody knows", say(&DENY.replacen('{', r#"{"vendor":1,"#, 1), 0)),
        ("denial with a wrong word (`block`)", say(&decision(r#""block","permissionDecisionReason":"no""#), 0)),
        ("a line of text, then the denial", say(&format!("text\n{DENY}"), 0)),
        ("a line of text, then the denial, exit 2", say(&format!("text\n{DENY}"), 2)),
        ("`allow` as JSON, exit 2", say(&decision(r#""allow""#), 2)),
        ("`{}`", say("{}", 0)),
        ("silence, exit 0", script("cat > /dev/null")),
        ("`allow`", say(&decision(r#""allow""#), 0)),
        ("`block` as older versions have it", say(r#"{"decision":"block","reason":"no"}"#, 0)),
    ]
}

/// The settings with one hook for every tool.
fn settings(place: &Path, hook: &Hook, managed: bool) -> String {
    let path = place.join("hook");
    let handler = match hook {
        Hook::Http => r#""type":"http","url":"http://127.0.0.1:9/""#.to_owned(),
        Hook::Missing => r#""type":"command","command":"/no/such/hook","args":[]"#.to_owned(),
        Hook::Script(text) => {
            write(&path, &format!("#!/bin/sh\n{text}\n"), 0o755);
            format!(r#""type":"command","command":"{}","args":[]"#, path.display())
        }
        Hook::NotExecutable => {
            write(&path, "#!/bin/sh\nexit 2\n", 0o644);
            format!(r#""type":"command","command":"{}","args":[]"#, path.display())
        }
    };
    wrap(&handler, "*", managed)
}

fn wrap(handler: &str, matcher: &str, managed: bool) -> String {
    let (only, block) = match managed {
        true => (r#""allowManagedHooksOnly":true,"#, r#","onFailure":"block""#),
        false => ("", ""),
    };
    format!(
        r#"{{{only}"hooks":{{"PreToolUse":[{{"matcher":"{matcher}","hooks":[{{{handler},"timeout":2{block}}}]}}]}}}}"#
    )
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// Whether the model's command ran, in the page's words.
fn cell(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> &'static str {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = vec![vec![place.leave("mark", "x")]];
    let session = runtime.block_on(place.converse(turns, vec![], arguments, variables));
    assert!(session.turns > 0, "the host asked no model: {session:?}");
    if place.ran("mark") { "**ran**" } else { "blocked" }
}

fn failures(machine: &Managed) -> String {
    let mut rows = String::new();
    for (name, hook) in behaviours() {
        let place = Place::new();
        place.user_settings(&settings(place.path(), &hook, false));
        let user = cell(&place, &[], &[]);
        let place = Place::new();
        machine.write(&settings(place.path(), &hook, true));
        let managed = cell(&place, &[], &[]);
        machine.clear();
        rows.push_str(&format!("| {name} | {user} | {managed} |\n"));
    }
    rows
}

/// Switches that somebody could use to be rid of a hook that denies everything.
fn switches(machine: &Managed) -> String {
    let off = r#"{"disableAllHooks":true}"#;
    let deny = |place: &Place| {
        let path = place.path().join("hook");
        write(&path, &format!("#!/bin/sh\ncat > /dev/null\necho no >&2\ncat <<'END'\n{DENY}\nEND\nexit 2\n"), 0o755);
        format!(r#""type":"command","command":"{}","args":[]"#, path.display())
    };
    type Switch = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)], bool, &'static str);
    let switches: [Switch; 8] = [
        ("none", &[], &[], false, "*"),
        ("`--bare`", &["--bare"], &[], false, "*"),
        ("`--safe-mode`", &["--safe-mode"], &[], false, "*"),
        ("`CLAUDE_CODE_SIMPLE=1`", &[], &[("CLAUDE_CODE_SIMPLE", "1")], false, "*"),
        ("`--settings '{\"disableAllHooks\":true}'`", &["--settings", r#"{"disableAllHooks":true}"#], &[], false, "*"),
        ("`disableAllHooks` in a repository's own settings", &[], &[], true, "*"),
        ("matcher `bash`, in the wrong case", &[], &[], false, "bash"),
        ("matcher `*(`, no regular expression", &[], &[], false, "*("),
    ];
    let mut rows = String::new();
    for (name, arguments, variables, project, matcher) in switches {
        let tried = |managed: bool| {
            let place = Place::new();
            if project {
                fs::write(place.work().join(".claude/settings.json"), off).unwrap();
            }
            let settings = wrap(&deny(&place), matcher, managed);
            if managed {
                machine.write(&settings)
            } else {
                place.user_settings(&settings)
            }
            let cell = cell(&place, arguments, variables);
            machine.clear();
            cell
        };
        rows.push_str(&format!("| {name} | {} | {} |\n", tried(false), tried(true)));
    }
    rows
}

/// Which variables reach a hook, by where they are set.
fn environment(machine: &Managed) -> String {
    const VALUE: &str = "/callgate/set/by/somebody";
    let variables = ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "CALLGATE_SOCKET", "NODE_OPTIONS", "BASH_ENV"];
    let values: Vec<String> = variables.iter().map(|name| format!(r#""{name}":"{VALUE}""#)).collect();
    let values = format!(r#""env":{{{}}}"#, values.join(","));
    // Each in turn: a repository, the user, and whoever starts the host.
    let seen = |managed: bool, setter: &str| {
        let place = Place::new();
        let seen = place.path().join("seen");
        let hook = Hook::Script(format!("/usr/bin/env > '{}'\necho no >&2\nexit 2", seen.display()));
        let hooks = settings(place.path(), &hook, managed);
        let user = if setter == "user" { format!("{{{values}}}") } else { "{}".to_owned() };
        let with = |hooks: &str| hooks.replacen('{', &format!("{{{values},"), 1);
        match (managed, setter) {
            (true, _) => {
                machine.write(&hooks);
                place.user_settings(&user);
            }
            (false, "user") => place.user_settings(&with(&hooks)),
            (false, _) => place.user_settings(&hooks),
        }
        if setter == "repository" {
            fs::write(place.work().join(".claude/settings.json"), format!("{{{values}}}")).unwrap();
        }
        // The host itself has to start: what it loads and where it looks for programs stays.
        let of_host = [("CALLGATE_SOCKET", VALUE), ("BASH_ENV", VALUE)];
        cell(&place, &[], if setter == "host" { &of_host } else { &[] });
        machine.clear();
        let text = fs::read_to_string(&seen).unwrap_or_default();
        assert!(text.contains("HOME="), "the hook saw nothing");
        variables.map(|name| text.lines().any(|line| line == format!("{name}={VALUE}")))
    };
    let columns = [
        seen(false, "repository"),
        seen(true, "repository"),
        seen(false, "user"),
        seen(true, "user"),
        seen(true, "host"),
    ];
    let word = |came: bool| if came { "**yes**" } else { "no" };
    let row = |(at, name): (usize, &&str)| {
        let host = if ["CALLGATE_SOCKET", "BASH_ENV"].contains(name) { word(columns[4][at]) } else { "not tried" };
        let cells: Vec<&str> = columns[..4].iter().map(|column| word(column[at])).chain([host]).collect();
        format!("| `{name}` | {} |\n", cells.join(" | "))
    };
    variables.iter().enumerate().map(row).collect()
}

fn page(version: &str, date: &str, machine: &Managed) -> String {
    let (failures, switches, environment) = (failures(machine), switches(machine), environment(machine));
    include_str!("claude-code.md")
        .replace("@VERSION@", version)
        .replace("@DATE@", date)
        .replace("@FAILURES@\n", &failures)
        .replace("@SWITCHES@\n", &switches)
        .replace("@ENVIRONMENT@\n", &environment)
}

#[test]
fn the_page_says_what_the_host_does() {
    let Some(program) = program() else { return };
    let Some(machine) = Managed::take() else { return };
    let said = std::process::Command::new(program).arg("--version").output().unwrap();
    let version = String::from_utf8(said.stdout).unwrap().split(' ').next().unwrap().to_owned();
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hosts/claude-code.md"));
    let bless = std::env::var_os("CALLGATE_BLESS").is_some();
    let before = fs::read_to_string(&path).unwrap_or_default();
    let date = match before.split_once("run on ").and_then(|(_, rest)| rest.get(..10)) {
        Some(date) if !bless => date.to_owned(),
        _ => {
            let today = std::process::Command::new("date").arg("+%F").output().unwrap();
            String::from_utf8(today.stdout).unwrap().trim().to_owned()
        }
    };
    let page = page(&version, &date, &machine);
    if bless {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(before, page, "the host behaves otherwise: look at it, then CALLGATE_BLESS=1");
}
