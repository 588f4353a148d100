//! Calls of built-in functions: pointwise ones by a table, then those with axes.

use crate::elab::Elab;
use crate::linear;
use crate::reduce;
use crate::scope::{Binding, Scope};
use crate::stat::Stat;
use crate::value::{Dyn, Val};
use seqc_algebra::ops::special;
use seqc_algebra::{Axis, MapFn, Op};
use seqc_syntax::ast::{Arg, Call, Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span, did_you_mean};

/// Functions of one argument: an operation of the algebra, and whether complex arguments make sense.
const UNARY: &[(&str, MapFn, bool)] = &[
    ("abs", MapFn::Abs, true),
    ("sign", MapFn::Sign, false),
    ("floor", MapFn::Floor, false),
    ("exp", MapFn::Exp, true),
    ("expm1", MapFn::Expm1, false),
    ("log", MapFn::Log, true),
    ("log1p", MapFn::Log1p, false),
    ("sqrt", MapFn::Sqrt, true),
    ("sin", MapFn::Sin, false),
    ("cos", MapFn::Cos, false),
    ("tanh", MapFn::Tanh, false),
    ("sigmoid", MapFn::Sigmoid, false),
    ("logsigmoid", MapFn::LogSigmoid, false),
    ("softplus", MapFn::Softplus, false),
    ("erf", MapFn::Erf, false),
    ("stop", MapFn::Stop, true),
    ("bitlen", MapFn::BitLen, false),
    ("re", MapFn::Re, true),
    ("im", MapFn::Im, true),
    ("conj", MapFn::Conj, true),
];

const BINARY: &[(&str, MapFn)] = &[
    ("max", MapFn::Max),
    ("min", MapFn::Min),
    ("xor", MapFn::Xor),
    ("hash", MapFn::Hash),
];

/// Functions of one argument that are formulas of others.
const COMPOSED: &[&str] = &["ceil", "relu", "silu", "elu", "gelu", "inverse_softplus"];

const OTHER: &[&str] = &[
    "linear", "affine", "range", "select", "block", "stack", "onehot", "xent", "reverse", "shift",
    "patch", "unpatch", "grad",
];

const INITIALISERS: &[&str] = &["normal", "uniform", "log_uniform", "bernoulli"];

/// Every built-in function.
pub fn names() -> impl Iterator<Item = &'static str> {
    let reductions = [
        "sum",
        "mean",
        "prod",
        "softmax",
        "logsumexp",
        "argmax",
        "argmin",
        "top",
    ];
    let tables = UNARY.iter().map(|u| u.0).chain(BINARY.iter().map(|b| b.0));
    tables
        .chain(COMPOSED.iter().copied())
        .chain(OTHER.iter().copied())
        .chain(INITIALISERS.iter().copied())
        .chain(reductions)
}

/// Does `name` without brackets keep static numbers static?
pub fn keeps_static(name: &str) -> bool {
    UNARY
        .iter()
        .any(|u| u.0 == name && !matches!(u.1, MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Stop))
        || COMPOSED.contains(&name)
        || matches!(name, "max" | "min")
}

impl<'p> Elab<'p> {
    pub fn call(&mut self, s: &mut Scope<'p>, e: &'p Expr, c: &'p Call) -> Val {
        let name = c.name.text.as_str();
        if let Some(named) = s.names.get(name) {
            return match named.binding.clone() {
                Binding::Val(Val::Mixer(m)) => self.call_mixer(s, m, e, c),
                Binding::Val(Val::Poison) => Val::Poison,
                _ => {
                    let d = Diagnostic::error(
                        "E28",
                        format!("`{name}` is a value, it cannot be called"),
                        c.name.span,
                    );
                    self.report(d.help(format!("to multiply, write `{name} * (…)`")));
                    Val::Poison
                }
            };
        }
        if let Some(item) = self.program.lookup(s.module, name) {
            let m = std::rc::Rc::new(crate::value::Instance {
                item,
                given: vec![],
                home: None,
            });
            return self.call_mixer(s, m, e, c);
        }
        self.builtin(s, e, c)
    }

