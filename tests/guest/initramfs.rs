//! The guest's whole system, as the archive that a Linux kernel unpacks into memory (cpio, "newc").
//!
//! <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// An archive under construction.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Puts `content` at `path`, which has no leading slash.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.parents(path);
        self.entry(path, 0o100_000 | mode, content);
    }

    /// Makes an empty folder.
    pub(crate) fn folder(&mut self, path: &str) {
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, 0o040_755, &[]);
        }
    }

    /// Puts the file at `from`, or the folder with all that is in it, at `path`.
    pub(crate) fn copy(&mut self, from: &Path, path: &str, mode: u32) {
        if !from.is_dir() {
            let content = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
            return self.file(path, mode, &content);
        }
        self.folder(path);
        for entry in fs::read_dir(from).expect("reads a folder") {
            let entry = entry.expect("reads an entry");
            let name = entry.file_name();
            self.copy(&entry.path(), &format!("{path}/{}", name.to_str().expect("UTF-8")), mode);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.folder(&path[..at]);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let length = |length: usize| u32::try_from(length).expect("a small archive");
        let links = 1;
        let fields = [self.entries, mode, 0, 0, links, 0, length(content.len()), 0, 0, 0, 0, length(path.len() + 1), 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
