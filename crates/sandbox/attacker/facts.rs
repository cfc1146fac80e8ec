//! What shows of the machine.

use std::fs;

use crate::{Try, call, fail};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    Some(match name {
        "release" => Ok(rustix::system::uname().release().to_string_lossy().into_owned()),
        "load" => load(),
        "disk-size" => rustix::fs::statvfs(words.first().copied().unwrap_or("/"))
            .map(|disk| format!("blocks {}", disk.f_blocks))
            .map_err(std::io::Error::from),
        "mount-sources" => mount_sources(),
        "working-folder" => std::env::current_dir().map(|folder| folder.display().to_string()),
        "control-group" => control_group(),
        "see-first" => call(libc::SYS_kill, &[1, 0]).map(|_| "it can be signalled".to_owned()),
        _ => return None,
    })
}

/// How many threads there are; in a sandbox of two or three, more are the host's.
fn load() -> Try {
    let text = fs::read_to_string("/proc/loadavg")?;
    let threads: u32 =
        text.split_whitespace().nth(3).and_then(|counts| counts.split('/').nth(1)?.parse().ok()).unwrap_or(0);
    if threads > 20 { Ok(format!("{threads} threads")) } else { fail("nobody else shows") }
}

fn mount_sources() -> Try {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let sources: Vec<&str> = text.lines().filter_map(|line| line.split(" - ").nth(1)?.split(' ').nth(1)).collect();
    Ok(sources.join(" "))
}

fn control_group() -> Try {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let below = text.lines().find(|line| !line.ends_with(":/"));
    below.map_or_else(|| fail("only the root"), |line| Ok(line.to_owned()))
}
