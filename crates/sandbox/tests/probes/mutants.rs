//! For each layer, a sandbox without it, and the probe that notices. Some things two layers stop; then both are left
//! out, and each is shown to be enough alone.

use callgate_sandbox::Layer;

use crate::bench::As;
use crate::fixture::Fixture;
use crate::table::{Outside, Probe, probes};
use crate::trial;

/// Layers, the profile, and the part and name of the probe that succeeds only without all of them.
pub(crate) const MUTANTS: &[(&[Layer], &str, &str, &str)] = &[
    (&[Layer::Seccomp], "workspace", "kernel", "a user namespace by unshare"),
    (&[Layer::Seccomp], "workspace", "kernel", "a key in the user's keyring"),
    (&[Layer::Seccomp], "workspace", "kernel", "io_uring"),
    (&[Layer::Seccomp], "workspace", "processes", "trace one's own child"),
    (&[Layer::Seccomp], "workspace", "network", "a socket to the hypervisor"),
    (&[Layer::Seccomp], "workspace", "kernel", "calls of i386"),
    (&[Layer::Seccomp], "workspace", "kernel", "type into a terminal, with a bit in the upper half"),
    (&[Layer::Seccomp], "workspace", "kernel", "a program without a file"),
    (&[Layer::Landlock], "workspace", "kernel", "a file that only Landlock closes"),
    (&[Layer::Processes, Layer::Landlock], "workspace", "processes", "kill a process of the host"),
    (&[Layer::Processes], "workspace", "processes", "change its priority"),
    (&[Layer::Network], "workspace", "network", "TCP to the host, v4"),
    (&[Layer::Network], "workspace", "network", "DNS to the host"),
    (&[Layer::Network], "workspace", "neighbours", "TCP to its port"),
    (&[Layer::Network, Layer::Seccomp, Layer::Landlock], "workspace", "network", "an abstract Unix socket"),
    (&[Layer::Network, Layer::Landlock], "workspace", "neighbours", "a descriptor from it"),
    (&[Layer::Ipc, Layer::Seccomp], "workspace", "processes", "shared memory that stays"),
    (&[Layer::HostName], "workspace", "processes", "the host's name"),
    (&[Layer::ProcMasks], "workspace", "kernel", "the kernel's command line"),
    (&[Layer::ProcMasks], "workspace", "facts", "the name of the boot"),
    (&[Layer::CloseFiles, Layer::Landlock], "workspace", "files", "an inherited descriptor"),
    (&[Layer::CopyOnWrite], "workspace", "workspace", "plant a hook"),
    (&[Layer::CopyOnWrite], "workspace", "workspace", "replace all of .git"),
    (&[Layer::CopyOnWrite], "workspace", "workspace", "change an instruction file"),
    (&[Layer::ReadOnly, Layer::Landlock], "read-only", "workspace", "plant a hook"),
    (&[Layer::HiddenInit], "workspace", "identity", "the command line of process 1"),
    (&[Layer::Capabilities], "workspace", "identity", "capabilities that could be had"),
    (&[Layer::Limits], "workspace", "limits", "a fork bomb"),
    (&[Layer::Limits], "workspace", "limits", "a descriptor bomb"),
    (&[Layer::Limits], "workspace", "limits", "a busy loop"),
    (&[Layer::Groups], "workspace", "limits", "a memory bomb"),
    (&[Layer::OutputCap], "workspace", "limits", "a flood of output"),
    (&[Layer::Deadline], "workspace", "limits", "a run that ignores signals"),
    (&[Layer::DeathSignal], "workspace", "limits", "outlive whoever started it"),
];

