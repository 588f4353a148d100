//! The program as launches: which stored values share a kernel, and in which order they run.
//!
//! Invariants: a launch reads only buffers written by earlier ones; every result is written by exactly one value
//! (copies for further names); equal kernels are emitted once.

use super::buffers::{buffer, input_role, is_input, place, result_role, result_ty};
use super::cell::{Cell, Result};
use super::choose::{Choice, choose, is_long, is_product, roles};
use super::grid::{grid, keeps};
use super::layout::{Layouts, axes_of, layouts};
use super::online::appended;
use super::place::{Mem, Place, ix_dim};
use super::queue::{Queue, Read};
use super::scratch::Wide;
use super::{LowerError, Lowered, Options, gemm};
use crate::ir::{Access, Ix, Kernel};
use seqc_abi::{Buffer, Conv, Dim, KernelDecl, Launch, Plan, Role};
use seqc_algebra::{Axis, Func, Op, Sym, Ty, ValueId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

pub(crate) struct Top<'a> {
    pub func: &'a Func,
    pub options: &'a Options,
    pub lens: &'a [Sym],
    pub choice: Rc<Choice>,
    layouts: Layouts,
    pub buffers: Vec<Buffer>,
    pub place: HashMap<ValueId, Place>,
    /// Values that have been given a place since the queue was told.
    placed: Vec<ValueId>,
    /// For each value, its first name among the results.
    pub named: HashMap<ValueId, &'a str>,
    /// For each scan, its live results.
    projections: HashMap<ValueId, Vec<ValueId>>,
    kernels: Vec<Kernel>,
    known: HashMap<Kernel, usize>,
    pub launches: Vec<Launch>,
}

/// How a stored value is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Scan,
    Product,
    Long,
    Scatter,
    Conv,
    Online,
    Append,
    Rows,
}

