//! A log of 100,000 records, written by the real writer and verified by software written elsewhere.
//!
//! Needs Go and `golang-golang-x-mod-dev`, `openssl`, and a Python (`CALLGATE_PEERS_PYTHON`) with `cryptography` and
//! `scitt-cose`. What is missing is skipped, visibly; with `CI=true` it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/log.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate_audit::merkle::{Frontier, leaf_hash};
use callgate_audit::{Checkpoint, Reader, TlogProof, tile};
use callgate_core::{Entry, Kind, Lane, Record, Timestamp};
use support::{Log, ORIGIN};

const RECORDS: u64 = 100_000;
const EARLIER: u64 = 60_001;
const PROVED: u64 = 73_894;

/// Runs a verifier on the served log in a directory.
type Run = Box<dyn Fn(&Path, &Files) -> Output>;

/// A verifier of somebody else's: whether it accepts the served log in a directory.
struct Peer {
    name: &'static str,
    run: Run,
}

/// What a verifier was given earlier, and what goes with the log.
#[derive(Clone)]
struct Files {
    vkey: String,
    proof: PathBuf,
    leaf: PathBuf,
    earlier: PathBuf,
    latest: PathBuf,
    consistency: PathBuf,
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

fn missing(what: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{what} is missing, and this is CI");
    eprintln!("SKIPPED: {what} is missing");
}

fn go(work: &Path) -> Option<Peer> {
    let binary = work.join("verify_go");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&binary)
        .arg(here("verify_go.go"))
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .env("GOCACHE", work.join("gocache"))
        .output();
    if !built.is_ok_and(|output| output.status.success()) {
        missing("Go with golang.org/x/mod (apt-get install golang-go golang-golang-x-mod-dev)");
        return None;
    }
    let command = move |public: &Path, files: &Files| {
        Command::new(&binary).arg(public).arg(&files.vkey).arg(&files.earlier).output().unwrap()
    };
    Some(Peer { name: "go sumdb", run: Box::new(command) })
}

/// Where `.ci/install` puts it.
const PEERS_PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/.venv/bin/python");

fn python() -> Option<Peer> {
    let python = std::env::var("CALLGATE_PEERS_PYTHON").unwrap_or_else(|_| PEERS_PYTHON.to_owned());
    let has = Command::new(&python).args(["-c", "import cryptography, scitt_cose"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        missing("CALLGATE_PEERS_PYTHON with cryptography and scitt-cose");
        return None;
    }
    let command = move |public: &Path, files: &Files| {
        let mut command = Command::new(&python);
        command.arg(here("verify.py")).arg(public).arg(&files.vkey);
        command.args([&files.proof, &files.leaf, &files.earlier, &files.consistency]).output().unwrap()
    };
    Some(Peer { name: "python", run: Box::new(command) })
}

fn openssl() -> Option<()> {
    if Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
        return Some(());
    }
    missing("openssl");
    None
}

/// Plain `openssl` on the checkpoint in `public`.
fn openssl_accepts(work: &Path, vkey: &str, note: &str) -> bool {
    let key = STANDARD.decode(vkey.splitn(3, '+').nth(2).unwrap()).unwrap();
    let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", &key[1..]].concat();
    let (text, signatures) = note.rsplit_once("\n\n").unwrap();
    let signature = STANDARD.decode(signatures.trim_end().rsplit(' ').next().unwrap()).unwrap();
    for (name, bytes) in
        [("key.der", spki.as_slice()), ("text", format!("{text}\n").as_bytes()), ("sig", &signature[4..])]
    {
        fs::write(work.join(name), bytes).unwrap();
    }
    let verify = [
        "pkeyutl", "-verify", "-pubin", "-inkey", "key.der", "-keyform", "DER", "-rawin", "-in", "text", "-sigfile",
        "sig",
    ];
    Command::new("openssl").args(verify).current_dir(work).output().unwrap().status.success()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn small(at: u64) -> Entry {
    let agent: callgate_core::AgentId = format!("agent-{}", at % 7).parse().unwrap();
    let when = Timestamp::from_millis(support::START + i64::try_from(at).unwrap());
    let mut record = Record::new(Kind::Decision, format!("01JD{at:022}"), when);
    record.agent = Some(agent.clone());
    record.tool = Some("desk.read_ticket".parse().unwrap());
    record.decision = Some(callgate_core::Decision::Allow);
    record.seal("call", callgate_text::Json::integer(i64::try_from(at).unwrap()));
    Entry { record, lane: Lane::Agent(agent) }
}

fn append(writer: &callgate_audit::Writer, range: std::ops::Range<u64>) {
    use callgate_core::seam::Log as _;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all: Vec<u64> = range.collect();
    for chunk in all.chunks(4000) {
        let flight: Vec<_> = chunk.iter().map(|at| writer.append(small(*at))).collect();
        for one in flight {
            runtime.block_on(one).unwrap();
        }
    }
}

/// The root of what the bundles in `public` say, as a forger would compute it.
fn forged_root(public: &Path, size: u64) -> Checkpoint {
    let mut tree = Frontier::default();
    for number in 0..size.div_ceil(256) {
        let path = public.join(tile::tile_path(tile::TileKind::Entries, number, (size - number * 256).min(256)));
        for leaf in tile::entries(&fs::read(path).unwrap()).unwrap() {
            tree.push(leaf_hash(leaf));
        }
    }
    Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() }
}

