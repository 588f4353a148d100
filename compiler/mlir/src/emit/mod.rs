//! One kernel becomes MLIR text: the environment that expressions, indices and statements are printed in.
//!
//! The same code prints CPU and GPU kernels. On a CPU a `Vec` loop binds its variable to a ramp of lanes and
//! values become vectors; on a GPU each thread runs scalar code ([`gpu`]).

mod angle;
mod bf16;
pub mod cpu;
mod deps;
mod effects;
mod expr;
mod fold;
pub mod gpu;
mod index;
mod stmt;
mod team;
mod word;

use crate::error::{Error, Result};
use crate::text::{Fun, Helpers, Value};
use index::{Index, Uni};
use seqc_schedule::ir::{Buf, Elem, Kernel, Val, Var};
use std::collections::HashMap;

/// A printed expression. `whole` is the i32 that a number was made from without loss, if it was.
#[derive(Clone)]
pub(crate) struct Num {
    pub v: Value,
    pub whole: Option<Value>,
}

/// What a kernel's body is printed with.
pub(crate) struct Emit<'a> {
    pub kernel: &'a Kernel,
    pub f: Fun,
    pub helpers: &'a mut Helpers,
    pub target: Lanes,
    vars: HashMap<Var, Index>,
    vals: HashMap<Val, Num>,
    dims: Vec<Value>,
    args: Vec<Value>,
    locals: Vec<Value>,
    /// Lanes of the enclosing `Vec` loop or vectorised fold; 1 outside.
    lanes: u32,
    /// The threads that share the cell, on a GPU.
    team: Option<team::Team>,
}

/// What vector code may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lanes {
    /// f32 lanes of a vector register; 1: scalar code only.
    pub width: u32,
    /// Number of vector registers.
    pub registers: u32,
}

impl<'a> Emit<'a> {
    fn new(kernel: &'a Kernel, helpers: &'a mut Helpers, target: Lanes) -> Emit<'a> {
        Emit {
            kernel,
            f: Fun::new(),
            helpers,
            target,
            vars: HashMap::new(),
            vals: HashMap::new(),
            dims: vec![],
            args: vec![],
            locals: vec![],
            lanes: 1,
            team: None,
        }
    }

    fn error<T>(&self, what: impl Into<String>) -> Result<T> {
        Err(Error::Kernel {
            kernel: self.kernel.name.clone(),
            what: what.into(),
        })
    }

    /// Base pointer and element type of a buffer.
    fn buffer(&self, buf: Buf) -> Result<(Value, Elem)> {
        let found = match buf {
            Buf::Arg(i) => self
                .args
                .get(i as usize)
                .zip(self.kernel.args.get(i as usize).map(|a| a.elem)),
            Buf::Local(i) => self
                .locals
                .get(i as usize)
                .zip(self.kernel.locals.get(i as usize).map(|l| l.elem)),
        };
        match found {
            Some((v, e)) => Ok((v.clone(), e)),
            None => self.error(format!("there is no buffer {buf:?}")),
        }
    }

    /// Binds the grid's variables to the coordinates of a cell of the row-major flattened grid.
    fn bind_grid(&mut self, cell: Value) -> Result<()> {
        let mut rest = Uni::unsigned(cell);
        let grid = &self.kernel.grid;
        for (i, (var, extent)) in grid.iter().enumerate().rev() {
            if i == 0 {
                self.vars.insert(*var, Index::Uniform(rest.clone()));
                break;
            }
            let extent = self.uniform(extent)?.known_unsigned();
            let here = self.rem(&rest, &extent);
            rest = self.div(&rest, &extent);
            self.vars.insert(*var, Index::Uniform(here));
        }
        Ok(())
    }
}

/// Symbols go into C and assembly: letters, digits, `_`, `.` and `$`.
fn check_name(kernel: &Kernel) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let name = &kernel.name;
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(good)
    {
        let what = "its name is no symbol (letters, digits and _ only)".into();
        return Err(Error::Kernel {
            kernel: name.clone(),
            what,
        });
    }
    Ok(())
}
