//! Properties of random programs: they verify, their listings read back equal, and dropping dead parts changes no
//! result. Also: what the verifier refuses, with its line, and listings that are refused without a panic.

#[path = "support/random.rs"]
mod random;

use proptest::prelude::*;
use seqc_algebra::*;
use std::collections::HashMap;

fn inputs(func: &Func, sizes: &HashMap<Sym, usize>) -> HashMap<String, Tensor> {
    let mut at = 0;
    let mut value = || {
        at += 1;
        f64::from(at * 37 % 23) / 11.5 - 0.97
    };
    let one = |p: &ValueId| {
        let ty = func.ty(*p);
        let shape: Vec<usize> = ty
            .axes
            .iter()
            .map(|a| interp::length(*a, sizes).unwrap())
            .collect();
        let n = shape.iter().product();
        let data = match ty.elem {
            Elem::Complex => Data::Complex((0..n).map(|_| C64::new(value(), value())).collect()),
            _ => Data::Real((0..n).map(|_| value()).collect()),
        };
        (
            func.input(*p).unwrap().name.to_string(),
            Tensor::new(ty.axes.clone(), shape, data).unwrap(),
        )
    };
    func.params.iter().map(one).collect()
}

fn near(a: &Tensor, b: &Tensor) -> bool {
    let b = b.ordered(&a.axes).unwrap();
    let close = |x: f64, y: f64| {
        (x - y).abs() <= 1e-9 * (1.0 + x.abs()) || x == y || (x.is_nan() && y.is_nan())
    };
    match (&a.data, &b.data) {
        (Data::Real(a), Data::Real(b)) => a.iter().zip(b).all(|(x, y)| close(*x, *y)),
        (Data::Complex(a), Data::Complex(b)) => a
            .iter()
            .zip(b)
            .all(|(x, y)| close(x.re, y.re) && close(x.im, y.im)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_survive_printing_and_pruning(seed in any::<u64>(), size in 1usize..25, t in 1usize..6) {
        let func = random::program(seed, size);
        if let Err(e) = verify(&func) {
            panic!("{e}\n{func}");
        }
        let text = func.to_string();
        prop_assert_eq!(parse(&text).map(|f| f.to_string()), Ok(text.clone()));
        prop_assert!(parse(&text).unwrap() == func);
        let lean = dce(&func).unwrap();
        if let Err(e) = verify(&lean) {
            panic!("{e}\n{func}\n{lean}");
        }
        let sizes: HashMap<Sym, usize> = [(Sym::new("batch"), 2), (Sym::new("t"), t)].into();
        let given = inputs(&func, &sizes);
        let (all, few) = (run(&func, &given, &sizes), run(&lean, &given, &sizes));
        let (all, few) = match (all, few) {
            (Ok(a), Ok(b)) => (a, b),
            (a, b) => panic!("{a:?} {b:?}\n{func}\n{lean}"),
        };
        for ((n, a), (_, b)) in all.iter().zip(&few) {
            prop_assert!(near(a, b), "{} differs\n{}\n{}", n, func, lean);
        }
    }

    /// Any damage to a listing gives an error or another program, never a panic; a program that reads is verified
    /// without one.
    #[test]
    fn damaged_listings_do_not_panic(seed in any::<u64>(), cut in any::<prop::sample::Index>(), with in "[%{}\\[\\]=;, a-z0-9\"-]{0,3}") {
        let text = random::program(seed, 8).to_string();
        let mut at = cut.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let broken = format!("{}{with}{}", &text[..at], &text[(at + 1).min(text.len())..]);
        if let Ok(func) = parse(&broken) {
            let _ = verify(&func);
            let _ = func.to_string();
        }
    }
}

/// Unused states, sequences and results leave a scan; an operand given twice becomes one.
#[test]
fn pruning_scans() {
    let text = "
func f(%0, %1, %2) {
  %0 {t} = data x
  %1 {} = data a
  %2 {} = data b
  %3 {} = const 0.0
  %4 {} = scan[t; states 2; seqs 0.0, 0.0, 0.0; fixed 2; outs emit 0, final 0, final 1, emit 1] %3, %3, %0, %0, %0, %1, %2 body(%0, %1, %2, %3, %4, %5, %6, %7) {
    %0 {} = formal p
    %1 {} = formal s
    %2 {} = formal r
    %3 {} = formal x
    %4 {} = formal y
    %5 {} = formal z
    %6 {} = formal a
    %7 {} = formal b
    %8 {} = mul %1, %6
    %9 {} = add %8, %3
    %10 {} = add %9, %4
    %11 {} = mul %7, %5
    %12 {} = add %2, %11
    return s = %10, r = %12, y = %10, w = %12
  }
  %5 {t} = proj[0] %4
  %6 {} = proj[2] %4
  return y = %5
}
";
    let func = parse(text).unwrap();
    verify(&func).unwrap();
    let lean = dce(&func).unwrap();
    verify(&lean).unwrap();
    let scan = lean.values.iter().find_map(|v| {
        if let Op::Scan(s) = &v.op {
            Some((s, v.args.len()))
        } else {
            None
        }
    });
    let (scan, args) = scan.unwrap();
    assert_eq!(
        (
            scan.states,
            scan.seqs.len(),
            scan.fixed,
            args,
            scan.outs.as_slice()
        ),
        (1, 1, 1, 3, [Out::Emit(0)].as_slice()),
        "{lean}"
    );
    assert_eq!(lean.params.len(), 3);
}

#[test]
fn listings_have_a_fixed_look() {
    let mut b = Builder::new("two words");
    let (n, h) = (Axis::batch(), Axis::new("h", 4));
    let x = b.input("x", InputKind::Data, Ty::real(vec![n, h]));
    let init = Init::Apply(
        MapFn::Log,
        vec![Init::Uniform {
            lo: Num(1.0),
            hi: Num(16.0),
        }],
    );
    let w = b.input(
        "a.0.w",
        InputKind::Param { init, decay: true },
        Ty::real(vec![h]),
    );
    let i = b.input(
        "i",
        InputKind::Data,
        Ty {
            elem: Elem::Int,
            axes: vec![Axis::len("i", "t")],
        },
    );
    let y = b.contract(&[h], &[x, w]).unwrap();
    b.name(y, "y'");
    let low = b.num(f64::NEG_INFINITY);
    let z = b.map2(MapFn::Max, y, low).unwrap();
    let z = b.rename(z, n, n.renamed("m")).unwrap();
    b.result("out", z);
    b.result("same", i);
    let func = b.finish();
    let want = "\
func \"two words\"(%0, %1, %2) {
  %0 {batch, h=4} = data x  // x
  %1 {h=4} = param a.0.w log(uniform(1.0, 16.0)) decay  // a.0.w
  %2 int {i=t} = data i  // i
  %3 {batch} = contract[h] %0, %1  // y'
  %4 {} = const -inf
  %5 {batch} = max %3, %4
  %6 {m=batch} = rename[batch -> m=batch] %5
  return out = %6, same = %2
}
";
    assert_eq!(func.to_string(), want);
    assert!(parse(want).unwrap() == func);
}

#[test]
fn sizes_that_follow_a_length_are_read_back() {
    let t = Axis::time();
    let along = Axis {
        size: t.size.times(3).unwrap(),
        ..t.renamed("r")
    };
    let mut b = Builder::new("f");
    let x = b.input("x", InputKind::Data, Ty::real(vec![along]));
    let y = b.input("y", InputKind::Data, Ty::real(vec![shape::tiles(along, 4)]));
    b.result("x", x);
    b.result("y", y);
    let func = b.finish();
    let text = func.to_string();
    assert!(
        text.contains("{r=t*3}") && text.contains("{r~4=t*3/4}"),
        "{text}"
    );
    assert!(parse(&text).unwrap() == func);
    // ceil(3 * 7 / 4), and no product that wraps around.
    let tiles = along.size.tiled(4);
    assert_eq!((tiles.at(7), tiles.at(usize::MAX)), (Some(6), None));
    assert_eq!(t.size.tiled(4).times(2), None);
    assert_eq!(along.size.times(2).and_then(|s| s.at(5)), Some(30));
    let none = "func f(%0) {\n  %0 {r=t*2/0} = data x\n  return y = %0\n}";
    assert!(parse(none).is_err() || verify(&parse(none).unwrap()).is_err());
}

#[test]
fn broken_programs_are_refused_at_their_line() {
    let cases = [
        (
            "func f(%0) {\n  %0 {a=2} = data x\n  %1 {a=3} = neg %0\n  return y = %1\n}",
            3,
            "type should be {a=2}",
        ),
        (
            "func f() {\n  %0 {a=2} = data x\n  return y = %0\n}",
            1,
            "parameters",
        ),
        (
            "func f(%0) {\n  %0 {a=2} = formal x\n  return y = %0\n}",
            2,
            "formal",
        ),
        (
            "func f(%0) {\n  %0 {a=2, a=3} = data x\n  return y = %0\n}",
            2,
            "twice",
        ),
        (
            "func f(%0) {\n  %0 {a=2} = data x\n  %1 {} = proj[0] %0\n  return y = %1\n}",
            3,
            "scan",
        ),
        (
            "func f(%0) {\n  %0 {a=2, b=3} = data x\n  %1 {a=2, b=3} = solve[a, b] %0, %0\n  return y = %1\n}",
            3,
            "size",
        ),
        (
            "func f(%0) {\n  %0 {a=2} = data x\n  return y = %0, y = %0\n}",
            1,
            "two results",
        ),
        (
            "func f(%0) {\n  %0 {t} = data x\n  %1 {} = scan[t; states 0; seqs 0.0; fixed 0; outs emit 0] %0 body(%0, %1) {\n    %0 {} = formal p\n    %1 {} = formal x\n    %2 {} = const 1.0\n    %3 {a=2} = add %1, %2\n    return y = %3\n  }\n  %2 {t} = proj[0] %1\n  return y = %2\n}",
            7,
            "type should be {}",
        ),
    ];
    for (text, line, message) in cases {
        let e = verify(&parse(text).unwrap()).unwrap_err();
        assert_eq!(e.line, line, "{e}\n{text}");
        assert!(e.message.contains(message), "{e}");
    }
    let e = parse("func f() {\n  %0 {} = const 1.0\n  %1 {} = nonsense %0\n  return y = %1\n}")
        .unwrap_err();
    assert_eq!((e.line, e.message.contains("nonsense")), (3, true), "{e}");
    assert!(parse("func f() {\n  %0 {} = neg %3\n  return\n}").is_err());
}
