//! Parameters, their initialisers, and noise.
//!
//! Every parameter has one path. Reading the same place twice (two sides of a kernel, a shared instance) gives the
//! same parameter; two places with one path are an error (E21).

use crate::elab::{Elab, MAX_PARAMETERS, Param};
use crate::reach::Reach;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Dyn, Home, Val};
use seqc_algebra::{Axis, Dist, Elem, Init, InputKind, MapFn, Num, Ty};
use seqc_syntax::ast::{Arg, BinaryOp, Decl, Expr, ExprKind, UnaryOp};
use seqc_syntax::{Diagnostic, Span};

/// What a parameter is to be.
pub struct Spec<'a, 'p> {
    pub name: &'a str,
    pub axes: &'a [Axis],
    pub init: Option<&'p Expr>,
    pub default: Init,
    /// A table of numbers, as written: two names of axes or more.
    pub table: bool,
    pub span: Span,
}

/// An initialiser as a complex formula.
struct Formula {
    re: Init,
    im: Option<Init>,
}

impl<'p> Elab<'p> {
    pub fn param(&mut self, s: &mut Scope<'p>, home: &Home, spec: Spec<'_, 'p>) -> Option<Dyn> {
        let path = home.join(spec.name).path;
        if let Some(known) = self.params.get(&path) {
            if known.site == home.site && known.span == spec.span {
                return Some(known.value.clone());
            }
            // The calls that differ are what the reader has to tell apart; else the two places in one line.
            let most = known.site.len().max(home.site.len());
            let differs = (0..most)
                .find(|k| known.site.get(*k) != home.site.get(*k))
                .unwrap_or(most);
            let second = home.site.get(differs).copied().unwrap_or(spec.span);
            let first = known.site.get(differs).copied().unwrap_or(known.span);
            let d = Diagnostic::error("E21", format!("two parameters at `{path}`"), second);
            let d = d.label("the second").secondary(first, "the first");
            self.report(d.help(
                "give one of the lines a label (`ffn: x += …`), or each call a line of its own, or arguments that are different names",
            ));
            return None;
        }
        let init = match spec.init {
            Some(e) => {
                let f = self.init(s, e, spec.axes)?;
                match f.im {
                    Some(im) => Init::Apply(MapFn::Complex, vec![f.re, im]),
                    None => f.re,
                }
            }
            None => spec.default,
        };
        let elem = if matches!(init, Init::Apply(MapFn::Complex, _)) {
            Elem::Complex
        } else {
            Elem::Real
        };
        let count = spec
            .axes
            .iter()
            .filter_map(|a| a.size.constant())
            .fold(1u128, |n, k| n.saturating_mul(k as u128));
        self.entries = self.entries.saturating_add(count);
        if self.entries > MAX_PARAMETERS {
            self.too_large(
                format!("more than {MAX_PARAMETERS} parameters, the last at `{path}`"),
                spec.span,
            );
            return None;
        }
        let decay = spec.table && around_zero(&init);
        let kind = InputKind::Param { init, decay };
        let value = self.input(
            &path,
            kind,
            Ty {
                elem,
                axes: spec.axes.to_vec(),
            },
            Reach::default(),
        );
        self.spans.entry(path.clone()).or_insert(spec.span);
        self.params.insert(
            path,
            Param {
                value: value.clone(),
                site: home.site.clone(),
                span: spec.span,
            },
        );
        Some(value)
    }

    /// `param W{n, n'} = init`
    pub fn param_decl(&mut self, s: &mut Scope<'p>, d: &'p Decl) -> Option<Dyn> {
        let axes = self.new_axes(s, &d.axes)?;
        let default = Init::Normal { std: Num(0.02) };
        let spec = Spec {
            name: &d.name.text,
            axes: &axes,
            init: d.init.as_ref(),
            default,
            table: d.axes.len() >= 2,
            span: d.name.span,
        };
        self.param(s, &s.home.clone(), spec)
    }

    /// `noise z{d} = bernoulli(p)`: a draw for each step of each sequence.
    pub fn noise_decl(&mut self, s: &mut Scope<'p>, d: &'p Decl) -> Option<Dyn> {
        let mut axes = vec![Axis::batch(), s.now()];
        axes.extend(self.new_axes(s, &d.axes)?);
        let dist = self.dist(s, d)?;
        let path = s.home.join(&d.name.text).path;
        Some(self.input(
            &path,
            InputKind::Noise(dist),
            Ty::real(axes),
            Reach::default(),
        ))
    }

