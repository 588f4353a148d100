//! Draws folded into the range that an input declares: what lies beyond an end is reflected at it.

use seqc_algebra::{Data, Tensor};
use seqc_hir::Range;

/// So far a number stays from an end that the range leaves out.
const APART: f64 = 1.0 / 1024.0;

/// Moves each number into the range; those that are in it stay.
pub fn keep(t: &mut Tensor, range: &Range) {
    if let Data::Real(d) = &mut t.data {
        let outside = d.iter_mut().filter(|x| !range.contains(**x));
        outside.for_each(|x| *x = reflected(*x, range));
    }
}

fn reflected(x: f64, range: &Range) -> f64 {
    let (lo, hi) = (range.least, range.most);
    let apart = APART * if (hi - lo).is_finite() { hi - lo } else { 1.0 };
    let y = if (hi - lo).is_finite() {
        // There and back again.
        let turn = 2.0 * (hi - lo);
        let at = (x - lo).rem_euclid(turn.max(f64::MIN_POSITIVE));
        lo + at.min(turn - at)
    } else if x < lo {
        2.0 * lo - x
    } else if x > hi {
        2.0 * hi - x
    } else {
        x
    };
    let (least, most) = (
        if range.above { lo + apart } else { lo },
        if range.below { hi - apart } else { hi },
    );
    // The same number in f32, from the inner side of an end.
    let y = f64::from(y.clamp(least, most) as f32);
    if range.contains(y) {
        y
    } else {
        least.max(most.min(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::Axis;

    fn kept(x: &[f64], least: f64, most: f64, open: bool) -> Vec<f64> {
        let range = Range {
            input: "x".into(),
            least,
            most,
            above: open,
            below: open,
            span: Default::default(),
        };
        let a = Axis::new("a", x.len());
        let mut t = Tensor::real(vec![a], vec![x.len()], x.to_vec()).unwrap();
        keep(&mut t, &range);
        t.as_real().unwrap().to_vec()
    }

    #[test]
    fn numbers_are_reflected_at_the_ends() {
        let inf = f64::INFINITY;
        assert_eq!(kept(&[1.5, -0.25], -inf, 0.0, false), [-1.5, -0.25]);
        assert_eq!(kept(&[-3.0, 2.0], 1.0, inf, false), [5.0, 2.0]);
        assert_eq!(
            kept(&[1.25, -0.5, 0.5, 3.5], 0.0, 1.0, false),
            [0.75, 0.5, 0.5, 0.5]
        );
        let open = kept(&[0.0, 1.0, 2.0], 0.0, 1.0, true);
        assert!(open.iter().all(|x| 0.0 < *x && *x < 1.0), "{open:?}");
    }
}
