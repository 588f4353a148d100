//! Where the entries of a value exist, and what an operation makes of it.
//!
//! An entry read of a matrix or kernel exists inside of its domain, and is 0 outside. What is computed from several
//! entries exists where all of them do. Sums and products of entries are numbers everywhere, with 0 for what does not
//! exist, so that the laws of a ring hold; any other function of what does not exist is no number, and counts as 0
//! wherever one is needed: in a sum, as an entry of a matrix, as the value of an equation.

use crate::condition::{Condition, Facts, From};
use crate::elab::Elab;
use crate::reach::Bound;
use crate::value::Dyn;
use seqc_algebra::ops::special;
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::Span;
use std::rc::Rc;

/// A domain: the entries for which all conditions hold exist. It belongs to the indices at which it was read, and is
/// used up by a reduction over one of them.
#[derive(Clone, Debug)]
pub struct Domain {
    pub over: Vec<Axis>,
    pub conditions: Rc<[Dyn]>,
    pub outside: Outside,
}

/// What the value is outside of a domain.
#[derive(Clone, Debug, PartialEq)]
pub enum Outside {
    Zero,
    /// The number that a sum is to see: addends that are there without the domain, with their axes.
    Number(Vec<Axis>),
    /// A function of what does not exist: 0 is to be put in its place.
    Nothing,
}

impl Domain {
    fn same(&self, other: &Domain) -> bool {
        self.conditions.len() == other.conditions.len()
            && (self.conditions.iter().zip(other.conditions.iter()))
                .all(|(a, b)| a.depth == b.depth && a.id == b.id)
    }

    fn with(&self, outside: Outside) -> Domain {
        Domain {
            outside,
            ..self.clone()
        }
    }

    pub fn touches(&self, axes: &[Axis]) -> bool {
        self.over.iter().any(|a| axes.contains(a))
    }
}

/// How an operation treats what is outside.
enum Rule {
    /// A sum of its arguments, from the given one on (before it stands a condition).
    Sum(usize),
    Product,
    /// The first argument is multiplied by what the others make.
    Scaled,
    /// Pointwise in other ways.
    Function,
    /// Along these axes positions move or are gone: what does not exist is put 0 first.
    Moves(Vec<Axis>),
    /// A reduction over these axes of what is pointwise otherwise.
    Over(Vec<Axis>),
    Opaque,
}

impl<'p> Elab<'p> {
    pub fn condition(&self, c: &Dyn) -> Condition {
        Condition::of(self.frames[c.depth].b.func(), c.id)
    }

    /// What follows where all conditions hold; `None` where they never do.
    pub fn facts(&self, conditions: &[Dyn]) -> Option<Facts> {
        let all = conditions.iter().map(|c| self.condition(c));
        Condition::All(all.collect()).facts()
    }

    /// The bounds that hold where all conditions do.
    pub fn bounds(&self, conditions: &[Dyn]) -> Vec<Bound> {
        let mut out = self.facts(conditions).unwrap_or_default().all_bounds();
        out.extend(conditions.iter().flat_map(|c| c.zero.clone()));
        out
    }

    pub fn never(&self, conditions: &[Dyn], from: From) -> bool {
        conditions
            .iter()
            .any(|c| self.condition(c).truth(from) == Some(false))
    }

    /// Does the condition hold where all of the others do?
    pub fn implied(&self, c: &Dyn, by: &[Dyn]) -> bool {
        if by.iter().any(|b| (b.depth, b.id) == (c.depth, c.id)) {
            return true;
        }
        let c = self.condition(c);
        by.iter().any(|b| c.follows_from(&self.condition(b)))
    }

    /// Conditions without those that say nothing.
    pub fn pruned(&self, all: Vec<Dyn>, from: From) -> Vec<Dyn> {
        let mut out: Vec<Dyn> = Vec::new();
        for c in all {
            if self.condition(&c).truth(from) != Some(true) && !self.implied(&c, &out) {
                out.retain(|b| !self.implied(b, std::slice::from_ref(&c)));
                out.push(c);
            }
        }
        out
    }

