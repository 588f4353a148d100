//! When a recurrence does the same at every step: what would make it another function of its inputs.

use crate::linear::jointly_affine;
use crate::order::depends_on;
use crate::words::describe;
use crate::words::expression;
use seqc_algebra::{Axis, Elem, Func, MapFn, Op, Out, Scan, ValueId};

type Still = Result<(), String>;

pub(super) fn obstacle(func: &Func, id: ValueId, scan: &Scan) -> Still {
    let body = &scan.body;
    let view = View {
        scan,
        body,
        inputs: &body.params[1..=scan.states + scan.seqs.len()],
        results: body.results.iter().map(|(_, v)| *v).collect(),
    };
    view.shape()?;
    view.linear()?;
    view.invariant()?;
    view.own_positions()?;
    let args = func.args(id);
    let shared = |v: &ValueId| !func.ty(once(func, *v)).has(Axis::batch());
    if !args[scan.states + scan.seqs.len()..].iter().all(shared) {
        return Err("what multiplies its state differs from sequence to sequence".into());
    }
    if !args[..scan.states]
        .iter()
        .all(|v| shared(v) || func.everywhere(*v) == Some(0.0))
    {
        return Err("it starts from a state that differs from sequence to sequence".into());
    }
    view.contracted()
}

/// What copies along the batch are of.
pub(super) fn once(func: &Func, v: ValueId) -> ValueId {
    match func.op(v) {
        Op::Expand(new) if new.contains(&Axis::batch()) => func.args(v)[0],
        _ => v,
    }
}

struct View<'a> {
    scan: &'a Scan,
    body: &'a Func,
    /// States and sequences.
    inputs: &'a [ValueId],
    results: Vec<ValueId>,
}

