//! Functions that act at each position alone: an operation of the algebra, or a formula of several.

use super::keeps_static;
use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Dyn, Val};
use seqc_algebra::ops::special;
use seqc_algebra::{MapFn, Op};
use seqc_syntax::Span;
use seqc_syntax::ast::{Call, Expr};

impl<'p> Elab<'p> {
    pub(super) fn unary_call(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        f: MapFn,
        complex: bool,
        span: Span,
    ) -> Val {
        let Some(a) = self.args(c, 1, false, &format!("{}(x)", c.name.text), span) else {
            return Val::Poison;
        };
        let v = self.eval(s, a[0]);
        if let (Val::Stat(st), true) = (&v, keeps_static(&c.name.text)) {
            return Val::Stat(static_call(f, *st));
        }
        let Some(d) = self.dynamic(v, a[0].span) else {
            return Val::Poison;
        };
        if !complex && self.need_real(&c.name.text, &d, a[0].span).is_none() {
            return Val::Poison;
        }
        let Some(mut out) = self.map1(f, &d, span) else {
            return Val::Poison;
        };
        if f == MapFn::Stop {
            out.index = d.index;
        }
        Val::Dyn(out)
    }

    pub(super) fn binary_call(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        f: MapFn,
        span: Span,
    ) -> Val {
        let Some(a) = self.args(c, 2, false, &format!("{}(a, b)", c.name.text), span) else {
            return Val::Poison;
        };
        let (l, r) = (self.eval(s, a[0]), self.eval(s, a[1]));
        if let (Val::Stat(x), Val::Stat(y), MapFn::Max | MapFn::Min) = (&l, &r, f) {
            let greater = x.compare(*y) == Some(std::cmp::Ordering::Greater);
            return Val::Stat(if greater == (f == MapFn::Max) { *x } else { *y });
        }
        let (l, r) = (self.dynamic(l, a[0].span), self.dynamic(r, a[1].span));
        let (Some(l), Some(r)) = (l, r) else {
            return Val::Poison;
        };
        let places = (a[0].span, a[1].span);
        let ok = self
            .same_clock(s, &l, &r, places, span)
            .and_then(|()| self.no_outer(&c.name.text, &l, &r, places, span));
        let ok = ok
            .and_then(|()| self.need_real(&c.name.text, &l, places.0))
            .and_then(|()| self.need_real(&c.name.text, &r, places.1));
        ok.and_then(|()| self.map2(f, &l, &r, span))
            .map_or(Val::Poison, Val::Dyn)
    }

    pub(super) fn composed(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        name: &str,
        span: Span,
    ) -> Val {
        let Some(a) = self.args(c, 1, false, &format!("{name}(x)"), span) else {
            return Val::Poison;
        };
        let v = self.eval(s, a[0]);
        if let Val::Stat(st) = v {
            let x = st.as_f64();
            return Val::Stat(match name {
                "ceil" => st.ceil(),
                "relu" => Stat::Float(x.max(0.0)),
                "silu" => Stat::Float(x / (1.0 + (-x).exp())),
                "elu" => Stat::Float(if x > 0.0 { x } else { x.exp_m1() }),
                "inverse_softplus" => Stat::Float(x + (-(-x).exp_m1()).ln()),
                _ => return self.gelu_static(st, span),
            });
        }
        let Some(x) = self.dynamic(v, a[0].span) else {
            return Val::Poison;
        };
        if self.need_real(name, &x, a[0].span).is_none() {
            return Val::Poison;
        }
        self.formula(name, &x, span).map_or(Val::Poison, Val::Dyn)
    }

    fn gelu_static(&mut self, st: Stat, span: Span) -> Val {
        let x = self.number(st.as_f64());
        self.formula("gelu", &x, span).map_or(Val::Poison, Val::Dyn)
    }

    /// A formula is one function: what of its argument does not exist is left out of it as a whole.
    fn formula(&mut self, name: &str, x: &Dyn, span: Span) -> Option<Dyn> {
        let mut plain = x.clone();
        (plain.domains, plain.zero) = (vec![], vec![]);
        let mut out = self.formula_of(name, &plain, span)?;
        // All but the last are 0 at 0, as is `floor`.
        let like = match name {
            "inverse_softplus" => MapFn::Log,
            _ => MapFn::Floor,
        };
        (out.domains, out.zero) = self.after(&Op::Map(like), &[x]);
        Some(out)
    }

