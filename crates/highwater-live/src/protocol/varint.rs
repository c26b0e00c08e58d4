//! Lengths before MessagePack messages: seven bits to a byte, the least significant first.

/// The longest message that a length can announce.
const LENGTH_MAX: u64 = 0x7fff_ffff;

/// Length of a message, as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// The message is this long, and begins after this many bytes.
    Known { body: usize, prefix: usize },
    /// More bytes are needed to tell.
    Unfinished,
    /// No length looks like this.
    Invalid,
}

pub(super) fn read(bytes: &[u8]) -> Length {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return match usize::try_from(value) {
                Ok(body) if value <= LENGTH_MAX => Length::Known { body, prefix: at + 1 },
                _ => Length::Invalid,
            };
        }
    }
    if bytes.len() < 5 { Length::Unfinished } else { Length::Invalid }
}

pub(super) fn write(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_specification() {
        let cases: [(usize, &[u8]); 8] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (16_384, &[0x80, 0x80, 1]),
            (32_768, &[0x80, 0x80, 2]),
            (1_048_576, &[0x80, 0x80, 0x40]),
            (0x7fff_ffff, &[0xff, 0xff, 0xff, 0xff, 7]),
        ];
        for (body, bytes) in cases {
            let mut written = Vec::new();
            write(body, &mut written);
            assert_eq!(written, bytes);
            assert_eq!(read(bytes), Length::Known { body, prefix: bytes.len() });
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Length::Unfinished);
            }
        }
    }

    #[test]
    fn a_length_of_more_than_31_bits_or_five_bytes_is_refused() {
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 8]), Length::Invalid);
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80]), Length::Invalid);
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80, 1]), Length::Invalid);
    }
}
