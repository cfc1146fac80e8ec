//! Tests once more, as an ordinary user: the same program, with what it starts where such a user can reach it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::house::{CALLGATE, PARTS, copy, quickstart, text};

/// Nobody else's number.
const SOMEBODY: u32 = 4242;

/// Runs the tests of this program whose names have `filter` in them, without those that `skip` names, as an ordinary
/// user without groups. `programs` are what they start beside `callgate`, by the names of [`crate::house::part`].
pub(crate) fn runs(filter: &str, skip: &[&str], programs: &[(&str, PathBuf)]) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not again as an ordinary user: that is who runs these tests");
        return;
    }
    let folder = tempfile::Builder::new().prefix("callgate-").tempdir_in("/var/tmp").unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    install(Path::new(CALLGATE), &inside("callgate"));
    install(&std::env::current_exe().unwrap(), &inside("tests"));
    programs.iter().for_each(|(name, program)| install(program, &inside(name)));
    copy(&quickstart(), &inside("quickstart"));
    let home = inside("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let mut tests = Command::new(inside("tests"));
    tests.arg(filter).args(skip.iter().flat_map(|name| ["--skip", name]));
    // Without a list of groups of its own, it is started with none.
    tests.uid(SOMEBODY).gid(SOMEBODY).current_dir(&home).stdin(Stdio::null());
    tests.env(PARTS, folder.path()).env("TMPDIR", &home).env("HOME", &home).env_remove("XDG_RUNTIME_DIR");
    let ran = tests.output().unwrap();
    let said = format!("{}{}", text(&ran.stdout), text(&ran.stderr));
    assert!(ran.status.success() && !said.contains(" 0 passed"), "as an ordinary user:\n{said}");
}

/// By another process: were it open for writing here, a child that another thread forks at that moment would have it
/// open, too, and it could not be executed.
fn install(from: &Path, to: &Path) {
    let installed = Command::new("/usr/bin/install").arg("-m755").arg(from).arg(to).status().unwrap();
    assert!(installed.success(), "{}", from.display());
}
