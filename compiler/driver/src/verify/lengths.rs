//! Which lengths tell whether a form is right at all lengths.
//!
//! A chunked program repeats itself every C steps, so what can go wrong shows within three chunks and a rest
//! (derivation calculus §6): one chunk whole, one short, one over, the carry, and a ragged tail. The fixed list meets
//! what is not periodic.

use crate::passes::Shapes;

const FIXED: [usize; 10] = [1, 2, 3, 17, 63, 64, 65, 100, 127, 1000];
const QUICK: [usize; 4] = [1, 2, 3, 17];

/// Lengths of the certificate, ascending: the fixed ones and those around the chunk's.
pub fn lengths(shapes: &Shapes, quick: bool) -> Vec<usize> {
    let mut all = if quick {
        QUICK.to_vec()
    } else {
        FIXED.to_vec()
    };
    let chunks = [
        shapes.chunk,
        shapes.checkpoint,
        shapes.tiles.kept,
        shapes.tiles.streamed,
    ];
    for c in chunks {
        let rest = (c / 3).max(1);
        let around = [c - 1, c, c + 1, 2 * c - 1, 2 * c, 2 * c + 1, 3 * c + rest];
        let few = [c, c + 1, 2 * c + 1];
        all.extend_from_slice(if quick { &few } else { &around });
    }
    all.retain(|t| *t > 0);
    all.sort_unstable();
    all.dedup();
    all
}

/// Lengths for stress inputs: a short one, and around the chunk and its carry.
pub fn few(shapes: &Shapes) -> Vec<usize> {
    let c = shapes.chunk;
    vec![2, c + 1, 2 * c + c / 3]
}

/// Batches that are no multiple of anything, smaller where sequences are long.
pub fn batch(t: usize) -> usize {
    match t {
        0..=40 => 1 + t % 3,
        41..=130 => 1 + t % 2,
        _ => 1,
    }
}

/// Prompts and how many tokens follow.
pub fn splits(shapes: &Shapes, quick: bool) -> Vec<(usize, usize)> {
    let c = shapes.chunk;
    let mut all = vec![(1, 2), (c, 2), (2 * c + 1, 3), (3, 2 * c + 3)];
    if !quick {
        all.extend([(2, 1), (3, 4), (c - 1, 3), (c + 1, c + 1), (100, 2)]);
    }
    all.retain(|(p, _)| *p > 0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_that_is_promised() {
        let all = lengths(&Shapes::cpu(), false);
        let c = Shapes::cpu().chunk;
        for t in FIXED
            .into_iter()
            .chain([c - 1, c, c + 1, 2 * c - 1, 2 * c, 2 * c + 1])
        {
            assert!(all.contains(&t), "{t}");
        }
        assert!(all.iter().any(|t| *t > 3 * c && *t < 4 * c));
    }
}
