//! Values of a body as sums of monomials.

use super::{Factor, How, Mono, NotAffine, Occurrence};
use super::{divisors_of, factor_axes, factors_of, merged, rename, scaled};
use crate::order::depends_on;
use crate::words::describe;
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashMap;

/// Expands values of a body as affine functions of state variables.
pub struct Affine<'a> {
    func: &'a Func,
    vars: Vec<ValueId>,
    depends: Vec<bool>,
    fresh: usize,
    memo: HashMap<ValueId, Vec<Mono>>,
}

/// Monomials beyond this are a sign that the normal form is not the way to see the program.
pub(super) const MOST_MONOMIALS: usize = 64;

impl<'a> Affine<'a> {
    /// Variables are opaque, though they may be made of each other: where one occurs, the expansion ends.
    pub fn new(func: &'a Func, vars: &[ValueId]) -> Affine<'a> {
        Affine {
            func,
            vars: vars.to_vec(),
            depends: depends_on(func, vars),
            fresh: 0,
            memo: HashMap::new(),
        }
    }

    pub fn depends(&self, v: ValueId) -> bool {
        self.depends[v.index()]
    }

    /// The monomials of `v`; values free of the states stay one opaque factor each.
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
        if let Some(var) = self.vars.iter().position(|x| *x == v) {
            let axes = self.func.ty(v).axes.iter().map(|a| (*a, *a)).collect();
            return Ok(vec![Mono {
                scale: 1.0,
                factors: vec![],
                state: Some(Occurrence { var, axes }),
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
                self.times(args[0], &divisors_of(self.func, args[1]))
            }
            Op::Map(MapFn::Select) if !self.depends(args[0]) => {
                let when = |how| Mono::free(1.0, vec![Factor::of(args[0], how)]);
                let mut monos = self.times(args[1], &when(How::Where))?;
                monos.extend(self.times(args[2], &when(How::Unless))?);
                Ok(merged(monos))
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
                why: outside(&op),
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

    fn times(&mut self, v: ValueId, by: &Mono) -> Result<Vec<Mono>, NotAffine> {
        let mut monos = self.expand(v)?;
        for m in &mut monos {
            m.scale *= by.scale;
            m.factors.extend(by.factors.iter().cloned());
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
        let read = |s: &Occurrence| s.axes.iter().any(|(_, r)| *r == axis);
        let seen = m.state.as_ref().is_some_and(read)
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

/// Why an operation on the state is no sum of products of it.
fn outside(op: &Op) -> String {
    let name = describe(op);
    match op {
        Op::Map(MapFn::Stop) => "`stop` keeps gradients from passing from step to step".into(),
        Op::Map(MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Complex) => {
            format!("{name} of the state is linear over real numbers only")
        }
        Op::Shift { .. }
        | Op::Flip(_)
        | Op::Window { .. }
        | Op::Unwindow { .. }
        | Op::Pick { .. }
        | Op::Place { .. }
        | Op::Stack(_)
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Gather(_)
        | Op::ScatterAdd { .. }
        | Op::Conv { .. }
        | Op::Solve { .. } => format!("{name} moves positions of the state"),
        _ => format!("{name} of the state is not linear"),
    }
}
