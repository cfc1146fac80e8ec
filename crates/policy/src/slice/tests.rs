//! A slice decides as the whole set does, errors included, and a trace tells what was decided.

use callgate_core::seam::Snapshot;
use callgate_core::{Call, Code, Evaluation, Fact, FactSpec, FactType, Facts, Request, judge};
use callgate_text::Json;
use proptest::prelude::*;

use super::Slice;
use crate::cache::Cache;
use crate::files::GateFiles;
use crate::load::assemble;
use crate::snapshot::GateSnapshot;

const SPECS: &[FactSpec] = &[FactSpec { path: "env.risk", kind: FactType::Long }];

const ENTITIES: &str = r#"
[blueprint.b0]
[blueprint.b1]
parents = ["b0"]
[blueprint.b2]
parents = ["b1"]
limit = 3
[blueprint.b3]
limit = 5
[agent.a0]
blueprint = "b0"
[agent.a1]
blueprint = "b1"
[agent.a2]
blueprint = ["b2", "b3"]
[agent.a3]
[agent.a4]
blueprint = "b3"
[group.g]
[user.u]
groups = ["g"]
"#;

const CONFIG: &str = "[tool.\"s.t0\"]\ngroups = [\"finance\"]\n[tool.\"s.t1\"]\ngroups = [\"finance\", \"egress\"]\n";

fn pin(server: &str) -> String {
    let tool = |name: &str| {
        format!(
            r#"{{"name": "{name}", "inputSchema": {{"type": "object", "additionalProperties": false, "required": ["n"],
                "properties": {{"n": {{"type": "integer"}}, "path": {{"type": "string"}}}}}}}}"#
        )
    };
    format!(r#"{{"server": "{server}", "tools": [{}, {}, {}]}}"#, tool("t0"), tool("t1"), tool("t2"))
}

/// A gate whose policies nobody checked: so that some of them err.
fn unchecked(policies: &str) -> GateSnapshot {
    let files = GateFiles::from_texts([
        ("policies/p.cedar", policies.to_owned()),
        ("entities.toml", ENTITIES.to_owned()),
        ("callgate.toml", CONFIG.to_owned()),
        ("tools/s.json", pin("s")),
        ("tools/r.json", pin("r")),
    ]);
    match assemble(&files, SPECS, &Cache::default()) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("{error}\n{policies}"),
    }
}

fn facts(risk: i64) -> Facts {
    let mut facts = Facts::default();
    facts.insert("env.risk", Fact::Long(risk));
    facts
}

fn call(agent: &str, tool: &str, n: i64) -> Call {
    let text = format!(r#"{{"agent": "{agent}", "tool": "{tool}", "arguments": {{"n": {n}, "path": "/w/x"}}}}"#);
    let (agent, request) = Request::parse(text.as_bytes()).expect("a call");
    Call::new(agent.expect("an agent"), request)
}

#[test]
fn p04_an_error_in_any_policy_denies() {
    let overflow = "forbid (principal, action, resource) when { 9223372036854775807 + context.env.risk > 0 };";
    for (policies, risk, expected) in [
        ("permit (principal, action, resource);", 1, Code::Permitted),
        (&*format!("permit (principal, action, resource); {overflow}"), 1, Code::PolicyError),
        (&*format!("permit (principal, action, resource); {overflow}"), -1, Code::Forbidden),
        (
            &*format!(
                "permit (principal, action, resource); {}",
                overflow.replace("action,", "action == Action::\"s.t1\",")
            ),
            1,
            Code::Permitted,
        ),
        (
            "permit (principal, action, resource); permit (principal, action, resource == Server::\"s\") when { context.nothing };",
            1,
            Code::PolicyError,
        ),
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { Blueprint::\"b0\".limit > 3 };",
            1,
            Code::PolicyError,
        ),
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { Blueprint::\"no\".limit > 3 };",
            1,
            Code::PolicyError,
        ),
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { Blueprint::\"b3\".limit > 3 };",
            1,
            Code::Forbidden,
        ),
    ] {
        let snapshot = unchecked(policies);
        let verdict = judge(&call("a1", "s.t0", 1), &facts(risk), &snapshot);
        assert!(verdict.reasons.iter().all(|reason| reason.code == expected), "{policies}: {:?}", verdict.reasons);
        assert!(verdict.reasons.iter().all(|reason| reason.policy.is_some()), "{policies}");
    }
}

fn principal() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("principal".to_owned()),
        Just("principal is Agent".to_owned()),
        Just("principal is User".to_owned()),
        (0..5).prop_map(|n| format!("principal == Agent::\"a{n}\"")),
        (0..4).prop_map(|n| format!("principal == Blueprint::\"b{n}\"")),
        (0..4).prop_map(|n| format!("principal in Blueprint::\"b{n}\"")),
        (0..4).prop_map(|n| format!("principal is Agent in Blueprint::\"b{n}\"")),
        (0..5).prop_map(|n| format!("principal in Agent::\"a{n}\"")),
        Just("principal in Group::\"g\"".to_owned()),
        Just("principal in Blueprint::\"ghost\"".to_owned()),
    ]
}

