//! The Merkle tree of RFC 6962 § 2.1 (RFC 9162 § 2.1): hashes, roots, proofs and their verification.
//!
//! A leaf hashes to `SHA-256(0x00 ‖ leaf)`, an inner node to `SHA-256(0x01 ‖ left ‖ right)`, the empty tree to
//! `SHA-256("")`. Nodes are addressed as `(level, index)`: node `(0, i)` is leaf `i`, node `(l, i)` the root of
//! the complete subtree over leaves `i·2^l .. (i+1)·2^l`.

use callgate_text::Digest;

/// A hash of the tree: SHA-256.
pub type Hash = [u8; 32];

/// The hash of one leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    *Digest::of_parts(&[&[0], leaf]).as_bytes()
}

/// The hash of two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    *Digest::of_parts(&[&[1], left, right]).as_bytes()
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    *Digest::of(b"").as_bytes()
}

/// The complete subtrees at the left edge of a growing tree: what is needed to go on appending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One hash per set bit of `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of one leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Where the hashes of complete subtrees come from.
pub trait Nodes {
    /// Why a hash cannot be had.
    type Error;

    /// The hash of node `index` at `level`, a complete subtree.
    ///
    /// # Errors
    /// If the hash cannot be read.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of leaves `start..end`, where `start` is a multiple of the largest power of two below `end - start`.
fn range<N: Nodes>(nodes: &mut N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let width = end.saturating_sub(start);
    if width == 0 {
        return Ok(empty_root());
    }
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return nodes.node(level, start >> level);
    }
    let middle = start + split(width);
    let left = range(nodes, start, middle)?;
    let right = range(nodes, middle, end)?;
    Ok(node_hash(&left, &right))
}

/// The largest power of two smaller than `width`; `width` is at least 2.
fn split(width: u64) -> u64 {
    1 << (63 - width.saturating_sub(1).max(1).leading_zeros())
}

/// The root of the first `size` leaves.
///
/// # Errors
/// If a hash cannot be had.
pub fn root<N: Nodes>(nodes: &mut N, size: u64) -> Result<Hash, N::Error> {
    range(nodes, 0, size)
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves, the leaf's sibling first (RFC 6962 § 2.1.1).
/// Empty if the leaf is not in the tree.
///
/// # Errors
/// If a hash cannot be had.
pub fn inclusion_proof<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while index < end && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof from the tree of `old` leaves to that of `size` (RFC 6962 § 2.1.2). Empty if `old` is 0 or
/// not smaller than `size`.
///
/// # Errors
/// If a hash cannot be had.
pub fn consistency_proof<N: Nodes>(nodes: &mut N, old: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || old >= size {
        return Ok(Vec::new());
    }
    let (mut start, mut end, mut whole) = (0, size, true);
    let mut path = Vec::new();
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range(nodes, start, middle)?);
            start = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range(nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with `root` (RFC 9162 § 2.1.3.2).
#[must_use]
pub fn verify_inclusion(proof: &[Hash], index: u64, size: u64, leaf: &Hash, root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `size` leaves with `root` begins with the `old` leaves of `old_root`
/// (RFC 9162 § 2.1.4.2). The empty tree is the beginning of every tree.
#[must_use]
pub fn verify_consistency(proof: &[Hash], old: u64, size: u64, old_root: &Hash, root: &Hash) -> bool {
    if old > size || (old == 0 && *old_root != empty_root()) {
        return false;
    }
    if old == 0 || old == size {
        return proof.is_empty() && (old == 0 || old_root == root);
    }
    let mut path = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            before = node_hash(sibling, &before);
            after = node_hash(sibling, &after);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            after = node_hash(&after, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && before == *old_root && after == *root
}
