//! Verifying a whole log: no network, no gate, and nothing but bytes, hashes and signatures.

use std::fs;
use std::path::Path;

use callgate_text::Json;

use crate::checkpoint::Checkpoint;
use crate::commitment::Disclosure;
use crate::dir::LogDir;
use crate::disclosure::{GROUP, read_group};
use crate::error::AuditError;
use crate::leaf::{self, count};
use crate::merkle::Hash;
use crate::note::VerifierKey;
use crate::tile::{TILE_WIDTH, TileKind, entries, tile_path};
use crate::tree::{FullTile, TileTree};
use crate::wal::{Cursor, Step};

/// What a log is held against.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The keys that may have signed it. Keys from the log's own machine show that it is consistent; only keys
    /// that were kept elsewhere show that it is the log it claims to be.
    pub keys: Vec<VerifierKey>,
    /// Signed checkpoints that were kept elsewhere. A log that was cut off or rolled back since, or rewritten,
    /// does not agree with them.
    pub saved: Vec<Vec<u8>>,
    /// Whether the disclosures are compared with their commitments, too. Reads every record as JSON.
    pub disclosures: bool,
}

/// What was shown about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// How many records behind the checkpoint are whole, but not signed yet.
    pub unsigned: u64,
    /// How many bytes of a torn write stand at the end; the next start cuts them away and says so.
    pub torn_bytes: u64,
    /// Whether a writer had the log open.
    pub live: bool,
    /// How many tiles and entry bundles were compared.
    pub tiles: u64,
    /// The sizes of the saved checkpoints that the log agrees with.
    pub saved: Vec<u64>,
    /// What became of the disclosures, if that was asked.
    pub disclosures: Option<DisclosureCounts>,
}

/// What became of the values behind the commitments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisclosureCounts {
    /// There, and what was committed to.
    pub open: u64,
    /// Not there: erased or lost.
    pub gone: u64,
    /// There in place of what was committed to.
    pub changed: u64,
    /// In the store, and of no record.
    pub stray: u64,
    /// How many the log's own `erasure` and `recovery` records say are gone.
    pub recorded: u64,
}

impl DisclosureCounts {
    /// How many are gone beyond what the log says: somebody took them away past the gate, or an erasure was
    /// interrupted before it was recorded.
    pub const fn unexplained(&self) -> u64 {
        self.gone.saturating_sub(self.recorded)
    }

    /// Whether the store is as the log says. The records themselves stand in any case.
    pub const fn is_sound(&self) -> bool {
        self.changed == 0 && self.unexplained() == 0
    }
}

impl Verified {
    /// As `callgate audit verify --format json` shows it.
    pub fn to_json(&self) -> Json {
        use base64::Engine as _;
        let mut members = vec![
            ("log", Json::from(self.checkpoint.origin.as_str())),
            ("size", count(self.checkpoint.size)),
            ("root", Json::from(base64::engine::general_purpose::STANDARD.encode(self.checkpoint.root))),
            ("unsigned", count(self.unsigned)),
            ("torn_bytes", count(self.torn_bytes)),
            ("live", Json::from(self.live)),
            ("tiles", count(self.tiles)),
            ("saved", Json::Array(self.saved.iter().map(|size| count(*size)).collect())),
        ];
        if let Some(found) = &self.disclosures {
            let counts = [
                ("open", count(found.open)),
                ("gone", count(found.gone)),
                ("recorded", count(found.recorded)),
                ("unexplained", count(found.unexplained())),
                ("changed", count(found.changed)),
                ("stray", count(found.stray)),
            ];
            members.push(("disclosures", Json::object(counts)));
        }
        Json::object(members)
    }
}

