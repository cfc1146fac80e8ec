//! One decision in process, beside bare Cedar with request validation on the same slice, in the same run.
//!
//! `cargo bench -p callgate-policy --bench decision`. Prints the best of several rounds for each, and ratios:
//! the times depend on the machine, the ratios hardly. "bare" builds the same context from typed values,
//! validates the request, and asks Cedar with the slice's own policies and a prebuilt entity store. "vs bare"
//! is an allowed call's time over the bare one's; "vs 10" are the times of allowed calls, denied calls, and
//! calls by all agents in turn, each over the bare time of its own world and over the same with 10 policies.
//!
//! `-- reload` times a start and the reload of one changed file, `-- parts` what a decision consists of.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a bench, not a gate")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use callgate_core::gate::NOW;
use callgate_core::seam::Snapshot;
use callgate_core::{Call, Decision, Fact, Facts, Request, Timestamp, judge};
use callgate_policy::{Ancestors, Exposure, GateFiles, GateSnapshot, Overlay, Store, ToolType, load};
use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, PolicySet, RestrictedExpression, Schema};

const ROUNDS: usize = 40;
const CALLS: usize = 1_000;

struct World {
    name: &'static str,
    policies: usize,
    agents: usize,
    tools: usize,
}

const WORLDS: &[World] = &[
    World { name: "10 policies", policies: 10, agents: 50, tools: 10 },
    World { name: "1,000 policies", policies: 1_000, agents: 50, tools: 200 },
    World { name: "10,000 policies", policies: 10_000, agents: 50, tools: 200 },
    World { name: "10 policies, 10,000 agents, 2,000 tools", policies: 10, agents: 10_000, tools: 2_000 },
];

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let mut first: Option<[f64; 3]> = None;
    println!("{:<42} {:>9} {:>9} {:>9} {:>9} | vs bare | vs 10", "", "bare", "allow", "deny", "many");
    if std::env::args().any(|argument| argument == "reload") {
        return reload(&WORLDS[2]);
    }
    if std::env::args().any(|argument| argument == "parts") {
        return WORLDS.iter().take(1).for_each(parts);
    }
    for world in WORLDS.iter().take(if quick { 1 } else { usize::MAX }) {
        let started = Instant::now();
        let snapshot = build(world);
        let loading = started.elapsed();
        let facts = facts();
        let allowed: Vec<Call> = (0..64).map(|index| call(world, index, "10.00")).collect();
        let denied: Vec<Call> = (0..64).map(|index| call(world, index, "99999.00")).collect();
        let spread: Vec<Call> = (0..world.agents.min(10_000)).map(|index| call(world, index, "10.00")).collect();
        assert!(allowed.iter().all(|call| judge(call, &facts, &snapshot).decision == Decision::Allow));
        assert!(denied.iter().all(|call| judge(call, &facts, &snapshot).decision == Decision::Deny));
        let cedar = bare_calls();
        let (mut bare, mut allow, mut deny, mut many) = (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
        // In turn, so that whatever else the machine does falls on all of them alike.
        for _ in 0..if quick { 1 } else { ROUNDS } {
            bare = bare.min(round(&cedar, |(request, set, entities, schema)| {
                let request = request(schema);
                black_box(Authorizer::new().is_authorized(&request, set, entities));
            }));
            allow = allow.min(round(&allowed, |call| drop(black_box(judge(call, &facts, &snapshot)))));
            deny = deny.min(round(&denied, |call| drop(black_box(judge(call, &facts, &snapshot)))));
            many = many.min(round(&spread, |call| drop(black_box(judge(call, &facts, &snapshot)))));
        }
        // The bare decision is the same in every world, so what it differs by is the machine's doing.
        let [allow_ratio, deny_ratio, many_ratio] = [allow / bare, deny / bare, many / bare];
        let small = first.get_or_insert([allow_ratio, deny_ratio, many_ratio]);
        println!(
            "{:<42} {bare:>7.2}us {allow:>7.2}us {deny:>7.2}us {many:>7.2}us |  {:>5.2}  | {:.2} {:.2} {:.2}  (loaded in {:.1} s)",
            world.name,
            allow_ratio,
            allow_ratio / small[0],
            deny_ratio / small[1],
            many_ratio / small[2],
            loading.as_secs_f64(),
        );
    }
}

