//! The normal form of a value as an affine function of a state (derivation calculus, recognition steps 2–4).
//!
//! A value is expanded into monomials: a rational scale, factors that do not depend on the state (kept opaque,
//! never distributed), and at most one occurrence of the state whose axes may have been renamed or summed. The
//! normal form serves to recognise a class; programs are emitted from the factors, which stay as written.

use crate::order::depends_on;
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashMap;

/// A factor: a value of the body that is free of the state, some of its axes renamed to a bound copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Factor {
    pub value: ValueId,
    pub renamed: Vec<(Axis, Axis)>,
    pub how: How,
}

/// How the value enters the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    Times,
    /// 1/value
    Over,
    /// 1 where the value is nonzero, else 0
    Where,
    /// 0 where the value is nonzero, else 1
    Unless,
}

/// `scale · Π factors · state[axes]`, summed over `bound`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mono {
    pub scale: f64,
    pub factors: Vec<Factor>,
    /// For each axis of the state in order, the name it is read under; `None`: free of the state.
    pub state: Option<Vec<Axis>>,
    pub bound: Vec<Axis>,
}

impl Factor {
    /// The value itself.
    pub fn of(value: ValueId, how: How) -> Factor {
        Factor {
            value,
            renamed: vec![],
            how,
        }
    }
}

impl Mono {
    /// A product that is free of the state.
    pub fn free(scale: f64, factors: Vec<Factor>) -> Mono {
        Mono {
            scale,
            factors,
            state: None,
            bound: vec![],
        }
    }

    /// The state's axes (given in order) that are read under another name, with that name; `None`: free of the state.
    pub fn moved(&self, axes: &[Axis]) -> Option<Vec<(Axis, Axis)>> {
        let pairs = axes.iter().zip(self.state.as_ref()?);
        Some(
            pairs
                .filter(|(a, r)| a != r)
                .map(|(a, r)| (*a, *r))
                .collect(),
        )
    }
}

/// Why a value is not affine in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAffine {
    pub at: ValueId,
    pub why: String,
}

/// The axes a factor shows after its renamings.
pub fn factor_axes(func: &Func, f: &Factor) -> Vec<Axis> {
    let rename = |a: &Axis| {
        f.renamed
            .iter()
            .find(|(from, _)| from == a)
            .map_or(*a, |(_, to)| *to)
    };
    func.ty(f.value).axes.iter().map(rename).collect()
}

/// Expands values of a body as affine functions of one state variable.
pub struct Affine<'a> {
    func: &'a Func,
    var: ValueId,
    depends: Vec<bool>,
    fresh: usize,
    memo: HashMap<ValueId, Vec<Mono>>,
}

/// Monomials beyond this are a sign that the normal form is not the way to see the program.
const MOST_MONOMIALS: usize = 64;

