//! The f64 interpreter: what a program means, by direct evaluation of each value.
//!
//! Every other way to run a program is held to this one. It is dense and sequential, frees a value after its last
//! use, computes what does not change between the steps of a scan once, and turns whatever does not fit (a length
//! that is not given, sizes that disagree, memory) into an [`EvalError`] that names the value.

use crate::axis::{Axis, Sym};
use crate::exact;
use crate::func::{Elem, Func, ValueId};
use crate::op::{InputKind, Num, Op};
use crate::ops::{self, Place};
use crate::rounding;
pub use crate::rounding::Rounding;
use crate::tensor::{Kind, Tensor, count};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// Why a program could not be run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// From the outermost value to the one that failed.
    pub trail: Vec<String>,
    /// The same, as values: of the program, of a loop's body in it, and so on.
    pub at: Vec<ValueId>,
    pub message: String,
}

impl EvalError {
    fn new(message: impl Into<String>) -> EvalError {
        EvalError {
            trail: vec![],
            at: vec![],
            message: message.into(),
        }
    }

    fn within(mut self, place: String) -> EvalError {
        self.trail.insert(0, place);
        self
    }

    /// Is it what [`run_single`] stops at: a number too large for f32?
    pub fn is_overflow(&self) -> bool {
        self.message == OVERFLOW
    }

