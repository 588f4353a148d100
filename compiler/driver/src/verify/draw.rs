//! Numbers to run a mixer on: repeatable, exact in f32, of each kind that forms can stumble over.

use crate::engine::{Engine, Named, Sizes};
use crate::{Result, other};
use seqc_algebra::{
    Axis, Builder, Data, Elem, Func, Init, InputKind, Op, Size, Tensor, Ty, ValueId, interp,
};
use seqc_schedule::interp::{bf16, of_bf16};
use std::collections::HashMap;

/// A kind of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Draw {
    /// Inputs of unit size, parameters as they start (constants moved a little, so that no bias is 0).
    Plain,
    /// Inputs ten times as large: gates at 0 and at 1, attention to one token.
    Large,
    /// The same token at every position: equal keys.
    Equal,
    /// Constant parameters (biases) far up or down: gates that never open or never close, long decay.
    High,
    Low,
    /// Inputs of -1, 0 and 1, the last third of them 0 throughout: exact zeros, ties, padding.
    Zeros,
    /// Inputs a thousand times as large: gates that are shut in f64 too, and functions far beyond where they saturate. In f32
    /// what is on the way may be out of range.
    Shut,
    /// As plain, rounded to what bf16 holds.
    Narrow,
}

impl Draw {
    pub const STRESS: [Draw; 6] = [
        Draw::Large,
        Draw::Equal,
        Draw::High,
        Draw::Low,
        Draw::Zeros,
        Draw::Shut,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Draw::Plain => "plain",
            Draw::Large => "large inputs",
            Draw::Equal => "equal tokens",
            Draw::High => "biases at +20",
            Draw::Low => "biases at -20",
            Draw::Zeros => "zeros and ties",
            Draw::Shut => "saturated inputs",
            Draw::Narrow => "exact in bf16",
        }
    }

    /// Is it one for an engine? What f32 cannot hold on the way is held to the definition in f64 alone.
    pub fn suits(self, engine: Engine) -> bool {
        self != Draw::Shut || engine == Engine::Interp
    }
}

/// Repeatable uniform numbers in [-1, 1): SplitMix64 from a hash of a name.
pub struct Stream(u64);

impl Stream {
    pub fn new(name: &str) -> Stream {
        let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
        Stream(name.bytes().fold(0xcbf2_9ce4_8422_2325, hash))
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // 24 bits: the same number in f32.
        (z >> 40) as f64 / f64::from(1u32 << 23) - 1.0
    }

    /// Of variance 1.
    fn unit(&mut self) -> f64 {
        single(3f64.sqrt() * self.uniform())
    }
}

/// Rounded to f32.
fn single(x: f64) -> f64 {
    f64::from(x as f32)
}

/// The number of entries along each axis.
pub fn shape(axes: &[Axis], sizes: &Sizes) -> Result<Vec<usize>> {
    let all = axes.iter().map(|a| interp::length(*a, sizes));
    all.collect::<std::result::Result<_, _>>()
        .map_err(|e| other("a length", e))
}

/// A tensor of entries of variance 1.
pub fn unit(name: &str, axes: &[Axis], sizes: &Sizes) -> Result<Tensor> {
    let shape = shape(axes, sizes)?;
    let mut s = Stream::new(name);
    let data = (0..shape.iter().product()).map(|_| s.unit()).collect();
    Tensor::real(axes.to_vec(), shape, data).map_err(|e| other(name, e))
}

/// Every input and parameter of a program. `vocab` gives the number of indices of integer inputs.
pub fn inputs(
    func: &Func,
    vocab: &HashMap<String, usize>,
    sizes: &Sizes,
    draw: Draw,
) -> Result<Named> {
    let mut all = Named::new();
    for p in &func.params {
        let Some(input) = func.input(*p) else {
            continue;
        };
        let (name, ty) = (input.name.as_str(), func.ty(*p));
        let made = match &input.kind {
            InputKind::Data if ty.elem == Elem::Int => {
                let most = vocab.get(name).copied().unwrap_or(16);
                indices(name, ty, most, sizes)?
            }
            InputKind::Data => unit(name, &ty.axes, sizes)?,
            InputKind::Param { init, .. } => parameter(name, ty, init, sizes, draw)?,
            _ => continue,
        };
        let made = match (&input.kind, draw) {
            (InputKind::Data, Draw::Equal) => first_everywhere(&made)?,
            (InputKind::Data, Draw::Large) if ty.elem == Elem::Real => scaled(made, 10.0),
            (InputKind::Data, Draw::Shut) if ty.elem == Elem::Real => scaled(made, 1000.0),
            (InputKind::Data, Draw::Zeros) if ty.elem == Elem::Real => padded(made),
            _ => made,
        };
        all.insert(name.to_owned(), made);
    }
    Ok(all)
}

