//! What of a server's offers an agent gets to see.

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{AgentId, ServerName, ToolName};
use callgate_text::Json;
use cedar_policy::Effect;

use crate::pins::{self, Pin};
use crate::protocol;
use crate::snapshot::GateSnapshot;

/// How each offer stands: pinned as it is and open to the agent, pinned and not open, or not as pinned.
pub(crate) fn standing(
    snapshot: &GateSnapshot,
    agent: &AgentId,
    server: &ServerName,
    offers: &[Offer],
) -> Vec<Standing> {
    let pin = snapshot.catalogue.pins.get(server);
    let one = |offer: &Offer| match pin {
        None => Standing::Quarantined,
        Some(pin) => of(snapshot, agent, pin, offer),
    };
    offers.iter().map(one).collect()
}

fn of(snapshot: &GateSnapshot, agent: &AgentId, pin: &Pin, offer: &Offer) -> Standing {
    let pinned = match offer.kind {
        OfferKind::Tool => return tool(snapshot, agent, pin, &offer.definition),
        OfferKind::Resource => return method(snapshot, agent, pin, protocol::READ),
        OfferKind::Prompt => pin.prompts.contains(&pins::digest(&offer.definition)),
        OfferKind::Template => pin.templates.contains(&pins::digest(&offer.definition)),
        OfferKind::Instructions => pin.instructions == Some(pins::digest(&offer.definition)),
    };
    match (pinned, offer.kind) {
        (false, _) => Standing::Quarantined,
        (true, OfferKind::Prompt) => method(snapshot, agent, pin, protocol::PROMPT),
        (true, OfferKind::Template) => method(snapshot, agent, pin, protocol::READ),
        // What the server says of itself is text that was reviewed, and no action.
        (true, _) => Standing::Shown,
    }
}

fn tool(snapshot: &GateSnapshot, agent: &AgentId, pin: &Pin, definition: &Json) -> Standing {
    let name = definition.get("name").and_then(Json::as_str);
    let Some(name) = name.and_then(|name| ToolName::of(&pin.server, name).ok()) else {
        return Standing::Quarantined;
    };
    match snapshot.catalogue.find(&name) {
        Some((_, action)) if action.pinned == Some(pins::digest(definition)) => shown(snapshot, agent, &name),
        _ => Standing::Quarantined,
    }
}

fn method(snapshot: &GateSnapshot, agent: &AgentId, pin: &Pin, method: &str) -> Standing {
    match ToolName::of(&pin.server, method) {
        Ok(name) => shown(snapshot, agent, &name),
        Err(_) => Standing::Hidden,
    }
}

/// Shown if a permit's head admits the call and no forbid closes it whatever its arguments.
fn shown(snapshot: &GateSnapshot, agent: &AgentId, name: &ToolName) -> Standing {
    let Some(agent) = snapshot.population.agent(agent).filter(|agent| !agent.revoked) else {
        return Standing::Hidden;
    };
    let Some((place, action)) = snapshot.catalogue.find(name) else { return Standing::Hidden };
    let slice = snapshot.slice(agent, place, action);
    let mut open = false;
    for policy in slice.1.places.iter().filter_map(|place| snapshot.policies.get(*place)) {
        let parsed = &policy.parsed;
        match parsed.effect {
            Effect::Permit => open = true,
            Effect::Forbid if parsed.is_unconditional() && parsed.annotations.approval.is_none() => {
                return Standing::Hidden;
            }
            Effect::Forbid => {}
        }
    }
    if open { Standing::Shown } else { Standing::Hidden }
}