/// Every layer there is. One that is added does not compile here before it has its place above.
const LAYERS: [Layer; 17] = {
    const fn known(layer: Layer) -> Layer {
        match layer {
            Layer::Seccomp
            | Layer::Landlock
            | Layer::Processes
            | Layer::Network
            | Layer::Ipc
            | Layer::HostName
            | Layer::ReadOnly
            | Layer::ProcMasks
            | Layer::Capabilities
            | Layer::Limits
            | Layer::Groups
            | Layer::CloseFiles
            | Layer::CopyOnWrite
            | Layer::Deadline
            | Layer::OutputCap
            | Layer::DeathSignal
            | Layer::HiddenInit => layer,
        }
    }
    [
        known(Layer::Seccomp),
        Layer::Landlock,
        Layer::Processes,
        Layer::Network,
        Layer::Ipc,
        Layer::HostName,
        Layer::ReadOnly,
        Layer::ProcMasks,
        Layer::Capabilities,
        Layer::Limits,
        Layer::Groups,
        Layer::CloseFiles,
        Layer::CopyOnWrite,
        Layer::Deadline,
        Layer::OutputCap,
        Layer::DeathSignal,
        Layer::HiddenInit,
    ]
};

/// The layers in words.
pub(crate) fn shown(layers: &[Layer]) -> String {
    let names: Vec<String> = layers.iter().map(|layer| format!("{layer:?}")).collect();
    names.join(" and ")
}

fn probe(part: &str, what: &str) -> &'static Probe {
    let named = probes().find(|probe| probe.part == part && probe.what == what);
    named.unwrap_or_else(|| panic!("no probe `{part}: {what}`"))
}

/// Whether the probe succeeds in a sandbox without these layers.
fn succeeds_without(fixture: &Fixture, index: usize, layers: &[Layer], profile: &str, probe: &Probe) -> bool {
    let unique = fixture.unique(&format!("m{index}-{}", layers.len()));
    trial::inside(fixture, probe, &unique, profile, layers, trial::Start::Cold).0
}

#[test]
fn every_layer_has_a_mutant() {
    for layer in LAYERS {
        assert!(
            MUTANTS.iter().any(|(layers, ..)| layers.contains(&layer)),
            "nothing notices that {layer:?} is missing"
        );
    }
}

#[test]
fn without_a_layer_a_probe_notices() {
    let only = std::env::var("PROBE_ONLY").unwrap_or_default();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let only = &only;
        let all: Vec<_> = As::both().into_iter().map(|who| scope.spawn(move || wrong(who, only))).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong(who: As, only: &str) -> Vec<String> {
    let fixture = Fixture::new(who);
    let mut wrong = Vec::new();
    for (index, (layers, profile, part, what)) in MUTANTS.iter().enumerate() {
        let probe = probe(part, what);
        if !format!("{part}: {what}").contains(only) {
            continue;
        }
        if *layers == [Layer::Groups] && !fixture.bench.host.has(callgate_sandbox::Part::MemoryGroup) {
            eprintln!("SKIPPED: {who:?} has no control group for memory here");
            continue;
        }
        // As root a run is another user than its victim, so that more than these layers is in the way.
        let other_user = who == As::Root && layers.contains(&Layer::Processes);
        if !other_user && !succeeds_without(&fixture, index, layers, profile, probe) {
            wrong.push(format!("{who:?}: without {layers:?} `{part}: {what}` is still stopped"));
        }
        // Any one of them is enough.
        for kept in *layers {
            let others: Vec<Layer> = layers.iter().copied().filter(|layer| layer != kept).collect();
            if succeeds_without(&fixture, index, &others, profile, probe) {
                wrong.push(format!("{who:?}: with {kept:?} and without {others:?} `{part}: {what}` succeeds"));
            }
        }
        assert!(!matches!(probe.outside, Outside::Never(_)), "it would be done to the host");
    }
    wrong
}

#[test]
fn without_dropping_capabilities_the_read_back_shows_them() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        let plan = fixture.bench.plan(&fixture.bench.profile("workspace"), &["/bin/true"]);
        let with = fixture.bench.run_plan(&plan).got.unwrap();
        let without = fixture.bench.run_plan(&plan.without(Layer::Capabilities)).got.unwrap();
        assert_eq!(with.capabilities, 0);
        assert_ne!(without.capabilities, 0);
    }
}
