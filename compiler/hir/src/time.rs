//! Reads at written times: `x[t-1]`, `x[t - range(taps)]`, `q[i]`, `M[t,j]`, `f[lag]`, `x[first]`.
//!
//! An index is a base (now, an index, the first or last step) plus a constant, ranges of axes and a lag. Whatever
//! lies outside of a document reads 0 (a state: its start); the forms built here are exact at both ends.

use crate::elab::Elab;
use crate::reach::{Bound, Reach, clock_of};
use crate::scope::{Binding, Index, Scope};
use crate::value::{Dyn, Matrix, Val};
use seqc_algebra::{Axis, Op};
use seqc_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use seqc_syntax::{Diagnostic, Span};

/// Constant parts of an index beyond this are refused.
const MAX_OFFSET: i64 = 1 << 20;
/// Steps of a ragged edge that are built one by one.
const MAX_EDGE: i64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Now(Axis),
    Bound(Axis),
    First,
    Last,
}

/// `base + c ± range(a) … ± lag`
#[derive(Debug, Default)]
struct TimeIndex {
    base: Option<Base>,
    c: i64,
    ranges: Vec<(bool, Vec<Axis>)>,
    lag: Option<(bool, Axis)>,
}

/// How an index is used, which tells what it runs over.
pub enum Use {
    Time(Axis),
    Lag(Axis),
}

impl<'p> Elab<'p> {
    pub fn lag_in_scope(&self, s: &Scope<'p>) -> Option<Index> {
        s.indices.values().find(|i| i.lag).copied()
    }

    pub fn index(
        &mut self,
        s: &mut Scope<'p>,
        base: &'p Expr,
        index: &'p [Expr],
        span: Span,
    ) -> Val {
        let mut at = Vec::new();
        for e in index {
            let mut ti = TimeIndex::default();
            if self.time_index(s, e, true, &mut ti, e.span).is_none() {
                return Val::Poison;
            }
            at.push(ti);
        }
        if let [one] = at.as_slice()
            && let Some(v) = self.loop_read(s, base, one, span)
        {
            return v;
        }
        let strict = std::mem::replace(&mut s.strict, false);
        let value = self.loose(s, base);
        s.strict = strict;
        match (value, at.as_slice()) {
            (Val::Poison, _) => Val::Poison,
            (Val::Matrix(m), [row, col]) => self
                .entry(&m, [row, col], span)
                .map_or(Val::Poison, Val::Dyn),
            (Val::Kernel(k), [one]) => {
                let plain = one.base.is_none() && one.c == 0 && one.ranges.is_empty();
                match one.lag {
                    Some((true, _)) if plain => {
                        let side = if s.ahead { k.ahead } else { k.causal };
                        Val::Dyn(side.unwrap_or_else(|| self.number(0.0)))
                    }
                    Some(_) => {
                        self.not_built("a kernel read at another lag than its sum's index", span);
                        Val::Poison
                    }
                    None => self.wrong_index("a kernel is read at a lag", span),
                }
            }
            (Val::Dyn(v), [one]) => {
                let start = self.start_of(s, base);
                self.at(s, &v, one, start.as_ref(), span)
                    .map_or(Val::Poison, Val::Dyn)
            }
            (Val::Stat(st), [one]) => {
                let v = self.number(st.as_f64());
                self.at(s, &v, one, None, span)
                    .map_or(Val::Poison, Val::Dyn)
            }
            (Val::Matrix(_), _) => self.wrong_index("a matrix takes two indices", span),
            (_, [_]) => self.wrong_index("this has no time to be read at", span),
            _ => self.wrong_index("only a matrix takes two indices", span),
        }
    }

    fn wrong_index(&mut self, why: &str, span: Span) -> Val {
        self.report(Diagnostic::error("E19", why.to_owned(), span));
        Val::Poison
    }