/// Numbers as bf16 holds them; indices and counts stay.
pub fn in_bf16(func: &Func, mut given: Named) -> Named {
    let whole = |name: &str| {
        let named = |p: &ValueId| func.input(*p).is_some_and(|i| i.name.as_str() == name);
        let input = func.params.iter().find(|p| named(p));
        input.is_some_and(|p| func.ty(*p).elem == Elem::Int)
    };
    let round = |x: &mut f64| *x = of_bf16(bf16(*x));
    for (_, t) in given.iter_mut().filter(|(n, _)| !whole(n)) {
        match &mut t.data {
            Data::Real(d) => d.iter_mut().for_each(round),
            Data::Complex(d) => d.iter_mut().for_each(|z| {
                round(&mut z.re);
                round(&mut z.im);
            }),
            Data::Exact(_) => {}
        }
    }
    given
}

fn indices(name: &str, ty: &Ty, most: usize, sizes: &Sizes) -> Result<Tensor> {
    let shape = shape(&ty.axes, sizes)?;
    let mut s = Stream::new(name);
    let n = shape.iter().product();
    let one = |_| (0.5 * (s.uniform() + 1.0) * most as f64).floor();
    let data = (0..n).map(one).collect();
    Tensor::real(ty.axes.clone(), shape, data).map_err(|e| other(name, e))
}

fn scaled(mut t: Tensor, by: f64) -> Tensor {
    if let seqc_algebra::Data::Real(d) = &mut t.data {
        d.iter_mut().for_each(|x| *x = single(*x * by));
    }
    t
}

