//! The log as its users see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/log.rs"]
mod support;

use callgate_audit::{Reader, VerifyOptions, Writer, verify};
use support::{Log, decision};

#[test]
fn what_was_appended_is_read_proved_and_verified() {
    let log = Log::new();
    let writer = log.writer();
    for at in 0..1000 {
        let receipt = writer.append_blocking(decision("ann", at)).unwrap();
        assert_eq!((receipt.log.as_str(), receipt.index), ("callgate.test/log", at));
    }
    writer.stop().unwrap();
    let verified = verify(&log.dir, &log.trusted()).unwrap();
    assert_eq!((verified.checkpoint.size, verified.unsigned, verified.torn_bytes), (1000, 0, 0));
    assert_eq!(verified.disclosures.unwrap().gone, 0);
    let reader = Reader::open(&log.dir);
    let tail = reader.tail(3).unwrap();
    assert_eq!(tail.iter().map(|shown| shown.index).collect::<Vec<_>>(), [997, 998, 999]);
    for index in [0, 255, 256, 999] {
        let proven = reader.prove(index).unwrap();
        let proof = callgate_audit::TlogProof::parse(proven.proof.to_string().as_bytes()).unwrap();
        assert!(proof.verify(&proven.shown.bytes, &log.dir.trusted_keys().unwrap()).is_ok());
        assert!(proof.verify(b"something else", &log.dir.trusted_keys().unwrap()).is_err());
    }
    let _ = (VerifyOptions::default(), Writer::open(&log.dir, support::options()).unwrap());
}
