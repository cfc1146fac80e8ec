//! A gate on seams that fail on demand, and without a clock, disk or runtime of their own.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callgate_core::gate::{Deadlines, Seams};
use callgate_core::seam::{
    Clock, Entropy, EntropyError, FactSource, Later, Log, LogError, Offer, Policies, Snapshot, Stale, Standing,
};
use callgate_core::{
    AgentId, Call, Caller, Changes, Containment, Entry, Evaluation, Fact, Facts, Gate, PolicyRef, Posture,
    ProfileAsked, Reason, Receipt, Request, Satisfied, ServerName, Timestamp,
};
use callgate_text::{Digest, Json};

/// What the log does with the next entry. The last one stays in force.
#[derive(Clone, Debug)]
pub(crate) enum Disk {
    Keeps,
    /// Durable, but only after having been pending once.
    KeepsLater,
    Fails(LogError),
    Panics,
    PanicsLater,
    Hangs,
}

/// What is wrong with the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ill {
    Nothing,
    ClockPanics,
    AlarmPanics,
    EntropyFails {
        from: u64,
    },
    EntropyPanics {
        from: u64,
    },
    PolicyStale,
    PolicyPanics,
    EvaluationPanics,
    FactFails,
    FactPanics,
    /// Calls are to run contained, and no layer can.
    NoSandbox,
    /// Calls run contained.
    Contained,
}

pub(crate) struct House {
    pub(crate) gate: Gate,
    pub(crate) log: Arc<Book>,
    pub(crate) evaluated: Arc<Mutex<Vec<Facts>>>,
}

pub(crate) const DEADLINES: Deadlines = Deadlines {
    decide: Duration::from_millis(1),
    complete: Duration::from_millis(2),
    preview: Duration::from_millis(3),
    observe: Duration::from_millis(4),
    epitaph: Duration::from_millis(5),
};

impl House {
    /// A gate whose policy permits everything, with this illness and this log.
    pub(crate) fn new(ill: Ill, disk: impl IntoIterator<Item = Disk>) -> Self {
        Self::judging(permitted(), ill, disk)
    }

    pub(crate) fn judging(evaluation: Evaluation, ill: Ill, disk: impl IntoIterator<Item = Disk>) -> Self {
        let mut disk: Vec<_> = disk.into_iter().collect();
        disk.reverse();
        let log = Arc::new(Book { disk: Mutex::new(disk), entries: Mutex::default() });
        let evaluated = Arc::new(Mutex::default());
        let policy = Policy { evaluation, ill, evaluated: Arc::clone(&evaluated) };
        let seams = Seams {
            policies: Arc::new(policy),
            log: Arc::clone(&log) as Arc<dyn Log>,
            clock: Arc::new(Hands { ill }),
            entropy: Arc::new(Dice { ill, thrown: Mutex::default() }),
            facts: vec![Arc::new(Risk { ill })],
        };
        Self { gate: Gate::new(seams, DEADLINES), log, evaluated }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.log.entries).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn caller(agent: &str) -> Caller {
    Caller::Agent { id: agent.parse().expect("an agent's name"), posture: Posture::Enforced }
}

pub(crate) fn request() -> Request {
    let bytes = br#"{"session":"s-81","tool":"bank.payment_send","arguments":{"amount":50,"recipient":"vendor-a"}}"#;
    Request::parse(bytes).expect("a call").1
}

fn permitted() -> Evaluation {
    let policy = PolicyRef { id: "open".into(), at: "policies/open.cedar:1".into() };
    let open = Satisfied { policy, code: None, message: None, approval: None, disclose: Default::default() };
    Evaluation::Evaluated { permits: vec![open], forbids: vec![], errors: vec![], nearest: None }
}

/// What the dice show the first time.
const FACE: u8 = 0xA0;

/// The token of the permit that the dice give as the `throw`th, counted from 0.
pub(crate) fn token(throw: u8) -> String {
    format!("{:02x}", FACE + throw).repeat(16)
}

pub(crate) struct Book {
    disk: Mutex<Vec<Disk>>,
    entries: Mutex<Vec<Entry>>,
}

impl Log for Book {
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>> {
        let mut disk = lock(&self.disk);
        let does = if disk.len() > 1 { disk.pop() } else { disk.last().cloned() };
        drop(disk);
        match does.unwrap_or(Disk::Keeps) {
            Disk::Fails(error) => Box::pin(ready(Err(error))),
            Disk::Hangs => Box::pin(pending()),
            #[expect(clippy::panic, reason = "the illness")]
            Disk::Panics => panic!("the log panics"),
            #[expect(clippy::panic, reason = "the illness")]
            Disk::PanicsLater => Box::pin(async { panic!("the log panics") }),
            Disk::Keeps => Box::pin(ready(Ok(self.keep(entry)))),
            Disk::KeepsLater => Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(self.keep(entry))
            }),
        }
    }
}

