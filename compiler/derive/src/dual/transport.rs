//! What a step does to all columns alike: a state for each source position, `K[t,j] = A_t K[t-1,j]`, born as `K[j,j]`.
//!
//! `Σ_j (q_i · K[i,j]) v_j = q_i · S_i` with `S_i = A_i S_{i-1} + K[i,i] v_i`: the step acts on the sum as on each term,
//! if it is linear, is the same for all columns and adds nothing of its own. The state of one column is `start` at its own step;
//! products of decays (`A` a number) and keys that later steps turn (`A` the identity plus rank one) are such.

use super::entry::{Entries, Entry, Names, named, plain};
use super::sources;
use crate::affine::{Affine, Factor, How};
use crate::order::depends_on;
use crate::stream::{Inequality, is_long};
use crate::trajectory::bare;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, Out, Scan, ValueId};
use std::collections::HashMap;

/// A state for each column, in the body of its scan.
#[derive(Clone)]
pub(super) struct Transport {
    pub scan: ValueId,
    old: ValueId,
    /// What a step makes of the old state.
    update: ValueId,
    /// What a column's state is at its own step, if not a number.
    pub start: Option<Factor>,
    /// The state's axes with the names that the sum has for them.
    renamed: Vec<(Axis, Axis)>,
    /// The axes that a step mixes.
    mixed: Vec<Axis>,
}

impl Entries<'_> {
    /// A state for each column as the factor that it is born as and what is done to it since.
    pub fn transport(&self, v: ValueId, names: &Names) -> Option<Entry> {
        let func = self.func;
        let Op::Proj(n) = func.op(v) else { return None };
        let id = func.args(v)[0];
        let Op::Scan(scan) = func.op(id) else {
            return None;
        };
        if scan.states != 1 || scan.tile.is_some() || scan.reverse {
            return None;
        }
        let (row, col) = (scan.axis, sources(scan)?);
        let (named_row, named_col) = (named(names, row), named(names, col));
        if (named_row, named_col) != (self.row, self.col) {
            return None;
        }
        let Out::Emit(e) = scan.outs[*n] else {
            return None;
        };
        let family = family(scan, e, col)?;
        let (scale, start) = match scan.body.op(family.start) {
            Op::Const(n) => (n.0, None),
            _ => {
                let k = scan.body.params.iter().position(|p| *p == family.start)?;
                let value = *func.args(id).get(k.checked_sub(1)?)?;
                let own = Names::from([(col, named_col)]);
                (1.0, Some(self.factor(value, How::Times, &own)))
            }
        };
        let mut all = plain(scale);
        let axes = func.ty(v).axes.iter().filter(|a| !is_long(a));
        let mut renamed: Vec<(Axis, Axis)> = axes.map(|a| (*a, named(names, *a))).collect();
        renamed.retain(|(a, b)| a != b);
        all.bounds = vec![Inequality {
            terms: vec![(self.col, 1), (self.row, -1)],
            constant: 0,
        }];
        all.transports = vec![Transport {
            scan: id,
            old: scan.body.params[1],
            update: family.update,
            start,
            renamed,
            mixed: mixed(&scan.body, family.update),
        }];
        Some(all)
    }
}

struct Family {
    start: ValueId,
    update: ValueId,
}

