//! Who else could change the configuration, with the permissions that file systems really have.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use callgate_policy::{Exposure, Finding, GateFiles, Rule, Severity, Store};

use crate::support::FACTS;

/// A gate in a folder of its own, in a folder that nobody else can enter.
struct World {
    _outer: tempfile::TempDir,
    gate: PathBuf,
}

impl World {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let gate = outer.path().join("between/gate");
        std::fs::create_dir_all(&gate).unwrap();
        crate::files::write(&gate);
        let world = Self { _outer: outer, gate };
        // Whatever the umask of whoever runs this is.
        for path in ["..", "", "policies", "tools"] {
            world.chmod(path, 0o755);
        }
        for path in [
            "callgate.toml",
            "entities.toml",
            "policies/p.cedar",
            "tools/bank.json",
            "tools/fs.json",
            "tools/mail.json",
        ] {
            world.chmod(path, 0o644);
        }
        world
    }

    fn chmod(&self, path: &str, mode: u32) {
        chmod(&self.gate.join(path), mode);
    }

    fn load(&self, exposure: Exposure) -> Result<Store, callgate_policy::LoadError> {
        Store::load(&self.gate, FACTS, exposure)
    }

    fn remarks(&self) -> Vec<Finding> {
        GateFiles::read(&self.gate).expect("read").remarks().to_vec()
    }

    /// Checks that exactly one thing is exposed: a warning to who looks, an error to who enforces.
    #[track_caller]
    fn assert_exposed(&self, file: &str, fault: &str, mend: &str) {
        let remarks = self.remarks();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        let Finding { rule, file: at, message, help, .. } = &remarks[0];
        assert_eq!((*rule, &**at, remarks[0].severity()), (Rule::ExposedConfiguration, file, Severity::Warning));
        assert!(message.contains(fault), "{message}");
        assert!(help.as_ref().is_some_and(|help| help.starts_with(mend)), "{help:?}");
        assert_eq!(self.load(Exposure::Warn).expect("shown").findings(), remarks);
        let Err(refused) = self.load(Exposure::Refuse) else { panic!("{file} is enforced") };
        assert_eq!(refused.findings()[0].severity(), Severity::Error);
        assert_eq!(refused.findings()[0].to_string(), remarks[0].to_string());
    }

    #[track_caller]
    fn assert_sheltered(&self) {
        assert_eq!(self.remarks(), []);
        assert!(self.load(Exposure::Refuse).is_ok());
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Whether files can be given to others here. A test that needs it says so if not.
fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: {test} gives files to others, which only root may");
    }
    root
}

#[test]
fn what_only_its_owner_can_write_is_loaded() {
    let world = World::new();
    world.assert_sheltered();
    for (folder, file) in [(0o700, 0o600), (0o755, 0o644), (0o555, 0o444)] {
        world.chmod("policies", folder);
        world.chmod("policies/p.cedar", file);
        world.chmod("", folder);
        world.assert_sheltered();
        world.chmod("", 0o755);
        world.chmod("policies", 0o755);
    }
}

#[test]
fn a_group_of_ones_own_is_oneself() {
    let world = World::new();
    for path in ["", "policies", "..", "policies/p.cedar"] {
        let _ = chown(world.gate.join(path), None, Some(rustix::process::getegid().as_raw()));
        let mode = if path.ends_with("cedar") { 0o664 } else { 0o775 };
        world.chmod(path, mode);
    }
    world.assert_sheltered();
}

#[test]
fn what_every_user_can_write_is_exposed() {
    for (path, file, mode) in [
        ("", "", 0o777),
        // To add a file is enough, so that the sticky bit is no help here.
        ("", "", 0o1777),
        ("policies", "policies", 0o757),
        ("policies/p.cedar", "policies/p.cedar", 0o646),
        ("callgate.toml", "callgate.toml", 0o666),
        ("..", "", 0o777),
    ] {
        let world = World::new();
        if mode & 0o020 != 0 {
            let _ = chown(world.gate.join(path), None, Some(rustix::process::getegid().as_raw()));
        }
        world.chmod(path, mode);
        world.assert_exposed(file, "can be written by every user", "chmod o-w /");
    }
}

