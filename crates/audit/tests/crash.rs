//! What a crash, a cut of power, a full or broken disk and a hand in the files leave behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/log.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callgate_audit::{AuditError, LogDir, Reader, Writer, WriterOptions, verify};
use callgate_core::Kind;
use callgate_core::seam::{Log as _, LogError};
use faults::{Faults, Faulty};
use support::{Log, decision, note, options};

fn with(faults: &Arc<Faults>) -> WriterOptions {
    WriterOptions { storage: Arc::new(Faulty(Arc::clone(faults))), ..options() }
}

/// No checkpoint but those that are asked for.
fn unhurried() -> WriterOptions {
    WriterOptions { checkpoint_every: Duration::from_secs(3600), ..options() }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn files(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A log of five records, three of them under a checkpoint, as a kill would leave it. Gives its directory and how
/// many bytes the first three and four records take.
fn crashed() -> (tempfile::TempDir, LogDir, [u64; 2]) {
    let log = Log::new();
    let writer = Writer::open(&log.dir, unhurried()).unwrap();
    let segment = log.dir.root().join("wal/00000000000000000000.wal");
    let data = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        u64::try_from(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1).unwrap()
    };
    for at in 0..3 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.checkpoint_now().unwrap();
    let three = data(&segment);
    writer.append_blocking(decision("ann", 3)).unwrap();
    let four = data(&segment);
    writer.append_blocking(note(Kind::Credential)).unwrap();
    // What is on the disk now is what a kill would leave.
    let root = tempfile::tempdir().unwrap();
    copy(log.dir.root(), root.path());
    writer.stop().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    (root, dir, [three, four])
}

fn again(root: &Path) -> (tempfile::TempDir, LogDir) {
    // Where syncing costs nothing, if there is such a place: this is about bytes.
    let other = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    copy(root, other.path());
    let dir = LogDir::open(other.path()).unwrap();
    (other, dir)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_away_and_recorded() {
    let (root, _, [three, four]) = crashed();
    let segment = Path::new("wal/00000000000000000000.wal");
    let end = fs::read(root.path().join(segment)).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in usize::try_from(four).unwrap() + 1..end {
        let (other, dir) = again(root.path());
        let file = fs::OpenOptions::new().write(true).open(other.path().join(segment)).unwrap();
        file.set_len(u64::try_from(cut).unwrap()).unwrap();
        if cut % 2 == 0 {
            // Space that was allocated ahead reads as zeros.
            file.set_len(1 << 20).unwrap();
        }
        let bytes = fs::read(other.path().join(segment)).unwrap();
        let torn = &bytes[usize::try_from(four).unwrap()..];
        let lost = u64::try_from(torn.iter().rposition(|byte| *byte != 0).unwrap() + 1).unwrap();
        let writer = Writer::open(&dir, unhurried()).unwrap();
        assert_eq!(writer.status().lost_bytes, lost, "cut at {cut}");
        writer.append_blocking(decision("ann", 9)).unwrap();
        writer.stop().unwrap();
        let verified = verify(&dir, &support::Log::trusted_of(&dir)).unwrap();
        assert_eq!((verified.checkpoint.size, verified.torn_bytes), (6, 0), "cut at {cut}");
        assert_eq!(verified.disclosures.unwrap().gone, 0);
        let recovery = Reader::open(&dir).record(4).unwrap();
        assert_eq!(recovery.leaf.get("kind").unwrap().as_str(), Some("recovery"));
    }
    // Below the checkpoint it is no torn write.
    for cut in [64, 65, three - 1] {
        let (other, dir) = again(root.path());
        fs::OpenOptions::new().write(true).open(other.path().join(segment)).unwrap().set_len(cut).unwrap();
        assert!(matches!(Writer::open(&dir, unhurried()), Err(AuditError::Tampered(_))), "cut at {cut}");
        assert!(matches!(verify(&dir, &support::Log::trusted_of(&dir)), Err(AuditError::Tampered(_))));
    }
}

#[test]
fn damage_before_a_later_batch_is_no_torn_write() {
    let (root, dir, [three, _]) = crashed();
    let path = root.path().join("wal/00000000000000000000.wal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(three).unwrap() + 10] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Writer::open(&dir, unhurried()), Err(AuditError::Tampered(_))));
}

#[test]
fn any_flipped_bit_of_a_log_is_noticed() {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..6 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.stop().unwrap();
    let options = log.trusted();
    let before = verify(&log.dir, &options).unwrap();
    for path in files(log.dir.root()) {
        let name = path.strip_prefix(log.dir.root()).unwrap().to_owned();
        if name.starts_with("keys") || name.ends_with("lock") || name.ends_with("reserve") {
            continue;
        }
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let found = LogDir::open(log.dir.root()).and_then(|dir| verify(&dir, &options));
            let noticed = match &found {
                Err(_) => true,
                // Disclosures are not evidence: a changed one counts as gone.
                Ok(after) => *after != before && name.starts_with("disclosures"),
            };
            // The em dash and the base64 alphabet leave no slack; nothing may pass.
            assert!(noticed, "byte {at} of {}: {found:?}", name.display());
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(verify(&log.dir, &options).unwrap(), before);
}

#[test]
fn removed_records_and_rolled_back_tails_are_noticed() {
    let log = Log::new();
    let small = WriterOptions { segment_bytes: 4096, ..options() };
    let writer = Writer::open(&log.dir, small.clone()).unwrap();
    for at in 0..40 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.stop().unwrap();
    let early = tempfile::tempdir().unwrap();
    copy(log.dir.root(), early.path());
    let writer = Writer::open(&log.dir, small).unwrap();
    for at in 40..60 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.stop().unwrap();
    let mut options = log.trusted();
    options.saved =
        vec![log.dir.checkpoint_bytes().unwrap(), fs::read(early.path().join("public/checkpoint")).unwrap()];
    assert_eq!(verify(&log.dir, &options).unwrap().saved, [40, 60]);
    // An older image of the disk is whole in itself, but not what was signed since.
    let rolled_back = LogDir::open(early.path()).unwrap();
    let error = verify(&rolled_back, &options).unwrap_err().to_string();
    assert!(error.contains("rolled back"), "{error}");
    options.saved.clear();
    assert!(verify(&rolled_back, &options).is_ok());
    // Each segment is needed.
    for path in files(&log.dir.root().join("wal")) {
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(verify(&log.dir, &options), Err(AuditError::Tampered(_))), "{}", path.display());
        assert!(matches!(Writer::open(&log.dir, unhurried()), Err(AuditError::Tampered(_))), "{}", path.display());
        fs::write(&path, whole).unwrap();
    }
    verify(&log.dir, &options).unwrap();
    // So is each tile.
    for path in files(&log.dir.root().join("public/tile")) {
        if !path.to_str().unwrap().ends_with(".p/60") {
            continue;
        }
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(verify(&log.dir, &options), Err(AuditError::Tampered(_))), "{}", path.display());
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn tiles_that_a_power_cut_took_are_written_again() {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..600 {
        drop(writer.append(decision("ann", at)));
    }
    writer.stop().unwrap();
    fs::remove_dir_all(log.dir.root().join("public/tile/0")).unwrap();
    fs::write(log.dir.root().join("public/tile/entries/001"), b"").unwrap();
    assert!(verify(&log.dir, &log.trusted()).is_err());
    let writer = log.writer();
    writer.append_blocking(decision("ann", 600)).unwrap();
    writer.stop().unwrap();
    assert_eq!(verify(&log.dir, &log.trusted()).unwrap().checkpoint.size, 601);
}

#[test]
fn after_a_failed_sync_nothing_is_appended_until_the_next_start() {
    let log = Log::new();
    let faults = Faults::none();
    let writer = Writer::open(&log.dir, with(&faults)).unwrap();
    writer.append_blocking(decision("ann", 0)).unwrap();
    faults.fail_sync.store(true, Ordering::SeqCst);
    let error = writer.append_blocking(decision("ann", 1)).unwrap_err();
    assert!(matches!(&error, LogError::Unavailable(why) if why.contains("syncing")), "{error}");
    let syncs = faults.syncs.load(Ordering::SeqCst);
    for at in 2..5 {
        assert!(matches!(writer.append_blocking(decision("ann", at)), Err(LogError::Unavailable(_))));
        assert!(matches!(writer.append_blocking(note(Kind::Stop)), Err(LogError::Unavailable(_))));
    }
    assert!(writer.status().poisoned.is_some());
    assert!(writer.stop().is_err());
    assert!(faults.syncs.load(Ordering::SeqCst) <= syncs + 1, "only disclosures may be synced");
    drop(writer);
    let writer = log.writer();
    writer.append_blocking(decision("ann", 5)).unwrap();
    writer.stop().unwrap();
    verify(&log.dir, &log.trusted()).unwrap();
}

#[test]
fn a_write_error_ends_the_log_until_the_next_start() {
    let log = Log::new();
    let faults = Faults::none();
    let writer = Writer::open(&log.dir, with(&faults)).unwrap();
    writer.append_blocking(decision("ann", 0)).unwrap();
    faults.fail_write.store(true, Ordering::SeqCst);
    assert!(writer.append_blocking(decision("ann", 1)).is_err());
    faults.fail_write.store(false, Ordering::SeqCst);
    assert!(writer.append_blocking(decision("ann", 2)).is_err());
    drop(writer);
    let writer = log.writer();
    assert_eq!(writer.append_blocking(decision("ann", 3)).unwrap().index, 1);
    writer.stop().unwrap();
    assert_eq!(verify(&log.dir, &log.trusted()).unwrap().disclosures.unwrap().stray, 0);
}

#[test]
fn on_a_full_disk_agents_are_refused_and_nothing_breaks() {
    let log = Log::new();
    let faults = Faults::none();
    let writer = Writer::open(&log.dir, with(&faults)).unwrap();
    writer.append_blocking(decision("ann", 0)).unwrap();
    for room in [0, 10, 100, 500, 700, 1000] {
        faults.room.store(room, Ordering::SeqCst);
        let error = writer.append_blocking(decision("ann", 1)).unwrap_err();
        assert!(matches!(&error, LogError::Unavailable(why) if why.contains("full")), "{error}");
        assert_eq!(writer.status().poisoned, None);
    }
    faults.room.store(-1, Ordering::SeqCst);
    assert_eq!(writer.append_blocking(decision("ann", 2)).unwrap().index, 1);
    // Nearly full: the operator still gets through.
    let floor = WriterOptions { floor_bytes: 1000, reserve_bytes: 100, ..with(&faults) };
    writer.stop().unwrap();
    let writer = Writer::open(&log.dir, floor).unwrap();
    faults.free.store(999, Ordering::SeqCst);
    assert!(writer.append_blocking(decision("ann", 3)).is_err());
    assert!(writer.append_blocking(note(Kind::Credential)).is_ok());
    assert!(writer.status().refusing_agents);
    faults.free.store(5000, Ordering::SeqCst);
    assert!(writer.append_blocking(decision("ann", 3)).is_ok());
    assert!(!writer.status().refusing_agents);
    writer.stop().unwrap();
    let verified = verify(&log.dir, &log.trusted()).unwrap();
    assert_eq!((verified.checkpoint.size, verified.disclosures.unwrap().stray), (4, 0));
}

/// A cut of power loses what was not synced. Gives how many acknowledged records are missing afterwards.
fn lost_by_power_cut(no_sync: bool) -> u64 {
    let log = Log::new();
    let faults = Arc::new(Faults::new(true, no_sync));
    let writer =
        Writer::open(&log.dir, WriterOptions { checkpoint_every: Duration::from_secs(3600), ..with(&faults) }).unwrap();
    let mut acknowledged = 0;
    for at in 0..50 {
        acknowledged = writer.append_blocking(decision("ann", at)).unwrap().index + 1;
    }
    let after = tempfile::tempdir().unwrap();
    copy(log.dir.root(), after.path());
    drop(writer);
    let dir = LogDir::open(after.path()).unwrap();
    let writer = log_writer(&dir);
    acknowledged - writer.status().durable_size.min(acknowledged)
}

fn log_writer(dir: &LogDir) -> Writer {
    Writer::open(dir, options()).unwrap()
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_and_without_sync_it_would_not() {
    assert_eq!(lost_by_power_cut(false), 0);
    assert_eq!(lost_by_power_cut(true), 50, "the test must notice a writer that does not sync");
}

#[test]
fn there_is_one_writer() {
    let log = Log::new();
    let writer = log.writer();
    let error = Writer::open(&log.dir, options()).unwrap_err();
    assert!(matches!(error, AuditError::InUse { .. }), "{error}");
    writer.stop().unwrap();
    drop(log.writer());
    assert!(matches!(LogDir::create(log.dir.root(), "another/log"), Err(AuditError::OtherOrigin { .. })));
    assert!(matches!(LogDir::open(Path::new("/nonexistent")), Err(AuditError::Missing { .. })));
}

#[test]
fn a_wrong_or_missing_key_and_a_missing_checkpoint_are_refused() {
    let log = Log::new();
    drop(log.writer());
    let key = log.dir.root().join("keys/log.key");
    let whole = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(matches!(Writer::open(&log.dir, options()), Err(AuditError::Key(_))));
    callgate_audit::Key::create(&key, "someone/else").unwrap();
    assert!(matches!(Writer::open(&log.dir, options()), Err(AuditError::Tampered(_))));
    fs::write(&key, whole).unwrap();
    let checkpoint = log.dir.root().join("public/checkpoint");
    let whole = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    assert!(matches!(Writer::open(&log.dir, options()), Err(AuditError::Tampered(_))));
    fs::write(&checkpoint, whole).unwrap();
    drop(log.writer());
}

/// The child of the next test: appends as fast as it can from four threads, and says what was acknowledged.
#[test]
fn child_that_is_killed() {
    let Some(root) = std::env::var_os("CALLGATE_KILLED_LOG") else { return };
    let dir = LogDir::open(Path::new(&root)).unwrap();
    let writer = Writer::open(
        &dir,
        WriterOptions { segment_bytes: 64 << 10, checkpoint_every: Duration::from_millis(5), ..options() },
    )
    .unwrap();
    std::thread::scope(|scope| {
        for agent in ["ann", "bob", "cid", "dee"] {
            let writer = &writer;
            scope.spawn(move || {
                for at in 0..u64::MAX {
                    let index = writer.append_blocking(decision(agent, at)).unwrap().index;
                    // One write, so that a line is there whole or not at all.
                    use std::io::Write as _;
                    std::io::stderr().write_all(format!("acknowledged {index} {agent} {at}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

/// `CALLGATE_KILLS` raises the number of kills.
#[test]
fn every_acknowledged_record_survives_kill_9() {
    use std::process::{Command, Stdio};
    let kills: u64 = std::env::var("CALLGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8);
    let log = Log::new();
    let mut acknowledged = std::collections::BTreeMap::new();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_is_killed", "--nocapture"])
            .env("CALLGATE_KILLED_LOG", log.dir.root())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(60_000 + 7_919 * 131 * round % 150_000));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!text.contains("panicked"), "{text}");
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let mut words = line.split_whitespace().skip(1);
            if let (true, Some(index), Some(agent), Some(at)) =
                (line.starts_with("acknowledged"), words.next(), words.next(), words.next())
            {
                acknowledged.insert(
                    index.parse::<u64>().unwrap(),
                    (agent.to_owned(), format!("01JD{:022}", at.parse::<u64>().unwrap())),
                );
            }
        }
    }
    assert!(acknowledged.len() > 50, "the load was no load: {}", acknowledged.len());
    drop(log.writer());
    let verified = verify(&log.dir, &log.trusted()).unwrap();
    assert_eq!(verified.disclosures.unwrap().gone, 0);
    let mut found = 0;
    for shown in Reader::open(&log.dir).records(0).unwrap() {
        let shown = shown.unwrap();
        if let Some((agent, id)) = acknowledged.get(&shown.index) {
            assert_eq!(shown.leaf.get("agent").unwrap().as_str(), Some(agent.as_str()));
            assert_eq!(shown.leaf.get("id").unwrap().as_str(), Some(id.as_str()));
            found += 1;
        }
    }
    assert_eq!(found, acknowledged.len());
}