/// Verifies the log in `dir`: every frame, the tree against the checkpoint and its signature, every tile and entry
/// bundle that the checkpoint covers, and every saved checkpoint. Memory is bounded, whatever the log's size.
///
/// # Errors
/// [`AuditError::Tampered`] says what contradicts what; [`AuditError::Note`] which signature is not trusted.
pub fn verify(dir: &LogDir, options: &VerifyOptions) -> Result<Verified, AuditError> {
    // The checkpoint first: the records of one that is read later might not have been read.
    let checkpoint = dir.checkpoint(&options.keys)?;
    let mut saved = saved_checkpoints(dir, options)?;
    let mut walk = Walk {
        public: dir.public_path(),
        live: dir.is_in_use(),
        checkpoint,
        tree: TileTree::default(),
        tiles: 0,
        agreed: Vec::new(),
        openings: options.disclosures.then(|| Openings::new(dir)),
    };
    let wal = dir.wal_path();
    let mut cursor = Cursor::start(&wal, dir.origin());
    let mut torn_bytes = 0;
    walk.compare_roots(&mut saved)?;
    loop {
        match cursor.step().map_err(AuditError::io(&wal))? {
            Step::Record(index, frame) => {
                walk.tree.push(frame.leaf, frame.hash);
                walk.compare_tiles()?;
                walk.compare_roots(&mut saved)?;
                if let Some(openings) = &mut walk.openings {
                    openings.record(index, frame.leaf)?;
                }
            }
            Step::End => break,
            Step::Damage(damage) if damage.torn && damage.index >= walk.checkpoint.size => {
                torn_bytes = if walk.live { 0 } else { damage.lost };
                break;
            }
            Step::Damage(damage) => {
                return Err(AuditError::Tampered(format!(
                    "record {} is damaged or missing, in `{}` at byte {}",
                    damage.index,
                    damage.path.display(),
                    damage.offset
                )));
            }
        }
    }
    let size = walk.tree.size();
    if size < walk.checkpoint.size {
        let signed = walk.checkpoint.size;
        return Err(AuditError::Tampered(format!(
            "there are {size} records, but {signed} were signed: it was cut off"
        )));
    }
    if let Some(missing) = saved.first() {
        return Err(AuditError::Tampered(format!(
            "there are {size} records, but a saved checkpoint covers {}: the log was rolled back",
            missing.size
        )));
    }
    Ok(Verified {
        unsigned: size - walk.checkpoint.size,
        torn_bytes,
        live: walk.live,
        tiles: walk.tiles,
        saved: walk.agreed,
        disclosures: walk.openings.map(Openings::finish).transpose()?,
        checkpoint: walk.checkpoint,
    })
}

/// The saved checkpoints, the smallest first.
fn saved_checkpoints(dir: &LogDir, options: &VerifyOptions) -> Result<Vec<Checkpoint>, AuditError> {
    let mut saved = Vec::new();
    for bytes in &options.saved {
        let note = |source| AuditError::Note { what: "a saved checkpoint".to_owned(), source };
        let checkpoint = Checkpoint::open(bytes, &options.keys).map_err(note)?;
        if checkpoint.origin != dir.origin() {
            return Err(AuditError::Tampered(format!("a saved checkpoint is of `{}`", checkpoint.origin)));
        }
        saved.push(checkpoint);
    }
    saved.sort_by_key(|checkpoint| checkpoint.size);
    Ok(saved)
}

struct Walk {
    public: std::path::PathBuf,
    live: bool,
    checkpoint: Checkpoint,
    tree: TileTree,
    tiles: u64,
    agreed: Vec<u64>,
    openings: Option<Openings>,
}

impl Walk {
    /// At the size of a checkpoint, the root must be the one that was signed.
    fn compare_roots(&mut self, saved: &mut Vec<Checkpoint>) -> Result<(), AuditError> {
        let size = self.tree.size();
        if size == self.checkpoint.size {
            if self.tree.root() != self.checkpoint.root {
                return Err(wrong_root(size, "the log's checkpoint"));
            }
            self.compare_partial_tiles()?;
        }
        while saved.first().is_some_and(|first| first.size == size) {
            let checkpoint = saved.remove(0);
            if self.tree.root() != checkpoint.root {
                return Err(wrong_root(size, "a saved checkpoint"));
            }
            self.agreed.push(size);
        }
        Ok(())
    }

    /// The tiles that the last record filled, as far as the checkpoint covers them.
    fn compare_tiles(&mut self) -> Result<(), AuditError> {
        for tile in self.tree.filled() {
            if covered(tile) <= self.checkpoint.size {
                compare_file(&self.public.join(tile_path(tile.kind, tile.number, TILE_WIDTH)), &tile.bytes)?;
                self.tiles += 1;
            }
        }
        self.tree.drop_filled(usize::MAX);
        Ok(())
    }

