//! A real file system that is full, and one that is read-only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/log.rs"]
mod support;

use callgate_audit::{LogDir, Writer, WriterOptions, verify};
use callgate_core::Kind;
use callgate_core::seam::LogError;
use support::{decision, note, options};

/// A file system of four megabytes, if this user may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m,mode=700", "callgate"]).arg(at.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn make_read_only(&self) {
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-o", "remount,ro"]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_real_disk_that_fills_up_refuses_agents_first_and_one_that_is_read_only_is_named() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: this user may not mount a tmpfs");
        return;
    };
    let dir = LogDir::create(&disk.0.path().join("audit"), support::ORIGIN).unwrap();
    let tight = WriterOptions { reserve_bytes: 256 << 10, floor_bytes: 0, ..options() };
    let writer = Writer::open(&dir, tight.clone()).unwrap();
    assert!(dir.root().join("reserve").exists());
    let mut kept = 0;
    let error = loop {
        match writer.append_blocking(decision("eve", kept)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, LogError::Unavailable(why) if why.contains("full")), "{error}");
    assert!(kept > 200, "{kept}");
    for _ in 0..20 {
        writer.append_blocking(note(Kind::Credential)).expect("the operator has the reserve");
    }
    assert_eq!(writer.status().poisoned, None);
    drop(writer);
    let verified = verify(&dir, &support::Log::trusted_of(&dir)).unwrap();
    assert!(verified.checkpoint.size + verified.unsigned >= kept + 20);
    disk.make_read_only();
    let error = Writer::open(&dir, tight).unwrap_err();
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    assert!(verify(&dir, &support::Log::trusted_of(&dir)).is_ok(), "reading needs no writing");
}