    fn dist(&mut self, s: &mut Scope<'p>, d: &'p Decl) -> Option<Dist> {
        if let Some(Expr {
            kind: ExprKind::Call(c),
            ..
        }) = &d.init
        {
            let mut args = Vec::new();
            for a in &c.args {
                if let Arg::Positional(e) = a {
                    args.push(Num(self.eval_static(s, e)?.as_f64()));
                }
            }
            match (c.name.text.as_str(), args.as_slice()) {
                ("bernoulli", [p]) => return Some(Dist::Bernoulli(*p)),
                ("normal", [std]) => return Some(Dist::Normal(*std)),
                ("uniform", [lo, hi]) => return Some(Dist::Uniform(*lo, *hi)),
                _ => {}
            }
        }
        let span = d.init.as_ref().map_or(d.span, |e| e.span);
        let e = Diagnostic::error(
            "E28",
            "a `noise` is drawn from `bernoulli(p)`, `normal(std)` or `uniform(lo, hi)`",
            span,
        );
        self.report(e);
        None
    }

    /// An initialiser: numbers, draws and coordinates under pointwise functions.
    fn init(&mut self, s: &mut Scope<'p>, e: &'p Expr, axes: &[Axis]) -> Option<Formula> {
        match &e.kind {
            ExprKind::Number(n) if n.imaginary => Some(Formula {
                re: Init::Const(Num(0.0)),
                im: Some(Init::Const(Num(n.value))),
            }),
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => {
                let f = self.init(s, operand, axes)?;
                Some(Formula {
                    re: apply(MapFn::Neg, vec![f.re]),
                    im: f.im.map(|im| apply(MapFn::Neg, vec![im])),
                })
            }
            ExprKind::Binary { op, left, right } => {
                let (a, b) = (self.init(s, left, axes), self.init(s, right, axes));
                combine(*op, a?, b?).or_else(|| self.bad_init(e.span))
            }
            ExprKind::Call(c) => self.init_call(s, e, c, axes),
            _ => match self.eval(s, e) {
                Val::Stat(st) => Some(real(Init::Const(Num(st.as_f64())))),
                Val::Poison => None,
                _ => self.bad_init(e.span),
            },
        }
    }

    fn bad_init<T>(&mut self, span: Span) -> Option<T> {
        let d = Diagnostic::error("E28", "this cannot start a parameter", span);
        self.report(d.help("use numbers, settings, `normal(std)`, `uniform(lo, hi)`, `log_uniform(lo, hi)`, `range(axis)` and pointwise functions"));
        None
    }

    fn init_call(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        c: &'p seqc_syntax::ast::Call,
        axes: &[Axis],
    ) -> Option<Formula> {
        let args: Vec<&'p Expr> = c
            .args
            .iter()
            .filter_map(|a| {
                if let Arg::Positional(x) = a {
                    Some(x)
                } else {
                    None
                }
            })
            .collect();
        if args.len() != c.args.len() || !c.group.is_empty() {
            return self.bad_init(e.span);
        }
        match (c.name.text.as_str(), args.as_slice()) {
            ("normal", [std]) => {
                let std = self.eval_static(s, std)?;
                Some(real(Init::Normal {
                    std: Num(std.as_f64()),
                }))
            }
            (name @ ("uniform" | "log_uniform"), [lo, hi]) => {
                let (a, b) = (self.eval_static(s, lo), self.eval_static(s, hi));
                let (a, b) = (a?.as_f64(), b?.as_f64());
                let positive = a > 0.0 && b > 0.0;
                let ordered = a <= b && (positive || name == "uniform");
                if !ordered {
                    self.report(
                        Diagnostic::error("E28", format!("`{name}({a}, {b})` is no range"), e.span)
                            .help("the first bound must not exceed the second"),
                    );
                    return None;
                }
                let (lo, hi) = (Num(a), Num(b));
                Some(real(if name == "uniform" {
                    Init::Uniform { lo, hi }
                } else {
                    Init::LogUniform { lo, hi }
                }))
            }
            (
                "range",
                [
                    Expr {
                        kind: ExprKind::Name(n),
                        ..
                    },
                ],
            ) => {
                let coordinate = self.new_axis(s, n)?;
                match coordinate.as_slice() {
                    [axis] if axes.contains(axis) => Some(real(Init::Coord(*axis))),
                    _ => {
                        let d = Diagnostic::error(
                            "E10",
                            format!("the parameter has no axis `{}`", n.text),
                            n.span,
                        );
                        self.report(
                            d.help("`range` here counts along one of the parameter's own axes"),
                        );
                        None
                    }
                }
            }
            (name, [x]) => {
                if crate::builtin::keeps_static(name)
                    && let Some(st) = self.quiet_static(s, e)
                {
                    return Some(real(Init::Const(Num(st.as_f64()))));
                }
                let f = self.init(s, x, axes)?;
                match (pointwise(name), f.im) {
                    (Some(g), None) => Some(real(g(f.re))),
                    _ => self.bad_init(e.span),
                }
            }
            _ => match self.quiet_static(s, e) {
                Some(st) => Some(real(Init::Const(Num(st.as_f64())))),
                None => self.bad_init(e.span),
            },
        }
    }

