//! Newline-delimited messages, read within a limit and without trust.
//!
//! [`Frames`] yields one line at a time. A line beyond the limit is not kept: it is skimmed to its
//! end for its `id` and `method` alone ([`Skimmed`]), so that whoever waits for it can be told.

mod skim;
mod weigh;

use tokio::io::{AsyncRead, AsyncReadExt};

pub use skim::{Skimmed, Skimmer};
pub use weigh::{MAX_VALUES, too_many_values};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A line without its line feed.
    Line(Vec<u8>),
    /// A line that is longer than the limit, and what was seen of it while it passed.
    TooLong(Skimmed),
}

/// Splits a stream of bytes into lines. Pure: does no reading of its own.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    line: Vec<u8>,
    skimmer: Option<Skimmer>,
}

impl Splitter {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), skimmer: None }
    }

    /// Takes bytes from the front of `input` up to the end of one line; yields it if it ended there.
    pub fn take(&mut self, input: &mut &[u8]) -> Option<Frame> {
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input.split_at(end.unwrap_or(input.len()));
        self.keep(part);
        *input = rest.get(usize::from(end.is_some())..).unwrap_or_default();
        end.is_some().then(|| self.finish())
    }

    /// The line that the end of the stream cut off, if there is one.
    pub fn rest(&mut self) -> Option<Frame> {
        (self.skimmer.is_some() || !self.line.is_empty()).then(|| self.finish())
    }

    /// How much of an unfinished line is held or has passed.
    pub fn is_amid_line(&self) -> bool {
        self.skimmer.is_some() || !self.line.is_empty()
    }

    /// How many bytes of an unfinished line are held.
    pub fn held(&self) -> usize {
        self.line.len()
    }

    fn keep(&mut self, part: &[u8]) {
        match &mut self.skimmer {
            Some(skimmer) => skimmer.feed(part),
            None if self.line.len().saturating_add(part.len()) <= self.limit => self.line.extend_from_slice(part),
            None => {
                let mut skimmer = Skimmer::default();
                skimmer.feed(&std::mem::take(&mut self.line));
                skimmer.feed(part);
                self.skimmer = Some(skimmer);
            }
        }
    }

    fn finish(&mut self) -> Frame {
        match self.skimmer.take() {
            Some(skimmer) => Frame::TooLong(skimmer.finish()),
            None => Frame::Line(std::mem::take(&mut self.line)),
        }
    }
}

/// The lines of a reader.
#[derive(Debug)]
pub struct Frames<R> {
    reader: R,
    splitter: Splitter,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Lines of at most `limit` bytes from `reader`.
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader, splitter: Splitter::new(limit), buffer: vec![0; CHUNK], from: 0, to: 0, ended: false }
    }

    /// The next line; `None` at the end, after which an unfinished line has been yielded as one.
    ///
    /// Cancel safe: what was read stays.
    ///
    /// # Errors
    /// As the reader.
    pub async fn next(&mut self) -> std::io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.buffered() {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(self.splitter.rest());
            }
            self.fill().await?;
        }
    }

    /// Reads once. At the end of the stream, [`Frames::has_ended`] becomes true.
    ///
    /// # Errors
    /// As the reader.
    pub async fn fill(&mut self) -> std::io::Result<()> {
        let count = self.reader.read(&mut self.buffer).await?;
        (self.from, self.to) = (0, count);
        self.ended = count == 0;
        Ok(())
    }

    /// A line that needs no further reading.
    pub fn buffered(&mut self) -> Option<Frame> {
        let mut input = self.buffer.get(self.from..self.to).unwrap_or_default();
        let before = input.len();
        if before == 0 {
            return None;
        }
        let frame = self.splitter.take(&mut input);
        self.from += before - input.len();
        frame
    }

    /// Whether the stream ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a line has begun and not ended, and how many of its bytes are held.
    pub fn unfinished(&self) -> Option<usize> {
        self.splitter.is_amid_line().then(|| self.splitter.held())
    }
}

#[cfg(test)]
mod tests;
