//! Law: what a loop over chunks gives out without its states, any loop over the same chunks may give out.
//!
//! Side conditions: the outputs of the two are added, and nothing else uses them; they go over the same chunks in
//! opposite directions; nothing that the second is given depends on the first; and some product is saved.

use super::factor;
use super::{Given, given, summands, sums, uses};
use crate::order::{depends_on, topological};
use crate::{DeriveError, Result, prune};
use seqc_algebra::{Builder, Func, Op, Scan, SeqIn, ValueId};
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
    let mut b = Builder::new(&func.name);
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    for id in order {
        let (new, args) = match id {
            _ if id == to.id => (Some(&taking), &args[..]),
            _ if id == from.id => (Some(&giving), func.args(id)),
            _ => (None, func.args(id)),
        };
        let args: Vec<ValueId> = args.iter().map(|a| image[a]).collect();
        let new = match new {
            Some(scan) => b.push(Op::Scan(Box::new(scan.clone())), &args)?,
            None => b.copy(func.value(id), &args)?,
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image.insert(id, new);
    }
    for (name, v) in &func.results {
        b.result(name, image[v]);
    }
    Ok(Some(b.finish()))
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
    let at = from.scan.states + from.emit;
    for (n, (name, v)) in old.results.iter().enumerate() {
        let v = match n == at {
            true => {
                let kept = images(kept, &image)?;
                factor::add(&mut b, &kept, &old.ty(*v).axes)?.0
            }
            false => images(&[*v], &image)?[0],
        };
        b.result(name, v);
    }
    Ok(Scan {
        body: b.finish(),
        ..from.scan.clone()
    })
}

fn images(values: &[ValueId], image: &[Option<ValueId>]) -> Result<Vec<ValueId>> {
    let lost = || DeriveError("a scan's value was lost".into());
    (values.iter())
        .map(|v| image[v.index()].ok_or_else(lost))
        .collect()
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
    all.sequences(&mut b, func, to, &mut now)?;
    all.sequences(&mut b, func, from, &mut there)?;
    all.fixed(&mut b, func, to, &mut now)?;
    all.fixed(&mut b, func, from, &mut there)?;
    let image = b.inline(own, &now)?;
    let mut inside = other.clone();
    inside.results = moved.iter().map(|v| ("inside".to_owned(), *v)).collect();
    let moved = images(moved, &b.inline(&inside, &there)?)?;
    let at = to.scan.states + to.emit;
    let mut saved = 0;
    for (n, (name, v)) in own.results.iter().enumerate() {
        let new = match n == at {
            true => {
                let mut summands = images(&given_out(to), &image)?;
                summands.extend(&moved);
                let (sum, less) = factor::add(&mut b, &summands, &own.ty(*v).axes)?;
                saved = less;
                sum
            }
            false => images(&[*v], &image)?[0],
        };
        b.result(name, new);
    }
    if saved == 0 {
        return Ok(None);
    }
    let states = func.args(to.id)[..to.scan.states].iter();
    let seqs = all.seqs.iter().map(|s| &s.0);
    let args = states.chain(seqs).chain(all.fixed.iter().map(|f| &f.0));
    let args = args.copied().collect();
    let scan = Scan {
        seqs: all.seqs.iter().map(|s| s.1.clone()).collect(),
        fixed: all.fixed.len(),
        body: b.finish(),
        ..to.scan.clone()
    };
    Ok(Some((scan, args)))
}

/// What a new scan is given beside its states: values of the program, with its body's parameters. What two scans are
/// both given is one, which is how common factors are seen.
#[derive(Default)]
struct Inputs {
    seqs: Vec<(ValueId, SeqIn, ValueId)>,
    fixed: Vec<(ValueId, ValueId)>,
}

impl Inputs {
    /// Adds the sequences of a scan; `image` gets the parameters.
    fn sequences(
        &mut self,
        b: &mut Builder,
        func: &Func,
        g: &Given<'_>,
        image: &mut HashMap<ValueId, ValueId>,
    ) -> Result<()> {
        let params = &g.scan.body.params[1 + g.scan.states..];
        let args = &func.args(g.id)[g.scan.states..];
        for ((v, fill), p) in args.iter().zip(&g.scan.seqs).zip(params) {
            let known = self.seqs.iter().find(|s| s.0 == *v && s.1 == *fill);
            let at = match known {
                Some(s) => s.2,
                None => b.copy(g.scan.body.value(*p), &[])?,
            };
            if known.is_none() {
                self.seqs.push((*v, fill.clone(), at));
            }
            image.insert(*p, at);
        }
        Ok(())
    }

    /// The same for fixed values, after all sequences.
    fn fixed(
        &mut self,
        b: &mut Builder,
        func: &Func,
        g: &Given<'_>,
        image: &mut HashMap<ValueId, ValueId>,
    ) -> Result<()> {
        let moving = g.scan.states + g.scan.seqs.len();
        let params = &g.scan.body.params[1 + moving..];
        for (v, p) in func.args(g.id)[moving..].iter().zip(params) {
            let known = self.fixed.iter().find(|f| f.0 == *v);
            let at = match known {
                Some(f) => f.1,
                None => b.copy(g.scan.body.value(*p), &[])?,
            };
            if known.is_none() {
                self.fixed.push((*v, at));
            }
            image.insert(*p, at);
        }
        Ok(())
    }
}
