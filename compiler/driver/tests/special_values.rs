//! Every pointwise function and reduction at 0, at ties, saturated, tiny, huge and infinite: value and derivatives, on every
//! engine, against tests/oracles/special_values.json, which mpmath wrote with 200 digits (its rows of conventions and limits are
//! worked by hand). Nothing of the compiler is used for what is right.

use seqc_abi::Role;
use seqc_algebra::{Axis, Func, Tensor};
use seqc_driver::build::lowered;
use seqc_driver::engine::{Engine, Named, Programs, Sizes};
use seqc_driver::frontend;
use seqc_driver::passes::{self, Form, Shapes};
use seqc_schedule::interp;
use seqc_schedule::run_plan::run_plan;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The smallest normal number of f32: what is smaller may be 0.
const NORMAL: f64 = 1.2e-38;
/// The same of f64, times the size of an argument.
const LEAST: f64 = 1e-305;

/// One program and what it is to give: by result, a number for each step and entry. What is no number at all is not checked.
struct Item {
    text: String,
    func: Func,
    given: Named,
    sizes: Sizes,
    want: Vec<(String, Vec<Option<f64>>)>,
    /// Where the function is a difference of larger terms, their size.
    beside: f64,
}

fn number(v: &Value) -> Option<f64> {
    match v {
        Value::Null => None,
        Value::String(s) => Some(s.parse().expect("a number")),
        v => Some(v.as_f64().expect("a number")),
    }
}

fn row(v: &Value) -> Vec<Option<f64>> {
    match v.as_array() {
        Some(all) => all.iter().map(number).collect(),
        None => vec![number(v)],
    }
}

fn table() -> Value {
    let path = "../../tests/oracles/special_values.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(path).expect("the table");
    serde_json::from_str(&text).expect("JSON")
}

/// A mixer's gradient program, its inputs laid along time, one row of the table a step.
fn item(
    expr: &str,
    n: usize,
    inputs: &[(&str, Vec<f64>)],
    want: Vec<(&str, Vec<Option<f64>>)>,
) -> Item {
    let kind = if n > 1 { "seq{n}" } else { "seq{}" };
    let names: Vec<String> = inputs.iter().map(|(x, _)| format!("{x}: {kind}")).collect();
    let text = format!(
        "seq 1\nmixer m({}; n = 4) -> y: seq{{}} {{\n    y = {expr}\n}}\n",
        names.join(", ")
    );
    let source = frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{text}{e}"));
    let e = source
        .elaborate("m", &[])
        .unwrap_or_else(|e| panic!("{text}{e}"));
    let wrt: Vec<&str> = inputs.iter().map(|(x, _)| *x).collect();
    let func = passes::gradient(
        &e.func,
        Form::Chunked,
        &Shapes::cpu(),
        &wrt,
        &["y"],
        &mut vec![],
    );
    let func = func.unwrap_or_else(|e| panic!("{text}{e}"));
    let steps = want[0].1.len();
    let sizes: Sizes = [(Axis::batch().name, 1), (Axis::time().name, steps)].into();
    let mut given = Named::new();
    for p in &func.params {
        let (name, ty) = (
            func.input(*p).expect("an input").name.to_string(),
            func.ty(*p),
        );
        let data = match inputs.iter().find(|(x, _)| *x == name) {
            Some((_, data)) => data.clone(),
            None => vec![1.0; steps],
        };
        let axes: Vec<Axis> = [Axis::batch(), Axis::time()]
            .into_iter()
            .chain(ty.axes.iter().copied().filter(|a| a.is_const()))
            .collect();
        let shape = axes
            .iter()
            .map(|a| a.size.constant().unwrap_or_else(|| sizes[&a.name]))
            .collect();
        given.insert(name, Tensor::real(axes, shape, data).expect("fits"));
    }
    let want = want.into_iter().map(|(n, w)| (n.to_owned(), w)).collect();
    let beside = match expr {
        "sin(x)" | "cos(x)" | "gelu(x)" => 1.0,
        // The weights, of which each is taken less their mean.
        _ if expr.contains("softmax") => 4.0,
        _ => 0.0,
    };
    Item {
        text: expr.to_owned(),
        func,
        given,
        sizes,
        want,
        beside,
    }
}

