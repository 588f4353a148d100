//! Kernels that mean something: every access in bounds, every local written before it is read, independent
//! iterations independent, and numbers small enough that results can be compared.
//!
//! Each cell owns one stretch of `y` and `z`, `LEN` elements long. Comparisons, `floor`, `sign` and indices from
//! data use only what is exact in f32 (inputs that are multiples of 1/8, and indices), so that rounding never
//! takes another branch. Stored numbers are clamped to ±4.

use super::Rng;
use crate::interp::{Data, Fault, Options, Precision, bf16, run};
use crate::ir::*;
use crate::narrow::narrowed;

/// A kernel with buffers to run it over.
pub struct Case {
    pub kernel: Kernel,
    pub bufs: Vec<Data>,
    pub dims: Vec<i64>,
}

/// Elements of the inputs, and of a cell's stretch of the outputs.
pub(super) const LEN: i64 = 37;
pub(super) const LOCAL: [i64; 3] = [36, 37, 50];
/// What sizes may be at most: shorter than any buffer.
const LONGEST: i64 = 21;

const X: u32 = 0;
const TOKENS: u32 = 1;
const Y: u32 = 2;
const Z: u32 = 3;

impl Case {
    /// Runs the kernel in the interpreter over a copy of the buffers.
    pub fn interpret(&self, options: Options) -> Result<Vec<Data>, Fault> {
        let mut bufs = self.bufs.clone();
        run(&self.kernel, &mut bufs, &self.dims, options)?;
        Ok(bufs)
    }

    /// What the buffers hold after a run without rounding, and how far f32 code may be from it: a multiple of
    /// what rounding every operation changes anywhere, for that tells how the kernel magnifies errors.
    pub fn expected(&self) -> Result<(Vec<Data>, f64), Fault> {
        let wide = |d: &Data| match d {
            Data::F32(v) => Data::F64(v.iter().map(|x| f64::from(*x)).collect()),
            other => other.clone(),
        };
        let with = |precision| {
            let mut bufs: Vec<Data> = self.bufs.iter().map(wide).collect();
            let options = Options {
                precision,
                ..Options::default()
            };
            run(&self.kernel, &mut bufs, &self.dims, options).map(|()| bufs)
        };
        let (exact, single) = (with(Precision::Exact)?, with(Precision::Single)?);
        let apart = exact.iter().zip(&single).map(|(a, b)| distance(a, b));
        let bound = 2e-5 + 30.0 * apart.fold(0.0, f64::max);
        Ok((exact, bound))
    }
}

/// What one rounding to bf16 of a number up to 4 may change.
pub const HALF: f64 = 1.0 / 32.0;

impl Case {
    /// The same with `x` and `y` in bf16. The inputs are exact in it; of the results, `y` may be off by [`HALF`] more.
    pub fn narrow(&self, lanes: u32) -> Case {
        let is = [X, Y];
        let narrow: Vec<bool> = (0..4).map(|i| is.contains(&i)).collect();
        let half = |(i, d): (u32, &Data)| match is.contains(&i) {
            true => Data::Bf16(d.to_f64().into_iter().map(bf16).collect()),
            false => d.clone(),
        };
        Case {
            kernel: narrowed(&self.kernel, &narrow, lanes),
            bufs: (0..).zip(&self.bufs).map(half).collect(),
            dims: self.dims.clone(),
        }
    }
}

/// The largest difference; infinite where only one is NaN.
pub fn distance(a: &Data, b: &Data) -> f64 {
    let one = |(x, y): (f64, f64)| match (x.is_nan(), y.is_nan()) {
        (true, true) => 0.0,
        (false, false) => (x - y).abs(),
        _ => f64::INFINITY,
    };
    a.to_f64()
        .into_iter()
        .zip(b.to_f64())
        .map(one)
        .fold(0.0, f64::max)
}

