//! Law: what is linear in an outer product acts on its factors.
//!
//! ```text
//! stop(k v) = stop(k) stop(v)      select(c, k v, 0) = select(c, k, 0) select(c, v, 0)      re(k v) = re(k) v, v real
//! (k v)[t-1] = k[t-1] v[t-1]       (k v){a -> b} = k{a -> b} v                              op(k v + w) = op(k v) + op(w)
//! ```
//! An outer product is larger than what it is made of. Whatever stands around it, the laws that look for a key and a value
//! ([`crate::inputs`], [`crate::affine`]) then find them, and a value that is read late is kept as its factors. Of a product
//! of complex numbers, `re` and `im` are sums of two products. In a recurrence's step, parts of complex numbers go down to
//! the state's factors, whether these are larger or not: `re(a S) = re(a) S` for a real S.
//!
//! Side conditions: an operation that fills with 0 acts on every factor along its axis, and one factor has the axis; a
//! choice acts on every factor that has the axes of its condition, so that what it leaves out is 0 whatever it would be, and
//! the others are no quotients, powers or exponentials, which might be infinite there. A choice between values that depend
//! on a state stays: the normal form knows it. [`apply`] does the work.

mod apply;

use crate::Result;
use crate::rewrite::map_values;
use apply::Linear;
use seqc_algebra::{Builder, Func, MapFn, Op, Scan, ValueId};
use std::collections::HashMap;

/// Applies the law everywhere, in the steps of recurrences too.
pub fn linear_products(func: &Func) -> Result<Func> {
    spread(func, 0)
}

/// The law in a program whose parameters after the first are states, so many.
fn spread(func: &Func, states: usize) -> Result<Func> {
    let mut p = Products {
        states,
        ..Products::default()
    };
    map_values(func, |b, func, id, args| {
        if let Op::Scan(scan) = func.op(id) {
            let body = spread(&scan.body, scan.states)?;
            let new = Scan {
                body,
                ..(**scan).clone()
            };
            return Ok(Some(b.push(Op::Scan(Box::new(new)), args)?));
        }
        p.see(b.func());
        let Some(new) = p.rewritten(b, func.op(id), args)? else {
            return Ok(None);
        };
        let new = b.fill(new, &func.ty(id).axes)?;
        Ok(b.ty(new).same(func.ty(id)).then_some(new))
    })
}

/// What is known of the values of the new program.
#[derive(Default)]
struct Products {
    states: usize,
    /// Is it made of an outer product by arithmetic?
    outer: Vec<bool>,
    of_state: Vec<bool>,
    done: HashMap<(Linear, ValueId), Option<ValueId>>,
}

impl Products {
    /// Takes note of values that were added.
    fn see(&mut self, func: &Func) {
        for id in func.ids_from(self.outer.len()) {
            let args = func.args(id);
            let state = func.params[..func.params.len().min(1 + self.states)]
                .iter()
                .skip(1)
                .any(|p| *p == id);
            let below = args.iter().any(|a| self.of_state[a.index()]);
            self.of_state.push(state || below);
            let below = args.iter().any(|a| self.outer[a.index()]);
            self.outer.push(match func.op(id) {
                op if is_product(op) => below || grown(func, id),
                Op::Map(MapFn::Div) => {
                    let [x, y] = [args[0], args[1]];
                    grown(func, id) || self.outer(x) || self.outer(y) && is_product(func.op(y))
                }
                Op::Map(MapFn::Add | MapFn::Sub | MapFn::Neg) => below,
                Op::Expand(_) | Op::Merge { .. } => below,
                _ => false,
            });
        }
    }

    fn outer(&self, v: ValueId) -> bool {
        self.outer[v.index()]
    }

    fn of_state(&self, v: ValueId) -> bool {
        self.of_state[v.index()]
    }

    /// The operation on the factors of its argument, where the law applies.
    fn rewritten(&mut self, b: &mut Builder, op: &Op, args: &[ValueId]) -> Result<Option<ValueId>> {
        match op {
            Op::Map(MapFn::Select) => self.choice(b, args),
            Op::Split { .. } | Op::Merge { .. } | Op::Rename { .. }
                if undone(b, op, args[0]).is_some() =>
            {
                Ok(undone(b, op, args[0]))
            }
            Op::Map(MapFn::Re | MapFn::Im | MapFn::Conj)
                if self.outer(args[0])
                    || self.of_state(args[0])
                    || matches!(b.func().op(args[0]), Op::Map(MapFn::Complex)) =>
            {
                self.applied(b, &Linear::Op(op.clone()), args[0])
            }
            Op::Map(MapFn::Stop)
            | Op::Shift { .. }
            | Op::Window { .. }
            | Op::Rename { .. }
            | Op::Flip(_)
            | Op::Pick { .. }
            | Op::Place { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
                if self.outer(args[0]) && !self.of_state(args[0]) =>
            {
                self.applied(b, &Linear::Op(op.clone()), args[0])
            }
            _ => Ok(None),
        }
    }

    /// A choice is the sum of what is where its condition holds and of what is where it does not.
    fn choice(&mut self, b: &mut Builder, args: &[ValueId]) -> Result<Option<ValueId>> {
        let [c, yes, no] = args else { return Ok(None) };
        let outer = self.outer(*yes) || self.outer(*no);
        if !outer || args.iter().any(|v| self.of_state(*v)) {
            return Ok(None);
        }
        let mut all: Option<ValueId> = None;
        for (lin, v) in [(Linear::Where(*c), yes), (Linear::Unless(*c), no)] {
            if b.func().everywhere(*v) == Some(0.0) {
                continue;
            }
            let Some(part) = self.applied(b, &lin, *v)? else {
                return Ok(None);
            };
            all = Some(match all {
                None => part,
                Some(sum) => {
                    let axes = b.axes(part).to_vec();
                    let sum = b.fill(sum, &axes)?;
                    b.add2(sum, part)?
                }
            });
        }
        Ok(all)
    }
}

/// What was merged before it is split the same way, split before it is merged, or renamed before it gets its name back.
fn undone(b: &Builder, op: &Op, v: ValueId) -> Option<ValueId> {
    let same = match (op, b.func().op(v)) {
        (Op::Split { axis, into }, Op::Merge { axes, into: merged }) => {
            axis == merged && axes == into
        }
        (Op::Merge { axes, into }, Op::Split { axis, into: parts }) => {
            into == axis && axes == parts
        }
        (Op::Rename { from, to }, Op::Rename { from: was, to: is }) => from == is && to == was,
        _ => false,
    };
    same.then(|| b.func().args(v)[0])
}

/// Is it a product of its arguments?
fn is_product(op: &Op) -> bool {
    match op {
        Op::Map(MapFn::Mul) => true,
        Op::Contract(over) => over.is_empty(),
        _ => false,
    }
}

/// Has it more axes than anything that it is made of?
fn grown(func: &Func, id: ValueId) -> bool {
    let axes = |v: &ValueId| func.ty(*v).axes.len();
    func.args(id).iter().all(|a| axes(a) < axes(&id))
}
