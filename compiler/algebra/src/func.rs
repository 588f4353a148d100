//! Programs: values in an arena, in topological order.

use crate::axis::Axis;
use crate::looks::look;
use crate::op::{Input, MapFn, Num, Op};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

impl ValueId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Element kind. `Int` is a storage hint of inputs (tokens, indices); arithmetic is on real or complex numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elem {
    Real,
    Int,
    Complex,
}

/// A type: element kind and axes. Axis order is the default layout (row-major); it carries no meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ty {
    pub elem: Elem,
    pub axes: Vec<Axis>,
}

impl Ty {
    pub fn real(axes: impl Into<Vec<Axis>>) -> Ty {
        Ty {
            elem: Elem::Real,
            axes: axes.into(),
        }
    }

    pub fn has(&self, axis: Axis) -> bool {
        self.axes.contains(&axis)
    }

    /// The type of one position along an axis: of a step's share of a sequence.
    pub fn without(&self, axis: Axis) -> Ty {
        Ty {
            elem: self.elem,
            axes: self.axes.iter().copied().filter(|a| *a != axis).collect(),
        }
    }

    /// Same element kind and same set of axes.
    pub fn same(&self, other: &Ty) -> bool {
        self.elem == other.elem
            && self.axes.len() == other.axes.len()
            && self.axes.iter().all(|a| other.has(*a))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    pub op: Op,
    pub args: Vec<ValueId>,
    /// For a `Scan`: unused (its results' types are those of its `Proj`s).
    pub ty: Ty,
    /// The name it has in the spec, if any: for readers and diagnostics only.
    pub name: Option<crate::axis::Sym>,
}

/// A program. Arguments of a value come before it. `params` are `Op::Input` values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Func {
    pub name: String,
    pub params: Vec<ValueId>,
    pub values: Vec<Value>,
    pub results: Vec<(String, ValueId)>,
}

impl Func {
    pub fn value(&self, id: ValueId) -> &Value {
        look(1);
        &self.values[id.index()]
    }

    /// The number that a value is at every position, if it is one.
    pub fn everywhere(&self, v: ValueId) -> Option<f64> {
        let args = self.args(v);
        match self.op(v) {
            Op::Const(Num(x)) => Some(*x),
            Op::Expand(_) => self.everywhere(args[0]),
            Op::Map(MapFn::Complex) if self.everywhere(args[1]) == Some(0.0) => {
                self.everywhere(args[0])
            }
            _ => None,
        }
    }

    pub fn ty(&self, id: ValueId) -> &Ty {
        &self.value(id).ty
    }

    pub fn op(&self, id: ValueId) -> &Op {
        &self.value(id).op
    }

    pub fn args(&self, id: ValueId) -> &[ValueId] {
        &self.value(id).args
    }

    pub fn input(&self, id: ValueId) -> Option<&Input> {
        match self.op(id) {
            Op::Input(input) => Some(input),
            _ => None,
        }
    }

    pub fn result(&self, name: &str) -> Option<ValueId> {
        self.results
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| *v)
    }

    /// Ids in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = ValueId> + use<> {
        look(self.values.len());
        (0..self.values.len() as u32).map(ValueId)
    }

    /// Ids in topological order, without the first so many.
    pub fn ids_from(&self, first: usize) -> impl DoubleEndedIterator<Item = ValueId> + use<> {
        look(self.values.len().saturating_sub(first));
        (first as u32..self.values.len() as u32).map(ValueId)
    }

    /// Which values the results need.
    pub fn live(&self) -> Vec<bool> {
        self.needed(self.results.iter().map(|(_, v)| *v))
    }

    /// Which values the roots need, themselves included.
    pub fn needed(&self, roots: impl IntoIterator<Item = ValueId>) -> Vec<bool> {
        let mut needed = vec![false; self.values.len()];
        for v in roots {
            needed[v.index()] = true;
        }
        for id in self.ids().rev() {
            if needed[id.index()] {
                for a in self.args(id) {
                    needed[a.index()] = true;
                }
            }
        }
        needed
    }

    /// For each value, the live values that use it, in order (a value twice if it uses it twice).
    pub fn users(&self) -> Vec<Vec<ValueId>> {
        let live = self.live();
        let mut users = vec![Vec::new(); self.values.len()];
        for id in self.ids().filter(|id| live[id.index()]) {
            for a in self.args(id) {
                users[a.index()].push(id);
            }
        }
        users
    }
}
