//! Elementary functions as polynomial expansions over scalars or vectors of f32; of angles, in f64.
//!
//! Each becomes one private function per vector width, which LLVM inlines; none calls a library, so a vector
//! of arguments costs a few instructions a lane. Relative error is below about 2e-7; infinities, NaN and signed
//! arguments behave as in C, except that a denormal result may be zero and the sign of a zero may be lost.

mod erf;
mod exp;
mod log;
mod pow;
mod tanh;
mod trig;

use crate::text::{Fun, Helpers, Of, Ty, Value};
use seqc_schedule::ir::Unary;

type Body = fn(&mut Fun, &Value) -> Value;

/// Prints `sin` or `cos` of an f64 value, as an f32.
pub fn turned(f: &mut Fun, helpers: &mut Helpers, op: Unary, x: &Value) -> Value {
    let (name, body): (&str, Body) = match op {
        Unary::Sin => ("sin", trig::sin),
        _ => ("cos", trig::cos),
    };
    called(f, helpers, name, body, x, Of::F32)
}

/// Prints a function of an f64 value, as an f64: those that angles are made of.
pub fn unary_f64(f: &mut Fun, helpers: &mut Helpers, op: Unary, x: &Value) -> Value {
    match op {
        Unary::Exp => called(f, helpers, "exp", exp::exp_f64, x, Of::F64),
        op => unary(f, helpers, op, x),
    }
}

/// Prints a unary function of an f32 value.
pub fn unary(f: &mut Fun, helpers: &mut Helpers, op: Unary, x: &Value) -> Value {
    let (name, body): (&str, Body) = match op {
        Unary::Single => return x.clone(),
        Unary::Neg => return f.unary("arith.negf", x),
        Unary::Abs => return f.unary("math.absf", x),
        Unary::Sqrt => return f.unary("math.sqrt", x),
        Unary::Floor => return f.unary("math.floor", x),
        Unary::Sign => return sign(f, x),
        Unary::Exp => ("exp", exp::exp),
        Unary::Expm1 => ("expm1", exp::expm1),
        Unary::Log => ("log", log::log),
        Unary::Log1p => ("log1p", log::log1p),
        Unary::Sin | Unary::Cos => {
            let x = f.cast("arith.extf", x, Of::F64);
            return turned(f, helpers, op, &x);
        }
        Unary::Tanh => ("tanh", tanh::tanh),
        Unary::Erf => ("erf", erf::erf),
    };
    called(f, helpers, name, body, x, x.ty.of)
}

/// A call of a function of one argument, which is printed once for each width.
fn called(
    f: &mut Fun,
    helpers: &mut Helpers,
    name: &str,
    body: Body,
    x: &Value,
    gives: Of,
) -> Value {
    let ty = x.ty;
    let name = symbol(name, ty);
    helpers.need(&name, |_| {
        let mut g = Fun::new();
        let y = body(&mut g, &Value::new("%x", ty));
        function(g, &name, &["%x"], ty, &y)
    });
    f.call(&name, std::slice::from_ref(x), ty.with(gives))
}

/// Prints `x` to the power `y`.
pub fn pow(f: &mut Fun, helpers: &mut Helpers, x: &Value, y: &Value) -> Value {
    let ty = x.ty;
    let name = symbol("pow", ty);
    helpers.need(&name, |_| {
        let mut g = Fun::new();
        let r = pow::pow(&mut g, &Value::new("%x", ty), &Value::new("%y", ty));
        function(g, &name, &["%x", "%y"], ty, &r)
    });
    f.call(&name, &[x.clone(), y.clone()], ty)
}

fn symbol(name: &str, ty: Ty) -> String {
    match ty.lanes {
        1 => format!("{name}_{}", ty.of),
        n => format!("{name}_{n}x{}", ty.of),
    }
}

fn function(g: Fun, name: &str, args: &[&str], ty: Ty, result: &Value) -> String {
    let params: Vec<String> = args.iter().map(|a| format!("{a}: {ty}")).collect();
    let header = format!(
        "func.func private @{name}({}) -> {} attributes {{llvm.linkage = #llvm.linkage<internal>, passthrough = [\"alwaysinline\", \"nounwind\"]}}",
        params.join(", "),
        result.ty
    );
    g.finish(&header, &format!("return {result} : {}", result.ty))
}

/// -1, 0 or 1; zero and NaN stay what they are.
fn sign(f: &mut Fun, x: &Value) -> Value {
    let (zero, one, minus) = (f.float(x.ty, 0.0), f.float(x.ty, 1.0), f.float(x.ty, -1.0));
    let below = f.cmp("olt", x, &zero);
    let above = f.cmp("ogt", x, &zero);
    let r = f.select(&below, &minus, x);
    f.select(&above, &one, &r)
}

/// `x` moved into `[lo, hi]`; NaN stays.
fn clamp(f: &mut Fun, x: &Value, lo: f64, hi: f64) -> Value {
    let (lo, hi) = (f.float(x.ty, lo), f.float(x.ty, hi));
    let over = f.cmp("ogt", x, &hi);
    let x = f.select(&over, &hi, x);
    let under = f.cmp("olt", &x, &lo);
    f.select(&under, &lo, &x)
}

/// The nearest integer to `x·c`, as a float and as an i32, by adding 1.5·2^23: the integer then stands in the
/// low bits of the sum. For |x·c| < 2^22.
fn nearest(f: &mut Fun, x: &Value, c: f64) -> (Value, Value) {
    let magic = f.float(x.ty, 12582912.0);
    let c = f.float(x.ty, c);
    let sum = f.fma(x, &c, &magic);
    let n = f.sub(&sum, &magic);
    let bits = f.cast("arith.bitcast", &sum, Of::I32);
    let offset = f.int(bits.ty, 0x4B40_0000);
    (n, f.sub(&bits, &offset))
}
