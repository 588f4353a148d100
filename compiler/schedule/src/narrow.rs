//! Narrower memory: which buffers of a plan lie in bf16, and the kernels that use them.
//!
//! Arithmetic stays f32; only what a load reads and a store leaves is narrower. In bf16 lie what comes and what goes:
//! inputs, parameters, outputs and the gradients of inputs. All between stays f32 (derivation calculus §5): sums become
//! gates, decays and exponents, where 8 bits are too few; states, solves, maxima and normalisers carry errors on;
//! gradients of parameters are sums over everything; whatever is added into would be rounded at each addition. So a
//! result is rounded once, and a CPU without bf16 arithmetic reads half the bytes of its weights.
//!
//! A matrix-multiply atom takes f32 only: an operand in bf16 is copied to a local first, a result is stored from one.

use crate::ir::*;
use crate::lower::Lowered;
use crate::walk::{Node, expanded};
use seqc_abi::{self as abi, Launch, Plan, Role};
use std::collections::{BTreeSet, HashMap};

/// The same plan in narrower memory. Kernels that nothing narrow is bound to stay as they are.
pub fn narrow(lowered: Lowered, lanes: u32) -> Lowered {
    let Lowered { kernels, mut plan } = lowered;
    let chosen = chosen(&plan, &kernels);
    for b in &chosen {
        plan.buffers[*b].elem = abi::Elem::Bf16;
    }
    let mut made = Lowered {
        kernels: vec![],
        plan: Plan {
            kernels: vec![],
            ..plan.clone()
        },
    };
    // One kernel may be launched on narrow and on wide buffers: then it is made twice.
    let mut known: HashMap<(usize, Vec<bool>), usize> = HashMap::new();
    for launch in &mut made.plan.launches {
        let Launch::Kernel {
            kernel, buffers, ..
        } = launch
        else {
            continue;
        };
        let narrow: Vec<bool> = buffers.iter().map(|b| chosen.contains(b)).collect();
        let old = *kernel;
        *kernel = *known.entry((old, narrow.clone())).or_insert_with(|| {
            let k = narrowed(&kernels[old], &narrow, lanes);
            let mut decl = plan.kernels[old].clone();
            decl.symbol = k.name.clone();
            decl.scratch_bytes = k.scratch_bytes();
            made.plan.kernels.push(decl);
            made.kernels.push(k);
            made.kernels.len() - 1
        });
    }
    made
}

/// The buffers that become bf16.
fn chosen(plan: &Plan, kernels: &[Kernel]) -> BTreeSet<usize> {
    let wants = |i: &usize| {
        let b = &plan.buffers[*i];
        let role = matches!(
            b.role,
            Role::Input { .. } | Role::Param { .. } | Role::Output { .. }
        );
        role && b.elem == abi::Elem::F32
    };
    let wide = wide(plan, kernels);
    (0..plan.buffers.len())
        .filter(wants)
        .filter(|i| !wide.contains(i))
        .collect()
}

/// Buffers that have to be f32: something is added into them, a transform reads them, or they are results that
/// something else is made of.
fn wide(plan: &Plan, kernels: &[Kernel]) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    for launch in &plan.launches {
        let read = launch.uses(plan).into_iter().filter(|u| u.reads);
        let result = |b: &usize| matches!(plan.buffers[*b].role, Role::Output { .. });
        all.extend(read.map(|u| u.buffer).filter(result));
        match launch {
            Launch::Kernel {
                kernel, buffers, ..
            } => {
                let summed = sums(&kernels[*kernel]);
                let args = kernels[*kernel].args.iter().enumerate();
                let wide =
                    args.filter(|(i, a)| a.access == Access::ReadWrite || summed.contains(i));
                all.extend(wide.filter_map(|(i, _)| buffers.get(i).copied()));
            }
            Launch::Gemm(g) if g.accumulate => {
                all.insert(g.out.buffer);
            }
            Launch::Gemm(_) => {}
            Launch::Conv(c) => all.extend([c.f, c.x, c.out]),
            Launch::Online(o) => all.extend([o.f, o.past, o.x, o.pos, o.out]),
            Launch::Append(a) => all.extend([a.from, a.to, a.x, a.pos]),
            Launch::Zero { buffer } => {
                all.insert(*buffer);
            }
        }
    }
    all
}

