//! Where runs are tried out: a workspace, a launcher as root or as an ordinary user, and what came of a run.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use callgate_sandbox::{
    Exit, Fitting, Host, Journals, Launcher, Plan, Profile, Profiles, ReadBack, Request, Running, Sink, Streams, Unfit,
    Usage, Written, compile,
};
use tempfile::TempDir;

/// Who starts the launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum As {
    /// Root, where the tests run as root.
    Root,
    /// An ordinary user.
    Unprivileged,
}

/// The ordinary user, where the tests run as root.
pub(crate) const SOMEBODY: u32 = 4242;

impl As {
    /// Both, as far as this machine lets us be them; a missing one shows, and fails where CI is set.
    pub(crate) fn both() -> Vec<Self> {
        if rustix::process::getuid().is_root() {
            return vec![Self::Root, Self::Unprivileged];
        }
        assert!(std::env::var_os("CI").is_none(), "CI must run as root, to try both");
        eprintln!("SKIPPED: as root, since the tests do not run as root");
        vec![Self::Unprivileged]
    }
}

/// A place to run things in.
pub(crate) struct Bench {
    pub(crate) who: As,
    pub(crate) launcher: Launcher,
    pub(crate) host: Host,
    /// The workspace, which belongs to whoever starts the launcher.
    pub(crate) workspace: PathBuf,
    /// A folder beside it, outside of every view.
    pub(crate) outside: PathBuf,
    profiles: Profiles,
    folder: TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: Exit,
    pub(crate) usage: Usage,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) got: Option<ReadBack>,
    pub(crate) written: Vec<Written>,
}

impl Bench {
    pub(crate) fn new(who: As) -> Self {
        // Not in the folder of the build, which an ordinary user may not be able to reach.
        let folder = tempfile::Builder::new().prefix("callgate-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let inside = |name: &str| folder.path().join(name);
        for (program, name) in [
            (env!("CARGO_BIN_EXE_callgate-launcher"), "launcher"),
            (env!("CARGO_BIN_EXE_callgate-attacker"), "attacker"),
        ] {
            copy_program(Path::new(program), &inside(name));
        }
        let root = rustix::process::getuid().is_root();
        let launcher = launcher(who, folder.path());
        let (workspace, outside, state) = (inside("work"), inside("outside"), inside("state"));
        for path in [&workspace, &outside, &state] {
            fs::create_dir(path).unwrap();
            if root && who == As::Unprivileged {
                chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
            }
        }
        let host = launcher.probe().unwrap();
        Self { who, launcher, host, workspace, outside, profiles: Profiles::default(), folder }
    }

    /// The folder that all of it lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where commits keep their journals: out of every view.
    pub(crate) fn journals(&self) -> Journals {
        Journals::at(self.folder.path().join("state/journals"))
    }

    /// Gives everything in the workspace to whoever starts the launcher.
    pub(crate) fn own_workspace(&self) {
        if self.who == As::Unprivileged && rustix::process::getuid().is_root() {
            give(&self.workspace);
        }
    }

    /// From here on launchers come from another mother, who inherits what is open now.
    pub(crate) fn renew_launcher(&mut self) {
        self.launcher = launcher(self.who, self.folder.path());
    }

    /// The attacking program, where everybody can read it.
    pub(crate) fn attacker(&self) -> PathBuf {
        self.folder.path().join("attacker")
    }

    /// A built-in profile; without control groups, the one that counts memory.
    pub(crate) fn profile(&self, name: &str) -> Profile {
        let watched = name == "workspace" && !self.host.has(callgate_sandbox::Part::MemoryGroup);
        self.profiles.get(if watched { "workspace-watched" } else { name }).unwrap().clone()
    }

    /// A built-in profile with some of it tightened.
    pub(crate) fn tighter(&self, name: &str, clauses: &str) -> Profile {
        let base = self.profile(name).name;
        let text = format!("[profile.tighter]\nextends = \"{base}\"\n{clauses}\n");
        Profiles::parse(&text).unwrap().get("tighter").unwrap().clone()
    }

    pub(crate) fn plan(&self, profile: &Profile, command: &[impl AsRef<Path>]) -> Plan {
        compile(profile, &self.request(command), &self.host).unwrap()
    }

    pub(crate) fn request(&self, command: &[impl AsRef<Path>]) -> Request {
        Request {
            command: command.iter().map(|word| word.as_ref().as_os_str().to_owned()).collect(),
            workspace: Some(self.workspace.clone()),
            environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
            ..Request::default()
        }
    }

    pub(crate) fn run(&self, profile: &str, command: &[impl AsRef<Path>]) -> Run {
        self.run_in(&self.profile(profile), command)
    }

    pub(crate) fn run_in(&self, profile: &Profile, command: &[impl AsRef<Path>]) -> Run {
        self.run_plan(&self.plan(profile, command))
    }

    pub(crate) fn run_plan(&self, plan: &Plan) -> Run {
        self.run_plan_for(plan, Duration::from_secs(600))
    }

    /// The same, and ended after `most`.
    pub(crate) fn run_plan_for(&self, plan: &Plan, most: Duration) -> Run {
        followed_for(self.launcher.launch(plan, piped()).unwrap(), most)
    }

    /// The plan, run in a sandbox that was made ready before.
    pub(crate) fn run_warm(&self, plan: &Plan) -> Run {
        followed(self.fitting(plan).launch(piped()).unwrap())
    }

    /// A sandbox that stands by for the plan. What other tests mount meanwhile makes one unfit, and another is taken.
    pub(crate) fn fitting<'a>(&self, plan: &'a Plan) -> Fitting<'a> {
        for _ in 0..100 {
            match self.launcher.stand_by(plan.ground()).unwrap().fit(plan) {
                Ok(fitting) => return fitting,
                Err(Unfit::MountsChanged) => {}
                Err(unfit) => panic!("{unfit}"),
            }
        }
        panic!("the mounts of this machine never stand still");
    }
}

