//! Law: what a loop over chunks gives out without its states, any loop over the same chunks may give out.
//!
//! Side conditions: the outputs of the two are added, and nothing else uses them; they go over the same chunks in
//! opposite directions; nothing that the second is given depends on the first; and some product is saved.

use super::factor;
use super::{Given, given, summands, sums, uses};
use crate::order::{depends_on, topological};
use crate::rewrite::{images, map_in_order};
use crate::{Result, prune};
use seqc_algebra::{Builder, Func, Op, Scan, SeqIn, Value, ValueId};
use std::collections::HashMap;

/// Moves insides as long as there is one that can be.
pub fn both_directions(func: &Func) -> Result<Func> {
    let mut func = func.clone();
    while let Some(new) = one_fused(&func)? {
        func = prune::prune(&new)?;
    }
    Ok(func)
}

fn one_fused(func: &Func) -> Result<Option<Func>> {
    let uses = uses(func);
    for sum in sums(func) {
        let tiled: Vec<Given<'_>> = (sum.iter())
            .filter(|v| uses[v.index()] == 1)
            .filter_map(|v| given(func, *v))
            .filter(|g| g.scan.tile.is_some())
            .collect();
        for (to, from) in pairs(func, &tiled) {
            if let Some(new) = fused(func, to, from)? {
                return Ok(Some(new));
            }
        }
    }
    Ok(None)
}

/// Outputs of loops over the same chunks: the forward one takes what the other gives out, if it may.
fn pairs<'a>(func: &Func, all: &[Given<'a>]) -> Vec<(Given<'a>, Given<'a>)> {
    let mut pairs = vec![];
    for forward in all.iter().filter(|g| !g.scan.reverse) {
        for reverse in all.iter().filter(|g| g.scan.reverse) {
            let same = |f: &Scan, g: &Scan| f.axis == g.axis && f.tile == g.tile;
            if same(forward.scan, reverse.scan) && func.ty(forward.at).same(func.ty(reverse.at)) {
                pairs.extend([(*forward, *reverse), (*reverse, *forward)]);
            }
        }
    }
    pairs
}

/// The summands of what the scan gives out: those that depend on its states, and those that do not.
fn parts(g: &Given<'_>) -> (Vec<ValueId>, Vec<ValueId>) {
    let of_states = depends_on(&g.scan.body, &g.scan.body.params[1..=g.scan.states]);
    (given_out(g).into_iter()).partition(|v| of_states[v.index()])
}

/// The summands of what the scan gives out; one if something is subtracted.
fn given_out(g: &Given<'_>) -> Vec<ValueId> {
    let body = &g.scan.body;
    let v = body.results[g.scan.states + g.emit].1;
    let all = summands(body, v, &mut |_| true);
    match all.iter().any(|s| s.negative) {
        true => vec![v],
        false => all.iter().map(|s| s.value).collect(),
    }
}

/// The program with the inside of `from` in the loop of `to`; `None` if that may not be, or saves nothing.
fn fused(func: &Func, to: Given<'_>, from: Given<'_>) -> Result<Option<Func>> {
    let (kept, moved) = parts(&from);
    if kept.is_empty() || moved.is_empty() {
        return Ok(None);
    }
    let extra = HashMap::from([(to.id, func.args(from.id).to_vec())]);
    let Some(order) = topological(func, &extra) else {
        return Ok(None);
    };
    let Some((taking, args)) = taking(func, &to, &from, &moved)? else {
        return Ok(None);
    };
    let giving = giving(&from, &kept)?;
    let new = map_in_order(func, order, |b, id, image| {
        let (scan, args) = match id {
            _ if id == to.id => (&taking, &args[..]),
            _ if id == from.id => (&giving, func.args(id)),
            _ => return Ok(None),
        };
        let args = images(args, image)?;
        Ok(Some(b.push(Op::Scan(Box::new(scan.clone())), &args)?))
    });
    new.map(Some)
}

/// The scan that gives out `kept` only.
fn giving(from: &Given<'_>, kept: &[ValueId]) -> Result<Scan> {
    let old = &from.scan.body;
    let mut b = Builder::new(&old.name);
    let mut params = HashMap::new();
    for p in &old.params {
        params.insert(*p, b.copy(old.value(*p), &[])?);
    }
    let image = b.inline(old, &params)?;
    let here = |v: ValueId| image[v.index()];
    let at = from.scan.states + from.emit;
    for (n, (name, v)) in old.results.iter().enumerate() {
        let v = match n == at {
            true => {
                let kept = images(kept, here)?;
                factor::add(&mut b, &kept, &old.ty(*v).axes)?.0
            }
            false => images(&[*v], here)?[0],
        };
        b.result(name, v);
    }
    Ok(Scan {
        body: b.finish(),
        ..from.scan.clone()
    })
}