#[test]
fn software_written_elsewhere_accepts_the_log_and_rejects_what_was_changed() {
    let log = Log::new();
    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name);
    let reader = Reader::open(&log.dir);
    let writer = log.writer();
    append(&writer, 0..EARLIER);
    assert_eq!(writer.checkpoint_now().unwrap(), EARLIER);
    reader.export_static(&at("earlier")).unwrap();
    append(&writer, EARLIER..RECORDS);
    writer.stop().unwrap();
    callgate_audit::verify(&log.dir, &log.trusted()).unwrap();
    reader.export_static(&at("whole")).unwrap();

    let proven = reader.prove(PROVED).unwrap();
    let (hashes, _) = reader.prove_consistency(EARLIER).unwrap();
    let lines: String = hashes.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
    let files = Files {
        vkey: log.dir.trusted_keys().unwrap()[0].to_string(),
        proof: at("record.tlog-proof"),
        leaf: at("leaf"),
        earlier: at("earlier/checkpoint"),
        latest: at("whole/checkpoint"),
        consistency: at("consistency"),
    };
    fs::write(&files.proof, proven.proof.to_string()).unwrap();
    fs::write(&files.leaf, &proven.shown.bytes).unwrap();
    fs::write(&files.consistency, lines).unwrap();
    assert!(TlogProof::parse(&fs::read(&files.proof).unwrap()).is_ok());

    // One flipped byte; a record taken out of its bundle; an image of the disk from before.
    let bundle = Path::new("tile/entries/100");
    copy(&at("whole"), &at("flipped"));
    let mut bytes = fs::read(at("flipped").join(bundle)).unwrap();
    let inside = bytes.windows(4).rposition(|window| window == b"desk").unwrap();
    bytes[inside] ^= 1;
    fs::write(at("flipped").join(bundle), &bytes).unwrap();
    copy(&at("whole"), &at("removed"));
    let bytes = fs::read(at("removed").join(bundle)).unwrap();
    let mut kept = Vec::new();
    for (_, leaf) in tile::entries(&bytes).unwrap().into_iter().enumerate().filter(|(at, _)| *at != 17) {
        tile::push_entry(&mut kept, leaf).unwrap();
    }
    fs::write(at("removed").join(bundle), &kept).unwrap();

    for peer in [go(work.path()), python()].into_iter().flatten() {
        let run = |directory: &str, files: &Files| {
            let output = (peer.run)(&at(directory), files);
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        };
        let (accepted, text) = run("whole", &files);
        assert!(accepted, "{}: {text}", peer.name);
        for (directory, why) in [("flipped", "signed"), ("removed", "255 entries")] {
            let (accepted, text) = run(directory, &files);
            assert!(!accepted && text.contains("rejected") && text.contains(why), "{}, {directory}: {text}", peer.name);
        }
        // Whoever saved the latest checkpoint sees the rollback. The earlier image alone is a whole log.
        let rolled_back = Files { earlier: files.latest.clone(), ..files.clone() };
        let (accepted, text) = run("earlier", &rolled_back);
        assert!(!accepted && text.contains("rolled back"), "{} and a rollback: {text}", peer.name);
        eprintln!("{}: accepted the log, rejected all three changes", peer.name);
    }

    if openssl().is_some() {
        let note = fs::read_to_string(&files.latest).unwrap();
        let (_, signature) = note.rsplit_once("\n\n").unwrap();
        assert!(openssl_accepts(work.path(), &files.vkey, &note));
        // Who changes the records must change what is signed over them.
        for directory in ["flipped", "removed", "earlier"] {
            let size = if directory == "earlier" { EARLIER } else { RECORDS };
            let forged = forged_root(&at(directory), size);
            assert_ne!(Some(forged.to_text().as_str()), note.get(..forged.to_text().len()));
            let note = format!("{}\n{signature}", forged.to_text());
            assert!(!openssl_accepts(work.path(), &files.vkey, &note), "{directory}");
        }
        eprintln!("openssl: accepted the checkpoint, rejected all three forgeries");
    }
}
