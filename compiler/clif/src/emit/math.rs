//! Functions that are worth computing in lanes: exp and tanh, by the polynomials of the Cephes library.
//! Relative error below 2e-7; infinities and NaN behave as in C.

use super::{Emit, Num};
use cranelift::prelude::*;
use seqc_schedule::ir::Cmp;

impl Emit<'_, '_> {
    fn wide(&mut self, x: f64) -> Value {
        self.float(x, true)
    }

    /// `c[0]·x^n + … + c[n]`
    fn poly(&mut self, x: Value, c: &[f64]) -> Value {
        let mut p = self.wide(c[0]);
        for c in &c[1..] {
            let c = self.wide(*c);
            p = self.fma(p, x, c);
        }
        p
    }

    /// `cond ? a : b` by lanes.
    fn choose(&mut self, c: Cmp, x: Value, y: Value, a: Value, b: Value) -> Value {
        let t = self.compare_numbers(c, Num::new(x, true), Num::new(y, true));
        self.select(t, Num::new(a, true), Num::new(b, true)).v
    }

    /// e^x = 2^n · e^r with n the nearest integer to x·log2 e, so that |r| ≤ ln 2 / 2.
    pub fn exp(&mut self, x: Value) -> Value {
        // Beyond these the result is infinite, or 0.
        let (most, least) = (self.wide(89.0), self.wide(-104.0));
        let t = self.choose(Cmp::Gt, x, most, most, x);
        let t = self.choose(Cmp::Lt, t, least, least, t);
        // Adding 1.5·2^23 leaves the nearest integer in the low bits.
        let (magic, log2e) = (self.wide(12_582_912.0), self.wide(std::f64::consts::LOG2_E));
        let sum = self.fma(t, log2e, magic);
        let n = self.b.ins().fsub(sum, magic);
        let (high, low) = (self.wide(-0.693_359_375), self.wide(2.121_944_4e-4));
        let r = self.fma(n, high, t);
        let r = self.fma(n, low, r);
        let p = self.poly(
            r,
            &[
                1.987_569_1e-4,
                1.398_199_9e-3,
                8.333_452e-3,
                4.166_579_6e-2,
                1.666_666_5e-1,
                0.5,
            ],
        );
        let rr = self.b.ins().fmul(r, r);
        let one = self.wide(1.0);
        let linear = self.b.ins().fadd(r, one);
        let p = self.fma(p, rr, linear);
        // 2^n as two factors, so that neither overflows where the result does not.
        let bits = self.bits(types::I32X4, sum);
        let zero = self.whole(0x4B40_0000);
        let n = self.b.ins().isub(bits, zero);
        let half = self.b.ins().sshr_imm_u(n, 1);
        let rest = self.b.ins().isub(n, half);
        let (a, b) = (self.power_of_two(half), self.power_of_two(rest));
        let y = self.b.ins().fmul(p, a);
        self.b.ins().fmul(y, b)
    }

    fn whole(&mut self, n: i64) -> Value {
        let c = self.b.ins().iconst(types::I32, n);
        self.b.ins().splat(types::I32X4, c)
    }

    /// The float 2^n for an i32 of moderate size.
    fn power_of_two(&mut self, n: Value) -> Value {
        let bias = self.whole(127);
        let e = self.b.ins().iadd(n, bias);
        let e = self.b.ins().ishl_imm_u(e, 23);
        self.bits(types::F32X4, e)
    }

    /// An odd polynomial near 0, elsewhere 1 - 2 / (e^2|x| + 1) with the sign of x.
    pub fn tanh(&mut self, x: Value) -> Value {
        let size = self.b.ins().fabs(x);
        let twice = self.b.ins().fadd(size, size);
        let e = self.exp(twice);
        let (one, two, border) = (self.wide(1.0), self.wide(2.0), self.wide(0.625));
        let d = self.b.ins().fadd(e, one);
        let q = self.b.ins().fdiv(two, d);
        let far = self.b.ins().fsub(one, q);
        // Neither has the sign bit of a positive number, so `or` sets it.
        let sign = self.whole(i64::from(u32::MAX / 2 + 1));
        let sign = {
            let bits = self.bits(types::I32X4, x);
            self.b.ins().band(bits, sign)
        };
        let far = self.bits(types::I32X4, far);
        let far = self.b.ins().bor(far, sign);
        let far = self.bits(types::F32X4, far);
        let z = self.b.ins().fmul(x, x);
        let p = self.poly(
            z,
            &[
                -5.704_988_7e-3,
                2.063_908_9e-2,
                -5.373_971_6e-2,
                1.333_144_2e-1,
                -3.333_328e-1,
            ],
        );
        let pz = self.b.ins().fmul(p, z);
        let near = self.fma(pz, x, x);
        self.choose(Cmp::Gt, size, border, far, near)
    }
}
