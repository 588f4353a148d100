//! Sums over pairs of times, tiled, equal themselves.

mod support;

use seqc_algebra::*;
use seqc_derive::softmax::expand_softmax;
use seqc_derive::stream::{Tiles, stream_pairs};
use support::{Rng, Sizes, draw, run_named};

/// `y[i,…] = Σ_j softmax_j(Σ_k q[i,h,k] k[j,h,k]) v[j,h]`, summed over `also` in the same sum.
fn weighted(also: &[Axis]) -> Func {
    let (t, n, j) = (
        Axis::time(),
        Axis::batch(),
        Axis {
            name: Sym::new("j"),
            size: Axis::time().size,
        },
    );
    let (h, k) = (Axis::new("h", 2), Axis::new("k", 3));
    let types = [
        Ty::real(vec![n, t, h, k]),
        Ty::real(vec![n, j, h, k]),
        Ty::real(vec![n, j, h]),
    ];
    support::program(&types, |b, v| {
        let scores = b.contract(&[k], &[v[0], v[1]]).unwrap();
        let weights = b.push(Op::Softmax(j), &[scores]).unwrap();
        let over = [&[j], also].concat();
        b.contract(&over, &[weights, v[2]]).unwrap()
    })
}

/// Heads that are summed together with the times have normalisers of their own.
#[test]
fn softmaxes_summed_with_their_heads() {
    for also in [&[][..], &[Axis::new("h", 2)]] {
        let func = weighted(also);
        let tiles = Tiles {
            kept: 3,
            streamed: 2,
        };
        let tiled = stream_pairs(&expand_softmax(&func).unwrap(), tiles).unwrap();
        support::well_formed(&tiled);
        let long = |v: &Value| v.ty.axes.iter().filter(|a| !a.is_const()).count();
        assert!(tiled.values.iter().all(|v| long(v) <= 2), "{tiled}");
        for t in [1, 2, 3, 7] {
            let sizes: Sizes = [(Sym::new("batch"), 2), (Sym::new("t"), t)].into();
            let given = draw(&func, &sizes, &mut Rng(3));
            let (a, b) = (
                run_named(&func, &given, &sizes),
                run_named(&tiled, &given, &sizes),
            );
            let b = b["y"].ordered(&a["y"].axes).unwrap();
            let pairs = a["y"].as_real().unwrap().iter().zip(b.as_real().unwrap());
            assert!(
                pairs.into_iter().all(|(x, y)| (x - y).abs() < 1e-12),
                "T={t}"
            );
        }
    }
}
