//! Another run of the same user, over the same workspace, at the same time.

use super::Outside::{Both, Root};
use super::Scene::Neighbour;
use super::Shows::{Claims, NeighbourDeath, Says};
use super::{Probe, Shows, p};

const fn at(what: &'static str, words: &'static str, shows: Shows) -> Probe {
    p("neighbours", what, words, shows, Both).scene(Neighbour)
}

pub(crate) const PROBES: &[Probe] = &[
    at("see its command line", "command-lines {neighbour-token}", Says("{neighbour-token}")),
    at("see its process", "see {neighbour}", Says("{neighbour}")),
    at("kill it", "kill {neighbour}", NeighbourDeath),
    at("kill all there is", "kill-named {neighbour-token}", NeighbourDeath),
    at("trace it", "ptrace {neighbour}", Claims),
    at("read its memory", "read /proc/{neighbour}/maps", Claims),
    at("TCP to its port", "tcp 127.0.0.1:{neighbour-port}", Says("{neighbour-token}")),
    at("see its port", "read /proc/net/tcp", Says(":{neighbour-port-hex} ")),
    at("its abstract socket", "abstract {neighbour-name}", Says("{neighbour-token}")).under("unix_sockets = true"),
    at("its socket in /tmp", "unix /tmp/{neighbour-name}.socket", Says("{neighbour-token}"))
        .under("unix_sockets = true"),
    at("its socket in the workspace", "unix {work}/{neighbour-name}.socket", Says("{neighbour-token}"))
        .under("unix_sockets = true"),
    at("a descriptor from it", "receive-descriptor {neighbour-name}", Says("{neighbour-token}"))
        .under("unix_sockets = true"),
    at("its file in /tmp", "read /tmp/{neighbour-name}", Says("{neighbour-token}")),
    at("its file in /dev/shm", "read /dev/shm/{neighbour-name}", Says("{neighbour-token}")),
    at("its file in the workspace", "read {work}/{neighbour-name}", Says("{neighbour-token}")),
    at("its files through /proc", "read /proc/{neighbour}/root/tmp/{neighbour-name}", Says("{neighbour-token}")),
    at("its shared memory", "read-shared-memory {neighbour-key}", Says("{neighbour-token}")),
    at("its message queue", "read-message-queue {neighbour-name}", Says("{neighbour-token}")),
    at("its key", "read-key {neighbour-name}", Says("{neighbour-token}")),
    p("neighbours", "enter its namespaces", "join {neighbour}", Claims, Root).scene(Neighbour),
];