    /// What a state reads before the first step.
    fn start_of(&self, s: &Scope<'p>, base: &Expr) -> Option<Dyn> {
        match &base.kind {
            ExprKind::Name(n) => s.names.get(&n.text).and_then(|n| n.start.clone()),
            _ => None,
        }
    }

    /// Reads of states inside the loop that computes them.
    fn loop_read(
        &mut self,
        s: &mut Scope<'p>,
        base: &'p Expr,
        at: &TimeIndex,
        span: Span,
    ) -> Option<Val> {
        let mut names = Vec::new();
        names_in(base, &mut names);
        names.retain(|n| matches!(s.names.get(n.as_str()), Some(n) if matches!(n.binding, Binding::Loop { .. })));
        if names.is_empty() {
            return None;
        }
        if at.base != Some(Base::Now(s.now())) && !matches!(at.base, Some(Base::Now(_)))
            || !at.ranges.is_empty()
            || at.lag.is_some()
        {
            self.not_built("a window over the states of a cycle", span);
            return Some(Val::Poison);
        }
        if at.c == 0 {
            return Some(self.loose(s, base));
        }
        let mut kept = Vec::new();
        for name in &names {
            let Some(named) = s.names.get_mut(name.as_str()) else {
                continue;
            };
            let Binding::Loop {
                before, backward, ..
            } = &named.binding
            else {
                continue;
            };
            let steps = if *backward { at.c } else { -at.c };
            let Some(v) = usize::try_from(steps - 1)
                .ok()
                .and_then(|k| before.get(k))
                .cloned()
            else {
                return Some(Val::Poison);
            };
            kept.push((
                name.clone(),
                std::mem::replace(&mut named.binding, Binding::Val(Val::Dyn(v))),
            ));
        }
        let out = self.loose(s, base);
        for (name, binding) in kept {
            if let Some(named) = s.names.get_mut(&name) {
                named.binding = binding;
            }
        }
        Some(out)
    }

