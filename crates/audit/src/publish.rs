//! From durable records to tiles and signed checkpoints, off the path of a call.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::dir::{Lock, replace};
use crate::error::AuditError;
use crate::note::Note;
use crate::shared::Shared;
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileKind, tile_path};
use crate::tree::TileTree;
use crate::verify::first_of;
use crate::wal::{Cursor, Step};

/// Derives tiles and checkpoints; owned by the thread that does.
pub(crate) struct Publisher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cursor: Cursor,
    pub(crate) tree: TileTree,
    pub(crate) published: u64,
    /// Held by both threads, until the last has ended.
    #[expect(dead_code, reason = "kept, not read")]
    pub(crate) lock: Arc<Lock>,
}

impl Publisher {
    /// Publishes whenever there is something new, at most every `checkpoint_every`, until told to stop.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let (durable, asked, stop) =
                shared.publishing.wait_for_work(self.published, shared.options.checkpoint_every);
            let outcome = self.publish(durable);
            if let Err(AuditError::Tampered(why)) = &outcome {
                shared.poison(why);
            }
            let failed = outcome.is_err();
            shared.publishing.done(self.published, asked, outcome.err().map(|error| error.to_string()));
            if stop && (failed || self.published >= shared.publishing.durable()) {
                shared.publishing.gone();
                return;
            }
        }
    }

    /// Brings tiles and checkpoint up to the first `durable` records.
    fn publish(&mut self, durable: u64) -> Result<(), AuditError> {
        let public = self.shared.dir.public_path();
        write_full_tiles(&public, &mut self.tree, false)?;
        let wal = self.shared.dir.wal_path();
        while self.cursor.index() < durable {
            match self.cursor.step().map_err(AuditError::io(&wal))? {
                Step::Record(_, frame) => self.tree.push(frame.leaf, frame.hash),
                Step::End | Step::Damage(_) => {
                    let index = self.cursor.index();
                    return Err(AuditError::Tampered(format!("record {index} was durable and cannot be read back")));
                }
            }
            write_full_tiles(&public, &mut self.tree, false)?;
        }
        let size = self.tree.size();
        let keys_changed = self.shared.publishing.take_resign();
        if size <= self.published && !keys_changed {
            return Ok(());
        }
        for (kind, number, width, bytes) in self.tree.partial() {
            write_tile(&public, kind, number, width, &bytes)?;
        }
        self.sync_disclosures()?;
        let text = Checkpoint { origin: self.shared.dir.origin().to_owned(), size, root: self.tree.root() }.to_text();
        let signatures = self.shared.keys().sign(&text);
        let path = self.shared.dir.checkpoint_path();
        let note = Note::new(text, signatures).to_string();
        if let Err(error) = replace(&path, note.as_bytes(), 0o644) {
            if keys_changed {
                self.shared.publishing.resign();
            }
            return Err(AuditError::io(&path)(error));
        }
        self.published = size;
        Ok(())
    }

    /// What a checkpoint covers can be opened, too, whatever happens to the power.
    fn sync_disclosures(&self) -> Result<(), AuditError> {
        let directory = self.shared.dir.disclosures_path();
        let unsynced = self.shared.store().take_unsynced();
        let sync = || {
            for path in &unsynced {
                match self.shared.options.storage.open(path, false) {
                    Ok(mut file) => file.sync()?,
                    // Everything in it was erased meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            if unsynced.is_empty() { Ok(()) } else { self.shared.options.storage.sync_directory(&directory) }
        };
        sync().map_err(|error| {
            self.shared.store().put_unsynced(&unsynced);
            AuditError::io(&directory)(error)
        })
    }
}

/// Writes the tiles that `tree` has filled, and removes the partial ones that they replace. With `keep`, a file
/// that is there and has the right length stays as it is; `verify` compares contents.
pub(crate) fn write_full_tiles(public: &Path, tree: &mut TileTree, keep: bool) -> Result<(), AuditError> {
    let mut written = 0;
    let mut outcome = Ok(());
    for tile in tree.filled() {
        let path = public.join(tile_path(tile.kind, tile.number, TILE_WIDTH));
        let length = u64::try_from(tile.bytes.len()).unwrap_or(u64::MAX);
        if !(keep && fs::metadata(&path).is_ok_and(|metadata| metadata.len() == length)) {
            outcome = write_tile(public, tile.kind, tile.number, TILE_WIDTH, &tile.bytes);
            if outcome.is_err() {
                break;
            }
        }
        let mut partial = path.into_os_string();
        partial.push(".p");
        // Clients fall back to the full tile; a partial one that stays does no harm.
        let _ = fs::remove_dir_all(partial);
        written += 1;
    }
    tree.drop_filled(written);
    outcome
}

/// Makes the partial tiles at the right edge of `tree` what they say they are. A power cut may have left any of
/// them empty, or taken those of the checkpoint, which covers `signed` records.
pub(crate) fn renew_partial_tiles(public: &Path, tree: &TileTree, signed: u64) -> Result<(), AuditError> {
    for (kind, number, width, bytes) in tree.partial() {
        let needed = signed_width(kind, number, signed);
        for narrow in 1..TILE_WIDTH {
            let path = public.join(tile_path(kind, number, narrow));
            match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && narrow != needed => {}
                // One that is wider than the tree is of records that are gone.
                Ok(_) if narrow > width => fs::remove_file(&path).map_err(AuditError::io(&path))?,
                Ok(found) if found == first_of(kind, &bytes, narrow) => {}
                _ => write_tile(public, kind, number, narrow, first_of(kind, &bytes, narrow))?,
            }
        }
    }
    Ok(())
}

/// How wide this tile is in a tree of `size` leaves; 0 if it has none of it, or all.
fn signed_width(kind: TileKind, number: u64, size: u64) -> u64 {
    let level = match kind {
        TileKind::Entries => 0,
        TileKind::Hashes(level) => level,
    };
    let hashes = size.checked_shr(TILE_HEIGHT * level).unwrap_or_default();
    if hashes / TILE_WIDTH == number { hashes % TILE_WIDTH } else { 0 }
}

fn write_tile(public: &Path, kind: TileKind, number: u64, width: u64, bytes: &[u8]) -> Result<(), AuditError> {
    let path = public.join(tile_path(kind, number, width));
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // Not synced: whatever a power cut takes is derived again.
        let temporary = path.with_extension("new");
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, &path)
    };
    write().map_err(AuditError::io(&path))
}

/// How long until a moment; nothing if it is past.
pub(crate) fn until(moment: Instant) -> std::time::Duration {
    moment.saturating_duration_since(Instant::now())
}
