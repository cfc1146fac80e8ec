//! `write_file`: a text as a whole, and what all writing tools share.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use callgate_text::Json;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::done::{Kind, count};
use crate::folder::{Folder, Spot, name_of, stat_in, wrote};
use crate::{Done, Fault};

/// Names that are tried for a new file before it has its own.
const ATTEMPTS: u32 = 32;

pub(crate) fn write(folder: &Folder, path: &str, content: &str, create_parents: bool) -> Result<Done, Fault> {
    let spot = folder.spot_to_write(path)?;
    let created = replace(folder, &spot, content.as_bytes(), create_parents)?;
    let done = wrote(&spot, if created { "Created" } else { "Replaced" });
    Ok(done.with("created", Json::Bool(created)).with("bytes", count(content.len())))
}

/// Puts `content` at `spot` in one step: whoever looks finds the old or the new, never a part. Whether nothing was
/// there.
pub(crate) fn replace(folder: &Folder, spot: &Spot, content: &[u8], create_parents: bool) -> Result<bool, Fault> {
    let parent = folder.parent(spot, create_parents)?;
    let name = name_of(spot);
    let mode = match stat_in(&parent, name) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            // Never set-user-ID: the contents are new.
            FileType::RegularFile => Some(stat.st_mode & 0o777),
            FileType::Symlink => return Err(folder.why(spot, Errno::LOOP)),
            FileType::Directory => return Err(folder.why(spot, Errno::ISDIR)),
            _ => return Err(Fault::new(Kind::NotAFile, format!("`{}` is no ordinary file", spot.shown()))),
        },
        Err(Errno::NOENT) => None,
        Err(error) => return Err(folder.why(spot, error)),
    };
    let why = |error: Errno| folder.why(spot, error);
    let (staged, file) = stage(&parent).map_err(why)?;
    let written = fchmod(&file, Mode::from_raw_mode(mode.unwrap_or(0o644)))
        .map_err(why)
        .and_then(|()| {
            let mut file = File::from(file);
            let io = |error: std::io::Error| Fault::new(Kind::Failed, format!("`{}`: {error}", spot.shown()));
            file.write_all(content).and_then(|()| file.sync_data()).map_err(io)
        })
        .and_then(|()| renameat(&parent, &staged, &parent, name).map_err(why));
    if written.is_err() {
        let _ = unlinkat(&parent, &staged, AtFlags::empty());
    }
    written.map(|()| mode.is_none())
}

/// A new file beside the one that it will replace. What stands by one of its names already stays, whatever it is.
fn stage(parent: &OwnedFd) -> rustix::io::Result<(OsString, OwnedFd)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for attempt in 0..ATTEMPTS {
        let staged = OsString::from(format!(".callgate-new-{}-{attempt}", std::process::id()));
        match openat(parent, &staged, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => return Ok((staged, file)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}
