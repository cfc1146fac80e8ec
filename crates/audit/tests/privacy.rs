//! Commitments, erasure, evidence, keys, reports, exports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/log.rs"]
mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate_audit::{AuditError, Evidence, Filter, Opening, Reader, Selector, commitment, verify};
use callgate_core::{Decision, Kind, Record};
use callgate_text::{Digest, Json};
use support::{Log, decision, note};

fn contents(under: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { contents(&path, found) } else { found.extend(fs::read(path).unwrap()) }
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn after_erasure_a_dictionary_with_the_true_recipient_confirms_nothing() {
    let log = Log::new();
    let writer = log.writer();
    let mut other = decision("bob", 0);
    other.record.sealed.clear();
    other.record.seal("argument:0", "somebody-else");
    writer.append_blocking(other).unwrap();
    for at in 0..3 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    let reader = Reader::open(&log.dir);
    writer.checkpoint_now().unwrap();
    let proof = reader.prove(1).unwrap();
    let salts: Vec<_> = (1..4)
        .flat_map(|index| reader.openings(&reader.record(index).unwrap()).unwrap())
        .map(|(_, opening)| match opening {
            Opening::Open(disclosure) => disclosure.salt,
            Opening::Gone => panic!("nothing was erased yet"),
        })
        .collect();
    let mut before = Vec::new();
    contents(log.dir.root(), &mut before);
    assert!(holds(&before, b"attacker-wallet-xyz") && salts.iter().all(|salt| holds(&before, salt)));

    assert!(matches!(writer.erase(&Selector::default()), Err(AuditError::NothingSelected)));
    let erased = writer.erase(&Selector { agent: Some("ann".parse().unwrap()), ..Selector::default() }).unwrap();
    assert_eq!((erased.records, erased.values, erased.index), (3, 15, 4));

    // Neither salt nor value is anywhere in the state, while the gate runs and after it stopped.
    for stopped in [false, true] {
        if stopped {
            writer.stop().unwrap();
        }
        let mut after = Vec::new();
        contents(log.dir.root(), &mut after);
        assert!(!holds(&after, b"attacker-wallet-xyz"));
        assert!(!salts.iter().any(|salt| holds(&after, salt)));
        assert!(holds(&after, b"somebody-else"), "other records are as they were");
        // A dictionary with the true values, and every salt that is still to be found or easily guessed.
        let mut guesses = vec![[0; 32], [0xff; 32]];
        guesses.extend(after.windows(32).map(|window| <[u8; 32]>::try_from(window).unwrap()));
        let names = ["argument:0", "argument:1", "call", "reason:0"];
        let shown = reader.record(1).unwrap();
        let committed: Vec<[u8; 32]> = shown
            .leaf
            .get("commitments")
            .unwrap()
            .as_object()
            .unwrap()
            .iter()
            .map(|(_, one)| one)
            .chain(shown.leaf.get("call"))
            .map(|one| STANDARD.decode(one.as_str().unwrap()).unwrap().try_into().unwrap())
            .collect();
        let value = br#""attacker-wallet-xyz""#;
        assert!(!committed.contains(Digest::of(value).as_bytes()));
        for salt in &guesses {
            assert!(!names.iter().any(|name| committed.contains(&commitment(salt, name, value))));
        }
        // The attack is a real one: with the true salt it succeeds.
        assert!(salts.iter().any(|salt| committed.contains(&commitment(salt, "argument:1", value))));
    }
    let verified = verify(&log.dir, &log.trusted()).unwrap();
    let counts = verified.disclosures.unwrap();
    assert_eq!((verified.checkpoint.size, counts.gone, counts.open, counts.stray), (5, 15, 1, 0));
    assert_eq!((counts.recorded, counts.unexplained(), counts.is_sound()), (15, 0, true));
    assert!(proof.proof.verify(&proof.shown.bytes, &log.dir.trusted_keys().unwrap()).is_ok(), "old proofs hold");
    assert!(matches!(reader.evidence(1, &["argument:1"]), Err(AuditError::Unavailable(_))));
    // Offline: the same under the lock.
    let writer = log.writer();
    let erased = writer.erase(&Selector { everything: true, ..Selector::default() }).unwrap();
    assert_eq!((erased.records, erased.values), (5, 1));
    writer.stop().unwrap();
    assert_eq!(fs::read_dir(log.dir.root().join("disclosures")).unwrap().count(), 0);
}

#[test]
fn selectors_meet_what_they_name() {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..4 {
        writer.append_blocking(decision("ann", at * 1000)).unwrap();
    }
    let mut outcome = decision("ann", 9000);
    outcome.record.kind = Kind::Outcome;
    outcome.record.prev = Some(2);
    writer.append_blocking(outcome).unwrap();
    let at = |seconds: i64| Some(callgate_core::Timestamp::from_millis(support::START + seconds * 1000));
    let erased = writer.erase(&Selector { index: Some(2), ..Selector::default() }).unwrap();
    assert_eq!((erased.records, erased.values), (2, 10));
    let erased = writer.erase(&Selector { since: at(0), until: at(1), ..Selector::default() }).unwrap();
    assert_eq!((erased.records, erased.values), (1, 5));
    let erased = writer.erase(&Selector { session: Some("s-81".parse().unwrap()), ..Selector::default() }).unwrap();
    assert_eq!((erased.records, erased.values), (5, 10));
    writer.stop().unwrap();
    verify(&log.dir, &log.trusted()).unwrap();
}

#[test]
fn a_record_is_opened_selectively() {
    let log = Log::new();
    let writer = log.writer();
    writer.append_blocking(decision("ann", 0)).unwrap();
    writer.stop().unwrap();
    let evidence = Reader::open(&log.dir).evidence(0, &["argument:1"]).unwrap().to_json().canonical();
    assert!(holds(&evidence, b"attacker-wallet-xyz"));
    assert!(!holds(&evidence, b"above 100.00"), "what was not opened stays closed");
    let read = Evidence::parse(&evidence).unwrap();
    let keys = log.dir.trusted_keys().unwrap();
    assert_eq!(read.verify(&keys).unwrap().size, 1);
    assert!(read.verify(&[]).is_err());
    let mut forged = read;
    forged.opened[0].value = br#""vendor-a""#.to_vec();
    assert!(forged.verify(&keys).is_err());
    // A disclosure in the store that was changed is not shown as true.
    let path = log.dir.root().join("disclosures/000000000000.dis");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|window| window == b"attacker").unwrap();
    bytes[at] = b'A';
    fs::write(&path, bytes).unwrap();
    assert!(Reader::open(&log.dir).evidence(0, &["call"]).is_err());
}

