//! One element of a value as an expression: loads from where values live, index substitution for views,
//! arithmetic for maps, folds for sums.

use super::LowerError;
use super::cell::{Along, Cell, Formal, Result};
use super::choose::is_view;
use super::place::{Env, Place};
use crate::ir::{Binary, Cmp, Expr, FoldOp, Ix, Unary};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp, ValueId};

impl<'a> Cell<'a> {
    /// The element of a value of a scope; a number.
    pub fn elem(&mut self, scope: usize, v: ValueId, env: &Env) -> Result<Expr> {
        if let Some(place) = self.stored(scope, v) {
            return self.load(&place, env);
        }
        if let Some(f) = self.scopes[scope].formal.get(&v).cloned() {
            return self.formal(scope, &f, env);
        }
        let func = self.scopes[scope].func;
        if self.scopes[scope].choice.root[v.index()] {
            let name = func.value(v).name.map_or("", |n| n.as_str());
            return Err(LowerError(format!(
                "value %{} `{name}` ({:?}) is used before it is computed",
                v.0,
                short(func.op(v))
            )));
        }
        let single = self.scopes[scope].choice.single[v.index()];
        let x = self.compute(scope, v, env)?;
        Ok(if single { x.unary(Unary::Single) } else { x })
    }

    /// Where a value is stored, for reading elements. A ragged tile is read from its copy once there is one.
    pub fn stored(&self, scope: usize, v: ValueId) -> Option<Place> {
        let s = &self.scopes[scope];
        let ragged = || match s.formal.get(&v) {
            Some(Formal::Outer {
                along: Along::Tile { whole: false, .. },
                ..
            }) => s.copies.get(&v)?.first(),
            _ => None,
        };
        s.place.get(&v).or_else(ragged).cloned()
    }

    fn formal(&mut self, scope: usize, f: &Formal, env: &Env) -> Result<Expr> {
        let parent = self.scopes[scope]
            .parent
            .ok_or_else(|| LowerError::new("a formal without a scan"))?;
        match f {
            Formal::Pos(p) => Ok(Expr::Index(p.clone())),
            Formal::Outer { value, along } => {
                let mut out = self.outward(scope, env);
                match along {
                    Along::Same => self.elem(parent, *value, &out),
                    Along::Step { axis, at } => {
                        out.set(*axis, at.clone());
                        self.elem(parent, *value, &out)
                    }
                    Along::Tile {
                        axis,
                        tile,
                        base,
                        len,
                        fill,
                        whole,
                    } => {
                        let at = (base.clone() + self.index(env, *tile)?).simplify();
                        out.0.retain(|(a, _)| a != tile);
                        if *whole {
                            out.set(*axis, at);
                            return self.elem(parent, *value, &out);
                        }
                        out.set(*axis, at.clone().min_ix(len.clone() - 1));
                        let x = self.elem(parent, *value, &out)?;
                        Ok(at
                            .cmp_with(Cmp::Lt, len.clone())
                            .select(x, Expr::num(*fill)))
                    }
                }
            }
        }
    }

