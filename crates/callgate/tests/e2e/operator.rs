//! What the operator does: start, status, reload, credentials.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::house::{House, bare, finish, text};

const CALL: &[u8] = br#"{"agent":"support-1","tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#;

#[test]
fn two_gates_on_one_state_are_refused() {
    let house = House::quickstart();
    let _serve = house.serve();
    let mut second = house.serve_command();
    let output = finish(second.arg("--socket").arg(house.path().join("other.sock")), b"");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("another"), "{}", text(&output.stderr));
}

#[test]
fn without_a_gate_status_says_how_to_start_one() {
    let house = House::quickstart();
    let output = house.run(&["status"], b"");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("callgate serve"), "{}", text(&output.stderr));
}

#[test]
fn a_bad_policy_keeps_the_last_good_one_and_says_so() {
    let house = House::quickstart();
    let _serve = house.serve();
    let (code, status) = house.json(&["status"], b"");
    assert_eq!(code, 0, "{status}");
    let policy = status["policy"].clone();
    assert_eq!(house.json(&["decide"], CALL).0, 0);

    let file = house.gate().join("policies/zz-broken.cedar");
    fs::write(&file, "permit (principal, action, resource").expect("writes");
    let reload = house.run(&["reload"], b"");
    assert_eq!(reload.status.code(), Some(1));
    assert!(text(&reload.stderr).contains("zz-broken.cedar"), "{}", text(&reload.stderr));
    let (code, status) = house.json(&["status"], b"");
    assert_eq!((code, &status["policy"]), (1, &policy), "{status}");
    assert_eq!(house.json(&["decide"], CALL).0, 0, "the last good policy stays");

    fs::write(
        &file,
        "@id(\"nothing-at-the-desk\")\nforbid (principal, action == Action::\"desk.read_ticket\", resource);\n",
    )
    .expect("writes");
    assert_eq!(house.run(&["reload"], b"").status.code(), Some(0));
    let (code, status) = house.json(&["status"], b"");
    assert_eq!(code, 0, "{status}");
    assert_ne!(status["policy"], policy);
    let (code, answer) = house.json(&["decide"], CALL);
    assert_eq!((code, &answer["reasons"][0]["code"]), (2, &json!("forbidden")));
    let report = house.json(&["audit", "report"], b"").1.to_string();
    assert!(report.contains("policy"), "{report}");
}

