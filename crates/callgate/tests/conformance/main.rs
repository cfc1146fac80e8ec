//! The MCP conformance runner finds the same behind the gate as without it.
//!
//! The runner (`@modelcontextprotocol/conformance`) speaks HTTP, the gate standard input and output. The same
//! bridge from a registry (`supergateway`) therefore stands before the server, `tests/peers/conformance.mjs`, and
//! before `callgate mcp` in front of that server, under a policy that permits everything. Scenario by scenario and
//! check by check, what the runner says of the two is compared, for the last revision of either era.
//!
//! Scenarios of the tasks extension are run, but not compared: a task lives in the process of the server (and so of
//! the gate's door), and in the stateless era the bridge starts a new one for each request.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and reads what peers wrote with other parsers"
)]

#[path = "../peers/gated.rs"]
mod gated;
#[path = "../e2e/house.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod house;
#[path = "../../../../tests/peers/peers.rs"]
mod peers;
mod runner;

use std::collections::BTreeSet;

use gated::Gated;
use runner::{Results, Runner};

/// Of the scenarios that a revision asks of a server, the fewest that the server must pass without the gate for
/// the comparison to say something: all but what is a matter of the bridge.
const PASSED: [(&str, usize); 2] = [("2025-11-25", 29), ("2026-07-28", 35)];

/// How often a difference is looked at again.
const ATTEMPTS: usize = 3;

#[test]
fn the_runner_finds_the_same_behind_the_gate() {
    let Some(runner) = Runner::find() else { return };
    let gated = Gated::new("conformance", runner.server(), "");
    let mut differences = Vec::new();
    for (revision, least) in PASSED {
        let direct = runner.run(revision, None, runner.server());
        let through = runner.run(revision, None, &gated.command(runner.server()));
        println!("{}", table(revision, &direct, &through));
        let passed = direct.values().filter(|checks| checks.passes()).count();
        assert!(passed >= least, "{revision}: only {passed} scenarios pass without the gate");
        let names: BTreeSet<&String> = direct.keys().chain(through.keys()).collect();
        for name in names.into_iter().filter(|name| !name.starts_with("tasks-")) {
            let (mut found, mut behind) = (direct.get(name).cloned(), through.get(name).cloned());
            // Some checks give the server half a second, which a busy machine may take: what is really different
            // is so each time.
            for _ in 0..ATTEMPTS {
                if found != behind {
                    found = runner.run(revision, Some(name), runner.server()).remove(name);
                    behind = runner.run(revision, Some(name), &gated.command(runner.server())).remove(name);
                }
            }
            if found.is_none() || found != behind {
                differences.push(format!("{revision} {name}:\n  without {found:?}\n  through {behind:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn table(revision: &str, direct: &Results, through: &Results) -> String {
    let mut lines = vec![format!("{revision:<50} {:>16} {:>16}", "without", "through")];
    let (mut all, mut all_through) = ((0, 0), (0, 0));
    for (name, checks) in direct {
        let (passed, failed) = checks.count();
        let (passed_through, failed_through) = through.get(name).map(runner::Checks::count).unwrap_or_default();
        all = (all.0 + passed, all.1 + failed);
        all_through = (all_through.0 + passed_through, all_through.1 + failed_through);
        lines.push(format!("{name:<50} {passed:>8} {failed:>7} {passed_through:>8} {failed_through:>7}"));
    }
    lines.push(format!("{:<50} {:>8} {:>7} {:>8} {:>7}", "all", all.0, all.1, all_through.0, all_through.1));
    lines.join("\n")
}
