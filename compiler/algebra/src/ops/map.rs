//! Pointwise functions: operands broadcast by axis name into the result's layout.

use super::{Place, Result, by_kind, numbers, special};
use crate::complex::{C64, Scalar};
use crate::exact::Exact;
use crate::op::MapFn;
use crate::tensor::{Data, Kind, Tensor, strides, walk};
use std::rc::Rc;

/// `f` of the operands, over the union of their axes.
pub fn eval(f: MapFn, args: &[Rc<Tensor>], to: Place) -> Result<Tensor> {
    match (f, args) {
        (MapFn::Select, [c, a, b]) => select(c, a, b, to),
        (_, [a]) => unary(f, a, to),
        (_, [a, b]) => binary(f, a, b, to),
        _ => Err(format!("{f:?} of {} operands", args.len())),
    }
}

fn unary(f: MapFn, a: &Tensor, to: Place) -> Result<Tensor> {
    let a = a.ordered(to.axes)?;
    match &a.data {
        Data::Real(d) => unary_real(f, d, to),
        Data::Complex(d) => unary_complex(f, d, to),
        Data::Exact(d) => {
            let all = d.iter().map(|x| Exact::map(f, *x)).collect::<Result<_>>()?;
            Ok(to.tensor::<Exact>(all))
        }
    }
}

fn unary_real(f: MapFn, d: &[f64], to: Place) -> Result<Tensor> {
    use MapFn::*;
    fn each(d: &[f64], to: Place, g: impl Fn(f64) -> f64) -> Result<Tensor> {
        Ok(to.tensor::<f64>(d.iter().map(|x| g(*x)).collect()))
    }
    match f {
        Neg => each(d, to, |x| -x),
        Abs => each(d, to, f64::abs),
        Sign => each(d, to, special::sign),
        Floor => each(d, to, f64::floor),
        Exp => each(d, to, f64::exp),
        Expm1 => each(d, to, f64::exp_m1),
        Log => each(d, to, f64::ln),
        Log1p => each(d, to, f64::ln_1p),
        Sqrt => each(d, to, f64::sqrt),
        Sin => each(d, to, f64::sin),
        Cos => each(d, to, f64::cos),
        Tanh => each(d, to, f64::tanh),
        Sigmoid => each(d, to, special::sigmoid),
        LogSigmoid => each(d, to, special::log_sigmoid),
        Softplus => each(d, to, special::softplus),
        Erf => each(d, to, special::erf),
        Stop | Re | Conj => each(d, to, |x| x),
        Im => each(d, to, |_| 0.0),
        Not => each(d, to, |x| f64::from(x == 0.0)),
        BitLen => each(d, to, special::bit_len),
        _ => Err(format!("{f:?} takes more than one operand")),
    }
}

fn unary_complex(f: MapFn, d: &[C64], to: Place) -> Result<Tensor> {
    use MapFn::*;
    fn each<O: Scalar>(d: &[C64], to: Place, g: impl Fn(C64) -> O) -> Result<Tensor> {
        Ok(to.tensor::<O>(d.iter().map(|x| g(*x)).collect()))
    }
    match f {
        Neg => each(d, to, |x| -x),
        Abs => each(d, to, C64::abs),
        Exp => each(d, to, C64::exp),
        Log => each(d, to, C64::log),
        Sqrt => each(d, to, C64::sqrt),
        Sin => each(d, to, C64::sin),
        Cos => each(d, to, C64::cos),
        Stop => each(d, to, |x| x),
        Re => each(d, to, |x| x.re),
        Im => each(d, to, |x| x.im),
        Conj => each(d, to, C64::conj),
        _ => Err(format!("{f:?} is not defined on complex numbers")),
    }
}

fn binary(f: MapFn, a: &Tensor, b: &Tensor, to: Place) -> Result<Tensor> {
    if a.kind().max(b.kind()) == Kind::Exact {
        return binary_exact(f, &*a.to_exact()?, &*b.to_exact()?, to);
    }
    if f == MapFn::Complex {
        return zip(a, b, to, |x: f64, y: f64| C64::new(x, y));
    }
    if a.is_complex() || b.is_complex() {
        return binary_complex(f, &a.to_complex(), &b.to_complex(), to);
    }
    use MapFn::*;
    fn z(a: &Tensor, b: &Tensor, to: Place, f: impl Fn(f64, f64) -> f64) -> Result<Tensor> {
        zip(a, b, to, f)
    }
    match f {
        Add => z(a, b, to, |x, y| x + y),
        Sub => z(a, b, to, |x, y| x - y),
        Mul => z(a, b, to, |x, y| x * y),
        Div => z(a, b, to, |x, y| x / y),
        Max => z(a, b, to, special::max),
        Min => z(a, b, to, special::min),
        Pow => z(a, b, to, f64::powf),
        Rem => z(a, b, to, special::rem),
        Lt => z(a, b, to, |x, y| f64::from(x < y)),
        Le => z(a, b, to, |x, y| f64::from(x <= y)),
        Gt => z(a, b, to, |x, y| f64::from(x > y)),
        Ge => z(a, b, to, |x, y| f64::from(x >= y)),
        Eq => z(a, b, to, |x, y| f64::from(x == y)),
        Ne => z(a, b, to, |x, y| f64::from(x != y)),
        And => z(a, b, to, |x, y| f64::from(x != 0.0 && y != 0.0)),
        Or => z(a, b, to, |x, y| f64::from(x != 0.0 || y != 0.0)),
        Xor => z(a, b, to, special::xor),
        Hash => z(a, b, to, special::hash),
        _ => Err(format!("{f:?} does not take two operands")),
    }
}