    /// Or an operation that has no finite result, such as a quotient by 0?
    pub fn is_undefined(&self) -> bool {
        self.message == UNDEFINED
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.trail {
            write!(f, "in {place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}

impl From<String> for EvalError {
    fn from(message: String) -> EvalError {
        EvalError::new(message)
    }
}

type Result<T> = std::result::Result<T, EvalError>;

/// Runs a program. `inputs` by name, with any order of axes; `sizes` give the run-time lengths. Inputs of kind
/// `State` and `Noise` are 0 when absent; inputs that no result needs may be absent. Results in the order of `func.results`, laid out as their types say.
pub fn run(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &HashMap<Sym, usize>,
) -> Result<Vec<(String, Tensor)>> {
    eval(&Plan::new(func, sizes, usize::MAX)?, inputs)
}

/// Like [`run`], but each operation's result, and each term of a sum, is moved up or down by a rounding (whole numbers
/// excepted), with f64's range: what rounding alone, without overflow or underflow, does to the program
/// ([`rounding`]).
pub fn run_rounded(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &HashMap<Sym, usize>,
    rounding: Rounding,
) -> Result<Vec<(String, Tensor)>> {
    let plan = Plan::new(func, sizes, usize::MAX)?;
    eval(&plan.with(Numbers::Rounded(rounding)), inputs)
}

const OVERFLOW: &str = "a finite number is beyond f32";
const UNDEFINED: &str = "finite numbers have no finite result";

/// Like [`run`], but each operation's result is rounded to f32, whose range it has. With `stop`, the first operation
/// that makes an infinity, or no number, of finite numbers is an error, which says where it is.
pub fn run_single(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &HashMap<Sym, usize>,
    stop: bool,
) -> Result<Vec<(String, Tensor)>> {
    let plan = Plan::new(func, sizes, usize::MAX)?;
    eval(&plan.with(Numbers::Single { stop }), inputs)
}

/// Like [`run`], over a finite field ([`crate::exact`]): inputs are elements of it, whole numbers stay what they are
/// where positions are counted. An error names the operation that is not exact.
pub fn run_exact(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &HashMap<Sym, usize>,
) -> Result<Vec<(String, Tensor)>> {
    let plan = Plan::new(func, sizes, usize::MAX)?;
    eval(&plan.with(Numbers::Exact), inputs)
}

fn eval(plan: &Plan, inputs: &HashMap<String, Tensor>) -> Result<Vec<(String, Tensor)>> {
    let func = plan.func;
    let mut params = Vec::with_capacity(func.params.len());
    for id in &func.params {
        let needed = plan.uses[id.index()] > 0;
        params.push(Rc::new(if needed {
            plan.input(*id, inputs)?
        } else {
            Tensor::scalar(0.0)
        }));
    }
    let mut cache = Cache::default();
    let results = plan.eval(params, &mut cache)?;
    let own = |t: Rc<Tensor>| Rc::try_unwrap(t).unwrap_or_else(|t| (*t).clone());
    Ok(func
        .results
        .iter()
        .map(|(n, _)| n.clone())
        .zip(results.into_iter().map(own))
        .collect())
}

/// The number of positions of an axis under given lengths.
pub fn length(axis: Axis, sizes: &HashMap<Sym, usize>) -> std::result::Result<usize, String> {
    let known = |s: Sym| {
        sizes
            .get(&s)
            .copied()
            .ok_or_else(|| format!("the length `{s}` of axis `{}` is not given", axis.name))
    };
    let len = axis.size.length().map_or(Ok(0), known)?;
    let countless = || format!("axis `{}` has too many positions, or tiles of 0", axis.name);
    axis.size.at(len).ok_or_else(countless)
}

/// A value's tensor, or a scan's results.
#[derive(Clone)]
pub(crate) enum Slot {
    One(Rc<Tensor>),
    Many(Vec<Rc<Tensor>>),
}

/// Values that stay from one run of a body to the next.
#[derive(Default)]
pub(crate) struct Cache(HashMap<ValueId, Slot>);

/// What numbers are while a program runs.
#[derive(Clone, Copy)]
enum Numbers {
    Plain,
    /// Results are moved by a rounding.
    Rounded(Rounding),
    /// Results are those of f32.
    Single {
        stop: bool,
    },
    /// Elements of a field as soon as they are not whole.
    Exact,
}

/// A program prepared for running: shapes resolved, lifetimes known.
pub(crate) struct Plan<'a> {
    pub func: &'a Func,
    pub sizes: &'a HashMap<Sym, usize>,
    /// Live values in order.
    order: Vec<ValueId>,
    shapes: Vec<Vec<usize>>,
    uses: Vec<u32>,
    /// The same in every run of this body.
    still: Vec<bool>,
    bodies: HashMap<ValueId, Plan<'a>>,
    numbers: Numbers,
}

impl<'a> Plan<'a> {
    fn with(mut self, numbers: Numbers) -> Plan<'a> {
        self.set(numbers);
        self
    }

    fn set(&mut self, numbers: Numbers) {
        self.numbers = numbers;
        self.bodies.values_mut().for_each(|b| b.set(numbers));
    }

    /// Parameters from `still_from` on are the same in every run.
    pub fn new(
        func: &'a Func,
        sizes: &'a HashMap<Sym, usize>,
        still_from: usize,
    ) -> Result<Plan<'a>> {
        let live = func.live();
        let order: Vec<ValueId> = func.ids().filter(|id| live[id.index()]).collect();
        let mut plan = Plan {
            func,
            sizes,
            order,
            shapes: vec![Vec::new(); func.values.len()],
            uses: vec![0; func.values.len()],
            still: vec![false; func.values.len()],
            bodies: HashMap::new(),
            numbers: Numbers::Plain,
        };
        for (k, id) in func.params.iter().enumerate() {
            plan.still[id.index()] = k >= still_from;
        }
        for id in plan.order.clone() {
            plan.shapes[id.index()] = plan.shape(&func.ty(id).axes).map_err(|e| plan.at(id, e))?;
            for a in func.args(id) {
                plan.uses[a.index()] += 1;
            }
            match func.op(id) {
                Op::Input(_) => {}
                op => {
                    plan.still[id.index()] = func.args(id).iter().all(|a| plan.still[a.index()])
                        && !matches!(op, Op::Scan(_))
                }
            }
            if let Op::Scan(scan) = func.op(id) {
                let first_fixed = 1 + scan.states + scan.seqs.len();
                let body = Plan::new(&scan.body, sizes, first_fixed)
                    .map_err(|e| e.within(plan.describe(id)))?;
                plan.bodies.insert(id, body);
            }
        }
        for (_, v) in &func.results {
            plan.uses[v.index()] += 1;
        }
        Ok(plan)
    }

    fn shape(&self, axes: &[Axis]) -> Result<Vec<usize>> {
        let shape = axes
            .iter()
            .map(|a| length(*a, self.sizes))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        count(&shape)?;
        Ok(shape)
    }

    fn describe(&self, id: ValueId) -> String {
        let value = self.func.value(id);
        let op = format!("{:?}", value.op);
        let head = op
            .split(['(', '{', ' '])
            .next()
            .unwrap_or("")
            .to_lowercase();
        match value.name {
            Some(name) => format!("%{} `{name}` ({head})", id.0),
            None => format!("%{} ({head})", id.0),
        }
    }

    fn at(&self, id: ValueId, e: impl Into<EvalError>) -> EvalError {
        let mut e = e.into().within(self.describe(id));
        e.at.insert(0, id);
        e
    }

    fn place(&self, id: ValueId) -> Place<'_> {
        Place {
            axes: &self.func.ty(id).axes,
            shape: &self.shapes[id.index()],
        }
    }

