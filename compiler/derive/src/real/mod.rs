//! Law: a complex value is a pair of real ones.
//!
//! Each value is replaced by its parts, each operation by what it does to them. Inputs and results keep one name:
//! they become one real value with a further last axis of size 2, real part first (`view_as_real`); a complex
//! parameter starts as its real and imaginary initialisers say, drawn independently.
//!
//! It follows the choice of forms and differentiation, which see through a complex transition better than through
//! its parts. Side conditions: nothing is compared, rounded or used as an index that is complex; a triangular
//! system with a complex matrix has a constant size. No complex value is left.

mod linear;
mod map;
mod pair;
mod scan;

use crate::{DeriveError, Result};
use pair::{Pair, part};
use seqc_algebra::{
    Axis, Builder, Elem, Func, Init, Input, InputKind, MapFn, Op, ReduceOp, Ty, Value, ValueId, dce,
};

/// What a value has become.
#[derive(Clone, Debug)]
enum Image {
    Real(ValueId),
    Pair(Pair),
    Scan(scan::SplitScan),
}

fn lost() -> DeriveError {
    DeriveError("an operand is missing where complex values are split".into())
}

/// The program on real values.
pub fn split_complex(func: &Func) -> Result<Func> {
    if !has_complex(func) {
        return Ok(func.clone());
    }
    let mut s = Split::new(func);
    for p in &func.params {
        let image = s.input(func.value(*p))?;
        s.image[p.index()] = Some(image);
    }
    s.run()?;
    for (name, v) in &func.results {
        let v = s.whole(*v)?;
        s.b.result(name, v);
    }
    Ok(dce(&s.b.finish())?)
}

fn has_complex(func: &Func) -> bool {
    func.values
        .iter()
        .any(|v| v.ty.elem == Elem::Complex || matches!(&v.op, Op::Scan(s) if has_complex(&s.body)))
}

/// The axis of the parts of a value with these axes.
pub fn parts_axis(axes: &[Axis]) -> Axis {
    let mut name = "complex".to_owned();
    while axes.iter().any(|a| a.name.as_str() == name) {
        name.push('\'');
    }
    Axis::new(&name, 2)
}

/// A program, or a scan's body, being rebuilt.
struct Split<'a> {
    func: &'a Func,
    b: Builder,
    image: Vec<Option<Image>>,
}

