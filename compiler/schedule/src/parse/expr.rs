//! Indices and expressions, by precedence.

use super::lex::Token;
use super::{Parser, Result};
use crate::ir::{Binary, Cmp, Expr, Ix, Num, Val};
use crate::print::{FOLDS, UNARIES};
use crate::word::{SHIFTS, Word};

const COMPARISONS: [(&str, Cmp); 6] = [
    ("<=", Cmp::Le),
    (">=", Cmp::Ge),
    ("==", Cmp::Eq),
    ("!=", Cmp::Ne),
    ("<", Cmp::Lt),
    (">", Cmp::Gt),
];

/// Infix operators of numbers and truth values, weakest first; comparisons stand between `&&` and `+`.
const OR: u8 = 0;
const COMPARE: u8 = 2;

impl Parser {
    pub(super) fn ix(&mut self) -> Result<Ix> {
        let mut left = self.ix_product()?;
        loop {
            let build = match () {
                _ if self.take("+") => Ix::Add,
                _ if self.take("-") => Ix::Sub,
                _ => return Ok(left),
            };
            left = build(left.into(), self.ix_product()?.into());
        }
    }

    fn ix_product(&mut self) -> Result<Ix> {
        let mut left = self.nested(Parser::ix_atom)?;
        loop {
            let build = match () {
                _ if self.take("*") => Ix::Mul,
                _ if self.take("/") => Ix::Div,
                _ if self.take("%") => Ix::Rem,
                _ => return Ok(left),
            };
            left = build(left.into(), self.nested(Parser::ix_atom)?.into());
        }
    }

    fn ix_atom(&mut self) -> Result<Ix> {
        if self.take("(") {
            let ix = self.ix()?;
            self.expect(")")?;
            return Ok(ix);
        }
        if self.take("$") {
            return self.dim();
        }
        if self.sees("-") || matches!(self.peek(), Some(Token::Number(_))) {
            return self.signed().map(Ix::Const);
        }
        if self.take("data") {
            self.expect("(")?;
            let e = self.expr()?;
            self.expect(")")?;
            return Ok(Ix::Data(e.into()));
        }
        let build = match () {
            _ if self.take("min") => Ix::Min,
            _ if self.take("max") => Ix::Max,
            _ => return self.var().map(Ix::Var),
        };
        self.expect("(")?;
        let a = self.ix()?;
        self.expect(",")?;
        let b = self.ix()?;
        self.expect(")")?;
        Ok(build(a.into(), b.into()))
    }