impl<'a> Affine<'a> {
    pub fn new(func: &'a Func, var: ValueId) -> Affine<'a> {
        Affine {
            func,
            var,
            depends: depends_on(func, &[var]),
            fresh: 0,
            memo: HashMap::new(),
        }
    }

    pub fn depends(&self, v: ValueId) -> bool {
        self.depends[v.index()]
    }

    /// The monomials of `v`; values free of the state stay one opaque factor each.
    pub fn expand(&mut self, v: ValueId) -> Result<Vec<Mono>, NotAffine> {
        if let Some(known) = self.memo.get(&v) {
            return Ok(known.clone());
        }
        let monos = self.expand_new(v)?;
        if monos.len() > MOST_MONOMIALS {
            return Err(NotAffine {
                at: v,
                why: format!("its normal form has more than {MOST_MONOMIALS} terms"),
            });
        }
        self.memo.insert(v, monos.clone());
        Ok(monos)
    }

    fn expand_new(&mut self, v: ValueId) -> Result<Vec<Mono>, NotAffine> {
        if v == self.var {
            return Ok(vec![Mono {
                scale: 1.0,
                factors: vec![],
                state: Some(self.func.ty(v).axes.clone()),
                bound: vec![],
            }]);
        }
        if !self.depends(v) {
            return Ok(vec![self.opaque(v)]);
        }
        let args = self.func.args(v).to_vec();
        match self.func.op(v).clone() {
            Op::Map(MapFn::Add) => self.add(args[0], args[1], 1.0),
            Op::Map(MapFn::Sub) => self.add(args[0], args[1], -1.0),
            Op::Map(MapFn::Neg) => Ok(scaled(self.expand(args[0])?, -1.0)),
            Op::Map(MapFn::Mul) => self.product(v, &args, &[]),
            Op::Map(MapFn::Div) if !self.depends(args[1]) => {
                let over = Factor::of(args[1], How::Over);
                Ok(self.times(args[0], over)?)
            }
            Op::Map(MapFn::Select) if !self.depends(args[0]) => {
                let (yes, no) = (
                    Factor::of(args[0], How::Where),
                    Factor::of(args[0], How::Unless),
                );
                let mut monos = self.times(args[1], yes)?;
                monos.extend(self.times(args[2], no)?);
                Ok(monos)
            }
            Op::Contract(axes) => self.product(v, &args, &axes),
            Op::Reduce(ReduceOp::Sum, axes) => self.product(v, &args, &axes),
            Op::Rename { from, to } => {
                let monos = self.expand(args[0])?;
                Ok(monos.iter().map(|m| self.renamed(m, from, to)).collect())
            }
            Op::Expand(_) => self.expand(args[0]),
            op => Err(NotAffine {
                at: v,
                why: format!("`{}` of the state is not linear", describe(&op)),
            }),
        }
    }

    fn opaque(&self, v: ValueId) -> Mono {
        match self.func.op(v) {
            Op::Const(n) => Mono::free(n.0, vec![]),
            _ => Mono::free(1.0, vec![Factor::of(v, How::Times)]),
        }
    }

    fn add(&mut self, a: ValueId, b: ValueId, sign: f64) -> Result<Vec<Mono>, NotAffine> {
        let mut monos = self.expand(a)?;
        monos.extend(scaled(self.expand(b)?, sign));
        Ok(merged(monos))
    }

    fn times(&mut self, v: ValueId, f: Factor) -> Result<Vec<Mono>, NotAffine> {
        let mut monos = self.expand(v)?;
        for m in &mut monos {
            m.factors.push(f.clone());
            m.factors.sort();
        }
        Ok(monos)
    }

    /// `Σ_axes Π args`; axes summed get fresh names, so that they cannot meet an axis of a later factor.
    fn product(
        &mut self,
        at: ValueId,
        args: &[ValueId],
        axes: &[Axis],
    ) -> Result<Vec<Mono>, NotAffine> {
        let mut all = vec![Mono::free(1.0, vec![])];
        for a in args {
            let monos = self.factored(*a)?;
            let mut next = Vec::new();
            for x in &all {
                for y in &monos {
                    if x.state.is_some() && y.state.is_some() {
                        return Err(NotAffine {
                            at,
                            why: "a product of two values that both depend on the state".into(),
                        });
                    }
                    let mut factors = [x.factors.clone(), y.factors.clone()].concat();
                    factors.sort();
                    next.push(Mono {
                        scale: x.scale * y.scale,
                        factors,
                        state: x.state.clone().or_else(|| y.state.clone()),
                        bound: [x.bound.clone(), y.bound.clone()].concat(),
                    });
                }
            }
            all = next;
        }
        for axis in axes {
            let to = self.fresh_axis(*axis);
            all = all.iter().map(|m| self.bind(m, *axis, to)).collect();
        }
        Ok(merged(all))
    }

    /// Like `expand`, but a product free of the state is split into its factors, so that gates and keys are seen.
    fn factored(&mut self, v: ValueId) -> Result<Vec<Mono>, NotAffine> {
        if self.depends(v) {
            return self.expand(v);
        }
        Ok(vec![factors_of(self.func, v)])
    }

    fn fresh_axis(&mut self, axis: Axis) -> Axis {
        self.fresh += 1;
        axis.renamed(&format!("{}%{}", axis.name, self.fresh))
    }

    fn renamed(&self, m: &Mono, from: Axis, to: Axis) -> Mono {
        let mut m = m.clone();
        rename(self.func, &mut m, from, to);
        m
    }

    fn bind(&self, m: &Mono, axis: Axis, to: Axis) -> Mono {
        let mut m = m.clone();
        let seen = m.state.as_ref().is_some_and(|s| s.contains(&axis))
            || m.factors
                .iter()
                .any(|f| factor_axes(self.func, f).contains(&axis));
        if seen {
            rename(self.func, &mut m, axis, to);
            m.bound.push(to);
        } else if let Some(n) = axis.size.constant() {
            m.scale *= n as f64;
        }
        m
    }
}

/// A value as one monomial of its factors: products are split, negations and constants go to the scale.
pub fn factors_of(func: &Func, v: ValueId) -> Mono {
    let mut mono = Mono::free(1.0, vec![]);
    let mut stack = vec![v];
    while let Some(v) = stack.pop() {
        match func.op(v) {
            Op::Const(n) => mono.scale *= n.0,
            Op::Map(MapFn::Mul) => stack.extend(func.args(v)),
            Op::Contract(axes) if axes.is_empty() => stack.extend(func.args(v)),
            Op::Map(MapFn::Neg) => {
                mono.scale = -mono.scale;
                stack.push(func.args(v)[0]);
            }
            _ => mono.factors.push(Factor::of(v, How::Times)),
        }
    }
    mono.factors.sort();
    mono
}

/// The monomial with its sums distributed, of values that have axes for which `open` holds: `(k v + l w) g` is two.
pub fn opened(func: &Func, m: &Mono, open: &impl Fn(&[Axis]) -> bool) -> Vec<Mono> {
    let none = Mono {
        factors: vec![],
        ..m.clone()
    };
    (m.factors.iter()).fold(vec![none], |all, f| {
        let plain = f.how == How::Times && f.renamed.is_empty();
        let inner = if plain {
            summands(func, f.value, open)
        } else {
            vec![Mono::free(1.0, vec![f.clone()])]
        };
        times_each(&all, &inner)
    })
}

/// All products of one of each.
fn times_each(a: &[Mono], b: &[Mono]) -> Vec<Mono> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    let product = |(x, y): (&Mono, &Mono)| {
        let mut m = x.clone();
        m.scale *= y.scale;
        m.factors.extend(y.factors.iter().cloned());
        m
    };
    pairs.map(product).collect()
}