/// A random kernel of about `size` statements.
pub fn valid_case(seed: u64, size: usize) -> Case {
    let mut rng = Rng::new(seed);
    let dims = [rng.within(0, LONGEST), rng.within(1, LONGEST)];
    let grid = [rng.within(0, 3), rng.within(1, 2)];
    let mut exact = |n: i64| {
        (0..n)
            .map(|_| rng.within(-16, 16) as f32 / 8.0)
            .collect::<Vec<f32>>()
    };
    let outputs = grid[0] * grid[1] * LEN;
    let (x, z) = (exact(LEN), exact(outputs));
    let tokens = (0..LEN).map(|_| rng.within(-3, LEN + 3) as i32).collect();
    let mut g = Valid::new(rng, grid[1]);
    let body = g.body(size);
    let arg = |name: &str, elem, access| Arg {
        name: name.into(),
        elem,
        access,
    };
    let local = |(i, len): (usize, &i64)| Local {
        name: format!("s{i}"),
        elem: Elem::F32,
        len: *len as usize,
    };
    let kernel = Kernel {
        name: "random".into(),
        args: vec![
            arg("x", Elem::F32, Access::Read),
            arg("tokens", Elem::I32, Access::Read),
            arg("y", Elem::F32, Access::Write),
            arg("z", Elem::F32, Access::ReadWrite),
        ],
        dims: vec!["n".into(), "m".into(), "rows".into()],
        grid: vec![(Var(0), Ix::Dim(2)), (Var(1), Ix::Const(grid[1]))],
        locals: LOCAL.iter().enumerate().map(local).collect(),
        body,
    };
    Case {
        kernel,
        bufs: vec![
            Data::F32(x),
            Data::I32(tokens),
            Data::F32(vec![0.5; outputs as usize]),
            Data::F32(z),
        ],
        dims: vec![dims[0], dims[1], grid[0]],
    }
}

/// A buffer region that a cell may use: `base + 0 .. base + len`.
#[derive(Clone)]
pub(super) struct Region {
    pub buf: Buf,
    pub base: Ix,
    pub len: i64,
}

pub(super) struct Valid {
    pub rng: Rng,
    /// Loop variables in scope with what they stay below (they start at 0 or above).
    pub vars: Vec<(Var, i64)>,
    pub vals: Vec<Val>,
    next_var: u32,
    next_val: u32,
    written: Vec<bool>,
    cell: Ix,
}

impl Valid {
    fn new(rng: Rng, inner: i64) -> Valid {
        Valid {
            rng,
            vars: vec![],
            vals: vec![],
            next_var: 2,
            next_val: 0,
            written: vec![false; LOCAL.len()],
            cell: (Ix::Var(Var(0)) * inner + Var(1)) * LEN,
        }
    }

    pub fn fresh(&mut self) -> Var {
        self.next_var += 1;
        Var(self.next_var - 1)
    }

    fn region(&self, buf: Buf) -> Region {
        match buf {
            Buf::Arg(X | TOKENS) => Region {
                buf,
                base: Ix::Const(0),
                len: LEN,
            },
            Buf::Arg(_) => Region {
                buf,
                base: self.cell.clone(),
                len: LEN,
            },
            Buf::Local(i) => Region {
                buf,
                base: Ix::Const(0),
                len: LOCAL[i as usize],
            },
        }
    }

    fn locals(&self, written: bool) -> Vec<Buf> {
        let all = self.written.iter().zip(0..);
        all.filter(|(w, _)| **w == written)
            .map(|(_, i)| Buf::Local(i))
            .collect()
    }

    /// Buffers of numbers that may be read now, without `but`.
    pub fn readable(&mut self, but: Option<Buf>) -> Region {
        let mut all = vec![Buf::Arg(X), Buf::Arg(X), Buf::Arg(Z)];
        all.extend(self.locals(true));
        all.retain(|b| Some(*b) != but);
        let b = *self.rng.pick(&all);
        self.region(b)
    }

    /// A buffer that may be written only in part.
    fn partly(&mut self) -> Region {
        let mut all = vec![Buf::Arg(Y), Buf::Arg(Z)];
        all.extend(self.locals(true));
        let b = *self.rng.pick(&all);
        self.region(b)
    }

    pub fn x(&self) -> Region {
        self.region(Buf::Arg(X))
    }

    pub fn tokens(&self) -> Region {
        self.region(Buf::Arg(TOKENS))
    }

