//! One kernel under construction: its variables, scratch, bound buffers, open blocks of statements, and the
//! scopes (the program and the scan bodies entered) whose values it computes.
//!
//! Invariants: scope 0 is the program; a body's scope names its parent, in which its formals are bound. Indices of
//! a *parted* axis (one whose positions the grid shares out) are local to the cell in every scope but the first.

use super::choose::{Choice, choose};
use super::place::{Env, Mem, Place, size_ix};
use super::scratch::Wide;
use super::{LowerError, Options};
use crate::ir::{Access, Arg, Buf, Elem, Expr, Ix, Kernel, Local, Stmt, Var};
use seqc_algebra::{Axis, Func, Sym, ValueId};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) type Result<T> = std::result::Result<T, LowerError>;

/// How a formal of a scan body is read in the parent's scope.
#[derive(Clone, Debug)]
pub(crate) enum Along {
    /// Whole.
    Same,
    /// At one position of an axis.
    Step { axis: Axis, at: Ix },
    /// A tile of an axis: position `base + tile`, of `len`; `fill` beyond.
    Tile {
        axis: Axis,
        tile: Axis,
        base: Ix,
        len: Ix,
        fill: f64,
        whole: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Formal {
    /// The position of the step.
    Pos(Ix),
    Outer {
        value: ValueId,
        along: Along,
    },
}

pub(crate) struct Scope<'a> {
    pub func: &'a Func,
    pub choice: Rc<Choice>,
    pub parent: Option<usize>,
    pub formal: BTreeMap<ValueId, Formal>,
    pub place: BTreeMap<ValueId, Place>,
    /// Copies of values in other layouts, made on demand.
    pub copies: BTreeMap<ValueId, Vec<Place>>,
    /// Values that are the same at every step; they are computed in the block before the loop. Nothing in the program.
    pub still: Vec<bool>,
    /// Depth of the open block in which this scope's statements go; still ones go one below.
    pub level: usize,
}

impl Scope<'_> {
    pub fn is_still(&self, v: ValueId) -> bool {
        self.still.get(v.index()).is_some_and(|s| *s)
    }
}

/// An axis of which the cell has `size` positions from `base` on, `valid` of them inside.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub size: usize,
    pub base: Ix,
    pub valid: Ix,
}

pub(crate) struct Cell<'a> {
    pub options: &'a Options,
    pub lens: &'a [Sym],
    next_var: u32,
    pub locals: Vec<Local>,
    /// Scratch of run-time size: buffers that only this kernel has.
    pub wides: Vec<Wide>,
    /// Buffers of the plan in order of first use, and its own.
    args: Vec<(Mem, Elem, bool, bool)>,
    pub blocks: Vec<Vec<Stmt>>,
    pub scopes: Vec<Scope<'a>>,
    pub ambient: BTreeMap<Axis, Ix>,
    pub parts: BTreeMap<Axis, Part>,
    pub grid: Vec<(Var, Ix)>,
}

