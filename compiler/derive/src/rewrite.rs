//! The frame of a law: rebuild a program value by value, replacing where the law applies.

use crate::Result;
use seqc_algebra::{Builder, Func, ValueId};

/// Rebuilds a program, asking `law` for a replacement of each live value.
pub fn map_values(
    func: &Func,
    mut law: impl FnMut(&mut Builder, &Func, ValueId, &[ValueId]) -> Result<Option<ValueId>>,
) -> Result<Func> {
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    let live = func.live();
    for p in &func.params {
        image[p.index()] = Some(b.copy(func.value(*p), &[])?);
    }
    for id in func
        .ids()
        .filter(|id| live[id.index()] && func.input(*id).is_none())
    {
        let args: Vec<ValueId> = func
            .args(id)
            .iter()
            .filter_map(|a| image[a.index()])
            .collect();
        let new = match law(&mut b, func, id, &args)? {
            Some(v) => v,
            None => b.copy(func.value(id), &args)?,
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
