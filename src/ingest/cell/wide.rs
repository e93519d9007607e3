//! Whole numbers of 256 bits, for `Int256`, `UInt256` and long decimals.

/// A magnitude, least significant limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wide([u64; 4]);

impl Wide {
    /// Reads decimal digits, at least one; `None` beyond 256 bits or at another character.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        if digits.is_empty() {
            return None;
        }
        digits.bytes().try_fold(Self([0; 4]), |number, byte| {
            let digit = char::from(byte).to_digit(10)?;
            number.push_digit(digit)
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "the upper half of a product is the carry")]
    fn push_digit(self, digit: u32) -> Option<Self> {
        let mut carry = u128::from(digit);
        let limbs = self.0.map(|limb| {
            let product = u128::from(limb) * 10 + carry;
            carry = product >> 64;
            product as u64
        });
        (carry == 0).then_some(Self(limbs))
    }

    /// The number as `UInt256`.
    pub(super) fn unsigned(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// The number as `Int256`; `None` from 2^255 on.
    pub(super) fn positive(self) -> Option<[u8; 32]> {
        let bytes = self.unsigned();
        (bytes[31] < 0x80).then_some(bytes)
    }

    /// Minus the number as `Int256`; `None` above 2^255.
    pub(super) fn negative(self) -> Option<[u8; 32]> {
        let mut carry = true;
        let limbs = self.0.map(|limb| {
            let (negated, overflow) = (!limb).overflowing_add(u64::from(carry));
            carry = overflow;
            negated
        });
        let bytes = Self(limbs).unsigned();
        (bytes[31] >= 0x80 || self.0 == [0; 4]).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_agree_with_those_of_the_machine() {
        for number in [0_i128, 1, 9, 10, 255, 1 << 64, i128::MAX] {
            let wide = Wide::parse(&number.to_string()).unwrap();
            assert_eq!(wide.unsigned()[..16], number.to_le_bytes());
            assert_eq!(wide.negative().unwrap()[..16], (-number).to_le_bytes());
        }
    }

    #[test]
    fn the_ends_of_the_range_are_exact() {
        let last = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
        let beyond = "57896044618658097711785492504343953926634992332820282019728792003956564819968";
        assert!(Wide::parse(last).unwrap().positive().is_some());
        assert!(Wide::parse(beyond).unwrap().positive().is_none());
        assert!(Wide::parse(beyond).unwrap().negative().is_some());
        let unsigned = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(Wide::parse(unsigned).unwrap().unsigned(), [0xff; 32]);
        assert_eq!(Wide::parse(&unsigned.replace("935", "936")), None);
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for text in ["", "-", "+1", "1 ", "1.0", "0x1", "١"] {
            assert_eq!(Wide::parse(text), None, "{text}");
        }
    }
}
