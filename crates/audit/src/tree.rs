//! A growing tree that yields its tiles as they fill.

use std::mem;

use crate::merkle::{Hash, empty_root, node_hash};
use crate::tile::{TILE_WIDTH, TileKind, push_entry};

/// Every tile at the right edge of the tree, one for each level.
#[derive(Clone, Debug, Default)]
pub(crate) struct TileTree {
    size: u64,
    edges: Vec<Edge>,
    bundle: Vec<u8>,
    filled: Vec<FullTile>,
}

/// A tile that is full and will not change: its kind, number and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullTile {
    pub(crate) kind: TileKind,
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Edge {
    full: u64,
    hashes: Vec<Hash>,
}

impl TileTree {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub(crate) fn push(&mut self, leaf: &[u8], hash: Hash) {
        // Leaves are shorter than 60 KiB, so an entry always fits.
        let _ = push_entry(&mut self.bundle, leaf);
        self.size = self.size.saturating_add(1);
        if self.size.is_multiple_of(TILE_WIDTH) {
            let bytes = mem::take(&mut self.bundle);
            self.filled.push(FullTile { kind: TileKind::Entries, number: self.size / TILE_WIDTH - 1, bytes });
        }
        let mut hash = hash;
        for level in 0..8_u32 {
            let at = usize::try_from(level).unwrap_or_default();
            if self.edges.len() == at {
                self.edges.push(Edge::default());
            }
            let Some(edge) = self.edges.get_mut(at) else { break };
            edge.hashes.push(hash);
            if edge.hashes.len() < 256 {
                break;
            }
            let hashes = mem::take(&mut edge.hashes);
            let bytes = hashes.as_flattened().to_vec();
            self.filled.push(FullTile { kind: TileKind::Hashes(level), number: edge.full, bytes });
            edge.full += 1;
            hash = complete(hashes);
        }
    }

    /// The tiles that filled up and were not taken yet, oldest first.
    pub(crate) fn filled(&self) -> &[FullTile] {
        &self.filled
    }

    /// Takes the first `count` of [`TileTree::filled`].
    pub(crate) fn drop_filled(&mut self, count: usize) {
        self.filled.drain(..count.min(self.filled.len()));
    }

    /// The tiles that are not full: kind, number, width and bytes.
    pub(crate) fn partial(&self) -> Vec<(TileKind, u64, u64, Vec<u8>)> {
        let mut tiles = Vec::new();
        let width = self.size % TILE_WIDTH;
        if width > 0 {
            tiles.push((TileKind::Entries, self.size / TILE_WIDTH, width, self.bundle.clone()));
        }
        for (edge, level) in self.edges.iter().zip(0..) {
            let width = u64::try_from(edge.hashes.len()).unwrap_or_default();
            if width > 0 {
                tiles.push((TileKind::Hashes(level), edge.full, width, edge.hashes.as_flattened().to_vec()));
            }
        }
        tiles
    }

    /// The root over all leaves so far.
    pub(crate) fn root(&self) -> Hash {
        let mut root = None;
        // The lowest level is the rightmost part of the tree.
        for edge in &self.edges {
            let mut rest = edge.hashes.as_slice();
            let mut peaks = Vec::new();
            for width in (0..8).rev().map(|bit| 1 << bit) {
                if let Some((left, right)) = rest.split_at_checked(width).filter(|_| rest.len() & width != 0) {
                    peaks.push(complete(left.to_vec()));
                    rest = right;
                }
            }
            for peak in peaks.into_iter().rev() {
                root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// The root of a complete subtree over `hashes`, a power of two of them.
pub(crate) fn complete(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    hashes.first().copied().unwrap_or_else(empty_root)
}
