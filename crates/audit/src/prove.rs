//! Proofs of single records and of consistency, from the tiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::merkle::{self, Hash, Nodes};
use crate::proof::TlogProof;
use crate::reader::{Reader, Shown};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileKind, hashes, tile_path};
use crate::tree::complete;

/// The hashes of a served log of a given size.
#[derive(Debug)]
pub struct Tiles {
    public: PathBuf,
    size: u64,
    read: BTreeMap<(u32, u64), Vec<Hash>>,
}

impl Tiles {
    /// The tiles in `public` (the directory that holds `tile/`), as they are at `size`.
    pub fn new(public: PathBuf, size: u64) -> Self {
        Self { public, size, read: BTreeMap::new() }
    }

    fn tile(&mut self, level: u32, number: u64) -> Result<&[Hash], AuditError> {
        let kind = TileKind::Hashes(level);
        let count = self.size.checked_shr(TILE_HEIGHT * level).unwrap_or_default();
        let width = count.saturating_sub(number.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH);
        let entry = self.read.entry((level, number));
        let read = match entry {
            std::collections::btree_map::Entry::Occupied(read) => read.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let path = self.public.join(tile_path(kind, number, width));
                let full = self.public.join(tile_path(kind, number, TILE_WIDTH));
                let bytes = fs::read(&path).or_else(|_| fs::read(&full)).map_err(AuditError::io(&path))?;
                let tile = hashes(&bytes)
                    .ok_or_else(|| AuditError::Tampered(format!("`{}` is not a tile", path.display())))?;
                vacant.insert(tile)
            }
        };
        Ok(read)
    }
}

impl Nodes for Tiles {
    type Error = AuditError;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, AuditError> {
        let (row, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let first = index << height;
        let from = usize::try_from(first % TILE_WIDTH).unwrap_or_default();
        let tile = self.tile(row, first / TILE_WIDTH)?;
        let leaves = tile.get(from..from + (1 << height));
        let leaves = leaves.ok_or_else(|| AuditError::Tampered("a tile is shorter than the log".to_owned()))?;
        Ok(complete(leaves.to_vec()))
    }
}

/// A record and the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The record.
    pub shown: Shown,
    /// The proof; print it for the file.
    pub proof: TlogProof,
    /// What the proof's checkpoint says.
    pub checkpoint: Checkpoint,
}

impl Reader {
    /// Proves that the record at `index` is in the log, under the newest checkpoint, and checks the proof.
    ///
    /// # Errors
    /// [`AuditError::NoSuchRecord`] if no checkpoint covers it yet, [`AuditError::Tampered`] if the tiles do not
    /// prove it.
    pub fn prove(&self, index: u64) -> Result<Proven, AuditError> {
        let dir = self.dir();
        let bytes = dir.checkpoint_bytes()?;
        let trusted = dir.trusted_keys()?;
        let note = |source| AuditError::Note { what: "the log's checkpoint".to_owned(), source };
        let checkpoint = Checkpoint::open(&bytes, &trusted).map_err(note)?;
        if index >= checkpoint.size {
            return Err(AuditError::NoSuchRecord { index, size: checkpoint.size });
        }
        let mut tiles = Tiles::new(dir.public_path(), checkpoint.size);
        let hashes = merkle::inclusion_proof(&mut tiles, index, checkpoint.size)?;
        let found = self.records_below(index, index + 1)?.next_record()?;
        let shown = found.ok_or(AuditError::NoSuchRecord { index, size: checkpoint.size })?;
        let proof = TlogProof { index, hashes, checkpoint: String::from_utf8_lossy(&bytes).into_owned(), extra: None };
        match proof.verify(&shown.bytes, &trusted) {
            Ok(checkpoint) => Ok(Proven { shown, proof, checkpoint }),
            Err(_) => Err(AuditError::Tampered(format!("the tiles do not prove record {index}"))),
        }
    }

    /// The consistency proof from an earlier checkpoint to the newest, for witnesses and other verifiers.
    ///
    /// # Errors
    /// [`AuditError::NoSuchRecord`] if the log is smaller, [`AuditError`] if the tiles cannot be read.
    pub fn prove_consistency(&self, old: u64) -> Result<(Vec<Hash>, Checkpoint), AuditError> {
        let dir = self.dir();
        let checkpoint = dir.checkpoint(&dir.trusted_keys()?)?;
        if old > checkpoint.size {
            return Err(AuditError::NoSuchRecord { index: old, size: checkpoint.size });
        }
        let mut tiles = Tiles::new(dir.public_path(), checkpoint.size);
        Ok((merkle::consistency_proof(&mut tiles, old, checkpoint.size)?, checkpoint))
    }
}
