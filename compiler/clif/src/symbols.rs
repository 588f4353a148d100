//! Elementary functions that generated code calls, one f32 at a time: those of the platform's math library.

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
extern "C" fn sin(x: f32) -> f32 {
    x.sin()
}
extern "C" fn cos(x: f32) -> f32 {
    x.cos()
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

pub const POW: &str = "seqc_powf";

/// Name and arity of what is called for an operation; `None` for those that are instructions.
pub fn of(op: Unary) -> Option<&'static str> {
    Some(match op {
        Unary::Exp => "seqc_expf",
        Unary::Expm1 => "seqc_expm1f",
        Unary::Log => "seqc_logf",
        Unary::Log1p => "seqc_log1pf",
        Unary::Sin => "seqc_sinf",
        Unary::Cos => "seqc_cosf",
        Unary::Tanh => "seqc_tanhf",
        Unary::Erf => "seqc_erff",
        Unary::Neg | Unary::Abs | Unary::Sqrt | Unary::Floor | Unary::Sign => return None,
    })
}

/// Every function by name, with its address and number of arguments.
pub fn all() -> [(&'static str, *const u8, usize); 9] {
    let one = |f: extern "C" fn(f32) -> f32| f as *const u8;
    let two = |f: extern "C" fn(f32, f32) -> f32| f as *const u8;
    [
        ("seqc_expf", one(exp), 1),
        ("seqc_expm1f", one(expm1), 1),
        ("seqc_logf", one(log), 1),
        ("seqc_log1pf", one(log1p), 1),
        ("seqc_sinf", one(sin), 1),
        ("seqc_cosf", one(cos), 1),
        ("seqc_tanhf", one(tanh), 1),
        ("seqc_erff", one(erf), 1),
        (POW, two(pow), 2),
    ]
}
