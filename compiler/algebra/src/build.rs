//! The builder: the only way to make programs. It checks shapes, shares equal subexpressions and folds constants
//! that cost nothing to fold (x*1, x+0, empty contractions), so that laws can be written without care for them.

use crate::axis::{Axis, Sym};
use crate::func::{Elem, Func, Ty, Value, ValueId};
use crate::op::{Input, InputKind, MapFn, Num, Op, ReduceOp, Scan};
use crate::shape::{self, ShapeError};
use std::collections::HashMap;

#[derive(Default)]
pub struct Builder {
    func: Func,
    known: HashMap<(Op, Vec<ValueId>), ValueId>,
}

impl Builder {
    pub fn new(name: &str) -> Builder {
        Builder {
            func: Func {
                name: name.to_owned(),
                ..Func::default()
            },
            known: HashMap::new(),
        }
    }

    pub fn func(&self) -> &Func {
        &self.func
    }

    pub fn ty(&self, v: ValueId) -> &Ty {
        self.func.ty(v)
    }

    pub fn axes(&self, v: ValueId) -> &[Axis] {
        &self.func.ty(v).axes
    }

    pub fn has(&self, v: ValueId, axis: Axis) -> bool {
        self.func.ty(v).has(axis)
    }

    /// A new input; never shared, even if the name repeats.
    pub fn input(&mut self, name: &str, kind: InputKind, ty: Ty) -> ValueId {
        let name = Sym::new(name);
        let op = Op::Input(Input { name, kind });
        let id = self.add(Value {
            op,
            args: vec![],
            ty,
            name: Some(name),
        });
        self.func.params.push(id);
        id
    }

    /// Adds an operation; an existing equal one is returned instead.
    pub fn push(&mut self, op: Op, args: &[ValueId]) -> Result<ValueId, ShapeError> {
        if let Some(v) = self.simplify(&op, args) {
            return Ok(v);
        }
        let key = (op, args.to_vec());
        if let Some(v) = self.known.get(&key) {
            return Ok(*v);
        }
        let ty = shape::infer(&self.func, &key.0, args)?;
        let id = self.add(Value {
            op: key.0.clone(),
            args: key.1.clone(),
            ty,
            name: None,
        });
        self.known.insert(key, id);
        Ok(id)
    }

    fn add(&mut self, value: Value) -> ValueId {
        let id = ValueId(self.func.values.len() as u32);
        self.func.values.push(value);
        id
    }

    /// Names a value for readers; the first name stays.
    pub fn name(&mut self, v: ValueId, name: &str) {
        self.func.values[v.index()]
            .name
            .get_or_insert(Sym::new(name));
    }

    pub fn result(&mut self, name: &str, v: ValueId) {
        self.func.results.push((name.to_owned(), v));
    }

    pub fn finish(self) -> Func {
        self.func
    }

    /// The constant a value is, if it is one.
    pub fn constant(&self, v: ValueId) -> Option<f64> {
        match self.func.op(v) {
            Op::Const(Num(x)) => Some(*x),
            _ => None,
        }
    }

    /// Rewrites that only remove work and keep the type. Adding 0 or multiplying by 1 may drop an argument only
    /// when the other already has every axis: constants are scalars, so it always has.
    fn simplify(&self, op: &Op, args: &[ValueId]) -> Option<ValueId> {
        let is = |v: ValueId, x: f64| self.constant(v) == Some(x);
        match (op, args) {
            (Op::Map(MapFn::Add), &[a, b]) if is(b, 0.0) => Some(a),
            (Op::Map(MapFn::Add), &[a, b]) if is(a, 0.0) => Some(b),
            (Op::Map(MapFn::Sub), &[a, b]) if is(b, 0.0) => Some(a),
            (Op::Map(MapFn::Mul), &[a, b]) if is(b, 1.0) => Some(a),
            (Op::Map(MapFn::Mul), &[a, b]) if is(a, 1.0) => Some(b),
            (Op::Map(MapFn::Div), &[a, b]) if is(b, 1.0) => Some(a),
            (Op::Contract(axes), &[a]) if axes.is_empty() => Some(a),
            (Op::Reduce(ReduceOp::Sum, axes), &[a]) if axes.is_empty() => Some(a),
            (Op::Expand(axes), &[a]) if axes.is_empty() => Some(a),
            (Op::Rename { from, to }, &[a]) if from == to => Some(a),
            (Op::Shift { by: 0, .. }, &[a]) => Some(a),
            _ => None,
        }
    }

    pub fn num(&mut self, x: f64) -> ValueId {
        let op = Op::Const(Num(x));
        if let Some(v) = self.known.get(&(op.clone(), vec![])) {
            return *v;
        }
        let id = self.add(Value {
            op: op.clone(),
            args: vec![],
            ty: Ty::real(vec![]),
            name: None,
        });
        self.known.insert((op, vec![]), id);
        id
    }

