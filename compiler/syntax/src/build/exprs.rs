//! Expressions of the AST from pairs.
//!
//! Why: the grammar's rules from `expr` to `atom` are one chain of precedences; the AST has plain
//! unary and binary nodes. Invariant: no tree deeper than `MAX_DEPTH` leaves this module, whether
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

impl Builder {
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        Some(self.sized(pair)?.expr)
    }

    fn sized(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        match pair.as_rule() {
            Rule::expr | Rule::conj | Rule::cmp | Rule::sum | Rule::prod => self.chain(pair),
            Rule::inv => self.prefixed(pair, Rule::kw_not, UnaryOp::Not),
            Rule::signed | Rule::exponent => self.prefixed(pair, Rule::minus, UnaryOp::Neg),
            Rule::power => self.power(pair),
            Rule::postfix => self.postfix(pair),
            Rule::atom => self.atom(pair),
            _ => None,
        }
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

    /// `a op b op c`, grouped from the left.
    fn chain(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let mut kids = Kids::of(pair);
        let mut left = self.sized(kids.next()?)?;
        while let Some(op) = kids.next() {
            let op = binary_op(&op)?;
            let right = self.sized(kids.next()?)?;
            left = self.binary(op, left, right);
        }
        Some(left)
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

    /// `not not a`, `--a`: the operators, then the operand.
    fn prefixed(&mut self, pair: Pair<'_, Rule>, prefix: Rule, op: UnaryOp) -> Option<Sized> {
        let mut kids = Kids::of(pair);
        let signs = self.signs(&mut kids, prefix);
        let operand = self.sized(kids.next()?)?;
        Some(
            signs
                .into_iter()
                .rev()
                .fold(operand, |inner, at| self.unary(op, at, inner)),
        )
    }

    fn signs(&self, kids: &mut Kids<'_>, prefix: Rule) -> Vec<Span> {
        let mut signs = Vec::new();
        while let Some(sign) = kids.take(prefix) {
            signs.push(self.span(&sign));
        }
        signs
    }

    /// `a ^ -b ^ c`, grouped from the right: `a ^ (-(b ^ c))`.
    fn power(&mut self, pair: Pair<'_, Rule>) -> Option<Sized> {
        let mut kids = Kids::of(pair);
        let base = self.sized(kids.next()?)?;
        let mut exponents = Vec::new();
        while let Some(exponent) = kids.take(Rule::exponent) {
            let mut parts = Kids::of(exponent);
            let signs = self.signs(&mut parts, Rule::minus);
            exponents.push((signs, self.sized(parts.next()?)?));
        }
        let mut above: Option<Sized> = None;
        while let Some((signs, operand)) = exponents.pop() {
            let raised = match above {
                Some(exponent) => self.binary(BinaryOp::Pow, operand, exponent),
                None => operand,
            };
            above = Some(
                signs
                    .into_iter()
                    .rev()
                    .fold(raised, |inner, at| self.unary(UnaryOp::Neg, at, inner)),
            );
        }
        Some(match above {
            Some(exponent) => self.binary(BinaryOp::Pow, base, exponent),
            None => base,
        })
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

fn binary_op(pair: &Pair<'_, Rule>) -> Option<BinaryOp> {
    Some(match pair.as_str() {
        "or" => BinaryOp::Or,
        "and" => BinaryOp::And,
        "<=" => BinaryOp::Le,
        ">=" => BinaryOp::Ge,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        "<" => BinaryOp::Lt,
        ">" => BinaryOp::Gt,
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Rem,
        _ => return None,
    })
}
