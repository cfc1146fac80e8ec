//! A terminal of the host: this side is the one that a person would sit at.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

pub(crate) struct Terminal {
    person: Arc<OwnedFd>,
    program: OwnedFd,
    before: Termios,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (before, person, seen) = (tcgetattr(&program).unwrap(), Arc::new(person), Arc::<Mutex<Vec<u8>>>::default());
        let (from, to) = (Arc::clone(&person), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends when nobody has the other side open any more.
            while let Ok(count) = rustix::io::read(&from, &mut buffer) {
                to.lock().unwrap().extend(buffer.get(..count).unwrap());
            }
        });
        Self { person, program, before, seen }
    }

    /// The side that programs have.
    pub(crate) fn program(&self) -> OwnedFd {
        self.program.try_clone().unwrap()
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.person, size).unwrap();
    }

    pub(crate) fn types(&self, bytes: &[u8]) {
        assert_eq!(rustix::io::write(&self.person, bytes), Ok(bytes.len()));
    }

    /// All that has been shown.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` has been shown, and gives all that was.
    pub(crate) fn until(&self, text: &str) -> String {
        let start = Instant::now();
        while !self.text().contains(text) {
            assert!(start.elapsed() < Duration::from_secs(20), "no {text:?} in {:?}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.text()
    }

    /// What lies in its input.
    pub(crate) fn waiting(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.program).unwrap()
    }

    pub(crate) fn is_raw(&self) -> bool {
        !tcgetattr(&self.program).unwrap().local_modes.intersects(LocalModes::ICANON | LocalModes::ISIG)
    }

    pub(crate) fn is_as_before(&self) -> bool {
        format!("{:?}", tcgetattr(&self.program).unwrap()) == format!("{:?}", self.before)
    }
}