impl View<'_> {
    fn text(&self, v: ValueId) -> String {
        expression(self.body, v, &|_| None)
    }

    /// Plain steps along the clock over values of constant size.
    fn shape(&self) -> Still {
        let s = self.scan;
        if s.axis != Axis::time() || s.tile.is_some() || s.lo || s.hi {
            return Err("it does not go step by step through the whole sequence".into());
        }
        if s.states == 0 || s.seqs.is_empty() {
            return Err("no sequence enters it".into());
        }
        if s.outs.iter().any(|o| !matches!(o, Out::Emit(_))) {
            return Err("its states themselves are given out".into());
        }
        let long = |a: &Axis| !a.is_const() && *a != Axis::batch();
        match self.body.values.iter().any(|v| v.ty.axes.iter().any(long)) {
            true => Err("a value of another length than a step's enters it".into()),
            false => Ok(()),
        }
    }

    /// Sums of products with one state or input in each.
    fn linear(&self) -> Still {
        let bad = |at: ValueId, why: &str| Err(format!("`{}`: {why}", self.text(at)));
        if let Err(e) = jointly_affine(self.body, self.inputs, &self.results) {
            return bad(e.at, &self.multiplied(e.at).unwrap_or(e.why));
        }
        let depends = depends_on(self.body, self.inputs);
        let needed = self.body.needed(self.results.iter().copied());
        for id in self.body.ids().filter(|id| needed[id.index()]) {
            let op = self.body.op(id);
            if depends[id.index()] && adds(op) {
                let free = self
                    .body
                    .args(id)
                    .iter()
                    .find(|a| !depends[a.index()] && self.body.everywhere(**a) != Some(0.0));
                // A choice's condition may be anything.
                let condition = matches!(op, Op::Map(MapFn::Select)).then(|| self.body.args(id)[0]);
                if let Some(free) = free.filter(|f| Some(**f) != condition) {
                    return bad(*free, "it is added to what is linear in the state");
                }
            }
            let parts = matches!(op, Op::Map(MapFn::Re | MapFn::Im | MapFn::Conj));
            let complex = self.inputs[self.scan.states..]
                .iter()
                .any(|x| self.body.ty(*x).elem == Elem::Complex);
            if depends[id.index()] && parts && complex {
                return bad(
                    id,
                    "a part of a complex number is not linear in a complex input",
                );
            }
        }
        match self
            .results
            .iter()
            .find(|r| !depends[r.index()] && self.body.everywhere(**r) != Some(0.0))
        {
            Some(r) => bad(*r, "it depends on no input"),
            None => Ok(()),
        }
    }

    /// What is not linear in states and inputs together, but is in the states.
    fn multiplied(&self, at: ValueId) -> Option<String> {
        let (states, sequences) = self.inputs.split_at(self.scan.states);
        jointly_affine(self.body, states, &self.results).ok()?;
        let (of_states, of_inputs) = (
            depends_on(self.body, states),
            depends_on(self.body, sequences),
        );
        let args = self.body.args(at);
        if args.iter().any(|a| of_states[a.index()]) {
            return Some(
                "what multiplies the state is an input, and differs from step to step".into(),
            );
        }
        let inputs = args.iter().filter(|a| of_inputs[a.index()]).count();
        let axes = self.body.ty(at).axes.iter();
        let entries: usize = axes.filter_map(|a| a.size.constant()).product();
        (inputs > 1).then(|| {
            format!("a product of inputs: a convolution would have a channel for each of its {entries} entries")
        })
    }

    /// Each read is smaller than the state. A trajectory costs less step by step than by transforms, and is wanted to
    /// its own precision at every position (a sum that divides another), not to that of the largest.
    fn contracted(&self) -> Still {
        let states: Vec<Axis> = (self.inputs[..self.scan.states].iter())
            .flat_map(|s| self.body.ty(*s).axes.iter().copied())
            .collect();
        let whole = |out: &Out| match out {
            Out::Emit(e) => {
                let read = self.results[self.scan.states + e];
                states.iter().all(|a| self.body.ty(read).has(*a))
            }
            _ => false,
        };
        match self.scan.outs.iter().any(whole) {
            true => Err(
                "a read contracts no axis of its state, so a step costs less than a transform"
                    .into(),
            ),
            false => Ok(()),
        }
    }

    /// The position enters nowhere.
    fn invariant(&self) -> Still {
        let moving = depends_on(self.body, &self.body.params[..1]);
        match self.results.iter().any(|r| moving[r.index()]) {
            true => Err("the position enters it".into()),
            false => Ok(()),
        }
    }

    /// The axes of inputs, and the batch, are carried through.
    fn own_positions(&self) -> Still {
        let sequences = &self.inputs[self.scan.states..];
        let kept: Vec<Axis> = (sequences.iter().flat_map(|x| &self.body.ty(*x).axes))
            .chain([&Axis::batch()])
            .copied()
            .collect();
        let depends = depends_on(self.body, self.inputs);
        for id in self.body.ids() {
            let moved = moves(self.body.op(id));
            let mixed = moved.iter().find(|a| kept.contains(a));
            let concerned = depends[id.index()] || moved.contains(&Axis::batch());
            if let (true, Some(a)) = (concerned, mixed) {
                return Err(format!(
                    "{} mixes positions along `{}`, which its input has",
                    describe(self.body.op(id)),
                    crate::words::axis(*a)
                ));
            }
        }
        Ok(())
    }
}

fn adds(op: &Op) -> bool {
    matches!(
        op,
        Op::Map(MapFn::Add | MapFn::Sub | MapFn::Select | MapFn::Complex) | Op::Stack(_)
    )
}

/// The axes along which an operation mixes positions.
fn moves(op: &Op) -> Vec<Axis> {
    match op {
        Op::Contract(over) | Op::Reduce(_, over) => over.clone(),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) | Op::Flip(a) | Op::Stack(a) => {
            vec![*a]
        }
        Op::Rename { from, to } => vec![*from, *to],
        Op::Split { axis, into } => [&[*axis], into.as_slice()].concat(),
        Op::Merge { axes, into } => [axes.as_slice(), &[*into]].concat(),
        Op::Shift { axis, .. }
        | Op::Pick { axis, .. }
        | Op::Place { axis, .. }
        | Op::Gather(axis) => vec![*axis],
        Op::Window { axis, lag, .. } | Op::Unwindow { axis, lag, .. } => vec![*axis, *lag],
        Op::ScatterAdd { axis, over } => [&[*axis], over.as_slice()].concat(),
        Op::Solve { row, col, .. } => vec![*row, *col],
        Op::Conv { axis, lag, .. } | Op::ConvKernel { axis, lag, .. } => vec![*axis, *lag],
        _ => vec![],
    }
}
