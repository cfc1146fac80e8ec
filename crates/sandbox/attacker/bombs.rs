//! What wants all there is of something, or does not want to end.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::{Try, address, call, fail};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    let number = |index: usize, otherwise: u64| word(index).parse().unwrap_or(otherwise);
    Some(match name {
        "fork-bomb" => fork_bomb(number(0, 1500)),
        "thread-bomb" => thread_bomb(number(0, 1500)),
        "memory-bomb" => memory_bomb(number(0, 3072)),
        "many-memories" => many_memories(number(0, 40), number(1, 64)),
        "disk-bomb" => disk_bomb(word(0), number(1, 1024), word(3) == "1"),
        "many-files" => many_files(word(0), number(1, 50_000)),
        "descriptor-bomb" => descriptors(number(0, 100_000)),
        "inotify-bomb" => hold(number(0, 1000), || call(libc::SYS_inotify_init1, &[0]).map(drop)),
        "pipe-bomb" => hold(number(0, 1000), || {
            let mut ends = [0_i32; 2];
            call(libc::SYS_pipe2, &[address(&raw mut ends), 0]).map(drop)
        }),
        "have" => have(word(0)),
        "flood" => flood(number(0, u64::MAX >> 20) << 20),
        "daemon" => daemon(),
        "endless" => loop {
            std::thread::sleep(Duration::from_secs(600));
        },
        "busy" => busy(Duration::from_millis(100 * number(1, 25))),
        "busy-children" => busy_children(number(1, 4)),
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
        "raise-limits" => raise_limits(),
        "good-citizen" => good_citizen(word(0)),
        _ => return None,
    })
}

/// So that whoever counts outside sees it all at once, whether all was to be had or not.
fn linger<T>(result: T) -> T {
    std::thread::sleep(Duration::from_millis(300));
    result
}

/// A child that does as it is told and goes with its parent.
fn child(work: impl FnOnce()) -> std::io::Result<i64> {
    let child = call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])?;
    if child == 0 {
        let _ = call(libc::SYS_prctl, &[1, libc::SIGKILL as u64]);
        work();
        std::process::abort();
    }
    Ok(child)
}

fn fork_bomb(most: u64) -> Try {
    for count in 0..most {
        if let Err(error) = child(|| std::thread::sleep(Duration::from_secs(600))) {
            return linger(fail(&format!("{error} after {count}")));
        }
    }
    linger(Ok(format!("{most} processes")))
}

fn thread_bomb(most: u64) -> Try {
    for count in 0..most {
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        if let Err(error) = thread.spawn(|| std::thread::sleep(Duration::from_secs(600))) {
            return linger(fail(&format!("{error} after {count}")));
        }
    }
    linger(Ok(format!("{most} threads")))
}

fn memory_bomb(mib: u64) -> Try {
    let mut kept = Vec::new();
    for count in 0..mib / 64 {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(64 << 20).is_err() {
            return fail(&format!("refused after {count} blocks of 64 MiB"));
        }
        block.resize(64 << 20, 1);
        kept.push(block);
    }
    linger(Ok(format!("{} MiB", kept.len() * 64)))
}

/// Each of many processes takes a little.
fn many_memories(processes: u64, mib: u64) -> Try {
    for _ in 0..processes {
        child(|| {
            let block = vec![1_u8; usize::try_from(mib << 20).unwrap()];
            std::thread::sleep(Duration::from_secs(600));
            drop(block);
        })?;
    }
    std::thread::sleep(Duration::from_millis(1500));
    Ok(format!("{processes} times {mib} MiB"))
}

fn disk_bomb(folder: &str, mib: u64, one: bool) -> Try {
    fs::create_dir_all(folder)?;
    let block = vec![1_u8; 1 << 20];
    let mut file = fs::File::create(format!("{folder}/big"))?;
    for written in 0..mib {
        if !one && written % 16 == 15 {
            file = fs::File::create(format!("{folder}/big-{written}"))?;
        }
        if let Err(error) = file.write_all(&block) {
            return linger(fail(&format!("{error} after {written} MiB")));
        }
    }
    linger(Ok(format!("{mib} MiB")))
}

