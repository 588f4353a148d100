//! Derived algebra to plans and kernels; one set of kernels for all plans of a model.

use crate::passes::{self, Form, Shapes, Stepped, Timings, in_memory};
use crate::target::Target;
use crate::{Result, other};
use seqc_abi::Plan;
use seqc_algebra::{Axis, Builder, Elem, Func, InputKind, MapFn, Op, ValueId};
use seqc_hir::Elaborated;
use seqc_schedule::ir::Kernel;
use seqc_schedule::lower::{Lowered, Options, lower};
use std::collections::HashMap;

/// Results and the order in which their axes lie in memory.
type Orders = Vec<(String, Vec<Axis>)>;

/// Plans and the kernels that they share.
#[derive(Clone, Debug, Default)]
pub struct Built {
    pub plans: Vec<Plan>,
    pub kernels: Vec<Kernel>,
    known: HashMap<Kernel, usize>,
}

impl Built {
    /// Adds a plan under a name; kernels equal to known ones (names aside) are shared.
    pub fn add(&mut self, name: &str, lowered: Lowered) {
        let Lowered { kernels, mut plan } = lowered;
        plan.name = name.to_owned();
        for (mut kernel, decl) in kernels.into_iter().zip(&mut plan.kernels) {
            let shape = anonymous(&kernel);
            let at = *self.known.entry(shape).or_insert_with(|| {
                let at = self.kernels.len();
                let tail = kernel
                    .name
                    .trim_start_matches(|c: char| c == 'k' || c.is_ascii_digit() || c == '_')
                    .to_owned();
                kernel.name = format!("k{at}_{tail}");
                self.kernels.push(kernel);
                at
            });
            decl.symbol = self.kernels[at].name.clone();
        }
        self.plans.push(plan);
    }
}

/// The kernel without names.
fn anonymous(kernel: &Kernel) -> Kernel {
    let mut k = kernel.clone();
    k.name.clear();
    k.args.iter_mut().for_each(|a| a.name.clear());
    k.locals.iter_mut().for_each(|l| l.name.clear());
    k
}

/// Lowers one derived program. One that goes on from states is run often with the same parameters: what is made of
/// them alone is computed once.
pub fn lowered(func: &Func, lanes: u32) -> Result<Lowered> {
    with_orders(func, lanes, vec![])
}

/// The same where the axes of some results lie in a given order.
fn with_orders(func: &Func, lanes: u32, orders: Orders) -> Result<Lowered> {
    let options = Options {
        lanes,
        orders,
        ..Options::default()
    };
    let mut lowered = lower(func, &options).map_err(|e| other(&func.name, e))?;
    let goes_on = |p: &ValueId| func.input(*p).is_some_and(|i| i.kind == InputKind::State);
    if func.params.iter().any(goes_on) {
        lowered.plan = lowered.plan.hoisted();
    }
    Ok(lowered)
}

impl Built {
    /// Adds what training needs: the plans `train` and `eval`. None for a model without an objective.
    pub fn add_training(
        &mut self,
        e: &Elaborated,
        form: Form,
        shapes: &Shapes,
        lanes: u32,
        timings: &mut Timings,
    ) -> Result<()> {
        let derive = |e: seqc_derive::DeriveError| other("derivation", e);
        if e.func.result("loss").is_none() {
            return Ok(());
        }
        passes::require(&e.func, form).map_err(|why| other(&e.name, why))?;
        let f = passes::training(&e.func, form, shapes, timings).map_err(derive)?;
        self.add("train", lowered(&f, lanes)?);
        let loss = only(&e.func, |n| n == "loss")?;
        let f = passes::forward(&loss, form, shapes, timings).map_err(derive)?;
        self.add("eval", lowered(&f, lanes)?);
        Ok(())
    }

    /// Adds some of what generating needs: the plans `step`, `prefill` and `resume`, the latter two with their outputs at
    /// the last position. The model must be causal.
    pub fn add_generation(
        &mut self,
        e: &Elaborated,
        plans: &[GoesOn],
        shapes: &Shapes,
        lanes: u32,
        timings: &mut Timings,
    ) -> Result<()> {
        let stepped = Stepped::of(&outputs(e)?, shapes, timings);
        let stepped = stepped.map_err(|e| other("derivation", e))?;
        let orders = orders(&stepped)?;
        for plan in plans {
            let mut f = (plan.derived(&stepped, timings)).map_err(|e| other("derivation", e))?;
            if *plan != GoesOn::Step {
                f = last_position(&f)?;
            }
            self.add(plan.name(), with_orders(&f, lanes, orders.clone())?);
        }
        Ok(())
    }
}

/// A plan that leaves states behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoesOn {
    /// One position from states.
    Step,
    /// Positions from the start.
    Prefill,
    /// Positions from states.
    Resume,
}

impl GoesOn {
    pub const ALL: [GoesOn; 3] = [GoesOn::Step, GoesOn::Prefill, GoesOn::Resume];

    pub fn name(self) -> &'static str {
        match self {
            GoesOn::Step => "step",
            GoesOn::Prefill => "prefill",
            GoesOn::Resume => "resume",
        }
    }

    fn derived(
        self,
        stepped: &Stepped,
        timings: &mut Timings,
    ) -> std::result::Result<Func, seqc_derive::DeriveError> {
        match self {
            GoesOn::Step => stepped.step(timings),
            GoesOn::Prefill => stepped.prefill(timings),
            GoesOn::Resume => stepped.resume(timings),
        }
    }
}

/// The order of axes in which states lie in every plan, so that one plan's are the next one's as they are.
fn orders(stepped: &Stepped) -> Result<Orders> {
    let states = stepped.states().map_err(|e| other("states", e))?;
    let one = |s: &seqc_derive::step::State| (s.name.clone(), in_memory(s));
    Ok(states.iter().map(one).collect())
}

