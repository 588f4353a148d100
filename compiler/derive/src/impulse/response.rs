//! The response of a recurrence to an impulse, and the convolutions with it.

use super::lags;
use super::still::once;
use crate::exponential::total;
use crate::rewrite::on_other_axes;
use crate::{DeriveError, Result};
use seqc_algebra::shape::canonical;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, Out, Scan, Ty, ValueId};

/// A scan's body for one sequence.
pub(super) fn response_body(body: &Func) -> Result<Func> {
    let own = |axes: &[Axis]| -> Vec<Axis> {
        let kept = axes.iter().copied().filter(|a| *a != Axis::batch());
        kept.collect()
    };
    on_other_axes(body, &own, &|op| {
        Ok(Some(match op {
            Op::Expand(new) => Op::Expand(own(new)),
            op => op.clone(),
        }))
    })
}

/// 1 at the first step, 0 after it.
fn impulse(b: &mut Builder) -> Result<ValueId> {
    let (t, zero) = (b.iota(Axis::time())?, b.num(0.0));
    Ok(b.map2(MapFn::Eq, t, zero)?)
}

/// The scan of one sequence: `inputs` its sequences, `starts` its states.
struct Run<'a> {
    scan: &'a Scan,
    body: Func,
    fixed: Vec<ValueId>,
}

impl Run<'_> {
    fn outs(
        &self,
        b: &mut Builder,
        starts: &[ValueId],
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>> {
        let scan = Scan {
            reverse: false,
            body: self.body.clone(),
            ..self.scan.clone()
        };
        let args = [starts, inputs, &self.fixed].concat();
        Ok(b.scan(scan, &args)?)
    }

    /// Types of states and of sequences along the clock.
    fn types(&self) -> (Vec<Ty>, Vec<Ty>) {
        let ty = |p: &ValueId| self.body.ty(*p).clone();
        let (states, seqs) = self.body.params[1..].split_at(self.scan.states);
        let along = |p: &ValueId| {
            let mut ty = ty(p);
            ty.axes = canonical([&[Axis::time()], ty.axes.as_slice()].concat());
            ty
        };
        (
            states.iter().map(ty).collect(),
            seqs[..self.scan.seqs.len()].iter().map(along).collect(),
        )
    }
}

/// The results of a scan as convolutions; `args` are the images of its arguments.
pub(super) fn convolved(
    b: &mut Builder,
    func: &Func,
    id: ValueId,
    scan: &Scan,
    args: &[ValueId],
) -> Result<Vec<ValueId>> {
    let (starts, rest) = args.split_at(scan.states);
    let (inputs, fixed) = rest.split_at(scan.seqs.len());
    let run = Run {
        scan,
        body: response_body(&scan.body)?,
        fixed: fixed.iter().map(|v| once(b.func(), *v)).collect(),
    };
    let (states, seqs) = run.types();
    let mut zeros = |all: &[Ty]| -> Result<Vec<ValueId>> {
        let each = all.iter().map(|ty| Ok(b.everywhere(0.0, ty)?));
        each.collect()
    };
    let (still, silent) = (zeros(&states)?, zeros(&seqs)?);
    let mut parts: Vec<Vec<ValueId>> = vec![vec![]; scan.outs.len()];
    for (n, ty) in seqs.iter().enumerate() {
        let mut given = silent.clone();
        let one = impulse(b)?;
        given[n] = b.fill_as(one, ty)?;
        let f = run.outs(b, &still, &given)?;
        for (f, parts) in f.into_iter().zip(&mut parts) {
            parts.push(convolution(b, scan, f, inputs[n])?);
        }
    }
    if !func.args(id)[..scan.states]
        .iter()
        .all(|s| func.everywhere(*s) == Some(0.0))
    {
        let starts = starts.iter().zip(&states);
        let starts = starts
            .map(|(s, ty)| {
                let s = once(b.func(), *s);
                Ok(b.fill(s, &ty.axes)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let own = free(b, &run, &starts, &silent)?;
        for (own, parts) in own.into_iter().zip(&mut parts) {
            parts.push(own);
        }
    }
    let types = out_types(scan)?;
    parts
        .into_iter()
        .zip(&types)
        .map(|(p, ty)| total(b, p, ty))
        .collect()
}

fn convolution(b: &mut Builder, scan: &Scan, f: ValueId, x: ValueId) -> Result<ValueId> {
    let f = b.rename(f, Axis::time(), lags())?;
    let op = Op::Conv {
        axis: Axis::time(),
        lag: lags(),
        ahead: scan.reverse,
    };
    Ok(b.push(op, &[f, x])?)
}

/// What the start adds: the recurrence without inputs. Steps that go back begin at the end.
fn free(
    b: &mut Builder,
    run: &Run,
    starts: &[ValueId],
    silent: &[ValueId],
) -> Result<Vec<ValueId>> {
    let all = run.outs(b, starts, silent)?;
    match run.scan.reverse {
        false => Ok(all),
        true => all
            .into_iter()
            .map(|v| Ok(b.push(Op::Flip(Axis::time()), &[v])?))
            .collect(),
    }
}

fn out_types(scan: &Scan) -> Result<Vec<Ty>> {
    let of = |out: &Out| {
        let Out::Emit(e) = out else { return None };
        let (_, v) = scan.body.results.get(scan.states + e)?;
        let ty = scan.body.ty(*v);
        Some(Ty {
            elem: ty.elem,
            axes: canonical([&[Axis::time()], ty.axes.as_slice()].concat()),
        })
    };
    let all: Option<Vec<Ty>> = scan.outs.iter().map(of).collect();
    all.ok_or_else(|| DeriveError("a scan's result is no sequence".into()))
}

/// The convolutions alone, their kernels given: what each sequence of a batch costs.
pub(super) fn transforms(scan: &Scan, body: &Func) -> Result<Func> {
    let mut b = Builder::new("convolutions");
    let run = Run {
        scan,
        body: body.clone(),
        fixed: vec![],
    };
    let along = |ty: &Ty, axis: Axis| Ty {
        elem: ty.elem,
        axes: canonical([vec![axis], ty.without(Axis::time()).axes].concat()),
    };
    for (n, out) in scan.outs.iter().enumerate() {
        let Out::Emit(e) = out else { continue };
        let kernel = along(body.ty(body.results[scan.states + e].1), lags());
        for ty in run.types().1 {
            let kind = seqc_algebra::InputKind::Data;
            let f = b.input("f", kind.clone(), kernel.clone());
            let x = b.input("x", kind, ty);
            let op = Op::Conv {
                axis: Axis::time(),
                lag: lags(),
                ahead: false,
            };
            let y = b.push(op, &[f, x])?;
            b.result(&format!("y{n}"), y);
        }
    }
    Ok(b.finish())
}