    /// The element by the value's own operation, whether or not it is stored.
    pub fn compute(&mut self, scope: usize, v: ValueId, env: &Env) -> Result<Expr> {
        let func = self.scopes[scope].func;
        let args = func.args(v);
        match func.op(v) {
            Op::Const(x) => Ok(Expr::num(x.0)),
            Op::Length(size) => {
                let axis = Axis {
                    name: seqc_algebra::Sym::new("_"),
                    size: *size,
                };
                Ok(Expr::Index(self.size(axis)?))
            }
            Op::Iota(a) => {
                let i = self.index(env, *a)?;
                Ok(Expr::Index(match self.parts.get(a) {
                    Some(p) if scope > 0 => (p.base.clone() + i).simplify(),
                    _ => i,
                }))
            }
            Op::Map(f) => self.map(scope, *f, args, env),
            op if is_view(op) => {
                let env = self.through(op, env)?;
                self.elem(scope, args[0], &env)
            }
            Op::Reduce(op, over) => {
                let op = match op {
                    ReduceOp::Sum => FoldOp::Sum,
                    ReduceOp::Prod => FoldOp::Prod,
                    ReduceOp::Max => FoldOp::Max,
                    ReduceOp::Min => FoldOp::Min,
                    _ => return Err(LowerError::new("an arg-max was not taken apart")),
                };
                self.folded(op, over, env, &mut |c, e| c.elem(scope, args[0], e))
            }
            Op::Contract(over) => self.folded(FoldOp::Sum, over, env, &mut |c, e| {
                let mut product = None;
                for a in args {
                    let x = c.elem(scope, *a, e)?;
                    product = Some(product.map_or(x.clone(), |p: Expr| p.binary(Binary::Mul, x)));
                }
                Ok(product.unwrap_or(Expr::num(1.0)))
            }),
            Op::Flip(a) => {
                let i = self.size(*a)? - 1 - self.index(env, *a)?;
                self.elem(scope, args[0], &env.with(*a, i.simplify()))
            }
            Op::Shift { axis, by } => {
                let at = (self.index(env, *axis)? - *by).simplify();
                self.inside(scope, args[0], *axis, at, *by < 0, *by > 0, env)
            }
            Op::Patch {
                axis,
                ticks,
                within,
            } => {
                let n = self.size(*within)?;
                let at = self.index(env, *ticks)? * n + self.index(env, *within)?;
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != ticks && a != within);
                self.inside(scope, args[0], *axis, at.simplify(), true, false, &env)
            }
            Op::Unpatch {
                ticks,
                within,
                axis,
            } => {
                let (at, n) = (self.index(env, *axis)?, self.size(*within)?);
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != axis);
                env.set(*ticks, at.clone().floor_div(n.clone()).simplify());
                env.set(*within, at.floor_rem(n).simplify());
                self.elem(scope, args[0], &env)
            }
            Op::Window { axis, lag, ahead } => {
                let (p, l) = (self.index(env, *axis)?, self.index(env, *lag)?);
                let at = if *ahead { p + l } else { p - l }.simplify();
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != lag);
                self.inside(scope, args[0], *axis, at, *ahead, !*ahead, &env)
            }
            Op::Unwindow { axis, lag, ahead } => {
                let (axis, ahead, arg) = (*axis, *ahead, args[0]);
                self.folded(FoldOp::Sum, &[*lag], env, &mut |c, e| {
                    let (p, l) = (c.index(e, axis)?, c.index(e, *lag)?);
                    let at = if ahead { p - l } else { p + l }.simplify();
                    c.inside(scope, arg, axis, at, !ahead, ahead, e)
                })
            }
            Op::Place { axis, index } => {
                let i = self.index(env, *axis)?;
                let mut inner = env.clone();
                inner.0.retain(|(a, _)| a != axis);
                let x = self.elem(scope, args[0], &inner)?;
                Ok(i.cmp_with(Cmp::Eq, *index as i64).select(x, Expr::num(0.0)))
            }
            Op::Stack(axis) => {
                let i = self.index(env, *axis)?;
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != axis);
                if let Some(k) = i.known() {
                    let arg = args
                        .get(k as usize)
                        .ok_or_else(|| LowerError::new("an index outside a stack"))?;
                    return self.elem(scope, *arg, &env);
                }
                let mut all = self.elem(scope, args[args.len() - 1], &env)?;
                for k in (0..args.len() - 1).rev() {
                    let x = self.elem(scope, args[k], &env)?;
                    all = i.clone().cmp_with(Cmp::Eq, k as i64).select(x, all);
                }
                Ok(all)
            }
            Op::Gather(axis) => {
                let at = self.rounded(scope, args[1], env)?;
                let top = self.size(*axis)? - 1;
                let at = at.max_ix(0).min_ix(top);
                self.elem(scope, args[0], &env.with(*axis, at))
            }
            Op::ScatterAdd { axis, over } => {
                let row = self.index(env, *axis)?;
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != axis);
                self.folded(FoldOp::Sum, over, &env, &mut |c, e| {
                    let x = c.elem(scope, args[0], e)?;
                    let at = c.rounded(scope, args[1], e)?;
                    let top = c.size(*axis)? - 1;
                    Ok(at
                        .max_ix(0)
                        .min_ix(top)
                        .cmp_with(Cmp::Eq, row.clone())
                        .select(x, Expr::num(0.0)))
                })
            }
            Op::Conv { axis, lag, ahead } => {
                let p = self.index(env, *axis)?;
                let len = self.size(*axis)?;
                let room = self.size(*lag)?;
                let most = if *ahead {
                    len - p.clone()
                } else {
                    p.clone() + 1
                };
                let l = self.var();
                let mut inner = env.with(*lag, Ix::Var(l));
                let f = self.elem(scope, args[0], &inner)?;
                inner.0.retain(|(a, _)| a != lag);
                inner.set(*axis, if *ahead { p + l } else { p - l });
                let x = self.elem(scope, args[1], &inner)?;
                Ok(Expr::sum(l, 0, most.min_ix(room), 1, f * x))
            }
            Op::Online(axis) => {
                let pos = self.rounded(scope, args[3], env)?.max_ix(0);
                let room = self.size(*axis)?;
                let s = self.var();
                let past = self.elem(scope, args[1], &env.with(*axis, Ix::Var(s)))?;
                let ago = env.with(*axis, pos.clone() - s);
                let before = self.elem(scope, args[0], &ago)? * past;
                let now = self.elem(scope, args[0], &env.with(*axis, Ix::Const(0)))?;
                let now = now * self.elem(scope, args[2], env)?;
                Ok(now + Expr::sum(s, 0, pos.min_ix(room), 1, before))
            }
            Op::ConvKernel {
                axis,
                lag,
                ahead,
                over,
            } => {
                let l = self.index(env, *lag)?;
                let len = self.size(*axis)?;
                let mut env = env.clone();
                env.0.retain(|(a, _)| a != lag);
                self.folded(FoldOp::Sum, over, &env, &mut |c, e| {
                    let t = c.var();
                    let g = c.elem(scope, args[0], &e.with(*axis, Ix::Var(t)))?;
                    let (lo, hi) = if *ahead {
                        (Ix::Const(0), len.clone() - l.clone())
                    } else {
                        (l.clone(), len.clone())
                    };
                    let at = if *ahead { t + l.clone() } else { t - l.clone() };
                    let x = c.elem(scope, args[1], &e.with(*axis, at))?;
                    Ok(Expr::sum(t, lo, hi, 1, g * x))
                })
            }
            other => Err(LowerError(format!(
                "{} has no element by itself",
                short(other)
            ))),
        }
    }

    /// The environment of a view's argument.
    pub fn through(&self, op: &Op, env: &Env) -> Result<Env> {
        let mut out = env.clone();
        match op {
            Op::Rename { from, to } => {
                let i = self.index(env, *to)?;
                out.0.retain(|(a, _)| a != to);
                out.set(*from, i);
            }
            Op::Split { axis, into } => {
                let mut at = Ix::Const(0);
                for a in into {
                    at = at * self.size(*a)? + self.index(env, *a)?;
                    out.0.retain(|(x, _)| x != a);
                }
                out.set(*axis, at.simplify());
            }
            Op::Merge { axes, into } => {
                let mut rest = self.index(env, *into)?;
                out.0.retain(|(a, _)| a != into);
                for (k, a) in axes.iter().enumerate().rev() {
                    let n = self.size(*a)?;
                    let i = if k == 0 {
                        rest.clone()
                    } else {
                        rest.clone().floor_rem(n.clone())
                    };
                    out.set(*a, i.simplify());
                    rest = rest.floor_div(n);
                }
            }
            Op::Pick { axis, index } => out.set(*axis, Ix::Const(*index as i64)),
            Op::Expand(axes) => out.0.retain(|(a, _)| !axes.contains(a)),
            _ => {}
        }
        Ok(out)
    }

    /// The argument at `at`, 0 outside the axis. `below`/`above`: on which side `at` may fall outside... of the end
    /// (`past_end`) or before the start (`before`).
    #[allow(clippy::too_many_arguments)]
    fn inside(
        &mut self,
        scope: usize,
        arg: ValueId,
        axis: Axis,
        at: Ix,
        past_end: bool,
        before: bool,
        env: &Env,
    ) -> Result<Expr> {
        let len = self.size(axis)?;
        let mut clamped = at.clone();
        let mut ok: Option<Expr> = None;
        if before {
            clamped = clamped.max_ix(0);
            ok = Some(at.clone().cmp_with(Cmp::Ge, 0));
        }
        if past_end {
            clamped = clamped.min_ix(len.clone() - 1);
            let c = at.cmp_with(Cmp::Lt, len);
            ok = Some(match ok {
                Some(o) => o.and(c),
                None => c,
            });
        }
        let x = self.elem(scope, arg, &env.with(axis, clamped))?;
        Ok(match ok {
            Some(c) => c.select(x, Expr::num(0.0)),
            None => x,
        })
    }

    /// Nested folds over axes; lanes are used where the innermost reads are contiguous.
    pub fn folded(
        &mut self,
        op: FoldOp,
        over: &[Axis],
        env: &Env,
        body: &mut dyn FnMut(&mut Self, &Env) -> Result<Expr>,
    ) -> Result<Expr> {
        let mut inner = env.clone();
        let mut vars = Vec::new();
        for a in over {
            let v = self.var();
            inner.set(*a, Ix::Var(v));
            vars.push((v, self.extent(*a)?));
        }
        let mut e = body(self, &inner)?;
        // Contiguous axes innermost.
        let ragged = |e: &Expr, v| {
            crate::walk::Node::Expr(e)
                .loads()
                .iter()
                .filter(|(_, at)| !matches!(at.stride(v), Some(0 | 1)))
                .count()
        };
        vars.sort_by_key(|(v, _)| ragged(&e, *v));
        for (k, (v, n)) in vars.into_iter().enumerate() {
            let long = n.known().is_none_or(|n| n >= i64::from(self.options.lanes));
            let lanes = if k == 0 && long && !self.options.reference && ragged(&e, v) == 0 {
                self.options.lanes
            } else {
                1
            };
            e = Expr::fold(op, v, 0, n, lanes, e);
        }
        Ok(e)
    }

    /// A value as an index, rounded to the nearest whole number.
    pub fn rounded(&mut self, scope: usize, v: ValueId, env: &Env) -> Result<Ix> {
        let x = self.elem(scope, v, env)?;
        if let Some(i) = as_ix(&x) {
            return Ok(i);
        }
        let whole = self.stored(scope, v).is_some_and(|p| p.int);
        Ok(Ix::data(if whole {
            x
        } else {
            (x + Expr::num(0.5)).unary(Unary::Floor)
        }))
    }

    fn map(&mut self, scope: usize, f: MapFn, args: &[ValueId], env: &Env) -> Result<Expr> {
        use MapFn as M;
        if let Some(c) = self.comparison(scope, f, args, env)? {
            return Ok(c.select(Expr::num(1.0), Expr::num(0.0)));
        }
        if f == M::Select {
            let c = self.cond(scope, args[0], env)?;
            let (a, b) = (
                self.elem(scope, args[1], env)?,
                self.elem(scope, args[2], env)?,
            );
            return Ok(c.select(a, b));
        }
        let x = self.elem(scope, args[0], env)?;
        if let Some(op) = unary(f) {
            return Ok(x.unary(op));
        }
        let one = || Expr::num(1.0);
        match f {
            M::Sigmoid => return Ok(one() / (one() + x.unary(Unary::Neg).exp())),
            M::Softplus | M::LogSigmoid => {
                let tail = x
                    .clone()
                    .unary(Unary::Abs)
                    .unary(Unary::Neg)
                    .exp()
                    .unary(Unary::Log1p);
                return Ok(if f == M::Softplus {
                    x.max(Expr::num(0.0)) + tail
                } else {
                    x.min(Expr::num(0.0)) - tail
                });
            }
            M::Stop | M::Re | M::Conj => return Ok(x),
            M::Im => return Ok(Expr::num(0.0)),
            M::BitLen => {
                let bits = (0..24).map(|k| (0.5 + f64::from((1u32 << k) - 1), k));
                let ones = bits.map(|(limit, _)| {
                    x.clone()
                        .cmp_with(Cmp::Gt, Expr::num(limit))
                        .select(one(), Expr::num(0.0))
                });
                return ones
                    .reduce(|a, b| a + b)
                    .ok_or_else(|| LowerError::new("no bits"));
            }
            _ => {}
        }
        if matches!(f, M::Xor | M::Hash) {
            let (a, b) = (
                self.rounded(scope, args[0], env)?,
                self.rounded(scope, args[1], env)?,
            );
            return Ok(match f {
                M::Xor => super::hash::xor(a, b),
                _ => super::hash::hash(a, b),
            });
        }
        let y = self.elem(scope, args[1], env)?;
        let op = match f {
            M::Add => Binary::Add,
            M::Sub => Binary::Sub,
            M::Mul => Binary::Mul,
            M::Div => Binary::Div,
            M::Max => Binary::Max,
            M::Min => Binary::Min,
            M::Pow => Binary::Pow,
            M::Rem => Binary::Rem,
            other => {
                return Err(LowerError(format!(
                    "`{other:?}` is not a function of real numbers"
                )));
            }
        };
        // Positions stay indices, so that masks are integer comparisons.
        if let (Some(a), Some(b)) = (as_ix(&x), as_ix(&y))
            && let Some(i) = match op {
                Binary::Add => Some(a + b),
                Binary::Sub => Some(a - b),
                Binary::Max => Some(a.max_ix(b)),
                Binary::Min => Some(a.min_ix(b)),
                _ => None,
            }
        {
            return Ok(Expr::Index(i.simplify()));
        }
        Ok(x.binary(op, y))
    }

    fn comparison(
        &mut self,
        scope: usize,
        f: MapFn,
        args: &[ValueId],
        env: &Env,
    ) -> Result<Option<Expr>> {
        let cmp = match f {
            MapFn::Lt => Cmp::Lt,
            MapFn::Le => Cmp::Le,
            MapFn::Gt => Cmp::Gt,
            MapFn::Ge => Cmp::Ge,
            MapFn::Eq => Cmp::Eq,
            MapFn::Ne => Cmp::Ne,
            MapFn::And => {
                return Ok(Some(
                    self.cond(scope, args[0], env)?
                        .and(self.cond(scope, args[1], env)?),
                ));
            }
            MapFn::Or => {
                return Ok(Some(
                    self.cond(scope, args[0], env)?
                        .or(self.cond(scope, args[1], env)?),
                ));
            }
            MapFn::Not => return Ok(Some(!self.cond(scope, args[0], env)?)),
            _ => return Ok(None),
        };
        let (a, b) = (
            self.elem(scope, args[0], env)?,
            self.elem(scope, args[1], env)?,
        );
        Ok(Some(match (as_ix(&a), as_ix(&b)) {
            (Some(a), Some(b)) => a.simplify().cmp_with(cmp, b.simplify()),
            _ => a.cmp_with(cmp, b),
        }))
    }

    /// A value as a condition: it holds iff it is not 0.
    fn cond(&mut self, scope: usize, v: ValueId, env: &Env) -> Result<Expr> {
        let func = self.scopes[scope].func;
        if self.stored(scope, v).is_none()
            && !self.scopes[scope].choice.root[v.index()]
            && let Op::Map(f) = func.op(v)
            && let Some(c) = self.comparison(scope, *f, func.args(v), env)?
        {
            return Ok(c);
        }
        let x = self.elem(scope, v, env)?;
        Ok(match x {
            Expr::Select(c, a, b) if a.constant() == Some(1.0) && b.constant() == Some(0.0) => *c,
            x => x.cmp_with(Cmp::Ne, Expr::num(0.0)),
        })
    }
}

/// An expression that is an index or a whole number.
pub(crate) fn as_ix(e: &Expr) -> Option<Ix> {
    match e {
        Expr::Index(i) => Some(i.clone()),
        Expr::Const(n) if n.0.fract() == 0.0 && n.0.abs() < 1e15 => Some(Ix::Const(n.0 as i64)),
        _ => None,
    }
}

fn unary(f: MapFn) -> Option<Unary> {
    use MapFn as M;
    Some(match f {
        M::Neg => Unary::Neg,
        M::Abs => Unary::Abs,
        M::Sign => Unary::Sign,
        M::Floor => Unary::Floor,
        M::Exp => Unary::Exp,
        M::Expm1 => Unary::Expm1,
        M::Log => Unary::Log,
        M::Log1p => Unary::Log1p,
        M::Sqrt => Unary::Sqrt,
        M::Sin => Unary::Sin,
        M::Cos => Unary::Cos,
        M::Tanh => Unary::Tanh,
        M::Erf => Unary::Erf,
        _ => return None,
    })
}

/// The operation's name without its body.
pub(crate) fn short(op: &Op) -> String {
    match op {
        Op::Scan(s) => format!("Scan over {}", s.axis),
        other => format!("{other:?}").chars().take(80).collect(),
    }
}
