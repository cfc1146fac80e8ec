//! Real work passes: what developers and agents run all day, in the workspace profile.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{As, Bench, copy_program};
use callgate_sandbox::{Class, Exit, Profiles, WriteSet};

/// Whether something that a user's machine may lack is there; in CI it must be.
fn there(what: &str, is: bool) -> bool {
    if !is {
        assert!(std::env::var_os("CI").is_none(), "CI must have {what}");
        eprintln!("SKIPPED: {what} is not there");
    }
    is
}

fn write(bench: &Bench, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = bench.workspace.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    if bench.who == As::Unprivileged && rustix::process::getuid().is_root() {
        let owner = format!("{}:{}", bench::SOMEBODY, bench::SOMEBODY);
        assert!(Command::new("chown").arg("-R").arg(owner).arg(&bench.workspace).status().unwrap().success());
    }
}

#[test]
fn an_attacker_who_behaves_is_not_hindered() {
    for who in As::both() {
        let bench = Bench::new(who);
        let attacker = bench.workspace.join("attacker");
        copy_program(&bench.attacker(), &attacker);
        let (attacker, work) = (attacker.display().to_string(), bench.workspace.display().to_string());
        let run = bench.run("workspace", &[attacker.as_str(), "good-citizen", &work]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
    }
}

#[test]
fn git_commit_works_and_needs_no_permit() {
    for who in As::both() {
        let bench = Bench::new(who);
        write(&bench, &[("a.txt", "one\n")]);
        let git = "git -c user.name=a -c user.email=a@example.com -c safe.directory='*'";
        let run = bench
            .run("workspace", &["/bin/sh", "-ec", &format!("{git} init -q .; {git} add -A; {git} commit -qm first")]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {run:?}");
        // To make a repository is to configure one.
        let set = WriteSet::of(run.written.into_iter().next().unwrap()).unwrap();
        assert!(set.needs().contains(&Class::RepositoryConfig));
        set.commit(&Class::ALL.into_iter().collect(), &bench.journals()).unwrap();
        let script = format!("echo two >> a.txt; {git} commit -qam second; {git} log --oneline | wc -l");
        let run = bench.run("workspace", &["/bin/sh", "-ec", &script]);
        assert_eq!((run.exit.clone(), run.stdout.trim()), (Exit::Code(0), "2"), "{who:?} {run:?}");
        let set = WriteSet::of(run.written.into_iter().next().unwrap()).unwrap();
        assert_eq!(set.needs(), BTreeSet::new(), "{:?}", set.changes());
        set.commit(&BTreeSet::new(), &bench.journals()).unwrap();
        let status = Command::new("git")
            .args(["-c", "safe.directory=*", "status", "--porcelain"])
            .current_dir(&bench.workspace)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&status.stdout), "");
    }
}

