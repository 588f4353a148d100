//! What is equal up to algebra has one class, the same forms, a state of one size, and the same numbers and gradients:
//! pairs of spellings in `tests/faults/equal_up_to_algebra.seq`, each mixer beside its `_plain` partner.

mod support;

use seqc_algebra::interp::run;
use seqc_algebra::{Func, Tensor};
use seqc_derive::grad::vjp;
use seqc_driver::build;
use seqc_driver::explain::report;
use seqc_driver::frontend::{self, Source};
use seqc_driver::passes::{FORMS, Form, Shapes, forward, gradient};
use std::path::Path;
use support::{all_real, difference, inputs, lengths, shapes};

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../tests/faults/equal_up_to_algebra.seq");
    std::fs::read_to_string(path).expect("the pairs are there")
}

fn source() -> Source {
    frontend::of_text("equal_up_to_algebra.seq", &text()).unwrap_or_else(|e| panic!("{e}"))
}

/// The mixers that have a partner.
fn pairs() -> Vec<String> {
    let names: Vec<String> = (text().lines())
        .filter_map(|l| l.strip_prefix("mixer ")?.split('(').next())
        .map(str::to_owned)
        .collect();
    let partner = |n: &&String| names.contains(&format!("{n}_plain"));
    let found: Vec<String> = names.iter().filter(partner).cloned().collect();
    assert_eq!(2 * found.len(), names.len());
    found
}

fn func(s: &Source, name: &str) -> Func {
    let e = s.elaborate(name, &[]).unwrap_or_else(|e| panic!("{e}"));
    build::outputs(&e).unwrap_or_else(|e| panic!("{e}"))
}

/// Class, forms of each equation and those that it lacks, and the size of a step's state.
fn shape(s: &Source, name: &str) -> String {
    let e = s.elaborate(name, &[]).unwrap_or_else(|e| panic!("{e}"));
    let r = report(s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
    let forms: Vec<_> = (r.equations.iter())
        .map(|q| {
            let lacks: Vec<&str> = q.missing.iter().map(|m| m.form).collect();
            (q.class, q.forms.clone(), lacks)
        })
        .collect();
    let state = r.generation.map(|g| g.state_bytes);
    format!("{} {forms:?} {state:?}", r.class)
}

#[test]
fn class_forms_and_state_are_the_partners() {
    let s = source();
    let all = pairs();
    assert!(all.len() >= 25, "{}", all.len());
    let wrong: Vec<String> = (all.iter())
        .map(|n| (n, shape(&s, n), shape(&s, &format!("{n}_plain"))))
        .filter(|(_, x, y)| x != y || !x.contains("chunked\"]"))
        .map(|(n, x, y)| format!("{n}:\n  {x}\n  {y}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong of each pair, all of it.
fn none_wrong(of: impl Fn(&Source, &str) -> Result<(), String>) {
    let s = source();
    let wrong: Vec<String> = (pairs().iter())
        .filter_map(|n| of(&s, n).err().map(|why| format!("{n}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Both are the plain one's definition, in every form, at lengths that are no multiples of the chunk.
#[test]
fn numbers_are_the_partners() {
    none_wrong(|s, name| {
        let (own, plain) = (func(s, name), func(s, &format!("{name}_plain")));
        for t in [1usize, 3, 4, 9] {
            let sizes = lengths(t);
            let given = inputs(&plain, &sizes);
            let want = run(&plain, &given, &sizes).map_err(|e| e.to_string())?;
            for f in [&own, &plain] {
                for form in FORMS {
                    let made = forward(f, form, &shapes(), &mut vec![]);
                    let made = made.map_err(|e| format!("{form:?}: {e}"))?;
                    let got = run(&made, &all_real(&given), &sizes);
                    let got = got.map_err(|e| format!("{form:?}: {e}"))?;
                    for ((out, x), (_, y)) in got.iter().zip(&want) {
                        let at = format!("{} {form:?} T={t} {out}", f.name);
                        difference(&at, x, y).map_or(Ok(()), Err)?;
                    }
                }
            }
        }
        Ok(())
    });
}

/// Gradients of every input are those of the plain one's definition.
#[test]
fn gradients_are_the_partners() {
    none_wrong(|s, name| {
        let (own, plain) = (func(s, name), func(s, &format!("{name}_plain")));
        let names: Vec<&str> = (plain.params.iter())
            .filter_map(|p| plain.input(*p))
            .map(|i| i.name.as_str())
            .collect();
        let truth = vjp(&plain, &plain.params, &["o"]).map_err(|e| e.to_string())?;
        let sizes = lengths(9);
        let given = inputs(&truth, &sizes);
        let want = run(&truth, &given, &sizes).map_err(|e| e.to_string())?;
        for form in FORMS {
            let made = gradient(&own, form, &shapes(), &names, &["o"], &mut vec![]);
            let made = made.map_err(|e| format!("{form:?}: {e}"))?;
            let got =
                run(&made, &all_real(&given), &sizes).map_err(|e| format!("{form:?}: {e}"))?;
            for (n, y) in &want {
                let x = got.iter().find(|(m, _)| m == n).ok_or(format!("no {n}"))?;
                difference(&format!("{form:?} {n}"), &x.1, y).map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    });
}

/// Decays along the axis that values have, of exactly 0 and 1 too, in chunks: what a loop gives.
#[test]
fn decays_along_values_are_chunked() {
    let text = "seq 1\n\nmixer m(q: seq{dk}, k: seq{dk}, x: seq{d}, a: seq{d}; dk = 3, d = 5) -> y: seq{d} {\n    \
        state S{dk, d}\n    S[t] = a * S[t-1] + k * x\n    y = sum[dk](q * S)\n}\n";
    let s = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let shape = shape(&s, "m");
    assert!(shape.contains("chunked\"]"), "{shape}");
    let (t, dk, d) = (11, 3, 5);
    let f = func(&s, "m");
    let sizes = lengths(t);
    let mut given = inputs(&f, &sizes);
    let a = given.get_mut("a").expect("an input");
    let gates = [0.0, 1.0, 0.9, 1.0, 0.25, 1.0, 1e-30];
    let set: Vec<f64> = (0..a.as_real().unwrap().len())
        .map(|n| gates[(3 * n + n / 7) % gates.len()])
        .collect();
    *a = Tensor::real(a.axes.clone(), a.shape.clone(), set).unwrap();
    let read = |n: &str| given[n].as_real().unwrap().to_vec();
    let (q, k, x, a) = (read("q"), read("k"), read("x"), read("a"));
    let mut want = vec![];
    for b in 0..2 {
        let mut state = vec![0.0; dk * d];
        for i in (0..t).map(|i| b * t + i) {
            for c in 0..d {
                for r in 0..dk {
                    let old = &mut state[r * d + c];
                    *old = a[i * d + c] * *old + k[i * dk + r] * x[i * d + c];
                }
                want.push(
                    (0..dk)
                        .map(|r| q[i * dk + r] * state[r * d + c])
                        .sum::<f64>(),
                );
            }
        }
    }
    let made = forward(&f, Form::Chunked, &shapes(), &mut vec![]).unwrap_or_else(|e| panic!("{e}"));
    let got = run(&made, &given, &sizes).unwrap_or_else(|e| panic!("{e}"));
    let y = &got[0].1;
    let want = Tensor::real(y.axes.clone(), y.shape.clone(), want).unwrap();
    assert_eq!(difference("y", y, &want), None);
}
