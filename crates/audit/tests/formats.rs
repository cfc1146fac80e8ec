//! Notes, keys, proofs and frames: against somebody else's reader, and against arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/log.rs"]
mod support;

use callgate_audit::frame::{self, Decoded, Header};
use callgate_audit::note::{Note, VerifierKey};
use callgate_audit::{Checkpoint, Evidence, Key, KeyError, Reader, TlogProof, parse_disclosures, tile};
use proptest::prelude::*;
use signed_note::{StandardVerifier, VerifierList};
use support::{Log, ORIGIN, decision};

#[test]
fn somebody_elses_reader_opens_our_checkpoint_with_our_key() {
    let log = Log::new();
    let writer = log.writer();
    writer.append_blocking(decision("ann", 0)).unwrap();
    writer.stop().unwrap();
    let bytes = log.dir.checkpoint_bytes().unwrap();
    let vkey = log.dir.trusted_keys().unwrap()[0].to_string();
    let theirs = StandardVerifier::new(&vkey).unwrap();
    let note = signed_note::Note::from_bytes(&bytes).unwrap();
    let (good, unknown) = note.verify(&VerifierList::new(vec![Box::new(theirs)])).unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let ours = Checkpoint::open(&bytes, &log.dir.trusted_keys().unwrap()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size(), checkpoint.hash().0), (ORIGIN, ours.size, ours.root));
}

#[test]
fn we_open_somebody_elses_note_with_somebody_elses_key() {
    // From the specification of signed notes' Go implementation, `golang.org/x/mod/sumdb/note`.
    let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let parsed = Note::parse(note.as_bytes()).unwrap();
    assert!(parsed.verify(std::slice::from_ref(&key)).is_ok());
    assert_eq!(parsed.to_string(), note);
    assert_eq!(key.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    // A signature by a key that is not known is ignored; one by a known key must hold.
    let more = format!("{note}— nobody AAAAAAAA\n");
    assert!(Note::parse(more.as_bytes()).unwrap().verify(std::slice::from_ref(&key)).is_ok());
    let changed = note.replace("answer", "Answer");
    assert!(Note::parse(changed.as_bytes()).unwrap().verify(&[key]).is_err());
}

#[test]
fn key_files_are_private_and_read_by_gos_form() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log.key");
    let key = Key::create(&path, "gate.example/main").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Key::create(&path, "gate.example/main"), Err(KeyError::Io { .. })));
    assert_eq!(Key::load(&path).unwrap().verifier(), key.verifier());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(signed_note::StandardSigner::new(text.trim_end()).is_ok());
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Key::load(&path), Err(KeyError::Open { mode: found, .. }) if found == mode));
    }
}

fn proof() -> (Vec<u8>, Vec<u8>, Vec<VerifierKey>) {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..20 {
        writer.append_blocking(decision("ann", at)).unwrap();
    }
    writer.stop().unwrap();
    let reader = Reader::open(&log.dir);
    let evidence = reader.evidence(7, &["argument:1"]).unwrap();
    (
        reader.prove(7).unwrap().proof.to_string().into_bytes(),
        evidence.to_json().canonical(),
        log.dir.trusted_keys().unwrap(),
    )
}

#[test]
fn every_changed_byte_of_evidence_is_noticed() {
    let (_, evidence, keys) = proof();
    assert!(Evidence::parse(&evidence).unwrap().verify(&keys).is_ok());
    for at in 0..evidence.len() {
        for bit in [0, 2, 5] {
            let mut changed = evidence.clone();
            changed[at] ^= 1 << bit;
            if let Ok(read) = Evidence::parse(&changed) {
                let same = Evidence::parse(&evidence).unwrap() == read;
                assert!(same || read.verify(&keys).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn readers_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Note::parse(&bytes);
        let _ = TlogProof::parse(&bytes);
        let _ = Evidence::parse(&bytes);
        let _ = Checkpoint::open(&bytes, &[]);
        let _ = parse_disclosures(&bytes);
        let _ = tile::entries(&bytes);
        let _ = tile::hashes(&bytes);
        let _ = Header::decode(&bytes);
        let _ = frame::decode(&bytes, &[0; 32]);
        let _ = frame::holds_batch_start(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<VerifierKey>();
    }

    #[test]
    fn readers_do_not_panic_on_what_nearly_fits(cut in any::<prop::sample::Index>(), junk in ".{0,40}") {
        let text = "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 7\n\
            gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\norigin\n9\n\
            gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\n— origin AAAAAAAA\n";
        let mut at = cut.index(text.len());
        while !text.is_char_boundary(at) { at -= 1; }
        let changed = [&text[..at], &junk, &text[at..]].concat();
        if let Ok(proof) = TlogProof::parse(changed.as_bytes()) {
            prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()), Ok(proof));
        }
    }

    #[test]
    fn frames_round_trip(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..20), start: [u8; 32]) {
        let (mut bytes, mut chain) = (Vec::new(), start);
        for (at, leaf) in leaves.iter().enumerate() {
            chain = frame::encode(&mut bytes, leaf, at % 3 == 0, &chain).unwrap().1;
        }
        let (mut rest, mut chain) = (bytes.as_slice(), start);
        for (at, leaf) in leaves.iter().enumerate() {
            let Decoded::Frame(read) = frame::decode(rest, &chain) else { return Err(TestCaseError::fail("no frame")) };
            prop_assert_eq!((read.leaf, read.starts_batch), (leaf.as_slice(), at % 3 == 0));
            rest = &rest[read.size()..];
            chain = read.chain;
        }
        prop_assert!(rest.is_empty());
    }
}
