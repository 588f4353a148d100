//! What a mixer takes and gives, tensor by tensor, and given tensors held to it.
//!
//! Layout: `[batch, time, axes in declared order]`; parameters have their axes only. The lengths of a run are read
//! off the given shapes; every error names the tensor, the shape given and the shape wanted.

use crate::engine::{Named, Sizes};
use crate::{Error, Result, other};
use seqc_algebra::{Axis, Data, Elem, InputKind, Size, Sym, Tensor, interp};
use seqc_hir::Elaborated;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A tensor as a file holds it, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The file's word for its elements, for messages.
    pub dtype: String,
    pub elem: Elem,
    pub shape: Vec<usize>,
    pub data: Data,
}

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Input,
    Parameter,
    Cotangent,
    State,
}

/// A tensor that is wanted or made: its name and layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub name: String,
    pub part: Part,
    pub elem: Elem,
    pub axes: Vec<Axis>,
}

/// The tensors of a mixer.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    pub inputs: Vec<Slot>,
    pub outputs: Vec<Slot>,
}

impl Contract {
    /// Of an elaborated mixer. `declared` are the header's axes of each output, in order.
    pub fn new(e: &Elaborated, declared: &[(String, Vec<String>)]) -> Contract {
        let input = |p: &seqc_algebra::ValueId| {
            let input = e.func.input(*p)?;
            let part = match input.kind {
                InputKind::Data => Part::Input,
                InputKind::Param { .. } => Part::Parameter,
                _ => return None,
            };
            let ty = e.func.ty(*p);
            Some(Slot {
                name: input.name.as_str().to_owned(),
                part,
                elem: ty.elem,
                axes: ty.axes.clone(),
            })
        };
        let output = |name: &String| {
            let ty = e.func.ty(e.func.result(name)?);
            let order = declared.iter().find(|(n, _)| n == name).map(|(_, a)| a);
            let mut axes = ty.axes.clone();
            axes.sort_by_key(|a| match a.size {
                Size::Len(s) if s.as_str() == "batch" => (0, 0),
                Size::Len(_) | Size::Tiles(..) | Size::Times { .. } => (1, 0),
                Size::Const(_) => {
                    let at =
                        order.and_then(|o| o.iter().position(|n| n.as_str() == a.name.as_str()));
                    (2, at.unwrap_or(usize::MAX))
                }
            });
            Some(Slot {
                name: name.clone(),
                part: Part::Cotangent,
                elem: ty.elem,
                axes,
            })
        };
        Contract {
            inputs: e.func.params.iter().filter_map(input).collect(),
            outputs: e.outputs.iter().filter_map(output).collect(),
        }
    }

    /// Inputs and parameters that a gradient exists for.
    pub fn smooth(&self) -> impl Iterator<Item = &Slot> {
        self.inputs.iter().filter(|s| s.elem != Elem::Int)
    }

    /// The tensors that a run reads: with `grad`, a cotangent of each output too.
    pub fn wanted(&self, grad: bool) -> Vec<Slot> {
        let cotangent = |s: &Slot| Slot {
            name: format!("cotangent.{}", s.name),
            ..s.clone()
        };
        let mut all = self.inputs.clone();
        if grad {
            all.extend(self.outputs.iter().map(cotangent));
        }
        all
    }
}

/// Lengths and tensors of one run.
#[derive(Clone, Debug)]
pub struct Matched {
    pub sizes: Sizes,
    pub tensors: Named,
}

/// Holds given tensors to the wanted ones, and new lengths to the known ones. Errors: one that is missing, superfluous,
/// of another shape or kind, lengths that disagree.
pub fn matched(given: &BTreeMap<String, Given>, wanted: &[Slot], known: &Sizes) -> Result<Matched> {
    if let Some(extra) = given.keys().find(|n| wanted.iter().all(|s| s.name != **n)) {
        return Err(Error::Other(superfluous(extra, wanted)));
    }
    let mut sizes = known.clone();
    let mut from: BTreeMap<Sym, &str> = BTreeMap::new();
    let mut tensors = Named::new();
    for slot in wanted {
        let Some(g) = given.get(&slot.name) else {
            return Err(Error::Other(format!(
                "{} is missing: {} is wanted",
                slot.called(),
                slot.layout(&sizes)
            )));
        };
        kind(slot, g)?;
        if g.shape.len() != slot.axes.len() {
            return Err(shape_error(slot, g, &sizes, None));
        }
        for (a, n) in slot.axes.iter().zip(&g.shape) {
            match a.size {
                Size::Const(want) if want == *n => {}
                Size::Len(s) => match sizes.get(&s) {
                    None if *n == 0 => {
                        return Err(Error::Other(format!(
                            "{} has shape {:?}: nothing along `{s}`",
                            slot.called(),
                            g.shape
                        )));
                    }
                    None => {
                        sizes.insert(s, *n);
                        from.insert(s, slot.name.as_str());
                    }
                    Some(known) if known == n => {}
                    Some(_) => {
                        return Err(shape_error(slot, g, &sizes, from.get(&s).map(|f| (s, *f))));
                    }
                },
                _ => return Err(shape_error(slot, g, &sizes, None)),
            }
        }
        let t = Tensor::new(slot.axes.clone(), g.shape.clone(), g.data.clone());
        let t = t.map_err(|e| Error::Other(format!("{}: {e}", slot.called())))?;
        tensors.insert(slot.name.clone(), t);
    }
    Ok(Matched { sizes, tensors })
}

