//! A log in a temporary directory, and records to put into it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code, unreachable_pub)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use callgate_audit::{LogDir, Time, VerifyOptions, Writer, WriterOptions};
use callgate_core::{Code, Decision, Entry, Kind, Lane, Reason, Record, Timestamp};
use callgate_text::{Digest, Json};

pub const ORIGIN: &str = "callgate.test/log";
pub const START: i64 = 1_795_386_614_000;

pub struct Log {
    pub dir: LogDir,
    _root: tempfile::TempDir,
}

impl Log {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let dir = LogDir::create(&root.path().join("audit"), ORIGIN).expect("a log");
        Self { dir, _root: root }
    }

    pub fn writer(&self) -> Writer {
        Writer::open(&self.dir, options()).expect("a writer")
    }

    pub fn trusted(&self) -> VerifyOptions {
        Self::trusted_of(&self.dir)
    }

    pub fn trusted_of(dir: &LogDir) -> VerifyOptions {
        VerifyOptions { keys: dir.trusted_keys().expect("keys"), disclosures: true, ..VerifyOptions::default() }
    }
}

/// No reserve and no floor, so that a test does not depend on the disk it runs on; no budget in the way.
pub fn options() -> WriterOptions {
    let mut options = WriterOptions { reserve_bytes: 0, floor_bytes: 0, ..WriterOptions::default() };
    options.budget.burst = 1_000_000;
    options
}

/// What a support agent might have asked.
pub fn decision(agent: &str, at: u64) -> Entry {
    let agent: callgate_core::AgentId = agent.parse().expect("a name");
    let when = Timestamp::from_millis(START + i64::try_from(at).expect("small"));
    let mut record = Record::new(Kind::Decision, format!("01JD{at:022}"), when);
    record.state = Some("enforced");
    record.agent = Some(agent.clone());
    record.session = Some("s-81".parse().expect("a session"));
    record.tool = Some("bank.payment_send".parse().expect("a tool"));
    record.policy = Some(Digest::of(b"policy"));
    record.decision = Some(Decision::Deny);
    record.reasons = vec![Reason::new(Code::NotPermitted, "amount 500 is above 100.00").about("/amount")];
    record.seal("call", Json::object([("tool", "bank.payment_send"), ("recipient", "attacker-wallet-xyz")]));
    record.seal("facts", Json::object([("env.now", Json::integer(when.as_millis()))]));
    record.seal("argument:0", Json::integer(500));
    record.seal("argument:1", Json::from("attacker-wallet-xyz"));
    record.seal("reason:0", Json::from("amount 500 is above 100.00"));
    Entry { record, lane: Lane::Agent(agent) }
}

/// A record of the operator's.
pub fn note(kind: Kind) -> Entry {
    let mut record = Record::new(kind, "01JDOPERATOR".to_owned(), Timestamp::from_millis(START));
    record.details = vec![("what", Json::from("something"))];
    Entry { record, lane: Lane::Operator }
}

/// Clocks that a test sets.
#[derive(Debug)]
pub struct Clocks {
    pub wall: AtomicI64,
    pub monotonic: AtomicI64,
}

impl Clocks {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(START), monotonic: AtomicI64::new(0) })
    }

    pub fn pass(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Time for Clocks {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.monotonic.load(Ordering::SeqCst)).expect("forward"))
    }
}
