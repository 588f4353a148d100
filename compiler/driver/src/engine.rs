//! Derived programs run on named tensors: by the f64 interpreter, or compiled by a back end.
//!
//! One place where an algebra program's inputs and results meet the runtime's buffers, whatever their order of axes
//! there. Programs are compiled once and run at any lengths. Invariant: whatever a compiled program leaves unwritten
//! comes back as NaN, since outputs, gradients, states, temporaries and scratch are poisoned before each run.

use crate::backend::{self, Backend};
use crate::build::{self, Built};
use crate::{Error, Result, other, parts};
use seqc_abi::{Elem as Word, Role};
use seqc_algebra::{Elem, Func, InputKind, Sym, Tensor};
use seqc_device::{Artifact, Executor, Pool, Store};
use seqc_schedule::narrow::narrow;
use std::collections::HashMap;
use std::sync::Arc;

/// Tensors by name. Axes in any order.
pub type Named = HashMap<String, Tensor>;
/// Run-time lengths.
pub type Sizes = HashMap<Sym, usize>;

/// What runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The algebra interpreter, in f64.
    Interp,
    /// Code of a back end, in f32.
    Compiled(Backend),
    /// The same in bf16 memory ([`seqc_schedule::narrow`]).
    Narrow(Backend),
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Engine::Interp => "interp",
            Engine::Compiled(Backend::Clif) => "clif",
            Engine::Compiled(Backend::Mlir) => "mlir",
            Engine::Narrow(Backend::Clif) => "clif16",
            Engine::Narrow(Backend::Mlir) => "mlir16",
        }
    }

    /// Those that this build has, the interpreter first.
    pub fn all() -> Vec<Engine> {
        let mut all = vec![Engine::Interp];
        if cfg!(feature = "clif") {
            all.push(Engine::Compiled(Backend::Clif));
        }
        if cfg!(feature = "mlir") {
            all.push(Engine::Compiled(Backend::Mlir));
        }
        all
    }
}

/// Programs by name, ready to run on one engine.
pub struct Programs {
    funcs: Vec<(String, Func)>,
    code: Option<Code>,
}

struct Code {
    artifact: Artifact,
    pool: Arc<Pool>,
}

impl Programs {
    /// Compiles the programs together, so that they share kernels.
    pub fn new(engine: Engine, funcs: Vec<(String, Func)>, threads: usize) -> Result<Programs> {
        if engine == Engine::Interp {
            return Ok(Programs { funcs, code: None });
        }
        let (programs, failed) = Programs::some(engine, funcs, threads);
        match failed.into_iter().next() {
            Some((_, why)) => Err(why),
            None => programs,
        }
    }

    /// Like [`new`](Self::new), without the programs that cannot be lowered: those come with the reason.
    pub fn some(
        engine: Engine,
        funcs: Vec<(String, Func)>,
        threads: usize,
    ) -> (Result<Programs>, Vec<(String, Error)>) {
        let (backend, in_bf16) = match engine {
            Engine::Interp => return (Programs::new(engine, funcs, threads), vec![]),
            Engine::Compiled(backend) => (backend, false),
            Engine::Narrow(backend) => (backend, true),
        };
        let (mut built, mut kept, mut failed) = (Built::default(), vec![], vec![]);
        for (name, func) in funcs {
            match build::lowered(&func, backend.lanes()) {
                Ok(mut lowered) => {
                    if in_bf16 {
                        lowered = narrow(lowered, backend.lanes());
                    }
                    built.add(&name, lowered);
                    kept.push((name, func));
                }
                Err(e) => failed.push((name, e)),
            }
        }
        let programs = backend::load(&built, backend).map(|artifact| Programs {
            funcs: kept,
            code: Some(Code {
                artifact,
                pool: Pool::new(threads),
            }),
        });
        (programs, failed)
    }

    pub fn func(&self, name: &str) -> Result<&Func> {
        let found = self.funcs.iter().find(|(n, _)| n == name);
        found
            .map(|(_, f)| f)
            .ok_or_else(|| Error::Other(format!("there is no program `{name}`")))
    }

    /// Runs a program. Inputs that it does not have are ignored; states and noise that are not given are 0.
    /// Results in the program's order, each with the axes that it has in memory.
    pub fn run(&self, name: &str, given: &Named, sizes: &Sizes) -> Result<Vec<(String, Tensor)>> {
        self.open(name)?.run(given, sizes)
    }

    /// A program to be run several times, at any lengths.
    pub fn open(&self, name: &str) -> Result<Opened<'_>> {
        Ok(Opened {
            func: self.func(name)?,
            name: name.to_owned(),
            code: self.code.as_ref(),
            running: None,
        })
    }
}

/// The inputs that a program has, complex ones as its types say.
fn fitting(func: &Func, given: &Named) -> Result<Named> {
    let mut all = Named::new();
    for p in &func.params {
        let name = func.input(*p).map(|i| i.name.as_str()).unwrap_or_default();
        if let Some(t) = given.get(name) {
            let t = parts::fitted(t, func.ty(*p)).map_err(|e| other(name, e))?;
            all.insert(name.to_owned(), t.into_owned());
        }
    }
    Ok(all)
}

/// A program that keeps its memory from run to run.
pub struct Opened<'a> {
    func: &'a Func,
    name: String,
    code: Option<&'a Code>,
    running: Option<(Executor, Store)>,
}