    fn formula_of(&mut self, name: &str, x: &Dyn, span: Span) -> Option<Dyn> {
        let (zero, one) = (self.number(0.0), self.number(1.0));
        match name {
            "ceil" => {
                let n = self.map1(MapFn::Neg, x, span)?;
                let n = self.map1(MapFn::Floor, &n, span)?;
                self.map1(MapFn::Neg, &n, span)
            }
            // Not the larger of two: at 0 the derivative is 0, at a tie it is a half.
            "relu" => {
                let off = self.map2(MapFn::Le, x, &zero, span)?;
                self.select(&off, &zero, x, span)
            }
            "silu" => {
                let gate = self.map1(MapFn::Sigmoid, x, span)?;
                self.map2(MapFn::Mul, x, &gate, span)
            }
            "elu" => {
                let positive = self.map2(MapFn::Gt, x, &zero, span)?;
                let low = self.map1(MapFn::Expm1, x, span)?;
                self.select(&positive, x, &low, span)
            }
            // `log(exp(x) - 1)` without an exponential that grows.
            "inverse_softplus" => {
                let n = self.map1(MapFn::Neg, x, span)?;
                let e = self.map1(MapFn::Expm1, &n, span)?;
                let e = self.map1(MapFn::Neg, &e, span)?;
                let rest = self.map1(MapFn::Log, &e, span)?;
                self.map2(MapFn::Add, x, &rest, span)
            }
            _ => {
                let (c, half) = (
                    self.number(std::f64::consts::FRAC_1_SQRT_2),
                    self.number(0.5),
                );
                let u = self.map2(MapFn::Mul, x, &c, span)?;
                let u = self.map1(MapFn::Erf, &u, span)?;
                let u = self.map2(MapFn::Add, &u, &one, span)?;
                let u = self.map2(MapFn::Mul, &u, &half, span)?;
                self.map2(MapFn::Mul, x, &u, span)
            }
        }
    }

    /// `select(condition, a, b)`. A condition that is known here (a setting, a layer's number) leaves one arm, and
    /// the other is not there at all: it declares no parameters.
    pub(super) fn select_call(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Val {
        let Some(a) = self.args(c, 3, false, "select(condition, a, b)", span) else {
            return Val::Poison;
        };
        match self.eval(s, a[0]) {
            Val::Stat(known) => {
                let taken = if known.as_f64() != 0.0 { a[1] } else { a[2] };
                self.eval(s, taken)
            }
            cond => self
                .select_of(s, cond, &a, span)
                .map_or(Val::Poison, Val::Dyn),
        }
    }

    fn select_of(
        &mut self,
        s: &mut Scope<'p>,
        cond: Val,
        a: &[&'p Expr],
        span: Span,
    ) -> Option<Dyn> {
        let cond = self.dynamic(cond, a[0].span);
        let (yes, no) = (self.eval_dyn(s, a[1]), self.eval_dyn(s, a[2]));
        let (cond, yes, no) = (cond?, yes?, no?);
        self.same_clock(s, &cond, &yes, (a[0].span, a[1].span), span)?;
        self.same_clock(s, &yes, &no, (a[1].span, a[2].span), span)?;
        self.no_outer("select", &yes, &no, (a[1].span, a[2].span), span)?;
        self.need_real("a condition", &cond, a[0].span)?;
        let mut out = self.select(&cond, &yes, &no, span)?;
        out.index = yes.index.or(no.index);
        Some(out)
    }

    /// `block(i, b)`: the number of the block of `b` that step `i` lies in.
    pub(super) fn block(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, false, "block(i, size)", span)?;
        let i = self.eval_dyn(s, a[0])?;
        let b = self.eval_static(s, a[1])?;
        let b = self.number(b.as_f64());
        // Of whole numbers the quotient is whole, without rounding and in a finite field too.
        let rest = self.map2(MapFn::Rem, &i, &b, span)?;
        let whole = self.map2(MapFn::Sub, &i, &rest, span)?;
        self.map2(MapFn::Div, &whole, &b, span)
    }
}

fn static_call(f: MapFn, st: Stat) -> Stat {
    let x = st.as_f64();
    match f {
        MapFn::Floor => st.floor(),
        MapFn::Abs if x < 0.0 => -st,
        MapFn::Abs => st,
        MapFn::Sign => Stat::int(if x > 0.0 {
            1
        } else if x < 0.0 {
            -1
        } else {
            0
        }),
        MapFn::Exp => Stat::Float(x.exp()),
        MapFn::Expm1 => Stat::Float(x.exp_m1()),
        MapFn::Log => Stat::Float(x.ln()),
        MapFn::Log1p => Stat::Float(x.ln_1p()),
        MapFn::Sqrt => Stat::Float(x.sqrt()),
        MapFn::Sin => Stat::Float(x.sin()),
        MapFn::Cos => Stat::Float(x.cos()),
        MapFn::Tanh => Stat::Float(x.tanh()),
        MapFn::Sigmoid => Stat::Float(1.0 / (1.0 + (-x).exp())),
        MapFn::LogSigmoid => Stat::Float(special::log_sigmoid(x)),
        MapFn::Softplus => Stat::Float(special::softplus(x)),
        MapFn::BitLen => Stat::int(special::bit_len(x) as i128),
        MapFn::Erf => Stat::Float(special::erf(x)),
        _ => Stat::Float(f64::NAN),
    }
}