/// A row of the disclosure store, as its format says.
fn row(one: &callgate_audit::Disclosure) -> Vec<u8> {
    let mut payload = one.index.to_be_bytes().to_vec();
    payload.extend(u16::try_from(one.name.len()).unwrap().to_be_bytes());
    payload.extend(one.name.as_bytes());
    payload.extend(one.salt);
    payload.extend(&one.value);
    let mut row = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    row.extend(&payload);
    row.extend(&Digest::of(&payload).as_bytes()[..8]);
    row
}

#[test]
fn values_that_somebody_took_away_or_changed_are_told_from_erased_ones() {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..3 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.erase(&Selector { index: Some(0), ..Selector::default() }).unwrap();
    writer.stop().unwrap();
    let counts = || verify(&log.dir, &log.trusted()).unwrap().disclosures.unwrap();
    let honest = counts();
    assert_eq!((honest.open, honest.gone, honest.recorded, honest.is_sound()), (10, 5, 5, true));

    let path = log.dir.root().join("disclosures/000000000000.dis");
    let rows = callgate_audit::parse_disclosures(&fs::read(&path).unwrap()).rows;
    assert_eq!(fs::read(&path).unwrap(), rows.iter().flat_map(row).collect::<Vec<u8>>());
    // One is taken away: one more is gone than the log says.
    fs::write(&path, rows[1..].iter().flat_map(row).collect::<Vec<u8>>()).unwrap();
    assert_eq!((counts().unexplained(), counts().changed, counts().is_sound()), (1, 0, false));
    // One is replaced: it is there, and not what was committed to.
    let mut changed = rows.clone();
    changed[0].value = br#""vendor-a""#.to_vec();
    fs::write(&path, changed.iter().flat_map(row).collect::<Vec<u8>>()).unwrap();
    assert_eq!((counts().unexplained(), counts().changed, counts().is_sound()), (0, 1, false));
    fs::remove_file(&path).unwrap();
    assert_eq!((counts().unexplained(), counts().is_sound()), (10, false));
}