    /// Reads the terms of an index; `plus` is the sign in front of `e`.
    fn time_index(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut TimeIndex,
        whole: Span,
    ) -> Option<()> {
        match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::Add,
                left,
                right,
            } => {
                self.time_index(s, left, plus, out, whole)?;
                self.time_index(s, right, plus, out, whole)
            }
            ExprKind::Binary {
                op: BinaryOp::Sub,
                left,
                right,
            } => {
                self.time_index(s, left, plus, out, whole)?;
                self.time_index(s, right, !plus, out, whole)
            }
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => self.time_index(s, operand, !plus, out, whole),
            ExprKind::Call(c) if c.name.text == "range" => {
                if let [
                    Arg::Positional(Expr {
                        kind: ExprKind::Name(n),
                        ..
                    }),
                ] = c.args.as_slice()
                {
                    let axes = self.new_axis(s, n)?;
                    out.ranges.push((plus, axes));
                    return Some(());
                }
                self.bad_index(whole)
            }
            ExprKind::Call(c) if c.name.text == "block" => {
                self.not_built("an index that counts blocks", e.span);
                None
            }
            ExprKind::Name(n) => {
                if let Some(i) = s.indices.get(&n.text).copied() {
                    if i.lag {
                        return (out.lag.replace((plus, i.axis)).is_none())
                            .then_some(())
                            .or_else(|| self.bad_index(whole));
                    }
                    return self.set_base(out, Base::Bound(i.axis), plus, whole);
                }
                if let Some(clock) = s.clocks.get(&n.text).copied() {
                    return self.set_base(out, Base::Now(clock), plus, whole);
                }
                match n.text.as_str() {
                    "first" => return self.set_base(out, Base::First, plus, whole),
                    "last" => return self.set_base(out, Base::Last, plus, whole),
                    _ => {}
                }
                if !s.names.contains_key(&n.text)
                    && !s.statics.contains_key(&n.text)
                    && s.axis(&n.text).is_none()
                {
                    // Once for a line: its other reads at the index are the same slip.
                    if self.unbound.insert((s.line.clone(), n.text.clone())) {
                        let what = format!("index `{}` is not bound", n.text);
                        let d = Diagnostic::error("E18", what, n.span);
                        self.report(d.help(format!("sum over it: `sum[{}](…)`", n.text)));
                    }
                    return None;
                }
                self.constant_term(s, e, plus, out, whole)
            }
            _ => self.constant_term(s, e, plus, out, whole),
        }
    }

    fn set_base(&mut self, out: &mut TimeIndex, base: Base, plus: bool, whole: Span) -> Option<()> {
        if !plus || out.base.replace(base).is_some() {
            self.bad_index(whole)
        } else {
            Some(())
        }
    }

    fn constant_term(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut TimeIndex,
        whole: Span,
    ) -> Option<()> {
        let v = match self.eval(s, e) {
            Val::Poison => return None,
            Val::Stat(st) => st.as_int().and_then(|k| i64::try_from(k).ok()),
            _ => None,
        };
        let c = v.and_then(|k| {
            if plus {
                out.c.checked_add(k)
            } else {
                out.c.checked_sub(k)
            }
        });
        match c.filter(|c| c.abs() <= MAX_OFFSET) {
            Some(c) => {
                out.c = c;
                Some(())
            }
            None => self.bad_index(whole),
        }
    }

    fn bad_index(&mut self, span: Span) -> Option<()> {
        let d = Diagnostic::error(
            "E19",
            "a time index is `t ± constant`, `t - range(a)`, `t - lag`, `first + lag` or a bound index",
            span,
        );
        self.report(d.help("to read at a coarser rate use `patch`; to read where data says, sum over `j` with a condition"));
        None
    }

    /// `v` at a time.
    fn at(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        at: &TimeIndex,
        start: Option<&Dyn>,
        span: Span,
    ) -> Option<Dyn> {
        let (time, rename) = match at.base {
            Some(Base::Now(clock)) => (clock, None),
            Some(Base::Bound(index)) => (self.runs_on(s, v, index)?, Some(index)),
            Some(Base::First | Base::Last) | None => {
                let own = self.times(v).into_iter().find(|a| s.is_clock(*a));
                (own.unwrap_or_else(|| s.now()), None)
            }
        };
        if !self.has(v, time) {
            return self.timeless(s, v, at, time, span);
        }
        match at.base {
            Some(Base::First | Base::Last) => self.at_end(v, at, time, span),
            None if at.lag.is_some() || !at.ranges.is_empty() => {
                self.wrong_index(
                    "the index names no time: write `t - …` or `first + …`",
                    span,
                );
                None
            }
            None => {
                self.bad_index(span);
                None
            }
            _ => {
                let out = self.displaced(v, time, at, start, s.least_lag, s.ahead, span)?;
                match rename {
                    Some(index) => self.rename(&out, time, index, span),
                    None => Some(out),
                }
            }
        }
    }

    /// The clock axis of a value that an index over the same clock reads.
    fn runs_on(&mut self, s: &Scope<'p>, v: &Dyn, index: Axis) -> Option<Axis> {
        let own = self
            .times(v)
            .into_iter()
            .find(|a| s.is_clock(*a) && clock_of(*a) == clock_of(index));
        Some(own.unwrap_or_else(|| {
            s.clocks
                .values()
                .copied()
                .find(|c| c.size == index.size)
                .unwrap_or(s.now())
        }))
    }

    /// A value that does not change in time, or runs on another clock, or is another step inside a cycle.
    fn timeless(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        at: &TimeIndex,
        time: Axis,
        span: Span,
    ) -> Option<Dyn> {
        let inner = v.depth > 0
            && self.frames[v.depth]
                .body
                .as_ref()
                .is_some_and(|l| l.time == time);
        let still = at.c == 0 && at.ranges.is_empty() && at.lag.is_none();
        if inner && !still {
            self.not_built(
                "reading another step of a value inside a cycle through a state",
                span,
            );
            return None;
        }
        if let Some(other) = self.times(v).into_iter().find(|a| s.is_clock(*a)) {
            let d = Diagnostic::error(
                "E20",
                format!(
                    "this runs on clock `{}`, the index on `{}`",
                    other.name, time.name
                ),
                span,
            );
            self.report(d.help("join two clocks through a matrix: `M[i,j] = …`"));
            return None;
        }
        if still {
            return Some(v.clone());
        }
        let wide = self.expand(v, &[time], span)?;
        let at = TimeIndex {
            base: at.base,
            c: at.c,
            ranges: at.ranges.clone(),
            lag: at.lag,
        };
        self.at(s, &wide, &at, None, span)
    }

    /// `x[first + …]`, `x[last - …]`
    fn at_end(&mut self, v: &Dyn, at: &TimeIndex, time: Axis, span: Span) -> Option<Dyn> {
        if !at.ranges.is_empty() {
            self.not_built("a range from the first or last step", span);
            return None;
        }
        if let Some((plus, lag)) = at.lag {
            if at.base != Some(Base::First) || !plus || at.c != 0 {
                self.not_built("this mixture of an end and a lag", span);
                return None;
            }
            return self.rename(v, time, lag, span);
        }
        let moved = self.shift(v, time, at.c.saturating_neg(), None, span)?;
        let place = if at.base == Some(Base::First) {
            self.number(0.0)
        } else {
            let len = self.length(time, span);
            let len = self.dynamic(len, span)?;
            let one = self.number(1.0);
            self.map2(seqc_algebra::MapFn::Sub, &len, &one, span)?
        };
        let mut out = self.emit(Op::Gather(time), &[&moved, &place], span)?;
        if at.base == Some(Base::Last) {
            out.reach = out.reach.with_end(time);
        }
        Some(out)
    }

    #[allow(clippy::too_many_arguments)]
    fn displaced(
        &mut self,
        v: &Dyn,
        time: Axis,
        at: &TimeIndex,
        start: Option<&Dyn>,
        least: i64,
        other_side: bool,
        span: Span,
    ) -> Option<Dyn> {
        let mut out = v.clone();
        let mut c = at.c;
        for (plus, axes) in &at.ranges {
            let (taps, size) = self.joint_taps(axes, span)?;
            out = self.window(&out, time, c, *plus, taps, size, span)?;
            if let [_, _, ..] = axes.as_slice() {
                out = self.emit(
                    Op::Split {
                        axis: taps,
                        into: axes.clone(),
                    },
                    &[&out],
                    span,
                )?;
            }
            c = 0;
        }
        if c != 0 {
            out = self.shift(&out, time, c.checked_neg()?, start, span)?;
        }
        if let Some((plus, lag)) = at.lag {
            let ahead = plus != other_side;
            let reach = if ahead {
                out.reach.whole_axis(time.name)
            } else {
                out.reach.shifted(time.name, -least)
            };
            let zero = if ahead {
                vec![]
            } else {
                vec![Bound {
                    small: lag.name,
                    big: time.name,
                    by: 0,
                }]
            };
            let index = out.index.clone();
            out = self.emit(
                Op::Window {
                    axis: time,
                    lag,
                    ahead,
                },
                &[&out],
                span,
            )?;
            (out.reach, out.zero, out.index) = (reach, zero, index);
        }
        Some(out)
    }

    /// The one axis that a range runs over; a group is taken as its merger.
    fn joint_taps(&mut self, axes: &[Axis], span: Span) -> Option<(Axis, i64)> {
        let size = i64::try_from(self.volume(axes, span)?).ok()?;
        let taps = match axes {
            [one] => *one,
            _ => Axis::new(
                &axes
                    .iter()
                    .map(|a| a.name.as_str())
                    .collect::<Vec<_>>()
                    .join("*"),
                usize::try_from(size).ok()?,
            ),
        };
        Some((taps, size))
    }

    /// `y[p, l] = x[p + c ± l]` along any axis, 0 outside. Exact at both ends: where the constant moves against the
    /// range, the first `|c|` taps are shifts of their own.
    #[allow(clippy::too_many_arguments)]
    pub fn window(
        &mut self,
        v: &Dyn,
        axis: Axis,
        c: i64,
        plus: bool,
        taps: Axis,
        size: i64,
        span: Span,
    ) -> Option<Dyn> {
        let along = if plus { c } else { c.checked_neg()? };
        let index = v.index.clone();
        let farthest = if plus { c.saturating_add(size - 1) } else { c };
        let reach = v.reach.shifted(axis.name, farthest);
        let whole = self.emit(
            Op::Window {
                axis,
                lag: taps,
                ahead: plus,
            },
            &[v],
            span,
        )?;
        let mut out = if along >= 0 {
            self.shift(&whole, axis, c.checked_neg()?, None, span)?
        } else {
            let edge = (-along).min(size);
            if edge > MAX_EDGE {
                self.too_large(
                    "a range that starts thousands of steps to its other side".into(),
                    span,
                );
                return None;
            }
            let mut sum = self.emit(
                Op::Shift {
                    axis: taps,
                    by: -along,
                },
                &[&whole],
                span,
            )?;
            for l in 0..edge {
                let here = c + if plus { l } else { -l };
                let tap = self.shift(v, axis, -here, None, span)?;
                let placed = self.emit(
                    Op::Place {
                        axis: taps,
                        index: usize::try_from(l).ok()?,
                    },
                    &[&tap],
                    span,
                )?;
                sum = self.map2(seqc_algebra::MapFn::Add, &sum, &placed, span)?;
            }
            sum
        };
        (out.reach, out.index) = (reach, index);
        Some(out)
    }

    /// `M[row, col]`
    fn entry(&mut self, m: &Matrix, at: [&TimeIndex; 2], span: Span) -> Option<Dyn> {
        let mut out = m.value.clone();
        let mut targets = Vec::new();
        for (k, ti) in at.iter().enumerate() {
            let to = match ti.base {
                Some(Base::Now(a) | Base::Bound(a)) if ti.ranges.is_empty() && ti.lag.is_none() => {
                    a
                }
                _ => {
                    self.wrong_index(
                        "a matrix is read at `t` or a bound index, plus a constant",
                        span,
                    );
                    return None;
                }
            };
            if to.size != m.index[k].size {
                let d = Diagnostic::error(
                    "E20",
                    format!(
                        "index {} of the matrix runs on clock `{}`, `{}` on `{}`",
                        k + 1,
                        m.index[k].size,
                        to.name,
                        to.size
                    ),
                    span,
                );
                self.report(d);
                return None;
            }
            targets.push((m.index[k], to, ti.c));
        }
        if targets[0].1 == targets[1].1 {
            self.not_built("reading the diagonal of a matrix", span);
            return None;
        }
        // `M[j,i]`: through a name that nothing else has.
        if targets[0].1 == targets[1].0 && targets[0].0 != targets[0].1 {
            let through = targets[1].0.renamed(&format!("{}~", targets[1].0.name));
            if self.has(&out, targets[1].0) {
                out = self.rename(&out, targets[1].0, through, span)?;
            }
            targets[1].0 = through;
        }
        for (from, to, c) in targets {
            if self.has(&out, from) {
                out = if from == to {
                    out
                } else {
                    self.rename(&out, from, to, span)?
                };
                out = self.shift(&out, to, -c, None, span)?;
            }
        }
        let masked = m.value.masked;
        out.masked = masked;
        Some(out)
    }

    /// What an index runs over, from its uses in `e`: a lag if any use says so.
    pub fn find_use(&self, s: &Scope<'p>, index: &str, e: &Expr) -> Option<Use> {
        let mut uses = Vec::new();
        self.uses(s, index, e, &mut uses);
        let lag = uses.iter().position(|u| matches!(u, Use::Lag(_)));
        (!uses.is_empty()).then(|| uses.swap_remove(lag.unwrap_or(0)))
    }

    fn uses(&self, s: &Scope<'p>, index: &str, e: &Expr, out: &mut Vec<Use>) {
        match &e.kind {
            ExprKind::Number(_) | ExprKind::Name(_) => {}
            ExprKind::Index { base, index: at } => {
                for (k, x) in at.iter().enumerate().filter(|(_, x)| mentions(x, index)) {
                    out.push(self.use_at(s, index, base, x, k));
                }
                self.uses(s, index, base, out);
            }
            ExprKind::Remap { base, .. } => self.uses(s, index, base, out),
            ExprKind::Pick { base, picks } => {
                self.uses(s, index, base, out);
                picks
                    .iter()
                    .for_each(|p| self.uses(s, index, &p.value, out));
            }
            ExprKind::Unary { operand, .. } => self.uses(s, index, operand, out),
            ExprKind::Binary { left, right, .. } => {
                self.uses(s, index, left, out);
                self.uses(s, index, right, out);
            }
            ExprKind::Call(c) => {
                for a in &c.args {
                    if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                        self.uses(s, index, x, out);
                    }
                }
            }
        }
    }

    fn use_at(&self, s: &Scope<'p>, index: &str, base: &Expr, at: &Expr, k: usize) -> Use {
        let (clock, kernel) = self.root(s, base, k);
        let alone = matches!(&at.kind, ExprKind::Name(n) if n.text == index);
        let with_time = s.clocks.keys().any(|c| mentions(at, c))
            || mentions(at, "first")
            || mentions(at, "last");
        if kernel && alone || !alone && with_time {
            Use::Lag(clock)
        } else {
            Use::Time(clock)
        }
    }

    /// The clock that position `k` of an index of `base` runs over, and whether `base` is a kernel.
    fn root(&self, s: &Scope<'p>, base: &Expr, k: usize) -> (Axis, bool) {
        let mut names = Vec::new();
        names_in(base, &mut names);
        for n in &names {
            match s.names.get(n.as_str()).map(|n| &n.binding) {
                Some(Binding::Val(Val::Kernel(f))) => return (f.lag, true),
                Some(Binding::Val(Val::Matrix(m))) if k < m.index.len() => {
                    return (m.index[k], false);
                }
                Some(Binding::Val(Val::Dyn(v))) => {
                    if let Some(a) = self.times(v).into_iter().find(|a| s.is_clock(*a)) {
                        return (a, false);
                    }
                }
                _ => {}
            }
        }
        (s.now(), false)
    }

    /// The reach of a value whose axis is summed away.
    pub fn summed(&self, v: &Dyn, axis: Axis, bounds: &[Bound]) -> Reach {
        if axis.is_const() {
            v.reach.clone()
        } else {
            v.reach.summed(axis.name, bounds)
        }
    }
}

/// Every name of an expression.
pub fn names_in(e: &Expr, out: &mut Vec<String>) {
    match &e.kind {
        ExprKind::Number(_) => {}
        ExprKind::Name(n) => out.push(n.text.clone()),
        ExprKind::Index { base, index } => {
            names_in(base, out);
            index.iter().for_each(|x| names_in(x, out));
        }
        ExprKind::Remap { base, .. } => names_in(base, out),
        ExprKind::Pick { base, picks } => {
            names_in(base, out);
            picks.iter().for_each(|p| names_in(&p.value, out));
        }
        ExprKind::Unary { operand, .. } => names_in(operand, out),
        ExprKind::Binary { left, right, .. } => {
            names_in(left, out);
            names_in(right, out);
        }
        ExprKind::Call(c) => {
            out.push(c.name.text.clone());
            for a in &c.args {
                if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                    names_in(x, out);
                }
            }
        }
    }
}

pub fn mentions(e: &Expr, name: &str) -> bool {
    let mut names = Vec::new();
    names_in(e, &mut names);
    names.iter().any(|n| n == name)
}