    fn dim(&mut self) -> Result<Ix> {
        if self.take("#") {
            return self.number().map(Ix::Dim);
        }
        let name = self.name()?;
        let mut found = self
            .kernel
            .dims
            .iter()
            .zip(0..)
            .filter(|(d, _)| **d == name);
        match (found.next(), found.next()) {
            (Some((_, i)), None) => Ok(Ix::Dim(i)),
            (Some(_), Some(_)) => self.wrong(format!("several sizes are called `{name}`")),
            (None, _) => self.wrong(format!("there is no size `{name}`")),
        }
    }

    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.infix(OR)
    }

    /// An expression whose operators are at least as strong as `weakest`.
    fn infix(&mut self, weakest: u8) -> Result<Expr> {
        let mut left = self.nested(Parser::atom)?;
        let mut compared = false;
        while let Some((strength, build)) = self.operator() {
            if strength < weakest || (strength == COMPARE && compared) {
                break;
            }
            self.next += 1;
            let right = self.infix(strength + 1)?;
            compared = strength == COMPARE;
            left = build.join(left, right);
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(u8, Operator)> {
        let Some(Token::Symbol(s)) = self.peek() else {
            return None;
        };
        if let Some((_, c)) = COMPARISONS.iter().find(|(t, _)| t == s) {
            return Some((COMPARE, Operator::Compare(*c)));
        }
        Some(match *s {
            "||" => (OR, Operator::Or),
            "&&" => (1, Operator::And),
            "+" => (3, Operator::Number(Binary::Add)),
            "-" => (3, Operator::Number(Binary::Sub)),
            "*" => (4, Operator::Number(Binary::Mul)),
            "/" => (4, Operator::Number(Binary::Div)),
            _ => return None,
        })
    }

    fn atom(&mut self) -> Result<Expr> {
        if self.take("(") {
            let e = self.expr()?;
            self.expect(")")?;
            return Ok(e);
        }
        if self.take("!") {
            return Ok(Expr::Not(self.nested(Parser::atom)?.into()));
        }
        if self.take("%") {
            return Ok(Expr::Val(Val(self.number()?)));
        }
        if self.take("[") {
            return self.index_as_value();
        }
        if let Some(n) = self.literal()? {
            return Ok(Expr::Const(Num(n)));
        }
        match self.tokens.get(self.next + 1) {
            Some((_, Token::Symbol("("))) => self.call(),
            _ => self.load(),
        }
    }

    /// `[i0 + 1]`, `[i0 < i1]`; the bracket has been taken.
    fn index_as_value(&mut self) -> Result<Expr> {
        let a = self.ix()?;
        let found = COMPARISONS.iter().find(|(t, _)| self.sees(t));
        let e = match found {
            Some((_, c)) => {
                self.next += 1;
                Expr::CmpIx(*c, a, self.ix()?)
            }
            None => Expr::Index(a),
        };
        self.expect("]")?;
        Ok(e)
    }

    /// A number with its sign, `inf`, `nan`, or `nan(0x…)` with its bits.
    fn literal(&mut self) -> Result<Option<f64>> {
        let minus = self.take("-");
        if self.take("inf") {
            return Ok(Some(if minus {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }));
        }
        if !minus && self.take("nan") {
            return match self.take("(") {
                true => self.nan_bits().map(Some),
                false => Ok(Some(f64::NAN)),
            };
        }
        match self.peek() {
            Some(Token::Number(_)) => self
                .number::<f64>()
                .map(|n| Some(if minus { -n } else { n })),
            _ if minus => self.wrong("expected a number; write `neg(…)` to negate a value"),
            _ => Ok(None),
        }
    }

    fn nan_bits(&mut self) -> Result<f64> {
        let bits = match self.peek() {
            Some(Token::Number(n)) => n
                .strip_prefix("0x")
                .and_then(|h| u64::from_str_radix(h, 16).ok()),
            _ => None,
        };
        match bits.map(f64::from_bits).filter(|x| x.is_nan()) {
            Some(x) => {
                self.next += 1;
                self.expect(")")?;
                Ok(x)
            }
            None => self.wrong("expected the bits of a NaN"),
        }
    }

    fn load(&mut self) -> Result<Expr> {
        let buf = self.buf()?;
        self.expect("[")?;
        let at = self.ix()?;
        self.expect("]")?;
        Ok(Expr::Load { buf, at })
    }

    fn call(&mut self) -> Result<Expr> {
        if self.sees_word("fold") {
            self.next += 2;
            return self.fold();
        }
        if self.sees_word("word") {
            self.next += 2;
            let w = self.word()?;
            self.expect(")")?;
            return Ok(Expr::Word(w.into()));
        }
        let name = self.name()?;
        if let Some((op, _)) = UNARIES.iter().find(|(_, n)| *n == name) {
            let [x] = self.arguments()?;
            return Ok(Expr::Unary(*op, x));
        }
        if name == "select" {
            let [c, a, b] = self.arguments()?;
            return Ok(Expr::Select(c, a, b));
        }
        let op = match name.as_str() {
            "max" => Binary::Max,
            "min" => Binary::Min,
            "pow" => Binary::Pow,
            "rem" => Binary::Rem,
            _ => {
                self.next -= 1;
                return self.wrong(format!("there is no function `{name}`"));
            }
        };
        let [a, b] = self.arguments()?;
        Ok(Expr::Binary(op, a, b))
    }

    /// `[i0]`, `mul(a, b)`, `xor(a, b)`, `shr(a, 3)`, …
    fn word(&mut self) -> Result<Word> {
        self.nested(Parser::word_atom)
    }

    fn word_atom(&mut self) -> Result<Word> {
        if self.take("[") {
            let ix = self.ix()?;
            self.expect("]")?;
            return Ok(Word::Of(ix));
        }
        let name = self.name()?;
        let shift = SHIFTS.iter().find(|(_, n)| *n == name);
        if shift.is_none() && name != "mul" && name != "xor" {
            self.next -= 1;
            return self.wrong(format!("there is no function `{name}` of words"));
        }
        self.expect("(")?;
        let a = self.word()?;
        self.expect(",")?;
        let made = match shift {
            Some((s, _)) => a.shift(*s, self.number()?),
            None if name == "mul" => a.times(self.word()?),
            None => a.xor(self.word()?),
        };
        self.expect(")")?;
        Ok(made)
    }

    fn arguments<const N: usize>(&mut self) -> Result<[Box<Expr>; N]> {
        self.expect("(")?;
        let mut all = vec![];
        for i in 0..N {
            if i > 0 {
                self.expect(",")?;
            }
            all.push(Box::new(self.expr()?));
        }
        self.expect(")")?;
        match all.try_into() {
            Ok(array) => Ok(array),
            Err(_) => self.wrong("wrong number of arguments"),
        }
    }

    /// `fold(op, i0 in lo..hi, lanes n, body)`; the word and its parenthesis have been taken.
    fn fold(&mut self) -> Result<Expr> {
        let name = self.name()?;
        let Some((op, _)) = FOLDS.iter().find(|(_, n)| *n == name) else {
            self.next -= 1;
            return self.wrong("expected `sum`, `prod`, `max` or `min`");
        };
        self.expect(",")?;
        let var = self.var()?;
        self.expect("in")?;
        let lo = self.ix()?;
        self.expect("..")?;
        let hi = self.ix()?;
        self.expect(",")?;
        let mut lanes = 1;
        let other = self.tokens.get(self.next + 1);
        if self.sees_word("lanes") && matches!(other, Some((_, Token::Number(_)))) {
            self.next += 1;
            lanes = self.number()?;
            self.expect(",")?;
        }
        let body = self.expr()?.into();
        self.expect(")")?;
        Ok(Expr::Fold {
            op: *op,
            var,
            lo,
            hi,
            lanes,
            body,
        })
    }
}

enum Operator {
    Or,
    And,
    Compare(Cmp),
    Number(Binary),
}

impl Operator {
    fn join(self, a: Expr, b: Expr) -> Expr {
        let (a, b) = (a.into(), b.into());
        match self {
            Operator::Or => Expr::Or(a, b),
            Operator::And => Expr::And(a, b),
            Operator::Compare(c) => Expr::Cmp(c, a, b),
            Operator::Number(op) => Expr::Binary(op, a, b),
        }
    }
}