#[test]
fn the_leaf_is_what_the_format_says_and_holds_no_value() {
    let log = Log::new();
    let writer = log.writer();
    let mut entry = decision("ann", 0);
    entry.record.decision = Some(Decision::Allow);
    writer.append_blocking(entry).unwrap();
    writer.append_blocking(note(Kind::Start)).unwrap();
    writer.stop().unwrap();
    let reader = Reader::open(&log.dir);
    let shown = reader.record(0).unwrap();
    let members: Vec<_> = shown.leaf.as_object().unwrap().iter().map(|(name, _)| name).collect();
    let expected = [
        "agent",
        "at",
        "call",
        "commitments",
        "decision",
        "facts",
        "gate",
        "id",
        "kind",
        "policy",
        "reasons",
        "session",
        "state",
        "tool",
        "v",
    ];
    assert_eq!(members, expected);
    assert_eq!(shown.bytes, shown.leaf.canonical());
    assert!(!holds(&shown.bytes, b"attacker") && !holds(&shown.bytes, b"500"));
    let start = String::from_utf8(reader.record(1).unwrap().bytes).unwrap();
    assert_eq!(
        start,
        r#"{"at":"2026-11-22T22:30:14.000Z","details":{"what":"something"},"gate":"callgate.test/log","id":"01JDOPERATOR","kind":"start","v":1}"#
    );
}

#[test]
fn keys_rotate_with_an_overlap() {
    let log = Log::new();
    let writer = log.writer();
    writer.append_blocking(decision("ann", 0)).unwrap();
    let old = writer.verifiers();
    let new = writer.rotate_key().unwrap();
    assert!(matches!(writer.rotate_key(), Err(AuditError::Unavailable(_))));
    let only = |keys: &[callgate_audit::note::VerifierKey]| {
        let mut options = log.trusted();
        options.keys = keys.to_vec();
        verify(&log.dir, &options)
    };
    assert!(only(&old).is_ok() && only(std::slice::from_ref(&new)).is_ok());
    writer.stop().unwrap();
    let writer = log.writer();
    assert_eq!(writer.verifiers(), [new.clone(), old[0].clone()]);
    assert_eq!(writer.retire_key().unwrap(), old[0]);
    assert!(matches!(only(&old), Err(AuditError::Note { .. })));
    assert!(only(std::slice::from_ref(&new)).is_ok());
    writer.stop().unwrap();
    let filter = Filter { kind: Some("key_change".to_owned()), ..Filter::default() };
    let change = Reader::open(&log.dir).find(0, &filter).unwrap().unwrap();
    assert_eq!(change.leaf.get("details").unwrap().get("new").unwrap().as_str(), Some(new.to_string().as_str()));
    let writer = log.writer();
    assert_eq!(writer.verifiers(), [new]);
}

#[test]
fn the_report_cites_a_record_for_every_line() {
    let log = Log::new();
    let writer = log.writer();
    writer.append_blocking(note(Kind::Start)).unwrap();
    writer.append_blocking(note(Kind::PolicyLoad)).unwrap();
    for at in 0..3 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    for at in 3..5 {
        let mut entry = decision("bob", at);
        entry.record.decision = Some(Decision::Allow);
        entry.record.state = Some("advisory");
        writer.append_blocking(entry).unwrap();
    }
    let mut outcome =
        Record::new(Kind::Outcome, "01JDOUTCOME".to_owned(), callgate_core::Timestamp::from_millis(support::START));
    outcome.prev = Some(5);
    writer.append_blocking(callgate_core::Entry { record: outcome, lane: callgate_core::Lane::Operator }).unwrap();
    writer.append_blocking(note(Kind::Stop)).unwrap();
    writer.stop().unwrap();
    let reader = Reader::open(&log.dir);
    let report = reader.report(0).unwrap();
    assert_eq!(report.records, 9);
    let denied = report.agents[&("ann".to_owned(), "deny".to_owned())];
    assert_eq!((denied.count, denied.first, denied.last), (3, 2, 4));
    assert_eq!(report.denials["not_permitted"].count, 3);
    assert_eq!(report.unreported.iter().map(|event| event.index).collect::<Vec<_>>(), [6]);
    assert_eq!(report.gaps.iter().map(|event| event.index).collect::<Vec<_>>(), [0, 8]);
    assert_eq!(report.changes.iter().map(|event| event.index).collect::<Vec<_>>(), [1]);
    assert_eq!(report.advisory.unwrap().count, 2);
    assert!(Json::parse(&report.to_json().canonical()).is_ok());
    let mut lines = Vec::new();
    assert_eq!(
        reader
            .export_lines(0, &Filter { agent: Some("ann".parse().unwrap()), ..Filter::default() }, &mut lines)
            .unwrap(),
        3
    );
    let first = lines.split(|byte| *byte == b'\n').next().unwrap();
    let first = Json::parse(first).unwrap();
    assert_eq!(
        (first.get("log").unwrap().as_str(), first.get("index").unwrap().as_i64()),
        (Some(support::ORIGIN), Some(2))
    );
}
