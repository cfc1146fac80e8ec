//! `policies/*.cedar`: from text to policies with ids, places, annotations and scopes.

mod annotations;
mod parsed;
mod scope;
mod split;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use callgate_core::PolicyRef;
use callgate_text::Digest;
use cedar_policy::{Policy as Cedar, PolicyId};

pub(crate) use annotations::Annotations;
pub(crate) use parsed::{Fault, Parsed};
pub(crate) use scope::{Scope, Who};

use crate::cache::Cache;
use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};

const FOLDER: &str = "policies";

/// One policy of the set.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Its id, and where it stands.
    pub(crate) at: PolicyRef,
    pub(crate) file: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) span: Range<usize>,
    pub(crate) parsed: Arc<Parsed>,
    /// For Cedar, its id is its place in the set.
    pub(crate) cedar: Cedar,
}

impl Policy {
    /// A finding about all of the policy.
    pub(crate) fn finding(&self, rule: Rule, message: impl Into<String>) -> Finding {
        Finding::new(rule, Arc::clone(&self.file), message).at(&self.source, self.span.clone())
    }

    /// A finding about a part of the policy, by the part's place in the policy's own text.
    pub(crate) fn finding_within(&self, rule: Rule, message: impl Into<String>, part: Range<usize>) -> Finding {
        let start = self.span.start.saturating_add(part.start).min(self.span.end);
        let end = self.span.start.saturating_add(part.end).clamp(start, self.span.end);
        Finding::new(rule, Arc::clone(&self.file), message).at(&self.source, start..end)
    }

    /// The place in the set that a Cedar id stands for.
    pub(crate) fn index_of(id: &PolicyId) -> Option<usize> {
        let text: &str = id.as_ref();
        text.parse().ok()
    }
}

/// Reads every policy of the directory, in order of file and place.
pub(crate) fn read_all(files: &GateFiles, cache: &Cache) -> Result<Vec<Policy>, LoadError> {
    let mut policies = Vec::new();
    let mut findings = Vec::new();
    for (path, source) in files.below(FOLDER) {
        let file: Arc<str> = path.into();
        let mut line = 1;
        let mut counted = 0;
        for span in split::policies(source) {
            let text = source.get(span.clone()).unwrap_or_default();
            let newlines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
            line += newlines(source.get(counted..span.start).unwrap_or_default());
            counted = span.start;
            match cache.parsed(text, Parsed::read) {
                Err(faults) => findings.extend(faults.iter().map(|fault| {
                    let part = fault.part.clone().unwrap_or(0..text.len());
                    let place = span.start.saturating_add(part.start)..span.start.saturating_add(part.end);
                    let finding = Finding::new(fault.rule, Arc::clone(&file), fault.message.as_str()).at(source, place);
                    match &fault.help {
                        Some(help) => finding.help(help.as_str()),
                        None => finding,
                    }
                })),
                Ok(parsed) => {
                    let id = match &parsed.annotations.id {
                        Some(id) => Arc::clone(id),
                        None => anonymous(&file, &parsed).into(),
                    };
                    let at = PolicyRef { id, at: format!("{file}:{line}").into() };
                    let cedar = parsed.cedar.new_id(PolicyId::new(policies.len().to_string()));
                    let (file, source) = (Arc::clone(&file), Arc::clone(source));
                    policies.push(Policy { at, file, source, span, parsed, cedar });
                }
            }
        }
    }
    let mut ids: BTreeMap<&str, &Policy> = BTreeMap::new();
    for policy in &policies {
        if let Some(first) = ids.insert(&policy.at.id, policy) {
            let message = format!("the id `{}` belongs to the policy at {} already", first.at.id, first.at.at);
            findings.push(policy.finding(Rule::DuplicateId, message));
        }
    }
    if findings.is_empty() { Ok(policies) } else { Err(findings.into()) }
}

/// `<file>#<hash of the canonical text>`: stays the same when other policies come, go or move.
fn anonymous(file: &str, parsed: &Parsed) -> String {
    let digest = Digest::of(parsed.canonical.as_bytes()).to_string();
    let hash: String = digest.chars().skip("sha256:".len()).take(12).collect();
    format!("{}#{hash}", file.strip_prefix("policies/").unwrap_or(file))
}
