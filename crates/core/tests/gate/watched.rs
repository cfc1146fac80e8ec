//! Whoever counts is told of every decision, and changes none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::house::{Disk, House, Ill, caller, request};
use callgate_core::gate::{Decided, IN_PROCESS, Watch};
use callgate_core::seam::LogError;
use callgate_core::{CallFault, Caller, Code, Decision, Gate};

/// Counts on its fingers; each look at its watch takes a second.
#[derive(Default)]
struct Fingers(Mutex<(u64, Vec<Decided>)>);

impl Watch for Fingers {
    fn monotonic(&self) -> Duration {
        let mut state = self.0.lock().expect("whole");
        state.0 += 1;
        Duration::from_secs(state.0)
    }

    fn decided(&self, decided: &Decided) {
        self.0.lock().expect("whole").1.push(*decided);
    }
}

struct Clumsy;

#[expect(clippy::panic, reason = "the illness")]
impl Watch for Clumsy {
    fn monotonic(&self) -> Duration {
        panic!("as asked")
    }

    fn decided(&self, _: &Decided) {
        panic!("as asked")
    }
}

fn watched(house: House, watch: Arc<dyn Watch>) -> Gate {
    house.gate.watched_by(watch)
}

#[tokio::test]
async fn every_decision_is_counted_once_with_its_door() {
    let fingers = Arc::new(Fingers::default());
    let disk = [Disk::Keeps, Disk::Keeps, Disk::Keeps, Disk::Fails(LogError::OverBudget), Disk::PanicsLater];
    let gate = watched(House::new(Ill::Nothing, disk), fingers.clone());
    let nobody = Caller::Unrecognised { why: "no" };
    let _ = gate.decide_at("http", &caller("finance-1"), Ok(request())).await;
    let _ = gate.decide_at("http", &caller("finance-1"), Err(CallFault::Shape("lacks `tool`"))).await;
    let _ = gate.decide_at("mcp", &nobody, Ok(request())).await;
    let _ = gate.decide(&caller("finance-1"), Ok(request())).await;
    let _ = gate.decide(&caller("finance-1"), Ok(request())).await;
    let took = Duration::from_secs(1);
    let row = |door, decision, code, recognised| Decided { door, decision, code, recognised, took };
    let expected = [
        row("http", Decision::Allow, Code::Permitted, true),
        row("http", Decision::Deny, Code::InvalidArguments, true),
        row("mcp", Decision::Deny, Code::UnknownAgent, false),
        row(IN_PROCESS, Decision::Deny, Code::RateExceeded, true),
        row(IN_PROCESS, Decision::Deny, Code::Internal, true),
    ];
    assert_eq!(fingers.0.lock().expect("whole").1, expected);
}

#[tokio::test]
async fn p04_a_count_that_panics_changes_no_answer() {
    let gate = watched(House::new(Ill::Nothing, [Disk::Keeps]), Arc::new(Clumsy));
    let answer = gate.decide_at("http", &caller("finance-1"), Ok(request())).await;
    assert_eq!(answer.decision(), Decision::Allow);
    assert!(answer.permit.is_some());
}