impl Opened<'_> {
    pub fn func(&self) -> &Func {
        self.func
    }

    /// See [`Programs::run`].
    pub fn run(&mut self, given: &Named, sizes: &Sizes) -> Result<Vec<(String, Tensor)>> {
        let func = self.func;
        let given = &fitting(func, given)?;
        let Some(code) = self.code else {
            return seqc_algebra::run(func, given, sizes).map_err(|e| other(&func.name, e));
        };
        let failed = |e: seqc_device::Error| other(&func.name, e);
        let lens = sizes
            .iter()
            .map(|(s, n)| (s.as_str().to_owned(), *n as u64))
            .collect();
        let (mut exec, mut store) = match self.running.take() {
            Some((mut exec, store)) => {
                exec.set_lengths(&lens).map_err(failed)?;
                (exec, store)
            }
            None => {
                let program = code.artifact.program(&self.name).map_err(failed)?;
                let mut store = Store::new(0);
                let exec = Executor::new(&program, &lens, &mut store, &code.pool);
                (exec.map_err(failed)?, store)
            }
        };
        exec.set_poison(true);
        for p in &func.params {
            give(func, *p, given, &mut exec, &mut store)?;
        }
        exec.run(&mut store).map_err(failed)?;
        let results = func.results.iter();
        let made = results
            .map(|(n, _)| Ok((n.clone(), take(func, n, &exec, &store)?)))
            .collect();
        self.running = Some((exec, store));
        made
    }
}

/// Copies one input into its buffer.
fn give(
    func: &Func,
    p: seqc_algebra::ValueId,
    given: &Named,
    run: &mut Executor,
    store: &mut Store,
) -> Result<()> {
    let Some(input) = func.input(p) else {
        return Ok(());
    };
    let (name, ty) = (input.name.as_str(), func.ty(p));
    let failed = |e: seqc_device::Error| other(&func.name, e);
    let Some(tensor) = given.get(name) else {
        return match input.kind {
            InputKind::State | InputKind::Noise(_) => Ok(()),
            _ => Err(Error::Other(format!(
                "{}: input `{name}` is not given",
                func.name
            ))),
        };
    };
    let tensor = tensor.ordered(&ty.axes).map_err(|e| other(name, e))?;
    let Some(data) = tensor.as_real() else {
        return Err(Error::Other(format!(
            "`{name}` is complex; only the interpreter takes complex tensors"
        )));
    };
    let floats = || data.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    match &input.kind {
        InputKind::Param { .. } => {
            let to = store.get_mut(name).map(seqc_device::Param::value_mut);
            match to {
                Some(to) if to.len() == data.len() => to.copy_from_slice(&floats()),
                _ => return Err(other(name, "the plan has no such parameter of this size")),
            }
            Ok(())
        }
        InputKind::State => run
            .set_state(own_name(name), &floats(), &tensor.shape)
            .map_err(failed),
        InputKind::Noise(_) => Err(other(name, "noise is drawn, not given")),
        _ if ty.elem == Elem::Int => {
            let ints: Vec<i32> = data.iter().map(|x| *x as i32).collect();
            run.set_input(name, ints.as_slice()).map_err(failed)
        }
        _ => run.set_input(name, floats().as_slice()).map_err(failed),
    }
}

/// What the runtime calls a state.
fn own_name(state: &str) -> &str {
    state.strip_prefix("state.").unwrap_or(state)
}

/// Reads one result back, with the axes in the order of its buffer.
fn take(func: &Func, name: &str, run: &Executor, store: &Store) -> Result<Tensor> {
    let plan = run.plan();
    let is = |role: &Role| match role {
        Role::Output { name: n } => n == name,
        Role::Grad { path } => name.strip_prefix("grad.") == Some(path),
        Role::StateOut { name: n } => name.starts_with("state.") && own_name(name) == n,
        _ => false,
    };
    let failed = |e: seqc_device::Error| other(&func.name, e);
    let (Some(buffer), Some(id)) = (plan.buffers.iter().find(|b| is(&b.role)), func.result(name))
    else {
        return Err(other(name, "the plan has no such result"));
    };
    let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let (shape, data) = match &buffer.role {
        Role::Grad { path } => {
            let param = store.get(path);
            let grad = param.and_then(|p| Some((p.shape().to_vec(), wide(p.grad()?))));
            grad.ok_or_else(|| other(name, "the gradient was not made"))?
        }
        Role::StateOut { name } => {
            let (data, shape) = run.state(name).map_err(failed)?;
            (shape.to_vec(), wide(&data))
        }
        _ => {
            let data = match buffer.elem {
                Word::F32 | Word::Bf16 => wide(&run.output(name).map_err(failed)?),
                Word::I32 => {
                    let ints = run.output_i32(name).map_err(failed)?;
                    ints.iter().map(|x| f64::from(*x)).collect()
                }
            };
            (run.output_shape(name).map_err(failed)?.to_vec(), data)
        }
    };
    let axis = |n: &String| {
        let axes = func.ty(id).axes.iter();
        axes.copied().find(|a| a.name.as_str() == n)
    };
    let axes: Option<Vec<_>> = buffer.axes.iter().map(axis).collect();
    let axes = axes.ok_or_else(|| other(name, "its buffer has an axis that it lacks"))?;
    Tensor::real(axes, shape, data).map_err(|e| other(name, e))
}