    fn body(&mut self, size: usize) -> Vec<Stmt> {
        let mut all: Vec<Stmt> = (0..size).flat_map(|_| self.stmt(2)).collect();
        // Something to see of the locals; the second half of `y` shows what was stored before.
        let (v, w) = (self.fresh(), self.region(Buf::Arg(Y)));
        self.vars.push((v, LEN / 2));
        let value = self.bounded(None);
        self.vars.pop();
        let at = w.base + v;
        all.push(Stmt::vec(8, v, 0, LEN / 2, vec![w.buf.store(at, value)]));
        all
    }

    fn block(&mut self, depth: usize) -> Vec<Stmt> {
        let vals = self.vals.len();
        let count = 1 + self.rng.below(3);
        let all = (0..count).flat_map(|_| self.stmt(depth)).collect();
        self.vals.truncate(vals);
        all
    }

    fn stmt(&mut self, depth: usize) -> Vec<Stmt> {
        match self.rng.below(if depth == 0 { 6 } else { 9 }) {
            0 | 1 => vec![self.fill()],
            2 => vec![self.tail()],
            3 => vec![self.product()],
            4 => {
                let value = self.bounded(None);
                let val = Val(self.next_val);
                self.next_val += 1;
                self.vals.push(val);
                vec![Stmt::let_(val, value)]
            }
            5 => {
                let to = self.partly();
                let at = self.inside(to.len);
                let value = self.bounded(None);
                vec![to.buf.store(to.base + at, value)]
            }
            6 => vec![self.recurrence(depth - 1)],
            7 => vec![self.branch(depth - 1)],
            _ => vec![self.blocks()],
        }
    }

    /// Writes all of a buffer, each element once.
    fn fill(&mut self) -> Stmt {
        let fresh = self.locals(false);
        let to = match fresh.first() {
            Some(b) if !self.rng.once_in(3) => self.region(*b),
            _ => self.partly(),
        };
        let v = self.fresh();
        let at = match self.rng.below(3) {
            0 => Ix::Const(to.len - 1) - v,
            _ => Ix::Var(v),
        };
        let body = self.element(v, to.len, &to, at);
        if let Buf::Local(i) = to.buf {
            self.written[i as usize] = true;
        }
        self.free_loop(v, 0, to.len, body)
    }

    /// Writes the first elements, up to a run-time size, or every second one.
    fn tail(&mut self) -> Stmt {
        let to = self.partly();
        let v = self.fresh();
        let (hi, most, at) = match self.rng.below(3) {
            0 => (Ix::Const(to.len / 2), to.len / 2, Ix::Var(v) * 2),
            1 => (Ix::Dim(0), LONGEST, Ix::Var(v)),
            _ => ((Ix::Dim(0) + 3).min_ix(to.len), to.len, Ix::Var(v)),
        };
        let body = self.element(v, most, &to, at);
        self.free_loop(v, 0, hi, body)
    }

    /// The body of a loop of independent iterations over `v`, below `most`, that writes `to[at]` only.
    fn element(&mut self, v: Var, most: i64, to: &Region, at: Ix) -> Vec<Stmt> {
        self.vars.push((v, most));
        let vals = self.vals.len();
        let mut body = vec![];
        if self.rng.once_in(3) {
            let value = self.bounded(Some(to.buf));
            let val = Val(self.next_val);
            self.next_val += 1;
            self.vals.push(val);
            body.push(Stmt::let_(val, value));
        }
        let mut value = self.bounded(Some(to.buf));
        let own = match to.buf {
            Buf::Local(i) => self.written[i as usize],
            buf => buf == Buf::Arg(Z),
        };
        let at = to.base.clone() + at;
        if own && self.rng.once_in(2) {
            value = to.buf.load(at.clone()) * 0.5 + value;
        }
        self.vals.truncate(vals);
        self.vars.pop();
        body.push(to.buf.store(at, value.max(-4.0).min(4.0)));
        body
    }

    fn free_loop(&mut self, v: Var, lo: i64, hi: impl Into<Ix>, body: Vec<Stmt>) -> Stmt {
        let kind = match self.rng.below(6) {
            0 => LoopKind::Seq,
            1 => LoopKind::Par,
            n => LoopKind::Vec([1, 4, 8, 16][n - 2]),
        };
        let s = Stmt::for_(kind, v, lo, hi, body);
        if self.rng.once_in(4) { s.reversed() } else { s }
    }

