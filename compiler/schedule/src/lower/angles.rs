//! Angles that positions enter: they grow with the length, and the cosine of one that was rounded to f32 at its own size
//! is off by as much. Back ends compute what is written under a `sin` or `cos` in f64 ([`crate::angle`]); so that
//! it stands there, such a value is not stored, nor are the frequencies that constants alone make.

use super::choose::is_view;
use seqc_algebra::{Func, InputKind, MapFn, Op, ValueId};

/// The values that angles are made of.
pub(crate) struct Angles {
    /// Those that positions enter, or that constants alone make.
    pub inside: Vec<bool>,
    /// What else is computed: a frequency that data makes counts as the f32 that it would be if it were stored.
    pub leaves: Vec<bool>,
}

pub(crate) fn angles(func: &Func) -> Angles {
    let (wanted, made) = (under_turns(func), made(func));
    let computed = |v: ValueId| !matches!(func.op(v), Op::Input(_));
    let of = |is: &dyn Fn(ValueId) -> bool| {
        let all = func.ids().map(|v| wanted[v.index()] && is(v));
        all.collect::<Vec<bool>>()
    };
    Angles {
        inside: of(&|v| made[v.index()]),
        leaves: of(&|v| !made[v.index()] && computed(v)),
    }
}

/// Values that stand in the argument of a `sin` or `cos`, in the body of a loop too.
fn under_turns(func: &Func) -> Vec<bool> {
    let mut under = vec![false; func.values.len()];
    for v in func.ids().rev() {
        let args = func.args(v);
        match func.op(v) {
            Op::Map(MapFn::Sin | MapFn::Cos) => under[args[0].index()] = true,
            Op::Scan(scan) => {
                let inner = under_turns(&scan.body);
                for (a, p) in args.iter().zip(&scan.body.params[1..]) {
                    under[a.index()] |= inner[p.index()];
                }
            }
            op if under[v.index()] && (is_arithmetic(op) || is_view(op)) => {
                args.iter().for_each(|a| under[a.index()] = true);
            }
            _ => {}
        }
    }
    under
}

/// What back ends compute in f64.
fn is_arithmetic(op: &Op) -> bool {
    use MapFn::{Abs, Add, Div, Exp, Floor, Max, Min, Mul, Neg, Pow, Rem, Sqrt, Stop, Sub};
    match op {
        Op::Contract(over) => over.is_empty(),
        Op::Map(f) => matches!(
            f,
            Add | Sub | Mul | Div | Neg | Exp | Pow | Sqrt | Abs | Floor | Max | Min | Rem | Stop
        ),
        _ => false,
    }
}

/// Values that a position enters, or no input at all.
fn made(func: &Func) -> Vec<bool> {
    let n = func.values.len();
    let (mut moves, mut constant) = (vec![false; n], vec![true; n]);
    for v in func.ids() {
        let i = v.index();
        let args = func.args(v);
        match func.op(v) {
            Op::Iota(_) | Op::Length(_) => moves[i] = true,
            // A position within a loop.
            Op::Input(input) => {
                moves[i] = input.kind == InputKind::Formal && func.params.first() == Some(&v);
                constant[i] = false;
            }
            Op::Scan(_) => constant[i] = false,
            _ => {
                moves[i] = args.iter().any(|a| moves[a.index()]);
                constant[i] = args.iter().all(|a| constant[a.index()]);
            }
        }
    }
    (0..n).map(|i| moves[i] || constant[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{Axis, Builder, Ty};

    /// `cos(w t 10000^(-range(m) / m))`: all but the parameter; `t` behind a table lookup is no angle's.
    #[test]
    fn what_is_made_of_positions_and_constants_stays_under_its_cosine() {
        let m = Axis::new("m", 4);
        let mut b = Builder::new("p");
        let w = b.input("w", InputKind::Data, Ty::real(vec![m]));
        let (t, r) = (b.iota(Axis::time()).unwrap(), b.iota(m).unwrap());
        let (base, four) = (b.num(1e4), b.num(-4.0));
        let exponent = b.div(r, four).unwrap();
        let frequency = b.map2(MapFn::Pow, base, exponent).unwrap();
        let rate = b.mul(w, frequency).unwrap();
        let angle = b.mul(rate, t).unwrap();
        let plain = b.map1(MapFn::Exp, rate).unwrap();
        let turned = b.map1(MapFn::Cos, angle).unwrap();
        let out = b.mul(turned, plain).unwrap();
        b.result("y", out);
        let f = b.finish();
        let found = angles(&f);
        for v in [t, r, exponent, frequency, rate, angle] {
            assert!(found.inside[v.index()], "%{}", v.0);
        }
        for v in [w, plain, turned, out] {
            assert!(!found.inside[v.index()], "%{}", v.0);
        }
        assert!(!found.leaves.contains(&true));
    }
}
