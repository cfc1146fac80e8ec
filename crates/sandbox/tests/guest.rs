//! Other machines than this one: guests with control groups of version 2 and nothing else, and with older and newer
//! kernels. The crate's own test programs run in them, as they were compiled, as root and as an ordinary user.
//!
//! QEMU imitates a processor, which takes some ten times as long as the real one. So the kernels beside that of this
//! machine's release, and the parts that take longest, are for the long run (`CALLGATE_LONG`).
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

#[path = "support/bench.rs"]
mod bench;
#[path = "guest/handed.rs"]
mod handed;
#[path = "guest/image.rs"]
mod image;
#[path = "../../../tests/guest/initramfs.rs"]
mod initramfs;
#[path = "../../../tests/guest/kernel.rs"]
mod kernel;
#[path = "guest/machine.rs"]
mod machine;
#[path = "guest/parts.rs"]
mod parts;
#[path = "guest/places.rs"]
mod places;
#[path = "guest/suites.rs"]
mod suites;
#[path = "guest/without.rs"]
mod without;

use std::path::Path;

use image::Image;
use kernel::{BUSYBOX, Kernel, QEMU};
use machine::boot;

/// Whether something is missing that the guest is made of. That shows, and fails where CI is set.
fn missing(what: &str, there: bool) -> bool {
    if !there {
        assert!(std::env::var_os("CI").is_none(), "CI must have {what}");
        eprintln!("SKIPPED: {what} is not there");
    }
    !there
}

fn is_long() -> bool {
    std::env::var_os("CALLGATE_LONG").is_some()
}

/// Whether this is a guest: its first process says so. What runs in one alone begins with this.
fn is_guest() -> bool {
    let is = std::env::var_os("CALLGATE_GUEST").is_some();
    if !is {
        eprintln!("SKIPPED: this is not the guest");
    }
    is
}

/// The kernel of that name, if all that a guest is made of is here.
fn found(kernel: &str) -> Option<Kernel> {
    for part in [QEMU, BUSYBOX, image::MAKE, "/usr/bin/strip"] {
        if missing(part, Path::new(part).exists()) {
            return None;
        }
    }
    let found = Kernel::find(kernel);
    if missing(&format!("a kernel in target/guest (`bash .ci/guest {kernel}` puts it there)"), found.is_some()) {
        return None;
    }
    found
}

/// Boots, and runs everything that this length of run has; each part must have run, and passed.
fn run(name: &str) {
    let Some(kernel) = found(name) else { return };
    let parts = parts::all(is_long());
    let said = boot(&Image::of(&suites::all(), &parts::list(&parts)), &kernel);
    let failed = said.iter().filter(|part| !part.passed()).map(|part| format!("{}:\n{}", part.name, part.said));
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{name}: {}", failed.join("\n"));
    let ran: Vec<&str> = said.iter().map(|part| part.name.as_str()).collect();
    let wanted: Vec<&str> = parts.iter().map(|part| part.name).collect();
    assert_eq!(ran, wanted, "{name}: what the guest was to run");
}

#[test]
fn runs_are_held_by_groups_of_version_2() {
    run("release");
}

#[test]
fn a_newer_kernel_holds_them_as_well() {
    if !is_long() {
        eprintln!("SKIPPED: other kernels are for the long run; set CALLGATE_LONG");
        return;
    }
    run("backports");
}

#[test]
fn the_newest_kernel_holds_them_as_well() {
    if !is_long() {
        eprintln!("SKIPPED: other kernels are for the long run; set CALLGATE_LONG");
        return;
    }
    run("unstable");
}