    /// Iterations in order, over a block that may write anything.
    fn recurrence(&mut self, depth: usize) -> Stmt {
        let v = self.fresh();
        let (hi, most) = match self.rng.below(3) {
            0 => (Ix::Dim(1).min_ix(5), 5),
            _ => {
                let n = self.rng.within(1, 4);
                (Ix::Const(n), n)
            }
        };
        let before = self.written.clone();
        self.vars.push((v, most));
        let body = self.block(depth);
        self.vars.pop();
        // The loop may not run at all.
        self.written = before;
        let s = Stmt::seq(v, 0, hi, body);
        if self.rng.once_in(3) { s.reversed() } else { s }
    }

    fn branch(&mut self, depth: usize) -> Stmt {
        let cond = self.truth(1);
        let before = self.written.clone();
        let then = self.block(depth);
        self.written.clone_from(&before);
        let els = match self.rng.once_in(2) {
            true => self.block(depth),
            false => vec![],
        };
        self.written = before;
        Stmt::If { cond, then, els }
    }

    /// Parallel blocks, each filled by a vector loop.
    fn blocks(&mut self) -> Stmt {
        let to = self.partly();
        let (p, v) = (self.fresh(), self.fresh());
        let rows = self.rng.within(1, 4);
        let cols = to.len / rows;
        self.vars.push((p, rows));
        let body = self.element(v, cols, &to, p * cols + v);
        self.vars.pop();
        let inner = Stmt::vec(4, v, 0, cols, body);
        Stmt::par(p, 0, rows, vec![inner])
    }

    /// A matrix product between regions that do not overlap, with row-major, column-major or padded tiles.
    fn product(&mut self) -> Stmt {
        let to = self.partly();
        let (a, b) = (self.readable(Some(to.buf)), self.readable(Some(to.buf)));
        let [m, n, k] = [0; 3].map(|_| self.rng.within(1, 6));
        let accumulate = to.buf != Buf::Arg(Y) && self.rng.once_in(2);
        let (m, n, k) = (m as usize, n as usize, k as usize);
        Stmt::Matmul(Matmul {
            m,
            n,
            k,
            out: self.tile(&to, m, n),
            a: self.tile(&a, m, k),
            b: self.tile(&b, k, n),
            accumulate,
            // What a part leaves out is not specified, so results could not be compared.
            part: Part::All,
        })
    }

    /// A tile of at most 36 elements (padding only where it fits) somewhere in the region.
    fn tile(&mut self, r: &Region, rows: usize, cols: usize) -> Tile {
        let (rows, cols) = (rows as i64, cols as i64);
        let pad = |g: &mut Valid, minor: i64, major: i64| {
            let spare = r.len - minor * major;
            let room = if major > 1 { spare / (major - 1) } else { 0 };
            minor + g.rng.within(0, room.clamp(0, 2))
        };
        let (across, down) = match self.rng.once_in(3) {
            true => (pad(self, rows, cols), 1),
            false => (1, pad(self, cols, rows)),
        };
        let last = (rows - 1) * down + (cols - 1) * across;
        let shift = self.rng.within(0, (r.len - 1 - last).max(0));
        Tile {
            buf: r.buf,
            base: r.base.clone() + shift,
            rows: down,
            cols: across,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use crate::verify::verify;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn random_kernels_are_valid(seed: u64, size in 0usize..12) {
            let case = valid_case(seed, size);
            let text = case.kernel.to_string();
            prop_assert!(verify(&case.kernel).is_ok(), "{}\n{:#?}", text, verify(&case.kernel));
            prop_assert_eq!(&parse::kernel(&text).expect("parses"), &case.kernel);
            let forwards = case.interpret(Options::default());
            let forwards = match forwards {
                Ok(f) => f,
                Err(e) => return Err(TestCaseError::fail(format!("{e}\n{text}"))),
            };
            let back = Options { backwards: true, ..Options::default() };
            prop_assert_eq!(&case.interpret(back).expect("runs"), &forwards, "{}", text);
            prop_assert!(forwards[2].to_f64().iter().all(|x| x.is_finite()), "{}", text);
            let (_, bound) = case.expected().expect("runs");
            prop_assert!(bound < 1.0, "ill-conditioned by {}\n{}", bound, text);
        }
    }
}
