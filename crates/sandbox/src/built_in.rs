//! The profiles that every gate has; all others extend one of them.

use std::collections::BTreeMap;

use crate::profile::{Access, Environment, Limits, MemoryBy, Network, Place, Profile, Tier};

const MIB: u64 = 1 << 20;

/// What programs and libraries need. On a machine where one of these is missing, it is missing inside, too.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

/// The profile that all others start from.
pub(crate) const WORKSPACE: &str = "workspace";

/// The home folder inside.
pub(crate) const HOME: &str = "/home/agent";

/// `workspace`: work on a copy of one folder, with the system's programs and no network; a commit brings the changes
/// back. `read-only`: the same, and nothing can be changed. `workspace-watched`, for machines without control groups:
/// as `workspace`, but memory is only counted.
pub(crate) fn profiles() -> [Profile; 3] {
    let workspace = workspace();
    let mut read_only = Profile { name: "read-only".to_owned(), ..workspace.clone() };
    read_only.files.insert(Place::workspace(), Access::Ro);
    let mut watched = Profile { name: "workspace-watched".to_owned(), ..workspace.clone() };
    watched.limits.memory_by = MemoryBy::Watched;
    [workspace, read_only, watched]
}

fn workspace() -> Profile {
    let system = SYSTEM.iter().map(|path| (*path, Access::Ro));
    let own = [("/tmp", Access::Tmpfs), (HOME, Access::Tmpfs), ("@workspace", Access::Cow)];
    // All of these are plain; were one not, it would be missing, and a test says so.
    let places = system.chain(own).filter_map(|(path, access)| Some((path.parse().ok()?, access)));
    let set = [
        ("HOME", HOME),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"),
        ("TMPDIR", "/tmp"),
        ("USER", "agent"),
        ("LOGNAME", "agent"),
        ("SHELL", "/bin/sh"),
    ];
    Profile {
        name: WORKSPACE.to_owned(),
        tier: Tier::Namespaces,
        files: places.collect::<BTreeMap<Place, Access>>(),
        network: Network::Loopback,
        unix_sockets: false,
        limits: Limits {
            wall: 3600,
            cpu: 3600,
            memory: 4096 * MIB,
            memory_by: MemoryBy::Kernel,
            processes: 512,
            open_files: 4096,
            output: 64 * MIB,
            disk: 2048 * MIB,
            files: 200_000,
        },
        environment: Environment {
            pass: ["LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLORTERM", "NO_COLOR", "TZ"].map(str::to_owned).into(),
            set: set.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        },
        secrets: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_place_is_one() {
        assert_eq!(workspace().files.len(), SYSTEM.len() + 3);
    }

    #[test]
    fn what_only_reads_is_tighter() {
        let [workspace, read_only, _] = profiles();
        assert_eq!(read_only.tightens(&workspace), Ok(()));
        assert!(workspace.tightens(&read_only).is_err());
    }
}