    /// All of the conditions as one.
    pub fn all_of(&mut self, conditions: &[Dyn], span: Span) -> Option<Option<Dyn>> {
        let mut out: Option<Dyn> = None;
        for c in conditions {
            out = Some(match out {
                None => c.clone(),
                Some(m) => self.map2(MapFn::And, &m, c, span)?,
            });
        }
        Some(out)
    }

    fn is_zero(&self, v: &Dyn) -> bool {
        self.frames[v.depth].b.constant(v.id) == Some(0.0)
    }

    /// Is the value 0 wherever the conditions do not hold?
    pub fn zero_outside(&self, v: &Dyn, conditions: &[Dyn]) -> bool {
        let inside = |d: &&Domain| conditions.iter().all(|c| self.implied(c, &d.conditions));
        self.is_zero(v)
            || (v.domains.iter().filter(|d| d.outside == Outside::Zero)).any(|d| inside(&d))
    }

    /// The value with 0 in place of what does not exist, for the domains that are asked for.
    pub fn settled_in(
        &mut self,
        v: &Dyn,
        which: impl Fn(&Domain) -> bool,
        span: Span,
    ) -> Option<Dyn> {
        let open = |d: &Domain| d.outside == Outside::Nothing && which(d);
        let all = v.domains.iter().filter(|d| open(d));
        let all: Vec<Dyn> = all.flat_map(|d| d.conditions.iter().cloned()).collect();
        if all.is_empty() {
            return Some(v.clone());
        }
        let mut out = self.only_where(v, all, span)?;
        let settle = |d: &Domain| {
            if open(d) {
                d.with(Outside::Zero)
            } else {
                d.clone()
            }
        };
        out.domains = v.domains.iter().map(settle).collect();
        Some(out)
    }

    /// `Select(conditions, v, 0)`; its domains are still those of `v`.
    pub fn only_where(&mut self, v: &Dyn, conditions: Vec<Dyn>, span: Span) -> Option<Dyn> {
        let conditions = self.pruned(conditions, None);
        let Some(mask) = self.all_of(&conditions, span)? else {
            return Some(v.clone());
        };
        let zero = self.number(0.0);
        let mut out = self.emit_bare(Op::Map(MapFn::Select), &[&mask, v, &zero], span)?;
        out.zero = v.zero.clone();
        out.zero.extend(self.bounds(&conditions));
        out.domains = v.domains.clone();
        Some(out)
    }

    /// The bounds outside of which a value with these domains is 0.
    pub fn zero_of(&self, domains: &[Domain]) -> Vec<Bound> {
        let zero = domains.iter().filter(|d| d.outside == Outside::Zero);
        zero.flat_map(|d| self.bounds(&d.conditions)).collect()
    }

    /// The value with 0 in place of all that does not exist.
    pub fn settled(&mut self, v: &Dyn, span: Span) -> Option<Dyn> {
        self.settled_in(v, |_| true, span)
    }

    fn rule(&self, op: &Op, args: &[&Dyn]) -> Rule {
        let constant = |v: &Dyn| self.frames[v.depth].b.constant(v.id);
        match op {
            Op::Map(MapFn::Neg | MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Stop) => Rule::Sum(0),
            Op::Map(MapFn::Add | MapFn::Sub | MapFn::Complex) | Op::Stack(_) => Rule::Sum(0),
            // A choice by an entry is a function of all that it chooses from.
            Op::Map(MapFn::Select) if args[0].domains.is_empty() => Rule::Sum(1),
            Op::Map(MapFn::Mul) | Op::Contract(_) => Rule::Product,
            Op::Map(MapFn::Div) if args[1].domains.is_empty() => Rule::Scaled,
            // A power is a product.
            Op::Map(MapFn::Pow)
                if constant(args[1]).is_some_and(|n| n.fract() == 0.0 && n > 0.0) =>
            {
                Rule::Scaled
            }
            Op::Map(_) => Rule::Function,
            Op::Expand(_) | Op::Split { .. } | Op::Merge { .. } => Rule::Sum(0),
            Op::Pick { .. } | Op::Place { .. } | Op::Rename { .. } => Rule::Sum(0),
            Op::Reduce(ReduceOp::Sum, axes) => Rule::Moves(axes.clone()),
            Op::Reduce(_, axes) => Rule::Over(axes.clone()),
            Op::Softmax(axis) | Op::LogSumExp(axis) | Op::TopMask(axis, _) => {
                Rule::Over(vec![*axis])
            }
            Op::Shift { axis, .. } | Op::Window { axis, .. } | Op::Flip(axis) => {
                Rule::Moves(vec![*axis])
            }
            Op::Patch { axis, .. } => Rule::Moves(vec![*axis]),
            Op::Unpatch { ticks, .. } => Rule::Moves(vec![*ticks]),
            Op::Gather(axis) if args[1].domains.is_empty() => Rule::Moves(vec![*axis]),
            Op::Gather(_) => Rule::Function,
            _ => Rule::Opaque,
        }
    }

