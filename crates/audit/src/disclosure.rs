//! The disclosure store: the salts and values behind the log's commitments, erasable.
//!
//! Files `disclosures/<index / 4096, 12 digits>.dis`, mode 0600, of rows:
//!
//! ```text
//! 0    4  length n of the payload, big-endian
//! 4    n  payload: index (8, big-endian) ‖ length of the name (2, big-endian) ‖ name ‖ salt (32) ‖ value
//! 4+n  8  the first 8 bytes of SHA-256 over the payload
//! ```
//!
//! Rows are written before their records and synced before the checkpoint over them, not before the call is
//! released: a crash of the gate loses none, a power cut may lose those of the last second. The log itself says
//! which ones there must be, so a loss is never silent: the next start counts them in a `recovery` record.
//!
//! Erasing writes a new file without the erased rows, syncs it and puts it in the place of the old one.
//! What the file system or the device may keep of freed blocks is beyond this crate; use an encrypted volume
//! where that matters.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callgate_text::Digest;

use crate::commitment::Disclosure;
use crate::dir::replace;
use crate::storage::{LogFile, Storage};

/// How many records share a file.
pub(crate) const GROUP: u64 = 4096;
/// The longest row that is read: a result of 8 MiB grows to at most six times that when it is escaped.
const MAX_ROW: usize = 64 << 20;

/// What stands in a disclosure file.
#[derive(Debug, Default)]
pub struct Rows {
    /// The whole rows.
    pub rows: Vec<Disclosure>,
    /// How many bytes were read; the rest of the file is not rows.
    pub read: usize,
    /// How many rows among them were damaged and left out.
    pub damaged: u64,
}

/// Reads the rows of a disclosure file, up to one that is torn. One that is damaged, with a whole one behind it,
/// is left out. Never panics.
pub fn parse_disclosures(bytes: &[u8]) -> Rows {
    let mut rows = Rows::default();
    loop {
        let rest = bytes.get(rows.read..).unwrap_or_default();
        if let Some((row, length)) = parse_row(rest) {
            rows.rows.push(row);
            rows.read += length;
        } else if let Some(length) = row_length(rest).filter(|length| rest.get(*length..).and_then(parse_row).is_some())
        {
            rows.damaged += 1;
            rows.read += length;
        } else {
            return rows;
        }
    }
}

/// How long the row at the start of `bytes` says that it is.
fn row_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    (length <= MAX_ROW).then_some(length + 12)
}

fn parse_row(bytes: &[u8]) -> Option<(Disclosure, usize)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= MAX_ROW)?;
    let (payload, check) = (rest.get(..length)?, rest.get(length..length + 8)?);
    if Digest::of(payload).as_bytes().get(..8) != Some(check) {
        return None;
    }
    let (index, rest) = payload.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*name)))?;
    let (salt, value) = rest.split_first_chunk()?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some((Disclosure { index: u64::from_be_bytes(*index), name, salt: *salt, value: value.to_vec() }, length + 12))
}

/// Appends a row to `out`. `None` if name or value are too long.
#[must_use]
pub(crate) fn push_row(out: &mut Vec<u8>, index: u64, name: &str, salt: &[u8; 32], value: &[u8]) -> Option<()> {
    let name_length = u16::try_from(name.len()).ok()?;
    let payload = [&index.to_be_bytes()[..], &name_length.to_be_bytes(), name.as_bytes(), salt, value].concat();
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_ROW)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&payload);
    out.extend(Digest::of(&payload).as_bytes().iter().take(8));
    Some(())
}

fn file_name(group: u64) -> String {
    format!("{group:012}.dis")
}

/// The disclosures of the records `group · 4096 ..`; none if there is no file.
///
/// # Errors
/// If the file is there and cannot be read.
pub(crate) fn read_group(directory: &Path, group: u64) -> io::Result<Rows> {
    let mut bytes = Vec::new();
    match File::open(directory.join(file_name(group))) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Rows::default()),
        Err(error) => return Err(error),
    };
    Ok(parse_disclosures(&bytes))
}

/// The writing side. One at a time, under the log's lock.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    storage: Arc<dyn Storage>,
    open: Option<Open>,
    /// Files with rows that were not synced yet.
    unsynced: BTreeSet<PathBuf>,
    /// What was appended since the last [`Store::begin`]: groups, and how long their files were.
    appended: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Open {
    group: u64,
    file: Box<dyn LogFile>,
    length: u64,
}

