//! Derived algebra to plans and kernels; one set of kernels for all plans of a model.

use crate::passes::{self, Form, Shapes, Timings};
use crate::target::Target;
use crate::{Result, other};
use seqc_abi::Plan;
use seqc_algebra::{Builder, Elem, Func, InputKind, MapFn, Op, ValueId};
use seqc_hir::Elaborated;
use seqc_schedule::ir::Kernel;
use seqc_schedule::lower::{Lowered, Options, lower};
use std::collections::HashMap;

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
    let mut lowered = plain(func, lanes)?;
    let goes_on = |p: &ValueId| func.input(*p).is_some_and(|i| i.kind == InputKind::State);
    if func.params.iter().any(goes_on) {
        lowered.plan = lowered.plan.hoisted();
    }
    Ok(lowered)
}

fn plain(func: &Func, lanes: u32) -> Result<Lowered> {
    lower(
        func,
        &Options {
            lanes,
            ..Options::default()
        },
    )
    .map_err(|e| other(&func.name, e))
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
        let f = passes::training(&e.func, form, shapes, timings).map_err(derive)?;
        self.add("train", lowered(&f, lanes)?);
        let loss = only(&e.func, |n| n == "loss")?;
        let f = passes::forward(&loss, form, shapes, timings).map_err(derive)?;
        self.add("eval", lowered(&f, lanes)?);
        Ok(())
    }

    /// Adds what generating needs: the plans `prefill` and `step`. The model must be causal.
    pub fn add_generation(
        &mut self,
        e: &Elaborated,
        shapes: &Shapes,
        lanes: u32,
        timings: &mut Timings,
    ) -> Result<()> {
        let derive = |e: seqc_derive::DeriveError| other("derivation", e);
        let outputs = outputs(e)?;
        let step = passes::generation_step(&outputs, shapes, timings).map_err(derive)?;
        self.add("step", lowered(&step, lanes)?);
        let f = passes::prefill(&outputs, shapes, timings).map_err(derive)?;
        self.add("prefill", lowered(&last_position(&f)?, lanes)?);
        Ok(())
    }
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
        built.add_generation(e, shapes, lanes, timings)?;
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
/// causal, `prefill` and `step`. A mixer without a step is still of use: the reason is returned beside the plans.
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
        let step = passes::generation_step(&e.func, &shapes, timings);
        let prefill = passes::prefill(&e.func, &shapes, timings);
        for (name, program) in [("step", step), ("prefill", prefill)] {
            match program
                .map_err(|why| other(name, why))
                .and_then(|f| lowered(&f, lanes))
            {
                Ok(done) => built.add(name, done),
                Err(why) => refused.push((name.to_owned(), why.to_string())),
            }
        }
    }
    Ok((built, refused))
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
