//! What nothing uses is left out of scans: outputs, inputs, and states that no output ever depends on.

mod support;

use seqc_algebra::*;
use seqc_derive::prune::prune;
use support::{Rng, Sizes, draw, run_named};

/// Three states: `a` is given out, `b` feeds it, `c` is fed by both and by a sequence of its own.
fn program() -> Func {
    let t = Axis::time();
    let (one, all) = (Ty::real(vec![]), Ty::real(vec![t]));
    let mut body = Builder::new("body");
    let formal = |b: &mut Builder, name: &str| b.input(name, InputKind::Formal, Ty::real(vec![]));
    formal(&mut body, "pos");
    let states = ["a", "b", "c"].map(|n| formal(&mut body, n));
    let [x, z] = ["x", "z"].map(|n| formal(&mut body, n));
    let a = body.add2(states[0], states[1]).unwrap();
    let b = body.mul(states[1], x).unwrap();
    let both = body.mul(a, states[2]).unwrap();
    let c = body.add2(both, z).unwrap();
    for (name, v) in [("a", a), ("b", b), ("c", c), ("a", a), ("c", c)] {
        body.result(name, v);
    }
    let outs = vec![Out::Emit(0), Out::Emit(1), Out::Enter(2)];
    let scan = Scan::steps(t, 3, &[0.0, 0.0], 0, body.finish(), outs);
    support::program(
        &[one.clone(), one.clone(), one, all.clone(), all],
        |b, v| b.scan(scan.clone(), v).unwrap()[0],
    )
}

#[test]
fn states_that_no_output_depends_on() {
    let func = program();
    let after = prune(&func).unwrap();
    support::well_formed(&after);
    let scans = after.values.iter().filter_map(|v| match &v.op {
        Op::Scan(s) => Some((s.states, s.seqs.len(), s.outs.len())),
        _ => None,
    });
    assert_eq!(scans.collect::<Vec<_>>(), [(2, 1, 1)]);
    let sizes: Sizes = [(Sym::new("t"), 5)].into();
    let given = draw(&func, &sizes, &mut Rng(3));
    let (was, is) = (
        run_named(&func, &given, &sizes),
        run_named(&after, &given, &sizes),
    );
    assert_eq!(was["y"].as_real(), is["y"].as_real());
}