/// Everything that training and, where the model is causal, generating with a model need.
pub fn model(
    e: &Elaborated,
    form: Form,
    shapes: &Shapes,
    lanes: u32,
    timings: &mut Timings,
) -> Result<Built> {
    let mut built = Built::default();
    built.add_training(e, form, shapes, lanes, timings)?;
    if is_causal(e) {
        built.add_generation(e, &GoesOn::ALL, shapes, lanes, timings)?;
    }
    Ok(built)
}

/// The program in a form; with `grad`, its gradient program too: of a model the loss and its gradients by the
/// parameters, of a mixer its results and the gradients by all its inputs and parameters from cotangents of its outputs.
pub fn derived(
    e: &Elaborated,
    form: Form,
    grad: bool,
    shapes: &Shapes,
    timings: &mut Timings,
) -> Result<Func> {
    let func = &e.func;
    passes::require(func, form).map_err(|why| other(&e.name, why))?;
    let done = if !grad {
        passes::forward(func, form, shapes, timings)
    } else if func.result("loss").is_some() {
        passes::training(func, form, shapes, timings)
    } else {
        let wrt = smooth(func);
        let wrt: Vec<&str> = wrt.iter().map(String::as_str).collect();
        let outs: Vec<&str> = e.outputs.iter().map(String::as_str).collect();
        passes::gradient(func, form, shapes, &wrt, &outs, timings)
    };
    done.map_err(|why| other(&e.name, why))
}

/// Everything that using a mixer by itself needs: the plans `forward` and (asked for) `gradient`, and, where it is
/// causal, `step`, `prefill` and `resume`. A mixer without a step is still of use: the reason is returned beside the plans.
pub fn mixer(
    e: &Elaborated,
    form: Form,
    grad: bool,
    target: Target,
    timings: &mut Timings,
) -> Result<(Built, Vec<(String, String)>)> {
    let (shapes, lanes) = (target.shapes(), target.lanes());
    let mut built = Built::default();
    let mut refused = vec![];
    built.add(
        "forward",
        lowered(&derived(e, form, false, &shapes, timings)?, lanes)?,
    );
    if grad {
        built.add(
            "gradient",
            lowered(&derived(e, form, true, &shapes, timings)?, lanes)?,
        );
    }
    if is_causal(e) {
        match going_on(e, &shapes, lanes, timings) {
            Ok(plans) => {
                for (plan, done) in plans {
                    match done {
                        Ok(done) => built.add(plan.name(), done),
                        Err(why) => refused.push((plan.name().to_owned(), why.to_string())),
                    }
                }
            }
            Err(why) => {
                refused.extend(GoesOn::ALL.map(|plan| (plan.name().to_owned(), why.to_string())))
            }
        }
    }
    Ok((built, refused))
}

/// The plans that go on, each by itself.
fn going_on(
    e: &Elaborated,
    shapes: &Shapes,
    lanes: u32,
    timings: &mut Timings,
) -> Result<Vec<(GoesOn, Result<Lowered>)>> {
    let stepped = Stepped::of(&e.func, shapes, timings).map_err(|e| other("derivation", e))?;
    let orders = orders(&stepped)?;
    let mut one = |plan: GoesOn| {
        let f = plan.derived(&stepped, timings);
        let f = f.map_err(|why| other(plan.name(), why));
        (plan, f.and_then(|f| with_orders(&f, lanes, orders.clone())))
    };
    Ok(GoesOn::ALL.map(&mut one).into())
}

/// The inputs and parameters that a gradient exists for, by name.
pub fn smooth(func: &Func) -> Vec<String> {
    let named = |p: &ValueId| {
        let input = func.input(*p)?;
        let counts = matches!(input.kind, InputKind::Data | InputKind::Param { .. });
        (counts && func.ty(*p).elem != Elem::Int).then(|| input.name.as_str().to_owned())
    };
    func.params.iter().filter_map(named).collect()
}

pub fn is_causal(e: &Elaborated) -> bool {
    e.causality
        .iter()
        .all(|c| matches!(c.own(), seqc_hir::Look::Causal))
}

/// The program of the outputs alone.
pub fn outputs(e: &Elaborated) -> Result<Func> {
    only(&e.func, |n| e.outputs.iter().any(|o| o == n))
}

/// The program with only some of its results; inputs that nothing needs go.
pub fn only(func: &Func, keep: impl Fn(&str) -> bool) -> Result<Func> {
    let mut f = func.clone();
    f.results.retain(|(n, _)| keep(n));
    let live = f.live();
    f.params.retain(|p| live[p.index()]);
    seqc_derive::prune::prune(&f).map_err(|e| other("derivation", e))
}

/// Outputs along time at the last position only; states stay whole.
fn last_position(func: &Func) -> Result<Func> {
    let shape = |e: seqc_algebra::ShapeError| other("derivation", e);
    let time = seqc_algebra::Axis::time();
    let mut b = Builder::new(&func.name);
    let image = b.inline(func, &HashMap::new()).map_err(shape)?;
    for (name, v) in &func.results {
        let Some(mut v) = image[v.index()] else {
            continue;
        };
        if b.has(v, time) && !name.starts_with("state.") {
            let (len, one) = (
                b.push(Op::Length(time.size), &[]).map_err(shape)?,
                b.num(1.0),
            );
            let at: ValueId = b.map2(MapFn::Sub, len, one).map_err(shape)?;
            v = b.push(Op::Gather(time), &[v, at]).map_err(shape)?;
        }
        b.result(name, v);
    }
    Ok(b.finish())
}
