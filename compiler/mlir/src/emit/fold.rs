//! Folds, and how a range is cut into vector steps.

use super::Emit;
use super::deps::Deps;
use super::expr::factors;
use super::index::{Index, Uni};
use crate::error::Result;
use crate::text::{F32, Of, Ty, Value};
use seqc_schedule::ir::{Binary, Expr, FoldOp, Ix, Var};

/// `start..end` in steps of `width`; `end - start` is a multiple of it.
pub(crate) struct Segment {
    pub start: Uni,
    pub end: Uni,
    pub width: u32,
}

impl Segment {
    /// The steps of a short loop with known bounds, to be printed one after another; `None`: print a loop.
    pub fn short(&self, cost: u32) -> Option<Vec<Segment>> {
        let (start, end) = (self.start.known()?, self.end.known()?);
        let steps = (end - start).max(0) / i64::from(self.width);
        if steps > 8 || steps * i64::from(cost + 1) > 48 {
            return None;
        }
        let at = |i: i64| Uni::constant(start + i * i64::from(self.width));
        Some(
            (0..steps)
                .map(|i| Segment {
                    start: at(i),
                    end: at(i + 1),
                    width: self.width,
                })
                .collect(),
        )
    }
}

/// Vector partial results that a long cheap fold keeps at once, to hide the latency of the addition.
const PARTIALS: u32 = 4;

