//! Parts of the kernel that a tool has no business with.

use std::ffi::CString;
use std::fs;

use crate::{Try, address, call, fail, got, reached};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    Some(match name {
        "io-uring" => {
            let mut parameters = [0_u32; 30];
            got(call(libc::SYS_io_uring_setup, &[4, address(&raw mut parameters)]))
        }
        "userfaultfd" => got(call(libc::SYS_userfaultfd, &[1])),
        "bpf" => {
            // An array map of one entry.
            let attributes = [2_u32, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            got(call(libc::SYS_bpf, &[0, address(&raw const attributes), 72]))
        }
        "perf" => {
            let mut attributes = [0_u64; 16];
            attributes[0] = 1 | (128 << 32); // software, size
            got(call(libc::SYS_perf_event_open, &[address(&raw const attributes), 0, u64::MAX, u64::MAX, 0]))
        }
        "mount" => {
            let _ = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
            let (kind, to) = (CString::new("tmpfs").unwrap(), CString::new("/tmp").unwrap());
            got(call(libc::SYS_mount, &[address(kind.as_ptr()), address(to.as_ptr()), address(kind.as_ptr())]))
        }
        "mount-in-user-namespace" => call(libc::SYS_unshare, &[(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64])
            .and_then(|_| {
                let (kind, to) = (CString::new("tmpfs").unwrap(), CString::new("/tmp").unwrap());
                got(call(libc::SYS_mount, &[address(kind.as_ptr()), address(to.as_ptr()), address(kind.as_ptr())]))
            }),
        "remount" => {
            let _ = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
            let to = CString::new("/usr").unwrap();
            let flags = libc::MS_BIND | libc::MS_REMOUNT;
            let bound = call(libc::SYS_mount, &[address(to.as_ptr()), address(to.as_ptr()), 0, libc::MS_BIND]);
            bound.and_then(|_| got(call(libc::SYS_mount, &[0, address(to.as_ptr()), 0, flags])))
        }
        "umount" => {
            let _ = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
            let at = CString::new("/proc").unwrap();
            got(call(libc::SYS_umount2, &[address(at.as_ptr()), libc::MNT_DETACH as u64]))
        }
        "fsopen" => {
            let kind = CString::new("tmpfs").unwrap();
            got(call(libc::SYS_fsopen, &[address(kind.as_ptr()), 0]))
        }
        "open-tree" => {
            let root = CString::new("/").unwrap();
            got(call(libc::SYS_open_tree, &[libc::AT_FDCWD as u64, address(root.as_ptr()), 1]))
        }
        "unshare" => got(call(libc::SYS_unshare, &[libc::CLONE_NEWUSER as u64])),
        "unshare-flag" => got(call(libc::SYS_unshare, &[word(0).parse().unwrap_or(0)])),
        "code" => {
            let (flags, none) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, u64::MAX);
            got(call(libc::SYS_mmap, &[0, 4096, 7, flags as u64, none, 0]))
        }
        "trace-me" => got(call(libc::SYS_ptrace, &[0, 0, 0, 0])),
        "unshare-wide" => got(call(libc::SYS_unshare, &[(1 << 32) | libc::CLONE_NEWUSER as u64])),
        "clone-user" => clone_user(),
        "clone3-user" => clone3_user(),
        "setns" => {
            let file = fs::File::open("/proc/self/ns/uts").ok()?;
            got(call(libc::SYS_setns, &[std::os::fd::AsRawFd::as_raw_fd(&file) as u64, 0]))
        }
        "join-init" => match fs::File::open("/proc/1/ns/mnt") {
            Ok(file) => got(call(libc::SYS_setns, &[std::os::fd::AsRawFd::as_raw_fd(&file) as u64, 0])),
            Err(error) => Err(error),
        },
        "chroot" => {
            let to = CString::new("/tmp").unwrap();
            got(call(libc::SYS_chroot, &[address(to.as_ptr())]))
        }
        "pivot-root" => {
            let here = CString::new(".").unwrap();
            reached(call(libc::SYS_pivot_root, &[address(here.as_ptr()), address(here.as_ptr())]))
        }
        "add-key" => {
            let (kind, name) = (CString::new("user").unwrap(), CString::new(word(0)).unwrap());
            let user_keyring = (-4_i64).cast_unsigned();
            got(call(
                libc::SYS_add_key,
                &[
                    address(kind.as_ptr()),
                    address(name.as_ptr()),
                    address(word(0).as_ptr()),
                    word(0).len() as u64,
                    user_keyring,
                ],
            ))
        }
        "keyctl" => got(call(libc::SYS_keyctl, &[0, (-3_i64).cast_unsigned(), 1])),
        "request-key" => {
            let (kind, name) = (CString::new("user").unwrap(), CString::new("callgate-none").unwrap());
            reached(call(libc::SYS_request_key, &[address(kind.as_ptr()), address(name.as_ptr()), 0, 0]))
        }
        "terminal-input" => reached(call(libc::SYS_ioctl, &[0, 0x5412, address(b"x")])),
        "terminal-input-wide" => reached(call(libc::SYS_ioctl, &[0, 0x5412 | (1 << 32), address(b"x")])),
        "console-paste" => reached(call(libc::SYS_ioctl, &[0, 0x541c, address(b"\x03")])),
        "console-output" => reached(call(libc::SYS_ioctl, &[0, 0x541d, 0])),
        "log" => {
            let mut buffer = [0_u8; 512];
            got(call(libc::SYS_syslog, &[3, address(&raw mut buffer), 512]))
        }
        "set-time" => got(call(libc::SYS_settimeofday, &[0, 0])),
        "adjust-time" => {
            let timex = [0_u64; 26];
            got(call(libc::SYS_adjtimex, &[address(&raw const timex)]))
        }
        "reboot" => reached(call(libc::SYS_reboot, &[1, 2, 3, 0])),
        "swap" => {
            let none = CString::new("/nowhere/at/all").unwrap();
            reached(call(libc::SYS_swapon, &[address(none.as_ptr()), 0]))
        }
        "account" => {
            let none = CString::new("/nowhere/at/all").unwrap();
            reached(call(libc::SYS_acct, &[address(none.as_ptr())]))
        }
        "quota" => reached(call(libc::SYS_quotactl, &[0x0080_0002 << 8, 0, 0, 0])),
        "fileless" => {
            let name = CString::new("x").unwrap();
            got(call(libc::SYS_memfd_create, &[address(name.as_ptr()), 0]))
        }
        "secret-memory" => got(call(libc::SYS_memfd_secret, &[0])),
        "i386" => i386(),
        "x32" => got(call(0x4000_0000 | 39, &[])),
        "personality" => got(call(libc::SYS_personality, &[0x0040_0000])),
        "ldt" => local_table(),
        "port" => port(),
        "fanotify" => got(call(libc::SYS_fanotify_init, &[0x200, 0])),
        "notify-filter" => {
            // Reads nothing, allows everything, and wants to be told.
            let code = [0x0006_u64 | (0x7fff_0000 << 32)];
            let program = [1_u64, address(&raw const code)];
            let _ = call(libc::SYS_prctl, &[38, 1, 0, 0, 0]);
            got(call(libc::SYS_seccomp, &[1, 8, address(&raw const program)]))
        }
        "move-pages" => reached(call(libc::SYS_move_pages, &[0, 0, 0, 0, 0, 0])),
        "memory-map-control" => got(call(libc::SYS_prctl, &[35, 8, 0, 0, 0])),
        "aio" => {
            let mut context = 0_u64;
            got(call(libc::SYS_io_setup, &[1, address(&raw mut context)]))
        }
        "vmsplice" => reached(call(libc::SYS_vmsplice, &[0, 0, 0, 0])),
        "openat2" => {
            let path = CString::new("/").unwrap();
            let how = [0_u64, 0, 0];
            got(call(libc::SYS_openat2, &[libc::AT_FDCWD as u64, address(path.as_ptr()), address(&raw const how), 24]))
        }
        "device" => fs::File::open(word(0)).map(|_| format!("open {}", word(0))),
        "cgroup" => cgroup(),
        "module" => reached(call(libc::SYS_init_module, &[0, 0, 0])),
        "kexec" => reached(call(libc::SYS_kexec_load, &[0, 0, 0, 0])),
        _ => return None,
    })
}

