//! Drops what no result needs. Inputs stay: they are the program's contract.

use seqc_algebra::{Func, Op, ValueId};

/// The same program without dead values; ids change, params and results keep their order.
pub fn compact(func: &Func) -> Func {
    let live = func.live();
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    let mut out = Func { name: func.name.clone(), ..Func::default() };
    for id in func.ids() {
        let value = func.value(id);
        if !live[id.index()] && !matches!(value.op, Op::Input(_)) {
            continue;
        }
        let mut value = value.clone();
        // Arguments of a live value are live, and come before it.
        value.args = value.args.iter().filter_map(|a| image[a.index()]).collect();
        image[id.index()] = Some(ValueId(out.values.len() as u32));
        out.values.push(value);
    }
    out.params = func.params.iter().filter_map(|p| image[p.index()]).collect();
    out.results = func.results.iter().filter_map(|(n, v)| image[v.index()].map(|v| (n.clone(), v))).collect();
    out
}
