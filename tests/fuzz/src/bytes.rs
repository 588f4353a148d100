//! Files changed in a few places: by bytes, and, where they are text, by numbers, strings and pieces of their lines.

use super::rng::Rng;

/// Values at which counts, sizes and offsets break.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "2",
    "3",
    "1e999",
    "-1e308",
    "0.5",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"a\"",
];

/// A file near to a right one.
pub fn mutate(right: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = right.to_vec();
    for _ in 0..1 + rng.below(3) {
        change(&mut bytes, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(rng.below(256) as u8);
        return;
    }
    let at = rng.below(bytes.len());
    let end = (at + 1 + rng.below(16)).min(bytes.len());
    match rng.below(9) {
        0 => bytes[at] = rng.below(256) as u8,
        1 => bytes[at] ^= 1 << rng.below(8),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => bytes[at..end].fill([0, 0xff, b'9'][rng.below(3)]),
        6 => {
            // A length or an offset, little-endian.
            let to = (at / 8 * 8 + 8).min(bytes.len());
            let word = [0u64, 1, u64::MAX, 1 << 63, 1 << 32, 1 << 20][rng.below(6)];
            bytes[to - 8.min(to)..to].copy_from_slice(&word.to_le_bytes()[..8.min(to)]);
        }
        _ => token(bytes, at, rng),
    }
}

/// A number, a word or a string in place of another.
fn token(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let Some(start) = (at..bytes.len()).find(|k| part(&bytes[*k])) else {
        return;
    };
    let length = bytes[start..].iter().take_while(|b| part(b)).count();
    let new = rng.pick(NUMBERS).as_bytes().to_vec();
    bytes.splice(start..start + length, new);
}
