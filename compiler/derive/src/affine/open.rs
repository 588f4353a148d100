//! Products and sums free of states, taken apart.

use super::expand::MOST_MONOMIALS;
use super::{Factor, How, Mono, scaled};
use seqc_algebra::{Axis, Func, MapFn, Op, ValueId};

/// A value as one monomial of its factors: products are split, negations and constants go to the scale. A quotient is
/// split where there is a product above or below; a vector over a number of its own stays one vector.
pub fn factors_of(func: &Func, v: ValueId) -> Mono {
    factors(func, v, How::Times)
}

/// What dividing by a value multiplies by, as one monomial.
pub fn divisors_of(func: &Func, v: ValueId) -> Mono {
    factors(func, v, How::Over)
}

fn factors(func: &Func, v: ValueId, how: How) -> Mono {
    let mut mono = Mono::free(1.0, vec![]);
    let mut stack = vec![(v, how)];
    while let Some((v, how)) = stack.pop() {
        let args = func.args(v);
        let each = args.iter().map(|a| (*a, how));
        match func.op(v) {
            Op::Const(n) if how == How::Times => mono.scale *= n.0,
            Op::Const(n) if n.0 != 0.0 => mono.scale /= n.0,
            Op::Map(MapFn::Mul) => stack.extend(each),
            Op::Contract(axes) if axes.is_empty() => stack.extend(each),
            Op::Map(MapFn::Div) if is_of_products(func, v) => {
                stack.extend([(args[0], how), (args[1], inverse(how))]);
            }
            Op::Map(MapFn::Neg) => {
                mono.scale = -mono.scale;
                stack.push((args[0], how));
            }
            _ => mono.factors.push(Factor::of(v, how)),
        }
    }
    mono.factors.sort();
    mono
}

fn inverse(how: How) -> How {
    match how {
        How::Times => How::Over,
        _ => How::Times,
    }
}

/// Is a product above or below, or a number below?
fn is_of_products(func: &Func, quotient: ValueId) -> bool {
    let is = |v: ValueId| match func.op(v) {
        Op::Map(MapFn::Mul | MapFn::Div | MapFn::Neg) => true,
        Op::Contract(over) => over.is_empty(),
        _ => false,
    };
    let args = func.args(quotient);
    is(args[0]) || is(args[1]) || matches!(func.op(args[1]), Op::Const(_))
}

/// The monomial with its sums distributed, of values that have axes for which `open` holds: `(k v + l w) g` is two.
pub fn opened(func: &Func, m: &Mono, open: &impl Fn(&[Axis]) -> bool) -> Vec<Mono> {
    let none = Mono {
        factors: vec![],
        ..m.clone()
    };
    (m.factors.iter()).fold(vec![none], |all, f| {
        let plain = f.how == How::Times && f.renamed.is_empty();
        let inner = if plain {
            summands(func, f.value, open)
        } else {
            vec![Mono::free(1.0, vec![f.clone()])]
        };
        times_each(&all, &inner)
    })
}

/// All products of one of each.
fn times_each(a: &[Mono], b: &[Mono]) -> Vec<Mono> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    let product = |(x, y): (&Mono, &Mono)| {
        let mut m = x.clone();
        m.scale *= y.scale;
        m.factors.extend(y.factors.iter().cloned());
        m
    };
    pairs.map(product).collect()
}

/// A value free of the state as a sum of products, as far down as `open` holds of the axes.
fn summands(func: &Func, v: ValueId, open: &impl Fn(&[Axis]) -> bool) -> Vec<Mono> {
    let whole = || vec![Mono::free(1.0, vec![Factor::of(v, How::Times)])];
    if let Op::Const(n) = func.op(v) {
        return vec![Mono::free(n.0, vec![])];
    }
    if !open(&func.ty(v).axes) {
        return whole();
    }
    let args = func.args(v);
    let mut all = match func.op(v) {
        Op::Map(MapFn::Add) => {
            let mut all = summands(func, args[0], open);
            all.extend(summands(func, args[1], open));
            all
        }
        Op::Map(MapFn::Sub) => {
            let mut all = summands(func, args[0], open);
            all.extend(scaled(summands(func, args[1], open), -1.0));
            all
        }
        Op::Map(MapFn::Neg) => scaled(summands(func, args[0], open), -1.0),
        Op::Map(MapFn::Div) => times_each(
            &summands(func, args[0], open),
            &[divisors_of(func, args[1])],
        ),
        Op::Map(MapFn::Mul) => times_each(
            &summands(func, args[0], open),
            &summands(func, args[1], open),
        ),
        Op::Contract(over) if over.is_empty() && !args.is_empty() => (args[1..].iter())
            .fold(summands(func, args[0], open), |all, a| {
                times_each(&all, &summands(func, *a, open))
            }),
        _ => return whole(),
    };
    if all.len() > MOST_MONOMIALS {
        return whole();
    }
    all.retain(|m| m.scale != 0.0);
    all
}
