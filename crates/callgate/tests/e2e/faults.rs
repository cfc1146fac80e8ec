//! Full disks, damaged logs, wrong keys: a clear denial or error each, and nothing hangs.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::house::{House, finish, missing, text};

const CALL: &[u8] = br#"{"agent":"support-1","tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#;

/// A file system of its own, small enough to fill; needs root.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("makes a folder");
        let options = format!("size={size},mode=0711");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    fn remount(&self, mode: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(&self.0).status();
        assert!(status.expect("mounts").success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn p06_a_full_disk_denies_and_loses_nothing() {
    let house = House::quickstart();
    let small = Small::mount(&house.state(), "96m");
    if missing("the right to mount a file system", small.is_some()) {
        return;
    }
    let serve = house.serve();
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    let mut allowed = 1;
    // Everything but a few pages is taken by somebody else.
    let hog = house.state().join("hog");
    let _ = fs::write(&hog, vec![b'x'; 96 << 20]);
    let mut denied = None;
    for _ in 0..2000 {
        let (code, answer) = house.json(&["decide"], CALL);
        if code != 0 {
            denied = Some((code, answer));
            break;
        }
        allowed += 1;
    }
    let (code, answer) = denied.expect("a full disk denies");
    assert_eq!((code, &answer["reasons"][0]["code"]), (2, &json!("audit_unavailable")), "{answer}");
    assert_ne!(house.json(&["status"], b"").0, 0, "status must not be well");
    fs::remove_file(hog).expect("frees the disk");
    drop(serve);
    let _serve = house.serve();
    let (code, verified) = house.json(&["audit", "verify"], b"");
    assert_eq!(code, 0, "{verified}");
    let whole = verified["size"].as_u64().zip(verified["unsigned"].as_u64());
    assert!(whole.is_some_and(|(signed, unsigned)| signed + unsigned >= allowed), "{verified}");
    assert_eq!(house.json(&["decide"], CALL).0, 0, "a gate with room again works again");
}

#[test]
fn p06_a_read_only_log_denies() {
    let house = House::quickstart();
    let small = Small::mount(&house.state(), "96m");
    if missing("the right to mount a file system", small.is_some()) {
        return;
    }
    let small = small.expect("mounted");
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    small.remount("ro");
    let output = house.run(&["decide"], CALL);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stderr).to_lowercase().contains("read-only"), "{}", text(&output.stderr));
    let mut serve = house.serve_command();
    let output = finish(&mut serve, b"");
    assert!(!output.status.success());
    small.remount("rw");
}

#[test]
fn a_damaged_log_is_refused_and_found_by_verify() {
    let house = House::quickstart();
    for _ in 0..5 {
        assert_eq!(house.json(&["decide"], CALL).0, 0);
    }
    assert_eq!(house.json(&["audit", "verify"], b"").0, 0);
    let segment = newest_segment(&house.state().join("log"));
    let mut bytes = fs::read(&segment).expect("reads");
    let at = bytes.windows(8).position(|window| window == b"decision").expect("a record");
    bytes[at] ^= 1;
    fs::write(&segment, bytes).expect("writes");
    assert_ne!(house.json(&["audit", "verify"], b"").0, 0);
    let output = house.run(&["decide"], CALL);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    let mut serve = house.serve_command();
    assert!(!finish(&mut serve, b"").status.success(), "a gate must not go on with a log that was changed");
}

#[test]
fn a_wrong_key_does_not_verify() {
    let (house, other) = (House::quickstart(), House::quickstart());
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    assert_eq!(other.json(&["decide"], CALL).0, 0);
    let key = |house: &House| house.json(&["audit", "key"], b"").1["vkey"].as_str().expect("a key").to_owned();
    assert_eq!(house.json(&["audit", "verify", "--key", &key(&house)], b"").0, 0);
    let output = house.run(&["audit", "verify", "--key", &key(&other)], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn a_saved_checkpoint_shows_a_rolled_back_log() {
    let house = House::quickstart();
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    crate::house::copy(&house.state(), &house.path().join("earlier"));
    assert_eq!(house.json(&["decide"], CALL).0, 0);
    let saved = house.path().join("saved");
    fs::copy(house.state().join("log/public/checkpoint"), &saved).expect("saves");
    let verify = |house: &House| {
        let saved = saved.to_str().expect("utf-8");
        house.run(&["audit", "verify", "--checkpoint", saved], b"").status.code()
    };
    assert_eq!(verify(&house), Some(0));
    fs::remove_dir_all(house.state()).expect("removes");
    crate::house::copy(&house.path().join("earlier"), &house.state());
    assert_eq!(house.json(&["audit", "verify"], b"").0, 0, "alone, the older log is whole");
    assert_eq!(verify(&house), Some(1), "against the saved checkpoint it is not");
}

#[test]
fn after_erasure_nothing_is_disclosed_and_the_log_still_verifies() {
    let house = House::quickstart();
    let call = br#"{"agent":"support-1","session":"s-1","tool":"desk.send_email","arguments":{"to":"ann@company.com","subject":"s","body":"b"}}"#;
    let (_, answer) = house.json(&["decide"], call);
    let index = answer["receipt"]["index"].as_u64().expect("an index").to_string();
    assert!(house.json(&["audit", "show", &index], b"").1.to_string().contains("ann@company.com"));
    assert!(house.run(&["audit", "erase", "--agent", "support-1"], b"").status.success());
    assert!(!house.json(&["audit", "show", &index], b"").1.to_string().contains("ann@company.com"));
    assert_eq!(house.json(&["audit", "verify"], b"").0, 0);
    let mut files = vec![house.state()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).expect("reads").map(|entry| entry.expect("an entry").path()));
        } else if let Ok(bytes) = fs::read(&path) {
            let found = bytes.windows(15).any(|window| window == b"ann@company.com");
            assert!(!found, "{} still holds the recipient", path.display());
        }
    }
}

fn newest_segment(log: &Path) -> std::path::PathBuf {
    let mut segments: Vec<_> =
        fs::read_dir(log.join("wal")).expect("reads").map(|entry| entry.expect("an entry").path()).collect();
    segments.sort();
    segments.into_iter().rfind(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)).expect("a segment")
}
