//! The passes, in order. A pass maps an algebra program to one with the same results; its name is its key in
//! `--timings`. The lists below are the whole compiler between elaboration and scheduling.

mod carried;
mod stepped;

pub use carried::{
    Begin, STATE_COTANGENT, Wanted, carried_gradient, exact_carried_gradient,
    plain_carried_gradient,
};
pub use stepped::{Stepped, in_memory};

use seqc_algebra::{Func, InputKind, ValueId};
use seqc_derive::stream::Tiles;
use seqc_derive::{
    DeriveError, checkpoint, chunk, conv, difference, directions, dual, exponential, grad, impulse,
    inputs, join, latent, picks, powers, products, prune, real, regroup, retime, routed, running,
    sink, softmax, step, stream, ticks,
};

/// Sizes that a target chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shapes {
    /// Steps in a chunk of a linear recurrence.
    pub chunk: usize,
    /// Steps between checkpoints of any other recurrence.
    pub checkpoint: usize,
    /// Tile of a pair of times.
    pub tiles: Tiles,
}

impl Shapes {
    /// CPUs without a matrix unit: small chunks win.
    pub fn cpu() -> Shapes {
        Shapes {
            chunk: 16,
            checkpoint: 16,
            tiles: Tiles {
                kept: 32,
                streamed: 32,
            },
        }
    }
}

/// The forms that every program has.
pub const FORMS: [Form; 3] = [Form::Matrix, Form::Recurrent, Form::Chunked];

/// How the mixers of a program are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As written: recurrences step by step, matrices entry by entry, nothing tiled.
    Matrix,
    /// Recurrences step by step; matrices in tiles.
    Recurrent,
    /// The training form: chunks, tiles, convolutions by FFT.
    Chunked,
    /// The training form with every time-invariant recurrence as a convolution, whether it pays or not.
    Convolution,
}

impl Form {
    /// The forms as users name them. What is no recurrence has no chunks to speak of: its training form is called
    /// `parallel`, and each name stands for the training form of everything in the program.
    pub const NAMED: [(&'static str, Form); 5] = [
        ("matrix", Form::Matrix),
        ("parallel", Form::Chunked),
        ("chunked", Form::Chunked),
        ("recurrent", Form::Recurrent),
        ("convolution", Form::Convolution),
    ];

    pub fn named(name: &str) -> Option<Form> {
        Form::NAMED.iter().find(|f| f.0 == name).map(|f| f.1)
    }

    pub fn name(self) -> &'static str {
        match self {
            Form::Matrix => "matrix",
            Form::Recurrent => "recurrent",
            Form::Chunked => "chunked",
            Form::Convolution => "convolution",
        }
    }
}

/// Whether a program has a form; else which it has.
pub fn require(func: &Func, form: Form) -> Result<(), String> {
    if FORMS.contains(&form) {
        return Ok(());
    }
    let all = forms_of(func);
    if all.contains(&form) {
        return Ok(());
    }
    let named = |f: &Form| match f {
        Form::Chunked => "chunked (or parallel)",
        other => other.name(),
    };
    let names: Vec<&str> = all.iter().map(named).collect();
    Err(format!(
        "there is no form `{}` of it: none of its recurrences is the same at every step; it has {}",
        form.name(),
        names.join(", ")
    ))
}

type Law = fn(&Func, &Shapes) -> Result<Func, DeriveError>;

