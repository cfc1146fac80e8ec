//! From a plan to a running program: the launcher's side.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, Uid, getuid};

use super::mounts::{self, Sources};
use super::terminal::{self, Lent};
use super::{groups, handed, inside, owners, watch};
use crate::ending::{Ending, Fault, Step};
use crate::message::{Answer, Order, receive, send};
use crate::plan::{Errand, Ground, Layer, Program};
use crate::readback::{Namespaces, ReadBack, Surroundings};
use crate::sys::{self, Side};

/// The user and group that the program is inside.
pub(super) const INSIDE_ID: u32 = 1000;

/// As root, every run is a user of its own outside: this, and the launcher's process number, which no other launcher
/// has at the same time. No system gives out ids up here.
const RUN_IDS: u32 = 0x7000_0000;

/// What init and program tell the launcher, each as one packet: a letter, and what belongs to it.
pub(super) enum Word {
    /// The init: the ground is laid, and the program's process exists. With it comes a handle to that.
    Laid,
    /// The program's process: it stands apart from all others, without capabilities, and is where it will be.
    Apart,
    /// The init: the view is built, and nothing but the view is left. With it come the launcher's side of the terminal,
    /// if there is one, and the open folders of what will be written.
    Built,
    /// The program's process: it is bound and waits. Landlock's version, if it was seen to hold.
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
            Self::Laid => plain(b'G', 0, 0, 0),
            Self::Apart => plain(b'A', 0, 0, 0),
            Self::Built => plain(b'V', 0, 0, 0),
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
            b'G' => Self::Laid,
            b'A' => Self::Apart,
            b'V' => Self::Built,
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

/// A sandbox that is being made ready, or is, and in which nothing has run yet.
pub(super) struct Prepared<'a> {
    ground: &'a Ground,
    sandbox: Sandbox,
    to_init: OwnedFd,
    to_program: OwnedFd,
    /// The run's user and group, outside.
    identity: (u32, u32),
    /// Whether it was ready before there was an errand.
    stood_by: bool,
    heard: Heard,
}

/// How long whoever failed inside may take to say so.
const MOST_TO_END: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What has been heard from inside so far.
#[derive(Default)]
struct Heard {
    /// The program's process.
    laid: Option<OwnedFd>,
    apart: bool,
    /// What came with the word.
    built: Option<Vec<OwnedFd>>,
    bound: Option<u32>,
}

/// Begins to make everything ready that does not depend on what will run. Whatever fails from here on, inside or out,
/// ends all of it.
pub(super) fn prepare(ground: &Ground) -> Result<Prepared<'_>, Fault> {
    let root = getuid().is_root();
    let id = if root { RUN_IDS + std::process::id() } else { getuid().as_raw() };
    let group_id = if root { id } else { rustix::process::getgid().as_raw() };
    if id == 0 || group_id == 0 {
        return Err(Fault::new("identity", "the root group or user of the host is never mapped"));
    }
    if root {
        rustix::thread::set_thread_groups(&[]).step("groups of the launcher")?;
    }
    let mut made = groups::make(ground)?;
    let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).step("socket pair");
    let (ours, says) = pair(SocketType::SEQPACKET)?;
    let (to_init, hears) = pair(SocketType::STREAM)?;
    let (to_program, program_hears) = pair(SocketType::STREAM)?;
    let (init, handle) = match sys::fork(namespaces(ground), made.unified_folder()).step("clone")? {
        Side::Child => {
            drop((ours, to_init, to_program));
            inside::main(ground, inside::Ends { says, hears, program_hears }, made.entrance(), root)
        }
        Side::Parent { pid, handle } => (pid, handle),
    };
    drop((says, hears, program_hears));
    let sandbox = Sandbox { init, handle, inside: ours, groups: made, oom: false };
    owners::map_identity(init, (INSIDE_ID, id), (INSIDE_ID, group_id))?;
    go(&to_init)?;
    if root {
        // What the init could not reach.
        handed::hand(&to_init, &Sources::open(ground, &ground.mounts, &mounts::DEVICES)?)?;
    }
    let (identity, heard) = ((id, group_id), Heard::default());
    Ok(Prepared { ground, sandbox, to_init, to_program, identity, stood_by: false, heard })
}

