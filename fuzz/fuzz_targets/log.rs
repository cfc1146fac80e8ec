//! The log's readers on bytes that anyone may have written: frames, notes, checkpoints, proofs, tiles,
//! disclosures. What is read is written back as the very same bytes, so that there is one form of each.
#![no_main]

use callgate_audit::frame::{self, Decoded, Header};
use callgate_audit::merkle::{verify_consistency, verify_inclusion};
use callgate_audit::note::{Note, VerifierKey};
use callgate_audit::{Checkpoint, TlogProof, parse_disclosures, tile};
use libfuzzer_sys::fuzz_target;

const ORIGIN: &str = "callgate.test/fuzz";

fn frames(bytes: &[u8]) {
    let start = frame::chain_start(ORIGIN);
    match frame::decode(bytes, &start) {
        Decoded::Frame(found) => assert!(found.size() <= bytes.len()),
        Decoded::More(needed) => assert!(needed > bytes.len()),
        Decoded::Unused | Decoded::Invalid => {}
    }
    frame::holds_batch_start(bytes);
    if let Some(header) = Header::decode(bytes) {
        assert!(bytes.starts_with(&header.encode()));
    }

    // Every leaf that can be written is read back, and not if a bit of it flips.
    let mut written = Vec::new();
    for starts_batch in [true, false] {
        written.clear();
        let Some((hash, chain)) = frame::encode(&mut written, bytes, starts_batch, &start) else { return };
        match frame::decode(&written, &start) {
            Decoded::Frame(found) => {
                assert_eq!((found.leaf, found.hash, found.chain), (bytes, hash, chain));
                assert_eq!((found.starts_batch, found.size()), (starts_batch, written.len()));
            }
            other => panic!("{other:?}"),
        }
        let at = usize::from(bytes[0]) * written.len() / 256;
        written[at] ^= 1 << (bytes[bytes.len() - 1] % 8);
        assert!(!matches!(frame::decode(&written, &start), Decoded::Frame(_)));
    }
}

fn texts(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let key = VerifierKey::new(ORIGIN, [7; 32]).expect("a name");
        assert!(note.verify(std::slice::from_ref(&key)).is_err(), "nobody has signed this");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::from_text(text) {
        assert!(text.starts_with(&checkpoint.to_text()));
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string(), text);
        for size in [0, 1, proof.index, proof.index.saturating_add(1), u64::MAX] {
            let (leaf, root) = ([1; 32], [2; 32]);
            assert!(!verify_inclusion(&proof.hashes, proof.index, size, &leaf, &root));
            assert!(!verify_consistency(&proof.hashes, proof.index, size, &leaf, &root) || size == proof.index);
            assert!(!verify_consistency(&proof.hashes, size, proof.index, &leaf, &root) || size == proof.index);
        }
    }
}

fn files(bytes: &[u8]) {
    let rows = parse_disclosures(bytes);
    assert!(rows.read <= bytes.len());
    assert!(parse_disclosures(&bytes[..rows.read]).rows == rows.rows);
    if let Some(leaves) = tile::entries(bytes) {
        let mut bundle = Vec::new();
        for leaf in leaves {
            tile::push_entry(&mut bundle, leaf).expect("it was one");
        }
        assert_eq!(bundle, bytes);
    }
    if let Some(hashes) = tile::hashes(bytes) {
        assert_eq!(hashes.concat(), bytes);
    }
}

fuzz_target!(|bytes: &[u8]| {
    frames(bytes);
    texts(bytes);
    files(bytes);
});
