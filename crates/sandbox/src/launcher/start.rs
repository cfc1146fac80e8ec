//! From a plan to a running program: the launcher's side.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, getuid};

use super::terminal::{self, Lent};
use super::{groups, inside, mounts, owners, watch};
use crate::ending::{Ending, Fault, Step};
use crate::message::{Answer, send};
use crate::plan::{Layer, Plan, Program};
use crate::readback::{Namespaces, ReadBack, Surroundings};
use crate::sys::{self, Side};

/// The user and group that the program is inside.
pub(super) const INSIDE_ID: u32 = 1000;

/// As root, every run is a user of its own outside: this, and the launcher's process number, which no other launcher
/// has at the same time. No system gives out ids up here.
const RUN_IDS: u32 = 0x7000_0000;

/// What init and program tell the launcher, each as one packet: a letter, and what belongs to it.
pub(super) enum Word {
    /// The view is built and the program's process exists. With it come a handle to that, the launcher's side of the
    /// terminal if the plan has one, and the open folders of what
    /// will be written.
    Forked,
    /// It is bound and waits. Landlock's version, if it was seen to hold.
    Bound(u32),
    /// The program ended: `wait4`'s status, processor time, peak memory.
    Ended(i32, u64, u64),
    /// A step failed.
    Failed(Fault),
}

crate::wire::fields!(Packet { letter, first, second, third, step, why });

struct Packet {
    letter: u8,
    first: u64,
    second: u64,
    third: u64,
    step: String,
    why: String,
}

impl Word {
    pub(super) fn say(&self, to: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
        let plain = |letter, first, second, third| Packet {
            letter,
            first,
            second,
            third,
            step: String::new(),
            why: String::new(),
        };
        let packet = match self {
            Self::Forked => plain(b'F', 0, 0, 0),
            Self::Bound(landlock) => plain(b'L', u64::from(*landlock), 0, 0),
            Self::Ended(status, cpu, peak) => plain(b'E', u64::from(status.cast_unsigned()), *cpu, *peak),
            Self::Failed(fault) => {
                Packet { letter: b'X', first: 0, second: 0, third: 0, step: fault.step.clone(), why: fault.why.clone() }
            }
        };
        let bytes = crate::wire::Wire::to_bytes(&packet);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(rustix::io::Errno::INVAL);
        }
        sendmsg(to, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL).map(drop)
    }

    /// The next packet; nothing if the other side is gone.
    pub(super) fn hear(from: impl AsFd) -> Result<Option<(Self, Vec<OwnedFd>)>, Fault> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let buffers = &mut [std::io::IoSliceMut::new(&mut bytes)];
        let received = recvmsg(from, buffers, &mut control, RecvFlags::CMSG_CLOEXEC).step("hear from inside")?.bytes;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        let bytes = bytes.get(..received).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let packet: Packet = crate::wire::Wire::from_bytes(bytes).step("hear from inside")?;
        let small = |number: u64| u32::try_from(number).unwrap_or(0);
        let word = match packet.letter {
            b'F' => Self::Forked,
            b'L' => Self::Bound(small(packet.first)),
            b'E' => Self::Ended(small(packet.first).cast_signed(), packet.second, packet.third),
            _ => Self::Failed(Fault { step: packet.step, why: packet.why }),
        };
        Ok(Some((word, descriptors)))
    }
}

/// A sandbox that exists. Dropping it ends everything in it.
pub(super) struct Sandbox {
    pub(super) init: Pid,
    pub(super) handle: OwnedFd,
    pub(super) inside: OwnedFd,
    pub(super) groups: groups::Made,
    /// Whether, at its end, the kernel had killed something for its memory.
    pub(super) oom: bool,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}

impl Sandbox {
    /// Ends every process inside and waits until all are gone. The init is process 1 of its namespace: when it dies
    /// the kernel kills the others, and it cannot be waited for before they are gone.
    pub(super) fn end(&mut self) {
        self.groups.kill();
        let _ = rustix::process::pidfd_send_signal(&self.handle, rustix::process::Signal::KILL);
        while sys::wait_for_child().is_some() {}
        self.groups.remove();
        self.oom |= self.groups.out_of_memory();
    }
}

/// A run that is over.
pub(super) struct Over {
    pub(super) ending: Ending,
    /// The open folders of what was written.
    pub(super) written: Vec<OwnedFd>,
    /// Holds the mounts of the view, in which nobody is any more. To take them down takes a while, which need not be
    /// anybody's but the launcher's: it drops this last.
    pub(super) _mounts: OwnedFd,
}

