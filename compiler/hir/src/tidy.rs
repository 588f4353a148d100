//! Drops what no result needs. Inputs stay: they are the program's contract.

use seqc_algebra::{Func, Op, ValueId};

/// The same program without dead values: inputs first, in the order of `params`, then the rest as it was.
pub fn compact(func: &Func) -> Func {
    let live = func.live();
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    let mut out = Func {
        name: func.name.clone(),
        ..Func::default()
    };
    let body = func
        .ids()
        .filter(|id| live[id.index()] && !matches!(func.op(*id), Op::Input(_)));
    for id in func.params.iter().copied().chain(body) {
        let mut value = func.value(id).clone();
        // Arguments of a live value are live, and come before it.
        value.args = value.args.iter().filter_map(|a| image[a.index()]).collect();
        image[id.index()] = Some(ValueId(out.values.len() as u32));
        out.values.push(value);
    }
    out.params = func
        .params
        .iter()
        .filter_map(|p| image[p.index()])
        .collect();
    out.results = func
        .results
        .iter()
        .filter_map(|(n, v)| image[v.index()].map(|v| (n.clone(), v)))
        .collect();
    out
}
