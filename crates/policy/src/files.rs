//! The gate directory as bytes: every file read once, within limits, all at once or not at all.

mod exposure;
mod listing;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use callgate_text::Digest;

use crate::finding::{Finding, LoadError, Rule};

use exposure::Access;
pub use exposure::{Exposure, exposed};
use listing::{Listing, inside};

/// No file may be larger.
const MAX_FILE: u64 = 16 << 20;
/// Nor all of them together.
const MAX_TOTAL: u64 = 64 << 20;
/// How often a directory that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// The files of a gate directory by path relative to it, exactly the bytes that are parsed and hashed.
#[derive(Clone, Debug, Default)]
pub struct GateFiles {
    files: BTreeMap<String, Arc<str>>,
    /// What somebody should know of the directory itself.
    remarks: Vec<Finding>,
}

impl PartialEq for GateFiles {
    /// Two are the same if they hold the same files, wherever these lie.
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for GateFiles {}

/// What tells that a file was replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl GateFiles {
    /// Reads the directory. If `gate.lock` exists, exactly the files that it names are accepted.
    ///
    /// # Errors
    /// If a file is unreadable, too large, not UTF-8, outside the directory, unexpected, not as locked, or
    /// if the files keep changing.
    pub fn read(dir: &Path) -> Result<Self, LoadError> {
        let (files, lock) = Self::read_steadily(dir)?;
        if let Some(lock) = lock {
            crate::lock::verify(&lock, &files)?;
        }
        Ok(files)
    }

    /// As [`GateFiles::read`], whatever `gate.lock` says: to review a change before it is locked.
    ///
    /// # Errors
    /// As [`GateFiles::read`], the lock aside.
    pub fn read_unlocked(dir: &Path) -> Result<Self, LoadError> {
        Ok(Self::read_steadily(dir)?.0)
    }

    fn read_steadily(dir: &Path) -> Result<(Self, Option<Arc<str>>), LoadError> {
        let root = dir
            .canonicalize()
            .map_err(|error| Finding::new(Rule::Unreadable, "", format!("cannot open {}: {error}", dir.display())))?;
        for _ in 0..ATTEMPTS {
            let listing = Listing::read(&root)?;
            let mut files = contents(&root, &listing.files)?;
            let steady = Listing::read(&root)? == listing && stamps(&listing.files) == stamps_read(&files);
            if steady {
                let opened = files.iter().map(|(path, read)| (path.as_str(), read.access));
                let folders = listing.folders.iter().map(|(path, access)| (path.as_str(), *access));
                let linked = files.values().filter_map(|read| read.linked.as_deref());
                let mut remarks = exposure::findings(dir, &root, folders.chain(opened), linked);
                remarks.extend(listing.strays);
                let lock = files.remove(crate::lock::FILE).map(|read| read.text);
                let files = files.into_iter().map(|(path, read)| (path, read.text)).collect();
                return Ok((Self { files, remarks }, lock));
            }
        }
        Err(Finding::new(Rule::Changing, "", "the gate directory keeps changing while it is read").into())
    }

    /// A gate directory that exists only in memory.
    pub fn from_texts<P: Into<String>, T: Into<Arc<str>>>(texts: impl IntoIterator<Item = (P, T)>) -> Self {
        let files = texts.into_iter().map(|(path, text)| (path.into(), text.into())).collect();
        Self { files, remarks: Vec::new() }
    }

    /// What somebody should know of the directory itself: what is not loaded, and who could write to it.
    pub fn remarks(&self) -> &[Finding] {
        &self.remarks
    }

    /// The same files, unless others could have written them and `exposure` refuses that.
    pub(crate) fn accept(self, exposure: Exposure) -> Result<Self, LoadError> {
        let exposed = self.remarks.iter().filter(|remark| remark.rule == Rule::ExposedConfiguration);
        let refused: Vec<_> = match exposure {
            Exposure::Refuse => exposed.cloned().map(Finding::raised).collect(),
            Exposure::Warn => Vec::new(),
        };
        if refused.is_empty() { Ok(self) } else { Err(refused.into()) }
    }

    /// The text of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&Arc<str>> {
        self.files.get(path)
    }

    /// The files below `folder`, by path.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Arc<str>)> {
        self.iter().filter(move |(path, _)| path.split_once('/').is_some_and(|(first, _)| first == folder))
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text))
    }

    /// The digest of each file, by path: what `gate.lock` holds.
    pub fn digests(&self) -> BTreeMap<&str, Digest> {
        self.iter().map(|(path, text)| (path, Digest::of(text.as_bytes()))).collect()
    }
}

/// One file as it was read.
struct FileRead {
    text: Arc<str>,
    stamp: Stamp,
    access: Access,
    /// Where it lies, if a link led there.
    linked: Option<PathBuf>,
}

fn contents(root: &Path, paths: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, FileRead>, LoadError> {
    let mut files = BTreeMap::new();
    let mut total = 0_u64;
    for (name, path) in paths {
        let real = inside(root, path, name)?;
        let mut read = text(&real).map_err(|fault| match fault {
            Fault::Io(error) => Finding::new(Rule::Unreadable, name.as_str(), format!("cannot be read: {error}")),
            Fault::Special => Finding::new(Rule::Unreadable, name.as_str(), "is not a regular file"),
            Fault::Large => Finding::new(Rule::TooLarge, name.as_str(), format!("is larger than {MAX_FILE} bytes")),
            Fault::Utf8 => Finding::new(Rule::Unreadable, name.as_str(), "is not UTF-8 text"),
        })?;
        total = total.saturating_add(read.stamp.length);
        if total > MAX_TOTAL {
            return Err(Finding::new(Rule::TooLarge, "", format!("more than {MAX_TOTAL} bytes in all")).into());
        }
        read.linked = (real != *path).then(|| path.clone());
        files.insert(name.clone(), read);
    }
    Ok(files)
}

enum Fault {
    Io(io::Error),
    Special,
    Large,
    Utf8,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens without following a last link and without waiting for a writer, then looks at what was opened.
fn text(path: &Path) -> Result<FileRead, Fault> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Fault::Special);
    }
    if metadata.len() > MAX_FILE {
        return Err(Fault::Large);
    }
    let mut bytes = Vec::new();
    (&file).take(MAX_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    let stamp = Stamp::of(&metadata);
    if bytes.len() as u64 > MAX_FILE {
        return Err(Fault::Large);
    }
    let text = String::from_utf8(bytes).map_err(|_| Fault::Utf8)?.into();
    Ok(FileRead { text, stamp, access: Access::of(&metadata), linked: None })
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { length: metadata.len(), modified: metadata.modified().ok(), inode: metadata.ino() }
    }
}

fn stamps(paths: &BTreeMap<String, PathBuf>) -> Vec<Option<Stamp>> {
    paths.values().map(|path| path.metadata().ok().map(|metadata| Stamp::of(&metadata))).collect()
}

/// The stamps of what was read, in the same order; a length that differs from the bytes counts as a change.
fn stamps_read(files: &BTreeMap<String, FileRead>) -> Vec<Option<Stamp>> {
    let stamps = files.values().map(|read| (read.text.len() as u64 == read.stamp.length).then_some(read.stamp));
    stamps.collect()
}