    /// The arguments with 0 in place of what does not exist, where the operation would take it for a number.
    pub(crate) fn before(&mut self, op: &Op, args: &[&Dyn], span: Span) -> Option<Vec<Dyn>> {
        let rule = self.rule(op, args);
        let mut out = Vec::with_capacity(args.len());
        for (k, v) in args.iter().enumerate() {
            out.push(match &rule {
                Rule::Sum(first) if k >= *first => {
                    let others: Vec<&Dyn> = (args.iter().enumerate())
                        .filter(|(l, a)| *l >= *first && *l != k && !self.is_zero(a))
                        .map(|(_, a)| *a)
                        .collect();
                    let alone = |d: &Domain| !others.iter().all(|a| nothing(a, d));
                    self.settled_in(v, alone, span)?
                }
                Rule::Moves(axes) => self.settled_in(v, |d| d.touches(axes), span)?,
                Rule::Opaque => self.settled(v, span)?,
                _ => (*v).clone(),
            });
        }
        Some(out)
    }

    /// The domains of what an operation makes of its arguments, and the bounds outside of which it is 0.
    pub(crate) fn after(&self, op: &Op, args: &[&Dyn]) -> (Vec<Domain>, Vec<Bound>) {
        let rule = self.rule(op, args);
        let gone: &[Axis] = match (&rule, op) {
            (Rule::Moves(axes) | Rule::Over(axes), _) | (_, Op::Contract(axes)) => axes,
            _ => &[],
        };
        if matches!(rule, Rule::Opaque) {
            return (vec![], vec![]);
        }
        let mut out: Vec<Domain> = Vec::new();
        for d in args.iter().flat_map(|a| &a.domains) {
            if !d.touches(gone) && !out.iter().any(|o| o.same(d)) {
                let outside = self.outside(&rule, op, args, d);
                out.push(d.with(outside));
            }
        }
        let zero = self.zero_after(&rule, op, args);
        let stays = |b: &Bound| gone.iter().all(|a| a.name != b.small && a.name != b.big);
        (out, zero.into_iter().filter(stays).collect())
    }

    fn outside(&self, rule: &Rule, op: &Op, args: &[&Dyn], d: &Domain) -> Outside {
        let zero = |a: &Dyn| self.zero_outside(a, &d.conditions);
        match rule {
            Rule::Sum(first) => {
                let arms = &args[*first..];
                if arms.iter().all(|a| zero(a)) {
                    Outside::Zero
                } else if args[..*first].iter().any(|c| has(c, d))
                    || arms.iter().all(|a| self.is_zero(a) || nothing(a, d))
                {
                    Outside::Nothing
                } else {
                    self.number_of(args, d)
                }
            }
            Rule::Product | Rule::Scaled | Rule::Moves(_) => {
                if args.iter().any(|a| nothing(a, d)) {
                    Outside::Nothing
                } else if args.iter().any(|a| zero(a)) {
                    Outside::Zero
                } else {
                    self.number_of(args, d)
                }
            }
            Rule::Over(_) => match zero(args[0])
                && !matches!(op, Op::Softmax(_) | Op::LogSumExp(_) | Op::TopMask(..))
            {
                true => Outside::Zero,
                false => Outside::Nothing,
            },
            Rule::Function => match op {
                Op::Map(f) if self.vanishes(*f, args, &zero) => Outside::Zero,
                _ => Outside::Nothing,
            },
            Rule::Opaque => Outside::Zero,
        }
    }