    fn builtin(&mut self, s: &mut Scope<'p>, e: &'p Expr, c: &'p Call) -> Val {
        let name = c.name.text.as_str();
        let reduces =
            reduce::kind(name).filter(|_| !c.group.is_empty() || !matches!(name, "max" | "min"));
        if let Some(kind) = reduces {
            return self.reduction(s, kind, c, e.span);
        }
        if let Some((_, f, complex)) = UNARY.iter().find(|u| u.0 == name) {
            return self.unary_call(s, c, *f, *complex, e.span);
        }
        if let Some((_, f)) = BINARY.iter().find(|b| b.0 == name) {
            return self.binary_call(s, c, *f, e.span);
        }
        if COMPOSED.contains(&name) {
            return self.composed(s, c, e.span);
        }
        if INITIALISERS.contains(&name) {
            let d = Diagnostic::error(
                "E28",
                format!("`{name}` only initialises a `param` or draws a `noise`"),
                e.span,
            );
            self.report(d.help(format!("`param w{{d}} = {name}(…)`")));
            return Val::Poison;
        }
        let out = match name {
            "linear" | "affine" => linear::linear(self, s, c, e.span),
            "range" => return self.range(s, c, e.span),
            "select" => self.select_call(s, c, e.span),
            "block" => self.block(s, c, e.span),
            "stack" => self.stack(s, c, e.span),
            "onehot" => self.onehot(s, c, e.span),
            "xent" => self.xent(s, c, e.span),
            "reverse" => self.reverse(s, c, e.span),
            "shift" => self.shift_call(s, c, e.span),
            "patch" | "unpatch" | "grad" => {
                self.visit_args(s, c);
                self.not_built(&format!("`{name}`"), e.span);
                None
            }
            _ => {
                self.unknown_call(s, c);
                self.visit_args(s, c);
                None
            }
        };
        out.map_or(Val::Poison, Val::Dyn)
    }

    fn unknown_call(&mut self, s: &Scope<'p>, c: &Call) {
        let mixers = self.program.names(s.module);
        let values = s
            .names
            .iter()
            .filter(|(_, n)| matches!(n.binding, Binding::Val(Val::Mixer(_))))
            .map(|(n, _)| n.clone());
        let mut known: Vec<String> = names()
            .map(str::to_owned)
            .chain(mixers)
            .chain(values)
            .collect();
        known.sort();
        let mut d = Diagnostic::error(
            "E03",
            format!("there is no function or mixer `{}`", c.name.text),
            c.name.span,
        );
        d = match did_you_mean(&c.name.text, known.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if crate::stdlib::has_mixer(&c.name.text) => {
                d.help(format!("import it: `import std ({})`", c.name.text))
            }
            None => d.help("define it in this file, or import it"),
        };
        self.report(d);
    }