impl<'a> Top<'a> {
    pub fn new(func: &'a Func, options: &'a Options, lens: &'a [Sym]) -> Result<Top<'a>> {
        let layouts = layouts(func, &options.orders);
        let choice = Rc::new(choose(func, Some(&layouts), options.reference));
        let mut projections: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
        for p in func.ids().filter(|p| choice.live[p.index()]) {
            if let Op::Proj(_) = func.op(p) {
                projections.entry(func.args(p)[0]).or_default().push(p);
            }
        }
        let mut top = Top {
            func,
            options,
            lens,
            choice,
            layouts,
            buffers: vec![],
            place: HashMap::new(),
            placed: vec![],
            named: (func.results.iter().rev())
                .map(|(n, v)| (*v, n.as_str()))
                .collect(),
            projections,
            kernels: vec![],
            known: HashMap::new(),
            launches: vec![],
        };
        for p in &func.params {
            let Some(input) = func.input(*p) else {
                continue;
            };
            top.buffers.push(buffer(
                input.name.as_str(),
                func.ty(*p),
                input_role(input, func.ty(*p)),
            ));
            let place = place(top.buffers.len() - 1, func.ty(*p), lens)?;
            top.place.insert(*p, place);
        }
        Ok(top)
    }

    pub fn lower(mut self) -> Result<Lowered> {
        let items = self.items();
        let items = items.into_iter().map(|v| (v, self.kind(v), self.reads(v)));
        let mut queue = Queue::new(items.collect(), |v| self.place.contains_key(&v));
        while let Some((v, kind)) = queue.next()? {
            let group = match kind {
                Kind::Rows => self.group(v, &queue),
                _ => vec![v],
            };
            group.iter().for_each(|v| queue.take(*v));
            match kind {
                Kind::Scan => self.launch_scan(v)?,
                Kind::Product => self.launch_product(v)?,
                Kind::Long => self.launch_long(v)?,
                Kind::Scatter => self.launch_scatter(v)?,
                Kind::Conv => self.launch_conv(v)?,
                Kind::Online => self.launch_online(v)?,
                Kind::Append => self.launch_append(v)?,
                Kind::Rows => self.launch_rows(&group, |v| queue.is_awaited(v))?,
            }
            self.placed.drain(..).for_each(|v| queue.give(v));
        }
        self.remaining_results()?;
        self.finish()
    }

    /// Everything that takes a launch, in order: stored values and scans.
    fn items(&self) -> Vec<ValueId> {
        let item = |id: &ValueId| match self.func.op(*id) {
            Op::Scan(_) => self.choice.live[id.index()],
            Op::Proj(_) | Op::Input(_) => false,
            _ => self.choice.live[id.index()] && self.choice.root[id.index()],
        };
        self.func.ids().filter(item).collect()
    }

    fn kind(&self, v: ValueId) -> Kind {
        let long = |over: &[Axis]| over.iter().any(is_long);
        match self.func.op(v) {
            Op::Scan(_) => Kind::Scan,
            _ if self.options.reference => Kind::Rows,
            Op::Contract(_) if is_product(self.func, v, true) => Kind::Product,
            Op::Contract(over) | Op::Reduce(_, over) if long(over) => Kind::Long,
            Op::ScatterAdd { .. } => Kind::Scatter,
            Op::Conv { lag, .. } | Op::ConvKernel { lag, .. } if is_long(lag) => Kind::Conv,
            Op::Online(axis) if is_long(axis) => Kind::Online,
            _ if appended(self.func, v).is_some() => Kind::Append,
            _ => Kind::Rows,
        }
    }

    /// Stored values that a value reads, and whether at other rows than its own. A scan reads all at any row.
    fn reads(&self, v: ValueId) -> Vec<Read> {
        let rows: Vec<Axis> = self
            .func
            .ty(v)
            .axes
            .iter()
            .copied()
            .filter(is_long)
            .collect();
        let mut all = vec![];
        let mut seen = BTreeSet::new();
        let mut todo = vec![(v, matches!(self.func.op(v), Op::Scan(_)))];
        while let Some((x, moved)) = todo.pop() {
            let moved = moved || rows.iter().any(|a| !keeps(self.func, x, *a));
            for a in self.func.args(x) {
                if !seen.insert((*a, moved)) {
                    continue;
                }
                if self.choice.root[a.index()] || is_input(self.func, *a) {
                    all.push(Read { value: *a, moved });
                } else {
                    todo.push((*a, moved));
                }
            }
        }
        all
    }

    fn rows_of(&self, v: ValueId) -> Vec<Axis> {
        self.func
            .ty(v)
            .axes
            .iter()
            .copied()
            .filter(is_long)
            .collect()
    }

    /// Values that one kernel can compute row by row together with `first`.
    fn group(&self, first: ValueId, queue: &Queue) -> Vec<ValueId> {
        let rows = self.rows_of(first);
        if rows.is_empty() || self.options.reference {
            return vec![first];
        }
        let has_lanes = |v: ValueId| self.func.ty(v).axes.iter().any(|a| a.is_const());
        let whole = |v: ValueId| self.rows_of(v) == rows && has_lanes(v);
        queue.group(first, 24, whole, |v| self.rows_of(v) == rows)
    }

    /// The type of a stored value, with its axes in the order of its buffer.
    pub fn kept_ty(&self, v: ValueId) -> Ty {
        Ty {
            axes: axes_of(self.func, &self.layouts, v).to_vec(),
            ..self.func.ty(v).clone()
        }
    }

    /// The buffer in which a value is kept for other launches.
    pub fn keep(&mut self, v: ValueId) -> Result<Place> {
        if let Some(p) = self.place.get(&v) {
            return Ok(p.clone());
        }
        let ty = &self.kept_ty(v);
        let result = self.named.get(&v);
        let name = match (result, self.func.value(v).name) {
            (Some(n), _) => (*n).to_owned(),
            (None, Some(n)) => n.as_str().to_owned(),
            _ => format!("v{}", v.0),
        };
        let role = result.map_or(Role::Temp, |n| result_role(self.func, n));
        self.buffers.push(buffer(&name, ty, role));
        let place = place(self.buffers.len() - 1, ty, self.lens)?;
        self.place.insert(v, place.clone());
        self.placed.push(v);
        Ok(place)
    }

    /// A kernel under construction that computes such values: it sees what is stored of all that they are made of.
    pub fn cell(&self, of: &[ValueId]) -> Cell<'a> {
        let mut cell = Cell::new(self.options, self.lens, self.func, self.choice.clone());
        let mut seen: HashSet<ValueId> = of.iter().copied().collect();
        let mut next = of.to_vec();
        while let Some(v) = next.pop() {
            let place = self.place.get(&v);
            if let Some(place) = place {
                cell.scopes[0].place.insert(v, place.clone());
            }
            if place.is_none() || of.contains(&v) {
                let args = self.func.args(v).iter();
                next.extend(args.filter(|a| seen.insert(**a)));
            }
        }
        cell
    }

