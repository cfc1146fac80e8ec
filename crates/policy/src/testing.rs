//! Policy tests: `tests/*.toml`, a call and the decision expected of it, judged as at a door.
//!
//! ```toml
//! [[test]]
//! name = "a small payment"
//! agent = "finance-1"
//! tool = "bank.payment_send"
//! arguments = { amount = 50.00, recipient = "vendor-a" }
//! session = "s-1"                        # may be left out
//! facts = { "session.labels" = ["untrusted"] }   # the others: false, 0, "", 2026-01-01T00:00:00Z, no labels
//! expect = "allow"                       # or "deny", "escalate"
//! code = "permitted"                     # one of the reasons has this code, may be left out
//! policy = "payments-small"              # one of the reasons is of this policy, may be left out
//! says = "vendor"                        # one of the reasons or the hint says this, may be left out
//! ```
//!
//! Instead of agent, tool, session and arguments, `call = '''{…}'''` gives a call's exact bytes.

mod convert;
mod report;

use std::ops::Range;
use std::sync::Arc;

use callgate_core::seam::Snapshot;
use callgate_core::{
    AgentId, Call, Code, CommandLine, Evaluation, FactSpec, Facts, PolicyRef, Reason, Request, SessionId, ToolName,
    Verdict, judge,
};
use callgate_text::{Digest, Object};

use toml::de::{DeTable, DeValue};

pub use report::{Coverage, TestReport, TestResult};

use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};
use crate::snapshot::GateSnapshot;

const FOLDER: &str = "tests";

/// One test, read.
struct Case {
    name: String,
    file: Arc<str>,
    source: Arc<str>,
    span: Range<usize>,
    /// The call, or why its bytes are none.
    call: Result<Call, String>,
    facts: Facts,
    expect: String,
    code: Option<Code>,
    policy: Option<String>,
    says: Option<String>,
}

/// Runs every test of `files` against `snapshot`, without anybody who looks into commands.
///
/// # Errors
/// If a test file is not one.
pub fn run_tests(snapshot: &GateSnapshot, files: &GateFiles) -> Result<TestReport, LoadError> {
    run_tests_with(snapshot, files, &|_, _| Ok(()))
}

/// What a layer adds to the facts of a call for the commands among its arguments, as
/// [`callgate_core::seam::FactSource::take_apart`].
pub type TakeApart<'a> = &'a dyn Fn(&[CommandLine], &mut Facts) -> Result<(), Reason>;

/// Runs every test of `files` against `snapshot`; `take_apart` looks into commands.
///
/// # Errors
/// If a test file is not one.
pub fn run_tests_with(
    snapshot: &GateSnapshot,
    files: &GateFiles,
    take_apart: TakeApart<'_>,
) -> Result<TestReport, LoadError> {
    let specs = snapshot.facts.specs();
    let mut cases = Vec::new();
    let mut findings = Vec::new();
    for (path, text) in files.below(FOLDER) {
        match read(path, text, specs) {
            Ok(read) => cases.extend(read),
            Err(mut found) => findings.append(&mut found),
        }
    }
    if !findings.is_empty() {
        return Err(findings.into());
    }
    let mut coverage: Vec<Coverage> =
        snapshot.policies().map(|policy| Coverage { policy: policy.clone(), satisfied: 0 }).collect();
    let mut results = Vec::new();
    for case in &mut cases {
        case.establish(snapshot, take_apart);
        for policy in satisfied(snapshot, case) {
            if let Some(covered) = coverage.iter_mut().find(|covered| covered.policy == policy) {
                covered.satisfied += 1;
            }
        }
        results.push(case.run(snapshot));
    }
    Ok(TestReport { results, coverage })
}

/// The policies whose conditions the call meets, whatever was decided.
fn satisfied(snapshot: &GateSnapshot, case: &Case) -> Vec<PolicyRef> {
    let Ok(call) = &case.call else { return Vec::new() };
    let mut policies = Vec::new();
    for act in case.facts.each() {
        if let Evaluation::Evaluated { permits, forbids, .. } = snapshot.evaluate(call, &act) {
            policies.extend(permits.into_iter().chain(forbids).map(|satisfied| satisfied.policy));
        }
    }
    policies.sort();
    policies.dedup();
    policies
}

impl Case {
    /// Adds the facts of commands, as the gate does.
    fn establish(&mut self, snapshot: &GateSnapshot, take_apart: TakeApart<'_>) {
        let Ok(call) = &self.call else { return };
        let commands = snapshot.commands(call);
        if !commands.is_empty()
            && let Err(reason) = take_apart(&commands, &mut self.facts)
        {
            self.call = Err(reason.message);
        }
    }

    fn run(&self, snapshot: &GateSnapshot) -> TestResult {
        let verdict = match &self.call {
            Ok(call) => judge(call, &self.facts, snapshot),
            Err(why) => Verdict::denial(Reason::new(Code::InvalidArguments, why.as_str())),
        };
        let failures = self.compare(&verdict);
        let line = self.finding("").line.unwrap_or_default();
        TestResult { name: self.name.clone(), file: Arc::clone(&self.file), line, verdict, failures }
    }