    /// A static value if it is one, without a word if not.
    pub fn quiet_static(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Stat> {
        if !self.is_static(s, e) {
            return None;
        }
        match self.eval(s, e) {
            Val::Stat(st) => Some(st),
            _ => None,
        }
    }
}

/// Does the parameter start as draws around 0? Only then is a pull towards 0 meant.
fn around_zero(init: &Init) -> bool {
    match init {
        Init::Normal { .. } => true,
        Init::Uniform { lo, hi } => lo.0 == -hi.0,
        Init::Apply(MapFn::Complex | MapFn::Mul | MapFn::Div | MapFn::Neg, parts) => {
            around_zero(&parts[0])
        }
        _ => false,
    }
}

fn real(re: Init) -> Formula {
    Formula { re, im: None }
}

/// Applies a function, or computes it if all arguments are constants and it is cheap to see.
fn apply(f: MapFn, args: Vec<Init>) -> Init {
    let constants: Option<Vec<f64>> = args
        .iter()
        .map(|a| {
            if let Init::Const(Num(x)) = a {
                Some(*x)
            } else {
                None
            }
        })
        .collect();
    let folded = match (f, constants.as_deref()) {
        (MapFn::Neg, Some([x])) => Some(-x),
        (MapFn::Add, Some([x, y])) => Some(x + y),
        (MapFn::Sub, Some([x, y])) => Some(x - y),
        (MapFn::Mul, Some([x, y])) => Some(x * y),
        (MapFn::Div, Some([x, y])) => Some(x / y),
        (MapFn::Pow, Some([x, y])) => Some(x.powf(*y)),
        (MapFn::Log, Some([x])) => Some(x.ln()),
        (MapFn::Exp, Some([x])) => Some(x.exp()),
        (MapFn::Sqrt, Some([x])) => Some(x.sqrt()),
        _ => None,
    };
    folded.map_or(Init::Apply(f, args), |x| Init::Const(Num(x)))
}

fn combine(op: BinaryOp, a: Formula, b: Formula) -> Option<Formula> {
    let f = match op {
        BinaryOp::Add => MapFn::Add,
        BinaryOp::Sub => MapFn::Sub,
        BinaryOp::Mul => MapFn::Mul,
        BinaryOp::Div => MapFn::Div,
        BinaryOp::Pow => MapFn::Pow,
        _ => return None,
    };
    let both = |x: Init, y: Init| apply(f, vec![x, y]);
    match (f, a.im, b.im) {
        (_, None, None) => Some(real(both(a.re, b.re))),
        (MapFn::Add | MapFn::Sub, x, y) => {
            let im = match (x, y) {
                (Some(x), Some(y)) => both(x, y),
                (Some(x), None) => x,
                (None, Some(y)) if f == MapFn::Sub => apply(MapFn::Neg, vec![y]),
                (None, y) => y?,
            };
            Some(Formula {
                re: both(a.re, b.re),
                im: Some(im),
            })
        }
        (MapFn::Mul, Some(x), None) => Some(scaled(a.re, x, b.re)),
        (MapFn::Mul, None, Some(y)) => Some(scaled(b.re, y, a.re)),
        (MapFn::Div, Some(x), None) => Some(Formula {
            re: apply(MapFn::Div, vec![a.re, b.re.clone()]),
            im: Some(apply(MapFn::Div, vec![x, b.re])),
        }),
        _ => None,
    }
}

/// `(re + i im) * by`. A draw must stay one draw: `1i * normal(1)` has no real part at all.
fn scaled(re: Init, im: Init, by: Init) -> Formula {
    let (zero, one) = (Init::Const(Num(0.0)), Init::Const(Num(1.0)));
    let times = |x: Init| match x {
        x if x == zero => zero.clone(),
        x if x == one => by.clone(),
        x => apply(MapFn::Mul, vec![x, by.clone()]),
    };
    Formula {
        re: times(re),
        im: Some(times(im)),
    }
}

/// Pointwise functions of initialisers.
fn pointwise(name: &str) -> Option<fn(Init) -> Init> {
    Some(match name {
        "log" => |x| apply(MapFn::Log, vec![x]),
        "exp" => |x| apply(MapFn::Exp, vec![x]),
        "expm1" => |x| apply(MapFn::Expm1, vec![x]),
        "log1p" => |x| apply(MapFn::Log1p, vec![x]),
        "sqrt" => |x| apply(MapFn::Sqrt, vec![x]),
        "abs" => |x| apply(MapFn::Abs, vec![x]),
        "sin" => |x| apply(MapFn::Sin, vec![x]),
        "cos" => |x| apply(MapFn::Cos, vec![x]),
        "tanh" => |x| apply(MapFn::Tanh, vec![x]),
        "sigmoid" => |x| apply(MapFn::Sigmoid, vec![x]),
        "softplus" => |x| apply(MapFn::Softplus, vec![x]),
        "floor" => |x| apply(MapFn::Floor, vec![x]),
        "sign" => |x| apply(MapFn::Sign, vec![x]),
        "inverse_softplus" => |x| apply(MapFn::Log, vec![apply(MapFn::Expm1, vec![x])]),
        _ => return None,
    })
}
