//! Files of the host, read and written.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::{Try, address, call, fail, got};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("/nowhere");
    Some(match name {
        "read" => read(word(0)),
        "write" => fs::write(word(0), "planted").map(|()| "written".to_owned()),
        "append" => append(word(0)),
        "open-to-write" => fs::OpenOptions::new().write(true).open(word(0)).map(|_| "open".to_owned()),
        "rewrite" => read(word(0)).and_then(|text| fs::write(word(0), text)).map(|()| "rewritten".to_owned()),
        "hard-link" => fs::hard_link(word(0), word(1)).and_then(|()| read(word(1))),
        "symlink" => symlink(word(0), word(1)).and_then(|()| read(word(1))),
        "rename-and-recreate" => rename(word(0)),
        "make-folders" => {
            let path = Path::new(word(0));
            fs::create_dir_all(path.parent().unwrap()).and_then(|()| fs::write(path, "planted")).map(|()| "made".into())
        }
        "delete" => fs::remove_dir_all(word(0)).map(|()| "deleted".to_owned()),
        "set-id" => fs::write(word(0), "x")
            .and_then(|()| fs::set_permissions(word(0), fs::Permissions::from_mode(0o4755)))
            .map(|()| "set".to_owned()),
        "set-id-by-open" => {
            let path = CString::new(word(0)).unwrap();
            let flags = (libc::O_CREAT | libc::O_WRONLY) as u64;
            got(call(libc::SYS_openat, &[libc::AT_FDCWD as u64, address(path.as_ptr()), flags, 0o6755]))
        }
        "temporary-file-link" => temporary(word(0), word(1)),
        "device-node" => {
            let path = CString::new(word(0)).unwrap();
            // Block device 254:0, a disk of this machine.
            got(call(libc::SYS_mknodat, &[libc::AT_FDCWD as u64, address(path.as_ptr()), 0o60666, 254 << 8]))
        }
        // The second word is the size as a power of two; 8 TiB without it.
        "sparse" => fs::File::create(word(0))
            .and_then(|file| file.set_len(1 << word(1).parse().unwrap_or(43)))
            .map(|()| "made".to_owned()),
        "inherited" => inherited(word(0)),
        "environment" => {
            let found: Vec<String> =
                std::env::vars().filter(|(_, value)| value.contains(word(0))).map(|(name, _)| name).collect();
            if found.is_empty() { fail("no variable holds it") } else { Ok(format!("{} in {found:?}", word(0))) }
        }
        "list" => fs::read_dir(word(0)).map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        }),
        "touch" => {
            let path = CString::new(word(0)).unwrap();
            got(call(libc::SYS_utimensat, &[libc::AT_FDCWD as u64, address(path.as_ptr()), 0, 0]))
        }
        "own" => {
            let path = CString::new(word(0)).unwrap();
            got(call(libc::SYS_fchownat, &[libc::AT_FDCWD as u64, address(path.as_ptr()), 0, 0, 0]))
        }
        "chmod-same" => fs::metadata(word(0))
            .and_then(|there| fs::set_permissions(word(0), there.permissions()))
            .map(|()| "set".to_owned()),
        "read-bytes" => fs::read(word(0)).and_then(|bytes| match bytes.len() {
            0 => fail("it is empty"),
            length => Ok(format!("{length} bytes")),
        }),
        "write-number" => fs::write(word(0), "1000").map(|()| "written".to_owned()),
        "own-memory" => own_memory(),
        "handle" => handle(word(0)),
        _ => return None,
    })
}

fn read(path: &str) -> Try {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(1 << 16).read_to_end(&mut bytes)?;
    if bytes.is_empty() { fail("it is empty") } else { Ok(String::from_utf8_lossy(&bytes).replace('\0', " ")) }
}

fn append(path: &str) -> Try {
    fs::OpenOptions::new().append(true).open(path)?.write_all(b"planted\n").map(|()| "appended".to_owned())
}

fn rename(folder: &str) -> Try {
    fs::rename(folder, format!("{folder}-away"))?;
    fs::create_dir_all(format!("{folder}/hooks"))?;
    fs::write(format!("{folder}/hooks/pre-commit"), "planted").map(|()| "replaced".to_owned())
}

fn temporary(folder: &str, target: &str) -> Try {
    let mut file = fs::OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(folder)?;
    file.write_all(b"planted")?;
    let (from, to) =
        (format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)), CString::new(target).unwrap());
    let from = CString::new(from).unwrap();
    let here = libc::AT_FDCWD as u64;
    got(call(
        libc::SYS_linkat,
        &[here, address(from.as_ptr()), here, address(to.as_ptr()), libc::AT_SYMLINK_FOLLOW as u64],
    ))
}

/// Through any descriptor that was left open.
fn inherited(name: &str) -> Try {
    let path = CString::new(name).unwrap();
    for descriptor in 3..65_536_u64 {
        if let Ok(file) = call(libc::SYS_openat, &[descriptor, address(path.as_ptr()), libc::O_RDONLY as u64]) {
            return read(&format!("/proc/self/fd/{file}"));
        }
    }
    fail("no descriptor leads there")
}

/// Writing read-only memory of one's own through `/proc/self/mem`.
fn own_memory() -> Try {
    static CONSTANT: &[u8; 8] = b"constant";
    let memory = fs::OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
    memory.write_all_at(b"changed!", CONSTANT.as_ptr() as u64).map(|()| "written".to_owned())
}

/// A file by its handle, past its path.
fn handle(path: &str) -> Try {
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount = 0_i32;
    let text = CString::new(path).unwrap();
    call(
        libc::SYS_name_to_handle_at,
        &[libc::AT_FDCWD as u64, address(text.as_ptr()), address(&raw mut handle), address(&raw mut mount), 0],
    )?;
    let folder = fs::File::open(Path::new(path).parent().unwrap())?;
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&folder) as u64;
    let file = call(libc::SYS_open_by_handle_at, &[descriptor, address(&raw const handle), libc::O_RDONLY as u64])?;
    let found = read(&format!("/proc/self/fd/{file}"));
    found.or_else(|error: io::Error| fail(&error.to_string()))
}