/// The scan that gives out what of `from` is `moved` too, and its arguments as values of the old program; `None` if
/// that saves no product.
fn taking(
    func: &Func,
    to: &Given<'_>,
    from: &Given<'_>,
    moved: &[ValueId],
) -> Result<Option<(Scan, Vec<ValueId>)>> {
    let (own, other) = (&to.scan.body, &from.scan.body);
    let mut b = Builder::new(&own.name);
    let mut all = Inputs::default();
    let (mut now, mut there) = (HashMap::new(), HashMap::new());
    for p in &own.params[..=to.scan.states] {
        now.insert(*p, b.copy(own.value(*p), &[])?);
    }
    there.insert(other.params[0], now[&own.params[0]]);
    for seqs in [true, false] {
        all.share(&mut b, given_to(func, to, seqs), &mut now)?;
        all.share(&mut b, given_to(func, from, seqs), &mut there)?;
    }
    let image = b.inline(own, &now)?;
    let here = |v: ValueId| image[v.index()];
    let mut inside = other.clone();
    inside.results = moved.iter().map(|v| ("inside".to_owned(), *v)).collect();
    let image_there = b.inline(&inside, &there)?;
    let moved = images(moved, |v| image_there[v.index()])?;
    let at = to.scan.states + to.emit;
    let mut saved = 0;
    for (n, (name, v)) in own.results.iter().enumerate() {
        let new = match n == at {
            true => {
                let mut summands = images(&given_out(to), here)?;
                summands.extend(&moved);
                let (sum, less) = factor::add(&mut b, &summands, &own.ty(*v).axes)?;
                saved = less;
                sum
            }
            false => images(&[*v], here)?[0],
        };
        b.result(name, new);
    }
    if saved == 0 {
        return Ok(None);
    }
    let states = func.args(to.id)[..to.scan.states].iter();
    let args = states
        .chain(all.0.iter().map(|(i, _)| &i.value))
        .copied()
        .collect();
    let seqs: Vec<SeqIn> = all.0.iter().filter_map(|(i, _)| i.seq.clone()).collect();
    let scan = Scan {
        fixed: all.0.len() - seqs.len(),
        seqs,
        body: b.finish(),
        ..to.scan.clone()
    };
    Ok(Some((scan, args)))
}

/// What a scan is given beside its states: a value of the program, along the scan if it is a sequence.
#[derive(Clone, PartialEq)]
struct Input {
    value: ValueId,
    seq: Option<SeqIn>,
}

/// The sequences of a scan or its fixed values, with the types of its body's parameters for them.
fn given_to<'a>(
    func: &'a Func,
    g: &Given<'a>,
    seqs: bool,
) -> impl Iterator<Item = (Input, ValueId, &'a Value)> {
    let (scan, states) = (g.scan, g.scan.states);
    let args = &func.args(g.id)[states..];
    let range = match seqs {
        true => 0..scan.seqs.len(),
        false => scan.seqs.len()..args.len(),
    };
    range.map(move |k| {
        let input = Input {
            value: args[k],
            seq: scan.seqs.get(k).cloned(),
        };
        let p = scan.body.params[1 + states + k];
        (input, p, scan.body.value(p))
    })
}

/// What a new scan is given beside its states, with its body's parameters. What two scans are both given is one,
/// which is how common factors are seen.
#[derive(Default)]
struct Inputs(Vec<(Input, ValueId)>);

impl Inputs {
    /// Adds what one of the scans is given; `image` gets the parameters.
    fn share<'a>(
        &mut self,
        b: &mut Builder,
        given: impl Iterator<Item = (Input, ValueId, &'a Value)>,
        image: &mut HashMap<ValueId, ValueId>,
    ) -> Result<()> {
        for (input, p, param) in given {
            let at = match self.0.iter().find(|(i, _)| *i == input) {
                Some((_, at)) => *at,
                None => {
                    let at = b.copy(param, &[])?;
                    self.0.push((input, at));
                    at
                }
            };
            image.insert(p, at);
        }
        Ok(())
    }
}