    /// Checks the names in arguments that are not going to be used.
    fn visit_args(&mut self, s: &mut Scope<'p>, c: &'p Call) {
        for a in &c.args {
            if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                self.eval(s, x);
            }
        }
    }

    /// Exactly `n` arguments without names, and no brackets unless allowed.
    pub fn args(
        &mut self,
        c: &'p Call,
        n: usize,
        group: bool,
        usage: &str,
        span: Span,
    ) -> Option<Vec<&'p Expr>> {
        let list: Option<Vec<&'p Expr>> = c
            .args
            .iter()
            .map(|a| {
                if let Arg::Positional(x) = a {
                    Some(x)
                } else {
                    None
                }
            })
            .collect();
        match list {
            Some(list) if list.len() == n && group != c.group.is_empty() => Some(list),
            _ => {
                let d = Diagnostic::error(
                    "E28",
                    format!(
                        "`{}` takes {n} argument{}",
                        c.name.text,
                        if n == 1 { "" } else { "s" }
                    ),
                    span,
                );
                self.report(d.help(format!("write `{usage}`")));
                None
            }
        }
    }

    fn unary_call(
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

    fn binary_call(&mut self, s: &mut Scope<'p>, c: &'p Call, f: MapFn, span: Span) -> Val {
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

    fn composed(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Val {
        let name = c.name.text.as_str();
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
                "inverse_softplus" => Stat::Float(x.exp_m1().ln()),
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

    fn formula(&mut self, name: &str, x: &Dyn, span: Span) -> Option<Dyn> {
        let (zero, one) = (self.number(0.0), self.number(1.0));
        match name {
            "ceil" => {
                let n = self.map1(MapFn::Neg, x, span)?;
                let n = self.map1(MapFn::Floor, &n, span)?;
                self.map1(MapFn::Neg, &n, span)
            }
            "relu" => self.map2(MapFn::Max, x, &zero, span),
            "silu" => {
                let gate = self.map1(MapFn::Sigmoid, x, span)?;
                self.map2(MapFn::Mul, x, &gate, span)
            }
            "elu" => {
                let (positive, low) = (
                    self.map2(MapFn::Gt, x, &zero, span)?,
                    self.map2(MapFn::Min, x, &zero, span)?,
                );
                let low = self.map1(MapFn::Expm1, &low, span)?;
                self.select(&positive, x, &low, span)
            }
            "inverse_softplus" => {
                let e = self.map1(MapFn::Expm1, x, span)?;
                self.map1(MapFn::Log, &e, span)
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

    /// `range(a)`: the coordinate along an axis.
    fn range(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Val {
        let [
            Arg::Positional(Expr {
                kind: ExprKind::Name(n),
                ..
            }),
        ] = c.args.as_slice()
        else {
            // `range(k')` is read as a name with its primes; anything else is no axis.
            let d = Diagnostic::error("E28", "`range` takes one axis", span);
            self.report(d.help("write `range(a)`"));
            return Val::Poison;
        };
        let Some(axes) = self.new_axis(s, n) else {
            return Val::Poison;
        };
        self.coordinate(&axes, span).map_or(Val::Poison, Val::Dyn)
    }

    /// Row-major position in a group of axes.
    fn coordinate(&mut self, axes: &[Axis], span: Span) -> Option<Dyn> {
        let mut out: Option<Dyn> = None;
        for a in axes {
            let here = self.iota(*a, span)?;
            out = Some(match out {
                None => here,
                Some(v) => {
                    let size = self.number(a.size.constant()? as f64);
                    let v = self.map2(MapFn::Mul, &v, &size, span)?;
                    self.map2(MapFn::Add, &v, &here, span)?
                }
            });
        }
        let mut out = out?;
        out.index = Some(axes.to_vec());
        Some(out)
    }

    fn select_call(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 3, false, "select(condition, a, b)", span)?;
        let (cond, yes, no) = (
            self.eval_dyn(s, a[0]),
            self.eval_dyn(s, a[1]),
            self.eval_dyn(s, a[2]),
        );
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
    fn block(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, false, "block(i, size)", span)?;
        let i = self.eval_dyn(s, a[0])?;
        let b = self.eval_static(s, a[1])?;
        let b = self.number(b.as_f64());
        let q = self.map2(MapFn::Div, &i, &b, span)?;
        self.map1(MapFn::Floor, &q, span)
    }

    /// `stack[two](a, b)`: arguments along a new axis.
    fn stack(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let [name] = c.group.as_slice() else {
            self.report(
                Diagnostic::error("E28", "`stack` needs the axis it makes", span)
                    .help("write `stack[two](a, b)`"),
            );
            return None;
        };
        let axes = self.new_axis(s, name)?;
        let parts: Vec<(Option<Dyn>, Span)> = c
            .args
            .iter()
            .map(|a| {
                (
                    if let Arg::Positional(x) = a {
                        self.eval_dyn(s, x)
                    } else {
                        None
                    },
                    a.span(),
                )
            })
            .collect();
        let size = self.volume(&axes, span)?;
        if parts.len() != size || axes.len() != 1 {
            let d = Diagnostic::error(
                "E08",
                format!(
                    "`{}` has {size} positions, {} values are stacked",
                    name.text,
                    parts.len()
                ),
                span,
            );
            self.report(self.with_sizes(d, axes.iter()));
            return None;
        }
        let parts: Option<Vec<(Dyn, Span)>> = parts
            .into_iter()
            .map(|(v, at)| v.map(|v| (v, at)))
            .collect();
        let parts = parts?;
        for w in parts.windows(2) {
            self.no_outer("stack", &w[0].0, &w[1].0, (w[0].1, w[1].1), span)?;
            self.same_clock(s, &w[0].0, &w[1].0, (w[0].1, w[1].1), span)?;
        }
        let refs: Vec<&Dyn> = parts.iter().map(|(v, _)| v).collect();
        self.emit(Op::Stack(axes[0]), &refs, span)
    }

    /// `onehot[codes](code)`
    fn onehot(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, true, "onehot[a](index)", span)?;
        let axes = self.new_axes(s, &c.group)?;
        let code = self.eval_dyn(s, a[0])?;
        let here = self.coordinate(&axes, span)?;
        self.map2(MapFn::Eq, &here, &code, span)
    }

    /// `xent[c](logits, token)`: minus the log-probability of the token.
    fn xent(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, true, "xent[c](logits, token)", span)?;
        let (logits, token) = (self.eval_dyn(s, a[0]), self.eval_dyn(s, a[1]));
        let (logits, token) = (logits?, token?);
        let [name] = c.group.as_slice() else {
            self.report(Diagnostic::error(
                "E28",
                "`xent` ranges over one axis",
                span,
            ));
            return None;
        };
        let axes = self.need_axis(s, name, &logits, "`xent`")?;
        if let Some(of) = token.index.as_ref().filter(|of| of.as_slice() != axes) {
            let d = Diagnostic::error(
                "E08",
                format!(
                    "the tokens count positions of {}, the logits of {}",
                    Self::braces(of),
                    Self::braces(&axes)
                ),
                a[1].span,
            );
            self.report(self.with_sizes(d, of.iter().chain(&axes)));
            return None;
        }
        self.same_clock(s, &logits, &token, (a[0].span, a[1].span), span)?;
        let (logits, axis) = self.merged(&logits, &axes, span)?;
        let total = self.emit(Op::LogSumExp(axis), &[&logits], span)?;
        let hit = self.emit(Op::Gather(axis), &[&logits, &token], span)?;
        self.map2(MapFn::Sub, &total, &hit, span)
    }

    /// `reverse(x)`: the sequence from its end.
    fn reverse(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, false, "reverse(x)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let Some(time) = self.times(&v).into_iter().find(|x| s.is_clock(*x)) else {
            if v.depth > 0 {
                self.not_built("`reverse` inside a cycle through a state", span);
            } else {
                self.report(Diagnostic::error(
                    "E28",
                    "`reverse` needs a sequence",
                    a[0].span,
                ));
            }
            return None;
        };
        let mut out = self.emit(Op::Flip(time), &[&v], span)?;
        out.reach = v.reach.with_end(time);
        out.index = v.index;
        Some(out)
    }

    /// `shift[n](x, by)`: `y[p] = x[p - by]` along a feature axis; `by` is a constant, plus or minus a range.
    fn shift_call(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, true, "shift[n](x, 1)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let [name] = c.group.as_slice() else {
            self.report(Diagnostic::error(
                "E28",
                "`shift` moves along one axis",
                span,
            ));
            return None;
        };
        let axes = self.need_axis(s, name, &v, "`shift`")?;
        let [axis] = axes.as_slice() else {
            self.not_built("`shift` along a group of axes", span);
            return None;
        };
        let mut by = Displacement::default();
        self.displacement(s, a[1], true, &mut by)?;
        let reach = v.reach.clone();
        let mut out = match by.range {
            None => self.shift(&v, *axis, by.c, None, span)?,
            Some((plus, taps)) => {
                let size = i64::try_from(taps.size.constant()?).ok()?;
                self.window(&v, *axis, by.c.checked_neg()?, !plus, taps, size, span)?
            }
        };
        out.reach = reach;
        Some(out)
    }

    fn displacement(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut Displacement,
    ) -> Option<()> {
        use seqc_syntax::ast::BinaryOp::{Add, Sub};
        match &e.kind {
            ExprKind::Binary {
                op: op @ (Add | Sub),
                left,
                right,
            } => {
                self.displacement(s, left, plus, out)?;
                self.displacement(s, right, plus == (*op == Add), out)
            }
            ExprKind::Call(c) if c.name.text == "range" && out.range.is_none() => {
                match c.args.as_slice() {
                    [
                        Arg::Positional(Expr {
                            kind: ExprKind::Name(n),
                            ..
                        }),
                    ] => {
                        let axes = self.new_axis(s, n)?;
                        out.range = Some((plus, *axes.first()?));
                        Some(())
                    }
                    _ => self.bad_shift(e.span),
                }
            }
            _ => {
                let st = self.eval_static(s, e)?;
                match st
                    .as_int()
                    .and_then(|k| i64::try_from(k).ok())
                    .and_then(|k| {
                        if plus {
                            out.c.checked_add(k)
                        } else {
                            out.c.checked_sub(k)
                        }
                    }) {
                    Some(c) => {
                        out.c = c;
                        Some(())
                    }
                    None => self.bad_shift(e.span),
                }
            }
        }
    }

    fn bad_shift(&mut self, span: Span) -> Option<()> {
        self.report(Diagnostic::error(
            "E28",
            "`shift` moves by a whole constant, plus or minus a `range`",
            span,
        ));
        None
    }
}

#[derive(Default)]
struct Displacement {
    c: i64,
    range: Option<(bool, Axis)>,
}

fn static_call(f: MapFn, st: Stat) -> Stat {
    let x = st.as_f64();
    match f {
        MapFn::Floor => st.floor(),
        MapFn::Abs if x < 0.0 => st.neg(),
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
