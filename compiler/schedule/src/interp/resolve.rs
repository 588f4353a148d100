//! From a kernel to a tree in which every name is a slot and every index a linear form.
//!
//! Variables and run-time sizes share one table of integers. What does not depend on data is refused here:
//! unknown names, a truth value where a number stands, a store to an argument that is only read.

use super::{Fault, Program};
use crate::affine::Linear;
use crate::fault::{Path, Step};
use crate::ir::*;
use crate::word::Word;
use std::collections::HashMap;

pub(super) type Block = Vec<Op>;

pub(super) struct Op {
    /// Position in `Program::places`.
    pub place: usize,
    pub what: What,
}

pub(super) enum What {
    For {
        var: usize,
        lo: Index,
        hi: Index,
        /// Independent iterations: their order is free.
        free: bool,
        reverse: bool,
        body: Block,
    },
    Store {
        buf: Buf,
        at: Index,
        value: Number,
    },
    Let {
        val: usize,
        value: Number,
    },
    If {
        cond: Truth,
        then: Block,
        els: Block,
    },
    Matmul {
        m: Matmul,
        bases: [Index; 3],
    },
}

/// `constant + Σ coefficient · slot + Σ coefficient · product, quotient, …`
pub(super) struct Index {
    pub constant: i64,
    pub slots: Vec<(usize, i64)>,
    pub rest: Vec<(Curve, i64)>,
}

pub(super) enum Curve {
    Mul(Box<[Index; 2]>),
    Div(Box<[Index; 2]>),
    Rem(Box<[Index; 2]>),
    Min(Box<[Index; 2]>),
    Max(Box<[Index; 2]>),
    Data(Box<Number>),
}

pub(super) enum Number {
    Const(f64),
    Val(usize),
    Load(Buf, Index),
    Index(Index),
    Word(Word<Index>),
    Unary(Unary, Box<Number>),
    Binary(Binary, Box<[Number; 2]>),
    Select(Truth, Box<[Number; 2]>),
    Fold {
        op: FoldOp,
        var: usize,
        lo: Index,
        hi: Index,
        body: Box<Number>,
    },
}

pub(super) enum Truth {
    Cmp(Cmp, Box<[Number; 2]>),
    CmpIx(Cmp, Box<[Index; 2]>),
    And(Box<[Truth; 2]>),
    Or(Box<[Truth; 2]>),
    Not(Box<Truth>),
}

struct Resolver<'k> {
    kernel: &'k Kernel,
    /// Dims first, then variables as they are met.
    slots: HashMap<Var, usize>,
    vals: HashMap<Val, usize>,
    slot_count: usize,
    val_count: usize,
    places: Vec<Fault>,
    path: Path,
}

type Result<T> = std::result::Result<T, String>;

impl<'k> Program<'k> {
    pub fn new(kernel: &'k Kernel) -> std::result::Result<Program<'k>, Fault> {
        let mut r = Resolver {
            kernel,
            slots: HashMap::new(),
            vals: HashMap::new(),
            slot_count: kernel.dims.len(),
            val_count: 0,
            places: vec![],
            path: Path::default(),
        };
        let grid: Result<Vec<Index>> = kernel.grid.iter().map(|(_, e)| r.index(e)).collect();
        let grid = grid.map_err(|m| r.path.fault(kernel, None, m))?;
        for (v, _) in &kernel.grid {
            r.bind(*v);
        }
        let body = r.block(&kernel.body)?;
        Ok(Program {
            kernel,
            grid,
            body,
            places: r.places,
            vals: r.val_count,
            vars: r.slot_count,
        })
    }
}

impl Resolver<'_> {
    fn bind(&mut self, v: Var) -> usize {
        self.slots.insert(v, self.slot_count);
        self.slot_count += 1;
        self.slot_count - 1
    }

    fn block(&mut self, stmts: &[Stmt]) -> std::result::Result<Block, Fault> {
        let outer = self.vals.clone();
        let mut all = vec![];
        for (i, s) in stmts.iter().enumerate() {
            self.path.push(Step::At(i));
            all.push(self.op(s)?);
            self.path.pop();
        }
        self.vals = outer;
        Ok(all)
    }

    fn op(&mut self, s: &Stmt) -> std::result::Result<Op, Fault> {
        let blank = self.path.fault(self.kernel, Some(s), "");
        self.places.push(blank.clone());
        let place = self.places.len() - 1;
        let wrong = |message: String| Fault { message, ..blank };
        let what = match s {
            Stmt::For {
                var,
                lo,
                hi,
                kind,
                reverse,
                body,
            } => {
                let bounds = self.index(lo).and_then(|lo| Ok((lo, self.index(hi)?)));
                let (lo, hi) = bounds.map_err(wrong)?;
                let var_slot = self.bind(*var);
                let body = self.block(body)?;
                self.slots.remove(var);
                What::For {
                    var: var_slot,
                    lo,
                    hi,
                    free: *kind != LoopKind::Seq,
                    reverse: *reverse,
                    body,
                }
            }
            Stmt::If { cond, then, els } => {
                let cond = self.truth(cond).map_err(wrong)?;
                let then = self.block(then)?;
                self.path.push(Step::Else);
                let els = self.block(els)?;
                self.path.pop();
                What::If { cond, then, els }
            }
            leaf => self.leaf(leaf).map_err(wrong)?,
        };
        Ok(Op { place, what })
    }

