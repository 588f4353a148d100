//! Did you mean …? The nearest known name to an unknown one.
//!
//! Why: E03 and E24 name the likely intent. Invariant: the answer depends only on the arguments and
//! their order, and is silent rather than far-fetched: at most a third of the name may differ.

/// The candidate nearest to `name`; among equals one of the same length, then the earliest. `None` when none is near.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = name.chars().count();
    // One letter for another is no typing error: `q` does not suggest `k`.
    let limit = if length < 2 { 0 } else { (length / 3).max(1) };
    let mut best: Option<((usize, bool), &str)> = None;
    for candidate in candidates {
        let distance = if candidate == name {
            continue;
        } else if candidate.eq_ignore_ascii_case(name) {
            0
        } else {
            strsim::osa_distance(name, candidate)
        };
        let rank = (distance, candidate.chars().count() != length);
        if distance <= limit && best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        assert_eq!(did_you_mean("kk", ["q", "k", "v"]), Some("k"));
        assert_eq!(did_you_mean("head", ["h", "heads", "dk"]), Some("heads"));
        assert_eq!(did_you_mean("A_Log", ["a", "A_log"]), Some("A_log"));
        assert_eq!(did_you_mean("lienar", ["affine", "linear"]), Some("linear"));
        assert_eq!(did_you_mean("q", ["k", "Q"]), Some("Q"));
        assert_eq!(did_you_mean("q", ["k", "v"]), None);
        assert_eq!(did_you_mean("softmax", ["rmsnorm", "sum"]), None);
        assert_eq!(did_you_mean("dk", ["dv", "dx"]), Some("dv"));
    }
}
