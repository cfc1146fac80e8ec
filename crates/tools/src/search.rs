//! `search_files`: lines that match, in time linear in what is read.

use std::fs::File;
use std::io::Read;

use callgate_text::Json;
use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use regex::bytes::{Regex, RegexBuilder};
use rustix::fs::{FileType, OFlags, fstat};

use crate::done::count;
use crate::folder::{Folder, Spot};
use crate::{Done, Fault};

/// Longer files are left out, and counted.
const MOST_IN_FILE: u64 = 16 << 20;

/// The most text that one call gives back.
const MOST_TEXT: usize = 256 << 10;

/// How much of a long line is shown, in bytes.
const MOST_OF_LINE: usize = 500;

/// How much a pattern may grow to when it is compiled.
const MOST_OF_PATTERN: usize = 4 << 20;

/// What is looked for.
pub(crate) struct Wanted {
    regex: Regex,
    glob: Option<GlobMatcher>,
    limit: usize,
}

impl Wanted {
    pub(crate) fn new(pattern: &str, glob: Option<&str>, ignore_case: bool, limit: usize) -> Result<Self, Fault> {
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .multi_line(true)
            .size_limit(MOST_OF_PATTERN)
            .dfa_size_limit(MOST_OF_PATTERN)
            .build()
            .map_err(|error| Fault::invalid(format!("`pattern` is no regular expression: {error}")))?;
        let glob = glob.map(|glob| {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            built.map_err(|error| Fault::invalid(format!("`glob` is none: {error}")))
        });
        let glob = glob.transpose()?.map(|glob| glob.compile_matcher());
        Ok(Self { regex, glob, limit })
    }
}

pub(crate) fn search(folder: &Folder, path: &str, wanted: &Wanted) -> Result<Done, Fault> {
    let spot = folder.spot(path)?;
    // By the same way as everything else, so that no link leads the walk away at its start.
    let start = folder.open_at(&spot, OFlags::RDONLY)?;
    let kind = fstat(&start).map_err(|error| folder.why(&spot, error))?.st_mode;
    let mut found = Found::default();
    if FileType::from_raw_mode(kind) == FileType::Directory {
        let walk = WalkBuilder::new(spot.full())
            .hidden(false)
            .parents(false)
            .git_global(false)
            .require_git(false)
            .follow_links(false)
            .sort_by_file_name(Ord::cmp)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk.flatten() {
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let below = entry.path().strip_prefix(spot.full()).unwrap_or(entry.path());
            if wanted.glob.as_ref().is_some_and(|glob| !glob.is_match(below)) {
                continue;
            }
            let Some(text) = entry.path().to_str() else {
                found.left_out += 1;
                continue;
            };
            found.file(folder, &folder.spot(text)?, wanted);
            if found.is_full(wanted) {
                break;
            }
        }
    } else {
        drop(start);
        folder.file(&spot)?;
        found.file(folder, &spot, wanted);
    }
    let done = Done::new(found.text)
        .with("matches", count(found.matches))
        .with("files", count(found.files))
        .with("left_out", count(found.left_out))
        .with("more", Json::Bool(found.more));
    let mut notes = Vec::new();
    if found.matches == 0 {
        notes.push("No line matches.".to_owned());
    }
    if found.more {
        notes.push(format!("There is more than these {} lines: narrow the search.", found.matches));
    }
    if found.left_out > 0 {
        notes.push(format!("Left out, since they are long or cannot be read: {} files.", found.left_out));
    }
    Ok(if notes.is_empty() { done } else { done.noting(notes.join(" ")) })
}

#[derive(Default)]
struct Found {
    text: String,
    matches: usize,
    files: usize,
    left_out: usize,
    more: bool,
}

impl Found {
    fn is_full(&self, wanted: &Wanted) -> bool {
        self.more || self.matches > wanted.limit
    }

    /// Looks through one file. What is no text is passed over, as everybody expects of a search.
    fn file(&mut self, folder: &Folder, spot: &Spot, wanted: &Wanted) {
        let mut bytes = Vec::new();
        let read = folder.file(spot).ok().and_then(|(file, stat)| {
            let fits = u64::try_from(stat.st_size).is_ok_and(|size| size <= MOST_IN_FILE);
            fits.then(|| File::from(file).take(MOST_IN_FILE).read_to_end(&mut bytes).ok())?
        });
        if read.is_none() {
            self.left_out += 1;
            return;
        }
        if bytes.contains(&0) {
            return;
        }
        let (before, place) = (self.matches, spot.shown());
        // What follows the last line feed is no line, unless there is something.
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if bytes.is_empty() || !wanted.regex.is_match(line) {
                continue;
            }
            if self.matches == wanted.limit || self.text.len() >= MOST_TEXT {
                self.more = true;
                break;
            }
            self.matches += 1;
            self.text.push_str(&format!("{place}:{}:{}\n", number + 1, cut(line)));
        }
        self.files += usize::from(self.matches > before);
    }
}

/// The line, or its beginning.
fn cut(line: &[u8]) -> String {
    let short = line.get(..MOST_OF_LINE).unwrap_or(line);
    let text = String::from_utf8_lossy(short).into_owned();
    if short.len() < line.len() { format!("{text}… ({} bytes)", line.len()) } else { text }
}
