//! Expressions: names, arithmetic, conditions.
//!
//! Every function returns `None`/`Val::Poison` after having reported why; poison is passed on in silence.

use crate::call::ANY_MIXER;
use crate::elab::Elab;
use crate::reach::{Bound, Reach};
use crate::scope::{Binding, Scope};
use crate::stat::Stat;
use crate::value::{Dyn, Instance, Val};
use seqc_algebra::{Axis, Elem, InputKind, MapFn, Op, Ty};
use seqc_syntax::ast::{BinaryOp, Expr, ExprKind, Name, UnaryOp};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use std::rc::Rc;

impl<'p> Elab<'p> {
    pub fn eval(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Val {
        match &e.kind {
            ExprKind::Number(n) if n.imaginary => self
                .imaginary(n.value, e.span)
                .map_or(Val::Poison, Val::Dyn),
            ExprKind::Number(n) => match n.as_integer() {
                Some(k) => Val::Stat(Stat::int(i128::from(k))),
                None => Val::Stat(Stat::Float(n.value)),
            },
            ExprKind::Name(n) => self.name(s, n),
            ExprKind::Call(c) => self.call(s, e, c),
            ExprKind::Index { base, index } => self.index(s, base, index, e.span),
            ExprKind::Remap { base, map } => {
                let base = self.loose(s, base);
                self.each_form(base, |this, v| this.remap(s, &v, map))
            }
            ExprKind::Pick { base, picks } => {
                let mut value = self.loose(s, base);
                for pick in picks {
                    let at = self.eval(s, &pick.value);
                    value = self.each_form(value, |this, v| this.pick(s, &v, pick, &at));
                }
                value
            }
            ExprKind::Unary { op, operand } => {
                let v = self.eval(s, operand);
                self.unary(*op, v, e.span)
            }
            ExprKind::Binary { op, left, right } => {
                let (l, r) = (self.eval(s, left), self.eval(s, right));
                self.binary(s, *op, (l, left.span), (r, right.span), e.span)
            }
        }
    }

    /// Evaluates the base of an index or a pick: there a kernel or a matrix may stand bare.
    pub fn loose(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Val {
        match &e.kind {
            ExprKind::Name(n) => self.name_form(s, n),
            _ => self.eval(s, e),
        }
    }

    /// Applies something pointwise in time to every part of a kernel or matrix.
    pub fn each_form(&mut self, v: Val, mut f: impl FnMut(&mut Self, Dyn) -> Option<Dyn>) -> Val {
        match v {
            Val::Dyn(d) => f(self, d).map_or(Val::Poison, Val::Dyn),
            Val::Matrix(mut m) => match f(self, m.value) {
                Some(value) => {
                    m.value = value;
                    Val::Matrix(m)
                }
                None => Val::Poison,
            },
            Val::Kernel(mut k) => {
                let had = (k.causal.is_some(), k.ahead.is_some());
                k.causal = k.causal.and_then(|d| f(self, d));
                k.ahead = k.ahead.and_then(|d| f(self, d));
                if had == (k.causal.is_some(), k.ahead.is_some()) {
                    Val::Kernel(k)
                } else {
                    Val::Poison
                }
            }
            Val::Stat(st) => {
                let d = self.number(st.as_f64());
                f(self, d).map_or(Val::Poison, Val::Dyn)
            }
            other => other,
        }
    }

    fn name(&mut self, s: &mut Scope<'p>, n: &'p Name) -> Val {
        match self.name_form(s, n) {
            Val::Matrix(_) => {
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` is a matrix: it needs its two indices", n.text),
                    n.span,
                );
                self.report(d.help(format!("write `{}[t,j]` under `sum[j](…)`", n.text)));
                Val::Poison
            }
            Val::Kernel(k) if self.lag_in_scope(s).is_none() => {
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` is a kernel: it needs its index", n.text),
                    n.span,
                );
                self.report(d.help(format!(
                    "write `{}[{}]` under `sum[{}](…)`",
                    n.text, k.lag.name, k.lag.name
                )));
                Val::Poison
            }
            Val::Kernel(_) => {
                let d = Diagnostic::error("E17", format!("`{}` needs its index", n.text), n.span);
                self.report(d.help(format!("write `{}[lag]`", n.text)));
                Val::Poison
            }
            Val::Dyn(v)
                if s.strict
                    && self.times(&v).iter().any(|a| s.is_clock(*a))
                    && s.names.contains_key(&n.text) =>
            {
                let mut of: Vec<String> = s.indices.keys().map(|i| format!("`[{i}]`")).collect();
                of.sort();
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` needs {} here", n.text, of.join(" or ")),
                    n.span,
                );
                self.report(d.label("a sequence, read at no time").help(format!("the equation's left side has its own indices: say at which of them `{}` is read", n.text)));
                Val::Poison
            }
            other => other,
        }
    }

    /// A name's value, kernels and matrices included.
    pub fn name_form(&mut self, s: &mut Scope<'p>, n: &'p Name) -> Val {
        if let Some(index) = s.indices.get(&n.text).copied() {
            return self.position(index.axis, index.lag && s.ahead, n.span);
        }
        if let Some(named) = s.names.get(&n.text) {
            match &named.binding {
                Binding::Val(v) => return v.clone(),
                Binding::Loop { now: Some(v), .. } => return v.clone(),
                Binding::Loop { now: None, .. } | Binding::Pending => {}
            }
            self.too_early(s, n);
            return Val::Poison;
        }
        if let Some(st) = s.statics.get(&n.text) {
            return Val::Stat(st.value);
        }
        if let Some(axes) = s.axes.get(&n.text).cloned() {
            return self
                .volume(&axes, n.span)
                .map_or(Val::Poison, |v| Val::Stat(Stat::int(v as i128)));
        }
        if let Some(clock) = s.clocks.get(&n.text).copied() {
            return self.position(clock, false, n.span);
        }
        match n.text.as_str() {
            "pi" => return Val::Stat(Stat::Float(std::f64::consts::PI)),
            "inf" => return Val::Stat(Stat::Float(f64::INFINITY)),
            "true" => return Val::Stat(Stat::Bool(true)),
            "false" => return Val::Stat(Stat::Bool(false)),
            "len" => return self.length(s.now(), n.span),
            "training" => return Val::Dyn(self.training()),
            _ => {}
        }
        if let Some(item) = self.program.lookup(s.module, &n.text) {
            return Val::Mixer(Rc::new(Instance {
                item,
                given: vec![],
                home: None,
            }));
        }
        self.unknown(s, n);
        Val::Poison
    }

    /// A name that is declared, or part of the cycle being computed, but has no value yet.
    fn too_early(&mut self, s: &Scope<'p>, n: &Name) {
        if s.current.contains(&n.text) || s.defined.contains_key(&n.text) {
            return self.unknown(s, n);
        }
        let d = Diagnostic::error(
            "E03",
            format!("the state `{}` has no value here yet", n.text),
            n.span,
        );
        self.report(d.help("a declaration may read settings and parameters"));
    }

    /// E03, or E14 for a name that needs itself.
    pub fn unknown(&mut self, s: &Scope<'p>, n: &Name) {
        if s.current.contains(&n.text) {
            let d = Diagnostic::error(
                "E14",
                format!("`{0}` reads itself, but is not a state", n.text),
                n.span,
            );
            self.report(d.help(format!(
                "declare `state {0}{{…}}` and write `{0}[t] = …`",
                n.text
            )));
            return;
        }
        if let Some(at) = s.defined.get(&n.text) {
            let d = Diagnostic::error(
                "E03",
                format!("`{}` is read before its equation", n.text),
                n.span,
            );
            self.report(
                d.secondary(*at, "defined here")
                    .help("move the equation up; only a `state` may be read before its equation"),
            );
            return;
        }
        let known = s.known();
        let mut d = Diagnostic::error("E03", format!("`{}` is unknown", n.text), n.span);
        d = match did_you_mean(&n.text, known.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help("define it before this line, or import it"),
        };
        self.report(d);
    }

    /// The coordinate along a time axis as a number, counted from the document's start.
    fn position(&mut self, axis: Axis, negative: bool, span: Span) -> Val {
        let Some(v) = self.iota(axis, span) else {
            return Val::Poison;
        };
        if !negative {
            return Val::Dyn(v);
        }
        self.map1(MapFn::Neg, &v, span)
            .map_or(Val::Poison, Val::Dyn)
    }

    pub fn length(&mut self, axis: Axis, span: Span) -> Val {
        let Some(clock) = crate::reach::clock_of(axis) else {
            return Val::Poison;
        };
        match self.emit_at(0, Op::Length(clock), &[], span) {
            Some(mut v) => {
                v.reach = Reach::whole(clock);
                Val::Dyn(v)
            }
            None => Val::Poison,
        }
    }

    fn training(&mut self) -> Dyn {
        if let Some(v) = &self.training {
            return v.clone();
        }
        let v = self.input(
            "training",
            InputKind::Data,
            Ty::real(vec![]),
            Reach::default(),
        );
        self.training = Some(v.clone());
        v
    }

    /// A value as a program value; static numbers become constants.
    pub fn dynamic(&mut self, v: Val, span: Span) -> Option<Dyn> {
        match v {
            Val::Dyn(d) => Some(d),
            Val::Stat(st) => Some(self.number(st.as_f64())),
            Val::Poison => None,
            Val::Matrix(_) => {
                self.report(Diagnostic::error(
                    "E17",
                    "a matrix needs its two indices here",
                    span,
                ));
                None
            }
            Val::Kernel(_) => {
                self.report(Diagnostic::error(
                    "E17",
                    "a kernel needs its index here",
                    span,
                ));
                None
            }
            Val::Mixer(m) => {
                let d = if m.item == ANY_MIXER {
                    Diagnostic::error("E28", "this is a mixer, not a value", span)
                        .help("call it: `f(…)`")
                } else {
                    let name = &self.program.mixer(m.item).name.text;
                    Diagnostic::error("E28", format!("`{name}` is a mixer, not a value"), span)
                        .help(format!("call it: `{name}(…)`"))
                };
                self.report(d);
                None
            }
            Val::Tuple(parts) => {
                let d = Diagnostic::error(
                    "E28",
                    format!("this call has {} outputs", parts.len()),
                    span,
                );
                self.report(d.help("name them on the left: `y, v = f(x)`"));
                None
            }
        }
    }

    /// Evaluates to a program value.
    pub fn eval_dyn(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Dyn> {
        let v = self.eval(s, e);
        self.dynamic(v, e.span)
    }

    /// Evaluates to a static number.
    pub fn eval_static(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Stat> {
        match self.eval(s, e) {
            Val::Stat(st) => Some(st),
            Val::Poison => None,
            _ => {
                let d = Diagnostic::error("E28", "a constant is needed here", e.span);
                self.report(d.help("use numbers, settings and sizes only"));
                None
            }
        }
    }

    fn unary(&mut self, op: UnaryOp, v: Val, span: Span) -> Val {
        if let Val::Stat(st) = v {
            return Val::Stat(match op {
                UnaryOp::Neg => st.neg(),
                UnaryOp::Not => Stat::Bool(!st.truth()),
            });
        }
        let Some(d) = self.dynamic(v, span) else {
            return Val::Poison;
        };
        let f = match op {
            UnaryOp::Neg => MapFn::Neg,
            UnaryOp::Not => MapFn::Not,
        };
        let Some(mut out) = self.map1(f, &d, span) else {
            return Val::Poison;
        };
        if op == UnaryOp::Neg {
            (out.zero, out.masked) = (d.zero, d.masked);
        }
        Val::Dyn(out)
    }

    fn binary(
        &mut self,
        s: &Scope<'p>,
        op: BinaryOp,
        l: (Val, Span),
        r: (Val, Span),
        span: Span,
    ) -> Val {
        if let (Val::Stat(a), Val::Stat(b)) = (&l.0, &r.0) {
            return Val::Stat(fold(op, *a, *b));
        }
        if let Some(known) = decided(op, &l.0, &r.0) {
            return known;
        }
        let (a, b) = (self.dynamic(l.0, l.1), self.dynamic(r.0, r.1));
        let (Some(a), Some(b)) = (a, b) else {
            return Val::Poison;
        };
        self.arith(s, op, &a, &b, (l.1, r.1), span)
            .map_or(Val::Poison, Val::Dyn)
    }

    fn arith(
        &mut self,
        s: &Scope<'p>,
        op: BinaryOp,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<Dyn> {
        self.same_clock(s, a, b, places, span)?;
        if !matches!(
            op,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::And | BinaryOp::Or
        ) {
            self.no_outer(op.symbol(), a, b, places, span)?;
        }
        if matches!(
            op,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Rem
        ) {
            self.need_real(op.symbol(), a, places.0)?;
            self.need_real(op.symbol(), b, places.1)?;
        }
        let f = match op {
            BinaryOp::Or => MapFn::Or,
            BinaryOp::And => MapFn::And,
            BinaryOp::Le => MapFn::Le,
            BinaryOp::Ge => MapFn::Ge,
            BinaryOp::Eq => MapFn::Eq,
            BinaryOp::Ne => MapFn::Ne,
            BinaryOp::Lt => MapFn::Lt,
            BinaryOp::Gt => MapFn::Gt,
            BinaryOp::Add => MapFn::Add,
            BinaryOp::Sub => MapFn::Sub,
            BinaryOp::Mul => MapFn::Mul,
            BinaryOp::Div => MapFn::Div,
            BinaryOp::Rem => MapFn::Rem,
            BinaryOp::Pow => MapFn::Pow,
        };
        let depth = match s.sink {
            Some(depth) if f == MapFn::Mul && self.is_outer_product(a, b) => depth,
            _ => a.depth.max(b.depth),
        };
        let square = f == MapFn::Pow && self.frames[b.depth].b.constant(b.id) == Some(2.0);
        let mut out = if square {
            self.map2(MapFn::Mul, a, a, span)?
        } else {
            self.emit_at(depth, Op::Map(f), &[a, b], span)?
        };
        (out.zero, out.masked) = match f {
            MapFn::Mul => (
                a.zero.iter().chain(&b.zero).cloned().collect(),
                a.masked || b.masked,
            ),
            MapFn::Div => (a.zero.clone(), a.masked),
            MapFn::Add | MapFn::Sub => (
                a.zero
                    .iter()
                    .filter(|z| b.zero.contains(z))
                    .cloned()
                    .collect::<Vec<Bound>>(),
                a.masked && b.masked,
            ),
            _ => (vec![], false),
        };
        Some(out)
    }

    /// Would the product be larger than both factors? Then no loop should find it stored.
    fn is_outer_product(&self, a: &Dyn, b: &Dyn) -> bool {
        let (x, y) = (self.axes(a), self.axes(b));
        x.iter().any(|k| !y.contains(k) && k.is_const())
            && y.iter().any(|k| !x.contains(k) && k.is_const())
    }

    /// E20: operands that run on different clocks.
    pub fn same_clock(
        &mut self,
        s: &Scope<'p>,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<()> {
        let of = |this: &Self, v: &Dyn| {
            this.times(v)
                .into_iter()
                .find(|x| s.is_clock(*x) && !s.extras.contains(x))
        };
        let (x, y) = (of(self, a), of(self, b));
        let (Some(x), Some(y)) = (x, y) else {
            return Some(());
        };
        if x == y {
            return Some(());
        }
        let d = Diagnostic::error(
            "E20",
            format!(
                "one operand runs on clock `{}`, the other on `{}`",
                x.name, y.name
            ),
            span,
        );
        let d = d
            .secondary(places.0, format!("runs on `{}`", x.name))
            .secondary(places.1, format!("runs on `{}`", y.name));
        self.report(d.help("join them through a matrix: `M[i,j] = …`, `sum[j](M[t,j] * v[j])`"));
        None
    }

    /// E11: sums and comparisons never make outer products.
    pub fn no_outer(
        &mut self,
        symbol: &str,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<()> {
        let (x, y) = (self.features(a), self.features(b));
        if x.iter().all(|k| y.contains(k)) || y.iter().all(|k| x.contains(k)) {
            return Some(());
        }
        if let Some((p, q)) = x.iter().find_map(|p| {
            y.iter()
                .find(|q| q.name == p.name && q.size != p.size)
                .map(|q| (p, q))
        }) {
            self.clash(*p, *q, places, span);
            return None;
        }
        let (left, right) = (Self::braces(&x), Self::braces(&y));
        let d = Diagnostic::error(
            "E11",
            format!("`{symbol}` would make an outer product of {left} and {right}"),
            span,
        );
        let d = d.secondary(places.0, left).secondary(places.1, right);
        self.report(
            d.help("use `*` for an outer product, sum the axis that is too many, or rename one"),
        );
        None
    }

    /// E08: one name, two sizes.
    pub fn clash(&mut self, p: Axis, q: Axis, places: (Span, Span), span: Span) {
        let name = crate::elab::plain(p.name.as_str());
        let mut d = Diagnostic::error(
            "E08",
            format!(
                "`{name}` is {} in one operand, {} in the other",
                p.size, q.size
            ),
            span,
        );
        d = d
            .secondary(places.0, format!("`{name}` is {}", p.size))
            .secondary(places.1, format!("`{name}` is {}", q.size));
        for axis in [p, q] {
            if let Some((formula, at)) = self.sizes.get(&axis) {
                d = d.secondary(*at, formula.clone());
            }
        }
        self.report(d.help("give the two axes one size, or two names"));
    }

    /// E25 where a complex number has no meaning.
    pub fn need_real(&mut self, what: &str, v: &Dyn, span: Span) -> Option<()> {
        if self.elem(v) != Elem::Complex {
            return Some(());
        }
        let d = Diagnostic::error(
            "E25",
            format!("`{what}` needs a real number, this is complex"),
            span,
        );
        self.report(d.help("write `re(…)` or `abs(…)`"));
        None
    }
}

fn fold(op: BinaryOp, a: Stat, b: Stat) -> Stat {
    use std::cmp::Ordering::*;
    let order = a.compare(b);
    match op {
        BinaryOp::Add => a.add(b),
        BinaryOp::Sub => a.sub(b),
        BinaryOp::Mul => a.mul(b),
        BinaryOp::Div => a.div(b),
        BinaryOp::Rem => a.rem(b),
        BinaryOp::Pow => a.pow(b),
        BinaryOp::Or => Stat::Bool(a.truth() || b.truth()),
        BinaryOp::And => Stat::Bool(a.truth() && b.truth()),
        BinaryOp::Lt => Stat::Bool(order == Some(Less)),
        BinaryOp::Le => Stat::Bool(matches!(order, Some(Less | Equal))),
        BinaryOp::Gt => Stat::Bool(order == Some(Greater)),
        BinaryOp::Ge => Stat::Bool(matches!(order, Some(Greater | Equal))),
        BinaryOp::Eq => Stat::Bool(order == Some(Equal)),
        BinaryOp::Ne => Stat::Bool(order != Some(Equal)),
    }
}

/// What a static operand decides alone: `x < inf` holds, `true and x` is x.
fn decided<'p>(op: BinaryOp, l: &Val, r: &Val) -> Option<Val> {
    let bool_of = |v: &Val| match v {
        Val::Stat(Stat::Bool(b)) => Some(*b),
        _ => None,
    };
    match op {
        BinaryOp::And => match (bool_of(l), bool_of(r)) {
            (Some(true), _) => Some(r.clone()),
            (_, Some(true)) => Some(l.clone()),
            (Some(false), _) | (_, Some(false)) => Some(Val::Stat(Stat::Bool(false))),
            _ => None,
        },
        BinaryOp::Or => match (bool_of(l), bool_of(r)) {
            (Some(false), _) => Some(r.clone()),
            (_, Some(false)) => Some(l.clone()),
            (Some(true), _) | (_, Some(true)) => Some(Val::Stat(Stat::Bool(true))),
            _ => None,
        },
        BinaryOp::Lt | BinaryOp::Le
            if r.stat().is_some_and(|s| s.as_f64() == f64::INFINITY) && !l.is_poison() =>
        {
            Some(Val::Stat(Stat::Bool(true)))
        }
        BinaryOp::Gt | BinaryOp::Ge
            if r.stat().is_some_and(|s| s.as_f64() == f64::NEG_INFINITY) && !l.is_poison() =>
        {
            Some(Val::Stat(Stat::Bool(true)))
        }
        _ => None,
    }
}
