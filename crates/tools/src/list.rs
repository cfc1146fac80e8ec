//! `list_directory`: what lies in a folder, in the order of names.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use callgate_text::{Json, escaped};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat, readlinkat};

use crate::done::count;
use crate::folder::{Folder, stat_in};
use crate::{Done, Fault};

/// The most names that one call gives back.
const MOST_NAMES: usize = 2000;

/// The most names of one folder that are looked at; beyond that, which come first is not known.
const MOST_IN_FOLDER: usize = 100_000;

pub(crate) fn list(folder: &Folder, path: &str, depth: usize) -> Result<Done, Fault> {
    let spot = folder.spot(path)?;
    let root = folder.open_at(&spot, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut listing = Listing { text: String::new(), names: 0, more: false };
    listing.folder(root, 0, depth).map_err(|error| folder.why(&spot, error))?;
    let Listing { text, names, more } = listing;
    let done = Done::new(text).with("path", spot.shown()).with("names", count(names)).with("more", Json::Bool(more));
    Ok(match (names, more) {
        (_, true) => done.noting(format!("There is more than these {names} names: list a folder below.")),
        (0, false) => done.noting("The folder is empty."),
        (_, false) => done,
    })
}

struct Listing {
    text: String,
    names: usize,
    more: bool,
}

impl Listing {
    fn folder(&mut self, folder: OwnedFd, level: usize, depth: usize) -> rustix::io::Result<()> {
        let mut names: Vec<OsString> = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if !matches!(name.as_slice(), b"." | b"..") {
                names.push(OsString::from_vec(name));
            }
            if names.len() > MOST_IN_FOLDER {
                self.more = true;
                break;
            }
        }
        names.sort();
        for name in names {
            if self.names == MOST_NAMES {
                self.more = true;
                return Ok(());
            }
            // What goes while it is listed is not listed.
            let Ok(stat) = stat_in(&folder, &name) else { continue };
            self.names += 1;
            self.text.push_str(&"  ".repeat(level));
            self.text.push_str(&escaped(name.as_bytes()));
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    self.text.push_str("/\n");
                    if level + 1 < depth {
                        self.below(folder.as_fd(), &name, level + 1, depth);
                    }
                }
                FileType::Symlink => {
                    let target = readlinkat(&folder, &name, Vec::new());
                    let target = target.map(|target| escaped(target.as_bytes())).unwrap_or_default();
                    self.text.push_str(&format!(" -> {target}\n"));
                }
                FileType::RegularFile => self.text.push_str(&format!("  {} bytes\n", stat.st_size)),
                _ => self.text.push_str("  (special)\n"),
            }
        }
        Ok(())
    }

    /// A folder that cannot be opened is named, and what lies in it is not.
    fn below(&mut self, folder: std::os::fd::BorrowedFd<'_>, name: &OsString, level: usize, depth: usize) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(folder, name, flags, Mode::empty());
        if opened.and_then(|opened| self.folder(opened, level, depth)).is_err() {
            self.text.push_str(&"  ".repeat(level));
            self.text.push_str("(cannot be read)\n");
        }
    }
}
