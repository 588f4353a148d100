//! Simplification is checked against a plain evaluator on random indices.

use super::*;

const I: Var = Var(0);
const J: Var = Var(1);

fn dim(n: u32) -> Ix {
    Ix::Dim(n)
}

fn eval(ix: &Ix, vars: &[i64], dims: &[i64]) -> i64 {
    let e = |i: &Ix| eval(i, vars, dims);
    match ix {
        Ix::Const(n) => *n,
        Ix::Var(v) => vars[v.0 as usize],
        Ix::Dim(d) => dims[*d as usize],
        Ix::Add(a, b) => e(a) + e(b),
        Ix::Sub(a, b) => e(a) - e(b),
        Ix::Mul(a, b) => e(a) * e(b),
        Ix::Div(a, b) => e(a).div_euclid(e(b)),
        Ix::Rem(a, b) => e(a).rem_euclid(e(b)),
        Ix::Min(a, b) => e(a).min(e(b)),
        Ix::Max(a, b) => e(a).max(e(b)),
        Ix::Data(_) => 0,
    }
}

#[test]
fn strides() {
    let at = (I * dim(0) + J) * 64 + 3;
    assert_eq!(at.stride(J), Some(64));
    assert_eq!(at.stride(I), None);
    assert_eq!(at.stride(Var(9)), Some(0));
    assert_eq!((J + 1 - J).stride(J), Some(0));
    assert_eq!((I * 8 + J).floor_div(8).stride(I), Some(1));
    assert_eq!((I * 8 + J).floor_rem(8).stride(I), Some(0));
    assert_eq!((I * 8 + J).floor_rem(8).stride(J), None);
    assert_eq!((Ix::from(7) - I).stride(I), Some(-1));
}

#[test]
fn like_terms_are_collected() {
    assert_eq!(((I + 4) * 2 - I - 8).simplify(), Ix::from(I));
    assert_eq!((I + dim(0) - I).simplify(), dim(0));
    assert_eq!((I * 0 + 5).simplify(), Ix::Const(5));
    assert_eq!((Ix::from(3) - I - 3).simplify(), I * -1);
    assert_eq!((I * 4 + 3).floor_div(2).simplify(), I * 2 + 1);
    assert_eq!((I - 2).simplify(), I - 2);
    assert_eq!((I * -1 - 2).known(), None);
}

#[test]
fn ranges_are_tight_on_tiles() {
    let of = |ix: &Ix| match ix {
        Ix::Var(I) => Some((0, 3)),
        Ix::Var(J) => Some((2, 15)),
        _ => None,
    };
    assert_eq!((I * 16 + J).range(&of), Some((2, 63)));
    assert_eq!((I - J).range(&of), Some((-15, 1)));
    assert_eq!((I + dim(0)).range(&of), None);
    assert_eq!(Ix::from(J).floor_div(4).range(&of), Some((0, 3)));
    assert_eq!(Ix::from(I).floor_rem(8).range(&of), Some((0, 3)));
    assert_eq!(Ix::from(J).floor_rem(8).range(&of), Some((0, 7)));
}

fn random(rng: &mut u64, depth: u32) -> Ix {
    let mut next = |n: u64| {
        *rng = rng
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (*rng >> 33) % n
    };
    let pick = next(if depth == 0 { 3 } else { 10 });
    let n = next(9) as i64 - 3;
    let (v, d) = (Var(next(2) as u32), next(2) as u32);
    let mut sub = || Box::new(random(rng, depth - 1));
    match pick {
        0 => Ix::Const(n),
        1 => Ix::Var(v),
        2 => Ix::Dim(d),
        3 | 4 => Ix::Add(sub(), sub()),
        5 => Ix::Sub(sub(), sub()),
        6 => Ix::Mul(sub(), sub()),
        7 => Ix::Div(sub(), Box::new(Ix::Const(n + 4))),
        8 => Ix::Rem(sub(), Box::new(Ix::Const(n + 4))),
        _ => Ix::Min(sub(), sub()),
    }
}

#[test]
fn simplification_keeps_the_value() {
    let mut rng = 7;
    for _ in 0..4000 {
        let ix = random(&mut rng, 4);
        let simple = ix.simplify();
        for (vars, dims) in [([0, 0], [1, 1]), ([3, -2], [5, 7]), ([11, 4], [2, 9])] {
            assert_eq!(
                eval(&ix, &vars, &dims),
                eval(&simple, &vars, &dims),
                "{ix:?} became {simple:?}"
            );
        }
        if let Some(s) = ix.stride(I) {
            let step = eval(&ix, &[6, 2], &[3, 4]) - eval(&ix, &[5, 2], &[3, 4]);
            assert_eq!(step, s, "{ix:?}");
        }
    }
}
