//! ULIDs: 48 bits of milliseconds and 80 random bits, in Crockford's base 32.

use crate::Timestamp;
use crate::seam::{Entropy, EntropyError};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

pub(super) fn ulid(at: Timestamp, entropy: &dyn Entropy) -> Result<String, EntropyError> {
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    let millis = u64::try_from(at.as_millis()).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
    let random = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = u128::from(millis) << 80 | random;
    let digit = |place: u32| ALPHABET.get(usize::try_from(bits >> (place * 5) & 31).unwrap_or(0));
    Ok((0..26).rev().filter_map(digit).map(|digit| char::from(*digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn ids_are_ulids_that_sort_by_time() {
        let id = |millis, byte| ulid(Timestamp::from_millis(millis), &Fixed(byte)).expect("fixed");
        assert_eq!(id(0, 0), "00000000000000000000000000");
        assert_eq!(id((1 << 48) - 1, 0xFF), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert!(id(1_795_386_614_007, 0xFF) < id(1_795_386_614_008, 0));
    }
}
