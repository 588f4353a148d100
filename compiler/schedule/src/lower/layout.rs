//! In which order the axes of a stored value lie in memory, where that is not the order of its type.
//!
//! A gradient lies as its parameter does, an outgoing state as the incoming one. A temporary that is multiplied
//! with a value of fixed layout takes over the order of the axes that they share, so that each group of axes of the
//! product is one stride and the product is one launch instead of one a position of a misplaced axis.
//! Invariant: a layout is a permutation of the value's axes, run-time lengths where they were.

use super::buffers::result_ty;
use super::choose::{is_product, is_view};
use seqc_algebra::{Axis, Func, Op, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// The values whose layout is not that of their type.
pub(crate) type Layouts = BTreeMap<ValueId, Vec<Axis>>;

pub(crate) fn layouts(func: &Func, orders: &[(String, Vec<Axis>)]) -> Layouts {
    let mut all = Layouts::new();
    let mut named = BTreeSet::new();
    for (name, v) in &func.results {
        // Further names of a value, and results that are inputs, are copies with a layout of their own.
        if matches!(func.op(*v), Op::Input(_)) || !named.insert(*v) {
            continue;
        }
        let ty = func.ty(*v);
        let axes = result_ty(func, orders, name, ty).axes;
        if axes != ty.axes {
            all.insert(*v, axes);
        }
    }
    let fixed = fixed(func);
    let live = func.live();
    for id in func.ids().filter(|id| live[id.index()]) {
        if !is_product(func, id, true) {
            continue;
        }
        let three: Vec<ValueId> = func.args(id).iter().copied().chain([id]).collect();
        for x in three.iter().filter(|x| !fixed.contains(x)) {
            if all.contains_key(x) {
                continue;
            }
            let like = three.iter().filter(|y| fixed.contains(y));
            let moved = like
                .filter_map(|y| arranged(&func.ty(*x).axes, axes_of(func, &all, *y)))
                .next();
            if let Some(axes) = moved.filter(|axes| *axes != func.ty(*x).axes) {
                all.insert(*x, axes);
            }
        }
    }
    all
}

/// The axes of a stored value from the outermost in.
pub(crate) fn axes_of<'a>(func: &'a Func, layouts: &'a Layouts, v: ValueId) -> &'a [Axis] {
    layouts.get(&v).map_or(&func.ty(v).axes, |a| a)
}

/// Values that must lie as they do: inputs, results, whatever is no value of its own, and what the runtime's
/// convolution reads and writes.
fn fixed(func: &Func) -> BTreeSet<ValueId> {
    let mut all: BTreeSet<ValueId> = func.results.iter().map(|(_, v)| *v).collect();
    for id in func.ids() {
        match func.op(id) {
            Op::Input(_) => {
                all.insert(id);
            }
            Op::Conv { .. } | Op::ConvKernel { .. } | Op::Online(_) => {
                all.insert(id);
                all.extend(func.args(id));
            }
            op if is_view(op) => {
                all.insert(id);
            }
            _ => {}
        }
    }
    all
}

/// `axes` with those shared with `like` in its order, at the place of the first; `None` if fewer than two are shared.
fn arranged(axes: &[Axis], like: &[Axis]) -> Option<Vec<Axis>> {
    let shared: Vec<Axis> = like
        .iter()
        .copied()
        .filter(|a| a.is_const() && axes.contains(a))
        .collect();
    if shared.len() < 2 {
        return None;
    }
    let first = axes.iter().position(|a| shared.contains(a))?;
    let mut out: Vec<Axis> = axes[..first].to_vec();
    out.extend(&shared);
    out.extend(axes[first..].iter().filter(|a| !shared.contains(a)));
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{Builder, InputKind, Ty};

    /// The first name decides: one value is the gradient of two parameters whose axes are in different orders.
    #[test]
    fn a_value_of_two_names_lies_as_the_first_wants() {
        let (h, k) = (Axis::new("h", 4), Axis::new("k", 8));
        let laid = |names: [&str; 2]| {
            let mut b = Builder::new("two");
            let x = b.input("x", InputKind::Data, Ty::real(vec![h, k]));
            for (name, axes) in [("same", vec![h, k]), ("other", vec![k, h])] {
                b.input(name, InputKind::Data, Ty::real(axes));
            }
            let v = b.mul(x, x).expect("a square");
            names.iter().for_each(|n| b.result(&format!("grad.{n}"), v));
            let func = b.finish();
            axes_of(&func, &layouts(&func, &[]), v).to_vec()
        };
        assert_eq!(laid(["same", "other"]), [h, k]);
        assert_eq!(laid(["other", "same"]), [k, h]);
    }

    #[test]
    fn shared_axes_take_the_order_of_the_fixed_value() {
        let axis = |n: &str, s: usize| Axis::new(n, s);
        let (h, k, g, d) = (axis("h", 4), axis("k", 8), axis("g", 3), axis("d", 16));
        let (b, t) = (Axis::batch(), Axis::time());
        assert_eq!(
            arranged(&[b, t, h, k, g], &[g, h, k, d]),
            Some(vec![b, t, g, h, k])
        );
        assert_eq!(
            arranged(&[b, t, d, h, k], &[k, h]),
            Some(vec![b, t, d, k, h])
        );
        assert_eq!(arranged(&[b, t, h, d], &[g, h, k]), None);
    }
}
