//! Expressions of the AST from pairs.
//!
//! Why: the grammar gives operands and operators in a row; the AST has unary and binary nodes by the
//! table of precedences that stands above rule `expr`. Invariant: no tree deeper than `MAX_DEPTH` leaves this module, whether
//! brackets or a long chain (`a + b + …`, `x[t][t]…`, `----a`) would make it so: what would exceed
//! the depth is dropped and said once.

use super::{Builder, Kids};
use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::grammar::Rule;
use crate::parse::MAX_DEPTH;
use crate::span::Span;
use pest::iterators::Pair;

/// An expression and the height of its tree.
struct Sized {
    expr: Expr,
    depth: usize,
}

impl Sized {
    fn leaf(kind: ExprKind, span: Span) -> Self {
        Sized {
            expr: Expr { kind, span },
            depth: 1,
        }
    }
}

/// An operator that waits for its right operand.
enum Operator {
    Prefix(UnaryOp, Span),
    Infix(BinaryOp),
}

/// The level of comparisons, of which a row takes one.
const COMPARISON: u8 = 4;

impl Operator {
    /// How tightly it binds what stands on its left (an infix) or right (a prefix).
    fn level(&self) -> u8 {
        use BinaryOp::*;
        match self {
            Operator::Infix(Or) => 1,
            Operator::Infix(And) => 2,
            Operator::Prefix(UnaryOp::Not, _) => 3,
            Operator::Infix(Le | Ge | Eq | Ne | Lt | Gt) => COMPARISON,
            Operator::Infix(Add | Sub) => 5,
            Operator::Infix(Mul | Div | Rem) => 6,
            Operator::Prefix(UnaryOp::Neg, _) => 7,
            Operator::Infix(Pow) => 8,
        }
    }

    fn symbol(&self) -> &'static str {
        match self {
            Operator::Prefix(op, _) => op.symbol(),
            Operator::Infix(op) => op.symbol(),
        }
    }
}

/// What of a row is read and not yet bound.
#[derive(Default)]
struct Row {
    operands: Vec<Sized>,
    operators: Vec<Operator>,
}

