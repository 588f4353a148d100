//! A matrix's entry as a sum of products: factors of one time each, decays between the two, conditions on both.

use super::decay::{Count, Decay};
use super::transport::Transport;
use crate::affine::{Factor, How};
use crate::stream::{Inequality, condition, is_long};
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashMap;

/// One product. Axes are those of the sum that the matrix is in: `renamed` of a factor leads there.
#[derive(Clone)]
pub(super) struct Entry {
    pub scale: f64,
    pub factors: Vec<Factor>,
    pub decays: Vec<Decay>,
    /// At most one: states that a step turns.
    pub transports: Vec<Transport>,
    pub bounds: Vec<Inequality>,
    /// Constant axes that are summed over.
    pub bound: Vec<Axis>,
}

impl Entry {
    /// The values that its recurrence is made of.
    pub fn needs(&self, func: &Func) -> Vec<ValueId> {
        let mut all: Vec<ValueId> = self.factors.iter().map(|f| f.value).collect();
        for d in &self.decays {
            all.extend(d.rate.iter().chain(&d.base).map(|f| f.value));
            if let Count::Sum { scan, .. } = d.count {
                all.extend(func.args(scan));
            }
        }
        for t in &self.transports {
            all.extend(t.needs(func).iter().map(|(_, v)| *v));
            all.extend(t.start.iter().map(|f| f.value));
        }
        all
    }
}

type Found = Result<Vec<Entry>, String>;

/// Products beyond this are a sign that a state is not the way to see the matrix.
const MOST_ENTRIES: usize = 16;
/// Factors of one of them.
const MOST_FACTORS: usize = 64;

/// What the axes of an inner value are called outside.
pub(super) type Names = HashMap<Axis, Axis>;

pub(super) struct Entries<'a> {
    pub func: &'a Func,
    pub row: Axis,
    pub col: Axis,
    /// The names that axes of the result and of sums have.
    used: Vec<Axis>,
}