/// Arguments that a matrix product adds into.
fn sums(kernel: &Kernel) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    for s in &kernel.body {
        Node::Stmt(s).walk(&mut |n| {
            if let Node::Stmt(Stmt::Matmul(m)) = n
                && let (Buf::Arg(i), true) = (m.out.buf, m.accumulate)
            {
                all.insert(i as usize);
            }
        });
    }
    all
}

/// The kernel with the arguments that are `narrow` in bf16: none that is read and written.
pub fn narrowed(kernel: &Kernel, narrow: &[bool], lanes: u32) -> Kernel {
    let mut k = kernel.clone();
    if !narrow.contains(&true) {
        return k;
    }
    k.name = format!("{}_bf16", k.name);
    for (a, _) in k.args.iter_mut().zip(narrow).filter(|(_, n)| **n) {
        a.elem = Elem::Bf16;
    }
    let mut copies = Copies {
        next: next_var(kernel),
        locals: std::mem::take(&mut k.locals),
        narrow,
        lanes,
    };
    k.body = expanded(std::mem::take(&mut k.body), &mut |s| match s {
        Stmt::Matmul(m) => copies.product(m),
        other => vec![other],
    });
    k.locals = copies.locals;
    k
}

fn next_var(kernel: &Kernel) -> u32 {
    let mut next = kernel.grid.iter().map(|(v, _)| v.0 + 1).max().unwrap_or(0);
    for s in &kernel.body {
        Node::Stmt(s).walk(&mut |n| {
            if let Node::Stmt(Stmt::For { var, .. }) | Node::Expr(Expr::Fold { var, .. }) = n {
                next = next.max(var.0 + 1);
            }
        });
    }
    next
}

/// Puts copies around matrix products whose tiles lie in bf16.
struct Copies<'a> {
    next: u32,
    locals: Vec<Local>,
    narrow: &'a [bool],
    lanes: u32,
}

impl Copies<'_> {
    fn product(&mut self, mut m: Matmul) -> Vec<Stmt> {
        let (rows, cols, inner) = (m.m, m.n, m.k);
        let mut all = vec![];
        for (tile, r, c) in [(&mut m.a, rows, inner), (&mut m.b, inner, cols)] {
            if let Some(local) = self.local(tile, r, c) {
                all.push(self.copy(&local, tile, (r, c)));
                *tile = local;
            }
        }
        match self.local(&m.out, rows, cols) {
            Some(local) => {
                let out = std::mem::replace(&mut m.out, local.clone());
                all.push(Stmt::Matmul(m));
                all.push(self.copy(&out, &local, (rows, cols)));
            }
            None => all.push(Stmt::Matmul(m)),
        }
        all
    }

    /// A local for a tile that lies in bf16, contiguous where the tile is.
    fn local(&mut self, tile: &Tile, rows: usize, cols: usize) -> Option<Tile> {
        let Buf::Arg(i) = tile.buf else { return None };
        if !*self.narrow.get(i as usize)? {
            return None;
        }
        let at = self.locals.len() as u32;
        self.locals.push(Local {
            name: format!("wide{at}"),
            elem: Elem::F32,
            len: rows * cols,
        });
        let (r, c) = match tile.rows == 1 && tile.cols != 1 {
            true => (1, rows as i64),
            false => (cols as i64, 1),
        };
        Some(Tile {
            buf: Buf::Local(at),
            base: Ix::Const(0),
            rows: r,
            cols: c,
        })
    }

    /// `to = from`, lanes along the contiguous side.
    fn copy(&mut self, to: &Tile, from: &Tile, (rows, cols): (usize, usize)) -> Stmt {
        let (r, c) = (Var(self.next), Var(self.next + 1));
        self.next += 2;
        let at = |t: &Tile| t.base.clone() + Ix::Var(r) * t.rows + Ix::Var(c) * t.cols;
        let store = to.buf.store(at(to), from.buf.load(at(from)));
        let narrow = if matches!(from.buf, Buf::Arg(_)) {
            from
        } else {
            to
        };
        let (outer, inner) = match narrow.rows == 1 && narrow.cols != 1 {
            true => ((c, cols), (r, rows)),
            false => ((r, rows), (c, cols)),
        };
        let lanes = Stmt::vec(self.lanes, inner.0, 0, inner.1 as i64, vec![store]);
        Stmt::par(outer.0, 0, outer.1 as i64, vec![lanes])
    }
}