fn clone_user() -> Try {
    let child = call(libc::SYS_clone, &[(libc::CLONE_NEWUSER | libc::SIGCHLD) as u64, 0, 0, 0, 0])?;
    if child == 0 {
        std::process::abort();
    }
    let _ = call(libc::SYS_wait4, &[child as u64, 0, 0]);
    Ok(child.to_string())
}

fn clone3_user() -> Try {
    let mut arguments = [0_u64; 11];
    arguments[0] = libc::CLONE_NEWUSER as u64;
    arguments[4] = libc::SIGCHLD as u64;
    let child = call(libc::SYS_clone3, &[address(&raw const arguments), 88])?;
    if child == 0 {
        std::process::abort();
    }
    let _ = call(libc::SYS_wait4, &[child as u64, 0, 0]);
    Ok(child.to_string())
}

/// A system call in the numbering of i386: 20 is `getpid` there, and `writev` here.
#[cfg(target_arch = "x86_64")]
fn i386() -> Try {
    let result: u64;
    // SAFETY: `int 0x80` with the number of `getpid` touches nothing but the accumulator.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") 20_u64 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
    if result == u64::from(std::process::id()) { Ok(format!("getpid is {result}")) } else { fail("another answer") }
}

#[cfg(not(target_arch = "x86_64"))]
fn i386() -> Try {
    fail("another architecture")
}

#[cfg(target_arch = "x86_64")]
fn local_table() -> Try {
    let mut buffer = [0_u8; 64];
    got(call(libc::SYS_modify_ldt, &[0, address(&raw mut buffer), 64]))
}

#[cfg(not(target_arch = "x86_64"))]
fn local_table() -> Try {
    fail("another architecture")
}

#[cfg(target_arch = "x86_64")]
fn port() -> Try {
    got(call(libc::SYS_ioperm, &[0x80, 1, 1]))
}

#[cfg(not(target_arch = "x86_64"))]
fn port() -> Try {
    fail("another architecture")
}

/// Any control group that lets itself be written to.
fn cgroup() -> Try {
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"] {
        if fs::OpenOptions::new().write(true).open(format!("{root}/cgroup.procs")).is_ok() {
            return Ok(format!("{root} can be written to"));
        }
    }
    fail("none")
}
