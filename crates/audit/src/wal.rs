//! Reading the write-ahead segments, in order and in bounded memory.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::frame::{self, Decoded, FRAME_OVERHEAD, Frame, HEADER, Header};
use crate::merkle::Hash;

const BUFFER: usize = 512 << 10;

/// A segment by its file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
}

pub(crate) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.wal"))
}

/// The segments in `directory`, in order. Other files are not looked at.
pub(crate) fn segments(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let first = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".wal"));
        if let Some(first) = first.filter(|name| name.len() == 20).and_then(|name| name.parse().ok()) {
            found.push(Segment { first, path });
        }
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// What the next step found.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A record.
    Record(u64, Frame<'a>),
    /// The end: nothing but unused space follows.
    End,
    /// Bytes that are no frame.
    Damage(Damage),
}

/// Where the log stops making sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The record that should have stood there.
    pub(crate) index: u64,
    /// The segment.
    pub(crate) path: PathBuf,
    /// The offset in it, in bytes.
    pub(crate) offset: u64,
    /// How many bytes there are from there to the last that is not zero.
    pub(crate) lost: u64,
    /// Whether it looks like one write that was cut off: in the last segment, and no later batch behind it.
    pub(crate) torn: bool,
}

/// Walks over the frames.
#[derive(Debug)]
pub(crate) struct Cursor {
    directory: PathBuf,
    file: Option<File>,
    path: PathBuf,
    /// The index of the next record.
    index: u64,
    chain: Hash,
    /// The offset in the file of the next frame.
    offset: u64,
    buffer: Vec<u8>,
    /// Where in `buffer` the next frame begins.
    at: usize,
}

impl Cursor {
    /// At the first record of the log `origin`.
    pub(crate) fn start(directory: &Path, origin: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            file: None,
            path: segment_path(directory, 0),
            index: 0,
            chain: frame::chain_start(origin),
            offset: 0,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// At the beginning of the segment that holds record `index`, trusting that segment's header.
    /// Falls back to the start of the log.
    pub(crate) fn near(directory: &Path, origin: &str, index: u64) -> io::Result<Self> {
        let mut cursor = Self::start(directory, origin);
        let segments = segments(directory)?;
        let Some(segment) = segments.iter().rev().find(|segment| segment.first <= index) else {
            return Ok(cursor);
        };
        let mut bytes = [0; HEADER];
        if read_at(&File::open(&segment.path)?, &mut bytes, 0)? == HEADER
            && let Some(header) = Header::decode(&bytes)
            && header.first == segment.first
        {
            cursor.index = header.first;
            cursor.chain = header.chain;
            cursor.path = segment_path(directory, header.first);
        }
        Ok(cursor)
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    pub(crate) fn chain(&self) -> Hash {
        self.chain
    }

    /// The segment of the next frame and its offset there; offset 0 if there is no segment yet.
    pub(crate) fn position(&self) -> (&Path, u64) {
        (&self.path, self.offset)
    }

    /// Reads the next record. May be called again after [`Step::End`], when the log may have grown.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let mut fresh = false;
        // A writer that is at work may have got further between two looks.
        let mut looks = 3;
        loop {
            if self.file.is_none() && !self.enter()? {
                return Ok(self.missing_segment()?.map_or(Step::End, Step::Damage));
            }
            match frame::decode(self.buffer.get(self.at..).unwrap_or_default(), &self.chain) {
                Decoded::Frame(frame) => {
                    let (size, chain, hash, starts_batch) = (frame.size(), frame.chain, frame.hash, frame.starts_batch);
                    return Ok(self.advance(size, chain, hash, starts_batch));
                }
                Decoded::More(_) | Decoded::Unused | Decoded::Invalid => {}
            }
            // What was read before may be older than what stands in the file now: look once more.
            if !fresh {
                self.fill()?;
                fresh = true;
                continue;
            }
            match self.stuck()? {
                Stuck::Next => {
                    self.file = None;
                    fresh = false;
                }
                Stuck::End => return Ok(Step::End),
                Stuck::Damage(_) if looks > 0 => {
                    looks -= 1;
                    fresh = false;
                }
                Stuck::Damage(damage) => return Ok(Step::Damage(damage)),
            }
        }
    }

    fn advance(&mut self, size: usize, chain: Hash, hash: Hash, starts_batch: bool) -> Step<'_> {
        let index = self.index;
        let start = self.at + 4;
        let end = start + size - FRAME_OVERHEAD;
        self.at += size;
        self.offset += u64::try_from(size).unwrap_or_default();
        self.index += 1;
        self.chain = chain;
        let leaf = self.buffer.get(start..end).unwrap_or_default();
        Step::Record(index, Frame { leaf, hash, starts_batch, chain })
    }

    /// Opens the segment that begins with the next record. `false` if there is none.
    fn enter(&mut self) -> io::Result<bool> {
        let path = segment_path(&self.directory, self.index);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        self.path = path;
        self.buffer.clear();
        self.at = 0;
        self.offset = 0;
        let mut bytes = [0; HEADER];
        let read = read_at(&file, &mut bytes, 0)?;
        self.file = Some(file);
        if read == HEADER && Header::decode(&bytes) == Some(Header { first: self.index, chain: self.chain }) {
            self.offset = u64::try_from(HEADER).unwrap_or_default();
        }
        Ok(true)
    }

    /// With no segment for the next record: is there one for a later one?
    fn missing_segment(&self) -> io::Result<Option<Damage>> {
        let later = segments(&self.directory)?.into_iter().find(|segment| segment.first > self.index);
        Ok(later.map(|later| Damage { index: self.index, path: later.path, offset: 0, lost: 0, torn: false }))
    }

    /// Reads from the next frame on: more than any frame is long, unless the file ends.
    fn fill(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        self.buffer.resize(BUFFER, 0);
        self.at = 0;
        let read = read_at(file, &mut self.buffer, self.offset)?;
        self.buffer.truncate(read);
        Ok(())
    }

    /// There is no frame here, with a buffer that is as long as any frame: what is there instead?
    fn stuck(&mut self) -> io::Result<Stuck> {
        let header = u64::try_from(HEADER).unwrap_or_default();
        let Some(file) = &self.file else { return Ok(Stuck::End) };
        let last = !segments(&self.directory)?.iter().any(|segment| segment.first > self.index);
        let next = self.offset >= header && segment_path(&self.directory, self.index) != self.path;
        let next = next && segment_path(&self.directory, self.index).exists();
        let length = file.metadata()?.len();
        // A tail is at most what one batch and the space allocated ahead take.
        let tail_length = usize::try_from(length.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let mut tail = vec![0; tail_length];
        let read = read_at(file, &mut tail, self.offset)?;
        tail.truncate(read);
        let lost = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if lost == 0 && self.offset >= header {
            return Ok(if next {
                Stuck::Next
            } else if last {
                Stuck::End
            } else {
                Stuck::Damage(self.damage(0, false))
            });
        }
        let torn = self.offset >= header && last && !frame::holds_batch_start(&tail);
        Ok(Stuck::Damage(self.damage(lost, torn)))
    }

    fn damage(&self, lost: usize, torn: bool) -> Damage {
        let lost = u64::try_from(lost).unwrap_or(u64::MAX);
        Damage { index: self.index, path: self.path.clone(), offset: self.offset, lost, torn }
    }
}

enum Stuck {
    Next,
    End,
    Damage(Damage),
}

/// Reads until `buffer` is full or the file ends; gives how many bytes.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
