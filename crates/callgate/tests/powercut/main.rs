//! Promise 6, against the power: whatever the gate released is in the log, also when the whole machine stops.
//!
//! A virtual machine runs the gate under load, on a disk whose cache loses what was not flushed ([`disk`]). At a
//! random write or flush its power is cut. Then it is started again, and the log must open, verify, agree with
//! the checkpoints that were published, and hold every call that was released. For the long run alone:
//! `CALLGATE_LONG=1 CALLGATE_POWER_CUTS=20 cargo test --test powercut`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(clippy::disallowed_methods, reason = "what we print must be readable for other parsers")]

mod chance;
mod disk;
mod guest;
#[path = "../e2e/house.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod house;
#[path = "../../../../tests/guest/initramfs.rs"]
mod initramfs;
#[path = "../../../../tests/guest/kernel.rs"]
mod kernel;
mod machine;
mod nbd;
mod report;

use std::collections::BTreeSet;

use chance::Chance;
use disk::Survivors;
use guest::Phase;
use machine::{Cut, Machine, Parts};
use report::Report;

/// How often the power is cut.
fn cuts() -> u64 {
    std::env::var("CALLGATE_POWER_CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(20)
}

/// What chance begins with. A run prints it, and can be had again.
fn seed() -> u64 {
    std::env::var("CALLGATE_POWER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// What ext4 promises of data whose metadata is in its journal: that it is there, that it is in the journal, too, or
/// nothing.
const MODES: [&str; 3] = ["data=ordered", "data=journal", "data=writeback"];

/// What a guest said in one boot.
#[derive(Default)]
struct Boot {
    decisions: BTreeSet<String>,
    outcomes: BTreeSet<String>,
    released: BTreeSet<String>,
    completed: BTreeSet<String>,
    verified: Option<String>,
    refused: Option<String>,
    looked: bool,
}

impl Boot {
    fn of(reports: Vec<Report>) -> Self {
        let mut boot = Self::default();
        for report in reports {
            match report {
                Report::Refused(why) => boot.refused = Some(why),
                Report::Verified(counts) => boot.verified = Some(counts),
                Report::Decision(id) => drop(boot.decisions.insert(id)),
                Report::Outcome(id) => drop(boot.outcomes.insert(id)),
                Report::Looked => boot.looked = true,
                Report::Released(id) => drop(boot.released.insert(id)),
                Report::Completed(id) => drop(boot.completed.insert(id)),
                Report::Ready | Report::Checkpoint(_) | Report::Done => {}
            }
        }
        boot
    }
}

/// What callers were told in all boots before.
#[derive(Default)]
struct Promised {
    released: BTreeSet<String>,
    completed: BTreeSet<String>,
}

impl Promised {
    fn add(&mut self, boot: Boot) {
        self.released.extend(boot.released);
        self.completed.extend(boot.completed);
    }

    /// The released calls and the acknowledged outcomes that the log does not have.
    fn lost(&self, boot: &Boot) -> (usize, usize) {
        let lost = (self.released.difference(&boot.decisions), self.completed.difference(&boot.outcomes));
        (lost.0.count(), lost.1.count())
    }
}

/// A machine whose gate has its state and its credentials, and was stopped in good order.
fn prepared(parts: &Parts) -> Machine<'_> {
    let mut machine = Machine::new(parts);
    let reports = machine.boot(Phase::Prepare, "data=ordered", Cut::Never);
    assert!(reports.contains(&Report::Done), "{reports:?}: {}", machine.console());
    machine
}

#[test]
fn p06_every_released_call_has_its_record_after_the_power_was_cut() {
    let Some(parts) = Parts::collect() else { return };
    let mut chance = Chance::new(seed());
    let mut machine = prepared(&parts);
    let mut promised = Promised::default();
    for cut in 0..=cuts() {
        let (phase, when) = match (cut == cuts(), cut % 4) {
            (true, _) => (Phase::Look, Cut::Never),
            (_, 1) => (Phase::Load, Cut::FromStart(chance.within(0, 200))),
            (_, 2) => (Phase::Restart, Cut::WhenReady(0)),
            _ => (Phase::Load, Cut::WhenReady(chance.within(0, 1500))),
        };
        let mode = MODES[usize::try_from(chance.within(0, 3)).unwrap()];
        let boot = Boot::of(machine.boot(phase, mode, when));
        let about = format!("seed {}, boot {cut}, {phase:?}, {mode}, {when:?}", seed());
        assert_eq!(boot.refused, None, "{about}: {}", machine.console());
        assert!(boot.looked || matches!(when, Cut::FromStart(_)), "{about}: {}", machine.console());
        if boot.looked {
            assert!(boot.verified.is_some(), "{about}");
            assert_eq!(promised.lost(&boot), (0, 0), "{about}: of {} released", promised.released.len());
        }
        promised.add(boot);
        let survivors = Survivors::any(&mut chance);
        machine.power_on(survivors, &mut chance);
        eprintln!("{about}, {survivors:?}: {} released in all", promised.released.len());
    }
    machine.check_file_system();
    assert!(promised.released.len() > 100, "only {} calls were released", promised.released.len());
    eprintln!(
        "{} cuts, {} released calls and {} recorded outcomes, none lost",
        cuts(),
        promised.released.len(),
        promised.completed.len()
    );
}

#[test]
fn p06_a_gate_whose_first_start_was_cut_short_starts() {
    let Some(parts) = Parts::collect() else { return };
    let mut chance = Chance::new(seed());
    for cut in 0..cuts().div_ceil(4) {
        let mut machine = Machine::new(&parts);
        let requests = chance.within(0, 120);
        let finished = machine.boot(Phase::Prepare, "data=ordered", Cut::FromStart(requests)).contains(&Report::Done);
        let survivors = Survivors::any(&mut chance);
        machine.power_on(survivors, &mut chance);
        let about = format!("seed {}, cut {cut} at request {requests}, {survivors:?}", seed());
        let reports = machine.boot(Phase::Prepare, "data=ordered", Cut::Never);
        let boot = Boot::of(reports.clone());
        assert!(reports.contains(&Report::Done), "{about}: {reports:?}: {}", machine.console());
        assert!(boot.refused.is_none() && boot.verified.is_some(), "{about}: {:?}", boot.refused);
        machine.check_file_system();
        eprintln!("{about}: starts; the start before it {}", if finished { "had ended" } else { "was cut short" });
    }
}

/// Cuts the power of a machine whose records do not reach the medium, and gives what the log lost.
fn lost_by(parts: &Parts, phase: Phase, mount: &str) -> usize {
    let mut machine = prepared(parts);
    let mut promised = Promised::default();
    promised.add(Boot::of(machine.boot(phase, mount, Cut::WhenReady(100))));
    assert!(!promised.released.is_empty(), "nothing was released: {}", machine.console());
    machine.power_on(Survivors::Nothing, &mut Chance::new(seed()));
    let boot = Boot::of(machine.boot(Phase::Look, "data=ordered", Cut::Never));
    assert!(boot.looked, "{:?}: {}", boot.refused, machine.console());
    let lost = promised.lost(&boot).0;
    eprintln!("{phase:?}, {mount}: {lost} of {} released calls lost; {:?}", promised.released.len(), boot.refused);
    lost
}

#[test]
fn p06_a_gate_whose_syncs_do_nothing_loses_released_calls() {
    let Some(parts) = Parts::collect() else { return };
    assert!(lost_by(&parts, Phase::Unsynced, "data=ordered") > 0);
}

#[test]
fn p06_a_file_system_that_does_not_flush_its_disk_loses_released_calls() {
    let Some(parts) = Parts::collect() else { return };
    assert!(lost_by(&parts, Phase::Load, "barrier=0") > 0);
}
