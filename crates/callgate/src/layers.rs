//! What the layers bring to a policy: the facts that they establish, and a look at files that they read for themselves.

use callgate_core::FactSpec;
use callgate_core::gate::{NOW, SANDBOX};
use callgate_guard::shell::Table;
use callgate_policy::{Finding, GateFiles, GateSnapshot, Rule};
use callgate_sandbox::Profiles;

/// Every fact that this gate establishes.
pub(crate) fn specs() -> Vec<FactSpec> {
    [NOW, SANDBOX].iter().chain(callgate_guard::FACTS).chain(callgate_sandbox::FACTS).copied().collect()
}

/// What is wrong with the sandbox's profiles and the shell guard's programs. A gate that cannot use them refuses to
/// start; a running one keeps the last good ones.
pub(crate) fn look(snapshot: &GateSnapshot, files: &GateFiles) -> Vec<Finding> {
    profiles(snapshot, files).into_iter().chain(programs(files)).collect()
}

fn profiles(snapshot: &GateSnapshot, files: &GateFiles) -> Vec<Finding> {
    const FILE: &str = "callgate.toml";
    let Some(text) = files.get(FILE) else { return Vec::new() };
    let bad = |message: String, named: &str| {
        let finding = Finding::new(Rule::BadProfile, FILE, message);
        match text.find(named) {
            Some(start) => finding.at(text, start..start + named.len()),
            None => finding,
        }
    };
    let profiles = match Profiles::of_gate(text) {
        Ok(profiles) => profiles,
        Err(error) => return vec![bad(error.to_string(), "[sandbox")],
    };
    let unknown = snapshot.contained().filter(|(_, profile)| profiles.get(profile).is_none());
    unknown
        .map(|(tool, profile)| {
            let known: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
            let message = format!("{tool} has the profile `{profile}`; there are: {}", known.join(", "));
            bad(message, tool.as_str())
        })
        .collect()
}

/// What the shell guard finds wrong with the operator's own programs, at its place.
fn programs(files: &GateFiles) -> Option<Finding> {
    const FILE: &str = "programs.toml";
    let text = files.get(FILE)?;
    let read = Table::builtin().and_then(|mut table| table.extend(FILE, text));
    let error = read.err()?;
    let finding = Finding::new(Rule::BadProgram, error.file, error.fault);
    Some(match error.span {
        Some(span) => finding.at(text, span),
        None => finding,
    })
}
