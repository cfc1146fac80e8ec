//! What the evaluator did, step by step: the same evaluator, on the same snapshot, as enforcement.

use callgate_core::{Call, Evaluation, Facts, Reason, judge};
use callgate_text::Json;
use cedar_policy::{Effect, EvalResult};

use crate::explain::Outcome;
use crate::policies::Policy;
use crate::slice::Found;
use crate::snapshot::{GateSnapshot, Prepared};

/// `{call, policy, facts, agent?, action?, context?, policies?, refused?, verdict}`; for a call of several acts
/// `{call, policy, facts, acts: [{agent, …}], verdict}`.
pub(crate) fn trace(snapshot: &GateSnapshot, call: &Call, facts: &Facts) -> Json {
    let verdict = judge(call, facts, snapshot);
    let mut members =
        vec![("call", Json::from(call.digest())), ("policy", Json::from(snapshot.digest)), ("facts", facts.to_json())];
    let acts: Vec<_> = facts.each().collect();
    match acts.as_slice() {
        [act] => members.extend(evaluated(snapshot, call, act)),
        acts => {
            let acts = acts.iter().map(|act| Json::object(evaluated(snapshot, call, act)));
            members.push(("acts", Json::Array(acts.collect())));
        }
    }
    members.push(("verdict", verdict.to_json()));
    Json::object(members)
}

/// What the evaluator did about one act.
fn evaluated(snapshot: &GateSnapshot, call: &Call, facts: &Facts) -> Vec<(&'static str, Json)> {
    let refused = |reasons: &[Reason]| ("refused", Json::Array(reasons.iter().map(Reason::to_json).collect()));
    let prepared = match snapshot.prepare(call, facts) {
        Err(reasons) => return vec![refused(&reasons)],
        Ok(prepared) => prepared,
    };
    let found = snapshot.find(&prepared);
    let policies = prepared.slice().places.iter().filter_map(|place| {
        let policy = snapshot.policies.get(*place)?;
        Some(step(policy, *place, &prepared, &found))
    });
    let mut members = vec![
        ("agent", agent(snapshot, &prepared)),
        ("action", action(&prepared)),
        ("context", context(&prepared)),
        ("policies", Json::Array(policies.collect())),
    ];
    if let Evaluation::Refused(reasons) = snapshot.conclude(&prepared, &found) {
        members.push(refused(&reasons));
    }
    members
}

fn agent(snapshot: &GateSnapshot, prepared: &Prepared<'_>) -> Json {
    let blueprints = snapshot.blueprints(&prepared.agent.id).into_iter().map(Json::from).collect();
    Json::object([("id", Json::from(&prepared.agent.id)), ("blueprints", Json::Array(blueprints))])
}

fn action(prepared: &Prepared<'_>) -> Json {
    let groups = prepared.action.groups.iter().map(|group| Json::from(group.as_str())).collect();
    Json::object([
        ("name", Json::from(&prepared.action.name)),
        ("groups", Json::Array(groups)),
        ("pinned", Json::from(prepared.action.pinned)),
    ])
}

fn context(prepared: &Prepared<'_>) -> Json {
    let Some(context) = prepared.request.context() else { return Json::Null };
    let mut sections: Vec<_> = ["input", "common"]
        .into_iter()
        .filter_map(|section| Some((section.to_owned(), value(&context.get(section)?))))
        .collect();
    let rest = context.clone().into_iter().map(|(name, _)| name);
    let mut rest: Vec<_> = rest.filter(|name| name != "input" && name != "common").collect();
    rest.sort();
    sections.extend(rest.into_iter().filter_map(|name| {
        let shown = value(&context.get(&name)?);
        Some((name, shown))
    }));
    Json::object(sections)
}

/// A Cedar value; entities and extension values as Cedar writes them.
fn value(result: &EvalResult) -> Json {
    match result {
        EvalResult::Bool(flag) => Json::Bool(*flag),
        EvalResult::Long(long) => Json::integer(*long),
        EvalResult::String(text) => Json::from(text.as_str()),
        EvalResult::EntityUid(uid) => Json::from(uid.to_string()),
        EvalResult::Set(items) => Json::Array(items.iter().map(value).collect()),
        EvalResult::Record(record) => Json::object(record.iter().map(|(name, item)| (name.as_str(), value(item)))),
        EvalResult::ExtensionValue(text) => Json::from(text.as_str()),
    }
}

/// One policy of the slice: how it turned out, and each of its parts.
fn step(policy: &Policy, place: usize, prepared: &Prepared<'_>, found: &Found) -> Json {
    let parsed = &policy.parsed;
    let error = found.errors.iter().find(|(at, _)| *at == place).map(|(_, error)| error.as_str());
    let satisfied = found.permits.contains(&place) || found.forbids.contains(&place);
    let outcome = match (error, satisfied) {
        (Some(_), _) => "error",
        (None, true) => "satisfied",
        (None, false) => "not satisfied",
    };
    let parts = parsed.conjuncts.iter().map(|part| {
        let mut members = vec![("text", Json::from(part.text.as_str()))];
        match part.evaluate(&prepared.request, prepared.entities()) {
            Outcome::Holds => members.push(("holds", Json::Bool(true))),
            Outcome::Fails => {
                members.push(("holds", Json::Bool(false)));
                members.push(("because", Json::from(part.failure(&prepared.request, prepared.entities()))));
            }
            Outcome::Error(error) => members.push(("error", Json::from(error))),
        }
        Json::object(members)
    });
    let mut members = vec![
        ("id", Json::from(&*policy.at.id)),
        ("at", Json::from(&*policy.at.at)),
        ("effect", Json::from(if parsed.effect == Effect::Permit { "permit" } else { "forbid" })),
        ("outcome", Json::from(outcome)),
        ("conditions", Json::Array(parts.collect())),
    ];
    if let Some(error) = error {
        members.push(("error", Json::from(error)));
    }
    if let Some(approval) = &parsed.annotations.approval {
        members.push(("approval", Json::from(&*approval.group)));
    }
    Json::object(members)
}
