//! The frame of a law: rebuild a program value by value, replacing where the law applies.

use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, Op, Ty, ValueId};

/// A loop's body on other axes: those of its inputs become `axes`, and each operation what `op` says; none where nothing is
/// left to do.
pub fn on_other_axes(
    body: &Func,
    axes: &dyn Fn(&[Axis]) -> Vec<Axis>,
    op: &dyn Fn(&Op) -> Result<Option<Op>>,
) -> Result<Func> {
    let mut b = Builder::new(&body.name);
    let live = body.live();
    let mut image: Vec<Option<ValueId>> = vec![None; body.values.len()];
    for p in &body.params {
        let (Some(input), ty) = (body.input(*p), body.ty(*p)) else {
            continue;
        };
        let ty = Ty {
            elem: ty.elem,
            axes: axes(&ty.axes),
        };
        image[p.index()] = Some(b.input(input.name.as_str(), input.kind.clone(), ty));
    }
    for id in body
        .ids()
        .filter(|id| live[id.index()] && body.input(*id).is_none())
    {
        let args: Vec<ValueId> = (body.args(id).iter())
            .filter_map(|a| image[a.index()])
            .collect();
        let v = match op(body.op(id))? {
            Some(op) => b.push(op, &args)?,
            None => args[0],
        };
        if let Some(name) = body.value(id).name {
            b.name(v, name.as_str());
        }
        image[id.index()] = Some(v);
    }
    for (name, v) in &body.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// Rebuilds a program, asking `law` for a replacement of each live value; it is given the images of the value's arguments.
pub fn map_values(
    func: &Func,
    mut law: impl FnMut(&mut Builder, &Func, ValueId, &[ValueId]) -> Result<Option<ValueId>>,
) -> Result<Func> {
    map_by_images(func, |b, id, image| {
        let args: Vec<ValueId> = func.args(id).iter().filter_map(|a| image(*a)).collect();
        law(b, func, id, &args)
    })
}

/// The images of values; an error if one has none.
pub fn images(
    values: &[ValueId],
    image: impl Fn(ValueId) -> Option<ValueId>,
) -> Result<Vec<ValueId>> {
    let lost = || DeriveError("a value was lost while its program was rebuilt".into());
    values.iter().map(|v| image(*v).ok_or_else(lost)).collect()
}

/// The value of the new program that an earlier value of the old one has become.
pub type Image<'a> = dyn Fn(ValueId) -> Option<ValueId> + 'a;

/// The same for a law that looks further back than to a value's arguments.
pub fn map_by_images(
    func: &Func,
    law: impl FnMut(&mut Builder, ValueId, &Image<'_>) -> Result<Option<ValueId>>,
) -> Result<Func> {
    let live = func.live();
    map_in_order(func, func.ids().filter(|id| live[id.index()]), law)
}

/// The same in another order, each value after those that the law asks for ([`crate::order::topological`]).
pub fn map_in_order(
    func: &Func,
    order: impl IntoIterator<Item = ValueId>,
    mut law: impl FnMut(&mut Builder, ValueId, &Image<'_>) -> Result<Option<ValueId>>,
) -> Result<Func> {
    let mut b = Builder::new(&func.name);
    let mut images: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for p in &func.params {
        images[p.index()] = Some(b.copy(func.value(*p), &[])?);
    }
    for id in (order.into_iter()).filter(|id| func.input(*id).is_none()) {
        let image = |v: ValueId| images[v.index()];
        let new = match law(&mut b, id, &image)? {
            Some(v) => v,
            None => {
                let args: Vec<ValueId> = func.args(id).iter().filter_map(|a| image(*a)).collect();
                b.copy(func.value(id), &args)?
            }
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        images[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = images[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

pub fn name_of(func: &Func, v: ValueId) -> &'static str {
    func.value(v)
        .name
        .map_or(crate::words::UNNAMED, |n| n.as_str())
}
