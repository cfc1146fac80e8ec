//! The gate directory as bytes: every file read once, within limits, all at once or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use callgate_text::Digest;

use crate::finding::{Finding, LoadError, Rule};

/// No file may be larger.
const MAX_FILE: u64 = 16 << 20;
/// Nor all of them together.
const MAX_TOTAL: u64 = 64 << 20;
/// Nor may there be more.
const MAX_FILES: usize = 4096;
/// How often a directory that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// Where which files are loaded from: folder and extension.
const FOLDERS: &[(&str, &str)] = &[("policies", "cedar"), ("tests", "toml"), ("tools", "json")];
/// The files of the directory itself.
const ROOT: &[&str] = &["callgate.toml", "entities.toml"];

/// The files of a gate directory by path relative to it, exactly the bytes that are parsed and hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateFiles {
    files: BTreeMap<String, Arc<str>>,
}

/// What tells that a file was replaced or written to.
#[derive(PartialEq, Eq)]
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
            let before = listing(&root)?;
            let (files, lock) = contents(&root, &before)?;
            let steady = listing(&root)? == before && stamps(&before) == stamps_read(&files, &lock, &before);
            if steady {
                let files = files.into_iter().map(|(path, (text, _))| (path, text)).collect();
                return Ok((Self { files }, lock.map(|(lock, _)| lock)));
            }
        }
        Err(Finding::new(Rule::Changing, "", "the gate directory keeps changing while it is read").into())
    }

    /// A gate directory that exists only in memory.
    pub fn from_texts<P: Into<String>, T: Into<Arc<str>>>(texts: impl IntoIterator<Item = (P, T)>) -> Self {
        Self { files: texts.into_iter().map(|(path, text)| (path.into(), text.into())).collect() }
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

/// The paths that are loaded, by name relative to the directory, and `gate.lock` if it is there.
fn listing(root: &Path) -> Result<BTreeMap<String, PathBuf>, LoadError> {
    let mut found = BTreeMap::new();
    for name in names(root, "")? {
        if ROOT.contains(&name.as_str()) || name == crate::lock::FILE {
            found.insert(name.clone(), root.join(&name));
        } else if let Some((folder, extension)) = FOLDERS.iter().find(|(folder, _)| *folder == name) {
            for file in names(&inside(root, root.join(folder), folder)?, folder)? {
                let path = format!("{folder}/{file}");
                match file.rsplit_once('.') {
                    Some((_, ending)) if ending == *extension => {
                        found.insert(path, root.join(folder).join(&file));
                    }
                    Some((_, "md")) => {}
                    _ => {
                        let expected = format!("only *.{extension} files are loaded from {folder}/");
                        return Err(Finding::new(Rule::UnexpectedFile, path, expected).into());
                    }
                }
            }
        } else if name.ends_with(".cedar") {
            let expected = "policies belong into the folder policies/";
            return Err(Finding::new(Rule::UnexpectedFile, name, expected).into());
        }
    }
    if found.len() > MAX_FILES {
        return Err(Finding::new(Rule::TooLarge, "", format!("more than {MAX_FILES} files")).into());
    }
    Ok(found)
}

/// The names in a folder, sorted, without hidden files and editors' leftovers.
fn names(folder: &Path, shown: &str) -> Result<Vec<String>, LoadError> {
    let unreadable = |error: io::Error| Finding::new(Rule::Unreadable, shown, format!("cannot be listed: {error}"));
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str() else {
            return Err(Finding::new(Rule::UnexpectedFile, shown, "holds a file whose name is not UTF-8").into());
        };
        if name.chars().any(char::is_control) {
            return Err(
                Finding::new(Rule::UnexpectedFile, shown, "holds a file with control characters in its name").into()
            );
        }
        if !(name.starts_with(['.', '#']) || name.ends_with('~')) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Follows symbolic links, and refuses what lies outside `root`.
fn inside(root: &Path, path: PathBuf, shown: &str) -> Result<PathBuf, LoadError> {
    let real = path
        .canonicalize()
        .map_err(|error| Finding::new(Rule::Unreadable, shown, format!("cannot be opened: {error}")))?;
    if real.starts_with(root) {
        return Ok(real);
    }
    Err(Finding::new(Rule::Outside, shown, "is a link to something outside the gate directory").into())
}

type Read1 = (Arc<str>, Stamp);

fn contents(
    root: &Path,
    paths: &BTreeMap<String, PathBuf>,
) -> Result<(BTreeMap<String, Read1>, Option<Read1>), LoadError> {
    let mut files = BTreeMap::new();
    let mut total = 0_u64;
    for (name, path) in paths {
        let real = inside(root, path.clone(), name)?;
        let read = text(&real).map_err(|fault| match fault {
            Fault::Io(error) => Finding::new(Rule::Unreadable, name.as_str(), format!("cannot be read: {error}")),
            Fault::Special => Finding::new(Rule::Unreadable, name.as_str(), "is not a regular file"),
            Fault::Large => Finding::new(Rule::TooLarge, name.as_str(), format!("is larger than {MAX_FILE} bytes")),
            Fault::Utf8 => Finding::new(Rule::Unreadable, name.as_str(), "is not UTF-8 text"),
        })?;
        total = total.saturating_add(read.1.length);
        if total > MAX_TOTAL {
            return Err(Finding::new(Rule::TooLarge, "", format!("more than {MAX_TOTAL} bytes in all")).into());
        }
        files.insert(name.clone(), read);
    }
    let lock = files.remove(crate::lock::FILE);
    Ok((files, lock))
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
fn text(path: &Path) -> Result<Read1, Fault> {
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
    Ok((String::from_utf8(bytes).map_err(|_| Fault::Utf8)?.into(), stamp))
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

/// The stamps of what was read, in the order of `paths`; a length that differs from the bytes counts as a change.
fn stamps_read(
    files: &BTreeMap<String, Read1>,
    lock: &Option<Read1>,
    paths: &BTreeMap<String, PathBuf>,
) -> Vec<Option<Stamp>> {
    paths
        .keys()
        .map(|name| {
            let (text, stamp) = if name == crate::lock::FILE { lock.as_ref()? } else { files.get(name)? };
            let Stamp { length, modified, inode } = *stamp;
            (text.len() as u64 == length).then_some(Stamp { length, modified, inode })
        })
        .collect()
}
