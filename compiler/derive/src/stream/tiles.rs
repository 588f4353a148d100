//! Builds the two nested scans of a group: tiles of the kept axis outside, tiles of the streamed axis inside.

use super::bounds::Bounds;
use super::exits::{Group, anchor, cone, cone_of, is_pair, is_scatter, scores};
use super::range::range;
use super::{Tiles, long_axes};
use crate::Result;
use crate::softmax::finite;
use seqc_algebra::{
    Axis, Builder, Func, InputKind, MapFn, Op, Out, ReduceOp, Scan, SeqIn, Ty, ValueId, op::Num,
    shape,
};
use std::collections::{BTreeSet, HashMap};

/// Functions of positions alone are recomputed in the tile.
fn is_positional(func: &Func, v: ValueId) -> bool {
    let (mut seen, mut next) = (BTreeSet::from([v]), vec![v]);
    while let Some(v) = next.pop() {
        match func.op(v) {
            Op::Iota(_) | Op::Const(_) | Op::Length(_) => {}
            Op::Map(_) | Op::Expand(_) | Op::Rename { .. } => {
                next.extend(func.args(v).iter().filter(|a| seen.insert(**a)));
            }
            _ => return false,
        }
    }
    true
}

/// The pair values recomputed in the inner body: every exit's cone, cut at the weights of online members.
fn recomputed(func: &Func, g: &Group) -> BTreeSet<ValueId> {
    let mut all = BTreeSet::new();
    for (n, e) in g.exits.iter().enumerate() {
        match g.online.iter().find(|o| o.exit == n) {
            None => all.extend(cone_of(func, g, *e)),
            Some(o) => {
                let above = cone(func, o.weight);
                let mut mine: BTreeSet<ValueId> = cone(func, *e).into_iter().collect();
                mine.remove(&o.weight);
                // What only the weight needs is not needed again, except the scores, which the normaliser brings.
                let without = cone_without(func, *e, o.weight);
                mine.retain(|v| !above.contains(v) || without.contains(v));
                all.extend(mine);
            }
        }
    }
    all
}

/// Pair values that reach the exit other than through `cut`.
fn cone_without(func: &Func, id: ValueId, cut: ValueId) -> BTreeSet<ValueId> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<ValueId> = func.args(id).to_vec();
    while let Some(v) = stack.pop() {
        if v != cut && is_pair(func, v) && seen.insert(v) {
            stack.extend(func.args(v));
        }
    }
    seen
}

/// Values with at most one time axis that the group reads (positions aside).
pub fn inputs(func: &Func, g: &Group) -> Vec<ValueId> {
    let inside = recomputed(func, g);
    let weights: Vec<ValueId> = g.online.iter().map(|o| o.weight).collect();
    let mut found = BTreeSet::new();
    for v in inside.iter().chain(&g.exits) {
        let own = match anchor(func, g, *v) {
            Some(_) if g.exits.contains(v) => vec![scores(func, g, *v)],
            _ => func.args(*v).to_vec(),
        };
        for a in &own {
            if !inside.contains(a) && !weights.contains(a) && !is_positional(func, *a) {
                found.insert(*a);
            }
        }
    }
    found.into_iter().collect()
}

/// The group as a scan; one value per exit.
pub fn tiled(
    b: &mut Builder,
    (func, bounds): (&Func, &Bounds),
    g: &Group,
    tiles: Tiles,
    image: &HashMap<ValueId, ValueId>,
) -> Result<Vec<ValueId>> {
    let rows = Axis::new(&format!("{}%r", g.kept.name), tiles.kept);
    let cols = Axis::new(&format!("{}%c", g.streamed.name), tiles.streamed);
    let reads = inputs(func, g);
    let (seqs, fixed): (Vec<ValueId>, Vec<ValueId>) = reads
        .into_iter()
        .partition(|v| long_axes(func, *v).contains(&g.kept));
    let mut outer = Builder::new("rows");
    let pos = outer.input("pos", InputKind::Formal, Ty::real(vec![]));
    let mut given: HashMap<ValueId, ValueId> = HashMap::new();
    for v in seqs.iter().chain(&fixed) {
        let formal = outer.input(
            name_of(func, *v),
            InputKind::Formal,
            replaced(func.ty(*v), g.kept, rows),
        );
        given.insert(*v, formal);
    }
    let mut inner = Inner {
        func,
        bounds,
        g,
        rows,
        cols,
        b: Builder::new("cols"),
        image: HashMap::new(),
        pos_rows: None,
        pos_cols: None,
        states: vec![],
    };
    let (finals, scan, args) = inner.scan(&mut outer, &given, pos)?;
    let results = outer.scan(scan, &args)?;
    let mut outs = Vec::new();
    for (n, _) in g.exits.iter().enumerate() {
        let v = finals[n].finish(&mut outer, &results)?;
        let want: Vec<Axis> = func
            .ty(g.exits[n])
            .axes
            .iter()
            .map(|a| if *a == g.kept { rows } else { *a })
            .collect();
        let missing: Vec<Axis> = want.into_iter().filter(|a| !outer.has(v, *a)).collect();
        let v = outer.expand(v, &missing)?;
        outer.result(&format!("exit{n}"), v);
        outs.push(Out::Emit(n));
    }
    let scan = Scan {
        axis: g.kept,
        tile: Some(rows),
        reverse: false,
        states: 0,
        seqs: seqs.iter().map(|_| SeqIn { fill: Num(0.0) }).collect(),
        fixed: fixed.len(),
        lo: false,
        hi: false,
        body: outer.finish(),
        outs,
    };
    let args: Vec<ValueId> = seqs.iter().chain(&fixed).map(|v| image[v]).collect();
    let mut all = b.scan(scan, &args)?;
    // What sums both times away was summed for each tile of rows.
    let by_tile = shape::tiles(g.kept, tiles.kept);
    for v in &mut all {
        if b.has(*v, by_tile) {
            *v = b.sum(&[by_tile], *v)?;
        }
    }
    Ok(all)
}

