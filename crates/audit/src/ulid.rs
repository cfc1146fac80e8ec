//! Ids of the log's own records: a ULID, 48 bits of Unix milliseconds and 80 random bits, in Crockford's base 32.

use callgate_core::Timestamp;

pub(crate) fn ulid(at: Timestamp) -> Option<String> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let millis = u128::try_from(at.as_millis()).unwrap_or_default() & ((1 << 48) - 1);
    let bits = millis << 80 | u128::from_be_bytes(random) & ((1 << 80) - 1);
    let digit = |place: u32| {
        let value = usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
        ALPHABET.get(value).copied().map_or('0', char::from)
    };
    Some((0..26).rev().map(digit).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_sort_by_time_and_do_not_repeat() {
        let ids: Vec<_> = (0..100).map(|at| ulid(Timestamp::from_millis(at * 1000)).unwrap()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 26));
        assert_ne!(ulid(Timestamp::from_millis(7)), ulid(Timestamp::from_millis(7)));
    }
}
