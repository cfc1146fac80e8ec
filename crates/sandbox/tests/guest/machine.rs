//! A guest, from its boot to its end.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::image::Image;
use crate::initramfs::Archive;
use crate::kernel::{self, Kernel, Running};

/// What a kernel has as modules, and tests use: the copy-on-write file system, and what attacks want.
const MODULES: [&str; 7] = ["overlay", "fuse", "tun", "loop", "vsock", "dummy", "nfnetlink"];

/// QEMU 7.2 leaves the flags wrong after an exchange of sixteen bytes (`cmpxchg16b`), on which Linux 6.12 then faults: so
/// the processor has none.
const PROCESSOR: &str = "qemu64,-cx16";

/// How long a guest may say nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one part of the tests said.
pub(crate) struct Part {
    pub(crate) name: String,
    /// All that it printed.
    pub(crate) said: String,
    status: i32,
}

impl Part {
    /// Whether it ran some test, and none failed.
    pub(crate) fn passed(&self) -> bool {
        self.status == 0 && self.summary().starts_with("ok. ") && !self.summary().starts_with("ok. 0 passed")
    }

    /// What the test program says last.
    pub(crate) fn summary(&self) -> &str {
        self.said.lines().find_map(|line| line.strip_prefix("test result: ")).unwrap_or("it did not end")
    }
}

/// Runs the guest to its end; gives what each part of its tests said.
pub(crate) fn boot(image: &Image, kernel: &Kernel) -> Vec<Part> {
    let mut archive = Archive::default();
    kernel.equip(&mut archive, &MODULES);
    archive.folder("new");
    archive.file("init", 0o755, include_bytes!("early.sh"));
    let (initramfs, console) = (image.path("initramfs"), image.path("console"));
    fs::write(&initramfs, archive.finish()).expect("writes");

    let mut qemu = kernel::qemu(kernel, &initramfs, PROCESSOR, 2048, "mitigations=off secretmem.enable=1");
    qemu.arg("-serial").arg(format!("file:{}", console.display())).args(["-serial", "stdio"]);
    // What is written there is gone at the end.
    let disk = format!("if=virtio,format=raw,snapshot=on,file={}", image.disk().display());
    qemu.arg("-drive").arg(disk);
    let errors = File::create(image.path("qemu.err")).expect("a file");
    qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    let mut qemu = Running(qemu.spawn().expect("QEMU starts"));

    let (sender, lines) = channel();
    let stdout = BufReader::new(qemu.0.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        for line in stdout.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let _ = sender.send(line.trim_end_matches('\r').to_owned());
        }
    });
    let mut parts = Vec::new();
    let mut said = String::new();
    let mut done = false;
    let last = || {
        let read = |name: &str| fs::read(image.path(name)).unwrap_or_default();
        format!("{}\n{}", String::from_utf8_lossy(&read("console")), String::from_utf8_lossy(&read("qemu.err")))
    };
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.starts_with("@part ") => said.clear(),
            Ok(line) if line.starts_with("@booted ") => eprintln!("{line} s"),
            Ok(line) if line == "@done" => done = true,
            Ok(line) => match line.strip_prefix("@end ").and_then(ended) {
                Some((status, seconds, name)) => {
                    let part = Part { name, said: std::mem::take(&mut said), status };
                    eprintln!("{:<24} {seconds:>4} s  {}", part.name, part.summary());
                    if !part.passed() {
                        eprintln!("{}", part.said);
                    }
                    parts.push(part);
                }
                None => said.extend([line.as_str(), "\n"]),
            },
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the guest is silent: {said}\n{}", last()),
        }
    }
    drop(qemu);
    reader.join().expect("reads to the end");
    assert!(done, "the guest stopped before it was done: {said}\n{}", last());
    parts
}

/// Status, seconds and name of a part.
fn ended(line: &str) -> Option<(i32, u64, String)> {
    let mut words = line.splitn(3, ' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.to_owned()))
}