fn name_of(func: &Func, v: ValueId) -> &'static str {
    func.value(v).name.map_or("x", |n| n.as_str())
}

fn replaced(ty: &Ty, from: Axis, to: Axis) -> Ty {
    Ty {
        elem: ty.elem,
        axes: ty
            .axes
            .iter()
            .map(|a| if *a == from { to } else { *a })
            .collect(),
    }
}

/// How an exit is read off the inner scan's final states (indices into its results).
#[derive(Clone, Copy, Debug)]
enum Final {
    Plain(usize),
    /// maximum and sum: `m + log l`, or `log l` if the maximum is an exit of its own
    LogSumExp {
        m: usize,
        l: usize,
        relative: bool,
    },
    /// weighted sum over a running normaliser: `acc / l`
    Online {
        acc: usize,
        l: usize,
    },
}

impl Final {
    fn finish(self, b: &mut Builder, results: &[ValueId]) -> Result<ValueId> {
        match self {
            Final::Plain(k) => Ok(results[k]),
            Final::LogSumExp { m, l, relative } => {
                let log = b.map1(MapFn::Log, results[l])?;
                if relative {
                    return Ok(log);
                }
                let m = finite(b, results[m])?;
                Ok(b.add2(m, log)?)
            }
            Final::Online { acc, l } => {
                let (zero, one) = (b.num(0.0), b.num(1.0));
                let empty = b.map2(MapFn::Eq, results[l], zero)?;
                let l = b.select(empty, one, results[l])?;
                Ok(b.div(results[acc], l)?)
            }
        }
    }
}

/// The inner scan under construction.
struct Inner<'a> {
    func: &'a Func,
    bounds: &'a Bounds,
    g: &'a Group,
    rows: Axis,
    cols: Axis,
    b: Builder,
    /// Images of the program's values in the inner body.
    image: HashMap<ValueId, ValueId>,
    pos_rows: Option<ValueId>,
    pos_cols: Option<ValueId>,
    /// Axes and start of each state.
    states: Vec<(Ty, f64)>,
}