type Pass = (&'static str, Law);

/// Exact algebra that every form begins with.
const NUMBERS: &[Pass] = &[
    ("exponential-powers", |f, _| powers::exponential_powers(f)),
    ("picks-of-scores", |f, _| picks::picks_of_scores(f)),
];

/// Products as their factors, whatever stands around them.
const PRODUCTS: &[Pass] = &[("linear-products", |f, _| products::linear_products(f))];

/// States that are read or written in parts, along those; where a program goes step by step, states are those of the spec.
const GROUPS: &[Pass] = &[("regroup-states", |f, _| regroup::regroup_states(f))];

/// Matrices that are kernels, or recurrences.
const DUALS: &[Pass] = &[
    ("kernels-of-differences", |f, _| difference::kernels(f)),
    ("dual-recurrences", |f, _| dual::dual_recurrences(f)),
];

/// Softmaxes that are recurrences, where a program goes step by step.
const RUNNING: &[Pass] = &[("running-softmax", |f, _| running::running_softmax(f))];

/// Of states for each source position that stay so, gradients for each source.
const SPREAD: Pass = ("spread-sources", |f, _| dual::spread_sources(f));
const SOURCES: &[Pass] = &[SPREAD];

/// What recurrences take from the rest and give to it is computed inside of them, where it is smaller outside: what is
/// for each source must be so before and after.
const READS: &[Pass] = &[
    SPREAD,
    ("sink-inputs", |f, _| inputs::sink_inputs(f)),
    ("join-recurrences", |f, _| join::join_scans(f)),
    ("sink-reads", |f, _| sink::sink_reads(f)),
    SPREAD,
];

/// Of states that a router picks from, those that are picked.
const ROUTES: &[Pass] = &[("route-states", |f, _| routed::route_states(f))];

/// Recurrences that are the same at every step, as convolutions: where that pays, or all of them.
const RESPONSES: &[Pass] = &[("impulse-responses", |f, _| {
    impulse::impulse_responses(f, impulse::Which::Paying)
})];
const ALL_RESPONSES: &[Pass] = &[("impulse-responses", |f, _| {
    impulse::impulse_responses(f, impulse::Which::All)
})];

/// Recurrences in chunks, those of both directions with one inside; or with checkpoints.
const CHUNKS: &[Pass] = &[
    ("shifted-reads", |f, _| directions::shifted_reads(f)),
    ("chunk-recurrences", |f, s| chunk::chunk_scans(f, s.chunk)),
    ("both-directions", |f, _| directions::both_directions(f)),
    ("checkpoint-recurrences", |f, s| {
        checkpoint::checkpoint_scans(f, s.checkpoint)
    }),
];

/// Kernels and matrices in the shape that later passes look for.
const CONVOLUTIONS: &[Pass] = &[("long-convolutions", |f, _| conv::long_convolutions(f))];
/// Kernels that need no past but a state of constant size, where a program goes step by step.
const STEADY: &[Pass] = &[("exponential-kernels", |f, _| {
    exponential::exponential_kernels(f)
})];
const RENAMES: &[Pass] = &[("lower-renames", |f, _| stream::lower_renames(f))];
/// Smaller caches, where a program goes step by step.
const LATENT: &[Pass] = &[("latent-caches", |f, _| latent::latent_caches(f))];
/// One clock, where a program goes step by step.
const TICKS: &[Pass] = &[("coarser-clocks", |f, _| ticks::at_every_step(f))];

/// One name for the present, where a program goes step by step.
const PRESENT: &[Pass] = &[("one-present", |f, _| step::one_present(f))];

/// What is read late is computed late, so that a step needs nothing that is ahead of it.
const RETIMED: &[Pass] = &[("retime", |f, _| retime::retime(f))];

/// The forms; they come before differentiation.
const MATRIX: &[&[Pass]] = &[NUMBERS, SOURCES];
const RECURRENT: &[&[Pass]] = &[
    NUMBERS,
    PRODUCTS,
    GROUPS,
    DUALS,
    RUNNING,
    READS,
    ROUTES,
    CONVOLUTIONS,
    STEADY,
    RENAMES,
];
/// What the laws of steps are applied to.
const STEPPED: &[&[Pass]] = &[
    NUMBERS,
    PRODUCTS,
    DUALS,
    RUNNING,
    READS,
    CONVOLUTIONS,
    STEADY,
    RENAMES,
    LATENT,
    TICKS,
    PRESENT,
    RETIMED,
];
const CHUNKED: &[&[Pass]] = &[
    NUMBERS,
    PRODUCTS,
    GROUPS,
    DUALS,
    READS,
    ROUTES,
    RESPONSES,
    CHUNKS,
    CONVOLUTIONS,
    RENAMES,
];
const CONVOLUTION: &[&[Pass]] = &[
    NUMBERS,
    PRODUCTS,
    GROUPS,
    DUALS,
    READS,
    ROUTES,
    ALL_RESPONSES,
    CHUNKS,
    CONVOLUTIONS,
    RENAMES,
];

/// Passes that follow differentiation. Nothing complex and no softmax along a run-time axis stays …
const REAL: &[Pass] = &[
    ("split-complex", |f, _| real::split_complex(f)),
    ("expand-softmax", |f, _| softmax::expand_softmax(f)),
];
/// … and nothing T×T.
const PAIRS: &[Pass] = &[
    ("stream-pairs", |f, s| stream::stream_pairs(f, s.tiles)),
    ("prune", |f, _| prune::prune(f)),
];

/// What a pass has taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    pub pass: &'static str,
    pub seconds: f64,
    /// Values that it looked at, where that is counted ([`seqc_algebra::looks`]).
    pub looks: u64,
}

/// What passes have taken, in order.
pub type Timings = Vec<Taken>;

/// Work whose time is that of a pass; in debug builds its result is verified.
fn timed(
    pass: &'static str,
    timings: &mut Timings,
    work: impl FnOnce() -> Result<Func, DeriveError>,
) -> Result<Func, DeriveError> {
    let (start, before) = (std::time::Instant::now(), seqc_algebra::looks());
    let func = work()?;
    timings.push(Taken {
        pass,
        seconds: start.elapsed().as_secs_f64(),
        looks: seqc_algebra::looks() - before,
    });
    verify(&func, pass)?;
    Ok(func)
}

fn apply(
    mut func: Func,
    lists: &[&[Pass]],
    shapes: &Shapes,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    for (name, law) in lists.iter().copied().flatten() {
        func = timed(name, timings, || law(&func, shapes))?;
    }
    Ok(func)
}

