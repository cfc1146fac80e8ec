//! What is kept of output: its beginning and its end, whatever its length.

use std::collections::VecDeque;

/// Output within bounds.
#[derive(Debug)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    most_head: usize,
    most_tail: usize,
    total: u64,
}

/// The longest line that is told as progress, in bytes.
const MOST_OF_LINE: usize = 200;

impl Kept {
    pub(super) fn new(most_head: usize, most_tail: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), most_head, most_tail, total: 0 }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let room = self.most_head.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.most_tail);
        self.tail.drain(..over);
    }

    /// All bytes that there were.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Those that are not kept.
    pub(super) fn left_out(&self) -> u64 {
        let kept = self.head.len() + self.tail.len();
        self.total.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX))
    }

    /// The bytes, if all of them were kept.
    pub(super) fn whole(&self) -> Option<Vec<u8>> {
        (self.left_out() == 0).then(|| self.head.iter().chain(&self.tail).copied().collect())
    }

    /// As text, with a mark where something was left out.
    pub(super) fn text(&self) -> String {
        if let Some(whole) = self.whole() {
            return String::from_utf8_lossy(&whole).into_owned();
        }
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail));
        format!("{head}\n[… {} bytes left out …]\n{tail}", self.left_out())
    }

    /// The last line that has something in it.
    pub(super) fn last_line(&self) -> Option<String> {
        let all = self.head.iter().chain(&self.tail);
        let end: Vec<u8> = all.rev().take(4 * MOST_OF_LINE).copied().collect();
        let end: Vec<u8> = end.into_iter().rev().collect();
        let line = end.split(|byte| matches!(byte, b'\n' | b'\r')).rfind(|line| !line.trim_ascii().is_empty())?;
        let start = line.len().saturating_sub(MOST_OF_LINE);
        Some(String::from_utf8_lossy(line.get(start..).unwrap_or_default()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept_however_it_comes() {
        for size in [1, 2, 3, 7, 100] {
            let mut kept = Kept::new(4, 3);
            b"0123456789".chunks(size).for_each(|chunk| kept.take(chunk));
            assert_eq!(kept.text(), "0123\n[… 3 bytes left out …]\n789", "{size}");
            assert_eq!((kept.total(), kept.left_out(), kept.whole()), (10, 3, None));
        }
        let mut kept = Kept::new(4, 3);
        kept.take(b"0123456");
        assert_eq!((kept.text().as_str(), kept.left_out()), ("0123456", 0));
    }

    #[test]
    fn progress_is_the_last_line_with_something_in_it() {
        let of = |text: &str| {
            let mut kept = Kept::new(1 << 10, 1 << 10);
            kept.take(text.as_bytes());
            kept.last_line()
        };
        assert_eq!(of("a\nb\n\n").as_deref(), Some("b"));
        assert_eq!(of("10%\r20%").as_deref(), Some("20%"));
        assert_eq!(of(" \n").as_deref(), None);
        assert_eq!(of(&"x".repeat(5000)).map(|line| line.len()), Some(MOST_OF_LINE));
    }
}
