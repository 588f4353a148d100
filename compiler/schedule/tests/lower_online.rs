//! One more position of a long convolution: a launch of the runtime, and a row written into the state of its inputs;
//! or plain sums where the operands lie otherwise.

mod lower_support;

use lower_support::check;
use seqc_abi::Launch;
use seqc_algebra::{Axis, Builder, Func, Init, InputKind, MapFn, Op, Ty, op::Num};
use seqc_schedule::lower::{Lowered, Options, lower};

/// A step of a convolution over channels `d` with the kernel `exp(-w lag)`; `own`: the kernel has the channels.
fn step(own: bool) -> Func {
    let (n, d) = (Axis::batch(), Axis::new("d", 3));
    let line = Axis::len("lag", "cache");
    let mut b = Builder::new("step");
    let init = Init::Const(Num(0.5));
    let kind = InputKind::Param { init, decay: false };
    let w = b.input("w", kind, Ty::real(if own { vec![d] } else { vec![] }));
    let x = b.input("x", InputKind::Data, Ty::real(vec![n, d]));
    let pos = b.input("pos", InputKind::Data, Ty::real(vec![]));
    let past = b.input("state.past", InputKind::State, Ty::real(vec![n, line, d]));
    let at = b.iota(line).expect("an axis");
    let slope = b.neg(w).expect("a number");
    let slope = b.mul(slope, at).expect("fits");
    let f = b.map1(MapFn::Exp, slope).expect("fits");
    let x = b.map1(MapFn::Tanh, x).expect("fits");
    let y = b.push(Op::Online(line), &[f, past, x, pos]).expect("fits");
    let here = b.map2(MapFn::Eq, at, pos).expect("fits");
    let kept = b.select(here, x, past).expect("fits");
    b.result("y", y);
    b.result("state.past", kept);
    b.finish()
}

fn launches(l: &Lowered) -> [usize; 2] {
    let of = |is: fn(&Launch) -> bool| l.plan.launches.iter().filter(|l| is(l)).count();
    [
        of(|l| matches!(l, Launch::Online(_))),
        of(|l| matches!(l, Launch::Append(_))),
    ]
}

#[test]
fn a_step_of_a_convolution() {
    for own in [true, false] {
        let lengths: [&[(&str, usize)]; 3] = [
            &[("batch", 2), ("cache", 7)],
            &[("batch", 1), ("cache", 5)],
            &[("batch", 3), ("cache", 9)],
        ];
        check(&step(own), &lengths);
    }
}

#[test]
fn it_is_a_launch_and_a_row() {
    let low = lower(&step(true), &Options::default()).expect("lowers");
    assert_eq!(launches(&low), [1, 1]);
    // The kernel is made of parameters alone.
    let hoisted = low.plan.clone().hoisted();
    assert!(hoisted.once > 0 && low.plan.once == 0);
    let rest = &hoisted.launches[hoisted.once..];
    assert!(rest.iter().any(|l| matches!(l, Launch::Online(_))));
    let text = seqc_schedule::print::plan::plan(&hoisted, &low.kernels);
    let (back, _) = seqc_schedule::parse::plan(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(back, hoisted, "{text}");
    // Channels that the kernel lacks are none of the launch's.
    let other = lower(&step(false), &Options::default()).expect("lowers");
    assert_eq!(launches(&other), [0, 1]);
}