    /// Emits a kernel, or finds the equal one, and launches it.
    pub fn launch(&mut self, cell: Cell<'a>, name: &str) -> Result<()> {
        let wides = cell.wides.clone();
        let (mut kernel, args) = cell.finish("");
        for (k, l) in kernel.locals.iter_mut().enumerate() {
            l.name = format!("s{k}");
        }
        let extents = kernel
            .grid
            .iter()
            .map(|(_, n)| ix_dim(&n.simplify(), self.lens));
        let grid: Vec<Dim> = extents
            .collect::<Option<_>>()
            .ok_or_else(|| LowerError::new("a grid's extent is no plan size"))?;
        let buffers = self.arguments(&args, &wides, &grid)?;
        let index = match self.known.get(&kernel) {
            Some(k) => *k,
            None => {
                let k = self.kernels.len();
                self.known.insert(kernel.clone(), k);
                let clean: String = name
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                    .collect();
                self.kernels.push(Kernel {
                    name: format!("k{k}_{clean}"),
                    ..kernel
                });
                k
            }
        };
        self.launches.push(Launch::Kernel {
            kernel: index,
            buffers,
            grid,
        });
        Ok(())
    }

    /// The plan's buffers for a kernel's arguments, those that it has for itself among them.
    fn arguments(&mut self, args: &[Mem], wides: &[Wide], grid: &[Dim]) -> Result<Vec<usize>> {
        let mut all = vec![];
        for mem in args {
            all.push(match mem {
                Mem::Global(b) => *b,
                Mem::Wide(k) => {
                    self.buffers.push(wides[*k].buffer(grid, self.lens)?);
                    self.buffers.len() - 1
                }
                Mem::Local(_) => return Err(LowerError::new("a thread's memory is no argument")),
            });
        }
        Ok(all)
    }

    fn launch_scan(&mut self, id: ValueId) -> Result<()> {
        let Op::Scan(scan) = self.func.op(id) else {
            return Ok(());
        };
        let mut outs = vec![None; scan.outs.len()];
        let projections = self.projections.get(&id).cloned().unwrap_or_default();
        let mut name = "scan".to_owned();
        let mut cell = self.cell(&[id]);
        for p in projections {
            let Op::Proj(k) = self.func.op(p) else {
                continue;
            };
            outs[*k] = Some(self.keep(p)?);
            name = format!("scan_{}", super::root::label(self.func, p));
        }
        let wanted: Vec<bool> = outs.iter().map(Option::is_some).collect();
        let g = grid(scan, &wanted, self.options.lanes as usize);
        for axis in &g.single {
            let (v, n) = (cell.var(), cell.size(*axis)?);
            cell.grid.push((v, n));
            cell.ambient.insert(*axis, Ix::Var(v));
        }
        for (axis, size) in &g.parted {
            let (v, n) = (cell.var(), cell.size(*axis)?);
            let base = Ix::Var(v) * *size as i64;
            let valid = match n.known() {
                Some(n) if n % *size as i64 == 0 => Ix::Const(*size as i64),
                _ => (n.clone() - base.clone()).min_ix(*size as i64),
            };
            cell.grid.push((v, n.ceil_div(*size as i64).simplify()));
            cell.parts.insert(
                *axis,
                super::cell::Part {
                    size: *size,
                    base,
                    valid,
                },
            );
        }
        let step = if g.steps {
            let (v, n) = (cell.var(), cell.size(scan.axis)?);
            let tile = scan.tile.and_then(|c| c.size.constant()).unwrap_or(1) as i64;
            cell.grid.push((v, n.ceil_div(tile).simplify()));
            Some(Ix::Var(v))
        } else {
            None
        };
        for place in outs.iter_mut().flatten() {
            for (axis, part) in &cell.parts {
                *place = place.clone().from(*axis, part.base.clone());
            }
            for (axis, ix) in &cell.ambient {
                *place = place.clone().at(*axis, ix.clone());
            }
        }
        cell.scan(0, id, &outs, step)?;
        self.launch(cell, &name)
    }

    fn launch_product(&mut self, v: ValueId) -> Result<()> {
        let args = self.func.args(v);
        let cell = self.cell(&[v]);
        let (a, b) = (cell.views(0, args[0]), cell.views(0, args[1]));
        let known = self.place.contains_key(&v);
        let index = self.buffers.len();
        let out = match known {
            true => self.place[&v].clone(),
            false => place(index, &self.kept_ty(v), self.lens)?,
        };
        let made = match (roles(self.func, v), a.first(), b.first()) {
            (Some(r), Some(a), Some(b)) => gemm::gemm(&r, a, b, &out, self.lens),
            _ => None,
        };
        match made {
            Some(launches) => {
                self.keep(v)?;
                self.launches.extend(launches);
                Ok(())
            }
            None => match self.func.op(v) {
                Op::Contract(over) if over.iter().any(is_long) => self.launch_long(v),
                _ => self.launch_rows(&[v], |_| false),
            },
        }
    }