    /// A number outside of the domain: the axes of what is there without it.
    fn number_of(&self, args: &[&Dyn], d: &Domain) -> Outside {
        let mut axes: Vec<Axis> = Vec::new();
        for a in args {
            match a.domains.iter().find(|o| o.same(d)).map(|o| &o.outside) {
                Some(Outside::Number(of)) => axes.extend(of),
                Some(_) => {}
                None if self.zero_outside(a, &d.conditions) => {}
                None => axes.extend(self.axes(a)),
            }
        }
        Outside::Number(axes)
    }

    /// Is the function 0 where some of its arguments are 0 and the others constants?
    fn vanishes(&self, f: MapFn, args: &[&Dyn], zero: &dyn Fn(&Dyn) -> bool) -> bool {
        if f == MapFn::And && args.iter().any(|a| zero(a)) {
            return true;
        }
        let constant = |a: &Dyn| self.frames[a.depth].b.constant(a.id);
        let at = |a: &&Dyn| if zero(a) { Some(0.0) } else { constant(a) };
        let at: Option<Vec<f64>> = args.iter().map(at).collect();
        at.is_some_and(|x| is_zero_at(f, &x))
    }

    fn zero_after(&self, rule: &Rule, op: &Op, args: &[&Dyn]) -> Vec<Bound> {
        let common = |args: &[&Dyn]| {
            let mut some = args.iter().filter(|a| !self.is_zero(a));
            let first = some.next().map_or(vec![], |a| a.zero.clone());
            some.fold(first, |mut all, a| {
                all.retain(|b| a.zero.contains(b));
                all
            })
        };
        match rule {
            Rule::Sum(first) => common(&args[*first..]),
            Rule::Product => args.iter().flat_map(|a| a.zero.clone()).collect(),
            Rule::Scaled | Rule::Moves(_) => args[0].zero.clone(),
            Rule::Function => match op {
                Op::Map(MapFn::And) => args.iter().flat_map(|a| a.zero.clone()).collect(),
                Op::Map(f) if self.vanishes(*f, args, &|a| !a.zero.is_empty()) => {
                    let some: Vec<&Dyn> = args
                        .iter()
                        .copied()
                        .filter(|a| !a.zero.is_empty())
                        .collect();
                    common(&some)
                }
                _ => vec![],
            },
            _ => vec![],
        }
    }
}

fn has(v: &Dyn, d: &Domain) -> bool {
    v.domains.iter().any(|o| o.same(d))
}

/// Is the value a function of what does not exist, outside of the domain?
fn nothing(v: &Dyn, d: &Domain) -> bool {
    (v.domains.iter()).any(|o| o.same(d) && o.outside == Outside::Nothing)
}

fn is_zero_at(f: MapFn, x: &[f64]) -> bool {
    use MapFn::*;
    let y = match (f, x) {
        (Abs | Sign | Floor | Expm1 | Log1p | Sqrt | Sin | Tanh | Erf | BitLen, [_]) => 0.0,
        (Max, [a, b]) => special::max(*a, *b),
        (Min, [a, b]) => special::min(*a, *b),
        (Rem, [a, b]) if *b != 0.0 => special::rem(*a, *b),
        (Pow, [a, b]) => a.powf(*b),
        (Lt, [a, b]) => f64::from(a < b),
        (Le, [a, b]) => f64::from(a <= b),
        (Gt, [a, b]) => f64::from(a > b),
        (Ge, [a, b]) => f64::from(a >= b),
        (Eq, [a, b]) => f64::from(a == b),
        (Ne, [a, b]) => f64::from(a != b),
        (Or, [a, b]) => f64::from(*a != 0.0 || *b != 0.0),
        (Xor, [a, b]) => special::xor(*a, *b),
        _ => f64::NAN,
    };
    y == 0.0
}
