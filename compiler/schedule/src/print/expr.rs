//! Indices and expressions as text, with as few parentheses as keep the tree.

use super::{Names, fold_name, unary_name};
use crate::ir::{Binary, Cmp, Expr, Ix};
use crate::word::{SHIFTS, Shift, Word};

/// How tightly a form holds together: a part that holds less tightly than its place needs is parenthesised.
const OR: u8 = 0;
const AND: u8 = 1;
const COMPARE: u8 = 2;
const SUM: u8 = 3;
const PRODUCT: u8 = 4;
const ATOM: u8 = 5;

pub(crate) fn comparison(c: Cmp) -> &'static str {
    match c {
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
        Cmp::Eq => "==",
        Cmp::Ne => "!=",
    }
}

fn number(x: f64) -> String {
    if x.to_bits() == f64::NAN.to_bits() {
        "nan".into()
    } else if x.is_nan() {
        format!("nan({:#x})", x.to_bits())
    } else {
        // The shortest decimal that reads back as the same number.
        format!("{x:?}")
    }
}

impl Names<'_> {
    pub(crate) fn ix(&self, ix: &Ix) -> String {
        self.index(ix, SUM)
    }

    fn index(&self, ix: &Ix, place: u8) -> String {
        let infix = |op, a, b, own| {
            let text = format!("{} {op} {}", self.index(a, own), self.index(b, own + 1));
            bracket(text, own, place)
        };
        match ix {
            Ix::Const(n) => n.to_string(),
            Ix::Var(v) => format!("i{}", v.0),
            Ix::Dim(d) => self.dim(*d),
            Ix::Add(a, b) => infix("+", a, b, SUM),
            Ix::Sub(a, b) => infix("-", a, b, SUM),
            Ix::Mul(a, b) => infix("*", a, b, PRODUCT),
            Ix::Div(a, b) => infix("/", a, b, PRODUCT),
            Ix::Rem(a, b) => infix("%", a, b, PRODUCT),
            Ix::Min(a, b) => format!("min({}, {})", self.ix(a), self.ix(b)),
            Ix::Max(a, b) => format!("max({}, {})", self.ix(a), self.ix(b)),
            Ix::Data(e) => format!("data({})", self.expr(e)),
        }
    }

    fn word(&self, w: &Word) -> String {
        match w {
            Word::Of(ix) => format!("[{}]", self.ix(ix)),
            Word::Mul(a, b) => format!("mul({}, {})", self.word(a), self.word(b)),
            Word::Xor(a, b) => format!("xor({}, {})", self.word(a), self.word(b)),
            Word::Shift(s, w, n) => format!("{}({}, {n})", shift_name(*s), self.word(w)),
        }
    }

    pub(crate) fn expr(&self, e: &Expr) -> String {
        self.value(e, OR)
    }

    fn value(&self, e: &Expr, place: u8) -> String {
        let infix = |op, a, b, left, own| {
            let text = format!("{} {op} {}", self.value(a, left), self.value(b, own + 1));
            bracket(text, own, place)
        };
        let call2 = |f: &str, a, b| format!("{f}({}, {})", self.expr(a), self.expr(b));
        match e {
            Expr::Const(n) => number(n.0),
            Expr::Val(v) => format!("%{}", v.0),
            Expr::Load { buf, at } => format!("{}[{}]", self.buf(*buf), self.ix(at)),
            Expr::Index(ix) => format!("[{}]", self.ix(ix)),
            Expr::Word(w) => format!("word({})", self.word(w)),
            Expr::Unary(op, x) => format!("{}({})", unary_name(*op), self.expr(x)),
            Expr::Binary(op, a, b) => match op {
                Binary::Add => infix("+", a, b, SUM, SUM),
                Binary::Sub => infix("-", a, b, SUM, SUM),
                Binary::Mul => infix("*", a, b, PRODUCT, PRODUCT),
                Binary::Div => infix("/", a, b, PRODUCT, PRODUCT),
                Binary::Max => call2("max", a, b),
                Binary::Min => call2("min", a, b),
                Binary::Pow => call2("pow", a, b),
                Binary::Rem => call2("rem", a, b),
            },
            // A comparison of comparisons has no meaning, so neither side may be one without parentheses.
            Expr::Cmp(c, a, b) => infix(comparison(*c), a, b, SUM, COMPARE),
            Expr::CmpIx(c, a, b) => {
                format!("[{} {} {}]", self.ix(a), comparison(*c), self.ix(b))
            }
            Expr::And(a, b) => infix("&&", a, b, AND, AND),
            Expr::Or(a, b) => infix("||", a, b, OR, OR),
            Expr::Not(x) => format!("!{}", self.value(x, ATOM)),
            Expr::Select(c, a, b) => format!(
                "select({}, {}, {})",
                self.expr(c),
                self.expr(a),
                self.expr(b)
            ),
            Expr::Fold {
                op,
                var,
                lo,
                hi,
                lanes,
                body,
            } => {
                let (op, lo, hi) = (fold_name(*op), self.ix(lo), self.ix(hi));
                let lanes = match lanes {
                    1 => String::new(),
                    n => format!(", lanes {n}"),
                };
                format!(
                    "fold({op}, i{} in {lo}..{hi}{lanes}, {})",
                    var.0,
                    self.expr(body)
                )
            }
        }
    }
}

fn shift_name(s: Shift) -> &'static str {
    SHIFTS.iter().find(|(t, _)| *t == s).map_or("", |(_, n)| n)
}

fn bracket(text: String, own: u8, place: u8) -> String {
    if own < place {
        format!("({text})")
    } else {
        text
    }
}
