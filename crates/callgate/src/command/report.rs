//! The text of `callgate audit report`: each line cites an index.

use callgate_audit::{Event, Report, Tally};
use callgate_text::Json;

pub(crate) fn text(report: &Report) -> String {
    let mut text = format!("log {}: {} records", report.origin, report.records);
    if let Some((first, last)) = &report.span {
        text.push_str(&format!(", {first} to {last}"));
    }
    text.push('\n');
    let pairs = |map: &std::collections::BTreeMap<(String, String), Tally>| {
        map.iter().map(|((name, decision), tally)| format!("{name} {decision} {}", cited(tally))).collect()
    };
    let singles = |map: &std::collections::BTreeMap<String, Tally>| {
        map.iter().map(|(name, tally)| format!("{name} {}", cited(tally))).collect()
    };
    section(&mut text, "agents", pairs(&report.agents));
    section(&mut text, "tools", pairs(&report.tools));
    section(&mut text, "denials", singles(&report.denials));
    section(&mut text, "policies in force", singles(&report.policies));
    section(&mut text, "changes", report.changes.iter().map(event).collect());
    section(&mut text, "gaps", report.gaps.iter().map(event).collect());
    section(&mut text, "allowed calls without a reported outcome", report.unreported.iter().map(event).collect());
    if let Some(advisory) = &report.advisory {
        section(&mut text, "advisory: the agent could have got around the gate", vec![cited(advisory)]);
    }
    if report.omitted > 0 {
        text.push_str(&format!("{} more lines are left out here; `audit export` has them\n", report.omitted));
    }
    text
}

fn section(text: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("{title}\n"));
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
}

fn cited(tally: &Tally) -> String {
    match tally.count {
        1 => format!("once [{}]", tally.first),
        count => format!("{count} times [{} … {}]", tally.first, tally.last),
    }
}

fn event(event: &Event) -> String {
    let details = match &event.details {
        Json::Null => String::new(),
        details => format!(" {}", String::from_utf8_lossy(&details.canonical())),
    };
    let agent = event.agent.as_deref().map(|agent| format!(" {agent}")).unwrap_or_default();
    format!("{} {}{agent}{details} [{}]", event.at, event.kind, event.index)
}