/// Makes the sandbox, runs the program, and comes back when nothing of it runs any more.
pub(super) fn run(plan: &Plan, stdin: Option<OwnedFd>, supervisor: BorrowedFd<'_>) -> Result<Over, Fault> {
    let root = getuid().is_root();
    let id = if root { RUN_IDS + std::process::id() } else { getuid().as_raw() };
    let group_id = if root { id } else { rustix::process::getgid().as_raw() };
    if id == 0 || group_id == 0 {
        return Err(Fault::new("identity", "the root group or user of the host is never mapped"));
    }
    if root {
        rustix::thread::set_thread_groups(&[]).step("groups of the launcher")?;
    }
    let own = match plan.program {
        Program::Named => None,
        Program::Own => Some(mounts::own_program()?),
    };
    if plan.terminal {
        terminal::of_host(stdin.as_ref())?;
    }
    let mut made = groups::make(plan)?;
    // As root, what the init could not reach is opened here, before it exists.
    let sources = if root { Some(mounts::open_all(plan)?) } else { None };

    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).step("socket pair")?;
    let pipe = || pipe_with(PipeFlags::CLOEXEC).step("pipe");
    let ((out, out_inside), (err, err_inside)) = (pipe()?, pipe()?);
    let (stdin_inside, stdin_pipe) = match stdin {
        Some(_) => {
            let (read, write) = pipe()?;
            (Some(read), Some(write))
        }
        None => (None, None),
    };

    let started = std::time::Instant::now();
    let (init, handle) = match sys::fork(namespaces(plan), made.unified_folder()).step("clone")? {
        Side::Child => {
            drop((ours, out, err, stdin, stdin_pipe));
            let ends = inside::Ends {
                launcher: theirs,
                stdin: stdin_inside,
                stdout: out_inside,
                stderr: err_inside,
                terminal: None,
                own,
            };
            inside::main(plan, ends, made.entrance(), sources)
        }
        Side::Parent { pid, handle } => (pid, handle),
    };
    drop((theirs, out_inside, err_inside, stdin_inside, own));
    let mut sandbox = Sandbox { init, handle, inside: ours, groups: made, oom: false };
    let mut mapper = owners::Mapper::new(id, group_id);
    if let Some(sources) = sources {
        // The init has the same mounts open, and does not use them yet.
        sources.map(&mut mapper)?;
    }
    owners::map_identity(init, (INSIDE_ID, id), (INSIDE_ID, group_id))?;
    go(&sandbox.inside)?;

    mapper.wait();
    let ours = Namespaces::own().step("read back")?;
    let Begun { terminal, written, landlock, surroundings } = until_bound(&sandbox, plan, &ours)?;
    let mounts = surroundings.mounts().step("hold the mounts")?;
    let got = ReadBack::of(surroundings, plan, landlock, sandbox.groups.names()).step("read back")?;
    if let Some(why) = got.shortfall(plan) {
        return Err(Fault::new("read back", why));
    }
    send(supervisor, &Answer::Started(Box::new(got)), &[]).step("report")?;
    let (lent, out, stdin_pipe) = match terminal {
        Some(inside) => {
            let lent = Lent::new(terminal::of_host(stdin.as_ref())?, &inside)?;
            (Some(lent), inside.try_clone().step("terminal")?, Some(inside))
        }
        None => (None, out, stdin_pipe),
    };
    go(&sandbox.inside)?;
    let streams = watch::Streams { supervisor, out, err, stdin: stdin.zip(stdin_pipe), lent };
    let ending = watch::watch(plan, &mut sandbox, streams, started)?;
    Ok(Over { ending, written, _mounts: mounts })
}

/// Lets the other side go on.
pub(super) fn go(inside: impl AsFd) -> Result<(), Fault> {
    rustix::net::send(inside, b"G", SendFlags::NOSIGNAL).step("let go").map(drop)
}

/// Waits for [`go`]; an error if the launcher is gone.
pub(super) fn await_go(launcher: impl AsFd) -> Result<(), Fault> {
    let mut letter = [0; 1];
    let (received, _) = rustix::net::recv(launcher, &mut letter, RecvFlags::empty()).step("wait")?;
    if received == 1 && letter == *b"G" { Ok(()) } else { Err(Fault::new("wait", "the launcher is gone")) }
}

/// All but the network's, which takes longest to make: the init does, meanwhile.
fn namespaces(plan: &Plan) -> i32 {
    let mut flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP | libc::CLONE_NEWPID;
    for (layer, flag) in [(Layer::Ipc, libc::CLONE_NEWIPC), (Layer::HostName, libc::CLONE_NEWUTS)] {
        if plan.has(layer) {
            flags |= flag;
        }
    }
    if !plan.has(Layer::Processes) {
        flags &= !libc::CLONE_NEWPID;
    }
    flags
}

/// What is there when the program's process is bound.
struct Begun {
    /// The launcher's side of the program's terminal.
    terminal: Option<OwnedFd>,
    written: Vec<OwnedFd>,
    landlock: u32,
    surroundings: Surroundings,
}

/// Follows the start up to the point where the program's process is bound. While that binds itself, where it is is read
/// back.
fn until_bound(sandbox: &Sandbox, plan: &Plan, ours: &Namespaces) -> Result<Begun, Fault> {
    let (mut terminal, mut written, mut program, mut bound) = (None, Vec::new(), None, None);
    loop {
        // Init and program each speak for themselves, so that either may be first.
        match Word::hear(&sandbox.inside)? {
            Some((Word::Forked, handles)) => {
                let mut handles = handles.into_iter();
                let handle = handles.next().ok_or_else(|| Fault::new("start", "no handle came"))?;
                if plan.terminal {
                    terminal = Some(handles.next().ok_or_else(|| Fault::new("start", "no terminal came"))?);
                }
                written = handles.collect();
                let number = number_of(&handle)?;
                if !sandbox.groups.hold(number).step("read back")? {
                    return Err(Fault::new("read back", "it is not in its control groups"));
                }
                program = Some((Surroundings::of(number, ours).step("read back")?, handle));
            }
            Some((Word::Bound(landlock), _)) => bound = Some(landlock),
            Some((Word::Failed(fault), _)) => return Err(fault),
            Some((Word::Ended(..), _)) | None => return Err(Fault::new("start", "the init is gone")),
        }
        program = match (program, bound) {
            (Some((surroundings, _)), Some(landlock)) => {
                let landlock = if plan.has(Layer::Landlock) { landlock } else { 0 };
                return Ok(Begun { terminal, written, landlock, surroundings });
            }
            (program, _) => program,
        };
    }
}

/// The number, out here, of the process that `handle` leads to.
fn number_of(handle: &OwnedFd) -> Result<i32, Fault> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fdinfo/{}", handle.as_raw_fd());
    let info = std::fs::read_to_string(path).step("find the program's process")?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| Fault::new("find the program's process", "it is gone"))
}
