//! Watching over a run: output within its cap, the deadline, memory where the kernel does not hold it, and the end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::count;
use super::start::{Sandbox, Word};
use super::terminal::{FOLLOW_EVERY, Lent};
use crate::ending::{Ending, Exit, Fault, Limited, Usage};
use crate::plan::{Ground, Layer};
use crate::profile::MemoryBy;

/// What a pipe takes without blocking once it is writable.
const CHUNK: usize = 4096;

/// The launcher's ends of everything.
pub(super) struct Streams<'a> {
    pub(super) supervisor: BorrowedFd<'a>,
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    /// Where input comes from, and the program's end of it.
    pub(super) stdin: Option<(OwnedFd, OwnedFd)>,
    /// The host's terminal, until the watch is over.
    pub(super) lent: Option<Lent>,
}

/// One direction of data.
struct Flow {
    from: Option<OwnedFd>,
    to: Sink,
    waiting: Vec<u8>,
    passed: u64,
}

enum Sink {
    StandardOutput,
    StandardError,
    Pipe(OwnedFd),
    /// It has been closed, since nothing will come any more or nobody wants it.
    Closed,
}

impl Flow {
    fn new(from: OwnedFd, to: Sink) -> Self {
        Self { from: Some(from), to, waiting: Vec::new(), passed: 0 }
    }

    /// Whether there is nothing more to read and nothing left to hand on.
    fn is_done(&self) -> bool {
        self.from.is_none() && self.waiting.is_empty()
    }

