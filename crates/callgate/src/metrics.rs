//! What is counted, for `/metrics`: decisions where they are made, appends where the log takes them.
//!
//! Every label is one of a closed list of ours. Nothing that an agent chose reaches a metric.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callgate_core::gate::{Decided, Watch};
use callgate_core::seam::{Later, Log, LogError};
use callgate_core::{Entry, Kind, Lane, Receipt};
use callgate_doors::Attendance;
use callgate_doors::http::Instruments;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::assembly::Assembly;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;

/// All metrics of one gate.
pub(crate) struct Metrics {
    registry: Registry,
    began: Instant,
    /// When the policy in force was taken.
    policy_taken: Mutex<Instant>,
    doors: Mutex<Vec<(&'static str, Attendance)>>,
    decisions: Counters<3>,
    decide_seconds: Histograms<1>,
    refused_credentials: Counters<1>,
    append_seconds: Histogram,
    append_failures: Counters<2>,
    connections: Gauges<2>,
    sandboxes_ready: Gauge,
    log_records: Gauge,
    log_checkpoint_records: Gauge,
    log_free: Gauge,
    policy_age: Gauge,
    policy_stale: Gauge,
    policy_refused: Gauge,
    ready: Gauge,
}

/// From 50 µs to 3.3 s: a sync of a fast disk, and the deadline of a decision.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 17))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("callgate"),
            began: Instant::now(),
            policy_taken: Mutex::new(Instant::now()),
            doors: Mutex::default(),
            decisions: Family::default(),
            decide_seconds: Family::new_with_constructor(durations),
            refused_credentials: Family::default(),
            append_seconds: durations(),
            append_failures: Family::default(),
            connections: Family::default(),
            sandboxes_ready: Gauge::default(),
            log_records: Gauge::default(),
            log_checkpoint_records: Gauge::default(),
            log_free: Gauge::default(),
            policy_age: Gauge::default(),
            policy_stale: Gauge::default(),
            policy_refused: Gauge::default(),
            ready: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.register(
            "decisions",
            "Decisions, by what was decided, the first reason's code and the door",
            self.decisions.clone(),
        );
        all.register_with_unit(
            "decide_duration",
            "How long decisions took, the wait for the disk included",
            Unit::Seconds,
            self.decide_seconds.clone(),
        );
        all.register(
            "refused_credentials",
            "Calls without a credential that this gate accepts",
            self.refused_credentials.clone(),
        );
        all.register_with_unit(
            "log_append_duration",
            "How long records took until they were durable",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        all.register(
            "log_append_failures",
            "Records that could not be kept, by why and whose they were; over_budget is an agent's own doing",
            self.append_failures.clone(),
        );
        all.register(
            "connections",
            "Connections, by door and by whether their caller is known",
            self.connections.clone(),
        );
        all.register("sandboxes_ready", "Sandboxes that stand by for the next call", self.sandboxes_ready.clone());
        all.register("log_records", "Durable records", self.log_records.clone());
        all.register(
            "log_checkpoint_records",
            "Records under a signed checkpoint",
            self.log_checkpoint_records.clone(),
        );
        all.register_with_unit("log_free", "Free space on the log's file system", Unit::Bytes, self.log_free.clone());
        all.register_with_unit(
            "policy_age",
            "Since the policy in force was taken",
            Unit::Seconds,
            self.policy_age.clone(),
        );
        all.register(
            "policy_stale",
            "1 if every call is denied because changed policy could not be taken",
            self.policy_stale.clone(),
        );
        all.register("policy_refused", "1 if the policy on disk could not be taken", self.policy_refused.clone());
        all.register("ready", "1 if a call could be allowed", self.ready.clone());
    }

    /// Counts the connections of a door, too.
    pub(crate) fn attend(&self, door: &'static str, attendance: Attendance) {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).push((door, attendance));
    }

    /// So many sandboxes stand by now.
    pub(crate) fn standing_by(&self, count: usize) {
        self.sandboxes_ready.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many sandboxes stand by.
    pub(crate) fn sandboxes_ready(&self) -> i64 {
        self.sandboxes_ready.get()
    }

    /// A new policy is in force.
    pub(crate) fn policy_taken(&self) {
        *self.policy_taken.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn appended(&self, lane: &'static str, took: Duration, result: &Result<Receipt, LogError>) {
        let why = match result {
            Ok(_) => return self.append_seconds.observe(took.as_secs_f64()),
            Err(LogError::OverBudget) => "over_budget",
            Err(LogError::TooLarge) => "too_large",
            Err(_) => "unavailable",
        };
        self.append_failures.get_or_create(&[("why", why), ("whose", lane)]).inc();
    }
}

impl Watch for Metrics {
    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn decided(&self, decided: &Decided) {
        let labels = [("decision", decided.decision.as_str()), ("code", decided.code.as_str()), ("door", decided.door)];
        self.decisions.get_or_create(&labels).inc();
        self.decide_seconds.get_or_create(&[("door", decided.door)]).observe(decided.took.as_secs_f64());
        if !decided.recognised {
            self.refused_credentials.get_or_create(&[("door", decided.door)]).inc();
        }
    }
}

/// A log that is counted.
pub(crate) struct Counted {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Log for Counted {
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>> {
        let whose = match (&entry.lane, entry.record.kind) {
            (Lane::Agent(_), _) => "agent",
            (Lane::Unrecognised, _) | (_, Kind::CredentialRefused) => "unrecognised",
            (Lane::Operator, _) => "operator",
        };
        let began = Instant::now();
        let appending = self.log.append(entry);
        Box::pin(async move {
            let result = appending.await;
            self.metrics.appended(whose, began.elapsed(), &result);
            result
        })
    }
}

impl Instruments for Assembly {
    fn is_ready(&self) -> bool {
        let log = self.log.status();
        self.gate.snapshot().is_some() && log.poisoned.is_none() && !log.refusing_agents
    }

    fn metrics(&self) -> String {
        let (metrics, log) = (&self.metrics, self.log.status());
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        metrics.log_records.set(count(log.durable_size));
        metrics.log_checkpoint_records.set(count(log.checkpoint_size));
        metrics.log_free.set(count(log.bytes_free));
        let taken = *metrics.policy_taken.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.policy_age.set(count(taken.elapsed().as_secs()));
        metrics.policy_stale.set(i64::from(self.gate.snapshot().is_none()));
        metrics.policy_refused.set(i64::from(self.policy.failure().is_some()));
        metrics.ready.set(i64::from(self.is_ready()));
        for (door, attendance) in metrics.doors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let now = attendance.now();
            metrics.connections.get_or_create(&[("door", *door), ("caller", "unknown")]).set(size(now.waiting));
            metrics.connections.get_or_create(&[("door", *door), ("caller", "known")]).set(size(now.seated));
        }
        let mut text = String::new();
        // Writing to a string does not fail; half a text would end without its last line, which readers refuse.
        let _ = encode(&mut text, &metrics.registry);
        text
    }
}
