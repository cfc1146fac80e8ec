//! Other processes, and what is known about them.

use std::ffi::CString;
use std::fs;
use std::process::Command;

use crate::{Try, address, call, fail, got};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    let pid: u64 = word(0).parse().unwrap_or(u64::MAX >> 33);
    Some(match name {
        "kill" => got(call(libc::SYS_kill, &[pid, 9])),
        "thread-kill" => got(call(libc::SYS_tkill, &[pid, 9])),
        "pidfd-kill" => {
            call(libc::SYS_pidfd_open, &[pid]).and_then(|fd| got(call(libc::SYS_pidfd_send_signal, &[fd as u64, 9])))
        }
        "queue-signal" => {
            let mut info = [0_i32; 32];
            info[0] = 9;
            info[2] = -1; // SI_QUEUE
            got(call(libc::SYS_rt_sigqueueinfo, &[pid, 9, address(&raw const info)]))
        }
        "limit-victim" => {
            let limit = [7_u64, 7];
            got(call(libc::SYS_prlimit64, &[pid, libc::RLIMIT_NOFILE.into(), address(&raw const limit), 0]))
        }
        "victim-priority" => got(call(libc::SYS_setpriority, &[0, pid, 15])),
        "ptrace" => {
            let attached = got(call(libc::SYS_ptrace, &[16, pid]));
            if attached.is_ok() {
                let _ = call(libc::SYS_wait4, &[pid, 0, 0x4000_0000]);
                let _ = call(libc::SYS_ptrace, &[17, pid]);
            }
            attached
        }
        "ptrace-child" => with_child(|child| got(call(libc::SYS_ptrace, &[16, child]))),
        "child-memory" => with_child(|child| {
            static TEXT: &[u8; 9] = b"my memory";
            let mut there = [0_u8; 9];
            let ours = [address(&raw mut there), 9];
            let theirs = [address(TEXT), 9];
            call(libc::SYS_process_vm_readv, &[child, address(&raw const ours), 1, address(&raw const theirs), 1])?;
            Ok(String::from_utf8_lossy(&there).into_owned())
        }),
        "child-descriptor" => with_child(|child| {
            let pidfd = call(libc::SYS_pidfd_open, &[child])?;
            got(call(libc::SYS_pidfd_getfd, &[pidfd as u64, 0]))
        }),
        "compare" => {
            got(call(libc::SYS_kcmp, &[u64::from(std::process::id()), u64::from(std::process::id()), 0, 0, 0]))
        }
        "environments" => search("environ", word(0)),
        "command-lines" => search("cmdline", word(0)),
        "see" => fs::read_link(format!("/proc/{pid}/exe")).map(|exe| format!("pid {pid} runs {}", exe.display())),
        "set-user" => got(call(libc::SYS_setuid, &[0])).and_then(|_| {
            if call(libc::SYS_getuid, &[])? == 0 { Ok("uid 0".to_owned()) } else { fail("still not root") }
        }),
        "run-set-id" => {
            let output = Command::new(word(0)).arg("who").output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().replace("GOT ", ""))
        }
        "who" => call(libc::SYS_geteuid, &[]).map(|id| format!("euid {id}")),
        "real-time" => {
            let priority = 1_i32;
            got(call(libc::SYS_sched_setscheduler, &[0, 1, address(&raw const priority)]))
        }
        "nice" => got(call(libc::SYS_setpriority, &[0, 0, (-20_i64).cast_unsigned()])),
        "raise-limit" => {
            let limit = [1_000_000_u64, 1_000_000];
            got(call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE.into(), address(&raw const limit), 0]))
        }
        "shared-memory" => {
            let key: u64 = word(0).parse().unwrap_or(1);
            got(call(libc::SYS_shmget, &[key, 4096, 0o1666]))
        }
        "message-queue" => {
            let name = CString::new(word(0)).unwrap();
            let made = got(call(libc::SYS_mq_open, &[address(name.as_ptr()), 0o102, 0o666, 0]));
            let _ = call(libc::SYS_mq_unlink, &[address(name.as_ptr())]);
            made
        }
        "host-name" => fs::read_to_string("/proc/sys/kernel/hostname").map(|name| format!("host {name}")),
        "set-host-name" => {
            let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let name = name.trim();
            got(call(libc::SYS_sethostname, &[address(name.as_ptr()), name.len() as u64]))
        }
        "set-tracer" => got(call(libc::SYS_prctl, &[0x5961_6d61, u64::MAX])),
        "set-other-user" => got(call(libc::SYS_setresuid, &[65_534, 65_534, 65_534])),
        "set-groups" => {
            let group = 0_u32;
            got(call(libc::SYS_setgroups, &[1, address(&raw const group)]))
        }
        "bounding-set" => {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with("CapBnd:")).unwrap_or_default();
            if line.ends_with("\t0000000000000000") { fail("there is none") } else { Ok(line.to_owned()) }
        }
        "kill-all" => got(call(libc::SYS_kill, &[u64::MAX, 9])),
        "kill-group" => got(call(libc::SYS_kill, &[0, 9])),
        "kill-named" => kill_named(word(0)),
        "affinity" => {
            let first = 1_u64;
            got(call(libc::SYS_sched_setaffinity, &[pid, 8, address(&raw const first)]))
        }
        "join" => {
            let file = fs::File::open(format!("/proc/{pid}/ns/uts"));
            file.and_then(|file| got(call(libc::SYS_setns, &[std::os::fd::AsRawFd::as_raw_fd(&file) as u64, 0])))
        }
        _ => return None,
    })
}

/// A child of one's own, which waits to be looked at.
fn with_child(attack: impl FnOnce(u64) -> Try) -> Try {
    // A real fork, so that addresses are the same.
    let child = call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])?;
    if child == 0 {
        std::thread::sleep(std::time::Duration::from_secs(5));
        std::process::abort();
    }
    let result = attack(child as u64);
    let _ = call(libc::SYS_kill, &[child as u64, 9]);
    let _ = call(libc::SYS_wait4, &[child as u64, 0, 0x4000_0000]);
    result
}

/// Whether the file of any process's folder holds the text.
fn search(file: &str, text: &str) -> Try {
    let own = std::process::id().to_string();
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let found = fs::read(entry.path().join(file)).unwrap_or_default();
        if found.windows(text.len()).any(|window| window == text.as_bytes()) {
            return Ok(format!("{text} of process {name}"));
        }
    }
    fail("no process shows it")
}

/// Kills whatever has the word on its command line.
fn kill_named(word: &str) -> Try {
    let own = std::process::id().to_string();
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let Ok(pid) = name.parse() else { continue };
        if name != own && line.contains(word) {
            return got(call(libc::SYS_kill, &[pid, 9]));
        }
    }
    fail("nobody is called so")
}