    /// The runtime's convolution if the layouts are `{batch, t, channels}` and `{lag, channels}`.
    fn launch_conv(&mut self, v: ValueId) -> Result<()> {
        match self.conv(v)? {
            Some(launch) => {
                self.launches.push(launch);
                Ok(())
            }
            None => self.launch_rows(&[v], |_| false),
        }
    }

    fn conv(&mut self, v: ValueId) -> Result<Option<Launch>> {
        let args = self.func.args(v);
        let (f, x) = (args[0], args[1]);
        let (axis, lag, transpose, kernel_grad) = match self.func.op(v) {
            Op::Conv { axis, lag, ahead } => (*axis, *lag, *ahead, false),
            Op::ConvKernel {
                axis,
                lag,
                over,
                ahead,
            } if !ahead && over.iter().all(|a| a.name.as_str() == "batch") => {
                (*axis, *lag, false, true)
            }
            _ => return Ok(None),
        };
        let whole = |v: ValueId| self.place.get(&v).cloned();
        let (Some(pf), Some(px)) = (whole(f), whole(x)) else {
            return Ok(None);
        };
        let order = |v: ValueId| self.func.ty(v).axes.clone();
        let channels: Vec<Axis> = order(x).into_iter().filter(|a| a.is_const()).collect();
        let batch = order(x)
            .first()
            .copied()
            .filter(|a| a.name.as_str() == "batch");
        let sequence = |time: Axis| {
            batch
                .into_iter()
                .chain([time])
                .chain(channels.iter().copied())
                .collect::<Vec<_>>()
        };
        let kernel: Vec<Axis> = [lag].into_iter().chain(channels.iter().copied()).collect();
        let (want_f, want_out) = if kernel_grad {
            (sequence(axis), kernel)
        } else {
            (kernel, sequence(axis))
        };
        let over_batch = match self.func.op(v) {
            Op::ConvKernel { over, .. } => over.is_empty() == batch.is_none(),
            _ => true,
        };
        let fits = order(x) == sequence(axis)
            && order(f) == want_f
            && self.kept_ty(v).axes == want_out
            && lag.size == axis.size
            && over_batch;
        if !fits || pf.int || px.int {
            return Ok(None);
        }
        let index = |p: &Place| match p.mem {
            Mem::Global(b) => b,
            Mem::Local(_) | Mem::Wide(_) => usize::MAX,
        };
        let out = self.keep(v)?;
        let dim = |a: &Axis| super::place::size_dim(a.size);
        Ok(Some(Launch::Conv(Conv {
            f: index(&pf),
            x: index(&px),
            out: index(&out),
            batch: batch.as_ref().map_or(Dim::Const(1), dim),
            len: dim(&axis),
            channels: Dim::product(channels.iter().map(dim)),
            transpose,
            kernel_grad,
        })))
    }

    /// Results that are inputs, free values, or second names of a value.
    fn remaining_results(&mut self) -> Result<()> {
        let mut named: BTreeSet<ValueId> = BTreeSet::new();
        for (name, v) in &self.func.results {
            let first = named.insert(*v);
            if first && !is_input(self.func, *v) && self.place.contains_key(v) {
                continue;
            }
            let ty = result_ty(self.func, &self.options.orders, name, self.func.ty(*v));
            self.buffers
                .push(buffer(name, &ty, result_role(self.func, name)));
            let to = place(self.buffers.len() - 1, &ty, self.lens)?;
            self.launch_copy(*v, to, name)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Lowered> {
        let decl = |k: &Kernel| KernelDecl {
            symbol: k.name.clone(),
            dims: k.dims.clone(),
            scratch_bytes: k.scratch_bytes(),
            writes: k.args.iter().map(|a| a.access != Access::Read).collect(),
        };
        let plan = Plan {
            name: self.func.name.clone(),
            lens: self.lens.iter().map(|l| l.as_str().to_owned()).collect(),
            buffers: self.buffers,
            kernels: self.kernels.iter().map(decl).collect(),
            launches: self.launches,
            once: 0,
        };
        plan.validate().map_err(LowerError)?;
        Ok(Lowered {
            kernels: self.kernels,
            plan,
        })
    }
}

/// The axis of blocks of `n` positions.
pub(crate) fn blocks(axis: Axis, n: usize) -> Axis {
    Axis {
        name: Sym::new(&format!("{}%blocks", axis.name)),
        size: axis.size.tiled(n),
    }
}
