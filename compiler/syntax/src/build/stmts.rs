//! Statements of the AST from pairs.
//!
//! Why: one place for what stands between the braces of a mixer or a repeat. Invariant: statements
//! keep their order; a label belongs to exactly the equation or repeat it stands before.

use super::{Builder, Kids};
use crate::ast::*;
use crate::grammar::Rule;
use pest::iterators::Pair;

impl Builder<'_> {
    /// Recursion: only through `repeat`, whose braces the nesting limit counts.
    pub(super) fn body(&mut self, pair: Pair<'_, Rule>) -> Option<Body> {
        let span = self.span(&pair);
        let stmts = pair
            .into_inner()
            .map(|stmt| self.stmt(stmt))
            .collect::<Option<_>>()?;
        Some(Body { stmts, span })
    }

    fn stmt(&mut self, pair: Pair<'_, Rule>) -> Option<Stmt> {
        let pair = pair.into_inner().next()?;
        Some(match pair.as_rule() {
            Rule::doc => Stmt::Doc(self.doc(pair)),
            Rule::decl => Stmt::Decl(self.decl(pair)?),
            Rule::objective => Stmt::Objective(self.objective(pair)?),
            Rule::repeat => Stmt::Repeat(self.repeat(pair)?),
            Rule::equation => Stmt::Equation(self.equation(pair)?),
            _ => return None,
        })
    }

    fn decl(&mut self, pair: Pair<'_, Rule>) -> Option<Decl> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let kind = match kids.take(Rule::decl_kw)?.as_str() {
            "param" => DeclKind::Param,
            "state" => DeclKind::State,
            _ => DeclKind::Noise,
        };
        let name = self.name(kids.take(Rule::ident)?);
        let index = match kids.take(Rule::decl_index) {
            Some(pair) => Some(self.name(pair.into_inner().next()?)),
            None => None,
        };
        let axes = kids
            .take(Rule::axes)
            .map(|pair| self.names(pair))
            .unwrap_or_default();
        let init = match kids.take(Rule::expr) {
            Some(expr) => Some(self.expr(expr)?),
            None => None,
        };
        Some(Decl {
            kind,
            name,
            index,
            axes,
            init,
            span,
        })
    }

    fn objective(&mut self, pair: Pair<'_, Rule>) -> Option<Objective> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        kids.take(Rule::kw_objective)?;
        let name = self.name(kids.take(Rule::ident)?);
        let value = self.expr(kids.take(Rule::expr)?)?;
        Some(Objective { name, value, span })
    }

    fn label(&mut self, kids: &mut Kids<'_>) -> Option<Name> {
        let pair = kids.take(Rule::label)?;
        Some(self.name(pair.into_inner().next()?))
    }

    fn repeat(&mut self, pair: Pair<'_, Rule>) -> Option<Repeat> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let mut head = Kids::of(kids.take(Rule::repeat_head)?);
        let label = self.label(&mut head);
        head.take(Rule::kw_repeat)?;
        let count = self.count(head.take(Rule::count)?)?;
        let counter = match head.take(Rule::kw_as) {
            Some(_) => Some(self.name(head.take(Rule::ident)?)),
            None => None,
        };
        let body = self.body(kids.take(Rule::body)?)?;
        Some(Repeat {
            label,
            count,
            counter,
            body,
            span,
        })
    }

    fn equation(&mut self, pair: Pair<'_, Rule>) -> Option<Equation> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let label = self.label(&mut kids);
        let lhs = self.lhs(kids.take(Rule::lhs)?)?;
        let op = match kids.take(Rule::assign)?.as_str() {
            "+=" => AssignOp::Add,
            _ => AssignOp::Set,
        };
        let value = self.expr(kids.take(Rule::expr)?)?;
        let domain = match kids.take(Rule::domain) {
            Some(pair) => Some(self.domain(pair)?),
            None => None,
        };
        Some(Equation {
            label,
            lhs,
            op,
            value,
            domain,
            span,
        })
    }

    /// `where` and its condition.
    pub(super) fn domain(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let mut kids = Kids::of(pair);
        kids.take(Rule::kw_where)?;
        self.expr(kids.take(Rule::expr)?)
    }

    fn lhs(&mut self, pair: Pair<'_, Rule>) -> Option<Lhs> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let name = self.name(kids.take(Rule::ident)?);
        if let Some(index) = kids.take(Rule::lhs_index) {
            return Some(Lhs::One {
                name,
                index: self.names(index),
                span,
            });
        }
        let mut names = vec![name];
        names.extend(kids.0.map(|pair| self.name(pair)));
        if names.len() > 1 {
            return Some(Lhs::Many { names, span });
        }
        let name = names.pop()?;
        Some(Lhs::One {
            name,
            index: Vec::new(),
            span,
        })
    }
}