impl<'a> Split<'a> {
    fn new(func: &'a Func) -> Split<'a> {
        Split {
            func,
            b: Builder::new(&func.name),
            image: vec![None; func.values.len()],
        }
    }

    fn input(&mut self, value: &Value) -> Result<Image> {
        let (Op::Input(input), Elem::Complex) = (&value.op, value.ty.elem) else {
            return Ok(Image::Real(self.b.copy(value, &[])?));
        };
        let axis = parts_axis(&value.ty.axes);
        let axes = [value.ty.axes.as_slice(), &[axis]].concat();
        let kind = kind(input, axis)?;
        let v = self.b.input(input.name.as_str(), kind, Ty::real(axes));
        let mut pick = |index| self.b.push(Op::Pick { axis, index }, &[v]);
        Ok(Image::Pair(Pair {
            re: Some(pick(0)?),
            im: Some(pick(1)?),
        }))
    }

    /// Gives every live value an image; inputs have theirs.
    fn run(&mut self) -> Result<()> {
        let live = self.func.live();
        for id in self.func.ids() {
            if live[id.index()] && self.image[id.index()].is_none() {
                let image = self.value(id)?;
                if let Some(name) = self.func.value(id).name {
                    self.name(&image, name.as_str());
                }
                self.image[id.index()] = Some(image);
            }
        }
        Ok(())
    }

    /// The name in the spec, for readers.
    fn name(&mut self, image: &Image, name: &str) {
        match image {
            Image::Real(v) => self.b.name(*v, name),
            Image::Pair(z) => {
                for (part, suffix) in [(z.re, ".re"), (z.im, ".im")] {
                    if let Some(v) = part {
                        self.b.name(v, &format!("{name}{suffix}"));
                    }
                }
            }
            Image::Scan(_) => {}
        }
    }

    fn complex(&self, v: ValueId) -> bool {
        self.func.ty(v).elem == Elem::Complex
    }

    fn real(&self, v: ValueId) -> Result<ValueId> {
        match &self.image[v.index()] {
            Some(Image::Real(v)) => Ok(*v),
            _ => Err(lost()),
        }
    }

    fn pair(&self, v: ValueId) -> Result<Pair> {
        match &self.image[v.index()] {
            Some(Image::Real(v)) => Ok(Pair::real(part(&self.b, *v))),
            Some(Image::Pair(z)) => Ok(*z),
            _ => Err(lost()),
        }
    }

    /// A result: real, or the parts side by side.
    fn whole(&mut self, v: ValueId) -> Result<ValueId> {
        if !self.complex(v) {
            return self.real(v);
        }
        let axes = &self.func.ty(v).axes;
        let z = self.pair(v)?;
        let re = pair::full(&mut self.b, z.re, axes)?;
        let im = pair::full(&mut self.b, z.im, axes)?;
        Ok(self.b.push(Op::Stack(parts_axis(axes)), &[re, im])?)
    }

    fn value(&mut self, id: ValueId) -> Result<Image> {
        let func = self.func;
        let args = func.args(id);
        match func.op(id) {
            Op::Scan(scan) => return scan::split(self, id, scan),
            Op::Proj(k) => {
                let Some(Image::Scan(s)) = self.image[args[0].index()].clone() else {
                    return Err(lost());
                };
                let complex = self.complex(id);
                return s.proj(&mut self.b, *k, complex);
            }
            _ => {}
        }
        if !self.complex(id) && !args.iter().any(|a| self.complex(*a)) && !trivial(func.op(id)) {
            let args = args.iter().map(|a| self.real(*a));
            let args = args.collect::<Result<Vec<_>>>()?;
            return Ok(Image::Real(self.b.copy(func.value(id), &args)?));
        }
        let z = self.split(id)?;
        if self.complex(id) {
            return Ok(Image::Pair(z));
        }
        let v = pair::full(&mut self.b, z.re, &func.ty(id).axes)?;
        Ok(Image::Real(v))
    }

    /// The parts of a value that is complex or has a complex operand.
    fn split(&mut self, id: ValueId) -> Result<Pair> {
        let func = self.func;
        let (op, args) = (func.op(id), func.args(id));
        let pairs = args.iter().map(|a| self.pair(*a));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        let axes = |k: usize| func.ty(args[k]).axes.as_slice();
        let b = &mut self.b;
        match op {
            Op::Map(f) => map::map(b, *f, &pairs),
            Op::Contract(over) => linear::contract(b, over, &pairs),
            Op::Reduce(ReduceOp::Prod, over) => linear::product(b, pairs[0], axes(0), over),
            // Parts may lack axes: there is nothing to do.
            Op::Expand(_) => Ok(pairs[0]),
            Op::Stack(_) => linear::stacked(b, op, &pairs),
            Op::Reduce(ReduceOp::Sum, _)
            | Op::Rename { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Patch { .. }
            | Op::Unpatch { .. }
            | Op::Flip(_)
            | Op::Shift { .. }
            | Op::Window { .. }
            | Op::Unwindow { .. }
            | Op::Pick { .. }
            | Op::Place { .. } => linear::moved(b, op, pairs[0], axes(0)),
            Op::Gather(_) | Op::ScatterAdd { .. } => {
                let index = self.real(args[1])?;
                linear::indexed(&mut self.b, op, pairs[0], axes(0), index)
            }
            Op::Conv { .. } | Op::ConvKernel { .. } => {
                linear::bilinear(b, op, (pairs[0], axes(0)), (pairs[1], axes(1)))
            }
            Op::Solve {
                row,
                col,
                transpose,
            } => {
                let system = (*row, *col, *transpose);
                linear::solve(b, system, (pairs[0], axes(0)), (pairs[1], axes(1)))
            }
            _ => Err(DeriveError(format!(
                "{} is not defined on complex numbers",
                crate::words::describe(op)
            ))),
        }
    }
}

/// Operations that mean nothing on real values.
fn trivial(op: &Op) -> bool {
    matches!(op, Op::Map(MapFn::Re | MapFn::Im | MapFn::Conj))
}

/// The kind of an input whose parts lie along `axis`.
fn kind(input: &Input, axis: Axis) -> Result<InputKind> {
    let InputKind::Param { init, decay } = &input.kind else {
        return Ok(input.kind.clone());
    };
    let zero = Init::Const(seqc_algebra::Num(0.0));
    let (re, im) = match init {
        Init::Apply(MapFn::Complex, parts) if parts.len() == 2 => {
            (parts[0].clone(), parts[1].clone())
        }
        other => (other.clone(), zero),
    };
    if complex_inside(&re) || complex_inside(&im) {
        return Err(DeriveError(format!(
            "parameter `{}` starts as a function of a complex number",
            input.name
        )));
    }
    // The coordinate of the imaginary part is 1. Draws are made for both places and one of them is taken.
    let init = Init::Apply(MapFn::Select, vec![Init::Coord(axis), im, re]);
    Ok(InputKind::Param {
        init,
        decay: *decay,
    })
}

fn complex_inside(init: &Init) -> bool {
    match init {
        Init::Apply(MapFn::Complex, _) => true,
        Init::Apply(_, parts) => parts.iter().any(complex_inside),
        _ => false,
    }
}
