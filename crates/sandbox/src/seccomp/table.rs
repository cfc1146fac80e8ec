//! The rules themselves: which calls, under which arguments.

use libc::c_long;

use super::calls::{DANGEROUS, DANGEROUS_OLDER, HARMLESS, HARMLESS_OLDER, PRETENDED};
use super::{Answer, Clause, Rule, Test, Wanted};

/// What a profile may switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    /// Internet sockets: to the sandbox's own loopback, there is nothing else.
    pub(crate) internet: bool,
    /// Unix sockets with a name. Pairs without one are always allowed.
    pub(crate) unix: bool,
}

const EPERM: Answer = Answer::Errno(libc::EPERM as u16);
const EINVAL: Answer = Answer::Errno(libc::EINVAL as u16);
const NO_PROTOCOL: Answer = Answer::Errno(libc::EPROTONOSUPPORT as u16);
const NO_FAMILY: Answer = Answer::Errno(libc::EAFNOSUPPORT as u16);

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// All flags of `clone` and `unshare` that make a new namespace.
const NEW_NAMESPACE: u32 = 0x7e02_0000;

/// Also in `unshare`, where `clone` has the exit signal.
const NEW_TIME: u32 = 0x80;

/// Terminal requests that put bytes into somebody else's input, or take the console over.
const TERMINAL_INJECTION: &[u32] =
    &[0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */, 0x541d /* TIOCCONS */];

/// Another line discipline: parts of the kernel that serve modems, and that nobody needs in here.
const SET_DISCIPLINE: u32 = 0x5423;

/// Commands of `fcntl` by which a file that can only be read acts on everybody who has it open. A lease makes whoever
/// wants to write wait until it is given back, or for `lease-break-time`; so a sandbox that may read a folder of the host
/// could keep its owner from writing there.
const SHARED_FILE_CONTROLS: &[u32] = &[libc::F_SETLEASE as u32, libc::F_NOTIFY as u32, 1040 /* F_SETDELEG */];

/// What a process may set or ask about itself by `prctl`.
const PROCESS_CONTROLS: &[u32] = &[
    1,
    2, // PDEATHSIG
    3,
    4, // DUMPABLE
    7, // GET_KEEPCAPS
    15,
    16, // NAME
    21, // GET_SECCOMP
    23, // CAPBSET_READ
    27, // GET_SECUREBITS
    29,
    30, // TIMERSLACK
    36,
    37, // CHILD_SUBREAPER
    38,
    39, // NO_NEW_PRIVS
    40, // GET_TID_ADDRESS
    41,
    42,          // THP_DISABLE
    47,          // CAP_AMBIENT; there is none to raise
    52,          // GET_SPECULATION_CTRL
    0x5356_4d41, // SET_VMA: names of memory regions
];

/// The rules under `switches`. A call that none of them names is unknown.
pub(crate) fn table(switches: Switches) -> Vec<Rule> {
    let mut rules = conditional(switches);
    let plain = |calls: &[c_long], answer: Answer| -> Vec<Rule> {
        calls.iter().map(|call| rule(*call, Vec::new(), answer)).collect()
    };
    rules.extend(plain(HARMLESS, Answer::Allow));
    rules.extend(plain(HARMLESS_OLDER, Answer::Allow));
    rules.extend(plain(DANGEROUS, EPERM));
    rules.extend(plain(DANGEROUS_OLDER, EPERM));
    rules.extend(plain(PRETENDED, Answer::Errno(0)));
    rules
}