    /// The tensor of an input in its type's layout.
    fn input(&self, id: ValueId, inputs: &HashMap<String, Tensor>) -> Result<Tensor> {
        let Some(input) = self.func.input(id) else {
            return Err(EvalError::new("a parameter is not an input"));
        };
        let to = self.place(id);
        let elem = self.func.ty(id).elem;
        let Some(t) = inputs.get(input.name.as_str()) else {
            return match input.kind {
                InputKind::State | InputKind::Noise(_) => {
                    Ok(Tensor::zeros(to.axes, to.shape, elem)?)
                }
                _ => Err(EvalError::new(format!(
                    "input `{}` is not given",
                    input.name
                ))),
            };
        };
        let t = t
            .ordered(to.axes)
            .map_err(|e| EvalError::new(format!("input `{}`: {e}", input.name)))?
            .into_owned();
        if t.shape != to.shape {
            return Err(EvalError::new(format!(
                "input `{}` has shape {:?}; its axes {:?} need {:?}",
                input.name, t.shape, to.axes, to.shape
            )));
        }
        match (elem, t.is_complex()) {
            _ if t.kind() == Kind::Exact => Ok(t),
            (Elem::Complex, false) => Ok(t.to_complex().into_owned()),
            (Elem::Real | Elem::Int, true) => Err(EvalError::new(format!(
                "input `{}` is complex but real numbers are expected",
                input.name
            ))),
            _ => Ok(t),
        }
    }

    /// Runs the program on its parameters; gives the results in order.
    pub fn eval(&self, params: Vec<Rc<Tensor>>, cache: &mut Cache) -> Result<Vec<Rc<Tensor>>> {
        let mut slots: Vec<Option<Slot>> = vec![None; self.func.values.len()];
        for (id, t) in self.func.params.iter().zip(params) {
            slots[id.index()] = Some(Slot::One(t));
        }
        let mut uses = self.uses.clone();
        for id in &self.order {
            if !matches!(self.func.op(*id), Op::Input(_)) {
                let known = if self.still[id.index()] {
                    cache.0.get(id).cloned()
                } else {
                    None
                };
                let slot = match known {
                    Some(slot) => slot,
                    None => {
                        let slot = self.value(*id, &slots).map_err(|e| self.at(*id, e))?;
                        if self.still[id.index()] {
                            cache.0.insert(*id, slot.clone());
                        }
                        slot
                    }
                };
                slots[id.index()] = Some(slot);
                for a in self.func.args(*id) {
                    uses[a.index()] -= 1;
                    if uses[a.index()] == 0 {
                        slots[a.index()] = None;
                    }
                }
            }
        }
        self.func
            .results
            .iter()
            .map(|(_, v)| one(&slots, *v))
            .collect()
    }

    fn value(&self, id: ValueId, slots: &[Option<Slot>]) -> Result<Slot> {
        let args = self.func.args(id);
        match self.func.op(id) {
            Op::Proj(k) => {
                let from = args
                    .first()
                    .and_then(|a| slots.get(a.index()))
                    .and_then(Option::as_ref);
                match from {
                    Some(Slot::Many(all)) if *k < all.len() => Ok(Slot::One(all[*k].clone())),
                    _ => Err(EvalError::new("a result of something that is not a scan")),
                }
            }
            Op::Scan(scan) => {
                let args = args
                    .iter()
                    .map(|a| one(slots, *a))
                    .collect::<Result<Vec<_>>>()?;
                let body = self
                    .bodies
                    .get(&id)
                    .ok_or_else(|| EvalError::new("the scan was not prepared"))?;
                Ok(Slot::Many(crate::interp_scan::run(scan, body, &args)?))
            }
            op => {
                let mut args = args
                    .iter()
                    .map(|a| one(slots, *a))
                    .collect::<Result<Vec<_>>>()?;
                match self.numbers {
                    Numbers::Rounded(r) => {
                        let draw = r.draw ^ u64::from(id.0);
                        rounding::operands(op, &mut args, Rounding { draw, ..r })?
                    }
                    Numbers::Exact => exact::operands(op, &mut args)?,
                    Numbers::Plain | Numbers::Single { .. } => {}
                }
                let mut made = self.pure(op, &args, self.place(id))?;
                match self.numbers {
                    Numbers::Rounded(r) => rounding::result(op, &mut made, r)?,
                    Numbers::Exact => exact::result(&mut made)?,
                    Numbers::Single { stop } => single(&mut made, &args, stop)?,
                    Numbers::Plain => {}
                }
                Ok(Slot::One(Rc::new(made)))
            }
        }
    }

