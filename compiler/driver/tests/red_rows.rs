//! What a red row says: where the first number goes wrong, and whether that is the definition's own fault; and that sound
//! mixers are not red.

use seqc_algebra::{Builder, Func, MapFn, Op, ValueId};
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::frontend::{Source, of_text};
use seqc_driver::verify::{
    Certificate, Derived, Extent, Options, Part, Row, Subject, certify, item,
};
use std::collections::HashMap;

fn options() -> Options {
    Options {
        engines: vec![Engine::Interp, Engine::Compiled(Backend::Clif)],
        extent: Extent::Quick,
        ..Options::default()
    }
}

fn source(mixer: &str) -> Source {
    of_text("m.seq", &format!("seq 1\n\n{mixer}\n")).unwrap_or_else(|e| panic!("{e}"))
}

fn certified(mixer: &str) -> Certificate {
    item(&source(mixer), "m", &[], &options()).unwrap_or_else(|e| panic!("{e}"))
}

fn row<'c>(c: &'c Certificate, form: &str, engine: &str, part: &str) -> &'c Row {
    let is = |r: &&Row| r.form == form && r.engine == engine && r.part == part;
    c.rows
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no such row: {c}"))
}

#[test]
fn an_overflow_is_called_so_and_placed() {
    for (body, place, name) in [
        (
            "big = exp(100 + x)\n y = big / exp(99 + x)",
            "exp(100 + x)",
            "big",
        ),
        (
            "wide = 1e30 * x\n y = wide * wide * 1e-30 * 1e-30",
            "wide * wide",
            "y",
        ),
        (
            "state s{d}\n s[t] = 1e20 * s[t-1] + x\n y = s * 1e-30",
            "",
            "s",
        ),
    ] {
        let c = certified(&format!(
            "mixer m(x: seq{{d}}; d = 3) -> y: seq{{d}} {{\n {body}\n}}"
        ));
        let why = row(&c, "matrix", "clif", "forward").why.clone();
        let why = why.unwrap_or_else(|| panic!("{body}: no reason\n{c}"));
        assert!(why.contains("f32 overflow"), "{why}");
        assert!(
            place.is_empty() || why.contains(&format!("`{place}`")),
            "{why}"
        );
        assert!(why.contains(&format!("`{name}`")), "{why}");
        assert!(why.contains("so does the definition itself"), "{why}");
        assert!(c.to_string().contains(&why));
    }
}

/// A form with one operation changed is red, and the reason is the derivation, at the first name that differs.
#[test]
fn a_wrong_derivation_is_told_from_rounding() {
    let s = source(
        "mixer m(x: seq{d}; d = 3) -> y: seq{d} {\n u = sigmoid(x)\n v = u * x\n y = v + 1\n}",
    );
    let e = s.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    let subject = Subject::new(&e).unwrap_or_else(|e| panic!("{e}"));
    let mut derived: Vec<Derived> = subject.derive(&options().shapes);
    let d = (derived.iter_mut()).find(|d| d.form == "chunked" && d.part == Part::Forward);
    let d = d.expect("the program");
    let f = d.func.as_ref().expect("derived");
    d.func = Ok(doubled(f, |f, v| {
        matches!(f.op(v), Op::Map(MapFn::Sigmoid))
    }));
    let c = certify(&subject, derived, &options());
    for engine in ["interp", "clif"] {
        let why = row(&c, "chunked", engine, "forward").why.clone();
        let why = why.unwrap_or_else(|| panic!("no reason\n{c}"));
        assert!(
            why.contains("in f64") && why.contains("the first value that differs is `u`"),
            "{why}"
        );
    }
}

/// The program with a value doubled.
fn doubled(func: &Func, wanted: impl Fn(&Func, ValueId) -> bool) -> Func {
    let mut b = Builder::new(&func.name);
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    for id in func.ids() {
        let args: Vec<ValueId> = func.args(id).iter().map(|a| image[a]).collect();
        let v = match wanted(func, id) {
            true => {
                let v = b.push(func.op(id).clone(), &args).expect("a copy");
                let two = b.num(2.0);
                let v = b.mul(v, two).expect("a product");
                func.value(id)
                    .name
                    .iter()
                    .for_each(|n| b.name(v, n.as_str()));
                v
            }
            false => b.copy(func.value(id), &args).expect("a copy"),
        };
        image.insert(id, v);
    }
    for (n, v) in &func.results {
        b.result(n, image[v]);
    }
    b.finish()
}

#[test]
fn sound_mixers_are_not_red() {
    for body in [
        // Exactly 0.
        "y = sum[d](x) * x - x * sum[d](x)",
        // Gradients that are exactly 0.
        "y = exp(x) / exp(x) + 0 * x",
        "z = softmax[d](x)\n y = sum[d](z) * stop(x)",
        // A variance over groups that would shrink to two or one.
        "h = 8\n k = d / h\n z = x{d -> h k}\n c = z - mean[k](z)\n v = sum[k](c * c) / (k - 2)\n y = (c / sqrt(v)){h k -> d}",
    ] {
        let c = certified(&format!(
            "mixer m(x: seq{{d}}) -> y: seq{{d}} {{\n {body}\n}}"
        ));
        assert!(c.green(), "{c}");
    }
}

/// What is drawn stays in the range that the header declares: outside of it this mixer has no finite numbers.
#[test]
fn ranges_are_kept() {
    let body = "y = sqrt(1 - g) * log(h) * x";
    let c = certified(&format!(
        "mixer m(x: seq{{d}}, g: seq{{}} where g < 1, h: seq{{d}} where 0.5 <= h and h <= 3; d = 3) -> y: seq{{d}} {{\n {body}\n}}"
    ));
    assert!(c.green(), "{c}");
    assert!(c.notes.iter().all(|n| !n.contains("left out")), "{c}");
    let c = certified(&format!(
        "mixer m(x: seq{{d}}, g: seq{{}}, h: seq{{d}}; d = 3) -> y: seq{{d}} {{\n {body}\n}}"
    ));
    assert!(c.notes.iter().any(|n| n.contains("left out")), "{c}");
}

/// Whatever keeps an exact comparison from being made, but that something is not exact, is red.
#[test]
fn notes_say_what_is_not_exact_and_nothing_else() {
    let c = certified(
        "mixer m(x: seq{d}; d = 2) -> y: seq{d} {\n M[i,j] = exp(-2 * pi * 1i * i * j / len)\n y = re(sum[j](M[t,j] * x[j]))\n}",
    );
    assert!(c.green(), "{c}");
    assert!(c.notes.iter().all(|n| !n.contains("fit")), "{c}");
}
