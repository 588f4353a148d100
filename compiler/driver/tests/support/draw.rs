//! Numbers that tests run on.

/// A fixed pseudo-random number in [-1, 1) of a name and an index.
pub fn draw(name: &str, n: usize) -> f64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for b in name.bytes().chain((n as u64).to_le_bytes()) {
        h = (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    }
    h ^= h >> 29;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 32;
    (h >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}
