//! What values are at memories where a mask has one and the same number.

use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ValueId, interp};
use std::collections::HashMap;

/// A number, or what some value is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    Num(f64),
    Same(ValueId),
}

/// The values of a program, folded where some are numbers.
pub(super) struct Folded(HashMap<ValueId, At>);

impl Folded {
    /// Outside of the loop: the mask is `number`, and what has no memories is what it is.
    pub fn outside(func: &Func, mask: ValueId, memory: Axis, number: f64) -> Folded {
        let axes = &func.ty(mask).axes;
        let known = |v: ValueId| match v == mask {
            true => Some(At::Num(number)),
            false => (!func.ty(v).has(memory)).then_some(At::Same(v)),
        };
        Folded::new(func, axes, &known)
    }

    /// Each value of the program at one position of the mask's axes; `known` says what some of them are.
    pub fn new(func: &Func, axes: &[Axis], known: &dyn Fn(ValueId) -> Option<At>) -> Folded {
        let mut all = Folded(HashMap::new());
        let live = func.live();
        for v in func.ids().filter(|v| live[v.index()]) {
            let constant = func.everywhere(v).map(At::Num);
            let at = constant.or_else(|| known(v));
            let at = at.unwrap_or_else(|| all.fold(func, v, axes));
            all.0.insert(v, at);
        }
        all
    }

    pub fn at(&self, v: ValueId) -> At {
        self.0.get(&v).copied().unwrap_or(At::Same(v))
    }

    pub fn number(&self, v: ValueId) -> Option<f64> {
        match self.at(v) {
            At::Num(x) => Some(x),
            At::Same(_) => None,
        }
    }

    fn fold(&self, func: &Func, v: ValueId, axes: &[Axis]) -> At {
        let args = func.args(v);
        let folded = match func.op(v) {
            Op::Map(f) => self.map(*f, args),
            Op::Expand(_) => self.number(args[0]).map(At::Num),
            // A sum over the mask's axes counts other positions too.
            Op::Contract(over) if !over.iter().any(|a| axes.contains(a)) => {
                (args.iter().any(|a| self.number(*a) == Some(0.0))).then_some(At::Num(0.0))
            }
            _ => None,
        };
        folded.unwrap_or(At::Same(v))
    }

    fn map(&self, f: MapFn, args: &[ValueId]) -> Option<At> {
        let is = |k: usize, x: f64| self.number(args[k]) == Some(x);
        match f {
            MapFn::Select => {
                let c = self.number(args[0])?;
                return Some(self.at(args[if c != 0.0 { 1 } else { 2 }]));
            }
            MapFn::Mul if is(0, 0.0) || is(1, 0.0) => return Some(At::Num(0.0)),
            MapFn::Div if is(0, 0.0) => return Some(At::Num(0.0)),
            MapFn::And if is(0, 0.0) || is(1, 0.0) => return Some(At::Num(0.0)),
            MapFn::Mul if is(0, 1.0) => return Some(self.at(args[1])),
            MapFn::Add if is(0, 0.0) => return Some(self.at(args[1])),
            MapFn::Mul | MapFn::Div | MapFn::Pow if is(1, 1.0) => return Some(self.at(args[0])),
            MapFn::Add | MapFn::Sub if is(1, 0.0) => return Some(self.at(args[0])),
            _ => {}
        }
        let numbers: Option<Vec<f64>> = args.iter().map(|a| self.number(*a)).collect();
        Some(At::Num(evaluated(f, &numbers?)?))
    }
}

/// The function of numbers.
fn evaluated(f: MapFn, args: &[f64]) -> Option<f64> {
    let mut b = Builder::new("number");
    let args: Vec<ValueId> = args.iter().map(|x| b.num(*x)).collect();
    let v = b.push(Op::Map(f), &args).ok()?;
    b.result("y", v);
    let all = interp::run(&b.finish(), &HashMap::new(), &HashMap::new()).ok()?;
    all.first()?.1.as_real()?.first().copied()
}
