//! The guest: its parts, and QEMU around it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::disk::{Disk, Survivors};
use crate::guest::Phase;
use crate::house::{CALLGATE, missing};
use crate::initramfs::Archive;
use crate::kernel::{self, BUSYBOX, Kernel, QEMU, Running};
use crate::nbd;
use crate::report::Report;

const MKFS: &str = "/sbin/mkfs.ext4";
const STRACE: &str = "/usr/bin/strace";
/// How long anything in the guest may take, where a processor is only imitated.
const PATIENCE: Duration = Duration::from_secs(180);

/// One machine at a time, whatever the number of test threads.
static TURN: Mutex<()> = Mutex::new(());

/// What the guest is made of.
pub(crate) struct Parts {
    _turn: MutexGuard<'static, ()>,
    folder: tempfile::TempDir,
    kernel: Kernel,
}

impl Parts {
    /// `None`, aloud, if this is no long run or something that it needs is not installed.
    pub(crate) fn collect() -> Option<Self> {
        if std::env::var_os("CALLGATE_LONG").is_none() {
            eprintln!("SKIPPED: cutting a guest's power is for the long run; set CALLGATE_LONG");
            return None;
        }
        for part in [QEMU, BUSYBOX, MKFS, STRACE] {
            if missing(part, Path::new(part).exists()) {
                return None;
            }
        }
        let kernel = Kernel::find("release");
        if missing("a kernel in target/guest (`.ci/guest release` puts it there)", kernel.is_some()) {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = Self { _turn: turn, folder: tempfile::tempdir().expect("a folder"), kernel: kernel? };
        fs::write(parts.path("initramfs"), parts.archive()).expect("writes");
        Some(parts)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn archive(&self) -> Vec<u8> {
        let mut archive = Archive::default();
        self.kernel.equip(&mut archive, &[]);
        for folder in ["tmp", "disk", "root"] {
            archive.folder(folder);
        }
        archive.file("init", 0o755, include_bytes!("init.sh"));
        archive.copy(&self.stripped(Path::new(CALLGATE)), "bin/callgate", 0o755);
        archive.copy(&self.stripped(&std::env::current_exe().expect("a path")), "bin/powercut", 0o755);
        archive.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart"), "gate", 0o644);
        // The one program that is not linked statically.
        archive.copy(Path::new(STRACE), "bin/strace", 0o755);
        let libraries = Command::new("ldd").arg(STRACE).output().expect("ldd runs").stdout;
        for library in String::from_utf8_lossy(&libraries).split_whitespace().filter(|word| word.starts_with('/')) {
            archive.copy(Path::new(library), library.trim_start_matches('/'), 0o755);
        }
        archive.finish()
    }

    /// The program without what only a debugger reads: the guest's memory is small.
    fn stripped(&self, program: &Path) -> PathBuf {
        let stripped = self.path("stripped");
        kernel::strip(program, &stripped);
        stripped
    }
}

/// A machine with a disk.
pub(crate) struct Machine<'a> {
    parts: &'a Parts,
    disk: Arc<Mutex<Disk>>,
    /// The last checkpoint that the guest published.
    checkpoint: Option<String>,
}

/// When the power is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// At this write or flush after the machine was started.
    FromStart(u64),
    /// At this write or flush after the guest said that it was ready.
    WhenReady(u64),
    /// Not at all: the guest ends by itself.
    Never,
}

