//! Contractions of many factors as products of two: factors that lie inside another are multiplied into it, then
//! pairs are contracted, smallest result first. Scan bodies too.

use seqc_algebra::{Axis, Builder, Func, Op, Scan, ShapeError, Size, ValueId};

/// The program with contractions of at most two factors (pure products of any number stay).
pub fn binary(func: &Func) -> Result<Func, ShapeError> {
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    let live = func.live();
    for id in func.ids().filter(|id| live[id.index()] || func.params.contains(id)) {
        let args: Vec<ValueId> = func.args(id).iter().filter_map(|a| image[a.index()]).collect();
        let new = match func.op(id) {
            Op::Contract(axes) if !axes.is_empty() => contract(&mut b, axes, args)?,
            Op::Reduce(seqc_algebra::ReduceOp::Sum, axes) if is_product(&b, args[0]) => {
                let factors = b.func().args(args[0]).to_vec();
                contract(&mut b, axes, factors)?
            }
            Op::Scan(scan) => {
                let scan = Scan { body: binary(&scan.body)?, ..(**scan).clone() };
                b.push(Op::Scan(Box::new(scan)), &args)?
            }
            _ => b.copy(func.value(id), &args)?,
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

fn is_product(b: &Builder, v: ValueId) -> bool {
    match b.func().op(v) {
        Op::Map(seqc_algebra::MapFn::Mul) => true,
        Op::Contract(axes) => axes.is_empty(),
        _ => false,
    }
}

/// A rough number of elements: run-time lengths count as 256.
fn weight(axes: &[Axis]) -> f64 {
    axes.iter().map(|a| if let Size::Const(n) = a.size { n as f64 } else { 256.0 }).product()
}

fn contract(b: &mut Builder, axes: &[Axis], mut args: Vec<ValueId>) -> Result<ValueId, ShapeError> {
    // Axes that only one factor has are summed there first.
    for k in 0..args.len() {
        if args.len() == 1 {
            break;
        }
        let own: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|a| b.has(args[k], *a) && args.iter().enumerate().all(|(n, v)| n == k || !b.has(*v, *a)))
            .collect();
        if !own.is_empty() {
            args[k] = b.sum(&own, args[k])?;
        }
    }
    let mut axes: Vec<Axis> = axes.iter().copied().filter(|a| args.iter().any(|v| b.has(*v, *a))).collect();
    while args.len() > 2 {
        let Some((x, y, over)) = cheapest(b, &args, &axes) else { break };
        let (one, two) = (args[x], args[y]);
        let merged = if over.is_empty() { b.mul(one, two)? } else { b.contract(&over, &[one, two])? };
        axes.retain(|a| !over.contains(a));
        args.remove(y);
        args[x] = merged;
    }
    if axes.is_empty() {
        let mut product = args[0];
        for v in &args[1..] {
            product = b.mul(product, *v)?;
        }
        return Ok(product);
    }
    if args.len() == 1 {
        return b.sum(&axes, args[0]);
    }
    // A factor that lies inside the other and brings no axis of its own is a plain multiplication under a sum.
    b.contract(&axes, &args)
}

/// The pair to merge next: one inside the other if there is such a pair, else the one with the smallest result.
fn cheapest(b: &Builder, args: &[ValueId], axes: &[Axis]) -> Option<(usize, usize, Vec<Axis>)> {
    let mut best: Option<(f64, usize, usize, Vec<Axis>)> = None;
    for x in 0..args.len() {
        for y in x + 1..args.len() {
            let (ax, ay) = (b.axes(args[x]), b.axes(args[y]));
            let inside = ax.iter().all(|a| ay.contains(a)) || ay.iter().all(|a| ax.contains(a));
            let others = |a: &Axis| args.iter().enumerate().any(|(n, v)| n != x && n != y && b.has(*v, *a));
            let mut union = ax.to_vec();
            union.extend(ay.iter().filter(|a| !ax.contains(a)).copied().collect::<Vec<_>>());
            let over: Vec<Axis> = union.iter().copied().filter(|a| axes.contains(a) && !others(a)).collect();
            let left: Vec<Axis> = union.iter().copied().filter(|a| !over.contains(a)).collect();
            let cost = if inside && over.is_empty() { weight(&left) * 1e-6 } else { weight(&union) + weight(&left) };
            if best.as_ref().is_none_or(|(c, ..)| cost < *c) {
                best = Some((cost, x, y, over));
            }
        }
    }
    best.map(|(_, x, y, over)| (x, y, over))
}
