//! What shows of the machine.

use super::Outside::{Both, Nobody};
use super::Shows::{Claims, Says};
use super::{Probe, p};

const COUNTERS: &str = "these count for the whole machine, as they do in every container: the kernel has no counters of \
                        a namespace, and tools that size themselves (compilers, runtimes) read them. A tier that has \
                        a kernel of its own does not show them";

pub(crate) const PROBES: &[Probe] = &[
    p("facts", "the name of the boot", "read /proc/sys/kernel/random/boot_id", Says("{boot}"), Both),
    p("facts", "the machine's name for itself", "read /etc/machine-id", Says("{machine}"), Both),
    p("facts", "how the kernel was built", "read-bytes /proc/config.gz", Claims, Both),
    p("facts", "free memory by zone", "read /proc/buddyinfo", Claims, Both),
    p("facts", "zones of memory", "read /proc/zoneinfo", Claims, Both),
    p("facts", "devices on the buses", "list /proc/bus/pci", Says("devices"), Both),
    p("facts", "who handles which interrupt", "list /proc/irq", Says("default_smp_affinity"), Both),
    p("facts", "swap space", "read /proc/swaps", Claims, Both),
    p("facts", "memory areas of devices", "read /proc/iomem", Claims, Both),
    p("facts", "ports of devices", "read /proc/ioports", Claims, Both),
    p("facts", "pressure on the machine", "read /proc/pressure/cpu", Claims, Both),
    p("facts", "blocks of the disks", "read /proc/diskstats", Claims, Both),
    p("facts", "locks on files", "read /proc/locks", Says("FLOCK"), Both),
    p("facts", "what is plugged in", "list /sys/class", Claims, Both),
    p("facts", "packages that are installed", "list /var/lib/dpkg/info", Claims, Both),
    p("facts", "accounts of the host", "read /etc/passwd", Says("daemon:"), Both),
    p("facts", "services of the host", "list /run", Claims, Both),
    p("facts", "one's control group", "control-group", Claims, Nobody("outside it may be the root group")),
    p("facts", "the kernel's version", "release", Says("{release}"), Both)
        .allowed("programs choose by it what they ask of the kernel, and it can be told from what the kernel does"),
    p("facts", "the processors", "read /proc/cpuinfo", Says("{processor}"), Both)
        .allowed("the processor itself tells every program what it is"),
    p("facts", "memory of the machine", "read /proc/meminfo", Says("{memory}"), Both).allowed(COUNTERS),
    p("facts", "when it was booted, and how busy it has been", "read /proc/stat", Says("{booted}"), Both)
        .allowed(COUNTERS),
    p("facts", "load of the machine", "load", Claims, Both).allowed(COUNTERS),
    p("facts", "how many files it has open", "read /proc/sys/fs/file-nr", Claims, Both).allowed(COUNTERS),
    p("facts", "size of the disk, and what is free on it", "disk-size /usr", Says("{disk-size}"), Both)
        .allowed("`statfs` says so of every file system of which anything is shown, and /usr is"),
    p("facts", "the disk's name in the table of mounts", "mount-sources", Says("{disk}"), Both)
        .allowed("the kernel prints it for everything that is mounted, and programs find file systems by that table"),
    p("facts", "where the workspace lies on the host", "working-folder", Says("{work}"), Both)
        .allowed("it lies at the same path inside, so that what compilers and tools write about it is true outside"),
    p(
        "facts",
        "the number of the user outside",
        "read /proc/self/uid_map",
        Says("{user}"),
        Nobody("it exists only inside"),
    )
    .allowed("a number by which nothing can be reached"),
    p("facts", "programs that are installed", "list /usr/share/doc", Claims, Both)
        .allowed("programs need /usr; what is secret does not belong there"),
];