impl Store {
    /// Opens the store of a log that has `size` records: cuts off torn rows at the end of the last files, drops
    /// rows of records that never became durable, and removes what an interrupted erasure left.
    pub(crate) fn open(directory: PathBuf, storage: Arc<dyn Storage>, size: u64) -> io::Result<Self> {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
        let mut store = Self { directory, storage, open: None, unsynced: BTreeSet::new(), appended: Vec::new() };
        let last = size / GROUP;
        for group in [last.checked_sub(1), Some(last), last.checked_add(1)].into_iter().flatten() {
            store.rewrite(group, |row| row.index < size)?;
            // A gate that was killed may not have come to syncing it.
            let path = store.path(group);
            if path.exists() {
                store.unsynced.insert(path);
            }
        }
        Ok(store)
    }

    fn path(&self, group: u64) -> PathBuf {
        self.directory.join(file_name(group))
    }

    /// Marks the place to which [`Store::roll_back`] goes back.
    pub(crate) fn begin(&mut self) {
        self.appended.clear();
    }

    /// Takes back what was appended since [`Store::begin`], as far as that is possible; what stays matches no
    /// commitment, and goes when the log is opened again.
    pub(crate) fn roll_back(&mut self) {
        self.open = None;
        for (group, length) in std::mem::take(&mut self.appended).into_iter().rev() {
            let _ = self.storage.open(&self.path(group), false).and_then(|mut file| file.truncate(length));
        }
    }

    /// Appends `rows`, all of records of `group`.
    ///
    /// # Errors
    /// If they could not be written; the file is then as before.
    pub(crate) fn append(&mut self, group: u64, rows: &[u8]) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|open| open.group != group) {
            let path = self.path(group);
            let length = match fs::metadata(&path) {
                Ok(metadata) => Some(metadata.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let file = self.storage.open(&path, length.is_none())?;
            self.open = Some(Open { group, file, length: length.unwrap_or_default() });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(error) = open.file.write_at(rows, open.length) {
            // If this fails, too, the torn rows stay behind the valid ones until the file is opened again.
            let _ = open.file.truncate(open.length);
            self.open = None;
            return Err(error);
        }
        self.appended.push((group, open.length));
        open.length = open.length.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        let path = self.path(group);
        self.unsynced.insert(path);
        Ok(())
    }

    /// The files that must be synced before a checkpoint over their records.
    pub(crate) fn take_unsynced(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.unsynced)
    }

    /// Puts back what could not be synced.
    pub(crate) fn put_unsynced(&mut self, paths: &BTreeSet<PathBuf>) {
        self.unsynced.extend(paths.iter().cloned());
    }

    /// Erases the disclosures of the records `indices`, all of `group`; gives how many there were.
    ///
    /// # Errors
    /// If the new file cannot be written; the old one is then still there.
    pub(crate) fn erase(&mut self, group: u64, indices: &BTreeSet<u64>) -> io::Result<u64> {
        self.rewrite(group, |row| !indices.contains(&row.index))
    }

    /// Keeps the rows that `keep` wants; gives how many it did not. Whatever is not a row goes, too.
    fn rewrite(&mut self, group: u64, keep: impl Fn(&Disclosure) -> bool) -> io::Result<u64> {
        let path = self.path(group);
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let found = read_group(&self.directory, group)?;
        let mut kept = Vec::new();
        let mut erased = 0;
        for row in &found.rows {
            if keep(row) {
                push_row(&mut kept, row.index, &row.name, &row.salt, &row.value)
                    .ok_or_else(|| io::Error::other("a disclosure is too long"))?;
            } else {
                erased += 1;
            }
        }
        if erased == 0 && u64::try_from(found.read).is_ok_and(|read| read == length) {
            return Ok(0);
        }
        self.open = None;
        // The file has another length now: there is no place to go back to.
        self.appended.clear();
        if kept.is_empty() {
            fs::remove_file(&path)?;
            self.unsynced.remove(&path);
        } else {
            replace(&path, &kept, 0o600)?;
        }
        self.storage.sync_directory(&self.directory)?;
        Ok(erased)
    }
}
