//! The file names of `c2sp.org/tlog-tiles` v0.1.0, and what is in the files.
//!
//! | file | content |
//! | --- | --- |
//! | `checkpoint` | the signed checkpoint |
//! | `tile/<L>/<N>` | 256 hashes: node `(8·L, 256·N + i)` at `32·i` |
//! | `tile/<L>/<N>.p/<W>` | the first `W` of them, `1 ≤ W ≤ 255` |
//! | `tile/entries/<N>`, `….p/<W>` | 256 (or `W`) leaves, each behind its length as a big-endian `u16` |
//!
//! `<N>` is written in groups of three digits, all but the last behind an `x`: 1234067 is `x001/x234/067`.

use std::path::PathBuf;

use crate::merkle::Hash;

/// How many hashes or entries a full tile has.
pub const TILE_WIDTH: u64 = 256;
/// How many levels of the tree one level of tiles spans.
pub const TILE_HEIGHT: u32 = 8;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes, at this level of tiles: `8·L` in the tree.
    Hashes(u32),
    /// Leaves.
    Entries,
}

/// The path of tile `number`, relative to the served directory; `width` below 256 makes it a partial one.
pub fn tile_path(kind: TileKind, number: u64, width: u64) -> PathBuf {
    let mut path = match kind {
        TileKind::Hashes(level) => format!("tile/{level}/"),
        TileKind::Entries => "tile/entries/".to_owned(),
    };
    path.push_str(&number_path(number));
    if width < TILE_WIDTH {
        path.push_str(&format!(".p/{width}"));
    }
    path.into()
}

fn number_path(number: u64) -> String {
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    groups.join("/")
}

/// Appends `leaf` to the bytes of an entry bundle. `None` if it is longer than 65,535 bytes.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, leaf: &[u8]) -> Option<()> {
    bundle.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
    bundle.extend_from_slice(leaf);
    Some(())
}

/// The leaves of an entry bundle. `None` if the bytes are not one. Never panics.
pub fn entries(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk() {
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf);
        bundle = rest;
    }
    bundle.is_empty().then_some(leaves)
}

/// The hashes of a tile. `None` if the bytes are not one. Never panics.
pub fn hashes(tile: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = tile.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (kind, number, width, path) in [
            (TileKind::Hashes(0), 0, 256, "tile/0/000"),
            (TileKind::Hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
            (TileKind::Hashes(1), 273, 112, "tile/1/273.p/112"),
            (TileKind::Entries, 1_000, 1, "tile/entries/x001/000.p/1"),
        ] {
            assert_eq!(tile_path(kind, number, width).to_str(), Some(path));
        }
    }

    #[test]
    fn bundles_round_trip() {
        let mut bundle = Vec::new();
        for leaf in [&b"a"[..], b"", &[7; 65_535]] {
            push_entry(&mut bundle, leaf).unwrap();
        }
        assert_eq!(entries(&bundle).unwrap(), [&b"a"[..], b"", &[7; 65_535]]);
        assert_eq!(entries(&bundle[..bundle.len() - 1]), None);
        assert_eq!(push_entry(&mut bundle, &[7; 65_536]), None);
    }
}