impl<'a> Cell<'a> {
    pub fn new(
        options: &'a Options,
        lens: &'a [Sym],
        func: &'a Func,
        choice: Rc<Choice>,
    ) -> Cell<'a> {
        let scope = Scope {
            func,
            choice,
            parent: None,
            formal: BTreeMap::new(),
            place: BTreeMap::new(),
            copies: BTreeMap::new(),
            still: vec![],
            level: 0,
        };
        Cell {
            options,
            lens,
            next_var: 0,
            locals: vec![],
            wides: vec![],
            args: vec![],
            blocks: vec![vec![]],
            scopes: vec![scope],
            ambient: BTreeMap::new(),
            parts: BTreeMap::new(),
            grid: vec![],
        }
    }

    pub fn var(&mut self) -> Var {
        self.next_var += 1;
        Var(self.next_var - 1)
    }

    pub fn size(&self, axis: Axis) -> Result<Ix> {
        size_ix(axis.size, self.lens).ok_or_else(|| {
            LowerError(format!(
                "axis `{axis}` has a length that the program does not declare"
            ))
        })
    }

    /// Positions of an axis that the cell's loops visit: of a parted axis, those inside.
    pub fn extent(&self, axis: Axis) -> Result<Ix> {
        match self.parts.get(&axis) {
            Some(p) => Ok(p.valid.clone()),
            None => self.size(axis),
        }
    }

    /// Positions of an axis for which scratch is kept, if that is a constant.
    pub fn room(&self, axis: Axis) -> Option<usize> {
        match self.parts.get(&axis) {
            Some(p) => Some(p.size),
            None => axis.size.constant(),
        }
    }

    pub fn emit(&mut self, s: Stmt) {
        if let Some(block) = self.blocks.last_mut() {
            block.push(s);
        }
    }

    pub fn open(&mut self) {
        self.blocks.push(vec![]);
    }

    pub fn close(&mut self) -> Vec<Stmt> {
        self.blocks.pop().unwrap_or_default()
    }

    /// The argument that stands for a buffer of the plan.
    pub fn arg(&mut self, buffer: Mem, elem: Elem, write: bool) -> Buf {
        let k = match self.args.iter().position(|a| a.0 == buffer) {
            Some(k) => k,
            None => {
                self.args.push((buffer, elem, false, false));
                self.args.len() - 1
            }
        };
        if write {
            self.args[k].3 = true;
        } else {
            self.args[k].2 = true;
        }
        Buf::Arg(k as u32)
    }

    pub fn buf(&mut self, place: &Place, write: bool) -> Buf {
        match place.mem {
            Mem::Local(k) => Buf::Local(k),
            mem => self.arg(mem, if place.int { Elem::I32 } else { Elem::F32 }, write),
        }
    }

    /// The index of an axis at which `env` wants an element.
    pub fn index(&self, env: &Env, axis: Axis) -> Result<Ix> {
        match env.get(axis).or_else(|| self.ambient.get(&axis)) {
            Some(i) => Ok(i.clone()),
            None => Err(LowerError(format!("no index for axis `{axis}`"))),
        }
    }

    pub fn at(&self, place: &Place, env: &Env) -> Result<Ix> {
        let mut at = place.base.clone();
        for (axis, stride) in &place.strides {
            at = at + self.index(env, *axis)? * stride.clone();
        }
        Ok(at.simplify())
    }

    pub fn load(&mut self, place: &Place, env: &Env) -> Result<Expr> {
        let at = self.at(place, env)?;
        Ok(self.buf(place, false).load(at))
    }

    /// The scope's environment in its parent: local indices of parted axes become positions in the program.
    pub fn outward(&self, scope: usize, env: &Env) -> Env {
        let mut out = env.clone();
        if self.scopes[scope].parent == Some(0) {
            for (axis, i) in &mut out.0 {
                if let Some(p) = self.parts.get(axis) {
                    *i = (p.base.clone() + i.clone()).simplify();
                }
            }
        }
        out
    }

    /// The parent's place as the body's scope sees it.
    pub fn inward(&self, scope: usize, mut place: Place) -> Place {
        if self.scopes[scope].parent == Some(0) {
            for (axis, part) in &self.parts {
                place = place.from(*axis, part.base.clone());
            }
            // Grid axes outside the parts have one index in the whole cell.
            for (axis, ix) in &self.ambient {
                if !self.parts.contains_key(axis) {
                    place = place.at(*axis, ix.clone());
                }
            }
        }
        place
    }

    pub fn enter(&mut self, func: &'a Func, parent: usize) -> usize {
        let choice = Rc::new(choose(func, None, self.options.reference));
        let level = self.blocks.len();
        self.scopes.push(Scope {
            func,
            choice,
            parent: Some(parent),
            formal: BTreeMap::new(),
            place: BTreeMap::new(),
            copies: BTreeMap::new(),
            still: vec![],
            level,
        });
        self.scopes.len() - 1
    }

    /// The kernel, and where its arguments lie.
    pub fn finish(mut self, name: &str) -> (Kernel, Vec<Mem>) {
        let body = self.close();
        let access = |read, write| match (read, write) {
            (true, true) => Access::ReadWrite,
            (false, true) => Access::Write,
            _ => Access::Read,
        };
        let args = self
            .args
            .iter()
            .enumerate()
            .map(|(k, (_, elem, r, w))| Arg {
                name: format!("a{k}"),
                elem: *elem,
                access: access(*r, *w),
            });
        let kernel = Kernel {
            name: name.to_owned(),
            args: args.collect(),
            dims: self.lens.iter().map(|l| l.as_str().to_owned()).collect(),
            grid: self.grid,
            locals: self.locals,
            body,
        };
        (kernel, self.args.into_iter().map(|a| a.0).collect())
    }
}