/// Where the time goes that bare Cedar does not take.
fn parts(world: &World) {
    let snapshot = build(world);
    let facts = facts();
    let call = [call(world, 0, "10.00")];
    let (name, definition) = snapshot.tools()[0];
    let tool = ToolType::from_definition(name, definition, &Overlay::default()).expect("a tool");
    let ancestors = Ancestors::default();
    println!("lift      {:>7.2}us", best(&call, |call| drop(black_box(tool.lift(call.arguments(), &ancestors)))));
    println!("evaluate  {:>7.2}us", best(&call, |call| drop(black_box(snapshot.evaluate(call, &facts)))));
    println!("judge     {:>7.2}us", best(&call, |call| drop(black_box(judge(call, &facts, &snapshot)))));
    println!("facts     {:>7.2}us", best(&call, |_| _ = black_box(facts.digest())));
}

/// Microseconds of one call, the best round's mean.
fn best<T>(inputs: &[T], run: impl Fn(&T)) -> f64 {
    (0..=ROUNDS).map(|_| round(inputs, &run)).fold(f64::MAX, f64::min)
}

/// Microseconds of one call, on average over a round.
fn round<T>(inputs: &[T], run: impl Fn(&T)) -> f64 {
    let started = Instant::now();
    for index in 0..CALLS {
        run(&inputs[index % inputs.len()]);
    }
    started.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}

/// Blueprints share the policies evenly; every policy names one blueprint and one tool.
fn build(world: &World) -> GateSnapshot {
    match load(&GateFiles::from_texts(texts(world)), &[NOW]) {
        Ok(loaded) => loaded.snapshot,
        Err(error) => panic!("{error}"),
    }
}

/// What a start costs, and what a change of one file of two.
fn reload(world: &World) {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    texts(world).into_iter().for_each(|(path, text)| write(path, &text));
    let started = Instant::now();
    let store = Store::load(dir.path(), &[NOW], Exposure::Warn).unwrap_or_else(|error| panic!("{error}"));
    println!("{}: load {:.2} s", world.name, started.elapsed().as_secs_f64());
    write(
        "policies/q.cedar",
        "@id(\"new\") forbid (principal, action == Action::\"s.t0\", resource) unless { context.input.amount.lessThan(decimal(\"9.0\")) };",
    );
    let started = Instant::now();
    store.reload().unwrap_or_else(|error| panic!("{error}"));
    println!("{}: reload with one more policy {:.2} s", world.name, started.elapsed().as_secs_f64());
}

fn texts(world: &World) -> Vec<(&'static str, String)> {
    let blueprints = blueprints(world);
    let mut policies = String::new();
    for index in 0..world.policies {
        let (blueprint, tool) = (index % blueprints, index / blueprints % world.tools);
        let _ = writeln!(
            policies,
            "@id(\"p{index}\") permit (principal in Blueprint::\"b{blueprint}\", action == Action::\"s.t{tool}\", resource)
             when {{ context.input.amount.lessThanOrEqual(decimal(\"{}.00\")) &&
                     [\"a\", \"b\", \"c\", \"v{index}\"].contains(context.input.recipient) }};",
            100 + index
        );
    }
    let mut entities = String::new();
    for index in 0..blueprints {
        let _ = writeln!(entities, "[blueprint.b{index}]");
    }
    for index in 0..world.agents {
        let _ = writeln!(entities, "[agent.a{index}]\nblueprint = \"b{}\"", index % blueprints);
    }
    let tools: Vec<String> = (0..world.tools)
        .map(|index| {
            format!(
                r#"{{"name":"t{index}","inputSchema":{{"type":"object","properties":{{"amount":{{"type":"number"}},
                "recipient":{{"type":"string"}}}},"required":["amount","recipient"],"additionalProperties":false}}}}"#
            )
        })
        .collect();
    let pin = format!(r#"{{"server":"s","tools":[{}]}}"#, tools.join(","));
    vec![("policies/p.cedar", policies), ("entities.toml", entities), ("tools/s.json", pin)]
}

