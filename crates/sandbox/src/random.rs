//! Repeatable randomness: the same seed gives the same sequence on every machine and in every release.

/// SplitMix64: tiny, fast, and good enough to invent people and to roll dice for faults.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator for one purpose, so that drawing more for one does not shift the other.
    pub(crate) fn for_purpose(seed: u64, purpose: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is far below anything a simulator can show.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// `digits` lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        (0..digits).filter_map(|_| char::from_digit((self.next() >> 60) as u32, 16)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_sequence_and_a_purpose_separates_it() {
        let draw = |mut random: Random| (0..4).map(|_| random.next()).collect::<Vec<_>>();
        assert_eq!(draw(Random::for_purpose(7, "people")), draw(Random::for_purpose(7, "people")));
        assert_ne!(draw(Random::for_purpose(7, "people")), draw(Random::for_purpose(7, "tokens")));
        assert_ne!(draw(Random::for_purpose(7, "people")), draw(Random::for_purpose(8, "people")));
    }

    #[test]
    fn chance_keeps_to_its_ends() {
        let mut random = Random::for_purpose(3, "dice");
        assert!((0..100).all(|_| random.chance(1.0)));
        assert!((0..100).all(|_| !random.chance(0.0)));
    }
}