fn many_files(folder: &str, most: u64) -> Try {
    fs::create_dir_all(folder)?;
    for number in 0..most {
        if let Err(error) = fs::write(format!("{folder}/small-{number}"), "x") {
            return linger(fail(&format!("{error} after {number} files")));
        }
    }
    linger(Ok(format!("{most} files")))
}

fn descriptors(most: u64) -> Try {
    let mut kept = Vec::new();
    for number in 0..most {
        match fs::File::open("/dev/null") {
            Ok(file) => kept.push(file),
            Err(error) => return linger(fail(&format!("{error} after {number}"))),
        }
    }
    linger(Ok(format!("{} descriptors", kept.len())))
}

/// Takes as many as there are, and keeps them for a while.
fn hold(most: u64, mut one: impl FnMut() -> std::io::Result<()>) -> Try {
    let taken = (0..most).take_while(|_| one().is_ok()).count();
    std::thread::sleep(Duration::from_millis(700));
    Ok(format!("{taken} held"))
}

/// Whether one that is as large as usual can be had.
fn have(what: &str) -> Try {
    match what {
        "inotify" => call(libc::SYS_inotify_init1, &[0]).map(|_| "one".to_owned()),
        _ => {
            let mut ends = [0_i32; 2];
            call(libc::SYS_pipe2, &[address(&raw mut ends), 0])?;
            let [read, _] = ends;
            let size = call(libc::SYS_fcntl, &[read as u64, libc::F_GETPIPE_SZ as u64])?;
            if size < 65_536 { fail("a small pipe") } else { Ok("a pipe".to_owned()) }
        }
    }
}

/// On both streams.
fn flood(bytes: u64) -> Try {
    for _ in 0..bytes / 8192 {
        let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
        if out.write_all(&[b'x'; 4096]).and_then(|()| err.write_all(&[b'y'; 4096])).is_err() {
            return fail("nobody listens");
        }
    }
    Ok("all of it".to_owned())
}

/// Works for this much processor time.
fn busy(time: Duration) -> Try {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let start = |spent: &mut libc::timespec| {
        let clock = libc::CLOCK_PROCESS_CPUTIME_ID as u64;
        call(libc::SYS_clock_gettime, &[clock, address(std::ptr::from_mut(spent))])
    };
    while Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0)) < time {
        for _ in 0..10_000 {
            std::hint::black_box(0);
        }
        start(&mut spent)?;
    }
    Ok("busy for all of it".to_owned())
}

/// Nine tenths of a second each.
fn busy_children(most: u64) -> Try {
    for _ in 0..most {
        let child = child(|| drop(busy(Duration::from_millis(900))))?;
        call(libc::SYS_wait4, &[child as u64, 0, 0])?;
    }
    linger(Ok(format!("{most} children were busy")))
}

/// More open files than it began with, as many as nobody minds outside.
fn raise_limits() -> Try {
    let wanted = [600_u64, 600];
    call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE.into(), address(&raw const wanted), 0])?;
    let kept: Vec<fs::File> = (0..500).map_while(|_| fs::File::open("/dev/null").ok()).collect();
    if kept.len() == 500 { Ok("500 open files".to_owned()) } else { fail("it is not in force") }
}

/// Leaves a process behind that has a session of its own, is nobody's child, and keeps the output open.
fn daemon() -> Try {
    if call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])? == 0 {
        let _ = call(libc::SYS_setsid, &[]);
        if call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])? == 0 {
            std::thread::sleep(Duration::from_secs(600));
        }
        std::process::abort();
    }
    linger(Ok("a daemon is left".to_owned()))
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
    for place in ["/dev/shm", "/tmp"] {
        let path = format!("{place}/good-citizen-{}", std::process::id());
        fs::write(&path, "scratch")?;
        fs::remove_file(path)?;
    }
    fs::read_to_string("/proc/cpuinfo")?;
    fs::read_to_string("/proc/meminfo")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