fn column(rows: &[Value], k: usize) -> Vec<Option<f64>> {
    rows.iter().map(|r| number(&r[k])).collect()
}

fn inputs(rows: &[Value], k: usize) -> Vec<f64> {
    column(rows, k)
        .into_iter()
        .map(|x| x.expect("a point"))
        .collect()
}

fn items() -> Vec<Item> {
    let table = table();
    let section = |name: &str| table[name].as_object().expect("a section").clone();
    let mut all = vec![];
    for (name, rows) in section("functions") {
        let rows = rows.as_array().expect("rows");
        let want = vec![("y", column(rows, 1)), ("grad.x", column(rows, 2))];
        all.push(item(
            &format!("{name}(x)"),
            1,
            &[("x", inputs(rows, 0))],
            want,
        ));
    }
    for (expr, rows) in section("pairs") {
        let rows = rows.as_array().expect("rows");
        let given = [("x", inputs(rows, 0)), ("y1", inputs(rows, 1))];
        let want = vec![
            ("y", column(rows, 2)),
            ("grad.x", column(rows, 3)),
            ("grad.y1", column(rows, 4)),
        ];
        all.push(item(&expr.replace('y', "y1"), 1, &given, want));
    }
    for (expr, rows) in section("reductions") {
        let rows = rows.as_array().expect("rows");
        let flat = |k: usize| rows.iter().flat_map(|r| row(&r[k])).collect::<Vec<_>>();
        let x = flat(0).into_iter().map(|x| x.expect("a point")).collect();
        let want = vec![("y", flat(1)), ("grad.x", flat(2))];
        all.push(item(&expr, 4, &[("x", x)], want));
    }
    all
}

/// How a number may differ: by rounding, and in f32 by what its range does not hold.
fn wrong(got: f64, want: f64, single: bool, beside: f64) -> bool {
    if want.is_nan() || got.is_nan() {
        return want.is_nan() != got.is_nan();
    }
    let range = if single {
        f64::from(f32::MAX)
    } else {
        f64::MAX
    };
    if want.abs() > range || got.is_infinite() {
        return !(want.abs() > 0.999 * range
            && got.abs() > 0.999 * range
            && got.signum() == want.signum());
    }
    let (share, least) = if single {
        (3e-6, NORMAL)
    } else {
        (1e-13, LEAST)
    };
    (got - want).abs() > share * (want.abs() + beside) + least
}

/// Compares the results of one engine; what is wrong, in words.
fn compared(
    item: &Item,
    engine: &str,
    single: bool,
    got: &HashMap<String, Vec<f64>>,
) -> Vec<String> {
    let mut all = vec![];
    for (name, want) in &item.want {
        let got = &got[name];
        assert_eq!(got.len(), want.len(), "{}: {name}", item.text);
        for (k, (g, w)) in got.iter().zip(want).enumerate() {
            if w.is_some_and(|w| wrong(*g, w, single, item.beside)) {
                let at: Vec<f64> = (item.given.iter().filter(|(n, _)| n.len() < 3))
                    .filter_map(|(_, t)| t.as_real().map(|d| d[k]))
                    .collect();
                all.push(format!(
                    "{engine}: {} {name} at {at:?} (row {k}) = {g:e}, not {w:?}",
                    item.text
                ));
            }
        }
    }
    all
}

fn laid(t: &Tensor) -> Vec<f64> {
    let mut axes = t.axes.clone();
    axes.sort_by_key(|a| a.is_const());
    axes.sort_by_key(|a| *a != Axis::batch());
    t.ordered(&axes)
        .expect("its axes")
        .as_real()
        .expect("real")
        .to_vec()
}

