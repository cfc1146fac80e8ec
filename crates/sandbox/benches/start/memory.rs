//! The most memory that a run holds: its own processes, and what stands around it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use callgate_sandbox::{Exit, Streams};

use crate::Ground;

/// The most that process `id` has held, in KiB, and the part of it that no file backs, now.
fn held(id: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (kib("VmHWM:"), kib("RssAnon:"))
}

/// The processes that `id` has started.
fn children(id: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    list.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

fn print(name: &str, (peak, own): (u64, u64)) {
    println!("  {name:<46} peak {peak:>6} KiB, of its own {own:>5} KiB");
}

pub(crate) fn measure(ground: &Ground) {
    const NAP: &str = "1";
    let nap = Duration::from_millis(300);
    println!("memory, while `sleep {NAP}` runs (pages of one file count for each who maps it)");
    let mut plain = Command::new("/bin/sleep").arg(NAP).spawn().unwrap();
    std::thread::sleep(nap);
    print("the program, outside", held(plain.id()));
    plain.wait().unwrap();

    let plan = ground.plan(ground.profile, Some(ground.folder.path()), &["/bin/sleep", NAP]);
    let mut running = ground.launcher.launch(&plan, Streams::none()).unwrap();
    let groups = running.started().unwrap().unwrap().groups.clone();
    std::thread::sleep(nap);
    let launcher = running.id();
    let children_of_launcher = children(launcher);
    assert_eq!(children_of_launcher.len(), 1, "a launcher has one child, the init");
    let init = children_of_launcher[0];
    print("the launcher", held(launcher));
    print("the init", held(init));
    for program in children(init) {
        print("the program, inside", held(program));
    }
    for group in &groups {
        for name in ["memory.max_usage_in_bytes", "memory.peak"] {
            if let Ok(most) = fs::read_to_string(format!("{group}/{name}")) {
                let kib = most.trim().parse::<u64>().unwrap() >> 10;
                println!("  {:<46} peak {kib:>6} KiB", "the whole run, as its control group counts");
            }
        }
    }
    assert_eq!(running.wait().unwrap().ending.exit, Exit::Code(0));

    let arguments = ["--ro-bind", "/", "/", "--unshare-all", "/bin/sleep", NAP];
    if let Ok(mut wrapped) = Command::new("bwrap").args(arguments).stdout(Stdio::null()).spawn() {
        std::thread::sleep(nap);
        print("bwrap, outside", held(wrapped.id()));
        for init in children(wrapped.id()) {
            print("bwrap, inside", held(init));
        }
        assert!(wrapped.wait().unwrap().success());
    }
}
