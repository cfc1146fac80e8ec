//! What somebody could leave in a workspace for whoever works there next.

use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdirat, openat};

use crate::{Try, address, call, got};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("/nowhere");
    let number = |index: usize| word(index).parse::<u32>().unwrap_or(1);
    Some(match name {
        "write-and-rename" => fs::write(word(0), "planted").and_then(|()| fs::rename(word(0), word(1))).map(done),
        "write-through-link" => symlink(word(0), word(1))
            .and_then(|()| fs::write(format!("{}/{}", word(1), word(2)), "planted"))
            .and_then(|()| fs::remove_file(word(1)))
            .map(done),
        "bare-repository" => bare_repository(word(0), word(1)).map(done),
        "make-link" => symlink(word(0), word(1)).and_then(|()| crate::files::attack("read", &[word(1)]).unwrap()),
        "swap-for-link" => fs::remove_dir_all(word(0)).and_then(|()| symlink(word(1), word(0))).map(done),
        "pipe" => {
            let path = CString::new(word(0)).unwrap();
            got(call(libc::SYS_mknodat, &[libc::AT_FDCWD as u64, address(path.as_ptr()), 0o10_666, 0]))
        }
        "unix-listener" => UnixListener::bind(word(0)).map(drop).map(done),
        "set-id-folder" => fs::create_dir(word(0))
            .and_then(|()| fs::set_permissions(word(0), fs::Permissions::from_mode(0o2755)))
            .map(done),
        "attribute" => attribute(word(0), word(1)),
        "access-list" => access_list(word(0)),
        "write-named" => {
            let name = match word(1) {
                "newline" => "new\nline",
                "escape" => "\u{1b}[2K",
                _ => "gpj.\u{202e}sh",
            };
            fs::write(format!("{}/{name}", word(0)), "planted").map(done)
        }
        "deep" => deep(word(0), number(1), number(2)),
        "sparse-many" => sparse_many(word(0), number(1), number(2)),
        "hard-links" => hard_links(word(0), number(1), number(2)),
        "watch" => watch(word(0)),
        "lock" => fs::File::open(word(0))
            .and_then(|file| Ok(rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?))
            .map(|()| "locked".to_owned()),
        "rename-around" => rename_around(word(0), word(1)).map(done),
        _ => return None,
    })
}

fn done((): ()) -> String {
    "done".to_owned()
}

/// What `git` takes for a repository though it is not called so; its common part may lie elsewhere.
fn bare_repository(folder: &str, common: &str) -> std::io::Result<()> {
    for made in [format!("{common}/objects"), format!("{common}/refs"), folder.to_owned()] {
        fs::create_dir_all(made)?;
    }
    fs::write(format!("{common}/config"), "[core]\n\tfsmonitor = planted\n")?;
    fs::write(format!("{folder}/HEAD"), "ref: refs/heads/main\n")?;
    // Folders without anything in them are brought back as well, but let it not depend on that.
    fs::write(format!("{common}/refs/x"), "")?;
    fs::write(format!("{common}/objects/x"), "")?;
    if folder == common { Ok(()) } else { fs::write(format!("{folder}/commondir"), format!("{common}\n")) }
}

fn attribute(path: &str, name: &str) -> Try {
    let (path, text) = (CString::new(path).unwrap(), CString::new(name).unwrap());
    // To bind any port, as the kernel keeps it in `security.capability`: version 2, effective.
    let capability = [0x0200_0001_u32, 1 << 10, 0, 0, 0];
    let (value, length) =
        if name == "security.capability" { (address(&raw const capability), 20) } else { (address(b"y"), 1) };
    got(call(libc::SYS_setxattr, &[address(path.as_ptr()), address(text.as_ptr()), value, length, 0]))
}

/// All rights for user 4243, as the kernel keeps them.
fn access_list(path: &str) -> Try {
    let (path, name) = (CString::new(path).unwrap(), CString::new("system.posix_acl_access").unwrap());
    let mut list = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, rights, id) in
        [(1_u16, 6_u16, nobody), (2, 7, 4243), (4, 4, nobody), (0x10, 7, nobody), (0x20, 4, nobody)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let (value, length) = (address(list.as_ptr()), list.len() as u64);
    got(call(libc::SYS_setxattr, &[address(path.as_ptr()), address(name.as_ptr()), value, length, 0]))
}

/// Folders in folders, with names as long as they can be.
fn deep(folder: &str, levels: u32, length: u32) -> Try {
    let name = "d".repeat(length as usize);
    // Step by step: no path reaches that far.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut deepest = rustix::fs::open(folder, flags, Mode::empty())?;
    for _ in 0..levels {
        mkdirat(&deepest, &name, Mode::RWXU)?;
        deepest = openat(&deepest, &name, flags, Mode::empty())?;
    }
    let file = openat(&deepest, "planted", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU)?;
    fs::File::from(file).write_all(b"planted").map(done)
}

/// Files that hold nothing and say that they are large.
fn sparse_many(folder: &str, many: u32, mib: u32) -> Try {
    for number in 0..many {
        fs::File::create(format!("{folder}/sparse-{number}"))?.set_len(u64::from(mib) << 20)?;
    }
    Ok(format!("{many} times {mib} MiB"))
}

/// One file that is large, by many names.
fn hard_links(folder: &str, many: u32, mib: u32) -> Try {
    let first = format!("{folder}/large");
    fs::File::create(&first)?.write_all(&vec![1; (mib as usize) << 20])?;
    for number in 1..many {
        fs::hard_link(&first, format!("{folder}/large-{number}"))?;
    }
    Ok(format!("{many} times {mib} MiB"))
}

/// Puts another folder in the place of one that holds something protected.
fn rename_around(folder: &str, inside: &str) -> std::io::Result<()> {
    fs::rename(folder, format!("{folder}-away"))?;
    let path = Path::new(folder).join(inside);
    fs::create_dir_all(path.parent().unwrap())?;
    fs::write(path, "planted")
}

/// Is told when a file is written to.
fn watch(path: &str) -> Try {
    use rustix::fs::inotify;

    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, path, inotify::WatchFlags::MODIFY)?;
    fs::OpenOptions::new().append(true).open(path)?.write_all(b"more\n")?;
    let mut buffer = [0; 1024];
    let count = rustix::io::read(&watch, &mut buffer)?;
    if count > 0 { Ok("seen".to_owned()) } else { crate::fail("nothing came") }
}