fn by_engine(items: &[Item], engine: Engine) -> Vec<String> {
    let funcs = items
        .iter()
        .enumerate()
        .map(|(k, i)| (k.to_string(), i.func.clone()));
    let programs = Programs::new(engine, funcs.collect(), 1).unwrap_or_else(|e| panic!("{e}"));
    let single = engine != Engine::Interp;
    let one = |(k, item): (usize, &Item)| {
        let made = programs.run(&k.to_string(), &item.given, &item.sizes);
        let made = made.unwrap_or_else(|e| panic!("{}: {e}", item.text));
        let made = made.into_iter().map(|(n, t)| (n, laid(&t))).collect();
        compared(item, engine.name(), single, &made)
    };
    items.iter().enumerate().flat_map(one).collect()
}

/// The loops that code is made from, run in f64.
fn by_schedule(item: &Item) -> Vec<String> {
    let low = lowered(&item.func, 4).unwrap_or_else(|e| panic!("{}: {e}", item.text));
    let sizes = item
        .sizes
        .iter()
        .map(|(n, k)| (n.to_string(), *k as u64))
        .collect();
    let of = |axes: &[String], t: &Tensor| {
        let axis = |n: &String| {
            *t.axes
                .iter()
                .find(|a| a.name.as_str() == n)
                .expect("an axis")
        };
        let axes: Vec<Axis> = axes.iter().map(axis).collect();
        t.ordered(&axes)
            .expect("its axes")
            .as_real()
            .expect("real")
            .to_vec()
    };
    let mut given = HashMap::new();
    for b in &low.plan.buffers {
        if let Role::Input { name } = &b.role {
            given.insert(name.clone(), of(&b.axes, &item.given[name]));
        }
    }
    let made = run_plan(
        &low.plan,
        &low.kernels,
        &sizes,
        &given,
        interp::Options::default(),
    );
    let made = made.unwrap_or_else(|e| panic!("{}: {e}", item.text));
    let back = |(name, data): (String, Vec<f64>)| {
        let is = |b: &&seqc_abi::Buffer| matches!(&b.role, Role::Output { name: n } if *n == name);
        let b = low.plan.buffers.iter().find(is).expect("a buffer");
        let id = item.func.result(&name).expect("a result");
        let axis = |n: &String| {
            *item
                .func
                .ty(id)
                .axes
                .iter()
                .find(|a| a.name.as_str() == n)
                .expect("an axis")
        };
        let axes: Vec<Axis> = b.axes.iter().map(axis).collect();
        let shape = axes
            .iter()
            .map(|a| a.size.constant().unwrap_or_else(|| item.sizes[&a.name]));
        let t = Tensor::real(axes.clone(), shape.collect(), data).expect("fits");
        (name, laid(&t))
    };
    let made = made.into_iter().map(back).collect();
    compared(item, "schedule", false, &made)
}

#[test]
fn no_difference_from_what_another_library_gives() {
    let items = items();
    assert!(items.len() > 35, "{}", items.len());
    let mut all = vec![];
    for engine in Engine::all() {
        all.extend(by_engine(&items, engine));
    }
    all.extend(items.iter().flat_map(by_schedule));
    assert!(
        all.is_empty(),
        "{} differences\n{}",
        all.len(),
        all.join("\n")
    );
}

/// The comparison can fail.
#[test]
fn what_differs_is_seen() {
    let mut items = items();
    items.truncate(1);
    items[0].want[0].1[0] = Some(7.0);
    assert_eq!(by_engine(&items, Engine::Interp).len(), 1);
    assert_eq!(by_schedule(&items[0]).len(), 1);
    assert!(wrong(f64::NAN, 0.0, true, 0.0) && wrong(0.0, f64::INFINITY, true, 0.0));
    assert!(wrong(0.0, 2e-9, true, 0.0) && !wrong(f64::INFINITY, 1e39, true, 0.0));
}