    /// Reads when there is room, never more than `allowed`; `false` if the source wants to go above that.
    fn read(&mut self, allowed: u64) -> bool {
        let Some(from) = &self.from else { return true };
        let mut buffer = [0; CHUNK];
        match rustix::io::read(from, &mut buffer) {
            Ok(0) => self.from = None,
            Ok(count) => {
                let within = usize::try_from(allowed).unwrap_or(usize::MAX).min(count);
                self.waiting.extend(buffer.get(..within).unwrap_or_default());
                return within == count;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.from = None,
        }
        true
    }

    fn write(&mut self) {
        let written = match &self.to {
            Sink::StandardOutput => rustix::io::write(rustix::stdio::stdout(), &self.waiting),
            Sink::StandardError => rustix::io::write(rustix::stdio::stderr(), &self.waiting),
            Sink::Pipe(pipe) => rustix::io::write(pipe, &self.waiting),
            Sink::Closed => Ok(self.waiting.len()),
        };
        match written {
            Ok(count) => {
                self.waiting.drain(..count.min(self.waiting.len()));
                self.passed = self.passed.saturating_add(u64::try_from(count).unwrap_or(0));
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody takes it any more. Output that comes is read and thrown away, so that the program does not hang;
            // of input nothing more is taken.
            Err(_) => {
                self.waiting.clear();
                if matches!(self.to, Sink::Pipe(_)) {
                    self.from = None;
                }
            }
        }
    }
}

/// How the program itself ended, as the init says.
struct Told {
    status: i32,
    cpu_micros: u64,
    peak_kib: u64,
}

/// Watches until everything has ended, `wall` seconds after `started` at the latest, and says how.
pub(super) fn watch(
    plan: &Ground,
    wall: u64,
    sandbox: &mut Sandbox,
    streams: Streams<'_>,
    started: Instant,
) -> Result<Ending, Fault> {
    let supervisor = streams.supervisor;
    let mut flows = vec![Flow::new(streams.out, Sink::StandardOutput), Flow::new(streams.err, Sink::StandardError)];
    if let Some((from, to)) = streams.stdin {
        flows.push(Flow::new(from, Sink::Pipe(to)));
    }
    let deadline = Some(Duration::from_secs(wall)).filter(|_| plan.has(Layer::Deadline));
    let deadline = deadline.and_then(|wall| started.checked_add(wall));
    let mut next_count = (plan.limits.memory_by == MemoryBy::Watched).then_some(started);
    let mut cpu = Processors::new(plan, started);
    let mut next_look = streams.lent.as_ref().map(|_| started);
    let mut told = None;
    let mut cut: Option<Exit> = None;
    let mut alive = true;
    // Whether anybody inside can still say something.
    let mut speaks = true;
    // While anything lives, and then until all that it wrote is handed on. Input never holds the end up.
    while alive || flows.iter().take(2).any(|flow| !flow.is_done()) {
        let now = Instant::now();
        if next_count.is_some_and(|due| alive && due <= now) {
            let over = count::memory(sandbox.init.as_raw_nonzero().get()) > plan.limits.memory;
            next_count = Some(now + count::pause(now.elapsed()));
            if over {
                cut.get_or_insert(Exit::OutOfMemory);
            }
        }
        if alive && plan.has(Layer::Limits) && cpu.due <= now && cpu.are_used_up(sandbox, now) {
            cut.get_or_insert(Exit::Limit(Limited::Cpu));
        }
        if let Some(lent) = streams.lent.as_ref().filter(|_| next_look.is_some_and(|due| alive && due <= now)) {
            lent.follow();
            next_look = Some(now + FOLLOW_EVERY);
        }
        // After the end, whoever reads the output has until the deadline, too.
        if deadline.is_some_and(|deadline| deadline <= now) {
            if !alive {
                break;
            }
            cut.get_or_insert(Exit::TimedOut);
        }
        if alive && cut.is_some() {
            sandbox.end();
            alive = false;
            continue;
        }
        let while_alive = [next_count, Some(cpu.due), next_look].into_iter().flatten().filter(|_| alive);
        let until = deadline.into_iter().chain(while_alive).min();
        let ready = wait(
            supervisor,
            sandbox,
            &flows,
            (alive, speaks),
            until.map(|until| until.saturating_duration_since(now)),
        )?;
        if ready.supervisor {
            cut.get_or_insert(Exit::Cancelled);
            if !alive {
                break;
            }
        }
        if ready.inside {
            match Word::hear(&sandbox.inside)? {
                Some((Word::Ended(status, cpu_micros, peak_kib), _)) => {
                    told = Some(Told { status, cpu_micros, peak_kib })
                }
                Some((Word::Failed(fault), _)) => cut = Some(Exit::Refused(fault)),
                Some(_) => {}
                None => speaks = false,
            }
        }
        if ready.init {
            // The init has ended, and so everything inside.
            sandbox.end();
            alive = false;
            // Anything it said before that is still to be heard.
            while told.is_none() && cut.is_none() {
                match Word::hear(&sandbox.inside)? {
                    Some((Word::Ended(status, cpu_micros, peak_kib), _)) => {
                        told = Some(Told { status, cpu_micros, peak_kib });
                    }
                    Some((Word::Failed(fault), _)) => cut = Some(Exit::Refused(fault)),
                    Some(_) => {}
                    None => break,
                }
            }
        }
        pass(plan, &mut flows, &ready.flows, &mut cut);
    }
    let count = |index: usize| flows.get(index).map_or(0, |flow| flow.passed);
    let usage = Usage {
        wall_millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cpu_micros: told.as_ref().map_or(0, |told| told.cpu_micros).max(cpu.used(sandbox)),
        peak_kib: told.as_ref().map_or(0, |told| told.peak_kib),
        stdout: count(0),
        stderr: count(1),
    };
    let oom = sandbox.oom;
    Ok(Ending { exit: verdict(plan, told.as_ref(), cut, oom), usage })
}

/// Processor time of the whole tree, against its limit.
struct Processors {
    limit: u64,
    how_many: usize,
    /// When to look again.
    due: Instant,
    seen: u64,
}

impl Processors {
    fn new(plan: &Ground, started: Instant) -> Self {
        let limit = plan.limits.cpu.saturating_mul(1_000_000);
        // Of a quota that a control group sets, the tree may use more for a while.
        let how_many = std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(2);
        Self { limit, how_many, due: started + count::pause_for(limit, how_many, Duration::ZERO), seen: 0 }
    }

    /// What was used so far, as the group says; or, where there is none, as far as somebody counted.
    fn used(&self, sandbox: &Sandbox) -> u64 {
        sandbox.groups.cpu_micros().unwrap_or(self.seen)
    }

    /// Looks. For a time that is so short that it cannot be used up, there is no need to look again.
    fn are_used_up(&mut self, sandbox: &Sandbox, now: Instant) -> bool {
        let count = || count::cpu_micros(sandbox.init.as_raw_nonzero().get());
        self.seen = sandbox.groups.cpu_micros().unwrap_or_else(count).max(self.seen);
        let left = self.limit.saturating_sub(self.seen);
        self.due = now + count::pause_for(left, self.how_many, now.elapsed());
        left == 0
    }
}

/// Moves what is ready, and notes when the program wants to write more than it may.
fn pass(plan: &Ground, flows: &mut [Flow], ready: &[(bool, bool)], cut: &mut Option<Exit>) {
    for index in 0..flows.len() {
        let Some((readable, writable)) = ready.get(index).copied() else { continue };
        let so_far: u64 =
            flows.iter().take(2).map(|flow| flow.passed + u64::try_from(flow.waiting.len()).unwrap_or(0)).sum();
        let Some(flow) = flows.get_mut(index) else { continue };
        if writable {
            flow.write();
        }
        if readable {
            let output = index < 2 && plan.has(Layer::OutputCap);
            let allowed = if output { plan.limits.output.saturating_sub(so_far) } else { u64::MAX };
            if !flow.read(allowed) {
                cut.get_or_insert(Exit::OutputCap);
            }
        }
        // A program that has read all its input sees its end.
        if index == 2 && flow.is_done() {
            flow.to = Sink::Closed;
        }
    }
}

struct Ready {
    supervisor: bool,
    inside: bool,
    init: bool,
    flows: Vec<(bool, bool)>,
}

/// Waits for the next thing to do.
fn wait(
    supervisor: BorrowedFd<'_>,
    sandbox: &Sandbox,
    flows: &[Flow],
    (alive, speaks): (bool, bool),
    most: Option<Duration>,
) -> Result<Ready, Fault> {
    enum Of {
        Supervisor,
        Inside,
        Init,
        Read(usize),
        Write(usize),
    }
    let mut list = vec![PollFd::from_borrowed_fd(supervisor, PollFlags::RDHUP | PollFlags::IN)];
    let mut of = vec![Of::Supervisor];
    if alive && speaks {
        list.push(PollFd::new(&sandbox.inside, PollFlags::IN));
        of.push(Of::Inside);
    }
    if alive {
        list.push(PollFd::new(&sandbox.handle, PollFlags::IN));
        of.push(Of::Init);
    }
    for (index, flow) in flows.iter().enumerate() {
        if let Some(from) = flow.from.as_ref().filter(|_| flow.waiting.is_empty()) {
            list.push(PollFd::new(from, PollFlags::IN));
            of.push(Of::Read(index));
        }
        if !flow.waiting.is_empty() {
            let to = match &flow.to {
                Sink::StandardOutput => rustix::stdio::stdout(),
                Sink::StandardError => rustix::stdio::stderr(),
                Sink::Pipe(pipe) => pipe.as_fd(),
                Sink::Closed => continue,
            };
            list.push(PollFd::from_borrowed_fd(to, PollFlags::OUT));
            of.push(Of::Write(index));
        }
    }
    let most = most.map(|most| Timespec {
        tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: most.subsec_nanos().into(),
    });
    match poll(&mut list, most.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(Fault::new("wait", error)),
    }
    let mut ready =
        Ready { supervisor: false, inside: false, init: false, flows: flows.iter().map(|_| (false, false)).collect() };
    for (what, poll) in of.iter().zip(&list) {
        if poll.revents().is_empty() {
            continue;
        }
        match what {
            Of::Supervisor => ready.supervisor = true,
            // Its end of the stream says nothing: the init's own end does.
            Of::Inside => ready.inside = poll.revents().contains(PollFlags::IN),
            Of::Init => ready.init = true,
            Of::Read(index) => {
                if let Some((readable, _)) = ready.flows.get_mut(*index) {
                    *readable = true;
                }
            }
            Of::Write(index) => {
                if let Some((_, writable)) = ready.flows.get_mut(*index) {
                    *writable = true;
                }
            }
        }
    }
    Ok(ready)
}

/// What it all means. Who cut the run short goes before how its program then died.
fn verdict(plan: &Ground, told: Option<&Told>, cut: Option<Exit>, out_of_memory: bool) -> Exit {
    if out_of_memory && !matches!(cut, Some(Exit::Refused(_))) {
        return Exit::OutOfMemory;
    }
    if let Some(cut) = cut {
        return cut;
    }
    let Some(told) = told else { return Exit::Signal(libc::SIGKILL) };
    if libc::WIFEXITED(told.status) {
        return Exit::Code(libc::WEXITSTATUS(told.status));
    }
    match libc::WTERMSIG(told.status) {
        libc::SIGXCPU => Exit::Limit(Limited::Cpu),
        libc::SIGKILL if told.cpu_micros >= plan.limits.cpu.saturating_mul(1_000_000) => Exit::Limit(Limited::Cpu),
        libc::SIGXFSZ => Exit::Limit(Limited::FileSize),
        libc::SIGSYS => Exit::Limit(Limited::SystemCall),
        signal => Exit::Signal(signal),
    }
}
