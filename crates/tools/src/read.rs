//! `read_file`: lines of a text, exactly.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::done::{Kind, count};
use crate::folder::{Folder, Spot};
use crate::{Done, Fault};

/// The most text that one call gives back.
const MOST_TEXT: usize = 256 << 10;

/// How far into a file one call looks.
const MOST_SCANNED: usize = 256 << 20;

pub(crate) fn read(folder: &Folder, path: &str, offset: u64, limit: u64) -> Result<Done, Fault> {
    let spot = folder.spot(path)?;
    let (file, stat) = folder.file(&spot)?;
    let mut reader = Limited { from: BufReader::with_capacity(64 << 10, File::from(file)), scanned: 0 };
    let io = |error: std::io::Error| Fault::new(Kind::Failed, format!("`{}`: {error}", spot.shown()));
    for _ in 1..offset {
        let (length, _) = reader.line(None, &spot).map_err(io)??;
        if length == 0 {
            let message = format!("`{}` ends before line {offset}", spot.shown());
            return Err(Fault::new(Kind::NotFound, message));
        }
    }
    let (mut bytes, mut lines, mut cut) = (Vec::new(), 0_u64, false);
    while lines < limit && !cut {
        let room = MOST_TEXT.saturating_sub(bytes.len());
        if room == 0 {
            break;
        }
        let (length, whole) = reader.line(Some((&mut bytes, room)), &spot).map_err(io)??;
        if length == 0 {
            break;
        }
        cut = !whole;
        lines += 1;
    }
    let more = cut || !reader.from.fill_buf().map_err(io)?.is_empty();
    let text = text(bytes, cut, &spot)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let last = offset.saturating_add(lines).saturating_sub(1);
    let done = Done::new(text)
        .with("path", spot.shown())
        .with("size", callgate_text::Json::from(size.to_string()))
        .with("first_line", number(offset))
        .with("lines", number(lines))
        .with("more", callgate_text::Json::Bool(more));
    Ok(match (more, cut) {
        (false, _) if lines == 0 && offset == 1 => done.noting("The file is empty."),
        (false, _) => done,
        (true, true) => done.noting(format!("Line {last} is cut: it is longer than one answer holds.")),
        (true, false) => {
            done.noting(format!("Lines {offset} to {last}; there is more: go on with offset {}.", last + 1))
        }
    })
}

fn number(number: u64) -> callgate_text::Json {
    count(usize::try_from(number).unwrap_or(usize::MAX))
}

/// The bytes as text, without a character that was cut in two.
fn text(mut bytes: Vec<u8>, cut: bool, spot: &Spot) -> Result<String, Fault> {
    if cut && let Err(error) = std::str::from_utf8(&bytes) {
        // Only an end that is missing, not one that is wrong.
        if error.error_len().is_none() {
            bytes.truncate(error.valid_up_to());
        }
    }
    String::from_utf8(bytes).map_err(|_| binary(spot))
}

pub(crate) fn binary(spot: &Spot) -> Fault {
    Fault::new(Kind::Binary, format!("`{}` is not text in UTF-8", spot.shown()))
}

struct Limited {
    from: BufReader<File>,
    scanned: usize,
}

impl Limited {
    /// Reads one line, into `into` as far as there is room; how long it is, and whether all of it was taken.
    ///
    /// A NUL means that this is no text, wherever it stands.
    fn line(
        &mut self,
        mut into: Option<(&mut Vec<u8>, usize)>,
        spot: &Spot,
    ) -> std::io::Result<Result<(usize, bool), Fault>> {
        let mut length = 0;
        loop {
            let available = self.from.fill_buf()?;
            if available.is_empty() {
                return Ok(Ok((length, true)));
            }
            let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if part.contains(&0) {
                return Ok(Err(binary(spot)));
            }
            let taken = part.len();
            if let Some((bytes, room)) = &mut into {
                let fits = taken.min(*room);
                bytes.extend_from_slice(part.get(..fits).unwrap_or_default());
                *room -= fits;
                if fits < taken {
                    return Ok(Ok((length + fits, false)));
                }
            }
            self.from.consume(taken);
            length += taken;
            self.scanned = self.scanned.saturating_add(taken);
            if self.scanned > MOST_SCANNED {
                let message = format!("`{}` is longer than this tool reads; use the terminal", spot.shown());
                return Ok(Err(Fault::new(Kind::TooLarge, message)));
            }
            if end.is_some() {
                return Ok(Ok((length, true)));
            }
        }
    }
}
