//! The execution of a resolved program.
//!
//! Expressions return plain numbers; the first thing that goes wrong is noted in `wrong` and ends the run at
//! the end of its statement. A local element counts as written if its stamp is that of the current cell.

use super::data::Data;
use super::data::{bf16, of_bf16};
use super::math;
use super::resolve::{Block, Curve, Index, Number, Op, Truth, What};
use super::{Fault, Options, Precision, Program};
use crate::angle;
use crate::ir::{Binary, Buf, Elem, Kernel, Matmul, Part, Tile, Unary};

struct Local {
    elem: Elem,
    data: Vec<f64>,
    stamps: Vec<u32>,
}

struct Run<'a> {
    kernel: &'a Kernel,
    options: Options,
    pool: &'a mut [Data],
    which: &'a [usize],
    locals: Vec<Local>,
    /// Sizes, then variables.
    slots: Vec<i64>,
    vals: Vec<f64>,
    cell: u32,
    /// Depth of select arms that are evaluated but not taken.
    idle: usize,
    wrong: Option<String>,
}

impl Program<'_> {
    /// Runs the whole grid; argument `i` is `pool[which[i]]`.
    pub fn run(
        &self,
        pool: &mut [Data],
        which: &[usize],
        dims: &[i64],
        options: Options,
    ) -> Result<(), Fault> {
        let head = |message: String| Fault {
            kernel: self.kernel.name.clone(),
            place: String::new(),
            statement: String::new(),
            message,
        };
        bound(self.kernel, pool, which, dims).map_err(head)?;
        let mut slots = dims.to_vec();
        slots.resize(self.vars, 0);
        let local = |l: &crate::ir::Local| Local {
            elem: l.elem,
            data: vec![f64::NAN; l.len],
            stamps: vec![0; l.len],
        };
        let mut run = Run {
            kernel: self.kernel,
            options,
            pool,
            which,
            locals: self.kernel.locals.iter().map(local).collect(),
            slots,
            vals: vec![0.0; self.vals],
            cell: 0,
            idle: 0,
            wrong: None,
        };
        let extents: Vec<i64> = self.grid.iter().map(|e| run.index(e).max(0)).collect();
        if let Some(m) = run.wrong {
            return Err(head(m));
        }
        let cells = extents.iter().try_fold(1i64, |n, e| n.checked_mul(*e));
        let cells = cells.ok_or_else(|| head("the grid has too many cells".into()))?;
        for step in 0..cells {
            let mut cell = if options.backwards {
                cells - 1 - step
            } else {
                step
            };
            for (axis, extent) in extents.iter().enumerate().rev() {
                run.slots[dims.len() + axis] = cell % extent;
                cell /= extent;
            }
            run.cell = (step as u32).wrapping_add(1);
            run.block(&self.body).map_err(|place| Fault {
                message: run.explanation(),
                ..self.places[place].clone()
            })?;
        }
        Ok(())
    }
}

/// Are there buffers of the right kind for all arguments?
fn bound(kernel: &Kernel, pool: &[Data], which: &[usize], dims: &[i64]) -> Result<(), String> {
    let (args, sizes) = (kernel.args.len(), kernel.dims.len());
    if which.len() != args || dims.len() != sizes {
        let (b, d) = (which.len(), dims.len());
        return Err(format!(
            "takes {args} buffers and {sizes} sizes, {b} and {d} are given"
        ));
    }
    for (arg, &w) in kernel.args.iter().zip(which) {
        match (arg.elem, pool.get(w)) {
            (_, None) => return Err(format!("buffer {w} for `{}` does not exist", arg.name)),
            (Elem::I32, Some(Data::I32(_)))
            | (Elem::F32, Some(Data::F32(_) | Data::F64(_)))
            | (Elem::Bf16, Some(Data::Bf16(_))) => {}
            _ => return Err(format!("`{}` is bound to another type", arg.name)),
        }
    }
    Ok(())
}

fn single(x: f64) -> f64 {
    f64::from(x as f32)
}