fn kind(slot: &Slot, g: &Given) -> Result<()> {
    if slot.elem == g.elem || (slot.elem == Elem::Complex && g.elem == Elem::Real) {
        return Ok(());
    }
    let want = match slot.elem {
        Elem::Int => "integers (I32 or I64)",
        Elem::Real => "real numbers (F32, F64, F16 or BF16)",
        Elem::Complex => "complex numbers (C64)",
    };
    Err(Error::Other(format!(
        "{} holds {}: {want} are wanted",
        slot.called(),
        g.dtype
    )))
}

fn superfluous(extra: &str, wanted: &[Slot]) -> String {
    let names = wanted.iter().map(|s| s.name.as_str());
    let near = seqc_syntax::did_you_mean(extra, names.clone());
    let mut text = format!("tensor `{extra}` is superfluous; ");
    let _ = match near {
        Some(near) => write!(text, "is it `{near}`?"),
        None => write!(text, "wanted are {}", names.collect::<Vec<_>>().join(", ")),
    };
    text
}

fn shape_error(slot: &Slot, g: &Given, sizes: &Sizes, from: Option<(Sym, &str)>) -> Error {
    let why = from.map_or(String::new(), |(s, f)| format!(" (`{s}` is that of `{f}`)"));
    Error::Other(format!(
        "{} has shape {:?}: {} is wanted{why}",
        slot.called(),
        g.shape,
        slot.layout(sizes)
    ))
}

impl Slot {
    /// For messages: what it is and its name.
    fn called(&self) -> String {
        let what = match self.part {
            Part::Input => "input",
            Part::Parameter => "parameter",
            Part::Cotangent => "tensor",
            Part::State => "state",
        };
        format!("{what} `{}`", self.name)
    }

    /// A tensor of this layout, all 0.
    pub(super) fn zeros(&self, sizes: &Sizes) -> Result<Tensor> {
        let shape = self.axes.iter().map(|a| interp::length(*a, sizes));
        let shape = shape.collect::<std::result::Result<Vec<_>, _>>();
        let zeros = shape.and_then(|s| Tensor::zeros(&self.axes, &s, self.elem));
        zeros.map_err(|e| other(&self.name, e))
    }

    /// The wanted shape, axes named: `[batch, t = 7, d = 16]`.
    pub(super) fn layout(&self, sizes: &Sizes) -> String {
        let axis = |a: &Axis| {
            let name = a.name.as_str().trim_end_matches('%');
            let n = match a.size {
                Size::Const(n) => Some(n),
                Size::Len(s) => sizes.get(&s).copied(),
                Size::Tiles(..) | Size::Times { .. } => None,
            };
            n.map_or(name.to_owned(), |n| format!("{name} = {n}"))
        };
        let all: Vec<String> = self.axes.iter().map(axis).collect();
        format!("[{}]", all.join(", "))
    }
}

/// Lengths that no tensor tells or that the mixer has no meaning for, and indices outside of their vocabulary, are errors.
pub fn meaningful(e: &Elaborated, m: &Matched) -> Result<()> {
    in_range(e, m)?;
    all_lengths(e, &m.sizes)
}

fn in_range(e: &Elaborated, m: &Matched) -> Result<()> {
    for l in &e.limits {
        if let Some(n) = m.sizes.get(&Sym::new(&l.clock)).filter(|n| **n > l.most) {
            return Err(Error::Other(format!(
                "`{}` has meaning for at most {} steps of `{}`, {n} are given",
                e.name, l.most, l.clock
            )));
        }
    }
    for v in &e.vocabularies {
        let Some(data) = m.tensors.get(&v.input).and_then(Tensor::as_real) else {
            continue;
        };
        if let Some((at, x)) =
            (data.iter().enumerate()).find(|(_, x)| **x < 0.0 || **x >= v.size as f64)
        {
            return Err(Error::Other(format!(
                "input `{}` holds {x} (entry {at}): indices of `{}` are from 0 to {}",
                v.input,
                v.axis,
                v.size - 1
            )));
        }
    }
    Ok(())
}

fn all_lengths(e: &Elaborated, sizes: &Sizes) -> Result<()> {
    let lengths = (e.func.values.iter())
        .flat_map(|v| &v.ty.axes)
        .filter_map(|a| a.size.length());
    match lengths.into_iter().find(|s| !sizes.contains_key(s)) {
        Some(s) => Err(Error::Other(format!(
            "no tensor tells the length `{s}` of `{}`",
            e.name
        ))),
        None => Ok(()),
    }
}