impl Inner<'_> {
    /// The scan, its arguments in the outer body, and how to read each exit.
    fn scan(
        &mut self,
        outer: &mut Builder,
        given: &HashMap<ValueId, ValueId>,
        pos: ValueId,
    ) -> Result<(Vec<Final>, Scan, Vec<ValueId>)> {
        let finals = self.plan();
        let pos_cols = self.b.input("pos", InputKind::Formal, Ty::real(vec![]));
        self.pos_cols = Some(pos_cols);
        let states: Vec<ValueId> = self
            .states
            .clone()
            .iter()
            .map(|(ty, _)| self.b.input("state", InputKind::Formal, ty.clone()))
            .collect();
        let reads = inputs(self.func, self.g);
        let (seqs, fixed): (Vec<ValueId>, Vec<ValueId>) = reads
            .into_iter()
            .partition(|v| long_axes(self.func, *v).contains(&self.g.streamed));
        for v in seqs.iter().chain(&fixed) {
            let ty = replaced(
                &replaced(self.func.ty(*v), self.g.kept, self.rows),
                self.g.streamed,
                self.cols,
            );
            let formal = self.b.input(name_of(self.func, *v), InputKind::Formal, ty);
            self.image.insert(*v, formal);
        }
        self.pos_rows = Some(
            self.b
                .input("pos_rows", InputKind::Formal, Ty::real(vec![])),
        );
        let next = self.next(&finals, &states)?;
        for (k, v) in next.iter().enumerate() {
            let v = self.b.fill_as(*v, &self.states[k].0)?;
            self.b.result(&format!("state{k}"), v);
        }
        let mut args = Vec::new();
        for (ty, start) in &self.states {
            args.push(outer.everywhere(*start, ty)?);
        }
        args.extend(seqs.iter().chain(&fixed).map(|v| given[v]));
        args.push(pos);
        let (lo, hi) = range((self.func, self.bounds), self.g, self.rows, outer, pos)?;
        args.extend(lo.iter().chain(&hi));
        let body = std::mem::take(&mut self.b).finish();
        let scan = Scan {
            axis: self.g.streamed,
            tile: Some(self.cols),
            reverse: false,
            states: self.states.len(),
            seqs: seqs.iter().map(|_| SeqIn { fill: Num(0.0) }).collect(),
            fixed: fixed.len() + 1,
            lo: lo.is_some(),
            hi: hi.is_some(),
            body,
            outs: (0..self.states.len()).map(Out::Final).collect(),
        };
        Ok((finals, scan, args))
    }

    /// Which states each exit needs.
    fn plan(&mut self) -> Vec<Final> {
        let mut finals: Vec<Final> = Vec::new();
        for (n, e) in self.g.exits.iter().enumerate() {
            let ty = replaced(self.func.ty(*e), self.g.kept, self.rows);
            let k = self.states.len();
            if let Some(max) = anchor(self.func, self.g, *e)
                && let Final::Plain(m) = finals[max]
            {
                self.states.push((ty, 0.0));
                let relative = true;
                finals.push(Final::LogSumExp { m, l: k, relative });
                continue;
            }
            let start = match self.func.op(*e) {
                Op::LogSumExp(_) | Op::Reduce(ReduceOp::Max, _) => f64::NEG_INFINITY,
                _ => 0.0,
            };
            self.states.push((ty.clone(), start));
            let kind = if matches!(self.func.op(*e), Op::LogSumExp(_)) {
                self.states.push((ty, 0.0));
                Final::LogSumExp {
                    m: k,
                    l: k + 1,
                    relative: false,
                }
            } else if let Some(o) = self.g.online.iter().find(|o| o.exit == n)
                && let Final::LogSumExp { l, .. } = finals[o.lse]
            {
                Final::Online { acc: k, l }
            } else {
                Final::Plain(k)
            };
            finals.push(kind);
        }
        finals
    }

    fn next(&mut self, finals: &[Final], states: &[ValueId]) -> Result<Vec<ValueId>> {
        let mut next: Vec<ValueId> = states.to_vec();
        // For each normaliser: the weights relative to its new maximum, and the factor that rescales what is carried.
        let mut running: HashMap<usize, ValueId> = HashMap::new();
        let exits = self.g.exits.clone();
        for (n, e) in exits.iter().enumerate() {
            match finals[n] {
                Final::LogSumExp { m, l, .. } => {
                    let scores = self.value(scores(self.func, self.g, *e))?;
                    let s = self.valid(scores, f64::NEG_INFINITY)?;
                    let top = self
                        .b
                        .push(Op::Reduce(ReduceOp::Max, vec![self.cols]), &[s])?;
                    let m2 = self.b.map2(MapFn::Max, states[m], top)?;
                    let safe = finite(&mut self.b, m2)?;
                    let drop = self.b.sub(states[m], safe)?;
                    let scale = self.b.map1(MapFn::Exp, drop)?;
                    let d = self.b.sub(s, safe)?;
                    let w = self.b.map1(MapFn::Exp, d)?;
                    let sum = self.b.sum(&[self.cols], w)?;
                    let kept = self.b.mul(states[l], scale)?;
                    next[m] = m2;
                    next[l] = self.b.add2(kept, sum)?;
                    running.insert(n, scale);
                    for o in self.g.online.iter().filter(|o| o.lse == n) {
                        self.image.insert(o.weight, w);
                    }
                }
                Final::Online { acc, .. } => {
                    let lse = self.g.online.iter().find(|o| o.exit == n).map(|o| o.lse);
                    let part = self.summed(*e)?;
                    let kept = match lse.and_then(|l| running.get(&l)) {
                        Some(scale) => self.b.mul(states[acc], *scale)?,
                        None => states[acc],
                    };
                    next[acc] = self.b.add2(kept, part)?;
                }
                Final::Plain(k) if matches!(self.func.op(*e), Op::Reduce(ReduceOp::Max, _)) => {
                    let x = self.value(self.func.args(*e)[0])?;
                    let x = self.valid(x, f64::NEG_INFINITY)?;
                    let op = self.exit_op(*e);
                    let top = self.b.push(op, &[x])?;
                    next[k] = self.b.map2(MapFn::Max, states[k], top)?;
                }
                Final::Plain(k) => {
                    let part = self.summed(*e)?;
                    next[k] = self.b.add2(states[k], part)?;
                }
            }
        }
        Ok(next)
    }

    /// What stands for an axis in a tile.
    fn in_tile(&self, a: Axis) -> Axis {
        if a == self.g.kept {
            self.rows
        } else if a == self.g.streamed {
            self.cols
        } else {
            a
        }
    }

    /// The exit's operation over the tile of columns.
    fn exit_op(&self, e: ValueId) -> Op {
        let swap = |axes: &[Axis]| axes.iter().map(|a| self.in_tile(*a)).collect();
        match self.func.op(e) {
            Op::Contract(axes) => Op::Contract(swap(axes)),
            Op::Reduce(op, axes) => Op::Reduce(*op, swap(axes)),
            Op::ScatterAdd { axis, over } => Op::ScatterAdd {
                axis: *axis,
                over: swap(over),
            },
            other => other.clone(),
        }
    }

    /// A sum's contribution from this tile; columns outside the sequence contribute 0, whatever their factors are there (a
    /// quotient by what is padded with 0 may be anything), and so do rows where they are summed.
    fn summed(&mut self, e: ValueId) -> Result<ValueId> {
        let mut args = Vec::new();
        let by_index = is_scatter(self.func, e);
        for (k, a) in self.func.args(e).iter().enumerate() {
            let mut v = self.value(*a)?;
            // Of a sum by an index its values count, not where they go.
            if (by_index && k == 0) || (!by_index && is_pair(self.func, *a)) {
                v = self.valid(v, 0.0)?;
                if !long_axes(self.func, e).contains(&self.g.kept) {
                    v = self.inside(self.g.kept, v, 0.0)?;
                }
            }
            args.push(v);
        }
        let op = self.exit_op(e);
        Ok(self.b.push(op, &args)?)
    }

    /// `x` where the column is inside the sequence, else `outside`.
    fn valid(&mut self, x: ValueId, outside: f64) -> Result<ValueId> {
        match self.g.streamed.is_const() {
            true => Ok(x),
            false => self.inside(self.g.streamed, x, outside),
        }
    }

    /// `x` where the position along a time is inside the sequence, else `outside`.
    fn inside(&mut self, axis: Axis, x: ValueId, outside: f64) -> Result<ValueId> {
        let at = self.position(axis)?;
        let len = self.b.push(Op::Length(axis.size), &[])?;
        let inside = self.b.map2(MapFn::Lt, at, len)?;
        let outside = self.b.num(outside);
        Ok(self.b.select(inside, x, outside)?)
    }

    /// Positions along the kept or streamed axis, as numbers.
    fn position(&mut self, axis: Axis) -> Result<ValueId> {
        let (tile, pos) = if axis == self.g.kept {
            (self.rows, self.pos_rows)
        } else {
            (self.cols, self.pos_cols)
        };
        let at = self.b.iota(tile)?;
        match pos {
            Some(pos) => Ok(self.b.add2(at, pos)?),
            None => Ok(at),
        }
    }

    /// The image of a program's value in the tile.
    fn value(&mut self, v: ValueId) -> Result<ValueId> {
        if let Some(known) = self.image.get(&v) {
            return Ok(*known);
        }
        let op = match self.func.op(v).clone() {
            Op::Iota(a) if a == self.g.kept || a == self.g.streamed => {
                let p = self.position(a)?;
                self.image.insert(v, p);
                return Ok(p);
            }
            Op::Expand(axes) => Op::Expand(axes.iter().map(|a| self.in_tile(*a)).collect()),
            other => other,
        };
        let args = self
            .func
            .args(v)
            .iter()
            .map(|a| self.value(*a))
            .collect::<Result<Vec<_>>>()?;
        // Positions may be renamed between time axes; their images are what they are.
        let new = match &op {
            Op::Rename { from, .. } if super::is_long(from) => return self.renamed_position(v),
            _ => self.b.push(op, &args)?,
        };
        if let Some(name) = self.func.value(v).name {
            self.b.name(new, name.as_str());
        }
        self.image.insert(v, new);
        Ok(new)
    }

    /// A renamed function of positions: recomputed on the renamed axis.
    fn renamed_position(&mut self, v: ValueId) -> Result<ValueId> {
        let Op::Rename { from, to } = *self.func.op(v) else {
            return Err(crate::DeriveError("not a renaming".into()));
        };
        let source = self.func.args(v)[0];
        match self.func.op(source) {
            Op::Iota(a) if *a == from => {
                let p = self.position(to)?;
                self.image.insert(v, p);
                Ok(p)
            }
            _ => Err(crate::DeriveError(
                "a function of positions is renamed inside a pair of times".into(),
            )),
        }
    }
}
