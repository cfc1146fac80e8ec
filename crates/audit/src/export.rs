//! Taking a log elsewhere: as lines of JSON for other systems, as static files for other verifiers.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::dir::replace;
use crate::error::AuditError;
use crate::reader::{Filter, Reader};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileKind, tile_path};
use crate::verify::first_of;

impl Reader {
    /// Writes the durable records from `from` on that meet `filter` to `out`, one JSON object to a line:
    /// `{"log": origin, "index": n, "record": {…}}`. Gives how many. Values are not exported; see
    /// [`Reader::evidence`].
    ///
    /// # Errors
    /// If the log cannot be read, or `out` not be written.
    pub fn export_lines(&self, from: u64, filter: &Filter, out: &mut dyn Write) -> Result<u64, AuditError> {
        let mut records = self.records(from)?;
        let mut written = 0;
        let out_error = |source| AuditError::Io { path: "the export".into(), source };
        while let Some(shown) = records.next_record()? {
            if filter.matches(&shown.leaf) {
                let mut line = shown.to_json(self.dir().origin()).canonical();
                line.push(b'\n');
                out.write_all(&line).map_err(out_error)?;
                written += 1;
            }
        }
        out.flush().map_err(out_error)?;
        Ok(written)
    }

    /// Copies what may be served, as the newest checkpoint covers it, into the directory `to`: `checkpoint` and
    /// `tile/`. Gives the checkpoint. The checkpoint is written last, so that a copy that is being served is
    /// never ahead of its tiles.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn export_static(&self, to: &Path) -> Result<Checkpoint, AuditError> {
        let dir = self.dir();
        let bytes = dir.checkpoint_bytes()?;
        let note = |source| AuditError::Note { what: "the log's checkpoint".to_owned(), source };
        let checkpoint = Checkpoint::open(&bytes, &dir.trusted_keys()?).map_err(note)?;
        let mut kinds = vec![(TileKind::Entries, checkpoint.size)];
        let mut level = 0;
        while let Some(count) = checkpoint.size.checked_shr(TILE_HEIGHT * level).filter(|count| *count > 0) {
            kinds.push((TileKind::Hashes(level), count));
            level += 1;
        }
        for (kind, count) in kinds {
            for number in 0..count.div_ceil(TILE_WIDTH) {
                let width = (count - number * TILE_WIDTH).min(TILE_WIDTH);
                self.copy_tile(to, kind, number, width)?;
            }
        }
        fs::create_dir_all(to).map_err(AuditError::io(to))?;
        let path = to.join("checkpoint");
        replace(&path, &bytes, 0o644).map_err(AuditError::io(&path))?;
        Ok(checkpoint)
    }

    fn copy_tile(&self, to: &Path, kind: TileKind, number: u64, width: u64) -> Result<(), AuditError> {
        let public = self.dir().public_path();
        let name = tile_path(kind, number, width);
        let from = public.join(&name);
        let bytes = fs::read(&from).or_else(|error| {
            // The writer may have filled the tile meanwhile.
            let full = fs::read(public.join(tile_path(kind, number, TILE_WIDTH))).map_err(|_| error)?;
            Ok(first_of(kind, &full, width).to_vec())
        });
        let bytes = bytes.map_err(AuditError::io(&from))?;
        let path = to.join(name);
        let parent = path.parent().unwrap_or(to);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes)).map_err(AuditError::io(&path))
    }
}
