//! Processes of the host.

use super::Outside::{Both, Never, Nobody, Root};
use super::Shows::{Claims, Death, Says, Segment, VictimLimit, VictimPriority};
use super::{Probe, p};

pub(crate) const PROBES: &[Probe] = &[
    p("processes", "see a process of the host", "see {victim}", Says("{victim}"), Both),
    p("processes", "kill a process of the host", "kill {victim}", Death, Both),
    p("processes", "kill one of its threads", "thread-kill {victim}", Death, Both),
    p("processes", "kill it by handle", "pidfd-kill {victim}", Death, Both),
    p("processes", "queue it a signal", "queue-signal {victim}", Death, Both),
    p("processes", "change its limits", "limit-victim {victim}", VictimLimit, Both),
    p("processes", "change its priority", "victim-priority {victim}", VictimPriority, Both),
    p("processes", "trace it", "ptrace {victim}", Claims, Both),
    p("processes", "trace one's own child", "ptrace-child", Claims, Both),
    p("processes", "read one's child's memory", "child-memory", Says("my memory"), Both),
    p("processes", "take one's child's descriptor", "child-descriptor", Claims, Both),
    p("processes", "compare processes", "compare", Claims, Both),
    p("processes", "shared memory that stays", "shared-memory {key}", Segment, Both),
    p("processes", "a message queue", "message-queue callgate-{unique}", Claims, Both),
    p("processes", "the host's name", "host-name", Says("host {host}"), Both),
    p("processes", "change the host's name", "set-host-name", Claims, Root),
    p("processes", "move another's memory", "move-pages", Claims, Both),
    p("processes", "kill all there is", "kill-all", Death, Never("it would end everything that the user runs")),
    p("processes", "kill the group of processes", "kill-group", Death, Never("it would end the test")),
    p("processes", "be traced by anybody", "set-tracer", Claims, Nobody("this kernel has no Yama")),
    p("processes", "write to another's memory", "open-to-write /proc/{victim}/mem", Claims, Both),
    p(
        "processes",
        "make it the first to be killed for memory",
        "write-number /proc/{victim}/oom_score_adj",
        Claims,
        Both,
    ),
    p("processes", "move it to another processor", "affinity {victim}", Claims, Both),
    p("processes", "its namespaces", "join {victim}", Claims, Root),
    p("processes", "its root", "read /proc/{victim}/root{outside}/secret", Says("{token}"), Both),
    p("processes", "its working folder", "list /proc/{victim}/cwd/", Claims, Both),
    p("processes", "its open files", "list /proc/{victim}/fd", Claims, Both),
    p("processes", "a signal of no effect to process 1", "see-first", Claims, Root),
];
