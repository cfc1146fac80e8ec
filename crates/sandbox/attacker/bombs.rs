//! What wants all there is of something, or does not want to end.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::{Try, call, fail};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    Some(match name {
        "fork-bomb" => fork_bomb(word(0).parse().unwrap_or(1500)),
        "memory-bomb" => memory_bomb(),
        "many-memories" => many_memories(),
        "disk-bomb" => disk_bomb(word(0)),
        "many-files" => many_files(word(0)),
        "descriptor-bomb" => descriptors(),
        "flood" => loop {
            let mut out = std::io::stdout().lock();
            let mut err = std::io::stderr().lock();
            if out.write_all(&[b'x'; 4096]).and_then(|()| err.write_all(&[b'y'; 4096])).is_err() {
                return Some(fail("nobody listens"));
            }
        },
        "daemon" => daemon(word(0)),
        "ignore" => {
            for signal in 1..32 {
                // SAFETY: ignoring a signal involves no function of ours.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
            std::thread::sleep(Duration::from_secs(600));
            Ok("slept".to_owned())
        }
        "sleep" => {
            println!("READY");
            std::thread::sleep(Duration::from_secs(600));
            Ok("slept".to_owned())
        }
        "good-citizen" => good_citizen(word(0)),
        _ => return None,
    })
}

fn fork_bomb(most: u32) -> Try {
    for count in 0..most {
        match call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0]) {
            Ok(0) => {
                std::thread::sleep(Duration::from_secs(600));
                std::process::abort();
            }
            Ok(_) => {}
            Err(error) => return fail(&format!("{error} after {count}")),
        }
    }
    Ok(format!("{most} processes"))
}

fn memory_bomb() -> Try {
    let mut kept = Vec::new();
    for count in 0..48_u64 {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(64 << 20).is_err() {
            return fail(&format!("refused after {count} blocks of 64 MiB"));
        }
        block.resize(64 << 20, 1);
        kept.push(block);
    }
    Ok(format!("{} MiB", kept.len() * 64))
}

/// Each of many processes takes a little.
fn many_memories() -> Try {
    for _ in 0..40 {
        if call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0]).is_ok_and(|pid| pid == 0) {
            let block = vec![1_u8; 64 << 20];
            std::thread::sleep(Duration::from_secs(600));
            drop(block);
        }
    }
    std::thread::sleep(Duration::from_secs(20));
    Ok("2560 MiB".to_owned())
}

fn disk_bomb(folder: &str) -> Try {
    let block = vec![1_u8; 1 << 20];
    let mut written = 0;
    for number in 0..64 {
        let mut file = fs::File::create(format!("{folder}/big-{number}"))?;
        for _ in 0..16 {
            if let Err(error) = file.write_all(&block) {
                return fail(&format!("{error} after {written} MiB"));
            }
            written += 1;
        }
    }
    Ok(format!("{written} MiB"))
}

fn many_files(folder: &str) -> Try {
    for number in 0..50_000 {
        if let Err(error) = fs::write(format!("{folder}/small-{number}"), "x") {
            return fail(&format!("{error} after {number} files"));
        }
    }
    Ok("50000 files".to_owned())
}

fn descriptors() -> Try {
    let mut kept = Vec::new();
    for number in 0..100_000 {
        match fs::File::open("/dev/null") {
            Ok(file) => kept.push(file),
            Err(error) => return fail(&format!("{error} after {number}")),
        }
    }
    Ok("100000 descriptors".to_owned())
}

/// Leaves a process behind that has a session of its own and is nobody's child.
fn daemon(marker: &str) -> Try {
    if call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])? == 0 {
        let _ = call(libc::SYS_setsid, &[]);
        if call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])? != 0 {
            std::process::abort();
        }
        let _ = Command::new("/bin/sleep").arg(marker).status();
    }
    std::thread::sleep(Duration::from_millis(300));
    Ok("a daemon is left".to_owned())
}

/// What ordinary programs do, all of which must work.
fn good_citizen(folder: &str) -> Try {
    fs::create_dir_all(format!("{folder}/made/deep"))?;
    fs::write(format!("{folder}/made/deep/file"), "text")?;
    fs::rename(format!("{folder}/made/deep/file"), format!("{folder}/made/moved"))?;
    fs::remove_dir(format!("{folder}/made/deep"))?;
    std::os::unix::fs::symlink("moved", format!("{folder}/made/link"))?;
    let pair = std::os::unix::net::UnixStream::pair()?;
    drop(pair);
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = std::thread::spawn(move || std::net::TcpStream::connect(address).map(drop));
    listener.accept()?;
    client.join().map_err(|_| std::io::Error::other("thread"))??;
    call(libc::SYS_socket, &[16, 3, 0])?;
    let output = Command::new("/bin/sh")
        .args(["-c", "echo $((6*7)) > /dev/null && cat /proc/self/status | head -1"])
        .output()?;
    fs::write("/dev/shm/x", "shared")?;
    fs::write("/tmp/x", "scratch")?;
    fs::read_to_string("/proc/cpuinfo")?;
    fs::read_to_string("/proc/meminfo")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
