//! A sandbox that is made ready before anybody knows what will run in it.
//!
//! Ready is what follows from profile and host alone: process, namespaces, identity, control group, and the view but for
//! what is looked for on the host when the launch comes ([`Ground`]). It serves one run. Dropping it ends it, as does
//! the end of whoever holds it, and nothing is left.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, readlinkat, statat};

use crate::message::{Answer, Order, receive, send};
use crate::plan::{Errand, Ground, Plan};
use crate::profile::Access;
use crate::run::{Ends, LaunchError, Launcher, Running, Streams};

/// A sandbox that waits for what it is to run.
#[derive(Debug)]
pub struct Standby {
    running: Running,
    ground: Ground,
    seen: Seen,
}

/// Why a [`Standby`] cannot run a plan. Another can, or a launch that begins from nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It was made ready for another profile, or on another host.
    #[error("the sandbox was made ready for another ground than the plan's")]
    OtherGround,
    /// Something was mounted or unmounted on the host since.
    #[error("the host's mounts have changed since the sandbox was made ready")]
    MountsChanged,
    /// What it shows of the system is not what stands there now.
    #[error("`{0}` is another than when the sandbox was made ready")]
    PlaceChanged(PathBuf),
    /// It has ended.
    #[error("the sandbox that was ready has ended")]
    Ended,
    /// It could not be looked at.
    #[error("the sandbox that was ready cannot be looked at: {0}")]
    Unknown(#[from] io::Error),
}

/// A [`Standby`] and a plan that it can run.
#[derive(Debug)]
pub struct Fitting<'a> {
    running: Running,
    errand: &'a Errand,
}

impl Launcher {
    /// Makes a sandbox ready for whatever will run on `ground`, and waits until it is.
    ///
    /// # Errors
    /// If it cannot be made ready, for whatever reason.
    pub fn stand_by(&self, ground: &Ground) -> Result<Standby, LaunchError> {
        // Before anything of the host is looked at, so that no change after that goes unnoticed.
        let seen = Seen::now(ground)?;
        let order = Order::Prepare(Box::new(ground.clone()));
        let mut running = self.bear(&|socket| send(socket, &order, &[]))?;
        match receive::<Answer>(&running.socket)? {
            Some((Answer::Ready(groups), _)) => running.groups = groups,
            Some((Answer::Refused(fault), _)) => return Err(LaunchError::Refused(fault)),
            _ => return Err(LaunchError::Died),
        }
        Ok(Standby { running, ground: ground.clone(), seen })
    }
}

impl Standby {
    /// The launcher's process number.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// What it is ready for.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// This, for a plan that it can run: one on the very ground that it was made ready for, on a host that has not
    /// changed since in what it shows.
    ///
    /// # Errors
    /// Why it cannot; it has been ended then.
    pub fn fit(self, plan: &Plan) -> Result<Fitting<'_>, Unfit> {
        if self.ground != plan.ground {
            return Err(Unfit::OtherGround);
        }
        let mut word = [PollFd::new(&self.running.socket, PollFlags::IN | PollFlags::RDHUP)];
        // Whatever it says before it is told anything is that it has ended.
        if poll(&mut word, Some(&Timespec::default())).map_err(io::Error::from)? > 0 {
            return Err(Unfit::Ended);
        }
        self.seen.still()?;
        Ok(Fitting { running: self.running, errand: &plan.errand })
    }
}

impl Fitting<'_> {
    /// Starts the run. All that a launch from nothing checks is checked now.
    ///
    /// # Errors
    /// If the launcher cannot be spoken to. A launch that is refused is no error here: [`Running::wait`] says so.
    pub fn launch(self, streams: Streams) -> Result<Running, LaunchError> {
        let ends = Ends::open(streams)?;
        send(&self.running.socket, &Order::Launch(Box::new(self.errand.clone())), &ends.descriptors())?;
        Ok(self.running.with(self.errand, ends))
    }
}

/// What the host had when a sandbox was made ready.
#[derive(Debug)]
struct Seen {
    /// The list of mounts, which tells when it has changed since it was opened.
    mounts: File,
    places: Vec<(PathBuf, Option<Node>)>,
}

/// What makes two looks at one path looks at the same thing.
#[derive(Debug, PartialEq, Eq)]
struct Node {
    device: u64,
    number: u64,
    mode: u32,
    /// Where a link leads. Unlike all else it is copied, and its number may be given away again.
    target: Option<Vec<u8>>,
}

impl Seen {
    fn now(ground: &Ground) -> io::Result<Self> {
        let mounts = File::open("/proc/self/mountinfo")?;
        let shown = ground.mounts.iter().filter(|mount| mount.access != Access::Tmpfs);
        let places = shown.map(|mount| Ok((mount.path.clone(), node(&mount.path)?))).collect::<io::Result<_>>()?;
        Ok(Self { mounts, places })
    }

    fn still(&self) -> Result<(), Unfit> {
        let mut mounts = [PollFd::new(&self.mounts, PollFlags::PRI)];
        if poll(&mut mounts, Some(&Timespec::default())).map_err(io::Error::from)? > 0 {
            return Err(Unfit::MountsChanged);
        }
        for (path, before) in &self.places {
            if node(path)? != *before {
                return Err(Unfit::PlaceChanged(path.clone()));
            }
        }
        Ok(())
    }
}

/// What stands at `path`; nothing if nothing does.
fn node(path: &PathBuf) -> io::Result<Option<Node>> {
    use rustix::io::Errno;
    let found = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let link = rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::Symlink;
    let target = if link { Some(readlinkat(CWD, path, Vec::new())?.into_bytes()) } else { None };
    Ok(Some(Node { device: found.st_dev, number: found.st_ino, mode: found.st_mode, target }))
}