    pub fn map1(&mut self, f: MapFn, a: ValueId) -> Result<ValueId, ShapeError> {
        self.push(Op::Map(f), &[a])
    }

    pub fn map2(&mut self, f: MapFn, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.push(Op::Map(f), &[a, b])
    }

    pub fn add2(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.map2(MapFn::Add, a, b)
    }

    pub fn sub(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.map2(MapFn::Sub, a, b)
    }

    pub fn mul(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.map2(MapFn::Mul, a, b)
    }

    pub fn div(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.map2(MapFn::Div, a, b)
    }

    pub fn neg(&mut self, a: ValueId) -> Result<ValueId, ShapeError> {
        self.map1(MapFn::Neg, a)
    }

    pub fn select(&mut self, c: ValueId, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
        self.push(Op::Map(MapFn::Select), &[c, a, b])
    }

    pub fn sum(&mut self, axes: &[Axis], a: ValueId) -> Result<ValueId, ShapeError> {
        self.push(Op::Reduce(ReduceOp::Sum, axes.to_vec()), &[a])
    }

    /// `Σ_axes Π args`.
    pub fn contract(&mut self, axes: &[Axis], args: &[ValueId]) -> Result<ValueId, ShapeError> {
        self.push(Op::Contract(axes.to_vec()), args)
    }

    pub fn iota(&mut self, axis: Axis) -> Result<ValueId, ShapeError> {
        self.push(Op::Iota(axis), &[])
    }

    pub fn rename(&mut self, a: ValueId, from: Axis, to: Axis) -> Result<ValueId, ShapeError> {
        self.push(Op::Rename { from, to }, &[a])
    }

    pub fn shift(&mut self, a: ValueId, axis: Axis, by: i64) -> Result<ValueId, ShapeError> {
        self.push(Op::Shift { axis, by }, &[a])
    }

    pub fn expand(&mut self, a: ValueId, axes: &[Axis]) -> Result<ValueId, ShapeError> {
        self.push(Op::Expand(axes.to_vec()), &[a])
    }

    /// The value with those of the axes that it lacks.
    pub fn fill(&mut self, a: ValueId, axes: &[Axis]) -> Result<ValueId, ShapeError> {
        let lacks: Vec<Axis> = axes.iter().copied().filter(|x| !self.has(a, *x)).collect();
        self.expand(a, &lacks)
    }

    /// The value with the axes of the type that it lacks, complex if the type is.
    pub fn fill_as(&mut self, mut a: ValueId, ty: &Ty) -> Result<ValueId, ShapeError> {
        if ty.elem == Elem::Complex && self.elem(a) != Elem::Complex {
            let zero = self.num(0.0);
            a = self.map2(MapFn::Complex, a, zero)?;
        }
        self.fill(a, &ty.axes)
    }

    /// A number at every position of a type.
    pub fn everywhere(&mut self, x: f64, ty: &Ty) -> Result<ValueId, ShapeError> {
        let x = self.num(x);
        self.fill_as(x, ty)
    }

    /// Adds a scan and returns one value per entry of `outs`.
    pub fn scan(&mut self, scan: Scan, args: &[ValueId]) -> Result<Vec<ValueId>, ShapeError> {
        let n = scan.outs.len();
        let loop_ = self.push(Op::Scan(Box::new(scan)), args)?;
        (0..n).map(|k| self.push(Op::Proj(k), &[loop_])).collect()
    }

    /// Copies a value of another program whose arguments already have images; keeps its name.
    pub fn copy(&mut self, from: &Value, args: &[ValueId]) -> Result<ValueId, ShapeError> {
        let id = match &from.op {
            Op::Input(input) => {
                let id = self.add(Value {
                    op: Op::Input(input.clone()),
                    args: vec![],
                    ty: from.ty.clone(),
                    name: from.name,
                });
                self.func.params.push(id);
                id
            }
            op => self.push(op.clone(), args)?,
        };
        if let Some(name) = from.name {
            self.name(id, name.as_str());
        }
        Ok(id)
    }

    /// Copies all live values of `from`, with images for some given; returns the images of all values.
    pub fn inline(
        &mut self,
        from: &Func,
        given: &HashMap<ValueId, ValueId>,
    ) -> Result<Vec<Option<ValueId>>, ShapeError> {
        let live = from.live();
        let mut image: Vec<Option<ValueId>> = vec![None; from.values.len()];
        for id in from.ids() {
            if let Some(v) = given.get(&id) {
                image[id.index()] = Some(*v);
            } else if live[id.index()] {
                let args: Option<Vec<ValueId>> =
                    from.args(id).iter().map(|a| image[a.index()]).collect();
                if let Some(args) = args {
                    image[id.index()] = Some(self.copy(from.value(id), &args)?);
                }
            }
        }
        Ok(image)
    }

    pub fn elem(&self, v: ValueId) -> Elem {
        self.func.ty(v).elem
    }
}