    /// What differs from what was expected.
    fn compare(&self, verdict: &Verdict) -> Vec<String> {
        let mut failures = Vec::new();
        if verdict.decision.as_str() != self.expect {
            failures.push(format!("expected {}, decided {}", self.expect, verdict.decision));
        }
        let reasons = &verdict.reasons;
        if let Some(code) = self.code
            && !reasons.iter().any(|reason| reason.code == code)
        {
            let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
            failures.push(format!("expected the code {code}, got {}", codes.join(", ")));
        }
        if let Some(policy) = &self.policy
            && !reasons.iter().any(|reason| reason.policy.as_ref().is_some_and(|given| *given.id == **policy))
        {
            failures.push(format!("no reason is given by the policy `{policy}`"));
        }
        if let Some(words) = &self.says {
            let said = reasons.iter().map(|reason| reason.message.as_str()).chain(verdict.hint.as_deref());
            if !said.clone().any(|text| text.contains(words.as_str())) {
                failures.push(format!("no reason says `{words}`, but: {}", said.collect::<Vec<_>>().join(" | ")));
            }
        }
        failures
    }

    fn finding(&self, message: &str) -> Finding {
        Finding::new(Rule::BadTest, Arc::clone(&self.file), message).at(&self.source, self.span.clone())
    }
}

fn read(path: &str, text: &Arc<str>, specs: &[FactSpec]) -> Result<Vec<Case>, Vec<Finding>> {
    let document =
        DeTable::parse(text).map_err(|error| crate::config::toml_fault(path, text, &error).findings().to_vec())?;
    let mut cases = Vec::new();
    let mut findings = Vec::new();
    for (key, value) in document.get_ref() {
        let tests = match (&**key.get_ref(), value.get_ref()) {
            ("test", DeValue::Array(tests)) => tests,
            _ => {
                let message = "expected nothing but [[test]] tables";
                findings.push(Finding::new(Rule::BadTest, path, message).at(text, key.span()));
                continue;
            }
        };
        for test in tests.iter() {
            let read = match test.get_ref() {
                DeValue::Table(table) => case(path, text, test.span(), table, specs),
                _ => Err((test.span(), "expected a table".to_owned())),
            };
            match read {
                Ok(case) => cases.push(case),
                Err((span, message)) => findings.push(Finding::new(Rule::BadTest, path, message).at(text, span)),
            }
        }
    }
    if findings.is_empty() { Ok(cases) } else { Err(findings) }
}

type Fault = (Range<usize>, String);

fn case(
    path: &str,
    source: &Arc<str>,
    span: Range<usize>,
    table: &DeTable<'_>,
    specs: &[FactSpec],
) -> Result<Case, Fault> {
    const KEYS: &[&str] =
        &["name", "agent", "tool", "session", "arguments", "call", "facts", "expect", "code", "policy", "says"];
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&&**key.get_ref())) {
        return Err((key.span(), format!("unknown key; a test has {}", KEYS.join(", "))));
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => match value.get_ref() {
            DeValue::String(text) => Ok(Some((text.to_string(), value.span()))),
            _ => Err((value.span(), format!("`{key}` must be a string"))),
        },
    };
    let needed = |key: &str| text(key)?.ok_or_else(|| (span.clone(), format!("the test lacks `{key}`")));
    let (name, _) = needed("name")?;
    let (expect, place) = needed("expect")?;
    if !["allow", "deny", "escalate"].contains(&expect.as_str()) {
        return Err((place, "`expect` is \"allow\", \"deny\" or \"escalate\"".to_owned()));
    }
    let code = text("code")?.map(|(code, place)| code.parse::<Code>().map_err(|error| (place, error.to_string())));
    let call = match text("call")? {
        Some((bytes, place)) => {
            if ["agent", "tool", "session", "arguments"].iter().any(|key| table.contains_key(*key)) {
                return Err((place, "`call` stands instead of agent, tool, session and arguments".to_owned()));
            }
            exact(&bytes)
        }
        None => {
            let (agent, agent_at) = needed("agent")?;
            let (tool, tool_at) = needed("tool")?;
            let session = text("session")?
                .map(|(session, place)| session.parse::<SessionId>().map_err(|error| (place, error.to_string())));
            let agent = agent.parse::<AgentId>().map_err(|error| (agent_at, error.to_string()))?;
            let tool = tool.parse::<ToolName>().map_err(|error| (tool_at, error.to_string()))?;
            let arguments = match table.get("arguments") {
                None => None,
                Some(value) => Some(convert::object(value)?),
            };
            Ok(Call::new(agent, request(tool, session.transpose()?, arguments)))
        }
    };
    let facts = convert::facts(specs, table.get("facts"))?;
    Ok(Case {
        name,
        file: path.into(),
        source: Arc::clone(source),
        span: span.clone(),
        call,
        facts,
        expect,
        code: code.transpose()?,
        policy: text("policy")?.map(|(policy, _)| policy),
        says: text("says")?.map(|(says, _)| says),
    })
}

/// A call from its bytes, as a door would read them.
fn exact(bytes: &str) -> Result<Call, String> {
    let (agent, request) = Request::parse(bytes.as_bytes()).map_err(|fault| fault.to_string())?;
    let agent = agent.ok_or("the call lacks `agent`")?;
    Ok(Call::new(agent, request))
}

fn request(tool: ToolName, session: Option<SessionId>, arguments: Option<Object>) -> Request {
    Request {
        tool,
        session,
        arguments,
        members: Object::default(),
        original: Digest::of(b""),
        offered: None,
        host_call: None,
        cwd: None,
    }
}
