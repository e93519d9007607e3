//! Lengths in `Native` blocks: seven bits per byte, the lowest first.

/// Appends a number.
pub(crate) fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [lowest, ..] = number.to_le_bytes();
        if number < 0x80 {
            return out.push(lowest);
        }
        out.push(lowest | 0x80);
        number >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_by_a_byte_per_seven_bits() {
        let written = |number| {
            let mut out = Vec::new();
            write_varint(number, &mut out);
            out
        };
        assert_eq!(written(0), [0]);
        assert_eq!(written(127), [127]);
        assert_eq!(written(128), [0x80, 1]);
        assert_eq!(written(u64::MAX).len(), 10);
    }
}
