//! Which lengths tell whether a form is right at all lengths.
//!
//! A chunked program repeats itself every C steps, so what can go wrong shows within three chunks and a rest
//! (derivation calculus §6): one chunk whole, one short, one over, the carry, and a ragged tail. The fixed list meets
//! what is not periodic.

use crate::passes::Shapes;

/// How many lengths, prompts and kinds of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Full,
    /// Fewer lengths.
    Quick,
    /// One length of each kind that a chunk can stumble over: for many programs, of which each counts little.
    Brief,
}

const FIXED: [usize; 10] = [1, 2, 3, 17, 63, 64, 65, 100, 127, 1000];
const QUICK: [usize; 4] = [1, 2, 3, 17];

/// Lengths of the certificate, ascending: the fixed ones and those around the chunk's.
pub fn lengths(shapes: &Shapes, extent: Extent) -> Vec<usize> {
    let (fixed, quick) = match extent {
        Extent::Full => (&FIXED[..], false),
        Extent::Quick => (&QUICK[..], true),
        Extent::Brief => return brief(shapes.chunk),
    };
    let mut all = fixed.to_vec();
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

/// Less than a chunk, whole chunks, and chunks with a rest.
fn brief(c: usize) -> Vec<usize> {
    vec![1, 2 * c, 3 * c + (c / 3).max(1)]
}

/// Lengths at which bf16 memory is looked at: the code is that of f32, only loads and stores differ.
pub fn narrow(shapes: &Shapes, extent: Extent) -> Vec<usize> {
    let c = shapes.chunk;
    match extent {
        Extent::Brief => vec![c + 1],
        Extent::Quick => vec![3, 2 * c + 1],
        Extent::Full => vec![1, c, 3 * c + (c / 3).max(1), 1000],
    }
}

/// Lengths for stress inputs: a short one, and around the chunk and its carry.
pub fn few(shapes: &Shapes, extent: Extent) -> Vec<usize> {
    let c = shapes.chunk;
    match extent {
        Extent::Brief => vec![c + 1],
        _ => vec![2, c + 1, 2 * c + c / 3],
    }
}

/// Batches that are no multiple of anything, smaller where sequences are long.
pub fn batch(t: usize) -> usize {
    match t {
        0..=40 => 1 + t % 3,
        41..=130 => 1 + t % 2,
        _ => 1,
    }
}

/// Documents of a packed row: shorter than a chunk, a chunk, more, and each after longer and shorter ones.
pub fn documents(shapes: &Shapes, extent: Extent) -> Vec<usize> {
    let c = shapes.chunk;
    match extent {
        Extent::Brief => vec![2, c + 1, 1],
        Extent::Quick => vec![3, 1, 2 * c + 1, 2],
        Extent::Full => vec![3, 1, c, 2, 2 * c + 3, c + 1, 5],
    }
}

/// Prompts and how many tokens follow, in parts or one by one.
pub fn splits(shapes: &Shapes, extent: Extent) -> Vec<(usize, usize)> {
    let c = shapes.chunk;
    let quick = [(1, 2), (c, 2), (2 * c + 1, 3), (3, 2 * c + 3)];
    let mut all = match extent {
        Extent::Brief => vec![(1, 1), (c + 1, 3)],
        Extent::Quick | Extent::Full => quick.to_vec(),
    };
    if extent == Extent::Full {
        all.extend([(2, 1), (3, 4), (c - 1, 3), (c + 1, c + 1), (100, 2)]);
    }
    all.retain(|(p, _)| *p > 0);
    all
}

/// Prompts and how many tokens follow, for gradients: both parts run backward, so both are cut into chunks.
pub fn cuts(shapes: &Shapes, extent: Extent) -> Vec<(usize, usize)> {
    let c = shapes.chunk;
    match extent {
        Extent::Brief => vec![(1, 1), (c + 1, c + 3)],
        Extent::Quick => vec![(1, 2), (c + 1, 2 * c + 3), (2 * c, 1)],
        Extent::Full => splits(shapes, extent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_that_is_promised() {
        let all = lengths(&Shapes::cpu(), Extent::Full);
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