/// No input, and output to be read.
pub(crate) fn piped() -> Streams {
    Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Pipe }
}

/// Follows a run to its end.
pub(crate) fn followed(running: Running) -> Run {
    followed_for(running, Duration::from_secs(600))
}

/// The same, and ends it after `most`.
pub(crate) fn followed_for(mut running: Running, most: Duration) -> Run {
    let read = |mut from: Box<dyn std::io::Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(Box::new(running.stdout().unwrap()));
    let stderr = read(Box::new(running.stderr().unwrap()));
    let canceller = running.canceller().unwrap();
    let (over, waits) = mpsc::channel::<()>();
    let patience = thread::spawn(move || {
        if waits.recv_timeout(most) == Err(mpsc::RecvTimeoutError::Timeout) {
            canceller.cancel();
        }
    });
    let finished = running.wait().unwrap();
    drop(over);
    patience.join().unwrap();
    Run {
        exit: finished.ending.exit,
        usage: finished.ending.usage,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        got: finished.got,
        written: finished.written,
    }
}

/// The launcher that lies in `folder`, started by `who`.
fn launcher(who: As, folder: &Path) -> Launcher {
    let launcher = folder.join("launcher");
    if who == As::Root || !rustix::process::getuid().is_root() {
        return Launcher::at(launcher, Vec::<OsString>::new());
    }
    let id = SOMEBODY.to_string();
    let words = ["--reuid", &id, "--regid", &id, "--clear-groups"].map(OsString::from);
    Launcher::at("/usr/bin/setpriv", words.into_iter().chain([launcher.into_os_string()]))
}

/// Copies a program by another process: were it open for writing here, a child that another thread forks at that moment
/// would have it open, too, and it could not be executed.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let status = std::process::Command::new("/usr/bin/install").arg("-m755").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Gives a path, and all that lies below it, to the ordinary user.
fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}
