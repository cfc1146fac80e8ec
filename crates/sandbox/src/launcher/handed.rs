//! Sources on their way from the launcher, which alone could open them, to the init, which puts them where they belong.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::vec;

use super::mounts::{Source, Sources, What};
use crate::ending::{Fault, Step};
use crate::message::{receive, send};
use crate::profile::Access;

/// How many go at a time: each may have a descriptor.
const AT_A_TIME: usize = 32;

crate::wire::fields!(Entry { path, access, kind, target });
crate::wire::variants!(Kind { Folder, File, Link, EmptyFolder, EmptyFile, Device });

/// One source, without its descriptor.
struct Entry {
    path: PathBuf,
    access: Access,
    kind: Kind,
    /// Where a link leads.
    target: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Link,
    EmptyFolder,
    EmptyFile,
    Device,
}

/// Hands `sources` over.
pub(super) fn hand(to: impl AsFd, sources: &Sources) -> Result<(), Fault> {
    let mut all: Vec<(Entry, Option<BorrowedFd<'_>>)> = Vec::new();
    for Source { path, access, what } in &sources.places {
        let (kind, target, tree) = match what {
            What::Folder(tree) => (Kind::Folder, PathBuf::new(), Some(tree.as_fd())),
            What::File(tree) => (Kind::File, PathBuf::new(), Some(tree.as_fd())),
            What::Link(target) => (Kind::Link, target.clone(), None),
            What::Empty { folder: true } => (Kind::EmptyFolder, PathBuf::new(), None),
            What::Empty { folder: false } => (Kind::EmptyFile, PathBuf::new(), None),
        };
        all.push((Entry { path: path.clone(), access: *access, kind, target }, tree));
    }
    for (name, tree) in &sources.devices {
        let entry = Entry { path: name.clone(), access: Access::Rw, kind: Kind::Device, target: PathBuf::new() };
        all.push((entry, Some(tree.as_fd())));
    }
    loop {
        let rest = all.split_off(all.len().min(AT_A_TIME));
        let (entries, trees): (Vec<Entry>, Vec<Option<BorrowedFd<'_>>>) = all.into_iter().unzip();
        let trees: Vec<BorrowedFd<'_>> = trees.into_iter().flatten().collect();
        let more = !rest.is_empty();
        send(&to, &(entries, more), &trees).step("hand sources over")?;
        if !more {
            return Ok(());
        }
        all = rest;
    }
}

/// Takes over what was handed.
pub(super) fn take(from: impl AsFd) -> Result<Sources, Fault> {
    let mut sources = Sources::default();
    loop {
        let gone = || Fault::new("take sources over", "the launcher is gone");
        let received = receive::<(Vec<Entry>, bool)>(&from).step("take sources over")?;
        let ((entries, more), trees) = received.ok_or_else(gone)?;
        let mut trees = trees.into_iter();
        for entry in entries {
            add(&mut sources, entry, &mut trees)?;
        }
        if !more {
            return Ok(sources);
        }
    }
}

fn add(sources: &mut Sources, entry: Entry, trees: &mut vec::IntoIter<OwnedFd>) -> Result<(), Fault> {
    let Entry { path, access, kind, target } = entry;
    let mut tree = || trees.next().ok_or_else(|| Fault::new("take sources over", "one did not come"));
    let what = match kind {
        Kind::Folder => What::Folder(tree()?),
        Kind::File => What::File(tree()?),
        Kind::Link => What::Link(target),
        Kind::EmptyFolder => What::Empty { folder: true },
        Kind::EmptyFile => What::Empty { folder: false },
        Kind::Device => {
            sources.devices.push((path, tree()?));
            return Ok(());
        }
    };
    sources.places.push(Source { path, access, what });
    Ok(())
}
