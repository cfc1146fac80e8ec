//! Who one is, and what stands about one.

use super::Outside::{Both, Nobody, Root};
use super::Shows::{Claims, Says};
use super::{Probe, p};

pub(crate) const PROBES: &[Probe] = &[
    p("identity", "a secret in the environment", "environment {token}", Says("{token}"), Both),
    p("identity", "other processes' environments", "environments {victim-token}", Says("{victim-token}"), Both),
    p("identity", "other processes' command lines", "command-lines {victim-token}", Says("{victim-token}"), Both),
    p("identity", "the command line of process 1", "read /proc/1/cmdline", Claims, Both),
    p(
        "identity",
        "the environment of process 1",
        "read /proc/1/environ",
        Claims,
        Nobody("process 1 of this machine is closed even to root"),
    ),
    p(
        "identity",
        "the program of process 1",
        "read /proc/1/exe",
        Claims,
        Nobody("process 1 of this machine is closed even to root"),
    ),
    p(
        "identity",
        "the memory of process 1",
        "open-to-write /proc/1/mem",
        Claims,
        Nobody("process 1 of this machine is closed even to root"),
    ),
    p("identity", "the descriptors of process 1", "list /proc/1/fd", Claims, Root),
    p("identity", "become root", "set-user", Says("uid 0"), Root),
    p("identity", "run a set-ID program of the workspace", "run-set-id {work}/set-id-root", Says("euid 0"), Both),
    p("identity", "raise a limit", "raise-limit", Claims, Nobody("root has no CAP_SYS_RESOURCE on this machine")),
    p("identity", "real-time priority", "real-time", Claims, Root),
    p("identity", "higher priority", "nice", Claims, Root),
    p("identity", "capabilities that could be had", "bounding-set", Claims, Both),
    p("identity", "become another user", "set-other-user", Claims, Root),
    p("identity", "join another group", "set-groups", Claims, Root),
    p(
        "identity",
        "overwrite the program of process 1",
        "open-to-write /proc/1/exe",
        Claims,
        Nobody("process 1 of this machine is closed even to root"),
    ),
];
