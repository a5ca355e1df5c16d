//! Identifiers in the shapes the vendor's have.

use crate::random::Random;

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Seconds between 1970 and the epoch of KSUIDs.
const KSUID_EPOCH: u64 = 1_400_000_000;
const KSUID_BYTES: usize = 20;
const KSUID_CHARACTERS: usize = 27;

/// A K-sortable id: four bytes of time and sixteen of chance, as 27 digits in base 62.
pub(super) fn ksuid(random: &mut Random, now_ms: u64) -> String {
    let seconds = (now_ms / 1000).saturating_sub(KSUID_EPOCH);
    let time = u32::try_from(seconds).unwrap_or(u32::MAX);
    let mut bytes = [0; KSUID_BYTES];
    bytes[..4].copy_from_slice(&time.to_be_bytes());
    bytes[4..12].copy_from_slice(&random.next().to_be_bytes());
    bytes[12..].copy_from_slice(&random.next().to_be_bytes());
    base_62(bytes)
}

/// Long division of the number by 62, digit by digit from behind.
fn base_62(mut number: [u8; KSUID_BYTES]) -> String {
    let mut digits = [b'0'; KSUID_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in &mut number {
            let value = (remainder << 8) | u16::from(*byte);
            // Below 256, because the remainder is below 62.
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = BASE_62[usize::from(remainder)];
    }
    digits.iter().copied().map(char::from).collect()
}

/// The id of a source: ten digits in base 62.
pub(super) fn source(random: &mut Random) -> String {
    digits(random, 10)
}

/// The id of a destination: twenty-four hexadecimal digits.
pub(super) fn destination(random: &mut Random) -> String {
    random.hex(24)
}

/// The id of a warehouse: twenty-two digits in base 62.
pub(super) fn warehouse(random: &mut Random) -> String {
    digits(random, 22)
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(BASE_62[random.below(BASE_62.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_62_counts() {
        let mut number = [0; KSUID_BYTES];
        assert_eq!(base_62(number), "0".repeat(27));
        number[KSUID_BYTES - 1] = 61;
        assert_eq!(base_62(number), format!("{}z", "0".repeat(26)));
        number[KSUID_BYTES - 1] = 62;
        assert_eq!(base_62(number), format!("{}10", "0".repeat(25)));
        assert_eq!(base_62([0xff; KSUID_BYTES]), "aWgEPTl1tmebfsQzFP4bxwgy80V", "the largest KSUID there is");
    }

    #[test]
    fn ksuids_are_in_the_order_of_time() {
        let mut random = Random::for_purpose(1, "ksuid");
        let ids: Vec<_> = (0..50).map(|n| ksuid(&mut random, 1_700_000_000_000 + n * 1000)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.len() == KSUID_CHARACTERS));
    }
}
