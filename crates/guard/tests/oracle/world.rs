//! A world of its own for every script, and a real bash in it, traced.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::generate::Script;
use super::trace::{self, Event};

/// Whether this machine can run the scripts; says why not, and fails where `CI` is set.
pub(crate) fn is_possible() -> bool {
    let tried = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
            "--net",
            "strace",
            "-f",
            "-o",
            "/dev/null",
            "true",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let possible = tried.is_ok_and(|status| status.success());
    if !possible {
        let why = "the oracle needs unshare (user namespaces) and strace";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    possible
}

/// Built inside of new namespaces: nothing of the machine but its programs, read-only.
const ROOT: &str = r#"
set -e
outside=$1
root=$outside/root
mkdir -p $root
mount -t tmpfs none $root
mkdir -p $root/usr $root/etc $root/proc $root/dev $root/tmp $root/w $root/s $root/out
mount --rbind /usr $root/usr
mount -o remount,bind,ro $root/usr
for link in bin sbin lib lib32 lib64; do
  if [ -L /$link ]; then cp -P /$link $root/$link
  elif [ -d /$link ]; then mkdir $root/$link; mount --rbind /$link $root/$link; fi
done
mkdir -p $root/etc/alternatives
mount --rbind /etc/alternatives $root/etc/alternatives 2>/dev/null || true
mount -t proc proc $root/proc
mount --rbind /dev $root/dev
mount --bind $outside/worlds $root/w
mount --bind $outside/scripts $root/s
mount --bind $outside/out $root/out
exec chroot $root /usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C \
  strace -f -y -qq --seccomp-bpf -s 4096 -o /out/trace -e signal=none \
  -e trace=execve,open,openat,creat,unlink,unlinkat,rmdir,rename,renameat,renameat2,truncate,mkdir,mkdirat,link,linkat,symlink,symlinkat,fork,vfork,clone,clone3 \
  bash --noprofile --norc /s/driver
"#;

/// Runs the scripts and says what each did.
pub(crate) fn run(scripts: &[Script]) -> Vec<Vec<Event>> {
    let outside = tempfile::tempdir().expect("a directory");
    let place = outside.path();
    for directory in ["worlds", "scripts", "out"] {
        fs::create_dir(place.join(directory)).expect("a directory");
    }
    let mut driver = String::new();
    for script in scripts {
        let number = script.number;
        populate(&place.join("worlds").join(number.to_string()));
        fs::write(place.join(format!("scripts/{number}.sh")), &script.text).expect("a script");
        driver.push_str(&format!(
            "(cd /w/{number}/work; HOME=/w/{number}/home exec timeout -k 1 10 bash --noprofile --norc /s/{number}.sh \
             </dev/null >/dev/null 2>&1)\n"
        ));
    }
    // What the last script came to says nothing about the trace.
    driver.push_str("exit 0\n");
    fs::write(place.join("scripts/driver"), driver).expect("the driver");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--ipc", "--kill-child"])
        .args(["sh", "-c", ROOT, "sh"])
        .arg(place)
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let trace = fs::read(place.join("out/trace")).unwrap_or_default();
    assert!(
        output.status.success() && !trace.is_empty(),
        "the scripts could not be run ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    trace::read(&String::from_utf8_lossy(&trace), scripts.len())
}

fn populate(world: &Path) {
    let files = [
        "work/a.txt",
        "work/b.txt",
        "work/c d.txt",
        "work/e.log",
        "work/sub/x.txt",
        "work/sub/z.log",
        "work/sub/deep/y.log",
        "data/p.txt",
        "data/q.txt",
        "data/dir/r.txt",
        "home/h.txt",
        "home/.cfg/k.txt",
    ];
    fs::create_dir_all(world.join("work/other")).expect("a directory");
    for file in files {
        let path = world.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, "a line\nanother line\n").expect("a file");
    }
}