impl Run<'_> {
    fn explanation(&mut self) -> String {
        let dims = self.kernel.dims.len();
        let mut text = self.wrong.take().unwrap_or_default();
        if !self.kernel.grid.is_empty() {
            let cell: Vec<String> = (self.kernel.grid.iter().zip(&self.slots[dims..]))
                .map(|((v, _), n)| format!("i{} = {n}", v.0))
                .collect();
            text += &format!(" (in cell {})", cell.join(", "));
        }
        text
    }

    fn fail(&mut self, message: impl FnOnce() -> String) -> f64 {
        if self.wrong.is_none() {
            self.wrong = Some(message());
        }
        f64::NAN
    }

    /// `Err` with the place of the statement that went wrong; `wrong` says how.
    fn block(&mut self, block: &Block) -> Result<(), usize> {
        for op in block {
            self.op(op)?;
        }
        Ok(())
    }

    fn op(&mut self, op: &Op) -> Result<(), usize> {
        match &op.what {
            What::For {
                var,
                lo,
                hi,
                free,
                reverse,
                body,
            } => {
                let (lo, hi) = (self.index(lo), self.index(hi));
                self.ended(op)?;
                let backwards = *reverse != (*free && self.options.backwards);
                for step in 0..hi.saturating_sub(lo).max(0) {
                    self.slots[*var] = if backwards { hi - 1 - step } else { lo + step };
                    self.block(body)?;
                }
                return Ok(());
            }
            What::Store { buf, at, value } => {
                let (at, x) = (self.index(at), self.number(value));
                self.store(*buf, at, x);
            }
            What::Let { val, value } => self.vals[*val] = self.number(value),
            What::If { cond, then, els } => {
                let taken = self.truth(cond);
                self.ended(op)?;
                return self.block(if taken { then } else { els });
            }
            What::Matmul { m, bases } => self.matmul(m, bases),
        }
        self.ended(op)
    }

    fn ended(&self, op: &Op) -> Result<(), usize> {
        match self.wrong {
            None => Ok(()),
            Some(_) => Err(op.place),
        }
    }

    fn index(&mut self, ix: &Index) -> i64 {
        let mut sum = ix.constant;
        for (slot, c) in &ix.slots {
            sum = sum.wrapping_add(self.slots[*slot].wrapping_mul(*c));
        }
        for (curve, c) in &ix.rest {
            sum = sum.wrapping_add(self.curve(curve).wrapping_mul(*c));
        }
        sum
    }

    fn curve(&mut self, curve: &Curve) -> i64 {
        let mut two = |p: &[Index; 2]| (self.index(&p[0]), self.index(&p[1]));
        match curve {
            Curve::Mul(p) => {
                let (a, b) = two(p);
                a.wrapping_mul(b)
            }
            Curve::Div(p) | Curve::Rem(p) => {
                let (a, b) = two(p);
                if b <= 0 {
                    self.fail(|| format!("an index is divided by {b}"));
                    return 0;
                }
                match curve {
                    Curve::Div(_) => a.div_euclid(b),
                    _ => a.rem_euclid(b),
                }
            }
            Curve::Min(p) => {
                let (a, b) = two(p);
                a.min(b)
            }
            Curve::Max(p) => {
                let (a, b) = two(p);
                a.max(b)
            }
            Curve::Data(e) => self.number(e) as i64,
        }
    }

    /// Rounds the result of an operation.
    fn done(&self, x: f64) -> f64 {
        match self.options.precision {
            Precision::Single => single(x),
            _ => x,
        }
    }

    fn number(&mut self, e: &Number) -> f64 {
        match e {
            Number::Const(x) => self.done(*x),
            Number::Val(slot) => self.vals[*slot],
            Number::Load(buf, at) => {
                let at = self.index(at);
                self.load(*buf, at)
            }
            Number::Index(ix) => {
                let i = self.index(ix);
                self.done(i as f64)
            }
            Number::Word(w) => {
                let n = w.value(&mut |ix| self.index(ix));
                self.done(f64::from(n))
            }
            Number::Unary(op @ (Unary::Sin | Unary::Cos), x) => {
                let x = self.angle(x);
                self.done(math::unary(*op, x))
            }
            Number::Unary(op, x) => {
                let x = self.number(x);
                self.done(math::unary(*op, x))
            }
            Number::Binary(op, p) => {
                let (a, b) = (self.number(&p[0]), self.number(&p[1]));
                self.done(math::binary(*op, a, b))
            }
            Number::Select(c, arms) => {
                let c = self.truth(c);
                let [a, b] = &**arms;
                let (taken, other) = if c { (a, b) } else { (b, a) };
                self.idle += 1;
                self.number(other);
                self.idle -= 1;
                self.number(taken)
            }
            Number::Fold {
                op,
                var,
                lo,
                hi,
                body,
            } => {
                let (lo, hi) = (self.index(lo), self.index(hi));
                let (mut total, combine) = math::fold(*op);
                for i in lo..hi {
                    self.slots[*var] = i;
                    let x = self.number(body);
                    total = self.done(math::binary(combine, total, x));
                    if self.wrong.is_some() {
                        break;
                    }
                }
                total
            }
        }
    }

    /// What stands under a `sin` or `cos`: f64 whatever the precision is ([`crate::angle`]).
    fn angle(&mut self, e: &Number) -> f64 {
        match e {
            Number::Const(x) => *x,
            Number::Index(ix) => self.index(ix) as f64,
            Number::Unary(op, x) if angle::is_unary(*op) => {
                let x = self.angle(x);
                math::unary(*op, x)
            }
            Number::Binary(op, p)
                if *op != Binary::Pow || matches!(p[0], Number::Const(c) if c > 0.0) =>
            {
                let (a, b) = (self.angle(&p[0]), self.angle(&p[1]));
                math::binary(*op, a, b)
            }
            Number::Select(c, arms) => {
                let c = self.truth(c);
                let [a, b] = &**arms;
                let (taken, other) = if c { (a, b) } else { (b, a) };
                self.idle += 1;
                self.angle(other);
                self.idle -= 1;
                self.angle(taken)
            }
            other => self.number(other),
        }
    }

    fn truth(&mut self, e: &Truth) -> bool {
        match e {
            Truth::Cmp(c, p) => {
                let (a, b) = (self.number(&p[0]), self.number(&p[1]));
                math::compare(*c, a, b)
            }
            Truth::CmpIx(c, p) => {
                let (a, b) = (self.index(&p[0]), self.index(&p[1]));
                math::compare(*c, a, b)
            }
            // Both sides are evaluated, as generated code does.
            Truth::And(p) => self.truth(&p[0]) & self.truth(&p[1]),
            Truth::Or(p) => self.truth(&p[0]) | self.truth(&p[1]),
            Truth::Not(x) => !self.truth(x),
        }
    }

    fn load(&mut self, buf: Buf, at: i64) -> f64 {
        let i = usize::try_from(at).unwrap_or(usize::MAX);
        let found = match buf {
            Buf::Arg(a) => self.pool[self.which[a as usize]].get(i),
            Buf::Local(l) => {
                let local = &self.locals[l as usize];
                match local.stamps.get(i) {
                    Some(s) if *s == self.cell || self.idle > 0 => Some(local.data[i]),
                    Some(_) => {
                        return self.fail(|| {
                            format!("reads element {at} of a local, which is not written yet")
                        });
                    }
                    None => None,
                }
            }
        };
        match found {
            Some(x) => x,
            None => self.outside("reads", buf, at),
        }
    }

    fn outside(&mut self, does: &str, buf: Buf, at: i64) -> f64 {
        let (name, len) = match buf {
            Buf::Arg(a) => (
                &self.kernel.args[a as usize].name,
                self.pool[self.which[a as usize]].len(),
            ),
            Buf::Local(l) => {
                let l = &self.kernel.locals[l as usize];
                (&l.name, l.len)
            }
        };
        let text = format!("{does} element {at} of `{name}`, which has {len}");
        self.fail(|| text)
    }

    fn store(&mut self, buf: Buf, at: i64, x: f64) {
        if self.wrong.is_some() {
            return;
        }
        let i = usize::try_from(at).unwrap_or(usize::MAX);
        let rounded = match self.options.precision {
            Precision::Exact => x,
            _ => single(x),
        };
        let stored = match buf {
            Buf::Arg(a) => match &mut self.pool[self.which[a as usize]] {
                Data::I32(v) => v.get_mut(i).map(|e| *e = x as i32).is_some(),
                data => data.set(i, rounded),
            },
            Buf::Local(l) => {
                let local = &mut self.locals[l as usize];
                let x = match local.elem {
                    Elem::F32 => rounded,
                    Elem::Bf16 => of_bf16(bf16(x)),
                    Elem::I32 => f64::from(x as i32),
                };
                match local.data.get_mut(i) {
                    Some(e) => {
                        *e = x;
                        local.stamps[i] = self.cell;
                        true
                    }
                    None => false,
                }
            }
        };
        if !stored {
            self.outside("writes", buf, at);
        }
    }

    /// Entries outside the wanted part hold no particular value afterwards: in a local they count as unwritten.
    fn matmul(&mut self, m: &Matmul, bases: &[Index; 3]) {
        let bases = [0, 1, 2].map(|i| self.index(&bases[i]));
        let at = |t: &Tile, base: i64, r: usize, c: usize| {
            let (r, c) = (t.rows.wrapping_mul(r as i64), t.cols.wrapping_mul(c as i64));
            base.wrapping_add(r).wrapping_add(c)
        };
        for r in 0..m.m {
            for c in 0..m.n {
                let wanted = match m.part {
                    Part::All => true,
                    Part::Lower => c <= r,
                    Part::Upper => c >= r,
                };
                let to = at(&m.out, bases[0], r, c);
                if !wanted {
                    self.unspecified(m.out.buf, to);
                    continue;
                }
                let mut sum = 0.0;
                if m.accumulate {
                    sum = self.load(m.out.buf, to);
                }
                for k in 0..m.k {
                    let a = self.load(m.a.buf, at(&m.a, bases[1], r, k));
                    let b = self.load(m.b.buf, at(&m.b, bases[2], k, c));
                    sum = self.done(sum + self.done(a * b));
                }
                self.store(m.out.buf, to, sum);
                if self.wrong.is_some() {
                    return;
                }
            }
        }
    }

    fn unspecified(&mut self, buf: Buf, at: i64) {
        let i = usize::try_from(at).unwrap_or(usize::MAX);
        let inside = match buf {
            Buf::Arg(a) => i < self.pool[self.which[a as usize]].len(),
            Buf::Local(l) => {
                let stamps = &mut self.locals[l as usize].stamps;
                stamps.get_mut(i).map(|s| *s = 0).is_some()
            }
        };
        if !inside {
            self.outside("writes", buf, at);
        }
    }
}