impl Prepared<'_> {
    /// Waits until nothing is left to be made ready. The control groups that hold it.
    pub(super) fn ready(&mut self) -> Result<Vec<String>, Fault> {
        self.hear_until(|heard| heard.laid.is_some() && heard.apart)?;
        self.stood_by = true;
        Ok(self.sandbox.groups.names())
    }

    /// Waits for the errand; nothing if the supervisor has none any more.
    pub(super) fn errand(&self, supervisor: BorrowedFd<'_>) -> Result<Option<(Errand, Vec<OwnedFd>)>, Fault> {
        let inside = [&self.sandbox.inside, &self.sandbox.handle].into_iter().chain(&self.heard.laid);
        let list = std::iter::once(supervisor).chain(inside.map(AsFd::as_fd));
        let mut list: Vec<PollFd<'_>> = list.map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN)).collect();
        while poll(&mut list, None) == Err(Errno::INTR) {}
        if list.iter().skip(1).any(|inside| !inside.revents().is_empty()) {
            return Err(Fault::new("stand by", "something inside has ended"));
        }
        match receive::<Order>(supervisor).step("order")? {
            Some((Order::Launch(errand), streams)) => Ok(Some((*errand, streams))),
            Some(_) => Err(Fault::new("order", "another than an errand")),
            None => Ok(None),
        }
    }

    /// Runs the errand, and comes back when nothing of it runs any more. Output goes to this process's own; `stdin` is
    /// what the program may read.
    pub(super) fn launch(
        mut self,
        errand: &Errand,
        stdin: Option<OwnedFd>,
        supervisor: BorrowedFd<'_>,
        started: Instant,
    ) -> Result<Over, Fault> {
        let own = match errand.program {
            Program::Named => None,
            Program::Own => Some(mounts::own_program()?),
        };
        if errand.terminal {
            terminal::of_host(stdin.as_ref())?;
        }
        let pipe = || pipe_with(PipeFlags::CLOEXEC).step("pipe");
        let ((out, out_inside), (err, err_inside)) = (pipe()?, pipe()?);
        let (stdin_inside, stdin_pipe) = stdin.as_ref().map(|_| pipe()).transpose()?.unzip();
        for end in [&out, &err].into_iter().chain(&stdin_pipe) {
            // The program can open its streams the other way round and take back what it wrote, or fill what it reads: it
            // must not be able to make the watch wait where it was told that it would not have to.
            rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::NONBLOCK).step("pipe")?;
        }
        if getuid().is_root() {
            let (user, group) = (Uid::from_raw(self.identity.0), Gid::from_raw(self.identity.1));
            // What it has open it may open again, as `/dev/stderr`.
            for end in [&out_inside, &err_inside].into_iter().chain(&stdin_inside) {
                rustix::fs::fchown(end, Some(user), Some(group)).step("pipe")?;
            }
        }
        let own = own.as_ref().map(AsFd::as_fd);
        send(&self.to_init, errand, own.as_slice()).step("tell the errand").map_err(|fault| self.why(fault))?;
        let streams = [out_inside.as_fd(), err_inside.as_fd()].into_iter().chain(stdin_inside.iter().map(AsFd::as_fd));
        let theirs: Vec<BorrowedFd<'_>> = own.into_iter().chain(streams).collect();
        send(&self.to_program, errand, &theirs).step("tell the errand").map_err(|fault| self.why(fault))?;
        drop((out_inside, err_inside, stdin_inside));
        let mut mapper = owners::Mapper::new(self.identity.0, self.identity.1);
        if getuid().is_root() {
            let sources = Sources::open(self.ground, &errand.mounts, inside::devices(errand))?;
            sources.map(&mut mapper)?;
            handed::hand(&self.to_init, &sources)?;
        }

        let Begun { got, mounts, terminal, written } = self.read_back(errand)?;
        send(supervisor, &Answer::Started(Box::new(got)), &[]).step("report")?;
        let (lent, out, stdin_pipe) = match terminal {
            Some(inside) => {
                let lent = Lent::new(terminal::of_host(stdin.as_ref())?, &inside)?;
                (Some(lent), inside.try_clone().step("terminal")?, Some(inside))
            }
            None => (None, out, stdin_pipe),
        };
        go(&self.to_program)?;
        mapper.wait();
        let streams = watch::Streams { supervisor, out, err, stdin: stdin.zip(stdin_pipe), lent };
        let ending = watch::watch(self.ground, errand.wall, &mut self.sandbox, streams, started)?;
        Ok(Over { ending, written, _mounts: mounts })
    }

    /// Follows the start up to the point where the program's process is bound, and reads back what it got. Where it is
    /// is read while the rest is still under way: it cannot go anywhere else any more.
    fn read_back(&mut self, errand: &Errand) -> Result<Begun, Fault> {
        self.hear_until(|heard| heard.laid.is_some() && heard.apart)?;
        let gone = || Fault::new("read back", "something was not heard");
        let handle = self.heard.laid.take().ok_or_else(gone)?;
        let (surroundings, mounts) = self.located(&handle).map_err(|fault| self.why(fault))?;
        self.hear_until(|heard| heard.built.is_some() && heard.bound.is_some())?;
        let mut kept = self.heard.built.take().ok_or_else(gone)?.into_iter();
        let terminal = if errand.terminal { Some(kept.next().ok_or_else(gone)?) } else { None };
        let landlock = self.heard.bound.filter(|_| self.ground.has(Layer::Landlock)).unwrap_or(0);
        let groups = self.sandbox.groups.names();
        let got = ReadBack::of(surroundings, self.ground, landlock, groups, self.stood_by).step("read back")?;
        match got.shortfall(self.ground) {
            Some(why) => Err(Fault::new("read back", why)),
            None => Ok(Begun { got, mounts, terminal, written: kept.collect() }),
        }
    }

    /// Where the program's process is, and the mounts that it sees.
    fn located(&self, handle: &OwnedFd) -> Result<(Surroundings, OwnedFd), Fault> {
        let ours = Namespaces::own().step("read back")?;
        let number = number_of(handle)?;
        if !self.sandbox.groups.hold(number).step("read back")? {
            return Err(Fault::new("read back", "it is not in its control groups"));
        }
        let surroundings = Surroundings::of(number, &ours).step("read back")?;
        let mounts = surroundings.mounts().step("hold the mounts")?;
        Ok((surroundings, mounts))
    }

    /// Why somebody inside is gone: what was said last, if anything was, while whoever failed first ends.
    fn why(&self, otherwise: Fault) -> Fault {
        let mut inside = [PollFd::new(&self.sandbox.inside, PollFlags::IN)];
        while poll(&mut inside, Some(&MOST_TO_END)) == Ok(1) {
            match Word::hear(&self.sandbox.inside) {
                Ok(Some((Word::Failed(fault), _))) => return fault,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        otherwise
    }

    /// Listens to all inside, who each speak for themselves, so that any may be first.
    fn hear_until(&mut self, enough: impl Fn(&Heard) -> bool) -> Result<(), Fault> {
        let heard = &mut self.heard;
        while !enough(heard) {
            match Word::hear(&self.sandbox.inside)? {
                Some((Word::Laid, handles)) => {
                    let handle = handles.into_iter().next();
                    heard.laid = Some(handle.ok_or_else(|| Fault::new("start", "no handle came"))?);
                }
                Some((Word::Apart, _)) => heard.apart = true,
                Some((Word::Built, kept)) => heard.built = Some(kept),
                Some((Word::Bound(landlock), _)) => heard.bound = Some(landlock),
                Some((Word::Failed(fault), _)) => return Err(fault),
                Some((Word::Ended(..), _)) | None => return Err(Fault::new("start", "the init is gone")),
            }
        }
        Ok(())
    }
}

/// What is there when the program's process is bound.
struct Begun {
    got: ReadBack,
    mounts: OwnedFd,
    /// The launcher's side of the program's terminal.
    terminal: Option<OwnedFd>,
    written: Vec<OwnedFd>,
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

/// All but the network's, which takes longest to make: the program's process does, meanwhile; and that of control groups,
/// which begins where the init is once it is in one.
fn namespaces(ground: &Ground) -> i32 {
    let mut flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    for (layer, flag) in [(Layer::Ipc, libc::CLONE_NEWIPC), (Layer::HostName, libc::CLONE_NEWUTS)] {
        if ground.has(layer) {
            flags |= flag;
        }
    }
    if !ground.has(Layer::Processes) {
        flags &= !libc::CLONE_NEWPID;
    }
    flags
}

/// The number, out here, of the process that `handle` leads to.
fn number_of(handle: &OwnedFd) -> Result<i32, Fault> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fdinfo/{}", handle.as_raw_fd());
    let info = std::fs::read_to_string(path).step("find the program's process")?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| Fault::new("find the program's process", "it is gone"))
}