#[test]
fn pytest_works() {
    let installed = Command::new("/usr/bin/python3").args(["-m", "pytest", "--version"]).output();
    if !there("pytest (Debian's python3-pytest)", installed.is_ok_and(|output| output.status.success())) {
        return;
    }
    for who in As::both() {
        let bench = Bench::new(who);
        let test = "import multiprocessing, socket, subprocess, tempfile, threading\n\
            def double(x): return 2 * x\n\
            def test_pool():\n    with multiprocessing.Pool(2) as pool: assert pool.map(double, [1, 2]) == [2, 4]\n\
            def test_socket():\n    a = socket.create_server(('127.0.0.1', 0)); b = socket.create_connection(a.getsockname()); b.close()\n\
            def test_process(tmp_path):\n    assert subprocess.check_output(['echo', 'x']) == b'x\\n'; (tmp_path / 'f').write_text('x')\n\
            def test_thread():\n    t = threading.Thread(target=print); t.start(); t.join()\n";
        write(&bench, &[("test_all.py", test)]);
        let run = bench.run("workspace", &["/usr/bin/python3", "-m", "pytest", "-q"]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {} {}", run.stdout, run.stderr);
        assert!(run.stdout.contains("4 passed"), "{}", run.stdout);
    }
}

#[test]
fn npm_test_works() {
    if !there("npm", Path::new("/usr/bin/npm").exists()) {
        return;
    }
    for who in As::both() {
        let bench = Bench::new(who);
        let package = "{\"name\":\"x\",\"version\":\"1.0.0\",\"scripts\":{\"test\":\"node --test\"}}";
        let test = "const test=require('node:test'),assert=require('node:assert'),cp=require('node:child_process'),w=require('node:worker_threads');\n\
            test('child',()=>assert.equal(cp.execSync('echo x').toString(),'x\\n'));\n\
            test('worker',(_, done)=>new w.Worker('1',{eval:true}).on('exit',()=>done()));\n";
        write(&bench, &[("package.json", package), ("all.test.js", test)]);
        let run = bench.run("workspace", &["/usr/bin/npm", "test"]);
        assert_eq!(run.exit, Exit::Code(0), "{who:?} {} {}", run.stdout, run.stderr);
    }
}

/// A toolchain that the bench's user can read. Root's own home is closed to others, so for somebody else it lies beside
/// the workspace; links take no time and no space.
fn toolchain(bench: &Bench) -> PathBuf {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim()).canonicalize().unwrap();
    if bench.who == As::Root || !rustix::process::getuid().is_root() {
        return sysroot;
    }
    let beside = bench.outside.join("toolchain");
    fs::create_dir(&beside).unwrap();
    for part in ["bin", "lib"] {
        let copy = |how: &str| {
            let copy = Command::new("cp").arg(how).arg(sysroot.join(part)).arg(&beside).output().unwrap();
            copy.status.success()
        };
        // Links do not lead from one file system into another.
        assert!(copy("-al") || copy("-a"), "the toolchain's {part} can be had");
    }
    beside
}

#[test]
fn cargo_build_with_a_vendored_dependency_works() {
    for who in As::both() {
        let bench = Bench::new(who);
        let sysroot = toolchain(&bench);
        write(
            &bench,
            &[
                (
                    "Cargo.toml",
                    "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntiny = \"1.0.0\"\n",
                ),
                ("src/main.rs", "fn main() { println!(\"{}\", tiny::two()); }\n"),
                ("vendor/tiny/Cargo.toml", "[package]\nname = \"tiny\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
                ("vendor/tiny/src/lib.rs", "pub fn two() -> u8 { 2 }\n"),
                ("vendor/tiny/.cargo-checksum.json", "{\"files\":{},\"package\":null}"),
                (
                    ".cargo/config.toml",
                    "[source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = \"vendor\"\n",
                ),
            ],
        );
        // The toolchain lies in somebody's home: a profile of the operator's own shows it.
        let (root, memory_by) = (sysroot.display(), bench.profile("workspace").limits.memory_by.as_str());
        let text = format!(
            "[profile.rust]\nmemory_by = \"{memory_by}\"\n[profile.rust.files]\n\"{root}\" = \"ro\"\n\
             [profile.rust.env]\nset = {{ PATH = \"{root}/bin:/usr/bin:/bin\", CARGO_TERM_COLOR = \"never\" }}\n"
        );
        let profile = Profiles::parse(&text).unwrap().get("rust").unwrap().clone();
        let run = bench.run_in(&profile, &["/bin/sh", "-ec", "cargo build --offline && ./target/debug/x"]);
        assert_eq!((run.exit.clone(), run.stdout.trim()), (Exit::Code(0), "2"), "{who:?} {run:?}");
        let set = WriteSet::of(run.written.into_iter().next().unwrap()).unwrap();
        assert!(set.commit(&BTreeSet::new(), &bench.journals()).unwrap() > 3);
        assert!(bench.workspace.join("target/debug/x").exists());
    }
}
