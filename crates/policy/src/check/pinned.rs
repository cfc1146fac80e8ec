//! What somebody should know of the pinned tools, whatever policies say about them.

use std::sync::Arc;

use crate::finding::{Finding, Rule};
use crate::hidden;
use crate::snapshot::GateSnapshot;

/// How many findings of one rule a tool may cause; a hostile definition could cause thousands.
const MOST: usize = 16;

pub(super) fn run(snapshot: &GateSnapshot, findings: &mut Vec<Finding>) {
    for pin in snapshot.catalogue.pins.values() {
        if !pin.hidden.is_empty() {
            let characters = hidden::named(&pin.hidden);
            let message = format!("instructions, prompts or templates of {} hold hidden {characters}", pin.server);
            findings.push(Finding::new(Rule::HiddenCharacters, Arc::clone(&pin.file), message));
        }
        for (name, definition) in &pin.tools {
            let characters = hidden::characters(definition);
            if !characters.is_empty() {
                let message = format!("the definition of {name} holds hidden {}", hidden::named(&characters));
                findings.push(pin.finding(name, Rule::HiddenCharacters, message));
            }
            let Some((_, action)) = snapshot.catalogue.find(name) else { continue };
            let unchecked = action.kind.unchecked();
            let shown = unchecked.iter().take(MOST).map(|part| format!("{name}: {part}"));
            let more = unchecked.len().saturating_sub(MOST);
            let rest = (more > 0).then(|| format!("{name}: {more} more parts of its schema are not enforced"));
            let report = |message| pin.finding(name, Rule::UncheckedSchema, message);
            findings.extend(shown.chain(rest).map(report));
        }
    }
}