#[test]
fn a_lock_and_an_empty_folder_count() {
    let world = World::new();
    std::fs::create_dir(world.gate.join("tests")).unwrap();
    world.chmod("tests", 0o757);
    world.assert_exposed("tests", "can be written by every user", "chmod o-w /");
    world.chmod("tests", 0o755);
    let files = GateFiles::read(&world.gate).unwrap();
    callgate_policy::lock::write(&world.gate, &files).unwrap();
    world.chmod("gate.lock", 0o646);
    world.assert_exposed("gate.lock", "can be written by every user", "chmod o-w /");
}

#[test]
fn a_sticky_folder_on_the_way_keeps_what_is_ours() {
    let world = World::new();
    world.chmod("..", 0o1777);
    world.assert_sheltered();
    if is_root("a_sticky_folder_on_the_way_keeps_what_is_ours") {
        chown(&world.gate, Some(4242), None).unwrap();
        let found: Vec<_> = world.remarks().iter().map(|remark| remark.message.clone()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("belongs to user 4242") && found[1].contains("can be written by every user"));
    }
}

#[test]
fn what_belongs_to_others_is_exposed() {
    if !is_root("what_belongs_to_others_is_exposed") {
        return;
    }
    for (path, file) in [("", ""), ("policies", "policies"), ("tools/fs.json", "tools/fs.json"), ("..", "")] {
        let world = World::new();
        chown(world.gate.join(path), Some(4242), None).unwrap();
        world.assert_exposed(file, "belongs to user 4242", "chown root /");
    }
    for (path, file) in [("", ""), ("policies", "policies"), ("tools/fs.json", "tools/fs.json"), ("..", "")] {
        let world = World::new();
        chown(world.gate.join(path), None, Some(4242)).unwrap();
        world.assert_sheltered();
        world.chmod(path, if path.ends_with("json") { 0o664 } else { 0o775 });
        world.assert_exposed(file, "can be written by group 4242", "chmod g-w /");
    }
}

#[test]
fn a_link_on_the_way_is_as_exposed_as_where_it_lies() {
    let world = World::new();
    let aside = tempfile::tempdir().unwrap();
    let link = aside.path().join("gate");
    symlink(&world.gate, &link).unwrap();
    let remarks = || GateFiles::read(&link).expect("read").remarks().to_vec();
    assert_eq!(remarks(), []);
    chmod(aside.path(), 0o757);
    assert_eq!(remarks().len(), 1, "{:?}", remarks());
    assert!(remarks()[0].message.starts_with(&aside.path().canonicalize().unwrap().display().to_string()));
    chmod(aside.path(), 0o1777);
    assert_eq!(remarks(), [], "nobody else can replace the link");

    let within = World::new();
    std::fs::create_dir(within.gate.join(".stock")).unwrap();
    std::fs::rename(within.gate.join("policies/p.cedar"), within.gate.join(".stock/p")).unwrap();
    symlink("../.stock/p", within.gate.join("policies/p.cedar")).unwrap();
    within.assert_sheltered();
    within.chmod(".stock", 0o757);
    within.assert_exposed("", "/.stock can be written by every user", "chmod o-w /");
}

#[test]
fn a_reload_refuses_what_became_exposed() {
    let world = World::new();
    let (strict, lax) = (world.load(Exposure::Refuse).unwrap(), world.load(Exposure::Warn).unwrap());
    world.chmod("policies", 0o757);
    assert!(strict.reload().is_err() && strict.failure().is_some());
    assert!(lax.reload().is_ok() && lax.findings().len() == 1);
    world.chmod("policies", 0o755);
    assert!(strict.reload().is_ok() && strict.failure().is_none());
    assert!(lax.reload().is_ok() && lax.findings().is_empty());
}
