//! What the tests of forms share: stdlib items, drawn inputs, comparison.
#![allow(dead_code)]

mod draw;
pub mod items;

pub use draw::draw;
use seqc_algebra::tensor::Tensor;
use seqc_algebra::{C64, Data, Elem, Func, Op, Sym};
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::frontend;
use seqc_driver::passes::Shapes;
use seqc_driver::verify::{Certificate, Extent, Options, item};
use seqc_hir::{BesideImporter, elaborate, load};
use seqc_syntax::SourceMap;
use std::collections::HashMap;
use std::path::Path;

pub fn inputs(func: &Func, sizes: &HashMap<Sym, usize>) -> HashMap<String, Tensor> {
    let mut all = HashMap::new();
    for p in &func.params {
        let Op::Input(input) = func.op(*p) else {
            continue;
        };
        let ty = func.ty(*p);
        let shape: Vec<usize> = ty
            .axes
            .iter()
            .map(|a| {
                let len = a.size.length().map_or(0, |s| sizes[&s]);
                a.size.at(len).expect("few positions")
            })
            .collect();
        let n: usize = shape.iter().product();
        let name = input.name.as_str();
        let t = match ty.elem {
            Elem::Int => Tensor::real(
                ty.axes.clone(),
                shape,
                (0..n)
                    .map(|k| ((draw(name, k) + 1.0) * 8.0).floor())
                    .collect(),
            ),
            Elem::Real => Tensor::real(
                ty.axes.clone(),
                shape,
                (0..n).map(|k| 0.5 * draw(name, k)).collect(),
            ),
            Elem::Complex => Tensor::new(
                ty.axes.clone(),
                shape,
                Data::Complex(
                    (0..n)
                        .map(|k| C64::new(0.5 * draw(name, 2 * k), 0.5 * draw(name, 2 * k + 1)))
                        .collect(),
                ),
            ),
        };
        all.insert(name.to_owned(), t.unwrap());
    }
    all
}

/// Derived programs take and give complex values as real ones with a last axis of parts.
pub fn as_real(t: &Tensor) -> Tensor {
    let Data::Complex(data) = &t.data else {
        return t.clone();
    };
    let parts = seqc_derive::real::parts_axis(&t.axes);
    Tensor::real(
        [t.axes.as_slice(), &[parts]].concat(),
        [t.shape.as_slice(), &[2]].concat(),
        data.iter().flat_map(|z| [z.re, z.im]).collect(),
    )
    .unwrap()
}

pub fn all_real(given: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    given.iter().map(|(n, t)| (n.clone(), as_real(t))).collect()
}

pub fn close(name: &str, a: &Tensor, b: &Tensor) {
    if let Some(why) = difference(name, a, b) {
        panic!("{why}");
    }
}

/// What `a` differs from `b` by, unless that is rounding.
pub fn difference(name: &str, a: &Tensor, b: &Tensor) -> Option<String> {
    let b = as_real(b);
    let b = b.ordered(&a.axes).unwrap();
    let (x, y) = (a.as_real().unwrap(), b.as_real().unwrap());
    assert_eq!(x.len(), y.len(), "{name}");
    let length = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let norm = length(&mut y.iter().copied());
    let diff = length(&mut x.iter().zip(y).map(|(a, b)| a - b));
    // What is 0 but for rounding has no relative error. NaN is a difference.
    let small = diff <= 1e-9 * norm + 1e-13;
    (!small).then(|| format!("{name}: off by {diff}, size {norm}"))
}

pub fn elaborated(file: &str, item: &str, settings: &[(&str, &str)]) -> Func {
    let mut map = SourceMap::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../stdlib")
        .join(file);
    let id = map.read(&path).unwrap();
    let program = load(&mut map, id, &BesideImporter)
        .unwrap_or_else(|e| panic!("{}", seqc_syntax::render_human(&map, &e, false)));
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    elaborate(&program, item, &settings)
        .unwrap_or_else(|e| panic!("{}", seqc_syntax::render_human(&map, &e, false)))
        .func
}

pub fn shapes() -> Shapes {
    Shapes {
        chunk: 4,
        checkpoint: 4,
        tiles: seqc_derive::stream::Tiles {
            kept: 4,
            streamed: 3,
        },
    }
}

pub fn lengths(t: usize) -> HashMap<Sym, usize> {
    [("batch", 2), ("t", t), ("s", 5), ("cache", t + 2)]
        .iter()
        .map(|(n, v)| (Sym::new(n), *v))
        .collect()
}

/// Certificates of mixers that a test writes down itself: on the interpreter, over the field and on Cranelift, with chunks so
/// small that a few steps are several.
pub fn small() -> Options {
    Options {
        engines: vec![Engine::Interp, Engine::Compiled(Backend::Clif)],
        shapes: shapes(),
        extent: Extent::Brief,
        threads: 1,
        progress: None,
    }
}

/// The certificate of a mixer that is given as text.
pub fn certificate(text: &str, mixer: &str, options: &Options) -> Certificate {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    item(&source, mixer, &[], options).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

/// A certificate that a suite has time for.
pub fn brief() -> Options {
    Options {
        engines: vec![
            Engine::Interp,
            Engine::Compiled(Backend::Clif),
            Engine::Narrow(Backend::Clif),
        ],
        extent: Extent::Brief,
        ..Options::default()
    }
}