impl<'a> Machine<'a> {
    /// With a new file system on its disk.
    pub(crate) fn new(parts: &'a Parts) -> Self {
        let image = parts.path("image");
        File::create(&image).and_then(|file| file.set_len(256 << 20)).expect("a file");
        let status = Command::new(MKFS).arg("-q").arg("-F").arg(&image).status().expect("mkfs runs");
        assert!(status.success());
        let disk = Disk::load(&image).expect("reads");
        Self { parts, disk: Arc::new(Mutex::new(disk)), checkpoint: None }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the guest until the power is cut or it ends; gives all that it said.
    pub(crate) fn boot(&mut self, phase: Phase, mount: &str, cut: Cut) -> Vec<Report> {
        let socket = self.parts.path("disk");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("listens");
        let server = {
            let disk = Arc::clone(&self.disk);
            std::thread::spawn(move || nbd::serve(&listener, &disk))
        };
        if let Cut::FromStart(requests) = cut {
            self.disk().cut_after(requests);
        }
        let mut qemu = Running(self.qemu(&socket, phase, mount));
        let (lines, reader) = read_lines(&mut qemu.0);
        let mut reports = self.watch(&lines, cut);
        // QEMU writes nothing more, and the disk has answered nothing since the cut.
        drop(qemu);
        reports.extend(lines.iter());
        reader.join().expect("reads to the end");
        server.join().expect("ends").expect("serves");
        let newest = reports.iter().rev().find_map(|report| match report {
            Report::Checkpoint(text) => Some(text.clone()),
            _ => None,
        });
        self.checkpoint = newest.or_else(|| self.checkpoint.take());
        reports
    }

    /// Listens until the power is gone, or the guest.
    fn watch(&self, lines: &Receiver<Report>, cut: Cut) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut limit = Instant::now() + PATIENCE;
        loop {
            if self.disk().is_dead() {
                return reports;
            }
            match lines.recv_timeout(Duration::from_millis(5)) {
                Ok(report) => {
                    match (&report, cut) {
                        (Report::Ready, Cut::WhenReady(0)) => self.disk().cut(),
                        (Report::Ready, Cut::WhenReady(requests)) => self.disk().cut_after(requests),
                        _ => {}
                    }
                    reports.push(report);
                    limit = Instant::now() + PATIENCE;
                }
                Err(RecvTimeoutError::Disconnected) => return reports,
                Err(RecvTimeoutError::Timeout) => {
                    assert!(Instant::now() < limit, "the guest is silent: {}", self.console());
                }
            }
        }
    }

    /// What the guest's kernel said.
    pub(crate) fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.parts.path("console")).unwrap_or_default()).into_owned()
    }

    /// The power comes back.
    pub(crate) fn power_on(&self, survivors: Survivors, chance: &mut Chance) {
        self.disk().power_on(survivors, chance);
    }

    /// What the file system's own checker says of the disk, after the guest stopped in good order.
    pub(crate) fn check_file_system(&self) {
        let image = self.parts.path("image");
        self.disk().save(&image).expect("writes");
        let output = Command::new("/sbin/e2fsck").args(["-f", "-n"]).arg(&image).output().expect("e2fsck runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn qemu(&self, disk: &Path, phase: Phase, mount: &str) -> Child {
        let mut words = format!("POWERCUT_PHASE={} POWERCUT_MOUNT={mount} RUST_BACKTRACE=1", phase.name());
        if let Some(checkpoint) = &self.checkpoint {
            words.push_str(&format!(" POWERCUT_CHECKPOINT={checkpoint}"));
        }
        let console = self.parts.path("console");
        // What is slow here is the gate.
        let mut qemu = kernel::qemu(&self.parts.kernel, &self.parts.path("initramfs"), "max", 512, &words);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        let disk = format!("driver=nbd,node-name=disk,server.type=unix,server.path={}", disk.display());
        // No cache of QEMU's: what the guest writes and flushes is what the disk sees.
        qemu.arg("-blockdev")
            .arg(disk)
            .args(["-device", "virtio-blk-pci,drive=disk,write-cache=on,physical_block_size=4096"]);
        qemu.args(["-chardev", "stdio,id=report,signal=off", "-device", "virtio-serial-pci"]);
        qemu.args(["-device", "virtserialport,chardev=report,nr=1"]);
        let errors = File::create(self.parts.path("qemu.err")).expect("a file");
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn().expect("QEMU starts")
    }
}

/// Reads what the guest says, until its end; a line that the cut tore is nothing.
fn read_lines(qemu: &mut Child) -> (Receiver<Report>, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let mut stdout = BufReader::new(qemu.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|read| read > 0) {
            if let Some(report) = line.strip_suffix('\n').and_then(|line| line.parse().ok()) {
                let _ = sender.send(report);
            }
            line.clear();
        }
    });
    (receiver, reader)
}