/// Entries as whole numbers of size 1 at most; 0 in the last third of each run-time axis but the batch.
fn padded(mut t: Tensor) -> Tensor {
    let last = |a: &Axis, n: usize| match a.size {
        Size::Len(s) if s.as_str() != "batch" => n - n / 3,
        _ => n,
    };
    let kept: Vec<usize> = (t.axes.iter().zip(&t.shape))
        .map(|(a, n)| last(a, *n))
        .collect();
    let shape = t.shape.clone();
    if let seqc_algebra::Data::Real(d) = &mut t.data {
        for (at, x) in d.iter_mut().enumerate() {
            let mut rest = at;
            let inside = (shape.iter().zip(&kept)).rev().all(|(n, kept)| {
                let p = rest % n;
                rest /= n;
                p < *kept
            });
            *x = if inside {
                x.round().clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
    }
    t
}

/// Each position along run-time axes but the batch as the first one.
fn first_everywhere(t: &Tensor) -> Result<Tensor> {
    let mut out = t.clone();
    for a in &t.axes {
        if matches!(a.size, Size::Len(s) if s.as_str() != "batch") {
            let n = out.len_of(*a).map_err(|e| other("a tensor", e))?;
            let one = crate::timeline::at(&out, *a, 0).map_err(|e| other("a tensor", e))?;
            let all = crate::timeline::stack(&vec![one; n], *a);
            let all = all.map_err(|e| other("a tensor", e))?;
            let laid = all.ordered(&t.axes).map_err(|e| other("a tensor", e))?;
            out = laid.into_owned();
        }
    }
    Ok(out)
}

/// A parameter: as it starts; one that starts constant is moved by up to 0.1, or far, as the draw says.
fn parameter(name: &str, ty: &Ty, init: &Init, sizes: &Sizes, draw: Draw) -> Result<Tensor> {
    let mut t = start(name, ty, init, sizes)?;
    if let (Init::Const(_), seqc_algebra::Data::Real(d)) = (init, &mut t.data) {
        let mut s = Stream::new(&format!("shift.{name}"));
        let far = match draw {
            Draw::High => 20.0,
            Draw::Low => -20.0,
            _ => 0.0,
        };
        d.iter_mut().for_each(|x| *x += 0.1 * s.uniform() + far);
    }
    match &mut t.data {
        seqc_algebra::Data::Real(d) => d.iter_mut().for_each(|x| *x = single(*x)),
        seqc_algebra::Data::Complex(d) => d.iter_mut().for_each(|z| {
            z.re = single(z.re);
            z.im = single(z.im);
        }),
        seqc_algebra::Data::Exact(_) => {}
    }
    Ok(t)
}

/// The start as a program of its draws, run by the interpreter.
fn start(name: &str, ty: &Ty, init: &Init, sizes: &Sizes) -> Result<Tensor> {
    let mut b = Builder::new(name);
    let mut draws = Named::new();
    let v = formula(&mut b, name, ty, init, sizes, &mut draws)?;
    let failed = |e: seqc_algebra::ShapeError| other(name, e);
    let missing: Vec<Axis> = (ty.axes.iter().copied())
        .filter(|a| !b.axes(v).contains(a))
        .collect();
    let v = match missing.is_empty() {
        true => v,
        false => b.expand(v, &missing).map_err(failed)?,
    };
    b.result("start", v);
    let made = seqc_algebra::run(&b.finish(), &draws, sizes).map_err(|e| other(name, e))?;
    let (_, t) = made
        .into_iter()
        .next()
        .ok_or_else(|| other(name, "it has no start"))?;
    Ok(t.ordered(&ty.axes)
        .map_err(|e| other(name, e))?
        .into_owned())
}

fn formula(
    b: &mut Builder,
    name: &str,
    ty: &Ty,
    init: &Init,
    sizes: &Sizes,
    draws: &mut Named,
) -> Result<ValueId> {
    let own = format!("{name}#{}", draws.len());
    let mut drawn = |b: &mut Builder, f: &dyn Fn(f64) -> f64| -> Result<ValueId> {
        let t = unit(&own, &ty.axes, sizes)?;
        // From variance 1 back to [0, 1).
        let zero_one = |x: f64| (x / 3f64.sqrt() + 1.0) / 2.0;
        let data = t.as_real().unwrap_or_default();
        let data = data.iter().map(|x| f(zero_one(*x))).collect();
        let t = Tensor::real(t.axes.clone(), t.shape.clone(), data).map_err(|e| other(name, e))?;
        draws.insert(own.clone(), t);
        Ok(b.input(&own, InputKind::Data, Ty::real(ty.axes.clone())))
    };
    match init {
        Init::Const(x) => Ok(b.num(x.0)),
        Init::Normal { std } => drawn(b, &|u| std.0 * 3f64.sqrt() * (2.0 * u - 1.0)),
        Init::Uniform { lo, hi } => drawn(b, &|u| lo.0 + (hi.0 - lo.0) * u),
        Init::LogUniform { lo, hi } => drawn(b, &|u| lo.0 * (hi.0 / lo.0).powf(u)),
        Init::Coord(a) => b.iota(*a).map_err(|e| other(name, e)),
        Init::Apply(f, args) => {
            let mut values = vec![];
            for a in args {
                values.push(formula(b, name, ty, a, sizes, draws)?);
            }
            b.push(Op::Map(*f), &values).map_err(|e| other(name, e))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{MapFn, Num};

    #[test]
    fn starts_follow_their_formula() {
        let a = Axis::new("a", 50);
        let log = Init::Apply(
            MapFn::Exp,
            vec![Init::Uniform {
                lo: Num(1.0),
                hi: Num(2.0),
            }],
        );
        let t = start("p", &Ty::real(vec![a]), &log, &Sizes::new()).unwrap();
        let data = t.as_real().unwrap();
        let (lo, hi) = (1f64.exp(), 2f64.exp());
        assert!(data.iter().all(|x| (lo..hi).contains(x)));
        assert!(data.iter().any(|x| *x > 6.0) && data.iter().any(|x| *x < 4.0));
    }

    #[test]
    fn every_number_is_one_of_f32() {
        let mut b = Builder::new("p");
        let x = b.input(
            "x",
            InputKind::Data,
            Ty::real(vec![Axis::batch(), Axis::time()]),
        );
        b.result("y", x);
        let func = b.finish();
        let sizes: Sizes = [("batch", 2), ("t", 9)].map(|(n, k)| (n.into(), k)).into();
        for draw in [Draw::Plain, Draw::Large, Draw::Equal] {
            let all = inputs(&func, &HashMap::new(), &sizes, draw).unwrap();
            let data = all["x"].as_real().unwrap().to_vec();
            assert!(data.iter().all(|x| *x == f64::from(*x as f32)));
            let same = data[..9].iter().all(|x| *x == data[0]);
            assert_eq!(same, draw == Draw::Equal);
            assert_ne!(data[0], data[9]);
        }
        let zeros = inputs(&func, &HashMap::new(), &sizes, Draw::Zeros).unwrap();
        let data = zeros["x"].as_real().unwrap();
        for row in data.chunks(9) {
            assert!(row[6..].iter().all(|x| *x == 0.0), "padding: {row:?}");
            assert!(row[..6].iter().all(|x| [-1.0, 0.0, 1.0].contains(x)));
        }
        assert!(data.contains(&1.0) && data.contains(&-1.0));
    }
}
