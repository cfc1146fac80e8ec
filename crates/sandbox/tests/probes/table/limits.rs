//! What wants all there is of something, or does not want to end. Outside all of it happens under a safe cap of its own.

use super::Outside::{Both, User, UserOnly};
use super::Resource::{Descriptors, Disk, Files, Memory, Processes, Processor, Time};
use super::Scene::Orphaned;
use super::Shows::{Claims, Output, Peak, Starves, Survives};
use super::{Probe, p};

pub(crate) const PROBES: &[Probe] = &[
    p("limits", "a fork bomb", "fork-bomb 300 {unique}", Peak(Processes, 200), Both).under("processes = 60"),
    p("limits", "a bomb of threads", "thread-bomb 300 {unique}", Peak(Processes, 200), Both).under("processes = 60"),
    p("limits", "a memory bomb", "memory-bomb 320 {unique}", Peak(Memory, 250), Both).under("memory = \"128MiB\""),
    p("limits", "memory in many processes", "many-memories 8 40 {unique}", Peak(Memory, 250), Both)
        .under("memory = \"128MiB\""),
    p("limits", "memory in files", "disk-bomb /dev/shm/{unique} 200 {unique}", Peak(Disk, 180), Both)
        .under("memory = \"128MiB\""),
    p("limits", "one huge file", "disk-bomb {work}/kept 48 {unique} 1", Peak(Disk, 40), Both)
        .under("disk = \"20480KiB\""),
    p("limits", "large files", "disk-bomb {work}/kept 48 {unique}", Peak(Disk, 40), Both).under("disk = \"20480KiB\""),
    p("limits", "large files in /tmp", "disk-bomb /tmp/{unique} 48 {unique}", Peak(Disk, 40), Both)
        .under("disk = \"20480KiB\""),
    p("limits", "many files", "many-files {work}/kept 2000 {unique}", Peak(Files, 1900), Both).under("max_files = 500"),
    p("limits", "many files in /tmp", "many-files /tmp/{unique} 2000 {unique}", Peak(Files, 1900), Both)
        .under("max_files = 500"),
    p("limits", "a file of 1 PiB", "sparse /dev/shm/{unique} 50", Claims, Both),
    p("limits", "a descriptor bomb", "descriptor-bomb 700 {unique}", Peak(Descriptors, 600), Both)
        .under("open_files = 200"),
    p("limits", "raise one's own limits", "raise-limits", Claims, Both).under("open_files = 200"),
    p("limits", "a flood of output", "flood 8 {unique}", Output(4 << 20), Both).under("output = \"1024KiB\""),
    p("limits", "a run without end", "endless {unique}", Peak(Time, 25), Both).under("wall = \"1s\""),
    p("limits", "a run that ignores signals", "ignore {unique}", Peak(Time, 25), Both).under("wall = \"1s\""),
    p("limits", "a busy loop", "busy {unique} 15", Peak(Processor, 13), Both).under("cpu = \"1s\""),
    p("limits", "busy loops, one after the other", "busy-children {unique} 3", Peak(Processor, 20), Both)
        .under("cpu = \"1s\""),
    p("limits", "a daemon", "daemon {unique}", Survives, Both),
    p("limits", "outlive whoever started it", "endless {unique}", Survives, Both).scene(Orphaned),
    p(
        "limits",
        "all watches on files",
        "inotify-bomb 150 {unique}",
        Starves("inotify"),
        UserOnly("the services of this machine would go without"),
    ),
    p("limits", "room in the user's pipes", "pipe-bomb 1500 {unique}", Starves("pipes"), User).allowed_to_users(
        "the kernel counts pages of pipes by user: beyond 64 MiB, the user who started the launcher gets smaller pipes \
         as long as the run goes on. As root each run is a user of its own",
    ),
];