impl Book {
    fn keep(&self, entry: Entry) -> Receipt {
        let mut entries = lock(&self.entries);
        entries.push(entry);
        Receipt { log: "callgate.test/house".to_owned(), index: entries.len() as u64 - 1 }
    }
}

struct Hands {
    ill: Ill,
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        assert_ne!(self.ill, Ill::ClockPanics);
        Timestamp::from_millis(1_795_386_614_007)
    }

    /// No time passes, so whatever waits for something else than this has hung.
    fn sleep(&self, duration: Duration) -> Later<'static, ()> {
        assert_ne!(self.ill, Ill::AlarmPanics);
        let mut polls = 0;
        let patience = if duration == DEADLINES.epitaph { 4 } else { 2 };
        Box::pin(std::future::poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls > patience { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }))
    }
}

struct Dice {
    ill: Ill,
    thrown: Mutex<u64>,
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut thrown = lock(&self.thrown);
        let throw = *thrown;
        *thrown += 1;
        drop(thrown);
        match self.ill {
            Ill::EntropyFails { from } if throw >= from => return Err(EntropyError),
            Ill::EntropyPanics { from } => assert!(throw < from, "the dice panic"),
            _ => {}
        }
        bytes.fill(FACE + u8::try_from(throw).unwrap_or_default());
        Ok(())
    }
}

#[derive(Clone)]
struct Policy {
    evaluation: Evaluation,
    ill: Ill,
    evaluated: Arc<Mutex<Vec<Facts>>>,
}

impl Policies for Policy {
    fn current(&self) -> Result<Arc<dyn Snapshot>, Stale> {
        assert_ne!(self.ill, Ill::PolicyPanics);
        if self.ill == Ill::PolicyStale { Err(Stale) } else { Ok(Arc::new(self.clone())) }
    }
}

impl Snapshot for Policy {
    fn digest(&self) -> Digest {
        Digest::of(b"policy")
    }

    fn evaluate(&self, _: &Call, facts: &Facts) -> Evaluation {
        assert_ne!(self.ill, Ill::EvaluationPanics);
        lock(&self.evaluated).push(facts.clone());
        self.evaluation.clone()
    }

    fn profile(&self, _: &Call) -> Option<ProfileAsked> {
        let contained = matches!(self.ill, Ill::NoSandbox | Ill::Contained);
        contained.then(|| ProfileAsked { name: "build".into(), settings: "".into() })
    }

    fn trace(&self, _: &Call, _: &Facts) -> Json {
        Json::from("trace")
    }

    fn standing(&self, _: &AgentId, _: &ServerName, offers: &[Offer]) -> Vec<Standing> {
        offers
            .iter()
            .map(|offer| if offer.definition == Json::Null { Standing::Quarantined } else { Standing::Shown })
            .collect()
    }
}

struct Risk {
    ill: Ill,
}

impl FactSource for Risk {
    fn establish(&self, _: &Call, _: Timestamp) -> Result<Vec<(&'static str, Fact)>, String> {
        assert_ne!(self.ill, Ill::FactPanics);
        if self.ill == Ill::FactFails { Err("no risk today".to_owned()) } else { Ok(vec![("env.risk", Fact::Long(3))]) }
    }

    fn contain(&self, asked: &ProfileAsked) -> Option<Result<Containment, Reason>> {
        let held = Containment { profile: asked.name.clone(), digest: Digest::of(b"build"), tier: 2 };
        (self.ill == Ill::Contained).then_some(Ok(held))
    }

    fn weigh(&self, changes: &Changes, facts: &mut Facts) -> Result<(), Reason> {
        for group in &changes.0 {
            for path in &group.paths {
                facts.insert_act([("change.path", Fact::Name(path.clone()))].into());
            }
        }
        Ok(())
    }
}
