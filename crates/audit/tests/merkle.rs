//! The tree against the published vectors and against somebody else's implementation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::convert::Infallible;

use callgate_audit::merkle::{
    Frontier, Hash, Nodes, consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash, root,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use tlog_tiles::tlog;

/// All leaf hashes; every node is computed from the definition.
struct Naive(Vec<Hash>);

impl Nodes for Naive {
    type Error = Infallible;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let first = usize::try_from(index << level).unwrap();
        Ok(naive_root(&self.0[first..first + (1 << level)]))
    }
}

/// RFC 6962 § 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            node_hash(&naive_root(&many[..split]), &naive_root(&many[split..]))
        }
    }
}

fn hex(text: &str) -> Hash {
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// The tree of `certificate-transparency`'s tests, which RFC 9162 implementations share.
#[test]
fn published_roots() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), hex(roots[0]));
    for (leaf, expected) in leaves.iter().zip(&roots[1..]) {
        frontier.push(leaf_hash(leaf));
        assert_eq!(frontier.root(), hex(expected));
    }
    // RFC 6962 § 2.1.3 draws the tree of seven; these are its paths in that tree.
    let mut nodes = Naive(leaves[..7].iter().map(|leaf| leaf_hash(leaf)).collect());
    for (index, length) in [(0, 3), (3, 3), (4, 3), (6, 2)] {
        assert_eq!(inclusion_proof(&mut nodes, index, 7).unwrap().len(), length);
    }
    assert_eq!(consistency_proof(&mut nodes, 3, 7).unwrap().len(), 4);
    assert_eq!(consistency_proof(&mut nodes, 4, 7).unwrap().len(), 1);
    assert_eq!(consistency_proof(&mut nodes, 6, 7).unwrap().len(), 3);
}

struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn stored(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for index in 0..size {
        let more = tlog::stored_hashes(index, &index.to_be_bytes(), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

#[test]
fn every_small_tree_agrees_with_another_implementation() {
    let theirs = stored(70);
    let mut frontier = Frontier::default();
    for size in 1..=70_u64 {
        frontier.push(leaf_hash(&(size - 1).to_be_bytes()));
        let mut nodes = Naive(leaves(size));
        let expected = tlog::tree_hash(size, &theirs).unwrap().0;
        assert_eq!((frontier.root(), root(&mut nodes, size).unwrap()), (expected, expected));
        for index in 0..size {
            let proof = inclusion_proof(&mut nodes, index, size).unwrap();
            let theirs: Vec<Hash> =
                tlog::prove_record(size, index, &theirs).unwrap().iter().map(|hash| hash.0).collect();
            assert_eq!(proof, theirs, "inclusion of {index} in {size}");
            assert!(verify_inclusion(&proof, index, size, &nodes.0[usize::try_from(index).unwrap()], &expected));
        }
        for old in 1..=size {
            let proof = consistency_proof(&mut nodes, old, size).unwrap();
            let old_root = tlog::tree_hash(old, &theirs).unwrap().0;
            let theirs: Vec<Hash> = tlog::prove_tree(size, old, &theirs).unwrap().iter().map(|hash| hash.0).collect();
            assert_eq!(proof, theirs, "consistency of {old} and {size}");
            assert!(verify_consistency(&proof, old, size, &old_root, &expected));
        }
        assert!(verify_consistency(&[], 0, size, &empty_root(), &expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is changed in a proof, it does not verify any more.
    #[test]
    fn no_other_proof_verifies(size in 2_u64..600, at in any::<prop::sample::Index>(), bit in 0_usize..256, cut in any::<bool>()) {
        let index = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let mut nodes = Naive(leaves(size));
        let whole = root(&mut nodes, size).unwrap();
        let leaf = nodes.0[usize::try_from(index).unwrap()];
        let proof = inclusion_proof(&mut nodes, index, size).unwrap();
        prop_assert!(verify_inclusion(&proof, index, size, &leaf, &whole));
        prop_assert!(!verify_inclusion(&proof, index, size, &leaf_hash(b"other"), &whole));
        prop_assert!(!verify_inclusion(&proof, (index + 1) % size, size, &leaf, &whole));
        let mut changed = proof.clone();
        if cut { changed.pop(); } else { changed[bit % proof.len()][bit / 8] ^= 1 << (bit % 8); }
        prop_assert!(!verify_inclusion(&changed, index, size, &leaf, &whole));
        let mut longer = proof;
        longer.push(leaf);
        prop_assert!(!verify_inclusion(&longer, index, size, &leaf, &whole));

        let old = index.max(1);
        let old_root = root(&mut nodes, old).unwrap();
        let proof = consistency_proof(&mut nodes, old, size).unwrap();
        prop_assert!(verify_consistency(&proof, old, size, &old_root, &whole));
        prop_assert!(!verify_consistency(&proof, old, size, &leaf_hash(b"other"), &whole));
        if old < size {
            let mut changed = proof.clone();
            if cut { changed.pop(); } else { changed[bit % proof.len()][bit / 8] ^= 1 << (bit % 8); }
            prop_assert!(!verify_consistency(&changed, old, size, &old_root, &whole));
        }
    }

    /// Nonsense neither verifies nor panics.
    #[test]
    fn nonsense_does_not_verify(proof in prop::collection::vec(any::<Hash>(), 0..70), index: u64, size: u64, one: Hash, other: Hash) {
        prop_assert!(!verify_inclusion(&proof, index, size, &one, &other));
        prop_assert!(index == 0 && proof.is_empty() || !verify_consistency(&proof, index, size, &one, &other));
    }
}
