//! A policy that changes while calls are judged: all files at once or none, and not for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callgate_core::judge;
use callgate_core::seam::{Policies, Stale};
use callgate_policy::{Exposure, Rule, Store};

use crate::support::{FACTS, brief, call, facts};

struct World {
    dir: tempfile::TempDir,
    store: Store,
    seconds: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::files::write(dir.path());
        let seconds = Arc::new(AtomicU64::new(1000));
        let clock = Arc::clone(&seconds);
        let clock = Box::new(move || Duration::from_secs(clock.load(Ordering::SeqCst)));
        let store = Store::load_at(dir.path(), FACTS, Exposure::Refuse, clock).unwrap();
        Self { dir, store, seconds }
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.path().join(path), text).unwrap();
    }

    fn verdict(&self) -> String {
        match self.store.current() {
            Ok(snapshot) => brief(&judge(&call("s1", "bank.balance", "{}"), &facts(), &*snapshot)),
            Err(Stale) => "stale".to_owned(),
        }
    }
}

const OPEN: &str = "permit (principal, action == Action::\"bank.balance\", resource);";

#[test]
fn a_good_change_acts_on_the_next_call() {
    let world = World::new();
    assert_eq!(world.verdict(), "allow permitted");
    let before = world.store.current().unwrap();
    world.write("policies/p.cedar", &format!("{OPEN} forbid (principal, action, resource);"));
    assert_eq!(world.verdict(), "allow permitted", "only a reload changes anything");
    world.store.reload().expect("loaded");
    assert_eq!(world.verdict(), "deny forbidden");
    assert_ne!(before.digest(), world.store.current().unwrap().digest());
    let old = brief(&judge(&call("s1", "bank.balance", "{}"), &facts(), &*before));
    assert_eq!(old, "allow permitted", "a call is judged by exactly one snapshot");
}

#[test]
fn a_bad_change_leaves_the_last_good_one_until_it_is_stale() {
    let world = World::new();
    let good = world.store.current().unwrap().digest();
    for (path, bad) in [
        ("policies/p.cedar", "permit (principal, action,"),
        ("policies/p.cedar", "permit (principal, action == Action::\"no.such\", resource);"),
        ("entities.toml", "[agent.s1"),
        ("tools/bank.json", "{\"server\": \"bank\", \"tools\": ["),
    ] {
        let text = std::fs::read_to_string(world.dir.path().join(path)).unwrap();
        world.write(path, bad);
        assert!(world.store.reload().is_err(), "{bad}");
        assert!(world.store.failure().is_some());
        assert_eq!((world.verdict().as_str(), world.store.current().unwrap().digest()), ("allow permitted", good));
        world.write(path, &text);
        world.store.reload().expect("mended");
        assert_eq!(world.store.failure(), None);
    }
    std::fs::rename(world.dir.path().join("entities.toml"), world.dir.path().join("moved")).unwrap();
    assert!(world.store.reload().is_ok(), "without entities nobody is known");
    assert_eq!(world.verdict(), "deny unknown_agent");
}

#[test]
fn a_missing_directory_is_a_bad_change() {
    let world = World::new();
    let moved = world.dir.path().with_extension("moved");
    std::fs::rename(world.dir.path(), &moved).unwrap();
    let error = world.store.reload().expect_err("refused");
    assert_eq!(error.findings()[0].rule, Rule::Unreadable);
    assert_eq!(world.verdict(), "allow permitted");
    std::fs::rename(&moved, world.dir.path()).unwrap();
}

#[test]
fn a_stale_policy_denies_until_it_is_mended() {
    let world = World::new();
    world.write("policies/p.cedar", "nonsense");
    assert!(world.store.reload().is_err());
    world.seconds.fetch_add(600, Ordering::SeqCst);
    assert!(world.store.reload().is_err(), "another failure does not start the time again");
    world.seconds.fetch_add(299, Ordering::SeqCst);
    assert_eq!(world.verdict(), "allow permitted");
    world.seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(world.verdict(), "stale");
    world.write("policies/p.cedar", OPEN);
    world.store.reload().expect("mended");
    assert_eq!(world.verdict(), "allow permitted");
}

#[test]
fn the_digest_covers_what_can_change_a_verdict_and_nothing_else() {
    let world = World::new();
    let digest = || world.store.reload().expect("loaded").clone();
    use callgate_core::seam::Snapshot;
    let first = digest().digest();
    assert_eq!(first, digest().digest());
    world.write("policies/p.cedar", &format!("{OPEN} // a remark"));
    assert_eq!(first, digest().digest(), "remarks decide nothing");
    world.write(
        "callgate.toml",
        &format!("[gate]\nname = \"x\"\n{}", std::fs::read_to_string(world.dir.path().join("callgate.toml")).unwrap()),
    );
    assert_eq!(first, digest().digest(), "names decide nothing");
    let entities = std::fs::read_to_string(world.dir.path().join("entities.toml")).unwrap();
    world.write("entities.toml", &entities.replace("uid = 1001", "uid = 1001\nrevoked = true"));
    let revoked = digest().digest();
    assert_ne!(first, revoked);
    world.write("entities.toml", &entities);
    assert_eq!(first, digest().digest());
    let bank = std::fs::read_to_string(world.dir.path().join("tools/bank.json")).unwrap();
    world.write("tools/bank.json", &bank.replace("Be careful.", "Be bold."));
    assert_ne!(first, digest().digest());
}
