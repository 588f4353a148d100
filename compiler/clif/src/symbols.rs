//! Elementary functions that generated code calls, one number at a time: those of the platform's math library. Angles
//! are f64, and what they are made of.

use cranelift::prelude::{Type, types};
use seqc_schedule::ir::Unary;

extern "C" fn exp(x: f32) -> f32 {
    x.exp()
}
extern "C" fn expm1(x: f32) -> f32 {
    x.exp_m1()
}
extern "C" fn log(x: f32) -> f32 {
    x.ln()
}
extern "C" fn log1p(x: f32) -> f32 {
    x.ln_1p()
}
extern "C" fn sin(x: f64) -> f32 {
    x.sin() as f32
}
extern "C" fn cos(x: f64) -> f32 {
    x.cos() as f32
}
extern "C" fn tanh(x: f32) -> f32 {
    x.tanh()
}
extern "C" fn erf(x: f32) -> f32 {
    libm::erff(x)
}
extern "C" fn pow(x: f32, y: f32) -> f32 {
    x.powf(y)
}
extern "C" fn exp_f64(x: f64) -> f64 {
    x.exp()
}
extern "C" fn pow_f64(x: f64, y: f64) -> f64 {
    x.powf(y)
}

pub const POW: &str = "seqc_powf";
pub const EXP_F64: &str = "seqc_exp";
pub const POW_F64: &str = "seqc_pow";

/// The name of what is called for an operation; `None` for those that are instructions.
pub fn of(op: Unary) -> Option<&'static str> {
    Some(match op {
        Unary::Exp => "seqc_expf",
        Unary::Expm1 => "seqc_expm1f",
        Unary::Log => "seqc_logf",
        Unary::Log1p => "seqc_log1pf",
        Unary::Sin => "seqc_sin",
        Unary::Cos => "seqc_cos",
        Unary::Tanh => "seqc_tanhf",
        Unary::Erf => "seqc_erff",
        Unary::Neg | Unary::Abs | Unary::Sqrt | Unary::Floor | Unary::Sign | Unary::Single => {
            return None;
        }
    })
}

/// A function: its name and address, what it takes and gives.
pub struct Symbol {
    pub name: &'static str,
    pub address: *const u8,
    pub takes: &'static [Type],
    pub gives: Type,
}

const ONE: &[Type] = &[types::F32];
const TWO: &[Type] = &[types::F32, types::F32];
const WIDE: &[Type] = &[types::F64];
const TWO_WIDE: &[Type] = &[types::F64, types::F64];

/// Every function.
pub fn all() -> [Symbol; 11] {
    let symbol = |name, address, takes, gives| Symbol {
        name,
        address,
        takes,
        gives,
    };
    let one = |name, f: extern "C" fn(f32) -> f32| symbol(name, f as *const u8, ONE, types::F32);
    let turn = |name, f: extern "C" fn(f64) -> f32| symbol(name, f as *const u8, WIDE, types::F32);
    [
        one("seqc_expf", exp),
        one("seqc_expm1f", expm1),
        one("seqc_logf", log),
        one("seqc_log1pf", log1p),
        turn("seqc_sin", sin),
        turn("seqc_cos", cos),
        one("seqc_tanhf", tanh),
        one("seqc_erff", erf),
        symbol(POW, pow as *const u8, TWO, types::F32),
        symbol(EXP_F64, exp_f64 as *const u8, WIDE, types::F64),
        symbol(POW_F64, pow_f64 as *const u8, TWO_WIDE, types::F64),
    ]
}
