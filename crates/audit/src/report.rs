//! What an auditor asks first: who called what, what was denied and why, which policies were in force, where the
//! log has gaps. Every line cites the index of a record that shows it.

use std::collections::BTreeMap;

use callgate_text::Json;

use crate::error::AuditError;
use crate::leaf::{as_count, count};
use crate::reader::{Reader, Shown};

/// How often something happened, and where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The index of the first record that shows it.
    pub first: u64,
    /// The index of the last.
    pub last: u64,
}

/// Something that is worth a look by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The index of its record.
    pub index: u64,
    /// The record's kind, or `unreported` for an allowed call whose outcome is missing.
    pub kind: String,
    /// When.
    pub at: String,
    /// The agent, if one is concerned.
    pub agent: Option<String>,
    /// What the record says about it.
    pub details: Json,
}

/// What an auditor asks first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The log.
    pub origin: String,
    /// How many records were read.
    pub records: u64,
    /// The first and the last time that a record gives.
    pub span: Option<(String, String)>,
    /// Records by kind.
    pub kinds: BTreeMap<String, Tally>,
    /// Decisions by agent and decision.
    pub agents: BTreeMap<(String, String), Tally>,
    /// Decisions by tool and decision.
    pub tools: BTreeMap<(String, String), Tally>,
    /// Denials and escalations by reason code.
    pub denials: BTreeMap<String, Tally>,
    /// Decisions by the digest of the policy in force.
    pub policies: BTreeMap<String, Tally>,
    /// Decisions of agents that could have got around the gate.
    pub advisory: Option<Tally>,
    /// Policy, key, credential and tool changes, and erasures, in order.
    pub changes: Vec<Event>,
    /// Starts, stops, recoveries, clock jumps, folded records, in order.
    pub gaps: Vec<Event>,
    /// Allowed calls without an outcome.
    pub unreported: Vec<Event>,
    /// How many more changes, gaps and unreported outcomes there are than the lists show.
    pub omitted: u64,
}

/// The most events that each list holds.
const MOST_EVENTS: usize = 10_000;

fn tally<K: Ord>(tallies: &mut BTreeMap<K, Tally>, key: K, index: u64) {
    let tally = tallies.entry(key).or_insert(Tally { count: 0, first: index, last: index });
    tally.count += 1;
    tally.last = index;
}

impl Reader {
    /// Reads the durable records from `from` on and sums them up.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn report(&self, from: u64) -> Result<Report, AuditError> {
        let mut report = Report { origin: self.dir().origin().to_owned(), ..Report::default() };
        let mut open: BTreeMap<u64, Event> = BTreeMap::new();
        let mut records = self.records(from)?;
        while let Some(shown) = records.next_record()? {
            report.add(&shown, &mut open);
        }
        for event in open.into_values() {
            keep(&mut report.unreported, event, &mut report.omitted);
        }
        Ok(report)
    }
}

fn keep(events: &mut Vec<Event>, event: Event, omitted: &mut u64) {
    if events.len() < MOST_EVENTS {
        events.push(event);
    } else {
        *omitted += 1;
    }
}

