//! The hosts' documents, and our answers to them.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use callgate_core::{CallFault, Outcome, Request};
use callgate_doors::hook::claude_code::{read, words};
use callgate_doors::hook::{Event, Reply};
use callgate_text::Json;
use proptest::prelude::*;

/// A document of Claude Code 2.1.330, with these members changed; `null` takes one away.
fn document(event: &str, changes: &str) -> Vec<u8> {
    let base = r#"{"session_id":"a93c30c6-f99e-421b-8569-5c4362d8302f","transcript_path":"/home/me/.claude/x.jsonl",
        "cwd":"/work","prompt_id":"p-1","permission_mode":"default","effort":{"level":"medium"},
        "tool_name":"Bash","tool_input":{"command":"ls"},"tool_use_id":"toolu_01A"}"#;
    let mut document = Json::parse(base.as_bytes()).unwrap().as_object().unwrap().clone();
    document.set("hook_event_name", event);
    for (key, value) in Json::parse(changes.as_bytes()).unwrap().as_object().unwrap().iter() {
        match value {
            Json::Null => drop(document.remove(key)),
            value => document.set(key, value.clone()),
        }
    }
    Json::Object(document).canonical()
}

fn before(changes: &str) -> Result<Result<Request, CallFault>, String> {
    match read(&document("PreToolUse", changes))?.event {
        Event::Before(request) => Ok(request),
        other => Err(format!("{other:?}")),
    }
}