fn action() -> impl Strategy<Value = String> {
    let tool = || (prop_oneof!["s", "r"], 0..3).prop_map(|(server, n)| format!("Action::\"{server}.t{n}\""));
    let group = || {
        prop_oneof!["finance", "egress", "read", "s", "r", "roots/list"]
            .prop_map(|group| format!("Action::\"{group}\""))
    };
    prop_oneof![
        Just("action".to_owned()),
        tool().prop_map(|tool| format!("action == {tool}")),
        group().prop_map(|group| format!("action == {group}")),
        tool().prop_map(|tool| format!("action in {tool}")),
        group().prop_map(|group| format!("action in {group}")),
        (tool(), tool(), group()).prop_map(|(a, b, c)| format!("action in [{a}, {b}, {c}]")),
    ]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("resource".to_owned()),
        1 => Just("resource is Server".to_owned()),
        1 => prop_oneof!["s", "r"].prop_map(|server| format!("resource == Server::\"{server}\"")),
        1 => prop_oneof!["s", "r"].prop_map(|server| format!("resource in Server::\"{server}\"")),
        1 => Just("resource is Blueprint".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        (0..4i64).prop_map(|n| format!("context.input.n > {n}")),
        (0..4i64).prop_map(|n| format!("context.env.risk == {n}")),
        Just("9223372036854775806 + context.input.n > 0".to_owned()),
        Just("context.input.missing == 1".to_owned()),
        Just("context.input has path".to_owned()),
        (0..4).prop_map(|n| format!("principal in Blueprint::\"b{n}\"")),
        (0..4).prop_map(|n| format!("Blueprint::\"b{n}\".limit > 4")),
        (0..4).prop_map(|n| format!("Agent::\"a2\" in Blueprint::\"b{n}\"")),
        Just("principal has blueprint && principal.blueprint.limit > 4".to_owned()),
        Just("User::\"u\" in Group::\"g\"".to_owned()),
        prop_oneof!["finance", "s"].prop_map(|group| format!("action in Action::\"{group}\"")),
        Just("resource == Server::\"s\"".to_owned()),
    ];
    let pair = (atom.clone(), prop_oneof![Just("&&"), Just("||")], atom.clone())
        .prop_map(|(a, op, b)| format!("({a}) {op} !({b})"));
    prop_oneof![
        2 => Just(String::new()),
        2 => atom.prop_map(|atom| format!("when {{ {atom} }}")),
        1 => pair.clone().prop_map(|pair| format!("unless {{ {pair} }}")),
        1 => pair.prop_map(|pair| format!("when {{ {pair} }}")),
    ]
}

fn policies() -> impl Strategy<Value = String> {
    let effect = prop_oneof![
        Just("permit"),
        Just("permit"),
        Just("forbid"),
        Just("@approval(\"g\") forbid"),
        Just("@approval(\"g\") permit")
    ];
    let policy = (effect, principal(), action(), resource(), condition());
    proptest::collection::vec(policy, 0..14).prop_map(|policies| {
        let numbered = policies.into_iter().enumerate();
        numbered.map(|(n, (effect, p, a, r, c))| format!("@id(\"p{n}\") {effect} ({p}, {a}, {r}) {c};\n")).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_slice_decides_as_the_whole_set(policies in policies(), n in 0..4i64, risk in 0..4i64) {
        let snapshot = unchecked(&policies);
        let everything = Slice::of((0..snapshot.policies.len()).collect(), &snapshot.policies);
        for agent in ["a0", "a1", "a2", "a3", "a4"] {
            for tool in ["s.t0", "s.t1", "r.t2"] {
                let call = call(agent, tool, n);
                let prepared = snapshot.prepare(&call, &facts(risk)).expect("prepared");
                let sliced = snapshot.find(&prepared);
                // With all policies, and all entities that they could reach.
                let entities = everything.stage(&snapshot, &prepared.agent.uid, prepared.action);
                let whole = everything.evaluate(&snapshot.authorizer, &snapshot.policies, &prepared.request, &entities);
                prop_assert_eq!(&sliced, &whole, "{} {}\n{}", agent, tool, policies);
            }
        }
    }

    #[test]
    fn a_trace_tells_what_was_decided(policies in policies(), n in 0..4i64, risk in 0..4i64) {
        let snapshot = unchecked(&policies);
        for (agent, tool) in [("a1", "s.t0"), ("a2", "s.t1"), ("a4", "r.t2")] {
            let (call, facts) = (call(agent, tool, n), facts(risk));
            let trace = snapshot.trace(&call, &facts);
            prop_assert_eq!(trace.get("verdict"), Some(&judge(&call, &facts, &snapshot).to_json()));
            let steps = trace.get("policies").and_then(Json::as_array).expect("steps");
            let of = |outcome: &str| -> Vec<&str> {
                let matching = steps.iter().filter(|step| step.get("outcome").and_then(Json::as_str) == Some(outcome));
                matching.filter_map(|step| step.get("id").and_then(Json::as_str)).collect()
            };
            // The parts of a policy hold exactly if the policy does.
            for step in steps {
                let parts = step.get("conditions").and_then(Json::as_array).expect("parts");
                let all = parts.iter().all(|part| part.get("holds").and_then(Json::as_bool) == Some(true));
                prop_assert_eq!(all, step.get("outcome").and_then(Json::as_str) == Some("satisfied"), "{:?}", step);
            }
            if let Evaluation::Evaluated { permits, forbids, errors, .. } = snapshot.evaluate(&call, &facts) {
                let mut satisfied: Vec<_> = permits.iter().chain(&forbids).map(|one| one.policy.id.to_string()).collect();
                satisfied.sort();
                let mut traced: Vec<_> = of("satisfied").into_iter().map(str::to_owned).collect();
                traced.sort();
                prop_assert_eq!(satisfied, traced);
                let erring: Vec<_> = errors.iter().map(|(policy, _)| policy.id.to_string()).collect();
                prop_assert_eq!(erring, of("error"));
            }
        }
    }
}