impl Report {
    fn add(&mut self, shown: &Shown, open: &mut BTreeMap<u64, Event>) {
        let (index, leaf) = (shown.index, &shown.leaf);
        let text = |member: &str| leaf.get(member).and_then(Json::as_str);
        let (kind, at) = (text("kind").unwrap_or("?").to_owned(), text("at").unwrap_or("?").to_owned());
        self.records += 1;
        self.span = Some((self.span.take().map_or_else(|| at.clone(), |(first, _)| first), at.clone()));
        tally(&mut self.kinds, kind.clone(), index);
        let event = |kind: &str| Event {
            index,
            kind: kind.to_owned(),
            at: at.clone(),
            agent: text("agent").map(str::to_owned),
            details: leaf.get("details").cloned().unwrap_or(Json::Null),
        };
        match kind.as_str() {
            "decision" => {
                let decision = text("decision").unwrap_or("?").to_owned();
                tally(&mut self.agents, (text("agent").unwrap_or("(none)").to_owned(), decision.clone()), index);
                tally(&mut self.tools, (text("tool").unwrap_or("(none)").to_owned(), decision.clone()), index);
                if let Some(policy) = text("policy") {
                    tally(&mut self.policies, policy.to_owned(), index);
                }
                if text("state") == Some("advisory") {
                    let advisory = self.advisory.get_or_insert(Tally { count: 0, first: index, last: index });
                    advisory.count += 1;
                    advisory.last = index;
                }
                if matches!(&*decision, "allow" | "would_deny") {
                    open.insert(index, event("unreported"));
                }
                if decision != "allow" {
                    let reasons = leaf.get("reasons").and_then(Json::as_array).unwrap_or_default();
                    let codes = reasons.iter().filter_map(|reason| reason.get("code")?.as_str());
                    let codes: std::collections::BTreeSet<_> = codes.collect();
                    for code in codes {
                        tally(&mut self.denials, code.to_owned(), index);
                    }
                }
            }
            "outcome" | "executed_differs" => {
                if let Some(prev) = leaf.get("prev").and_then(as_count) {
                    open.remove(&prev);
                }
                if kind == "executed_differs" {
                    keep(&mut self.changes, event(&kind), &mut self.omitted);
                }
            }
            "start" | "stop" | "recovery" | "clock_jump" | "folded" => {
                keep(&mut self.gaps, event(&kind), &mut self.omitted);
            }
            _ => keep(&mut self.changes, event(&kind), &mut self.omitted),
        }
    }

    /// As `callgate audit report --format json` shows it.
    pub fn to_json(&self) -> Json {
        let pairs = |tallies: &BTreeMap<(String, String), Tally>, name: &'static str| {
            let rows = tallies.iter().map(|((key, decision), tally)| {
                let mut row = vec![(name, Json::from(key.as_str())), ("decision", Json::from(decision.as_str()))];
                row.extend(tally.members());
                Json::object(row)
            });
            Json::Array(rows.collect())
        };
        let singles = |tallies: &BTreeMap<String, Tally>, name: &'static str| {
            let rows = tallies.iter().map(|(key, tally)| {
                let mut row = vec![(name, Json::from(key.as_str()))];
                row.extend(tally.members());
                Json::object(row)
            });
            Json::Array(rows.collect())
        };
        let events = |events: &[Event]| Json::Array(events.iter().map(Event::to_json).collect());
        let mut members = vec![
            ("log", Json::from(self.origin.as_str())),
            ("records", count(self.records)),
            ("kinds", singles(&self.kinds, "kind")),
            ("agents", pairs(&self.agents, "agent")),
            ("tools", pairs(&self.tools, "tool")),
            ("denials", singles(&self.denials, "code")),
            ("policies", singles(&self.policies, "policy")),
            ("changes", events(&self.changes)),
            ("gaps", events(&self.gaps)),
            ("unreported", events(&self.unreported)),
            ("omitted", count(self.omitted)),
        ];
        if let Some((first, last)) = &self.span {
            members.push(("from", Json::from(first.as_str())));
            members.push(("to", Json::from(last.as_str())));
        }
        if let Some(advisory) = &self.advisory {
            members.push(("advisory", Json::object(advisory.members())));
        }
        Json::object(members)
    }
}

impl Tally {
    fn members(&self) -> [(&'static str, Json); 3] {
        [("count", count(self.count)), ("first", count(self.first)), ("last", count(self.last))]
    }
}

impl Event {
    fn to_json(&self) -> Json {
        let mut members = vec![
            ("index", count(self.index)),
            ("kind", Json::from(self.kind.as_str())),
            ("at", Json::from(self.at.as_str())),
        ];
        members.extend(self.agent.as_ref().map(|agent| ("agent", Json::from(agent.as_str()))));
        if self.details != Json::Null {
            members.push(("details", self.details.clone()));
        }
        Json::object(members)
    }
}