/// In debug builds every pass is followed by the verifier.
fn verify(func: &Func, pass: &str) -> Result<(), DeriveError> {
    if cfg!(debug_assertions)
        && let Err(e) = seqc_algebra::verify::verify(func)
    {
        return Err(DeriveError(format!("after `{pass}`: {e}")));
    }
    Ok(())
}

fn forms(form: Form) -> &'static [&'static [Pass]] {
    match form {
        Form::Matrix => MATRIX,
        Form::Recurrent => RECURRENT,
        Form::Chunked => CHUNKED,
        Form::Convolution => CONVOLUTION,
    }
}

fn tiles(form: Form) -> &'static [&'static [Pass]] {
    match form {
        Form::Matrix => &[REAL],
        Form::Recurrent | Form::Chunked | Form::Convolution => &[REAL, PAIRS],
    }
}

/// The inputs of a program that have these names.
pub fn inputs_named(func: &Func, names: &[&str]) -> Vec<ValueId> {
    let named = |p: &&ValueId| {
        let input = func.input(**p);
        input.is_some_and(|i| names.contains(&i.name.as_str()))
    };
    func.params.iter().filter(named).copied().collect()
}

/// The forms that a program has: [`FORMS`], and convolutions if one of its recurrences is one.
pub fn forms_of(func: &Func) -> Vec<Form> {
    let mut all = FORMS.to_vec();
    let readable = apply(
        func.clone(),
        &[NUMBERS, PRODUCTS, GROUPS, READS],
        &Shapes::cpu(),
        &mut vec![],
    );
    if readable.is_ok_and(|f| impulse::has_responses(&f)) {
        all.push(Form::Convolution);
    }
    all
}

/// The definition as the laws of steps want it: reads inside of recurrences, kernels and matrices as such, or as the
/// recurrences that they are.
pub fn readable(func: &Func) -> Result<Func, DeriveError> {
    // Without the laws of numbers: it is what they are held to.
    let (_numbers, lists) = STEPPED.split_at(1);
    apply(func.clone(), lists, &Shapes::cpu(), &mut vec![])
}

/// The program in the given form.
pub fn forward(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), forms(form), shapes, timings)?;
    apply(f, tiles(form), shapes, timings)
}

/// The loss and its gradient with respect to every parameter.
pub fn training(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), forms(form), shapes, timings)?;
    let params: Vec<ValueId> = f
        .params
        .iter()
        .copied()
        .filter(|p| matches!(f.input(*p).map(|i| &i.kind), Some(InputKind::Param { .. })))
        .collect();
    let f = timed("differentiate", timings, || {
        grad::value_and_grad(&f, "loss", &params)
    })?;
    apply(f, tiles(form), shapes, timings)
}

/// The program and its gradient with respect to the inputs `wrt`, from cotangents of the results `outs`.
pub fn gradient(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    wrt: &[&str],
    outs: &[&str],
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), forms(form), shapes, timings)?;
    let f = timed("differentiate", timings, || differentiated(&f, wrt, outs))?;
    apply(f, tiles(form), shapes, timings)
}

fn differentiated(func: &Func, wrt: &[&str], outs: &[&str]) -> Result<Func, DeriveError> {
    let f = grad::vjp(func, &inputs_named(func, wrt), outs)?;
    verify(&f, "differentiate")?;
    Ok(f)
}

/// The definition with its gradient: what forms are held to where numbers are exact. The laws of numbers, which are
/// identities of functions such as the exponential, are applied to it as to all forms.
pub fn plain_gradient(func: &Func, wrt: &[&str], outs: &[&str]) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), &[NUMBERS], &Shapes::cpu(), &mut vec![])?;
    differentiated(&f, wrt, outs)
}

/// A form with its gradient, complex numbers and softmax as they are.
pub fn exact_gradient(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    wrt: &[&str],
    outs: &[&str],
) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), forms(form), shapes, &mut vec![])?;
    let f = differentiated(&f, wrt, outs)?;
    match form {
        Form::Matrix => Ok(f),
        Form::Recurrent | Form::Chunked | Form::Convolution => {
            apply(f, &[PAIRS], shapes, &mut vec![])
        }
    }
}

/// One step of generation.
pub fn generation_step(
    func: &Func,
    shapes: &Shapes,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    Stepped::of(func, shapes, timings)?.step(timings)
}

/// The positions after some states in one pass, and the states after them.
pub fn resume(func: &Func, shapes: &Shapes, timings: &mut Timings) -> Result<Func, DeriveError> {
    Stepped::of(func, shapes, timings)?.resume(timings)
}

/// The prompt in one pass, with the states that [`generation_step`] goes on from.
pub fn prefill(func: &Func, shapes: &Shapes, timings: &mut Timings) -> Result<Func, DeriveError> {
    Stepped::of(func, shapes, timings)?.prefill(timings)
}