fn conditional(switches: Switches) -> Vec<Rule> {
    let mut rules = vec![
        // No new namespaces. `clone3` has its flags behind a pointer: it is unknown, and libc falls back to `clone`.
        rule(libc::SYS_clone, vec![on(vec![some(0, NEW_NAMESPACE)], EPERM)], Answer::Allow),
        rule(libc::SYS_unshare, vec![on(vec![some(0, NEW_NAMESPACE | NEW_TIME)], EPERM)], Answer::Allow),
        rule(
            libc::SYS_ioctl,
            TERMINAL_INJECTION
                .iter()
                .chain([&SET_DISCIPLINE])
                .map(|request| on(vec![is(1, *request)], EPERM))
                .collect(),
            Answer::Allow,
        ),
        rule(
            libc::SYS_fcntl,
            SHARED_FILE_CONTROLS.iter().map(|command| on(vec![is(1, *command)], EPERM)).collect(),
            Answer::Allow,
        ),
        rule(
            libc::SYS_prctl,
            PROCESS_CONTROLS.iter().map(|option| on(vec![is(0, *option)], Answer::Allow)).collect(),
            EINVAL,
        ),
        // Asking, and the ordinary personality.
        rule(
            libc::SYS_personality,
            vec![on(vec![is(0, u32::MAX)], Answer::Allow), on(vec![is(0, 0)], Answer::Allow)],
            EPERM,
        ),
        // The limit on core dumps stays what the launcher made it.
        rule(libc::SYS_prlimit64, vec![on(vec![is(1, libc::RLIMIT_CORE)], EPERM)], Answer::Allow),
        rule(libc::SYS_setrlimit, vec![on(vec![is(0, libc::RLIMIT_CORE)], EPERM)], Answer::Allow),
        rule(libc::SYS_socket, sockets(switches), NO_FAMILY),
        rule(libc::SYS_socketpair, vec![on(vec![is(0, libc::AF_UNIX as u32)], Answer::Allow)], NO_FAMILY),
        // No file with a set-ID bit. `openat2` has its mode behind a pointer: it is unknown.
        rule(libc::SYS_fchmod, vec![on(vec![some(1, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_fchmodat, vec![on(vec![some(2, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_fchmodat2, vec![on(vec![some(2, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_mkdirat, vec![on(vec![some(2, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_openat, created_with_set_id(2, 3), Answer::Allow),
        rule(libc::SYS_mknodat, nodes(2), Answer::Allow),
    ];
    #[cfg(target_arch = "x86_64")]
    rules.extend([
        rule(libc::SYS_chmod, vec![on(vec![some(1, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_mkdir, vec![on(vec![some(1, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_creat, vec![on(vec![some(1, SET_ID)], EPERM)], Answer::Allow),
        rule(libc::SYS_open, created_with_set_id(1, 2), Answer::Allow),
        rule(libc::SYS_mknod, nodes(1), Answer::Allow),
    ]);
    rules
}

/// Which sockets may be made. The type stands in the low four bits, flags above it.
fn sockets(switches: Switches) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let kind = |kind: i32| Test { argument: 1, mask: 0xf, wanted: Wanted::Equal(kind as u32) };
    if switches.internet {
        for family in [libc::AF_INET, libc::AF_INET6] {
            for (allowed, protocol) in [(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)] {
                let this = || vec![is(0, family as u32), kind(allowed)];
                for protocol in [0, protocol] {
                    clauses.push(on([this(), vec![is(2, protocol as u32)]].concat(), Answer::Allow));
                }
                // Others of that kind (MPTCP, UDP-Lite): as in a kernel without them, so that programs fall back.
                clauses.push(on(this(), NO_PROTOCOL));
            }
            clauses.push(on(vec![is(0, family as u32)], EPERM));
        }
    }
    if switches.unix {
        clauses.push(on(vec![is(0, libc::AF_UNIX as u32)], Answer::Allow));
    }
    // What `getifaddrs` asks: routes of our own network namespace.
    clauses.push(on(vec![is(0, libc::AF_NETLINK as u32), is(2, libc::NETLINK_ROUTE as u32)], Answer::Allow));
    for refused in [libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
        clauses.push(on(vec![is(0, refused as u32)], EPERM));
    }
    clauses
}

/// `open` reads its mode only where it makes a file; otherwise anything may stand there.
fn created_with_set_id(flags: u8, mode: u8) -> Vec<Clause> {
    // `O_TMPFILE` without `O_DIRECTORY`, which it contains.
    let creating = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;
    vec![on(vec![some(flags, creating), some(mode, SET_ID)], EPERM)]
}

/// No devices, and no set-ID bits; ordinary files and pipes with a name.
fn nodes(mode: u8) -> Vec<Clause> {
    let kind = |kind: u32| Test { argument: mode, mask: libc::S_IFMT, wanted: Wanted::Equal(kind) };
    vec![
        on(vec![some(mode, SET_ID)], EPERM),
        on(vec![kind(libc::S_IFCHR)], EPERM),
        on(vec![kind(libc::S_IFBLK)], EPERM),
    ]
}

fn rule(call: c_long, clauses: Vec<Clause>, otherwise: Answer) -> Rule {
    // No call of Linux has a negative number; were there one, it would stay unknown.
    Rule { number: u32::try_from(call).unwrap_or(u32::MAX), clauses, otherwise }
}

fn on(when: Vec<Test>, then: Answer) -> Clause {
    Clause { when, then }
}

fn is(argument: u8, value: u32) -> Test {
    Test { argument, mask: u32::MAX, wanted: Wanted::Equal(value) }
}

fn some(argument: u8, mask: u32) -> Test {
    Test { argument, mask, wanted: Wanted::Some }
}

impl Switches {
    /// Every setting there is.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(|internet| [false, true].map(|unix| Self { internet, unix }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_call_stands_in_the_table_twice() {
        let rules = table(Switches::default());
        let numbers: BTreeSet<u32> = rules.iter().map(|rule| rule.number).collect();
        assert_eq!(numbers.len(), rules.len());
    }

    #[test]
    fn calls_with_their_arguments_behind_a_pointer_are_unknown() {
        let rules = table(Switches { internet: true, unix: true });
        for call in [
            libc::SYS_clone3,
            libc::SYS_openat2,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
            libc::SYS_memfd_create,
            libc::SYS_shmget,
            libc::SYS_mq_open,
        ] {
            assert!(rules.iter().all(|rule| i64::from(rule.number) != call), "{call}");
        }
    }

    #[test]
    fn no_switch_opens_what_acts_on_others() {
        for switches in Switches::all() {
            let rules = table(switches);
            let of = |call: c_long| rules.iter().find(|rule| i64::from(rule.number) == call).unwrap();
            for (call, second) in [
                (libc::SYS_ioctl, 0x5412),
                (libc::SYS_ioctl, SET_DISCIPLINE),
                (libc::SYS_fcntl, libc::F_SETLEASE as u32),
                (libc::SYS_fcntl, libc::F_NOTIFY as u32),
            ] {
                assert!(of(call).clauses.contains(&on(vec![is(1, second)], EPERM)), "{call} {second:#x}");
            }
        }
    }

    #[test]
    fn sixty_four_bit_tricks_are_seen() {
        // The mask of namespaces holds every flag that the kernel knows.
        for flag in [
            libc::CLONE_NEWNS,
            libc::CLONE_NEWCGROUP,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWNET,
        ] {
            assert_eq!(NEW_NAMESPACE & flag as u32, flag as u32);
        }
    }
}
