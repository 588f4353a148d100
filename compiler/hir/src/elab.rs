//! The elaborator's state, and how operations are emitted.
//!
//! Operations go to the builder of the deepest of their arguments: what does not depend on a loop's states stays
//! outside of the loop, and enters it as a sequence (if it has the loop's time axis) or as a fixed value.
//! Invariant: `frames[0]` is the program; every other frame is the body of a scan under construction.

use crate::budget::{MAX_VALUES, Spent};
use crate::program::Program;
use crate::reach::Reach;
use crate::reread::To;
use crate::scope::Scope;
use crate::value::{Dyn, Home};
use seqc_algebra::{
    Axis, Builder, Elem, InputKind, MapFn, Num, Op, ShapeError, Size, Sym, Ty, ValueId,
};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{HashMap, HashSet};

/// More parameter entries than this are refused (a model of 10^12 parameters is a slip).
pub const MAX_PARAMETERS: u128 = 1_000_000_000_000;
/// A value of more entries per batch row and time step than this is refused.
pub const MAX_ENTRIES: u128 = 1 << 40;
/// Mixers may call mixers this deep.
pub const MAX_CALLS: usize = 64;
/// Layers of one `repeat`.
pub const MAX_REPEAT: usize = 65_536;

/// A value of an enclosing frame that a loop's body reads.
pub struct Import {
    pub outer: Dyn,
    pub formal: ValueId,
    pub seq: bool,
}

/// A body under construction.
pub struct Loop {
    pub time: Axis,
    pub position: ValueId,
    pub imports: Vec<Import>,
    known: HashMap<(usize, ValueId), ValueId>,
}

pub struct Frame {
    pub b: Builder,
    pub body: Option<Loop>,
}

pub struct Param {
    pub value: Dyn,
    pub site: Vec<Span>,
    pub span: Span,
}

/// A length that an index into a fixed axis requires: `clock` must not exceed `most`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub clock: String,
    pub most: usize,
    pub span: Span,
}

pub struct Elab<'p> {
    pub program: &'p Program,
    pub frames: Vec<Frame>,
    pub diags: Vec<Diagnostic>,
    pub spent: Spent,
    said: HashSet<(&'static str, Span)>,
    /// Lines, with the indices that nothing binds there.
    pub unbound: HashSet<(Home, String)>,
    pub params: HashMap<String, Param>,
    pub entries: u128,
    /// The mixers being inlined, with the span of each call.
    pub stack: Vec<(usize, Span)>,
    /// Whether missing settings and unbuilt constructs are only noted.
    pub checking: bool,
    pub objectives: Vec<(String, Dyn)>,
    pub training: Option<Dyn>,
    pub spans: HashMap<String, Span>,
    /// Formula and place of each size, for messages.
    pub sizes: HashMap<Axis, (String, Span)>,
    pub limits: Vec<Limit>,
    /// Coarser clocks, by axis.
    pub ticks: HashMap<Axis, crate::clocks::Ticks>,
    /// Axes of constant size that are times in the mixer being elaborated.
    pub lines: Vec<Axis>,
    /// Lags that are summed over.
    pub lags: HashSet<Axis>,
    /// Types of the names of the outermost mixer, in order, for the dump.
    pub types: Vec<(String, String)>,
}