impl Emit<'_> {
    /// `op` over `lo..hi` of `body`: a scalar while all lanes agree, else a vector.
    pub fn fold(
        &mut self,
        op: FoldOp,
        var: Var,
        lo: &Ix,
        hi: &Ix,
        lanes: u32,
        body: &Expr,
    ) -> Result<Value> {
        let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
        if self.lanes == 1 {
            return self.fold_scalar(op, var, &lo, &hi, lanes, body);
        }
        if self.varies(body) {
            let init = self.neutral(op, self.lanes);
            return self.fold_loop(
                op,
                var,
                Segment {
                    start: lo,
                    end: hi,
                    width: 1,
                },
                init,
                body,
            );
        }
        // The same in every lane: computed once, in lanes of its own.
        let saved = std::mem::replace(&mut self.lanes, 1);
        let r = self.fold_scalar(op, var, &lo, &hi, lanes, body);
        self.lanes = saved;
        r
    }

    /// Does the value of the expression differ between the lanes of the enclosing loop?
    fn varies(&self, e: &Expr) -> bool {
        let uniform = |i: &Index| matches!(i, Index::Uniform(_));
        let deps = Deps {
            vars: self
                .vars
                .iter()
                .filter(|(_, i)| !uniform(i))
                .map(|(v, _)| *v)
                .collect(),
            vals: self
                .vals
                .iter()
                .filter(|(_, n)| n.v.ty.lanes > 1)
                .map(|(v, _)| *v)
                .collect(),
        };
        deps.expr(e)
    }

    /// Lanes to use where the schedule asks for some: a power of two that the target has registers for.
    pub fn usable_lanes(&self, asked: u32) -> u32 {
        let most = if self.target.width <= 1 {
            1
        } else {
            4 * self.target.width
        };
        let n = asked.clamp(1, most);
        1 << n.ilog2()
    }

    /// Cuts `lo..hi` into steps of `lanes`, then of 1; a known length is finished in narrower vectors.
    pub fn segments(&mut self, lo: &Uni, hi: &Uni, lanes: u32) -> Vec<Segment> {
        let length = self.sub(hi, lo);
        let mut rest = match length.known() {
            Some(n) => n.max(0),
            None => return self.open_segments(lo, hi, &length, lanes),
        };
        let (mut start, mut width, mut cut) = (lo.clone(), lanes, vec![]);
        while rest > 0 {
            let steps = rest / i64::from(width);
            if steps > 0 {
                let end = self.add(&start, &Uni::constant(steps * i64::from(width)));
                cut.push(Segment {
                    start,
                    end: end.clone(),
                    width,
                });
                (start, rest) = (end, rest % i64::from(width));
            }
            // Two lanes gain nothing over two scalars.
            width = if width > 4 { width / 2 } else { 1 };
        }
        cut
    }

    fn open_segments(&mut self, lo: &Uni, hi: &Uni, length: &Uni, lanes: u32) -> Vec<Segment> {
        if lanes == 1 {
            return vec![Segment {
                start: lo.clone(),
                end: hi.clone(),
                width: 1,
            }];
        }
        let length = self.max(length, &Uni::constant(0));
        let step = Uni::constant(i64::from(lanes));
        let steps = self.div(&length, &step);
        let whole = self.mul(&steps, &step);
        let middle = self.add(lo, &whole);
        vec![
            Segment {
                start: lo.clone(),
                end: middle.clone(),
                width: lanes,
            },
            Segment {
                start: middle,
                end: hi.clone(),
                width: 1,
            },
        ]
    }

    fn fold_scalar(
        &mut self,
        op: FoldOp,
        var: Var,
        lo: &Uni,
        hi: &Uni,
        lanes: u32,
        body: &Expr,
    ) -> Result<Value> {
        let mut deps = Deps::default();
        deps.vars.insert(var);
        let lanes = if deps.expr_fits(body) {
            self.usable_lanes(lanes)
        } else {
            1
        };
        let (mut lo, mut partial, mut total) = (lo.clone(), None, None);
        if lanes > 1 && cost(body) <= 8 {
            let first = self.segments(&lo, hi, lanes * PARTIALS).into_iter().next();
            if let Some(s) = first.filter(|s| s.width == lanes * PARTIALS) {
                lo = s.end.clone();
                partial = Some(self.fold_partials(op, var, s, lanes, body)?);
            }
        }
        for s in self.segments(&lo, hi, lanes) {
            let width = s.width;
            if width == lanes && lanes > 1 {
                let init = self.or_neutral(partial.take(), op, lanes);
                partial = Some(self.fold_loop(op, var, s, init, body)?);
                continue;
            }
            total = self.merge(op, total, partial.take());
            let init = if width == 1 { total.take() } else { None };
            let init = self.or_neutral(init, op, width);
            let r = self.fold_loop(op, var, s, init, body)?;
            total = self.merge(op, total, Some(r));
        }
        total = self.merge(op, total, partial);
        Ok(self.or_neutral(total, op, 1))
    }

    fn or_neutral(&mut self, x: Option<Value>, op: FoldOp, lanes: u32) -> Value {
        x.unwrap_or_else(|| self.neutral(op, lanes))
    }

    /// The total so far with the lanes of another partial result.
    fn merge(&mut self, op: FoldOp, total: Option<Value>, more: Option<Value>) -> Option<Value> {
        let Some(more) = more else { return total };
        let more = self.across(op, &more);
        Some(match total {
            Some(t) => self.combine(op, &t, &more),
            None => more,
        })
    }

    /// One loop over a segment; the accumulator has as many lanes as `init`.
    fn fold_loop(
        &mut self,
        op: FoldOp,
        var: Var,
        s: Segment,
        init: Value,
        body: &Expr,
    ) -> Result<Value> {
        let lanes = init.ty.lanes;
        if let Some(steps) = s.short(cost(body)) {
            return self.fold_unrolled(op, var, steps, init, body);
        }
        let open = self.open(var, &s, std::slice::from_ref(&init));
        let saved = std::mem::replace(&mut self.lanes, lanes);
        self.bind(var, &open.iv, &s);
        let next = self.added(op, &open.carried[0].clone(), body)?;
        self.lanes = saved;
        Ok(self.f.end_for(open, &[next]).remove(0))
    }

    fn fold_unrolled(
        &mut self,
        op: FoldOp,
        var: Var,
        steps: Vec<Segment>,
        init: Value,
        body: &Expr,
    ) -> Result<Value> {
        let lanes = init.ty.lanes;
        let saved = std::mem::replace(&mut self.lanes, lanes);
        let mut total = init;
        for s in &steps {
            self.bind_at(var, s.start.clone(), s.width);
            total = self.added(op, &total, body)?;
        }
        self.lanes = saved;
        Ok(total)
    }

    /// The loop with several accumulators; returns their combination.
    fn fold_partials(
        &mut self,
        op: FoldOp,
        var: Var,
        s: Segment,
        lanes: u32,
        body: &Expr,
    ) -> Result<Value> {
        let init = vec![self.neutral(op, lanes); PARTIALS as usize];
        let open = self.open(var, &s, &init);
        let saved = std::mem::replace(&mut self.lanes, lanes);
        let mut next = vec![];
        let iv = Uni::new(open.iv.clone());
        for (i, carried) in open.carried.iter().enumerate() {
            let base = self.add(&iv, &Uni::constant(i as i64 * i64::from(lanes)));
            self.vars.insert(
                var,
                Index::Affine {
                    base,
                    stride: Uni::constant(1),
                },
            );
            next.push(self.added(op, carried, body)?);
        }
        self.lanes = saved;
        let r = self.f.end_for(open, &next);
        let (a, b) = (
            self.combine(op, &r[0], &r[1]),
            self.combine(op, &r[2], &r[3]),
        );
        Ok(self.combine(op, &a, &b))
    }

    pub fn open(&mut self, var: Var, s: &Segment, init: &[Value]) -> crate::text::Loop {
        let (lo, hi) = (self.value(&s.start), self.value(&s.end));
        let step = self.value(&Uni::constant(i64::from(s.width)));
        self.f
            .begin_for(&format!("i{}_", var.0), &lo, &hi, &step, init)
    }

    /// Binds a loop variable: one number, or a ramp of `width` lanes.
    pub fn bind(&mut self, var: Var, iv: &Value, s: &Segment) {
        let mut base = Uni::new(iv.clone());
        base.nonneg = s.start.nonneg;
        let step = u64::from(s.width);
        let step = 1u64 << step.trailing_zeros();
        base.align = if s.start.align == 0 {
            step
        } else {
            s.start.align.min(step)
        };
        self.bind_at(var, base, s.width);
    }

    /// Binds a variable to `base`, or to the lanes that start there.
    pub fn bind_at(&mut self, var: Var, base: Uni, width: u32) {
        let index = match width {
            1 => Index::Uniform(base),
            _ => Index::Affine {
                base,
                stride: Uni::constant(1),
            },
        };
        self.vars.insert(var, index);
    }

    fn neutral(&mut self, op: FoldOp, lanes: u32) -> Value {
        let x = match op {
            FoldOp::Sum => 0.0,
            FoldOp::Prod => 1.0,
            FoldOp::Max => f64::NEG_INFINITY,
            FoldOp::Min => f64::INFINITY,
        };
        self.f.float(Ty::new(Of::F32, lanes), x)
    }

    /// The accumulator with one step more; a sum of products is rounded once a step.
    fn added(&mut self, op: FoldOp, total: &Value, body: &Expr) -> Result<Value> {
        if let (FoldOp::Sum, Some((x, y))) = (op, factors(body)) {
            let (x, y) = (self.number(x)?.v, self.number(y)?.v);
            return Ok(self.multiply_add(&x, &y, total));
        }
        let x = self.number(body)?.v;
        let x = self.f.broadcast(&x, total.ty.lanes);
        Ok(self.combine(op, total, &x))
    }

    fn combine(&mut self, op: FoldOp, a: &Value, b: &Value) -> Value {
        let op = match op {
            FoldOp::Sum => Binary::Add,
            FoldOp::Prod => Binary::Mul,
            FoldOp::Max => Binary::Max,
            FoldOp::Min => Binary::Min,
        };
        self.arithmetic(op, a, b)
    }

    /// The lanes of a vector combined into one number.
    fn across(&mut self, op: FoldOp, x: &Value) -> Value {
        if x.ty.lanes == 1 {
            return x.clone();
        }
        let (kind, flags) = match op {
            FoldOp::Sum => ("add", "reassoc"),
            FoldOp::Prod => ("mul", "reassoc"),
            FoldOp::Max => ("maximumf", "nsz"),
            FoldOp::Min => ("minimumf", "nsz"),
        };
        let text = format!(
            "vector.reduction <{kind}>, {x} fastmath<{flags}> : {} into f32",
            x.ty
        );
        self.f.define("v", F32, text)
    }
}

/// A rough count of operations; elementary functions count for many.
pub(crate) fn cost(e: &Expr) -> u32 {
    match e {
        Expr::Const(_) | Expr::Val(_) => 0,
        Expr::Load { .. } | Expr::Index(_) | Expr::CmpIx(..) => 1,
        Expr::Word(w) => 1 + w.operations(),
        Expr::Unary(op, x) => {
            use seqc_schedule::ir::Unary::{Abs, Floor, Neg};
            cost(x)
                + if matches!(op, Neg | Abs | Floor) {
                    1
                } else {
                    20
                }
        }
        Expr::Not(x) => 1 + cost(x),
        Expr::Binary(Binary::Pow, ..) | Expr::Fold { .. } => 100,
        Expr::Binary(_, a, b) | Expr::Cmp(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
            1 + cost(a) + cost(b)
        }
        Expr::Select(c, a, b) => 1 + cost(c) + cost(a) + cost(b),
    }
}
