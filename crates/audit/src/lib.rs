//! The signed log: every decision, durable before it takes effect, provable afterwards, tamper-evident.
//!
//! ```
//! use callgate_audit::{LogDir, Reader, VerifyOptions, Writer, WriterOptions, verify};
//! use callgate_core::{Entry, Kind, Lane, Record, Timestamp};
//!
//! # let state = tempfile::tempdir()?;
//! let dir = LogDir::create(&state.path().join("audit"), "gate.example/main")?;
//! let writer = Writer::open(&dir, WriterOptions::default())?;
//! let record = Record::new(Kind::Start, "01JD0000000000000000000000".into(), Timestamp::from_millis(0));
//! let receipt = writer.append_blocking(Entry { record, lane: Lane::Operator })?; // fsync has returned
//! writer.stop()?;
//!
//! let keys = dir.trusted_keys()?;
//! let verified = verify(&dir, &VerifyOptions { keys, ..VerifyOptions::default() })?;
//! assert_eq!(verified.checkpoint.size, 1);
//! let proof = Reader::open(&dir).prove(receipt.index)?.proof.to_string(); // a `.tlog-proof` file
//! # assert!(proof.starts_with("c2sp.org/tlog-proof@v1\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The directory of a log
//!
//! ```text
//! audit/                    0700
//!   origin                  the log's name
//!   lock                    held by the writer (flock)
//!   keys/                   0700
//!     log.key               the signing key, 0600
//!     old.key               the one before, from a rotation until it is retired
//!     trusted               the verifier keys that ever signed, one to a line
//!   wal/                    the truth: the records (see `frame`)
//!   disclosures/            salts and values, erasable
//!   reserve                 space that is given up for the operator's records when the disk is full
//!   public/                 may be served to anybody as static files (C2SP tlog-tiles)
//!     checkpoint            the newest signed checkpoint
//!     tile/…                hashes and entries
//! ```
//!
//! # What holds
//!
//! - [`Writer::append_blocking`] and `Log::append` return only after the `fdatasync` that covers the record.
//!   One thread writes; whatever waits when a sync returns goes into the next batch.
//! - A checkpoint is signed only over durable records, and only by the one process that holds the lock, from a
//!   tree that grew from the last checkpoint's.
//! - After a failed `fdatasync` nothing is appended any more until the next start.
//! - Each agent has a queue, a rate and a daily volume of its own; queues are served in turn. What a budget
//!   leaves out is counted in the log (`folded`).
//! - Values are in no leaf, only salted commitments to them ([`commitment`]). Erasing a salt and its value
//!   leaves nothing that confirms a guess, and changes no hash.
//! - Reading needs neither the writer nor a network, and never panics, whatever the bytes.
//!
//! *Tamper-evident* means: whoever has an older checkpoint, or a proof, can tell. Somebody who owns the machine
//! and the key can write another history; nobody can make it agree with what left the machine before.

mod budget;
mod checkpoint;
mod commitment;
mod dir;
mod disclosure;
mod engine;
mod erase;
mod error;
mod evidence;
mod export;
pub mod frame;
mod key;
mod keys;
mod leaf;
pub mod merkle;
pub mod note;
mod oneshot;
mod options;
mod proof;
mod prove;
mod publish;
mod publishing;
mod queue;
mod reader;
mod recover;
mod report;
mod shared;
mod storage;
pub mod tile;
mod time;
mod tree;
mod ulid;
mod verify;
mod wal;
mod writer;

pub use budget::Budget;
pub use checkpoint::Checkpoint;
pub use commitment::{Disclosure, Salt, commitment};
pub use dir::LogDir;
pub use disclosure::{Rows, parse_disclosures};
pub use erase::{Erased, Selector};
pub use error::AuditError;
pub use evidence::Evidence;
pub use key::{Key, KeyError};
pub use options::WriterOptions;
pub use proof::TlogProof;
pub use prove::{Proven, Tiles};
pub use reader::{Filter, Opening, Reader, Records, Shown};
pub use report::{Event, Report, Tally};
pub use shared::LogStatus;
pub use storage::{Disk, LogFile, Storage};
pub use time::{SystemTimes, Time};
pub use verify::{DisclosureCounts, Verified, VerifyOptions, verify};
pub use writer::Writer;