impl<'p> Elab<'p> {
    pub fn new(program: &'p Program, name: &str, checking: bool) -> Elab<'p> {
        Elab {
            program,
            frames: vec![Frame {
                b: Builder::new(name),
                body: None,
            }],
            diags: vec![],
            spent: Spent::default(),
            said: HashSet::new(),
            unbound: HashSet::new(),
            params: HashMap::new(),
            entries: 0,
            stack: vec![],
            checking,
            objectives: vec![],
            training: None,
            spans: HashMap::new(),
            sizes: HashMap::new(),
            limits: vec![],
            ticks: HashMap::new(),
            lines: vec![],
            lags: HashSet::new(),
            types: vec![],
        }
    }

    /// Reports, once per code and place.
    pub fn report(&mut self, d: Diagnostic) {
        if self.said.insert((d.code, d.primary.span)) && self.counts(&d) {
            self.diags.push(d);
        }
    }

    /// Forgets what was reported since a mark (an attempt that is made again).
    pub fn forget(&mut self, mark: usize) {
        for d in self.diags.split_off(mark) {
            self.uncount(&d);
            self.said.remove(&(d.code, d.primary.span));
            if d.code == "E18" {
                self.unbound.clear();
            }
        }
    }

    /// A construct that the language has and the compiler has not yet: refused when built, noted when checked.
    pub fn not_built(&mut self, what: &str, span: Span) {
        let message = format!("{what} is not built yet");
        let d = if self.checking {
            Diagnostic::warning("N01", message, span)
        } else {
            Diagnostic::error("N01", message, span)
        };
        self.report(d.note("its names are checked; it cannot be compiled or run"));
    }

    pub fn axes(&self, v: &Dyn) -> &[Axis] {
        self.frames[v.depth].b.axes(v.id)
    }

    pub fn has(&self, v: &Dyn, axis: Axis) -> bool {
        self.axes(v).contains(&axis)
    }

    pub fn elem(&self, v: &Dyn) -> Elem {
        self.frames[v.depth].b.elem(v.id)
    }

    pub fn features(&self, v: &Dyn) -> Vec<Axis> {
        self.axes(v)
            .iter()
            .copied()
            .filter(|a| self.is_feature(*a))
            .collect()
    }

    /// The axes that are times here, without the batch: of run-time length, or run along by a mixer.
    pub fn times(&self, v: &Dyn) -> Vec<Axis> {
        self.axes(v)
            .iter()
            .copied()
            .filter(|a| !self.is_feature(*a) && *a != Axis::batch())
            .collect()
    }

    /// Is an axis one of features, and no mixer's time?
    pub fn is_feature(&self, axis: Axis) -> bool {
        axis.is_const() && !self.lines.contains(&axis)
    }

    /// An index over a clock, under a name that nothing else has.
    pub fn index_over(&mut self, s: &Scope<'p>, clock: Axis, name: &str) -> Axis {
        let index = clock.renamed(&s.fresh(name));
        if index.is_const() {
            self.lines.push(index);
        }
        index
    }

    fn wrap(&self, depth: usize, id: ValueId, reach: Reach) -> Dyn {
        Dyn {
            depth,
            id,
            reach,
            index: None,
            zero: vec![],
            domains: vec![],
        }
    }

    pub fn number(&mut self, x: f64) -> Dyn {
        let id = self.frames[0].b.num(x);
        self.wrap(0, id, Reach::default())
    }

    /// `1i`, as a constant.
    pub fn imaginary(&mut self, factor: f64, span: Span) -> Option<Dyn> {
        let (re, im) = (self.number(0.0), self.number(factor));
        self.emit(Op::Map(MapFn::Complex), &[&re, &im], span)
    }

    pub fn input(&mut self, name: &str, kind: InputKind, ty: Ty, reach: Reach) -> Dyn {
        let id = self.frames[0].b.input(name, kind, ty);
        self.wrap(0, id, reach)
    }

    /// The image of a value in the body of frame `depth`.
    fn import(&mut self, v: &Dyn, depth: usize, span: Span) -> Option<ValueId> {
        if v.depth == depth {
            return Some(v.id);
        }
        let value = self.frames[v.depth].b.func().value(v.id).clone();
        let outer_time = self.frames[v.depth].body.as_ref().map(|l| l.time);
        let frame = &mut self.frames[depth];
        let body = frame.body.as_mut()?;
        if let Some(id) = body.known.get(&(v.depth, v.id)) {
            return Some(*id);
        }
        if outer_time.is_some() {
            self.not_built("a recurrence inside a cycle through another state", span);
            return None;
        }
        let id = match &value.op {
            Op::Const(Num(x)) => frame.b.num(*x),
            Op::Iota(a) if *a == body.time => body.position,
            Op::Iota(_) | Op::Length(_) => frame.b.push(value.op.clone(), &[]).ok()?,
            _ => {
                let seq = value.ty.has(body.time);
                let axes: Vec<Axis> = value
                    .ty
                    .axes
                    .iter()
                    .copied()
                    .filter(|a| *a != body.time)
                    .collect();
                let name = value.name.map_or("in", Sym::as_str);
                let formal = frame.b.input(
                    name,
                    InputKind::Formal,
                    Ty {
                        elem: value.ty.elem,
                        axes,
                    },
                );
                body.imports.push(Import {
                    outer: v.clone(),
                    formal,
                    seq,
                });
                formal
            }
        };
        if let Some(body) = self.frames[depth].body.as_mut() {
            body.known.insert((v.depth, v.id), id);
        }
        Some(id)
    }

    /// Emits an operation where its deepest argument lives.
    pub fn emit(&mut self, op: Op, args: &[&Dyn], span: Span) -> Option<Dyn> {
        let depth = args.iter().map(|a| a.depth).max().unwrap_or(0);
        self.emit_at(depth, op, args, span)
    }

    /// Emits an operation in a frame; what it makes of its arguments' domains is in [`crate::exists`].
    pub fn emit_at(&mut self, depth: usize, op: Op, args: &[&Dyn], span: Span) -> Option<Dyn> {
        if args
            .iter()
            .all(|a| a.domains.is_empty() && a.zero.is_empty())
        {
            return self.emit_plain(depth, op, args, span);
        }
        let settled = self.before(&op, args, span)?;
        let args: Vec<&Dyn> = settled.iter().collect();
        let (domains, zero) = self.after(&op, &args);
        let mut out = self.emit_plain(depth, op, &args, span)?;
        (out.domains, out.zero) = (domains, zero);
        Some(out)
    }

    /// Emits an operation whose result has no domain.
    pub(crate) fn emit_bare(&mut self, op: Op, args: &[&Dyn], span: Span) -> Option<Dyn> {
        let depth = args.iter().map(|a| a.depth).max().unwrap_or(0);
        self.emit_plain(depth, op, args, span)
    }

    fn emit_plain(&mut self, depth: usize, op: Op, args: &[&Dyn], span: Span) -> Option<Dyn> {
        let mut ids = Vec::with_capacity(args.len());
        let mut reach = Reach::default();
        for a in args {
            ids.push(self.import(a, depth, span)?);
            reach.join(&a.reach);
        }
        if self.frames[depth].b.func().values.len() > MAX_VALUES {
            self.over(format!("more than {MAX_VALUES} operations"), span);
            return None;
        }
        match self.frames[depth].b.push(op, &ids) {
            Ok(id) => {
                let out = self.wrap(depth, id, reach);
                self.bounded(&out, span).then_some(out)
            }
            Err(e) => {
                self.shape_error(&e, span);
                None
            }
        }
    }

    /// Refuses values whose constant part alone could not be held.
    fn bounded(&mut self, v: &Dyn, span: Span) -> bool {
        let sizes = self.axes(v).iter().filter_map(|a| a.size.constant());
        let total = sizes.fold(1u128, |n, s| n.saturating_mul(s as u128));
        if total > MAX_ENTRIES {
            self.too_large(format!("a value with {total} entries at each step"), span);
        }
        total <= MAX_ENTRIES
    }

    pub fn too_large(&mut self, what: String, span: Span) {
        let d = Diagnostic::error("E27", format!("too large: {what}"), span);
        self.report(d.help("make a size or a number of layers smaller"));
    }

    pub(crate) fn shape_error(&mut self, e: &ShapeError, span: Span) {
        let d = match e {
            ShapeError::Clash { name, one, other } => {
                let d = Diagnostic::error(
                    "E08",
                    format!("`{name}` is {one} in one operand and {other} in another"),
                    span,
                );
                let places = [(*one, "has"), (*other, "has")]
                    .map(|(size, _)| self.sizes.get(&Axis { name: *name, size }).cloned());
                places
                    .into_iter()
                    .flatten()
                    .fold(d, |d, (formula, at)| d.secondary(at, formula))
                    .help("rename one of the two axes, or give them one size")
            }
            ShapeError::Duplicate(axis) => Diagnostic::error(
                "E12",
                format!("this would give `{}` twice", axis.name),
                span,
            )
            .help(format!("use a second copy, `{}'`", axis.name)),
            other => Diagnostic::error("E28", other.to_string(), span),
        };
        self.report(d);
    }

    pub fn map1(&mut self, f: MapFn, a: &Dyn, span: Span) -> Option<Dyn> {
        self.emit(Op::Map(f), &[a], span)
    }

    pub fn map2(&mut self, f: MapFn, a: &Dyn, b: &Dyn, span: Span) -> Option<Dyn> {
        self.emit(Op::Map(f), &[a, b], span)
    }

    pub fn select(&mut self, c: &Dyn, a: &Dyn, b: &Dyn, span: Span) -> Option<Dyn> {
        self.emit(Op::Map(MapFn::Select), &[c, a, b], span)
    }

    pub fn iota(&mut self, axis: Axis, span: Span) -> Option<Dyn> {
        self.emit_at(0, Op::Iota(axis), &[], span)
    }

    pub fn rename(&mut self, v: &Dyn, from: Axis, to: Axis, span: Span) -> Option<Dyn> {
        let mut out = self.emit_bare(Op::Rename { from, to }, &[v], span)?;
        out.reach = v.reach.renamed(from.name, to.name);
        out.zero = v.zero.clone();
        for b in &mut out.zero {
            if b.small == from.name {
                b.small = to.name;
            }
            if b.big == from.name {
                b.big = to.name;
            }
        }
        out.domains = self.domains_at(&v.domains, &[(from, To::At(to, 0))], span)?;
        out.index = v.index.clone();
        Some(out)
    }

    /// Copies along the axes it lacks.
    pub fn expand(&mut self, v: &Dyn, axes: &[Axis], span: Span) -> Option<Dyn> {
        let missing: Vec<Axis> = axes.iter().copied().filter(|a| !self.has(v, *a)).collect();
        if missing.is_empty() {
            return Some(v.clone());
        }
        let mut out = self.emit(Op::Expand(missing), &[v], span)?;
        out.zero = v.zero.clone();
        out.index = v.index.clone();
        Some(out)
    }

    /// The value `by` steps earlier along an axis it has; `rest` before the start if that is not 0.
    pub fn shift(
        &mut self,
        v: &Dyn,
        axis: Axis,
        by: i64,
        rest: Option<&Dyn>,
        span: Span,
    ) -> Option<Dyn> {
        if by == 0 {
            return Some(v.clone());
        }
        let mut out = self.emit(Op::Shift { axis, by }, &[v], span)?;
        if let Some(start) = rest {
            let (at, first) = (self.iota(axis, span)?, self.number(by as f64));
            let inside = self.map2(MapFn::Ge, &at, &first, span)?;
            out = self.select(&inside, &out, start, span)?;
        }
        out.reach = v.reach.shifted(axis, by.saturating_neg());
        if let Some(start) = rest {
            out.reach.join(&start.reach);
        }
        if by < 0 {
            // What it reads is 0 where no such position exists, whatever it depends on.
            out.reach.join(&Reach::position(axis, by.saturating_neg()));
        }
        out.index = v.index.clone();
        Some(out)
    }

    /// Several axes as one: itself, or their row-major merger under a joint name.
    pub fn merged(&mut self, v: &Dyn, axes: &[Axis], span: Span) -> Option<(Dyn, Axis)> {
        if let [one] = axes {
            return Some((v.clone(), *one));
        }
        let size = self.volume(axes, span)?;
        let name: Vec<&str> = axes.iter().map(|a| a.name.as_str()).collect();
        let into = Axis::new(&name.join("*"), size);
        Some((
            self.emit(
                Op::Merge {
                    axes: axes.to_vec(),
                    into,
                },
                &[v],
                span,
            )?,
            into,
        ))
    }

    /// The product of constant sizes, checked.
    pub fn volume(&mut self, axes: &[Axis], span: Span) -> Option<usize> {
        let total = axes.iter().try_fold(1usize, |n, a| {
            a.size.constant().and_then(|m| n.checked_mul(m))
        });
        if total.is_none() {
            self.too_large("a product of sizes".into(), span);
        }
        total
    }

    /// A new body whose states and inputs are yet to come.
    pub fn open_loop(&mut self, time: Axis) -> usize {
        let mut b = Builder::new("step");
        let position = b.input("position", InputKind::Formal, Ty::real(vec![]));
        self.frames.push(Frame {
            b,
            body: Some(Loop {
                time,
                position,
                imports: vec![],
                known: HashMap::new(),
            }),
        });
        self.frames.len() - 1
    }

    /// A formal of the innermost body.
    pub fn formal(&mut self, name: &str, ty: Ty) -> Dyn {
        let depth = self.frames.len() - 1;
        let id = self.frames[depth].b.input(name, InputKind::Formal, ty);
        self.wrap(depth, id, Reach::default())
    }

    /// Where parameters of a call on this line live.
    pub fn below(&self, line: &Home, callee: &str, span: Span) -> Home {
        line.join(callee).at(span)
    }

    /// `{h, dk}` of the features, for messages.
    pub fn braces(axes: &[Axis]) -> String {
        let names: Vec<&str> = axes.iter().map(|a| plain(a.name.as_str())).collect();
        format!("{{{}}}", names.join(", "))
    }

    /// The type of a value as the language writes it.
    pub fn shown(&self, v: &Dyn) -> String {
        let times: Vec<&str> = self.times(v).iter().map(|a| a.name.as_str()).collect();
        let mut out = match times.as_slice() {
            [] => String::new(),
            ["t"] => "seq".into(),
            other => format!("seq[{}]", other.join(", ")),
        };
        if let Some(index) = &v.index {
            let names: Vec<&str> = index.iter().map(|a| a.name.as_str()).collect();
            out.push_str(&format!("<{}>", names.join(" ")));
        }
        let sized: Vec<String> = self
            .features(v)
            .iter()
            .map(|a| format!("{}={}", a.name, size_text(a.size)))
            .collect();
        out.push_str(&format!("{{{}}}", sized.join(", ")));
        if self.elem(v) == Elem::Complex {
            out.push_str(" complex");
        }
        out
    }
}

fn size_text(size: Size) -> String {
    size.to_string()
}

/// An algebra axis's name as written: `m.1` was `m`.
pub fn plain(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
