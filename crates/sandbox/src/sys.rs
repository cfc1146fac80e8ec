//! The few system calls that no safe wrapper offers. All `unsafe` of the crate stands here.

use std::ffi::{CString, OsString, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::Pid;

/// `struct clone_args` of `clone3`.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `CLONE_INTO_CGROUP`, which `libc` gives in too narrow a type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of a fork this is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The one that made it.
    Parent {
        /// The new process's number.
        pid: Pid,
        /// And a handle to it that no other process can take over.
        handle: OwnedFd,
    },
}

/// Makes a new process, a copy of this one, in the new namespaces that `flags` name, and in the control group of
/// version 2 whose folder is open as `group`.
///
/// Only for a process with a single thread: the copy has only the calling one.
pub(crate) fn fork(flags: c_int, group: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    let mut handle: c_int = -1;
    let mut arguments = CloneArguments {
        flags: u64::from(flags.cast_unsigned()) | libc::CLONE_PIDFD.cast_unsigned() as u64,
        pidfd: (&raw mut handle) as u64,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        ..CloneArguments::default()
    };
    if let Some(group) = group {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = group.as_raw_fd().cast_unsigned().into();
    }
    // SAFETY: without CLONE_VM and with no stack given this is `fork`: the child gets a copy of all memory and goes on
    // here. `arguments` and `handle` outlive the call and are of the size that is passed. The caller has one thread
    // only, so no lock of the C library can be left taken in the copy.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArguments>()) };
    match pid {
        0 => Ok(Side::Child),
        pid if pid > 0 => {
            let pid = i32::try_from(pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
            // SAFETY: the kernel has just stored a new descriptor here (CLONE_PIDFD), and nobody else knows it.
            let handle = unsafe { OwnedFd::from_raw_fd(handle) };
            Ok(Side::Parent { pid, handle })
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// A process in a user namespace of its own that only sleeps. It runs in this process's memory, so that none has to be
/// copied for it. Dropping it ends it and waits for that.
pub(crate) struct Sleeper {
    pid: Pid,
    /// What it runs on, as long as it is there.
    _stack: Box<[u128]>,
}

impl Sleeper {
    /// Starts one. It lasts a minute at most, if this process is killed at once.
    pub(crate) fn start() -> io::Result<Self> {
        extern "C" fn sleep(_: *mut libc::c_void) -> c_int {
            let minute = libc::timespec { tv_sec: 60, tv_nsec: 0 };
            // SAFETY: neither call writes memory, and none that returns fails, so that `errno`, which is the launcher's,
            // too, stays as it is. `minute` outlives its call. The process ends here and returns to nothing.
            unsafe {
                libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                libc::syscall(libc::SYS_nanosleep, &raw const minute, std::ptr::null::<libc::timespec>());
                libc::_exit(0)
            }
        }
        let mut stack = vec![0_u128; 512].into_boxed_slice();
        let flags = libc::CLONE_VM | libc::CLONE_NEWUSER | libc::SIGCHLD;
        // SAFETY: the new process shares this one's memory and runs `sleep` on a stack of its own, which grows down from
        // the end given (aligned as `u128` is) and is freed only after the process has been waited for. `sleep` makes
        // three system calls in some hundred bytes of it, and uses no memory of anybody else's.
        let pid = unsafe { libc::clone(sleep, stack.as_mut_ptr_range().end.cast(), flags, std::ptr::null_mut()) };
        match Pid::from_raw(pid) {
            Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(Self { pid, _stack: stack }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it end, without waiting for that.
    pub(crate) fn end(&self) {
        // Nobody else can have its number before it has been waited for.
        let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.end();
        let waited = || rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
        while matches!(waited(), Err(rustix::io::Errno::INTR)) {}
    }
}

/// Begins to unmount what lies over the working folder, and all below it, in a process that runs in this one's memory.
/// The kernel takes mounts away at once, but keeps whoever asked for it until nobody can still be using one, for which
/// this process has no time. What comes back becomes 1 when that is over, and an error's number, negative, if it fails.
///
/// Only for a process that never returns to where it was started from, as the new one runs on memory that is not freed.
pub(crate) fn begin_to_unmount() -> io::Result<&'static AtomicI32> {
    extern "C" fn unmount(state: *mut libc::c_void) -> c_int {
        // SAFETY: `state` is the `AtomicI32` that was passed on below, which is never freed.
        let state = unsafe { &*state.cast::<AtomicI32>() };
        // This wrapper allocates nothing and sets no `errno`, both of which would be the other process's, too.
        let done = rustix::mount::unmount(c".", rustix::mount::UnmountFlags::DETACH);
        state.store(done.map_or_else(|error| -error.raw_os_error(), |()| 1), Ordering::Release);
        leave(0)
    }
    let state: &'static AtomicI32 = Box::leak(Box::default());
    let stack = Box::leak(vec![0_u128; 1024].into_boxed_slice());
    let flags = libc::CLONE_VM | libc::SIGCHLD;
    // SAFETY: the new process shares this one's memory and runs `unmount` on a stack of its own, which grows down from
    // the end given (aligned as `u128` is) and is never freed. `unmount` makes two system calls and touches no memory but
    // that stack and `state`, which both processes only use as the atomic that it is.
    let pid = unsafe {
        libc::clone(unmount, stack.as_mut_ptr_range().end.cast(), flags, std::ptr::from_ref(state).cast_mut().cast())
    };
    if pid > 0 { Ok(state) } else { Err(io::Error::last_os_error()) }
}

/// Moves this process into a new network namespace, which belongs to the user namespace that it is in.
pub(crate) fn leave_network() -> io::Result<()> {
    leave_namespace(libc::CLONE_NEWNET)
}

/// Moves this process into a new control group namespace, whose root is the group that it is in now.
pub(crate) fn leave_control_groups() -> io::Result<()> {
    leave_namespace(libc::CLONE_NEWCGROUP)
}

fn leave_namespace(kind: c_int) -> io::Result<()> {
    // SAFETY: no memory is touched; the process has one thread.
    let done = unsafe { libc::unshare(kind) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Moves this process into the network namespace of the process that `handle` leads to.
pub(crate) fn join_network(handle: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no memory is touched; the process has one thread.
    let done = unsafe { libc::setns(handle.as_raw_fd(), libc::CLONE_NEWNET) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts rules of Landlock in force for this process and all that come from it.
pub(crate) fn restrict_by_landlock(rules: BorrowedFd<'_>) -> io::Result<()> {
    const NO_FLAGS: libc::c_uint = 0;
    // SAFETY: no memory is touched.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), NO_FLAGS) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `struct mount_attr` of `mount_setattr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Attributes of a mount; those of `mount_setattr(2)`.
pub(crate) mod attribute {
    pub(crate) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
    pub(crate) const NO_SET_ID: u64 = libc::MOUNT_ATTR_NOSUID;
    pub(crate) const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;
    pub(crate) const NO_PROGRAMS: u64 = libc::MOUNT_ATTR_NOEXEC;
}

/// Adds `attributes` to the mount that is open as `mount`, and to those below it.
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_mount(mount, MountAttributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 }, true)
}

/// Shows the files of the mount that is open as `mount` as if they belonged to whom `namespace` maps their owners to.
pub(crate) fn map_owners(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let user_namespace = namespace.as_raw_fd().cast_unsigned().into();
    set_mount(mount, MountAttributes { set: libc::MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, user_namespace }, false)
}

fn set_mount(mount: BorrowedFd<'_>, attributes: MountAttributes, below: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated constant, and `attributes` outlives the call and is of the size passed.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor from `first` on when a program is executed.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor but `kept`, now. Whatever else owned one must never be dropped or used any more: for the
/// start of a process, before anything owns one that is not named, and for one that goes on to [`leave`].
pub(crate) fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|kept| kept.as_raw_fd().cast_unsigned()).collect();
    kept.sort_unstable();
    let mut first = 0;
    for number in kept {
        if number > first {
            close_range(first, number - 1, 0)?;
        }
        first = number.saturating_add(1);
    }
    close_range(first, u32::MAX, 0)
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: no memory is touched; for owners see the callers.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts every signal back to what a program expects at its start: default actions, nothing blocked.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default action involves no function of ours. The two signals that cannot be set, and those that
        // the C library keeps for itself, are refused without effect.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: `set` is initialised by `sigemptyset` before it is read, and outlives both calls.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Lets what a terminal's session is sent pass by. It reaches the supervisor, too; when that ends, the launcher ends the
/// run and cleans up, and gives the terminal back as it was, even if others have it by then.
pub(crate) fn ignore_terminal_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM, libc::SIGTTOU] {
        // SAFETY: ignoring a signal involves no function of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Whether children that end are forgotten at once, rather than kept until somebody waits for them.
pub(crate) fn forget_children(forgotten: bool) {
    // SAFETY: neither involves a function of ours.
    unsafe { libc::signal(libc::SIGCHLD, if forgotten { libc::SIG_IGN } else { libc::SIG_DFL }) };
}

/// Where a program is.
pub(crate) enum Place {
    /// At the first of these paths that can be executed.
    Paths(Vec<OsString>),
    /// Open already.
    Open(OwnedFd),
}

/// A program with arguments and environment, ready to be executed without another allocation.
pub(crate) struct Program {
    paths: Vec<CString>,
    open: Option<OwnedFd>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// Takes the bytes over; nothing if one has a NUL in it.
    pub(crate) fn new(
        place: Place,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = OsString>,
    ) -> Option<Self> {
        fn all(texts: impl IntoIterator<Item = OsString>) -> Option<Vec<CString>> {
            texts.into_iter().map(|text| CString::new(text.into_vec()).ok()).collect()
        }
        let (paths, open) = match place {
            Place::Paths(paths) => (all(paths)?, None),
            Place::Open(open) => (Vec::new(), Some(open)),
        };
        Some(Self { paths, open, arguments: all(arguments)?, environment: all(environment)? })
    }

    /// Becomes the program: what is open, or the first of its paths that can be executed. Returns only with the error
    /// of the one that came furthest.
    pub(crate) fn execute(&self) -> io::Error {
        let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        if let Some(open) = &self.open {
            // SAFETY: the empty path is a constant, all pointers lead to NUL-terminated strings that `self` owns, and
            // both lists end with a null.
            unsafe {
                libc::syscall(
                    libc::SYS_execveat,
                    open.as_raw_fd(),
                    c"".as_ptr(),
                    arguments.as_ptr(),
                    environment.as_ptr(),
                    libc::AT_EMPTY_PATH,
                )
            };
            return io::Error::last_os_error();
        }
        let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
        for path in &self.paths {
            // SAFETY: all pointers lead to NUL-terminated strings that `self` owns, and both lists end with a null.
            unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            let error = io::Error::last_os_error();
            if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
                worst = error;
            }
        }
        worst
    }
}

/// How a child ended, as `wait4` reports it, and the processor time that it and its children used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) pid: i32,
    pub(crate) status: i32,
    pub(crate) cpu_micros: u64,
    pub(crate) peak_kib: u64,
}

/// Waits for any child; nothing if there is none left.
pub(crate) fn wait_for_child() -> Option<Ended> {
    loop {
        let mut status = 0;
        // SAFETY: `rusage` is made of integers only, for which all zeroes is a value.
        let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
        // SAFETY: both places are valid for writing for the time of the call.
        let pid = unsafe { libc::wait4(-1, &raw mut status, 0, &raw mut usage) };
        if pid > 0 {
            let micros = |time: libc::timeval| {
                u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
            };
            let cpu_micros = micros(usage.ru_utime) + micros(usage.ru_stime);
            return Some(Ended { pid, status, cpu_micros, peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0) });
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
    }
}

/// Ends this process at once: no destructors, no buffers, which both belong to the process it was copied from.
pub(crate) fn leave(code: c_int) -> ! {
    // SAFETY: `_exit` may be called at any point.
    unsafe { libc::_exit(code) }
}

/// Switches the loopback interface on.
pub(crate) fn raise_loopback(socket: impl AsFd) -> io::Result<()> {
    // SAFETY: `ifreq` is made of integers and characters only, for which all zeroes is a value.
    let mut request = unsafe { std::mem::zeroed::<libc::ifreq>() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request reads a `struct ifreq`, which outlives the call.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Adds `attributes` to this one mount.
pub(crate) fn restrict_mount_alone(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_mount(mount, MountAttributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 }, false)
}

/// Landlock's version; 0 if the kernel has none or it is switched off.
pub(crate) fn landlock_version() -> u32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel reads no attributes; a null pointer and no size is what it asks for.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}