impl<'a> Entries<'a> {
    pub fn new(func: &'a Func, (row, col): (Axis, Axis), result: &[Axis]) -> Entries<'a> {
        Entries {
            func,
            row,
            col,
            used: result.to_vec(),
        }
    }

    /// `Σ_over Π args`
    pub fn product(mut self, args: &[ValueId], over: &[Axis]) -> Found {
        self.of_product(args, over, &Names::new())
    }

    fn of_product(&mut self, args: &[ValueId], over: &[Axis], names: &Names) -> Found {
        let mut names = names.clone();
        let mut bound = vec![];
        for a in over {
            let to = match self.used.iter().any(|u| u.name == a.name) {
                true => a.renamed(&format!("{}%{}", a.name, self.used.len())),
                false => *a,
            };
            self.used.push(to);
            names.insert(*a, to);
            bound.push(to);
        }
        let mut all = vec![Entry {
            bound,
            ..plain(1.0)
        }];
        for a in args {
            let each = self.of(*a, &names)?;
            all = (all.iter())
                .flat_map(|x| each.iter().map(move |y| times(x, y)))
                .collect();
            all = few(all)?;
        }
        Ok(all)
    }

    /// Does the value, under its outer names, have both times?
    fn pair(&self, v: ValueId, names: &Names) -> bool {
        let axes = &self.func.ty(v).axes;
        let has = |x: Axis| axes.iter().any(|a| named(names, *a) == x);
        has(self.row) && has(self.col)
    }

    fn of(&mut self, v: ValueId, names: &Names) -> Found {
        let func = self.func;
        if let Op::Const(n) = func.op(v) {
            return Ok(vec![plain(n.0)]);
        }
        if !self.pair(v, names) {
            return self.single(v, names);
        }
        let args = func.args(v);
        match func.op(v) {
            Op::Map(MapFn::Mul) => self.of_product(args, &[], names),
            Op::Contract(over) | Op::Reduce(ReduceOp::Sum, over) if !over.iter().any(is_long) => {
                self.of_product(args, over, names)
            }
            Op::Map(MapFn::Add) => self.of_sum(args, 1.0, names),
            Op::Map(MapFn::Sub) => self.of_sum(args, -1.0, names),
            Op::Map(MapFn::Neg) => Ok(scaled(self.of(args[0], names)?, -1.0)),
            Op::Map(MapFn::Div) if !self.pair(args[1], names) => {
                let over = self.factor(args[1], How::Over, names);
                let all = self.of(args[0], names)?;
                Ok(all
                    .iter()
                    .map(|e| times(e, &of_factor(over.clone())))
                    .collect())
            }
            Op::Map(MapFn::Select) if matches!(func.op(args[2]), Op::Const(n) if n.0 == 0.0) => {
                let when = self.condition(args[0], names)?;
                let all = self.of(args[1], names)?;
                Ok(all.iter().map(|e| times(e, &when)).collect())
            }
            Op::Expand(_) => self.of(args[0], names),
            Op::Rename { from, to } => {
                let mut inner = names.clone();
                inner.insert(*from, named(names, *to));
                self.of(args[0], &inner)
            }
            Op::Map(MapFn::Exp | MapFn::Pow) => Ok(vec![Entry {
                decays: self.decays(v, names)?,
                ..plain(1.0)
            }]),
            _ => match self.transport(v, names) {
                Some(e) => Ok(vec![e]),
                None => Err(mixes()),
            },
        }
    }

    fn of_sum(&mut self, args: &[ValueId], sign: f64, names: &Names) -> Found {
        let mut all = self.of(args[0], names)?;
        all.extend(scaled(self.of(args[1], names)?, sign));
        few(all)
    }

    /// A value of one time at most: a factor as it is, sums and products of it included.
    fn single(&mut self, v: ValueId, names: &Names) -> Found {
        Ok(vec![of_factor(self.factor(v, How::Times, names))])
    }

    pub fn factor(&self, v: ValueId, how: How, names: &Names) -> Factor {
        let axes = self.func.ty(v).axes.iter();
        let mut renamed: Vec<(Axis, Axis)> = axes.map(|a| (*a, named(names, *a))).collect();
        renamed.retain(|(a, b)| a != b);
        renamed.sort();
        Factor {
            value: v,
            renamed,
            how,
        }
    }

    /// Conditions on positions are bounds; on the data of one time, factors that are 1 or 0.
    fn condition(&mut self, v: ValueId, names: &Names) -> Result<Entry, String> {
        let func = self.func;
        if !self.pair(v, names) {
            return Ok(of_factor(self.factor(v, How::Where, names)));
        }
        if let Op::Map(MapFn::And | MapFn::Mul) | Op::Contract(_) = func.op(v) {
            let over = match func.op(v) {
                Op::Contract(over) => !over.is_empty(),
                _ => false,
            };
            if over {
                return Err(mixes());
            }
            let mut all = plain(1.0);
            for a in func.args(v) {
                all = times(&all, &self.condition(*a, names)?);
            }
            return Ok(all);
        }
        let mut bound = condition(func, v).ok_or_else(mixes)?;
        for (axis, _) in &mut bound.terms {
            *axis = named(names, *axis);
        }
        Ok(Entry {
            bounds: vec![bound],
            ..plain(1.0)
        })
    }
}

/// Entries of few products: what doubles at every step of a text would not end.
fn few(all: Vec<Entry>) -> Found {
    if all.len() > MOST_ENTRIES {
        return Err(format!(
            "its entries are sums of more than {MOST_ENTRIES} products"
        ));
    }
    match all.iter().any(|e| e.factors.len() > MOST_FACTORS) {
        true => Err(format!(
            "its entries are products of more than {MOST_FACTORS} values"
        )),
        false => Ok(all),
    }
}

pub(crate) fn mixes() -> String {
    "its entries are not sums of products of a row's and a column's values".into()
}

pub(super) fn named(names: &Names, a: Axis) -> Axis {
    names.get(&a).copied().unwrap_or(a)
}

pub(super) fn plain(scale: f64) -> Entry {
    Entry {
        scale,
        factors: vec![],
        decays: vec![],
        transports: vec![],
        bounds: vec![],
        bound: vec![],
    }
}

fn of_factor(f: Factor) -> Entry {
    Entry {
        factors: vec![f],
        ..plain(1.0)
    }
}

fn times(x: &Entry, y: &Entry) -> Entry {
    Entry {
        scale: x.scale * y.scale,
        factors: [x.factors.clone(), y.factors.clone()].concat(),
        decays: [x.decays.clone(), y.decays.clone()].concat(),
        transports: [x.transports.clone(), y.transports.clone()].concat(),
        bounds: [x.bounds.clone(), y.bounds.clone()].concat(),
        bound: [x.bound.clone(), y.bound.clone()].concat(),
    }
}

fn scaled(mut all: Vec<Entry>, by: f64) -> Vec<Entry> {
    for e in &mut all {
        e.scale *= by;
    }
    all
}
