//! Calls of built-in functions: their names, and which file here answers a call.

mod axes;
mod moved;
mod patches;
mod pointwise;

use crate::elab::Elab;
use crate::linear;
use crate::program::Program;
use crate::reduce;
use crate::scope::{Binding, Named, Scope};
use crate::value::Val;
use seqc_algebra::MapFn;
use seqc_syntax::ast::{Arg, Call, Expr};
use seqc_syntax::{Diagnostic, Span};

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

/// Reductions that are not in [`BINARY`] too.
const REDUCTIONS: &[&str] = &[
    "sum",
    "mean",
    "prod",
    "softmax",
    "logsumexp",
    "argmax",
    "argmin",
    "top",
];

const INITIALISERS: &[&str] = &["normal", "uniform", "log_uniform", "bernoulli"];

/// Every built-in function.
pub fn names() -> impl Iterator<Item = &'static str> {
    let tables = UNARY.iter().map(|u| u.0).chain(BINARY.iter().map(|b| b.0));
    tables
        .chain(COMPOSED.iter().copied())
        .chain(OTHER.iter().copied())
        .chain(INITIALISERS.iter().copied())
        .chain(REDUCTIONS.iter().copied())
}

/// The built-in function of this name that a setting of kind `mixer` may be: of values alone, without axes to name.
pub(crate) fn as_mixer(name: &str) -> Option<&'static str> {
    let tables = UNARY.iter().map(|u| u.0).chain(BINARY.iter().map(|b| b.0));
    let all = tables.chain(COMPOSED.iter().copied());
    all.chain(REDUCTIONS.iter().copied()).find(|f| *f == name)
}

/// Does `name` without brackets keep static numbers static?
pub(crate) fn keeps_static(name: &str) -> bool {
    UNARY
        .iter()
        .any(|u| u.0 == name && !matches!(u.1, MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Stop))
        || COMPOSED.contains(&name)
        || matches!(name, "max" | "min")
}

impl<'p> Elab<'p> {
    pub(crate) fn call(&mut self, s: &mut Scope<'p>, e: &'p Expr, c: &'p Call) -> Val {
        let name = c.name.text.as_str();
        if let Some(named) = s.names.get(name) {
            return match named.binding.clone() {
                Binding::Val(Val::Mixer(m)) => self.call_mixer(s, m, e, c),
                Binding::Val(Val::Function(f)) => self.builtin(s, e, c, f),
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
        self.builtin(s, e, c, c.name.text.as_str())
    }

    /// The call of the built-in function `name`, which a setting may call otherwise.
    fn builtin(&mut self, s: &mut Scope<'p>, e: &'p Expr, c: &'p Call, name: &str) -> Val {
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
            return self.composed(s, c, name, e.span);
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
            "select" => return self.select_call(s, c, e.span),
            "block" => self.block(s, c, e.span),
            "stack" => self.stack(s, c, e.span),
            "onehot" => self.onehot(s, c, e.span),
            "xent" => self.xent(s, c, e.span),
            "reverse" => self.reverse(s, c, e.span),
            "shift" => self.shift_call(s, c, e.span),
            "patch" => return self.patch(s, c, e.span).map_or(Val::Poison, Val::Dyn),
            "unpatch" => return self.unpatch(s, c, e.span).map_or(Val::Poison, Val::Dyn),
            "grad" => {
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
        let mut d = Diagnostic::error(
            "E03",
            format!("there is no function or mixer `{}`", c.name.text),
            c.name.span,
        );
        let program = self.program;
        d = match self.near(&c.name.text, || callable(program, s)) {
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
    pub(crate) fn args(
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
}

/// What may be called here, in order of name.
fn callable(program: &Program, s: &Scope) -> Vec<String> {
    let mixer = |n: &Named| matches!(n.binding, Binding::Val(Val::Mixer(_)));
    let values = s.names.iter().filter(|(_, n)| mixer(n));
    let mut known: Vec<String> = (names().map(str::to_owned))
        .chain(program.names(s.module))
        .chain(values.map(|(n, _)| n.clone()))
        .collect();
    known.sort();
    known
}