fn tool(name: &str, server: Option<&str>) -> Option<String> {
    let server = server.map_or("null".to_owned(), |server| format!(r#"{{"name":"{server}","source":"user"}}"#));
    let request = before(&format!(r#"{{"tool_name":"{name}","mcp_server":{server}}}"#)).ok()?.ok()?;
    Some(request.tool.to_string())
}

#[test]
fn a_call_is_read_in_full() {
    let heard = read(&document("PreToolUse", "{}")).unwrap();
    assert_eq!(heard.session.unwrap().as_str(), "a93c30c6-f99e-421b-8569-5c4362d8302f");
    let request = before("{}").unwrap().unwrap();
    assert_eq!(request.tool.as_str(), "claude-code.Bash");
    assert_eq!(request.session.unwrap().as_str(), "a93c30c6-f99e-421b-8569-5c4362d8302f");
    assert_eq!(Json::Object(request.arguments.unwrap()).canonical(), br#"{"command":"ls"}"#);
    assert_eq!(request.host_call.unwrap().as_str(), "toolu_01A");
    assert!(request.members.is_empty());
    assert_eq!(request.cwd.unwrap().as_str(), "/work");
    // The same id means another call in a sub-agent.
    let inner = before(r#"{"agent_id":"ac262dd751c128024","agent_type":"general-purpose"}"#).unwrap().unwrap();
    assert_eq!(inner.host_call.unwrap().as_str(), "ac262dd751c128024:toolu_01A");
}

#[test]
fn tools_have_the_names_that_policy_knows() {
    for (name, server, expected) in [
        ("Bash", None, Some("claude-code.Bash")),
        ("mcp__github__create_issue", Some("github"), Some("github.create_issue")),
        ("mcp__my__server__do", Some("my__server"), Some("my__server.do")),
        ("mcp__plugin_a_b__do", Some("plugin:a:b"), Some("plugin_a_b.do")),
        ("mcp__github__a__b", Some("github"), Some("github.a__b")),
        // Not the server that the host names, no server at all, no tool, or the host's own name.
        ("mcp__github__create_issue", Some("git"), None),
        ("mcp__github__create_issue", None, None),
        ("mcp__github__", Some("github"), None),
        ("mcp____x", Some(""), None),
        ("mcp__claude-code__Bash", Some("claude-code"), None),
        ("mcp__github__x y", Some("github"), None),
        ("", None, None),
        ("Bash ", None, None),
        ("Bash/../Read", None, Some("claude-code.Bash/../Read")),
    ] {
        assert_eq!(tool(name, server).as_deref(), expected, "{name}");
    }
}

#[test]
fn what_is_not_understood_is_no_call() {
    for changes in [
        r#"{"tool_input":null}"#,
        r#"{"tool_input":"ls"}"#,
        r#"{"tool_input":[]}"#,
        r#"{"tool_name":null}"#,
        r#"{"tool_name":7}"#,
        r#"{"tool_use_id":null}"#,
        r#"{"tool_use_id":""}"#,
        r#"{"tool_use_id":"a b"}"#,
        r#"{"session_id":null}"#,
        r#"{"session_id":"a b"}"#,
        r#"{"session_id":7}"#,
        r#"{"mcp_server":"github"}"#,
        r#"{"mcp_server":{}}"#,
        r#"{"agent_id":7}"#,
        r#"{"agent_id":"a b"}"#,
    ] {
        assert!(before(changes).is_err(), "{changes}");
    }
    let good = document("PreToolUse", "{}");
    let doubled = String::from_utf8(good.clone())
        .unwrap()
        .replace(r#""tool_name":"Bash""#, r#""tool_name":"Read","tool_name":"Bash""#);
    let trailing = [good.as_slice(), b"{}"].concat();
    for bytes in [&b""[..], b"[]", b"null", b"{}", b"\xff", doubled.as_bytes(), &trailing, &good[..good.len() - 1]] {
        assert!(read(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
    // A hidden value must not reach whoever reads the error.
    let error = read(&document("PreToolUse", r#"{"tool_use_id":"se cret"}"#)).unwrap_err();
    assert!(!error.contains("cret"), "{error}");
}

#[test]
fn what_ran_is_compared_without_what_a_person_added() {
    let question = r#"{"tool_name":"AskUserQuestion","tool_input":{"questions":[]}}"#;
    let answered = r#"{"tool_name":"AskUserQuestion","tool_input":{"questions":[],"answers":{"Which?":"A"},"annotations":{}},
        "tool_response":{"answers":{"Which?":"A"}},"duration_ms":2}"#;
    let Event::After(after) = read(&document("PostToolUse", answered)).unwrap().event else { panic!() };
    // Where it ended is not compared.
    let decided = |changes: &str| Request { cwd: None, ..before(changes).unwrap().unwrap() };
    assert_eq!(after.request, decided(question));
    assert_eq!((after.outcome, after.took.unwrap().as_millis()), (Outcome::Ok, 2));
    assert!(after.result.is_some());
    // A model that answers for the person is not let off.
    let forged = r#"{"tool_name":"AskUserQuestion","tool_input":{"questions":[],"answers":{"Which?":"A"}}}"#;
    assert!(before(forged).unwrap().unwrap().arguments.unwrap().contains("answers"));
    // Other tools are compared whole.
    let changed = r#"{"tool_input":{"command":"ls","answers":{}}}"#;
    let Event::After(after) = read(&document("PostToolUse", changed)).unwrap().event else { panic!() };
    assert_ne!(after.request, decided("{}"));

    let failed = r#"{"error":"Exit code 3","is_interrupt":false,"duration_ms":20}"#;
    let Event::After(after) = read(&document("PostToolUseFailure", failed)).unwrap().event else { panic!() };
    assert_eq!((after.outcome, after.request), (Outcome::Error, decided("{}")));
}

#[test]
fn other_events_are_told_apart() {
    let event = |name: &str, changes: &str| read(&document(name, changes)).map(|heard| heard.event);
    assert_eq!(event("UserPromptSubmit", r#"{"prompt":"go"}"#), Ok(Event::Prompt("go".to_owned())));
    assert!(event("UserPromptSubmit", "{}").is_err());
    assert_eq!(event("SessionStart", "{}"), Ok(Event::Start));
    assert_eq!(event("Stop", "{}"), Ok(Event::Other));
    assert!(event("pretooluse", "{}").is_ok_and(|event| event == Event::Other));
}

#[test]
fn every_denial_is_said_three_times() {
    for why in ["no", "", "two\nlines", "\u{1b}[31m\r\n", "\"}\n{", &"x".repeat(9000)] {
        let words = words(&Reply::Deny(why.to_owned()));
        assert_eq!(words.code, 2);
        let line = words.line.unwrap();
        assert!(!line.trim().is_empty() && !line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
        let answer = Json::parse(words.document.as_bytes()).unwrap();
        let answer = answer.get("hookSpecificOutput").unwrap().as_object().unwrap().clone();
        assert_eq!(answer.get("hookEventName").and_then(Json::as_str), Some("PreToolUse"));
        assert_eq!(answer.get("permissionDecision").and_then(Json::as_str), Some("deny"));
        assert_eq!(answer.len(), 3);
    }
}

#[test]
fn nothing_else_denies_and_nothing_ever_allows() {
    let text = || "text".to_owned();
    for (reply, code, document) in [
        (Reply::Pass, 0, "{}"),
        (Reply::Stop(text()), 0, r#"{"continue":false,"stopReason":"text"}"#),
        (Reply::Tell(text()), 0, r#"{"systemMessage":"text"}"#),
        (Reply::Unkept(text()), 2, "{}"),
    ] {
        let words = words(&reply);
        assert_eq!((words.code, words.document.as_str()), (code, document));
        assert_eq!(words.line.is_some(), code != 0);
    }
    let remark = words(&Reply::Remark(text()));
    assert!(remark.document.contains(r#""additionalContext":"text""#) && remark.code == 0);
    assert!(!remark.document.contains("allow"));
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_damaged_call_is_read_as_it_stands_or_not_at_all(at in 0usize..400, byte in any::<u8>()) {
        let mut bytes = document("PreToolUse", "{}");
        let place = at % bytes.len();
        bytes[place] = byte;
        if let Ok(heard) = read(&bytes)
            && let Event::Before(Ok(request)) = heard.event
        {
            let read = Json::parse(&bytes).unwrap();
            let input = read.get("tool_input").unwrap().canonical();
            prop_assert_eq!(Json::Object(request.arguments.unwrap()).canonical(), input);
        }
    }
}

#[test]
fn where_the_session_works_is_a_plain_directory_or_no_call_at_all() {
    let cwd = |cwd: &str| before(&format!(r#"{{"cwd":{cwd}}}"#)).map(|request| request.unwrap().cwd);
    assert_eq!(cwd("null").unwrap(), None, "an older host");
    assert_eq!(cwd(r#""/home/me/.ssh""#).unwrap().unwrap().as_str(), "/home/me/.ssh");
    for odd in [r#""""#, r#""work""#, r#""/work/../etc""#, r#""/a//b""#, r#""/a\nb""#, "7", "{}", r#"["/work"]"#] {
        assert!(cwd(odd).is_err(), "{odd}");
    }
    // What is reported says what ran, not from where.
    let reported = match read(&document("PostToolUse", r#"{"cwd":"/work/sub"}"#)).unwrap().event {
        Event::After(reported) => reported,
        other => panic!("{other:?}"),
    };
    assert_eq!(reported.request.cwd, None);
}