fn binary_exact(f: MapFn, a: &Tensor, b: &Tensor, to: Place) -> Result<Tensor> {
    use MapFn::*;
    if matches!(f, Lt | Le | Gt | Ge | Eq | Ne) {
        return zip(a, b, to, |x, y| f64::from(Exact::compare(f, x, y)));
    }
    let wrong = std::cell::RefCell::new(None);
    let made = zip(a, b, to, |x, y| {
        Exact::map2(f, x, y).unwrap_or_else(|e| {
            wrong.replace(Some(e));
            Exact::ZERO
        })
    })?;
    wrong.into_inner().map_or(Ok(made), Err)
}

fn binary_complex(f: MapFn, a: &Tensor, b: &Tensor, to: Place) -> Result<Tensor> {
    use MapFn::*;
    fn z(a: &Tensor, b: &Tensor, to: Place, f: impl Fn(C64, C64) -> C64) -> Result<Tensor> {
        zip(a, b, to, f)
    }
    match f {
        Add => z(a, b, to, |x, y| x + y),
        Sub => z(a, b, to, |x, y| x - y),
        Mul => z(a, b, to, |x, y| x * y),
        Div => z(a, b, to, C64::over),
        Pow => z(a, b, to, C64::pow),
        _ => Err(format!("{f:?} is not defined on complex numbers")),
    }
}

/// Two operands into one result, run by run; the common strides get their own loops.
pub fn zip<A, B, O>(a: &Tensor, b: &Tensor, to: Place, f: impl Fn(A, B) -> O) -> Result<Tensor>
where
    A: Scalar,
    B: Scalar,
    O: Scalar,
{
    let (x, y) = (numbers::<A>(a)?, numbers::<B>(b)?);
    let mut out = to.fresh(O::ZERO)?;
    let own = crate::tensor::row_major(to.shape);
    let (sa, sb) = (
        strides(&a.axes, &a.shape, to.axes),
        strides(&b.axes, &b.shape, to.axes),
    );
    walk(
        to.shape,
        [&own, &sa, &sb],
        [0, 0, 0],
        |[o, p, q], n, [_, i, j]| {
            let out = &mut out[o as usize..o as usize + n];
            let (p, q) = (p as usize, q as usize);
            match (i, j) {
                (1, 1) => {
                    for ((o, x), y) in out.iter_mut().zip(&x[p..p + n]).zip(&y[q..q + n]) {
                        *o = f(*x, *y);
                    }
                }
                (1, 0) => {
                    let y = y[q];
                    for (o, x) in out.iter_mut().zip(&x[p..p + n]) {
                        *o = f(*x, y);
                    }
                }
                (0, 1) => {
                    let x = x[p];
                    for (o, y) in out.iter_mut().zip(&y[q..q + n]) {
                        *o = f(x, *y);
                    }
                }
                _ => {
                    for (k, o) in out.iter_mut().enumerate() {
                        *o = f(
                            x[p.wrapping_add_signed(k as isize * i)],
                            y[q.wrapping_add_signed(k as isize * j)],
                        );
                    }
                }
            }
        },
    );
    Ok(to.tensor(out))
}

fn select(c: &Tensor, a: &Tensor, b: &Tensor, to: Place) -> Result<Tensor> {
    let (a, b) = super::alike(a, b)?;
    by_kind!(a, S => choose::<S>(c, &a, &b, to))
}

fn choose<S: Scalar>(c: &Tensor, a: &Tensor, b: &Tensor, to: Place) -> Result<Tensor> {
    let cond = super::real(c, "a condition")?;
    let (x, y) = (numbers::<S>(a)?, numbers::<S>(b)?);
    let mut out = to.fresh(S::ZERO)?;
    let own = crate::tensor::row_major(to.shape);
    let st = |t: &Tensor| strides(&t.axes, &t.shape, to.axes);
    walk(
        to.shape,
        [&own, &st(c), &st(a), &st(b)],
        [0; 4],
        |[o, c, p, q], n, [_, k, i, j]| {
            for (m, o) in out[o as usize..o as usize + n].iter_mut().enumerate() {
                let m = m as isize;
                let yes = cond[(c + m * k) as usize] != 0.0;
                *o = if yes {
                    x[(p + m * i) as usize]
                } else {
                    y[(q + m * j) as usize]
                };
            }
        },
    );
    Ok(to.tensor(out))
}
