//! Kernels of every form, with or without meaning: for printing and parsing.

use super::Rng;
use crate::ir::*;
use crate::word::{SHIFTS, Word};

/// Any tree at all: names may be odd or shared, buffers and sizes may not exist, types need not fit.
pub fn any_kernel(seed: u64, size: usize) -> Kernel {
    let mut g = Any {
        rng: Rng::new(seed),
        data: false,
    };
    let count = |g: &mut Any| g.rng.below(4);
    let args = (0..count(&mut g)).map(|_| g.arg()).collect();
    let dims = (0..count(&mut g)).map(|_| g.name()).collect();
    let grid = (0..count(&mut g)).map(|_| (g.var(), g.ix(2))).collect();
    g.data = true;
    let locals = (0..count(&mut g)).map(|_| g.local()).collect();
    Kernel {
        name: g.name(),
        args,
        dims,
        grid,
        locals,
        body: g.block(size),
    }
}

struct Any {
    rng: Rng,
    /// May an index come from a buffer? The grid is read before the locals are known.
    data: bool,
}

const NAMES: [&str; 14] = [
    "x",
    "y",
    "block.0.w",
    "block.w",
    "for",
    "lower",
    "i3",
    "i",
    "",
    "a b",
    "quo\"te\\",
    "min",
    "é",
    "nan",
];

impl Any {
    fn name(&mut self) -> String {
        self.rng.pick(&NAMES).to_string()
    }

    fn elem(&mut self) -> Elem {
        *self.rng.pick(&[Elem::F32, Elem::I32, Elem::Bf16])
    }

    fn arg(&mut self) -> Arg {
        Arg {
            name: self.name(),
            elem: self.elem(),
            access: *self
                .rng
                .pick(&[Access::Read, Access::Write, Access::ReadWrite]),
        }
    }

    fn local(&mut self) -> Local {
        Local {
            name: self.name(),
            elem: self.elem(),
            len: self.rng.below(1000),
        }
    }

    fn var(&mut self) -> Var {
        Var(self.rng.below(20) as u32)
    }

    fn val(&mut self) -> Val {
        Val(self.rng.below(20) as u32)
    }

    fn buf(&mut self) -> Buf {
        let n = self.rng.below(4) as u32;
        *self.rng.pick(&[Buf::Arg(n), Buf::Local(n)])
    }

    fn whole(&mut self) -> i64 {
        match self.rng.below(6) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => self.rng.bits() as i64,
            _ => self.rng.within(-9, 9),
        }
    }

    fn block(&mut self, size: usize) -> Vec<Stmt> {
        let count = self.rng.below(size.min(4) + 1);
        (0..count).map(|_| self.stmt(size / 2)).collect()
    }

    fn stmt(&mut self, size: usize) -> Stmt {
        match self.rng.below(6) {
            0 => Stmt::For {
                var: self.var(),
                lo: self.ix(2),
                hi: self.ix(3),
                kind: match self.rng.below(3) {
                    0 => LoopKind::Seq,
                    1 => LoopKind::Par,
                    _ => LoopKind::Vec(self.rng.below(33) as u32),
                },
                reverse: self.rng.once_in(2),
                body: self.block(size),
            },
            1 => Stmt::If {
                cond: self.expr(3),
                then: self.block(size),
                els: self.block(size),
            },
            2 => Stmt::Matmul(self.matmul()),
            3 => Stmt::Let {
                val: self.val(),
                value: self.expr(5),
            },
            _ => Stmt::Store {
                buf: self.buf(),
                at: self.ix(4),
                value: self.expr(5),
            },
        }
    }

    fn matmul(&mut self) -> Matmul {
        Matmul {
            m: self.rng.below(70),
            n: self.rng.below(70),
            k: self.rng.below(70),
            out: self.tile(),
            a: self.tile(),
            b: self.tile(),
            accumulate: self.rng.once_in(2),
            part: *self.rng.pick(&[Part::All, Part::Lower, Part::Upper]),
        }
    }

    fn tile(&mut self) -> Tile {
        Tile {
            buf: self.buf(),
            base: self.ix(2),
            rows: self.whole(),
            cols: self.whole(),
        }
    }

    fn ix(&mut self, depth: usize) -> Ix {
        let pick = self.rng.below(if depth == 0 { 3 } else { 12 });
        let mut two = |build: fn(Box<Ix>, Box<Ix>) -> Ix| {
            build(self.ix(depth - 1).into(), self.ix(depth - 1).into())
        };
        match pick {
            3 | 4 => two(Ix::Add),
            5 => two(Ix::Sub),
            6 => two(Ix::Mul),
            7 => two(Ix::Div),
            8 => two(Ix::Rem),
            9 => two(Ix::Min),
            10 => two(Ix::Max),
            11 if self.data => Ix::Data(self.expr(depth - 1).into()),
            0 => Ix::Const(self.whole()),
            1 => Ix::Var(self.var()),
            _ => Ix::Dim(self.rng.below(4) as u32),
        }
    }

    fn num(&mut self) -> f64 {
        match self.rng.below(9) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => f64::from_bits(self.rng.bits()),
            5 => f64::from_bits(0x7ff8_0000_0000_0000 | self.rng.bits() >> 13 | 1 << 63),
            _ => self.rng.within(-8, 8) as f64 / 4.0,
        }
    }

    fn cmp(&mut self) -> Cmp {
        *self
            .rng
            .pick(&[Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge, Cmp::Eq, Cmp::Ne])
    }

    fn word(&mut self, depth: usize) -> Word {
        if depth == 0 {
            return Word::Of(self.ix(1));
        }
        let a = self.word(depth - 1);
        match self.rng.below(4) {
            0 => a.times(self.word(depth - 1)),
            1 => a.xor(self.word(depth - 1)),
            2 => Word::Of(self.ix(depth)),
            _ => a.shift(self.rng.pick(&SHIFTS).0, self.rng.below(40) as u32),
        }
    }

    fn expr(&mut self, depth: usize) -> Expr {
        use Binary::*;
        let pick = self.rng.below(if depth == 0 { 3 } else { 14 });
        let sub = |g: &mut Any| Box::new(g.expr(depth - 1));
        match pick {
            0 => Expr::Const(Num(self.num())),
            1 => Expr::Val(self.val()),
            2 => match self.rng.once_in(3) {
                true => Expr::Word(self.word(depth.min(2)).into()),
                false => Expr::Index(self.ix(depth.min(2))),
            },
            3 => Expr::Load {
                buf: self.buf(),
                at: self.ix(depth.min(3)),
            },
            4 => {
                let (op, _) = crate::print::UNARIES[self.rng.below(13)];
                Expr::Unary(op, sub(self))
            }
            5..=7 => {
                let op = *self.rng.pick(&[Add, Sub, Mul, Div, Max, Min, Pow, Rem]);
                Expr::Binary(op, sub(self), sub(self))
            }
            8 => Expr::Cmp(self.cmp(), sub(self), sub(self)),
            9 => Expr::CmpIx(self.cmp(), self.ix(2), self.ix(2)),
            10 => match self.rng.once_in(2) {
                true => Expr::And(sub(self), sub(self)),
                false => Expr::Or(sub(self), sub(self)),
            },
            11 => Expr::Not(sub(self)),
            12 => Expr::Select(sub(self), sub(self), sub(self)),
            _ => Expr::Fold {
                op: crate::print::FOLDS[self.rng.below(4)].0,
                var: self.var(),
                lo: self.ix(2),
                hi: self.ix(2),
                lanes: self.rng.below(17) as u32,
                body: sub(self),
            },
        }
    }
}
