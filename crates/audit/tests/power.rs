//! What a cut of power takes beside the records: everything that was written and not synced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/log.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callgate_audit::{LogDir, Reader, Writer, WriterOptions, verify};
use faults::{Faults, Faulty};
use support::{Log, decision, options};

/// No checkpoint but those that are asked for.
fn unhurried(faults: &Arc<Faults>) -> WriterOptions {
    let storage = Arc::new(Faulty(Arc::clone(faults)));
    WriterOptions { storage, checkpoint_every: Duration::from_secs(3600), ..options() }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to)
        } else {
            assert!(fs::copy(entry.path(), to).is_ok())
        }
    }
}

/// What is on the disk of a log while it is written.
fn cut(dir: &LogDir) -> (tempfile::TempDir, LogDir) {
    let root = tempfile::tempdir().unwrap();
    copy(dir.root(), root.path());
    let dir = LogDir::open(root.path()).unwrap();
    (root, dir)
}

/// A log of `records`, the first `signed` of them under checkpoints, as a cut leaves it.
fn crashed(records: u64, signed: u64) -> (tempfile::TempDir, LogDir) {
    let log = Log::new();
    let writer = Writer::open(&log.dir, unhurried(&Faults::none())).unwrap();
    for at in 0..records {
        writer.append_blocking(decision("ann", at)).unwrap();
        if at + 1 == signed || at + 3 == signed {
            writer.checkpoint_now().unwrap();
        }
    }
    cut(&log.dir)
}

fn partial_tiles(under: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            partial_tiles(&path, found);
        } else if path.parent().unwrap().extension().is_some_and(|extension| extension == "p") {
            found.push(path);
        }
    }
}

#[test]
fn partial_tiles_that_a_cut_emptied_are_written_again_at_the_start() {
    // The checkpoint's tiles are still the last, or one of them is full now, or all of them are.
    for (records, signed) in [(5, 5), (9, 5), (255, 250), (256, 250), (300, 250), (300, 300), (520, 255)] {
        for damage in ["empty", "gone", "torn"] {
            let (_root, dir) = crashed(records, signed);
            let mut tiles = Vec::new();
            partial_tiles(&dir.public_path(), &mut tiles);
            assert!(tiles.len() >= 4, "of the last checkpoint and of the one before it: {tiles:?}");
            for tile in &tiles {
                match damage {
                    "gone" => fs::remove_file(tile).unwrap(),
                    "torn" => fs::write(tile, vec![0; fs::read(tile).unwrap().len()]).unwrap(),
                    _ => fs::write(tile, b"").unwrap(),
                }
            }
            // One that was written for a checkpoint that never came.
            let stray = tiles[0].with_file_name("255");
            fs::write(&stray, b"").unwrap();
            assert!(verify(&dir, &Log::trusted_of(&dir)).is_err());
            let about = format!("{records} records, {signed} signed, {damage}");
            let writer = Writer::open(&dir, unhurried(&Faults::none())).unwrap();
            let verified = verify(&dir, &Log::trusted_of(&dir)).unwrap_or_else(|error| panic!("{about}: {error}"));
            assert_eq!((verified.checkpoint.size, verified.unsigned), (signed, records - signed), "{about}");
            writer.append_blocking(decision("ann", records)).unwrap();
            writer.stop().unwrap();
            assert_eq!(verify(&dir, &Log::trusted_of(&dir)).unwrap().checkpoint.size, records + 1, "{about}");
        }
    }
}

#[test]
fn what_a_killed_gate_left_in_memory_is_durable_before_anything_is_signed_over_it() {
    let (_root, dir) = crashed(5, 3);
    let faults = Faults::none();
    faults.fail_sync.store(true, Ordering::SeqCst);
    assert!(Writer::open(&dir, unhurried(&faults)).is_err(), "records that cannot be synced must not be built upon");
    let writer = Writer::open(&dir, unhurried(&faults)).unwrap();
    let opened = faults.syncs.load(Ordering::SeqCst);
    assert_eq!(opened, 2, "the segment, each time");
    writer.checkpoint_now().unwrap();
    assert!(faults.syncs.load(Ordering::SeqCst) > opened, "the disclosures behind the checkpoint, too");
    writer.stop().unwrap();
    assert_eq!(verify(&dir, &Log::trusted_of(&dir)).unwrap().disclosures.unwrap().gone, 0);
}

fn lose_disclosures(dir: &LogDir) {
    for entry in fs::read_dir(dir.root().join("disclosures")).unwrap() {
        fs::write(entry.unwrap().path(), b"").unwrap();
    }
}

#[test]
fn no_checkpoint_covers_lost_disclosures_before_the_log_says_that_they_are_lost() {
    let (_root, dir) = crashed(5, 0);
    lose_disclosures(&dir);
    let faults = Faults::none();
    let hurried = WriterOptions { checkpoint_every: Duration::ZERO, ..unhurried(&faults) };
    std::thread::scope(|scope| {
        let slow = faults.gate.lock().unwrap();
        let opening = scope.spawn(|| Writer::open(&dir, hurried).unwrap());
        std::thread::sleep(Duration::from_millis(300));
        let (_now, cut) = cut(&dir);
        assert_eq!(cut.checkpoint(&cut.trusted_keys().unwrap()).unwrap().size, 0);
        drop(slow);
        let writer = opening.join().unwrap();
        assert_eq!(writer.checkpoint_now().unwrap(), 6);
        writer.stop().unwrap();
    });
    let counts = verify(&dir, &Log::trusted_of(&dir)).unwrap().disclosures.unwrap();
    assert!(counts.gone > 0 && counts.is_sound() && counts.recorded == counts.gone, "{counts:?}");
}

#[test]
fn lost_disclosures_are_recorded_once_however_often_the_power_goes() {
    let (_root, dir) = crashed(5, 3);
    lose_disclosures(&dir);
    let first = Writer::open(&dir, unhurried(&Faults::none())).unwrap();
    let (_cut, dir) = cut(&dir);
    drop(first);
    let second = Writer::open(&dir, unhurried(&Faults::none())).unwrap();
    second.append_blocking(decision("ann", 9)).unwrap();
    second.stop().unwrap();
    let recoveries = Reader::open(&dir)
        .records(0)
        .unwrap()
        .filter(|shown| shown.as_ref().unwrap().leaf.get("kind").unwrap().as_str() == Some("recovery"));
    assert_eq!(recoveries.count(), 1);
}