/// A value free of the state as a sum of products, as far down as `open` holds of the axes.
fn summands(func: &Func, v: ValueId, open: &impl Fn(&[Axis]) -> bool) -> Vec<Mono> {
    let whole = || vec![Mono::free(1.0, vec![Factor::of(v, How::Times)])];
    if let Op::Const(n) = func.op(v) {
        return vec![Mono::free(n.0, vec![])];
    }
    if !open(&func.ty(v).axes) {
        return whole();
    }
    let args = func.args(v);
    let mut all = match func.op(v) {
        Op::Map(MapFn::Add) => {
            let mut all = summands(func, args[0], open);
            all.extend(summands(func, args[1], open));
            all
        }
        Op::Map(MapFn::Sub) => {
            let mut all = summands(func, args[0], open);
            all.extend(scaled(summands(func, args[1], open), -1.0));
            all
        }
        Op::Map(MapFn::Neg) => scaled(summands(func, args[0], open), -1.0),
        Op::Map(MapFn::Mul) => times_each(
            &summands(func, args[0], open),
            &summands(func, args[1], open),
        ),
        Op::Contract(over) if over.is_empty() && !args.is_empty() => (args[1..].iter())
            .fold(summands(func, args[0], open), |all, a| {
                times_each(&all, &summands(func, *a, open))
            }),
        _ => return whole(),
    };
    if all.len() > MOST_MONOMIALS {
        return whole();
    }
    all.retain(|m| m.scale != 0.0);
    all
}

fn rename(func: &Func, m: &mut Mono, from: Axis, to: Axis) {
    for f in &mut m.factors {
        if !factor_axes(func, f).contains(&from) {
            continue;
        }
        match f.renamed.iter_mut().find(|(_, t)| *t == from) {
            Some(r) => r.1 = to,
            None => f.renamed.push((from, to)),
        }
        f.renamed.retain(|(a, b)| a != b);
        f.renamed.sort();
    }
    for a in m.state.iter_mut().flatten() {
        if *a == from {
            *a = to;
        }
    }
    for a in &mut m.bound {
        if *a == from {
            *a = to;
        }
    }
    m.factors.sort();
}

fn scaled(mut monos: Vec<Mono>, by: f64) -> Vec<Mono> {
    for m in &mut monos {
        m.scale *= by;
    }
    monos
}

/// Adds up monomials that differ only in scale; drops those that cancel.
pub fn merged(monos: Vec<Mono>) -> Vec<Mono> {
    let mut out: Vec<Mono> = Vec::new();
    for m in monos {
        match out
            .iter_mut()
            .find(|o| o.factors == m.factors && o.state == m.state && o.bound == m.bound)
        {
            Some(o) => o.scale += m.scale,
            None => out.push(m),
        }
    }
    out.retain(|m| m.scale != 0.0);
    out
}

/// An operation in the words of the language.
pub fn describe(op: &Op) -> String {
    match op {
        Op::Map(f) => format!("{f:?}").to_lowercase(),
        Op::Reduce(r, _) => format!("{r:?}").to_lowercase(),
        Op::Softmax(_) => "softmax".into(),
        Op::LogSumExp(_) => "logsumexp".into(),
        Op::TopMask(..) => "top".into(),
        Op::Shift { .. } => "shift".into(),
        Op::Pick { .. } => "selection of one position".into(),
        Op::Stack(_) => "stack".into(),
        Op::Split { .. } | Op::Merge { .. } => "regrouping of axes".into(),
        other => format!("{other:?}")
            .split([' ', '(', '{'])
            .next()
            .unwrap_or("operation")
            .to_lowercase(),
    }
}