/// `j == position ? start : j < position ? update : 0`, the update linear in the old state and free of j.
fn family(scan: &Scan, emit: usize, col: Axis) -> Option<Family> {
    let body = &scan.body;
    let next = body.results[0].1;
    if body.results[1 + emit].1 != next {
        return None;
    }
    let positions = |v: ValueId, f: MapFn| {
        let args = body.args(v);
        *body.op(v) == Op::Map(f)
            && matches!(body.op(args[0]), Op::Iota(a) if *a == col)
            && args[1] == body.params[0]
    };
    let select = |v: ValueId, f: MapFn| match (body.op(v), body.args(v)) {
        (Op::Map(MapFn::Select), [c, a, b]) if positions(*c, f) => Some((*a, *b)),
        _ => None,
    };
    let (start, rest) = select(next, MapFn::Eq)?;
    let (update, zero) = select(rest, MapFn::Lt)?;
    let nothing = matches!(body.op(zero), Op::Const(n) if n.0 == 0.0);
    let old = body.params[1];
    let monos = Affine::new(body, &[old]).expand(update).ok()?;
    let whole = monos.iter().all(|m| m.state.is_some());
    let depends = depends_on(body, &[old]);
    let needed = body.needed([update]);
    let alike = (body.ids())
        .all(|v| !needed[v.index()] || depends[v.index()] || !body.ty(v).axes.contains(&col));
    let start = bare(body, start);
    (nothing && whole && alike).then_some(Family { start, update })
}

/// The axes that are summed over or renamed on the way from the old state.
fn mixed(body: &Func, update: ValueId) -> Vec<Axis> {
    let needed = body.needed([update]);
    let depends = depends_on(body, &[body.params[1]]);
    let ids = (body.ids()).filter(|v| needed[v.index()] && depends[v.index()]);
    let of = |v: ValueId| match body.op(v) {
        Op::Contract(axes) | Op::Reduce(_, axes) => axes.clone(),
        Op::Rename { from, to } => vec![*from, *to],
        _ => vec![],
    };
    ids.flat_map(of).collect()
}

impl Transport {
    /// May what is summed have these axes? Not those that a step mixes, or that are called differently in the sum.
    pub fn allows(&self, cols: &[Axis]) -> bool {
        let clash =
            |a: &Axis| self.mixed.contains(a) || self.renamed.iter().any(|(own, _)| own == a);
        !cols.iter().any(clash)
    }

    /// The values of its scan that a step needs, of the old program.
    pub fn needs(&self, func: &Func) -> Vec<(ValueId, ValueId)> {
        let Op::Scan(scan) = func.op(self.scan) else {
            return vec![];
        };
        let needed = scan.body.needed([self.update]);
        let given = scan.body.params[2..].iter().zip(&func.args(self.scan)[1..]);
        let used = given.filter(|(p, _)| needed[p.index()]);
        used.map(|(p, v)| (*p, *v)).collect()
    }

    /// What a step makes of `state`: the update, operation by operation, on whatever axes the state has.
    pub fn step(
        &self,
        func: &Func,
        b: &mut Builder,
        state: ValueId,
        position: ValueId,
        given: &HashMap<ValueId, ValueId>,
    ) -> Result<ValueId> {
        let Op::Scan(scan) = func.op(self.scan) else {
            return Err(DeriveError("a state steps in a recurrence".into()));
        };
        let body = &scan.body;
        let mut image = given.clone();
        image.insert(self.old, state);
        image.insert(body.params[0], position);
        replay(body, b, self.update, &mut image)
    }

    /// The summed state under the names of the sum.
    pub fn outside(&self, b: &mut Builder, mut state: ValueId) -> Result<ValueId> {
        for (own, outer) in &self.renamed {
            if b.has(state, *own) {
                state = b.rename(state, *own, *outer)?;
            }
        }
        Ok(state)
    }
}

fn replay(
    body: &Func,
    b: &mut Builder,
    v: ValueId,
    image: &mut HashMap<ValueId, ValueId>,
) -> Result<ValueId> {
    if let Some(known) = image.get(&v) {
        return Ok(*known);
    }
    let args = (body.args(v).iter())
        .map(|a| replay(body, b, *a, image))
        .collect::<Result<Vec<_>>>()?;
    let new = match body.op(v) {
        Op::Expand(axes) => {
            let own: Vec<Axis> = axes.iter().copied().filter(|a| !is_long(a)).collect();
            b.fill(args[0], &own)?
        }
        op => b.push(op.clone(), &args)?,
    };
    image.insert(v, new);
    Ok(new)
}
