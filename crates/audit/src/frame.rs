//! The write-ahead segments, byte for byte.
//!
//! A segment is a file `wal/<index of its first record, 20 digits>.wal`:
//!
//! ```text
//! header, 64 bytes
//!   0  16  "callgate wal v1\n"
//!  16   8  index of the first record, big-endian
//!  24  32  the chain value before the first record
//!  56   8  the first 8 bytes of SHA-256 over the 56 bytes before
//! frames, one behind the other
//!   0   4  big-endian: bit 31 is set on the first frame of a batch, the rest is the length n, 1 ..= 61,440
//!   4   n  the leaf
//! 4+n  32  the chain value: SHA-256("callgate wal frame\n" ‖ chain value before ‖ the 4 bytes ‖ leaf hash)
//! zeros up to the end of the file: space that is allocated but not used
//! ```
//!
//! The chain value before record 0 is `SHA-256("callgate wal origin\n" ‖ origin)`, the leaf hash that of
//! RFC 6962. One value so does three jobs: it is the frame's checksum, it fixes the order, and it ties each
//! segment to the one before. It is no signature: against somebody who rewrites the whole file, checkpoints
//! stand.
//!
//! A *batch* is what one `write` and one `fdatasync` made durable, and the next batch is written only after
//! that `fdatasync` returned. So a reader knows without asking that every record before a batch mark is
//! durable; and a damaged frame with a batch mark behind it is damage to durable data, not a torn write.

use callgate_text::Digest;

use crate::merkle::{Hash, leaf_hash};

/// The longest leaf, in bytes: 60 KiB.
pub const MAX_LEAF: usize = 60 << 10;
/// The length of a segment's header, in bytes.
pub const HEADER: usize = 64;
/// What a frame adds to its leaf, in bytes.
pub const FRAME_OVERHEAD: usize = 36;

const MAGIC: &[u8; 16] = b"callgate wal v1\n";
const BATCH_MARK: u32 = 1 << 31;

/// The chain value before the first record of the log `origin`.
pub fn chain_start(origin: &str) -> Hash {
    *Digest::of_parts(&[b"callgate wal origin\n", origin.as_bytes()]).as_bytes()
}

fn chain_next(before: &Hash, head: &[u8; 4], leaf: &Hash) -> Hash {
    *Digest::of_parts(&[b"callgate wal frame\n", before, head, leaf]).as_bytes()
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The index of its first record.
    pub first: u64,
    /// The chain value before it.
    pub chain: Hash,
}

impl Header {
    /// The 64 bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let body = [&MAGIC[..], &self.first.to_be_bytes(), &self.chain].concat();
        let check = Digest::of(&body);
        let mut bytes = [0; HEADER];
        for (to, from) in bytes.iter_mut().zip(body.iter().chain(check.as_bytes())) {
            *to = *from;
        }
        bytes
    }

    /// Reads the header. `None` if the bytes are not one. Never panics.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (first, rest) = rest.split_first_chunk()?;
        let header = Self { first: u64::from_be_bytes(*first), chain: *rest.first_chunk()? };
        bytes.starts_with(&header.encode()).then_some(header)
    }
}

/// Appends the frame of `leaf` to `out`, and gives the hash of the leaf and the chain value behind it.
/// `None` if the leaf is empty or longer than [`MAX_LEAF`].
#[must_use]
pub fn encode(out: &mut Vec<u8>, leaf: &[u8], starts_batch: bool, chain: &Hash) -> Option<(Hash, Hash)> {
    let length = u32::try_from(leaf.len()).ok().filter(|_| (1..=MAX_LEAF).contains(&leaf.len()))?;
    let head = (length | if starts_batch { BATCH_MARK } else { 0 }).to_be_bytes();
    let hash = leaf_hash(leaf);
    let next = chain_next(chain, &head, &hash);
    out.extend_from_slice(&head);
    out.extend_from_slice(leaf);
    out.extend_from_slice(&next);
    Some((hash, next))
}

/// A frame that was read and whose chain value is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The leaf.
    pub leaf: &'a [u8],
    /// Its RFC 6962 hash.
    pub hash: Hash,
    /// Whether it is the first of its batch.
    pub starts_batch: bool,
    /// The chain value behind it.
    pub chain: Hash,
}

impl Frame<'_> {
    /// How many bytes it takes in the file.
    pub fn size(&self) -> usize {
        self.leaf.len() + FRAME_OVERHEAD
    }
}

/// What stands at one place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The bytes end within what may be a frame; holds how many bytes would tell.
    More(usize),
    /// Nothing: the bytes are zero.
    Unused,
    /// No frame that belongs here.
    Invalid,
}

/// Reads the frame at the start of `bytes`, of which `chain` is the chain value before. Never panics.
pub fn decode<'a>(bytes: &'a [u8], chain: &Hash) -> Decoded<'a> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return Decoded::More(4);
    };
    let word = u32::from_be_bytes(*head);
    if word == 0 {
        return Decoded::Unused;
    }
    let Some(length) = usize::try_from(word & !BATCH_MARK).ok().filter(|length| (1..=MAX_LEAF).contains(length)) else {
        return Decoded::Invalid;
    };
    let (Some(leaf), Some(stored)) = (rest.get(..length), rest.get(length..length + 32)) else {
        return Decoded::More(length + FRAME_OVERHEAD);
    };
    let hash = leaf_hash(leaf);
    let next = chain_next(chain, head, &hash);
    if stored != next {
        return Decoded::Invalid;
    }
    Decoded::Frame(Frame { leaf, hash, starts_batch: word & BATCH_MARK != 0, chain: next })
}

/// Whether a frame that starts a batch stands anywhere in `bytes`, whatever came before it.
///
/// The chain value before a frame is the last 32 bytes of the frame before it, so a frame can be recognised
/// without having followed the chain up to it. Never panics.
pub fn holds_batch_start(bytes: &[u8]) -> bool {
    (32..bytes.len()).any(|at| {
        let plausible = bytes.get(at).is_some_and(|byte| *byte == 0x80);
        plausible
            && bytes.get(at - 32..at).and_then(|chain| chain.first_chunk()).is_some_and(|chain| {
                matches!(bytes.get(at..).map(|rest| decode(rest, chain)), Some(Decoded::Frame(frame)) if frame.starts_batch)
            })
    })
}