    /// The tiles at the tree's right edge, and the narrower ones of earlier checkpoints.
    fn compare_partial_tiles(&mut self) -> Result<(), AuditError> {
        for (kind, number, width, bytes) in self.tree.partial() {
            for narrow in 1..=width {
                let path = self.public.join(tile_path(kind, number, narrow));
                if narrow < width && !path.exists() {
                    continue;
                }
                let wanted = first_of(kind, &bytes, narrow);
                let compared = compare_file(&path, wanted);
                if compared.is_err() && !path.exists() {
                    // The writer has filled the tile since this checkpoint; the full one must begin in the same way.
                    let full = self.public.join(tile_path(kind, number, TILE_WIDTH));
                    let Ok(found) = fs::read(&full) else { return compared };
                    if !found.starts_with(wanted) {
                        return Err(wrong_tile(&full));
                    }
                } else {
                    compared?;
                }
                self.tiles += 1;
            }
        }
        Ok(())
    }
}

/// How many leaves a tree has when it first fills this tile.
fn covered(tile: &FullTile) -> u64 {
    let level = match tile.kind {
        TileKind::Entries => 0,
        TileKind::Hashes(level) => level,
    };
    (tile.number + 1).checked_shl(8 * (level + 1)).unwrap_or(u64::MAX)
}

/// The first `width` hashes or entries of a tile.
pub(crate) fn first_of(kind: TileKind, bytes: &[u8], width: u64) -> &[u8] {
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    let length = match kind {
        TileKind::Hashes(_) => width.saturating_mul(32),
        TileKind::Entries => entries(bytes).unwrap_or_default().iter().take(width).map(|leaf| leaf.len() + 2).sum(),
    };
    bytes.get(..length).unwrap_or(bytes)
}

fn compare_file(path: &Path, wanted: &[u8]) -> Result<(), AuditError> {
    match fs::read(path) {
        Ok(found) if found == wanted => Ok(()),
        Ok(_) => Err(wrong_tile(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(AuditError::Tampered(format!("`{}` is missing", path.display())))
        }
        Err(error) => Err(AuditError::io(path)(error)),
    }
}

fn wrong_tile(path: &Path) -> AuditError {
    AuditError::Tampered(format!("`{}` does not hold what the records say", path.display()))
}

fn wrong_root(size: u64, what: &str) -> AuditError {
    AuditError::Tampered(format!("the first {size} records do not have the root that {what} signs"))
}

/// How many values an `erasure` or `recovery` record says are gone.
pub(crate) fn recorded_as_gone(leaf: &Json) -> u64 {
    let member = match leaf.get("kind").and_then(Json::as_str) {
        Some("erasure") => "values",
        Some("recovery") => "lost_disclosures",
        _ => return 0,
    };
    let details = leaf.get("details").and_then(|details| details.get(member));
    details.and_then(Json::as_i64).and_then(|values| u64::try_from(values).ok()).unwrap_or(0)
}

/// Compares the disclosure store with the commitments, one file at a time.
struct Openings {
    directory: std::path::PathBuf,
    group: Option<u64>,
    rows: Vec<Disclosure>,
    counts: DisclosureCounts,
}

impl Openings {
    fn new(dir: &LogDir) -> Self {
        Self { directory: dir.disclosures_path(), group: None, rows: Vec::new(), counts: DisclosureCounts::default() }
    }

    fn record(&mut self, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        if self.group != Some(index / GROUP) {
            self.settle();
            self.group = Some(index / GROUP);
            let group = read_group(&self.directory, index / GROUP).map_err(AuditError::io(&self.directory))?;
            self.rows = group.rows;
            // From the end, so that taking the rows of one record after the other is cheap.
            self.rows.sort_by_key(|row| std::cmp::Reverse(row.index));
        }
        let from = self.rows.partition_point(|row| row.index > index);
        let mut own: Vec<Disclosure> = self.rows.split_off(from);
        let leaf = leaf::parse(bytes).ok_or_else(|| AuditError::Tampered(format!("record {index} is not JSON")))?;
        for (name, commitment) in leaf::commitments(&leaf) {
            let found: Option<(usize, Hash)> =
                own.iter().position(|row| row.index == index && row.name == name).map(|at| (at, commitment));
            match found {
                Some((at, commitment)) => {
                    let row = own.swap_remove(at);
                    let same = row.commitment() == commitment;
                    *(if same { &mut self.counts.open } else { &mut self.counts.changed }) += 1;
                }
                None => self.counts.gone += 1,
            }
        }
        self.counts.recorded = self.counts.recorded.saturating_add(recorded_as_gone(&leaf));
        self.counts.stray += u64::try_from(own.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn settle(&mut self) {
        self.counts.stray += u64::try_from(std::mem::take(&mut self.rows).len()).unwrap_or(u64::MAX);
    }

    fn finish(mut self) -> Result<DisclosureCounts, AuditError> {
        self.settle();
        Ok(self.counts)
    }
}