    /// Every operation but scans.
    fn pure(&self, op: &Op, args: &[Rc<Tensor>], to: Place) -> Result<Tensor> {
        let t = match (op, args) {
            (Op::Const(Num(x)), []) => Tensor::scalar(*x),
            (Op::Iota(_), []) => ops::place::iota(to)?,
            (Op::Length(size), []) => {
                let axis = Axis {
                    name: Sym::new("length"),
                    size: *size,
                };
                Tensor::scalar(length(axis, self.sizes).map_err(EvalError::new)? as f64)
            }
            (Op::Map(f), args) => ops::map::eval(*f, args, to)?,
            (Op::Reduce(r, over), [x]) => ops::reduce::eval(*r, over, x, to)?,
            (Op::Contract(_), args) => ops::contract::eval(args, to)?,
            (Op::Softmax(a), [x]) => ops::reduce::softmax(*a, x, to)?,
            (Op::LogSumExp(a), [x]) => ops::reduce::log_sum_exp(*a, x, to)?,
            (Op::TopMask(a, k), [x]) => ops::reduce::top_mask(*a, *k, x, to)?,
            (Op::Expand(_), [x]) => ops::place::expand(x, to)?,
            (Op::Rename { .. } | Op::Split { .. }, [x]) => ops::place::relabel(x, to)?,
            (Op::Merge { axes, .. }, [x]) => ops::place::merge(axes, x, to)?,
            (Op::Flip(a), [x]) => ops::place::flip(*a, x, to)?,
            (Op::Shift { axis, by }, [x]) => ops::place::shift(*axis, *by, x, to)?,
            (
                Op::Patch {
                    axis,
                    ticks,
                    within,
                },
                [x],
            ) => ops::patch::patch(*axis, [*ticks, *within], x, to)?,
            (
                Op::Unpatch {
                    ticks,
                    within,
                    axis,
                },
                [x],
            ) => ops::patch::unpatch([*ticks, *within], *axis, x, to)?,
            (Op::Window { axis, lag, ahead }, [x]) => {
                ops::window::window(*axis, *lag, *ahead, x, to)?
            }
            (Op::Unwindow { axis, lag, ahead }, [x]) => {
                ops::window::unwindow(*axis, *lag, *ahead, x, to)?
            }
            (Op::Pick { axis, index }, [x]) => ops::place::pick(*axis, *index, x, to)?,
            (Op::Place { axis, index }, [x]) => ops::place::place(*axis, *index, x, to)?,
            (Op::Stack(axis), args) => ops::place::stack(*axis, args, to)?,
            (Op::Gather(axis), [table, index]) => ops::index::gather(*axis, table, index, to)?,
            (Op::ScatterAdd { axis, over }, [g, index]) => {
                ops::index::scatter_add(*axis, over, g, index, to)?
            }
            (
                Op::Solve {
                    row,
                    col,
                    transpose,
                },
                [l, r],
            ) => ops::solve::solve(*row, *col, *transpose, l, r, to)?,
            (Op::Conv { axis, lag, ahead }, [f, x]) => {
                ops::conv::conv(*axis, *lag, *ahead, f, x, to)?
            }
            (Op::Online(axis), [f, past, x, pos]) => {
                ops::online::online(*axis, [f, past, x], pos, to)?
            }
            (
                Op::ConvKernel {
                    axis, lag, ahead, ..
                },
                [g, x],
            ) => ops::conv::kernel(*axis, *lag, *ahead, g, x, to)?,
            (op, args) => return Err(EvalError::new(format!("{op:?} of {} operands", args.len()))),
        };
        Ok(t)
    }
}

/// Rounds what an operation made to f32.
fn single(made: &mut Tensor, args: &[Rc<Tensor>], stop: bool) -> Result<()> {
    let defined = made.is_finite();
    rounding::single(made);
    let given = !args.is_empty() && args.iter().all(|a| a.is_finite());
    match (stop && given && !made.is_finite(), defined) {
        (true, true) => Err(EvalError::new(OVERFLOW)),
        (true, false) => Err(EvalError::new(UNDEFINED)),
        _ => Ok(()),
    }
}

fn one(slots: &[Option<Slot>], id: ValueId) -> Result<Rc<Tensor>> {
    match slots.get(id.index()).and_then(Option::as_ref) {
        Some(Slot::One(t)) => Ok(t.clone()),
        Some(Slot::Many(_)) => Err(EvalError::new(format!(
            "%{} is a scan, not one value",
            id.0
        ))),
        None => Err(EvalError::new(format!("%{} has no value", id.0))),
    }
}
