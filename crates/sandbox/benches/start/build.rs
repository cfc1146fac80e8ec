//! A real build with a vendored dependency, inside and outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use callgate_sandbox::{Exit, Profiles, Request, Streams, compile};

use crate::Ground;
use crate::times::Contest;

/// A package that depends on another, both with something to compile.
fn plant(folder: &Path) {
    let many: String = (0..400)
        .map(|n| format!("pub fn f{n}(x: u64) -> String {{ format!(\"{{:?}}\", vec![x; {n}].iter().map(|y| y ^ {n}).collect::<Vec<_>>()) }}\n"))
        .collect();
    for (path, text) in [
        (
            "Cargo.toml",
            "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nmany = \"1.0.0\"\n",
        ),
        ("src/main.rs", "fn main() { println!(\"{}\", many::f7(1)); }\n"),
        ("vendor/many/Cargo.toml", "[package]\nname = \"many\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
        ("vendor/many/src/lib.rs", &many),
        ("vendor/many/.cargo-checksum.json", "{\"files\":{},\"package\":null}"),
        (".cargo/config.toml", "[source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = \"vendor\"\n"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub(crate) fn measure(ground: &Ground) {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim()).canonicalize().unwrap();
    let root = sysroot.display();
    let folder = ground.folder.path().join("package");
    plant(&folder);
    let memory_by = ground.profiles.get(ground.profile).unwrap().limits.memory_by.as_str();
    let path = format!("{root}/bin:/usr/bin:/bin");
    let text = format!(
        "[profile.rust]\nmemory_by = \"{memory_by}\"\n[profile.rust.files]\n\"{root}\" = \"ro\"\n\
         [profile.rust.env]\nset = {{ PATH = \"{path}\" }}\n"
    );
    let profiles = Profiles::parse(&text).unwrap();
    let command = ["cargo", "build", "--offline", "--quiet"];
    let request = Request {
        command: command.iter().map(Into::into).collect(),
        workspace: Some(folder.clone()),
        ..Request::default()
    };
    let plan = compile(profiles.get("rust").unwrap(), &request, &ground.host).unwrap();
    let mut contest = Contest::new("cargo build with a vendored dependency, from nothing");
    contest.enter_timed("outside", || {
        let _ = fs::remove_dir_all(folder.join("target"));
        let start = Instant::now();
        let mut build = Command::new(sysroot.join("bin/cargo"));
        build.args(&command[1..]).current_dir(&folder).env_clear().env("PATH", &path).env("HOME", &folder);
        assert!(build.stdout(Stdio::null()).status().unwrap().success());
        let took = start.elapsed();
        fs::remove_dir_all(folder.join("target")).unwrap();
        took
    });
    // What it writes is discarded with the run.
    contest.enter("inside, copy-on-write", || {
        let finished = ground.launcher.launch(&plan, Streams::none()).unwrap().wait().unwrap();
        assert_eq!(finished.ending.exit, Exit::Code(0));
    });
    contest.run(std::env::var("CALLGATE_LONG").map_or(7, |_| 30));
}