#[test]
fn a_changed_file_is_taken_without_being_told() {
    let house = House::quickstart();
    let _serve = house.serve();
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    let forbid =
        "@id(\"nothing-at-the-desk\")\nforbid (principal, action == Action::\"desk.read_ticket\", resource);\n";
    fs::write(house.gate().join("policies/zz-closed.cedar"), forbid).expect("writes");
    let limit = Instant::now() + Duration::from_secs(20);
    while house.json(&["decide"], CALL).0 == 0 {
        assert!(Instant::now() < limit, "the change was never taken");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn p07_a_revoked_credential_is_refused_on_the_next_call() {
    use callgate_core::{Decision, Request};
    use callgate_doors::Operations;

    let house = House::quickstart();
    let _serve = house.serve();
    let client = house.client("support-1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let decide = || {
        let (_, request) = Request::parse(br#"{"tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#).expect("a call");
        runtime.block_on(client.decide(Ok(request)))
    };
    assert_eq!(decide().decision, Decision::Allow);
    let (_, listed) = house.json(&["agent", "list"], b"");
    let id = listed["credentials"][0]["id"].as_str().expect("an id").to_owned();
    assert!(house.run(&["agent", "revoke", &id], b"").status.success());
    let refused = decide();
    assert_eq!((refused.decision, refused.code), (Decision::Deny, callgate_core::Code::UnknownAgent));
}

#[test]
fn p07_an_agents_credential_opens_no_operators_door() {
    let house = House::quickstart();
    let _serve = house.serve();
    let client = house.client("support-1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for op in
        ["status", "reload", "decide_as", "explain", "agent_token", "agent_list", "agent_revoke", "erase", "rotate_key"]
    {
        let body = json!({"agent": "finance-1", "call": "{}"}).to_string();
        let body = callgate_text::Json::parse(body.as_bytes()).expect("JSON");
        assert!(runtime.block_on(client.ask(op, body)).is_err(), "{op}");
    }
}

#[test]
fn init_writes_a_directory_that_passes_its_own_checks() {
    let house = House::quickstart();
    let dir = house.path().join("fresh");
    let run = |arguments: &[&str]| {
        let output = finish(crate::house::bare(arguments).arg(&dir), b"");
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    };
    run(&["init"]);
    run(&["policy", "check"]);
    run(&["policy", "test"]);
    run(&["policy", "check", "--lock"]);
    run(&["policy", "check"]);
    let policy = fs::read_dir(dir.join("policies")).expect("reads").next().expect("a policy").expect("reads").path();
    let mut content = fs::read_to_string(&policy).expect("reads");
    content.push_str("\n// changed\n");
    fs::write(policy, content).expect("writes");
    assert!(!finish(crate::house::bare(&["policy", "check"]).arg(&dir), b"").status.success(), "gate.lock was ignored");
}

#[test]
fn bad_words_about_programs_are_found_where_they_stand_and_never_taken() {
    let house = House::quickstart();
    let file = house.gate().join("programs.toml");
    let gate = house.gate();
    let check = || {
        let output = finish(&mut bare(&["policy", "check", gate.to_str().expect("a path"), "--format", "json"]), b"");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        (output.status.code().expect("no signal"), report)
    };
    let good = "[deploy]\noperands = [\"text*\"]\n";
    fs::write(&file, good).expect("writes");
    assert_eq!(check().0, 0, "{}", check().1);
    for (line, wrong) in [
        ("opener = \"deploy\"", "unknown variant `deploy`"),
        ("effects = [\"explodes\"]", "no effect is called `explodes`"),
        ("operands = [\"sings\"]", "sings"),
        ("options = { \"-x\" = \"sings\" }", "sings"),
        ("options = { \"-x\" = \"+explodes\" }", "explodes"),
        ("colour = \"red\"", "unknown field `colour`"),
        ("sub.now = { effects = [\"explodes\"] }", "explodes"),
        ("effects = 7", "invalid type"),
    ] {
        fs::write(&file, format!("{good}\n[release]\n{line}\n")).expect("writes");
        let (code, report) = check();
        let finding = &report["findings"][0];
        assert_eq!(
            (code, &finding["code"], &finding["file"]),
            (1, &json!("bad_program"), &json!("programs.toml")),
            "{line}: {report}"
        );
        assert_eq!(finding["line"], json!(5), "{line}: {report}");
        assert!(finding["message"].as_str().is_some_and(|message| message.contains(wrong)), "{line}: {report}");
    }
    // It does not start with them.
    let refused = finish(&mut house.serve_command(), b"");
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("programs.toml:5"), "{}", text(&refused.stderr));
    // And while it runs, the last good ones stay.
    fs::write(&file, good).expect("writes");
    let _serve = house.serve();
    let policy = house.json(&["status"], b"").1["policy"].clone();
    fs::write(&file, "[deploy]\nopener = \"nothing\"\n").expect("writes");
    let reload = house.run(&["reload"], b"");
    assert_eq!(reload.status.code(), Some(1));
    assert!(text(&reload.stderr).contains("programs.toml:2"), "{}", text(&reload.stderr));
    let (code, status) = house.json(&["status"], b"");
    assert_eq!((code, &status["policy"]), (1, &policy), "{status}");
    assert_eq!(house.json(&["decide"], CALL).0, 0, "calls are decided as before");
    fs::write(&file, good).expect("writes");
    assert_eq!(house.run(&["reload"], b"").status.code(), Some(0));
    assert_eq!(house.json(&["status"], b"").0, 0);
}
