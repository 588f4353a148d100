//! A kernel under construction: arguments, sizes, scratch, fresh variables.

use crate::ir::{Access, Arg, Buf, Elem, Ix, Kernel, Local, Stmt, Var};
use super::extent::{Extent, View};
use seqc_algebra::Size;

pub struct KernelBuilder {
    pub args: Vec<(usize, Arg)>,
    pub dims: Vec<String>,
    pub locals: Vec<Local>,
    pub grid: Vec<(Var, Ix, Extent)>,
    /// `Var`s used so far.
    vars: u32,
    pub lanes: u32,
}

impl KernelBuilder {
    pub fn new(lanes: u32) -> KernelBuilder {
        KernelBuilder { args: vec![], dims: vec![], locals: vec![], grid: vec![], vars: 0, lanes }
    }

    pub fn var(&mut self) -> Var {
        self.vars += 1;
        Var(self.vars - 1)
    }

    /// The run-time length as an index.
    pub fn len(&mut self, name: &str) -> Ix {
        let at = self.dims.iter().position(|d| d == name).unwrap_or_else(|| {
            self.dims.push(name.to_owned());
            self.dims.len() - 1
        });
        Ix::Dim(at as u32)
    }

    pub fn size(&mut self, size: Size) -> Ix {
        match size {
            Size::Const(n) => Ix::Const(n as i64),
            Size::Len(name) => self.len(name.as_str()),
            Size::Tiles(name, n) => self.len(name.as_str()).ceil_div(n as i64),
        }
    }

    pub fn extent(&mut self, e: &Extent) -> Ix {
        let mut ix = Ix::Const(e.constant as i64);
        for s in e.lens().to_vec() {
            ix = ix * self.size(s);
        }
        ix
    }

    /// The kernel's argument for a global buffer; reading and writing the same buffer makes it `ReadWrite`.
    pub fn arg(&mut self, buffer: usize, name: &str, elem: Elem, access: Access) -> Buf {
        if let Some(at) = self.args.iter().position(|(b, _)| *b == buffer) {
            if self.args[at].1.access != access {
                self.args[at].1.access = Access::ReadWrite;
            }
            return Buf::Arg(at as u32);
        }
        self.args.push((buffer, Arg { name: name.to_owned(), elem, access }));
        Buf::Arg(self.args.len() as u32 - 1)
    }

    pub fn local(&mut self, name: &str, len: usize) -> Buf {
        self.locals.push(Local { name: name.to_owned(), elem: Elem::F32, len: len.max(1) });
        Buf::Local(self.locals.len() as u32 - 1)
    }

    /// A grid axis; returns its variable.
    pub fn grid_axis(&mut self, hi: Ix, extent: Extent) -> Var {
        let v = self.var();
        self.grid.push((v, hi, extent));
        v
    }

    /// The strides of a view as indices.
    pub fn strides(&mut self, view: &View) -> Vec<(seqc_algebra::Axis, Ix)> {
        view.strides.iter().map(|(a, s)| (*a, self.extent(s))).collect()
    }

    pub fn finish(self, name: &str, body: Vec<Stmt>) -> (Kernel, Vec<usize>, Vec<seqc_abi::Dim>) {
        let buffers = self.args.iter().map(|(b, _)| *b).collect();
        let dims = self.grid.iter().map(|(_, _, e)| e.dim()).collect();
        let kernel = Kernel {
            name: name.to_owned(),
            args: self.args.into_iter().map(|(_, a)| a).collect(),
            dims: self.dims,
            grid: self.grid.into_iter().map(|(v, hi, _)| (v, hi)).collect(),
            locals: self.locals,
            body,
        };
        (kernel, buffers, dims)
    }
}