impl Builder<'_> {
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        Some(self.sized(pair)?.expr)
    }

    fn sized(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        match pair.as_rule() {
            Rule::expr => self.row(pair),
            Rule::postfix => self.postfix(pair),
            Rule::atom => self.atom(pair),
            _ => None,
        }
    }

    /// Operands and operators by the grammar's table of precedences, with a stack of its own: a long
    /// row must not become deep recursion.
    fn row(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let mut row = Row::default();
        for pair in pair.into_inner() {
            match pair.as_rule() {
                Rule::minus => row
                    .operators
                    .push(Operator::Prefix(UnaryOp::Neg, self.span(&pair))),
                Rule::kw_not => self.not(&mut row, self.span(&pair)),
                Rule::infix => self.infix(&mut row, infix_op(pair.as_str())?, self.span(&pair))?,
                _ => {
                    let operand = self.sized(pair)?;
                    row.operands.push(operand);
                }
            }
        }
        while !row.operators.is_empty() {
            self.reduce(&mut row)?;
        }
        row.operands.pop()
    }

    fn infix(&mut self, row: &mut Row, op: BinaryOp, at: Span) -> Option<()> {
        let operator = Operator::Infix(op);
        let level = operator.level();
        while row
            .operators
            .last()
            .is_some_and(|last| last.level() > level)
        {
            self.reduce(row)?;
        }
        // Now only an operator of the same level can bind what stands before: all but powers do.
        while op != BinaryOp::Pow
            && row
                .operators
                .last()
                .is_some_and(|last| last.level() == level)
        {
            if level == COMPARISON {
                let error = Diagnostic::error("E01", "comparisons do not chain", at)
                    .label("a second comparison");
                self.diagnostics.push(error.help("write `a < b and b < c`"));
            }
            self.reduce(row)?;
        }
        row.operators.push(operator);
        Some(())
    }

    /// `a + not b` would bind as `a + (not (b …))`, which no reader expects.
    fn not(&mut self, row: &mut Row, at: Span) {
        let operator = Operator::Prefix(UnaryOp::Not, at);
        if let Some(last) = row
            .operators
            .last()
            .filter(|last| last.level() > operator.level())
        {
            let message = format!("`not` binds looser than the `{}` before it", last.symbol());
            let error = Diagnostic::error("E01", message, at).label("negates all that follows");
            self.diagnostics
                .push(error.help("write parentheses around it"));
        }
        row.operators.push(operator);
    }

    /// Applies the last operator to the last operands.
    fn reduce(&mut self, row: &mut Row) -> Option<()> {
        let right = row.operands.pop()?;
        let node = match row.operators.pop()? {
            Operator::Prefix(op, at) => self.unary(op, at, right),
            Operator::Infix(op) => {
                let left = row.operands.pop()?;
                self.binary(op, left, right)
            }
        };
        row.operands.push(node);
        Some(())
    }

    /// Whether a node over children of this depth is still allowed; says so once if not.
    fn fits(&mut self, depth: usize, span: Span) -> bool {
        if depth < MAX_DEPTH {
            return true;
        }
        if !self.too_deep {
            self.too_deep = true;
            let message = format!("this expression is more than {MAX_DEPTH} operations deep");
            let error = Diagnostic::error("E01", message, span).label("too deep");
            self.diagnostics
                .push(error.help("name a part of it in an equation of its own"));
        }
        false
    }

    fn binary(&mut self, op: BinaryOp, left: Sized, right: Sized) -> Sized {
        let span = left.expr.span.to(right.expr.span);
        let depth = left.depth.max(right.depth);
        if !self.fits(depth, span) {
            return left;
        }
        let kind = ExprKind::Binary {
            op,
            left: Box::new(left.expr),
            right: Box::new(right.expr),
        };
        Sized {
            expr: Expr { kind, span },
            depth: depth + 1,
        }
    }

    fn unary(&mut self, op: UnaryOp, at: Span, operand: Sized) -> Sized {
        let span = at.to(operand.expr.span);
        if !self.fits(operand.depth, span) {
            return operand;
        }
        let depth = operand.depth + 1;
        let kind = ExprKind::Unary {
            op,
            operand: Box::new(operand.expr),
        };
        Sized {
            expr: Expr { kind, span },
            depth,
        }
    }

    fn postfix(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let mut kids = Kids::of(pair);
        let mut base = self.sized(kids.next()?)?;
        while let Some(suffix) = kids.next() {
            let span = base.expr.span.to(self.span(&suffix));
            let (depth, make) = self.suffix(suffix)?;
            let depth = depth.max(base.depth);
            if !self.fits(depth, span) {
                return Some(base);
            }
            base = Sized {
                expr: Expr {
                    kind: make.over(Box::new(base.expr)),
                    span,
                },
                depth: depth + 1,
            };
        }
        Some(base)
    }

    /// A suffix and the depth of the expressions in it.
    fn suffix(&mut self, pair: Pair<'_, Rule>) -> Option<(usize, Suffix)> {
        let mut depth = 0;
        let suffix = match pair.as_rule() {
            Rule::index => {
                let mut index = Vec::new();
                for pair in pair.into_inner() {
                    let sized = self.sized(pair)?;
                    depth = depth.max(sized.depth);
                    index.push(sized.expr);
                }
                Suffix::Index(index)
            }
            Rule::remap => Suffix::Remap(self.map(pair.into_inner().next()?)),
            Rule::picks => {
                let mut picks = Vec::new();
                for pair in pair.into_inner() {
                    let span = self.span(&pair);
                    let mut kids = Kids::of(pair);
                    let axis = self.name(kids.take(Rule::axis)?);
                    let sized = self.sized(kids.next()?)?;
                    depth = depth.max(sized.depth);
                    picks.push(Pick {
                        axis,
                        value: sized.expr,
                        span,
                    });
                }
                Suffix::Picks(picks)
            }
            _ => return None,
        };
        Some((depth, suffix))
    }

    fn map(&mut self, pair: Pair<'_, Rule>) -> AxisMap {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let mut from = Vec::new();
        while let Some(axis) = kids.take(Rule::axis) {
            from.push(self.name(axis));
        }
        let to = kids.0.skip(1).map(|axis| self.name(axis)).collect();
        AxisMap { from, to, span }
    }

    fn atom(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let span = self.span(&pair);
        let pair = pair.into_inner().next()?;
        match pair.as_rule() {
            Rule::number => Some(Sized::leaf(ExprKind::Number(self.number(pair)), span)),
            Rule::axis => Some(Sized::leaf(ExprKind::Name(self.name(pair)), span)),
            Rule::call => self.call(pair),
            // A parenthesis: its node takes the whole span, so that underlines include it.
            Rule::expr => self.sized(pair).map(|inner| Sized {
                expr: Expr { span, ..inner.expr },
                ..inner
            }),
            _ => None,
        }
    }

    fn number(&mut self, pair: Pair<'_, Rule>) -> Number {
        let text = pair.as_str().to_string();
        let imaginary = text.ends_with('i');
        let digits = text.trim_end_matches('i').replace('_', "");
        let value = digits.parse::<f64>().ok().filter(|value| value.is_finite());
        if value.is_none() {
            let shown: String = text.chars().take(24).collect();
            let dots = if shown.len() < text.len() { "…" } else { "" };
            let message = format!("the number `{shown}{dots}` is too large");
            let error = Diagnostic::error("E01", message, self.span(&pair))
                .label("no 64-bit float holds it");
            self.diagnostics
                .push(error.help("for infinity write `inf`"));
        }
        Number {
            value: value.unwrap_or(0.0),
            imaginary,
            text,
        }
    }

    fn call(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let name = self.name(kids.take(Rule::ident)?);
        let group = kids
            .take(Rule::group)
            .map(|pair| self.names(pair))
            .unwrap_or_default();
        let (mut args, mut depth) = (Vec::new(), 0);
        while let Some(arg) = kids.take(Rule::arg) {
            let (arg, height) = self.arg(arg)?;
            depth = depth.max(height);
            args.push(arg);
        }
        if !self.fits(depth, span) {
            args.clear();
            depth = 0;
        }
        let kind = ExprKind::Call(Call { name, group, args });
        Some(Sized {
            expr: Expr { kind, span },
            depth: depth + 1,
        })
    }

    /// An argument and the depth of the expression in it.
    fn arg(&mut self, pair: Pair<'_, Rule>) -> Option<(Arg, usize)> {
        let span = self.span(&pair);
        let pair = pair.into_inner().next()?;
        Some(match pair.as_rule() {
            Rule::per => {
                let mut kids = Kids::of(pair);
                kids.take(Rule::kw_per)?;
                (
                    Arg::Per {
                        axes: kids.0.map(|axis| self.name(axis)).collect(),
                        span,
                    },
                    0,
                )
            }
            Rule::map => (Arg::Map(self.map(pair)), 0),
            Rule::named => {
                let mut kids = Kids::of(pair);
                let name = self.name(kids.take(Rule::ident)?);
                let value = self.sized(kids.next()?)?;
                (
                    Arg::Named {
                        name,
                        value: value.expr,
                        span,
                    },
                    value.depth,
                )
            }
            _ => {
                let value = self.sized(pair)?;
                (Arg::Positional(value.expr), value.depth)
            }
        })
    }
}

/// What follows an operand, before it is joined to it.
enum Suffix {
    Index(Vec<Expr>),
    Remap(AxisMap),
    Picks(Vec<Pick>),
}

impl Suffix {
    fn over(self, base: Box<Expr>) -> ExprKind {
        match self {
            Suffix::Index(index) => ExprKind::Index { base, index },
            Suffix::Remap(map) => ExprKind::Remap { base, map },
            Suffix::Picks(picks) => ExprKind::Pick { base, picks },
        }
    }
}

fn infix_op(text: &str) -> Option<BinaryOp> {
    use BinaryOp::*;
    let all = [
        Or, And, Le, Ge, Eq, Ne, Lt, Gt, Add, Sub, Mul, Div, Rem, Pow,
    ];
    all.into_iter().find(|op| op.symbol() == text)
}
