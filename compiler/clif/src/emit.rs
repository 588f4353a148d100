//! One kernel becomes one Cranelift function: the environment in which its statements are emitted.
//!
//! Code is emitted in one of two modes. In scalar mode every value is one number. In lanes, four iterations of
//! a loop run at once; a value that is the same in all four stays scalar until it meets one that is not.

mod angle;
mod cells;
mod expr;
mod fold;
mod index;
mod math;
mod matmul;
mod memory;
mod stmt;
mod tile;
mod word;

use cranelift::codegen::ir::{FuncRef, Function};
use cranelift::codegen::isa::TargetFrontendConfig;
use cranelift::prelude::*;
use index::At;
use seqc_schedule::ir::{Buf, Elem, Kernel, Val, Var};
use std::collections::HashMap;

/// Lanes of a vector.
pub(crate) const LANES: i64 = 4;

pub(crate) type Result<T> = std::result::Result<T, String>;

/// What generated code may call, and which instructions the machine has.
pub(crate) struct Imports {
    pub functions: HashMap<&'static str, FuncRef>,
    pub fma: bool,
}

/// A number: one, or one a lane. `whole` is the i32 (or four) that it was made from without loss.
#[derive(Clone, Copy)]
pub(crate) struct Num {
    pub v: Value,
    pub wide: bool,
    pub whole: Option<Value>,
}

/// A truth value: an i8 that is 0 or 1, or in lanes an i32x4 that is 0 or -1.
#[derive(Clone, Copy)]
pub(crate) struct Truth {
    pub v: Value,
    pub wide: bool,
}

pub(crate) struct Emit<'k, 'f> {
    kernel: &'k Kernel,
    b: FunctionBuilder<'f>,
    imports: Imports,
    vars: HashMap<Var, At>,
    vals: HashMap<Val, Num>,
    dims: Vec<Value>,
    args: Vec<Value>,
    locals: Vec<Value>,
    /// Emitting four iterations at once?
    wide: bool,
}

/// Emits the whole function into `func`, which has the signature of a kernel.
pub(crate) fn emit_kernel(
    kernel: &Kernel,
    func: &mut Function,
    imports: Imports,
    target: TargetFrontendConfig,
) -> Result<()> {
    let mut context = FunctionBuilderContext::new();
    let mut e = Emit {
        kernel,
        b: FunctionBuilder::new(func, &mut context),
        imports,
        vars: HashMap::new(),
        vals: HashMap::new(),
        dims: vec![],
        args: vec![],
        locals: vec![],
        wide: false,
    };
    e.cells()?;
    e.b.seal_all_blocks();
    e.b.finalize(target);
    Ok(())
}

/// Accesses do not trap; nothing is assumed of their alignment.
pub(crate) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl Emit<'_, '_> {
    pub(crate) fn buffer(&self, buf: Buf) -> Result<(Value, Elem)> {
        let found = match buf {
            Buf::Arg(i) => {
                let i = i as usize;
                self.args
                    .get(i)
                    .copied()
                    .zip(self.kernel.args.get(i).map(|a| a.elem))
            }
            Buf::Local(i) => {
                let i = i as usize;
                self.locals
                    .get(i)
                    .copied()
                    .zip(self.kernel.locals.get(i).map(|l| l.elem))
            }
        };
        found.ok_or_else(|| format!("there is no buffer {buf:?}"))
    }

    pub(crate) fn int(&mut self, n: i64) -> Value {
        self.b.ins().iconst(types::I64, n)
    }

    /// A float constant, in all lanes if `wide`.
    pub(crate) fn float(&mut self, x: f64, wide: bool) -> Value {
        let c = self.b.ins().f32const(Ieee32::with_float(x as f32));
        if wide {
            self.b.ins().splat(types::F32X4, c)
        } else {
            c
        }
    }

    /// The number in all lanes.
    pub(crate) fn widen(&mut self, n: Num) -> Value {
        if n.wide {
            n.v
        } else {
            self.b.ins().splat(types::F32X4, n.v)
        }
    }

    /// Two numbers of the same width.
    pub(crate) fn join(&mut self, a: Num, b: Num) -> (Value, Value, bool) {
        if a.wide || b.wide {
            (self.widen(a), self.widen(b), true)
        } else {
            (a.v, b.v, false)
        }
    }

    /// `a·b + c`, rounded once where the machine can.
    pub(crate) fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.imports.fma {
            return self.b.ins().fma(a, b, c);
        }
        let p = self.b.ins().fmul(a, b);
        self.b.ins().fadd(p, c)
    }

    /// A loop `for i in start..end` by `step` that carries values; the body gets `i` and them, and returns the
    /// next ones. Returns the last ones.
    pub(crate) fn for_loop(
        &mut self,
        start: Value,
        end: Value,
        step: i64,
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Result<Vec<Value>>,
    ) -> Result<Vec<Value>> {
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        let i = self.b.append_block_param(inside, types::I64);
        let mut state = vec![];
        let mut result = vec![];
        for c in carried {
            let ty = self.b.func.dfg.value_type(*c);
            state.push(self.b.append_block_param(inside, ty));
            result.push(self.b.append_block_param(after, ty));
        }
        let args = |first: Option<Value>, rest: &[Value]| -> Vec<codegen::ir::BlockArg> {
            first.iter().chain(rest).map(|v| (*v).into()).collect()
        };
        let some = self.b.ins().icmp(IntCC::SignedLessThan, start, end);
        let (enter, skip) = (args(Some(start), carried), args(None, carried));
        self.b.ins().brif(some, inside, &enter, after, &skip);
        self.b.switch_to_block(inside);
        let next = body(self, i, &state)?;
        let i = self.b.ins().iadd_imm_s(i, step);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, i, end);
        let (again, leave) = (args(Some(i), &next), args(None, &next));
        self.b.ins().brif(more, inside, &again, after, &leave);
        self.b.switch_to_block(after);
        Ok(result)
    }
}