fn blueprints(world: &World) -> usize {
    if world.policies <= 10 { 10 } else { 50 }
}

fn call(world: &World, index: usize, amount: &str) -> Call {
    let agent = index % world.agents;
    // Policies are dealt out blueprint by blueprint: tool 0 is there for all.
    let text = format!(r#"{{"agent":"a{agent}","tool":"s.t0","arguments":{{"amount":{amount},"recipient":"a"}}}}"#);
    let (agent, request) = Request::parse(text.as_bytes()).expect("a call");
    Call::new(agent.expect("an agent"), request)
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.insert(NOW.path, Fact::Datetime(Timestamp::from_millis(1_795_386_614_007)));
    facts
}

type Make = Box<dyn Fn(&Schema) -> cedar_policy::Request>;

/// The same decision with nothing but Cedar.
fn bare_calls() -> Vec<(Make, PolicySet, Entities, Schema)> {
    let uid = |text: &str| text.parse::<EntityUid>().expect("a uid");
    let schema = Schema::from_cedarschema_str(
        r#"entity Blueprint; entity Server; entity Agent in [Blueprint] = {"blueprint": Blueprint}; action "s";
           action "s.t0" in ["s"] appliesTo { principal: [Agent], resource: [Server], context: {
             "env": {"now": datetime}, "input": {"amount": decimal, "recipient": String}, "common": {} } };"#,
    )
    .expect("a schema")
    .0;
    let set = r#"permit (principal in Blueprint::"b0", action == Action::"s.t0", resource)
        when { context.input.amount.lessThanOrEqual(decimal("100.00")) && ["a", "b", "c", "v0"].contains(context.input.recipient) };"#;
    let entities = Entities::from_entities(
        [
            Entity::new(
                uid(r#"Agent::"a0""#),
                [("blueprint".to_owned(), RestrictedExpression::new_entity_uid(uid(r#"Blueprint::"b0""#)))].into(),
                [uid(r#"Blueprint::"b0""#)].into(),
            )
            .expect("an entity"),
            Entity::with_uid(uid(r#"Blueprint::"b0""#)),
            Entity::with_uid(uid(r#"Server::"s""#)),
            Entity::new_no_attrs(uid(r#"Action::"s.t0""#), [uid(r#"Action::"s""#)].into()),
        ],
        None,
    )
    .expect("entities");
    let (principal, action, resource) = (uid(r#"Agent::"a0""#), uid(r#"Action::"s.t0""#), uid(r#"Server::"s""#));
    let make = move |schema: &Schema| {
        let record = |pairs: Vec<(&str, RestrictedExpression)>| {
            RestrictedExpression::new_record(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)))
                .expect("a record")
        };
        let pairs = [
            ("env".to_owned(), record(vec![("now", RestrictedExpression::new_datetime("2026-11-22T22:30:14.007Z"))])),
            (
                "input".to_owned(),
                record(vec![
                    ("amount", RestrictedExpression::new_decimal("10.0000")),
                    ("recipient", RestrictedExpression::new_string("a".to_owned())),
                ]),
            ),
            ("common".to_owned(), record(vec![])),
        ];
        let context = Context::from_pairs(pairs).expect("a context");
        cedar_policy::Request::new(principal.clone(), action.clone(), resource.clone(), context, Some(schema))
            .expect("valid")
    };
    vec![(Box::new(make), set.parse().expect("a policy"), entities, schema)]
}
