//! Two back ends, one answer: the plans of every example model, forward and gradient, on Cranelift and (where it is
//! built) MLIR, against the f64 interpreter running the definition.

mod models;

use models::{MODELS, agree, compiled, definition, sizes, truth, values};
use seqc_abi::{Plan, Role, Sizes};
use seqc_device::{Executor, Pool, Program, Store};
use seqc_driver::backend::{Backend, load};
use seqc_driver::build::Built;
use seqc_driver::passes::Form;
use std::collections::HashMap;
use std::sync::Arc;

const LENGTHS: [usize; 4] = [1, 17, 64, 65];

fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Clif];
    if cfg!(feature = "mlir") {
        all.push(Backend::Mlir);
    }
    all
}

/// Runs a plan on this machine, everything that it must write poisoned beforehand.
fn execute(
    program: &Program,
    sizes: &Sizes,
    values: &HashMap<String, Vec<f64>>,
    pool: &Arc<Pool>,
) -> Vec<(String, Vec<f64>)> {
    let mut store = Store::new(0);
    let mut x = Executor::new(program, sizes, &mut store, pool).unwrap();
    let plan: &Plan = &program.plan;
    for b in &plan.buffers {
        match &b.role {
            Role::Input { name } if b.elem == seqc_abi::Elem::I32 => {
                let data: Vec<i32> = values[name].iter().map(|v| *v as i32).collect();
                x.set_input(name, &data[..]).unwrap();
            }
            Role::Input { name } => {
                let data: Vec<f32> = values[name].iter().map(|v| *v as f32).collect();
                x.set_input(name, &data[..]).unwrap();
            }
            Role::Param { path, .. } => {
                let to = store.get_mut(path).unwrap().value_mut();
                to.iter_mut()
                    .zip(&values[path])
                    .for_each(|(t, v)| *t = *v as f32);
            }
            _ => {}
        }
    }
    x.set_poison(true);
    x.run(&mut store).unwrap();
    let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let mut results = vec![];
    for b in &plan.buffers {
        match &b.role {
            Role::Output { name } => results.push((name.clone(), wide(&x.output(name).unwrap()))),
            Role::Grad { path } => {
                let grad = store.get(path).unwrap().grad().unwrap();
                results.push((format!("grad.{path}"), wide(grad)));
            }
            _ => {}
        }
    }
    results
}

#[test]
fn models_and_their_gradients() {
    let pool = Pool::new(2);
    for item in MODELS {
        let e = item.elaborated();
        let programs = [("forward", false), ("gradient", true)];
        let meant = programs.map(|(_, grad)| definition(&e, grad));
        for backend in backends() {
            let mut built = Built::default();
            for (name, grad) in programs {
                built.add(name, compiled(&e, Form::Chunked, grad, backend.lanes()));
            }
            let artifact = load(&built, backend).unwrap();
            for ((name, _), meant) in programs.iter().zip(&meant) {
                let program = artifact.program(name).unwrap();
                for t in LENGTHS {
                    let sizes = sizes(t);
                    let values = values(&program.plan, &sizes);
                    let want = truth(meant, &program.plan, &sizes, &values);
                    let got = execute(&program, &sizes, &values, &pool);
                    agree(
                        &format!("{} {name} on {backend:?}", item.name),
                        t,
                        &got,
                        &want,
                    );
                }
            }
        }
    }
}
