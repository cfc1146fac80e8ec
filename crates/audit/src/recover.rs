//! Opening a log for writing: everything is derived again from the segments and held against the last checkpoint.
//!
//! | found | then |
//! | --- | --- |
//! | all frames whole, the tree at the checkpoint's size has its root | go on |
//! | an invalid frame behind the last checkpoint, in the last segment, no later batch behind it | a write was cut off, nobody was told that it is durable: cut it away and record `recovery` |
//! | any other invalid frame, a segment missing, fewer records than the checkpoint, another root | refuse |
//! | full tiles missing or of the wrong length | write them again |

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;

use callgate_core::Timestamp;
use callgate_text::Json;

use crate::checkpoint::Checkpoint;
use crate::commitment::commitment;
use crate::dir::LogDir;
use crate::disclosure::{GROUP, read_group};
use crate::error::AuditError;
use crate::frame::HEADER;
use crate::leaf;
use crate::merkle::Hash;
use crate::publish::{renew_partial_tiles, write_full_tiles};
use crate::tree::TileTree;
use crate::verify::recorded_as_gone;
use crate::wal::{Cursor, Step};

/// A log as it stands on disk, whole.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) tree: TileTree,
    pub(crate) cursor: Cursor,
    pub(crate) chain: Hash,
    /// The last segment and where its data ends, if there is one.
    pub(crate) segment: Option<(PathBuf, u64)>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) last_at: Option<Timestamp>,
    pub(crate) lost_bytes: u64,
    pub(crate) lost_disclosures: u64,
}

pub(crate) fn recover(dir: &LogDir) -> Result<Recovered, AuditError> {
    let checkpoint = dir.checkpoint(&dir.trusted_keys()?)?;
    let wal = dir.wal_path();
    let mut cursor = Cursor::start(&wal, dir.origin());
    let mut tree = TileTree::default();
    let mut last = Vec::new();
    let mut expected = Expected::default();
    let mut lost_bytes = 0;
    let check = |tree: &TileTree| {
        if tree.size() == checkpoint.size && tree.root() != checkpoint.root {
            let size = checkpoint.size;
            return Err(AuditError::Tampered(format!("the first {size} records do not have the root that was signed")));
        }
        Ok(())
    };
    check(&tree)?;
    loop {
        match cursor.step().map_err(AuditError::io(&wal))? {
            Step::Record(index, frame) => {
                tree.push(frame.leaf, frame.hash);
                last.clear();
                last.extend_from_slice(frame.leaf);
                if index >= checkpoint.size {
                    expected.note(dir, index, frame.leaf)?;
                }
                check(&tree)?;
                write_full_tiles(&dir.public_path(), &mut tree, true)?;
            }
            Step::End => break,
            Step::Damage(damage) if damage.torn && damage.index >= checkpoint.size => {
                let file = OpenOptions::new().write(true).open(&damage.path);
                let cut = file.and_then(|file| file.set_len(damage.offset).and_then(|()| file.sync_all()));
                cut.map_err(AuditError::io(&damage.path))?;
                lost_bytes += damage.lost;
            }
            Step::Damage(damage) => {
                return Err(AuditError::Tampered(format!(
                    "record {} is damaged or missing in `{}` at byte {}; {} records are signed",
                    damage.index,
                    damage.path.display(),
                    damage.offset,
                    checkpoint.size
                )));
            }
        }
    }
    if tree.size() < checkpoint.size {
        return Err(AuditError::Tampered(format!(
            "there are {} records, but {} were signed: the log was cut off or rolled back",
            tree.size(),
            checkpoint.size
        )));
    }
    renew_partial_tiles(&dir.public_path(), &tree, checkpoint.size)?;
    let (path, offset) = cursor.position();
    let segment = (offset >= u64::try_from(HEADER).unwrap_or_default()).then(|| (path.to_owned(), offset));
    Ok(Recovered {
        chain: cursor.chain(),
        segment,
        checkpoint,
        last_at: leaf::parse(&last).as_ref().and_then(leaf::at),
        lost_bytes,
        lost_disclosures: expected.finish(dir)?,
        tree,
        cursor,
    })
}

/// Counts the commitments behind the last checkpoint that nothing opens.
#[derive(Default)]
struct Expected {
    group: u64,
    commitments: BTreeMap<(u64, String), Hash>,
    missing: u64,
    /// How many of them a start before this one has recorded: its record came through, its checkpoint did not.
    recorded: u64,
}

impl Expected {
    fn note(&mut self, dir: &LogDir, index: u64, leaf: &[u8]) -> Result<(), AuditError> {
        if index / GROUP != self.group {
            self.settle(dir)?;
            self.group = index / GROUP;
        }
        if let Some(leaf) = leaf::parse(leaf) {
            if leaf.get("kind").and_then(Json::as_str) == Some("recovery") {
                self.recorded = self.recorded.saturating_add(recorded_as_gone(&leaf));
            }
            let commitments = leaf::commitments(&leaf).into_iter();
            self.commitments.extend(commitments.map(|(name, hash)| ((index, name.to_owned()), hash)));
        }
        Ok(())
    }

    fn settle(&mut self, dir: &LogDir) -> Result<(), AuditError> {
        if self.commitments.is_empty() {
            return Ok(());
        }
        let directory = dir.disclosures_path();
        for row in read_group(&directory, self.group).map_err(AuditError::io(&directory))?.rows {
            let hash = commitment(&row.salt, &row.name, &row.value);
            let key = (row.index, row.name);
            if self.commitments.get(&key) == Some(&hash) {
                self.commitments.remove(&key);
            }
        }
        let missing = std::mem::take(&mut self.commitments).len();
        self.missing = self.missing.saturating_add(u64::try_from(missing).unwrap_or(u64::MAX));
        Ok(())
    }

    fn finish(mut self, dir: &LogDir) -> Result<u64, AuditError> {
        self.settle(dir)?;
        Ok(self.missing.saturating_sub(self.recorded))
    }
}