    fn leaf(&mut self, s: &Stmt) -> Result<What> {
        match s {
            Stmt::Store { buf, at, value } => {
                self.written(*buf)?;
                Ok(What::Store {
                    buf: *buf,
                    at: self.index(at)?,
                    value: self.number(value)?,
                })
            }
            Stmt::Let { val, value } => {
                let value = self.number(value)?;
                self.vals.insert(*val, self.val_count);
                self.val_count += 1;
                Ok(What::Let {
                    val: self.val_count - 1,
                    value,
                })
            }
            Stmt::Matmul(m) => {
                self.written(m.out.buf)?;
                self.read(m.a.buf)?;
                self.read(m.b.buf)?;
                if m.accumulate {
                    self.read(m.out.buf)?;
                }
                let bases = [
                    self.index(&m.out.base)?,
                    self.index(&m.a.base)?,
                    self.index(&m.b.base)?,
                ];
                Ok(What::Matmul {
                    m: m.clone(),
                    bases,
                })
            }
            Stmt::For { .. } | Stmt::If { .. } => Err("a block is no leaf".into()),
        }
    }

    fn access(&self, buf: Buf) -> Result<Access> {
        match buf {
            Buf::Arg(i) => match self.kernel.args.get(i as usize) {
                Some(a) => Ok(a.access),
                None => Err(format!("there is no argument {i}")),
            },
            Buf::Local(i) if (i as usize) < self.kernel.locals.len() => Ok(Access::ReadWrite),
            Buf::Local(i) => Err(format!("there is no local {i}")),
        }
    }

    fn written(&self, buf: Buf) -> Result<()> {
        match self.access(buf)? {
            Access::Read => Err("writes a buffer that is only read".into()),
            _ => Ok(()),
        }
    }

    fn read(&self, buf: Buf) -> Result<()> {
        match self.access(buf)? {
            Access::Write => Err("reads a buffer that is only written".into()),
            _ => Ok(()),
        }
    }

    fn index(&mut self, ix: &Ix) -> Result<Index> {
        let form = Linear::of(ix);
        let mut out = Index {
            constant: form.constant,
            slots: vec![],
            rest: vec![],
        };
        for (atom, c) in &form.terms {
            let curve = match atom {
                Ix::Var(v) => match self.slots.get(v) {
                    Some(s) => {
                        out.slots.push((*s, *c));
                        continue;
                    }
                    None => return Err(format!("variable i{} is not bound here", v.0)),
                },
                Ix::Dim(d) if (*d as usize) < self.kernel.dims.len() => {
                    out.slots.push((*d as usize, *c));
                    continue;
                }
                Ix::Dim(d) => return Err(format!("there is no size {d}")),
                Ix::Mul(a, b) => Curve::Mul(self.pair(a, b)?),
                Ix::Div(a, b) => Curve::Div(self.pair(a, b)?),
                Ix::Rem(a, b) => Curve::Rem(self.pair(a, b)?),
                Ix::Min(a, b) => Curve::Min(self.pair(a, b)?),
                Ix::Max(a, b) => Curve::Max(self.pair(a, b)?),
                Ix::Data(e) => Curve::Data(self.number(e)?.into()),
                Ix::Const(_) | Ix::Add(..) | Ix::Sub(..) => {
                    return Err("an index that is linear stands as an atom".into());
                }
            };
            out.rest.push((curve, *c));
        }
        Ok(out)
    }

    fn pair(&mut self, a: &Ix, b: &Ix) -> Result<Box<[Index; 2]>> {
        Ok(Box::new([self.index(a)?, self.index(b)?]))
    }

    fn numbers(&mut self, a: &Expr, b: &Expr) -> Result<Box<[Number; 2]>> {
        Ok(Box::new([self.number(a)?, self.number(b)?]))
    }

    fn number(&mut self, e: &Expr) -> Result<Number> {
        Ok(match e {
            Expr::Const(n) => Number::Const(n.0),
            Expr::Val(v) => match self.vals.get(v) {
                Some(slot) => Number::Val(*slot),
                None => return Err(format!("value %{} is not bound here", v.0)),
            },
            Expr::Load { buf, at } => {
                self.read(*buf)?;
                Number::Load(*buf, self.index(at)?)
            }
            Expr::Index(ix) => Number::Index(self.index(ix)?),
            Expr::Word(w) => Number::Word(w.map(&mut |ix| self.index(ix))?),
            Expr::Unary(op, x) => Number::Unary(*op, self.number(x)?.into()),
            Expr::Binary(op, a, b) => Number::Binary(*op, self.numbers(a, b)?),
            Expr::Select(c, a, b) => Number::Select(self.truth(c)?, self.numbers(a, b)?),
            Expr::Fold {
                op,
                var,
                lo,
                hi,
                lanes: _,
                body,
            } => {
                let (lo, hi) = (self.index(lo)?, self.index(hi)?);
                let slot = self.bind(*var);
                let body = self.number(body)?.into();
                self.slots.remove(var);
                Number::Fold {
                    op: *op,
                    var: slot,
                    lo,
                    hi,
                    body,
                }
            }
            Expr::Cmp(..) | Expr::CmpIx(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) => {
                return Err("a truth value stands where a number is needed".into());
            }
        })
    }

    fn truth(&mut self, e: &Expr) -> Result<Truth> {
        Ok(match e {
            Expr::Cmp(c, a, b) => Truth::Cmp(*c, self.numbers(a, b)?),
            Expr::CmpIx(c, a, b) => Truth::CmpIx(*c, self.pair(a, b)?),
            Expr::And(a, b) => Truth::And(Box::new([self.truth(a)?, self.truth(b)?])),
            Expr::Or(a, b) => Truth::Or(Box::new([self.truth(a)?, self.truth(b)?])),
            Expr::Not(x) => Truth::Not(self.truth(x)?.into()),
            _ => return Err("a number stands where a truth value is needed".into()),
        })
    }
}
