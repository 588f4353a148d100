//! The reference itself: the definition's gradient at a small length against forward mode and against difference
//! quotients.

use super::certificate::{Row, Worst};
use super::draw::{self, Draw};
use super::measure;
use super::subject::{Part, Subject};
use crate::engine::{Named, Sizes};
use crate::{Result, other};
use seqc_algebra::{Data, Func, MapFn, Op, Tensor, run};

const SMALL: usize = 5;
/// Distances of neighbouring points of a difference quotient, for inputs of unit size.
const STEPS: [f64; 6] = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
/// What a gradient counts as at least, beside the outputs that it is of.
const LEAST: f64 = 1e-6;
/// A quotient as close to a slope as this is close enough.
const CLOSE: f64 = 1e-9;

/// The reference gradient at a small length against differences and forward mode.
pub fn rows(subject: &Subject, notes: &mut Vec<String>) -> Vec<Row> {
    let mut dual = Row::new("definition", "dual", Part::Gradient);
    let mut differences = Row::new("definition", "differ.", Part::Gradient);
    let sizes = subject.sizes(SMALL, 2);
    if subject.wrt.is_empty() || !subject.allows(&sizes) {
        return vec![];
    }
    let point = match Point::new(subject, sizes) {
        Ok(p) => p,
        Err(e) => {
            dual.fail(e);
            return vec![dual];
        }
    };
    match point.dual() {
        Ok(w) => dual.add(w),
        Err(e) => dual.fail(e),
    }
    if stops(&subject.definition) {
        notes.push("the definition stops gradients: no difference quotients".into());
        return vec![dual];
    }
    for name in &subject.wrt {
        match point.difference(name) {
            Ok(w) => differences.add(w),
            Err(e) => differences.fail(e),
        }
    }
    vec![dual, differences]
}

/// Is some derivative other than that of the values?
pub fn stops(func: &Func) -> bool {
    func.values.iter().any(|v| match &v.op {
        Op::Map(MapFn::Stop) => true,
        Op::Scan(s) => stops(&s.body),
        _ => false,
    })
}

/// The gradient at one point, and a direction to look along.
struct Point<'a> {
    subject: &'a Subject,
    sizes: Sizes,
    given: Named,
    gradient: Named,
    direction: Named,
}

/// `Re ⟨a, b⟩`
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    let b = b.ordered(&a.axes).map_err(|e| other("a product", e))?;
    Ok(match (&a.data, &b.data) {
        (Data::Real(a), Data::Real(b)) => a.iter().zip(b).map(|(x, y)| x * y).sum(),
        (Data::Complex(a), Data::Complex(b)) => a
            .iter()
            .zip(b)
            .map(|(x, y)| x.re * y.re + x.im * y.im)
            .sum(),
        _ => return Err(other("a product", "of a real and a complex tensor")),
    })
}

impl Point<'_> {
    fn new(subject: &Subject, sizes: Sizes) -> Result<Point<'_>> {
        let given = subject.given(&sizes, Draw::Plain)?;
        let gradient = run(&subject.gradient()?, &given, &sizes);
        let gradient = gradient.map_err(|e| other(&subject.name, e))?;
        let mut direction = Named::new();
        for name in &subject.wrt {
            let like = &given[name];
            let mut t = draw::unit(&format!("direction.{name}"), &like.axes, &sizes)?;
            if like.is_complex() {
                t = t.to_complex().into_owned();
            }
            direction.insert(name.clone(), t);
        }
        Ok(Point {
            subject,
            sizes,
            given,
            gradient: gradient.into_iter().collect(),
            direction,
        })
    }

    /// The sizes of the outputs, as a sum of the cotangents weighs them.
    fn outputs(&self) -> f64 {
        let one = |out: &String| {
            let (y, cotangent) = (
                self.gradient.get(out)?,
                self.given.get(&format!("cotangent.{out}"))?,
            );
            dot(&sizes(cotangent), &sizes(y)).ok()
        };
        self.subject.outs.iter().filter_map(one).sum()
    }

    fn slope(&self, name: &str) -> Result<f64> {
        dot(
            &self.gradient[&format!("grad.{name}")],
            &self.direction[name],
        )
    }

    /// The error of a slope along a direction of unit size, beside the gradient's norm.
    fn worst(&self, tensor: &str, error: f64, norm: f64, bound: f64) -> Worst {
        let largest = (self.gradient.iter())
            .filter(|(n, _)| n.starts_with("grad."))
            .map(|(_, t)| dot(t, t).unwrap_or(0.0).sqrt())
            .fold(0.0, f64::max);
        let beside = if norm < 1e-10 * largest {
            largest
        } else {
            norm
        };
        // What does not depend on its inputs has a gradient of rounding noise.
        let beside = beside.max(LEAST * self.outputs());
        Worst {
            error: if error == 0.0 {
                0.0
            } else {
                error.abs() / beside
            },
            bound,
            tensor: tensor.into(),
            length: SMALL,
            batch: 2,
            inputs: Draw::Plain.name().into(),
        }
    }

    /// `⟨cotangent, J v⟩ = ⟨Jᵀ cotangent, v⟩`.
    fn dual(&self) -> Result<Worst> {
        let mut given = self.given.clone();
        for (name, v) in &self.direction {
            given.insert(format!("tangent.{name}"), v.clone());
        }
        let made = run(&self.subject.tangent()?, &given, &self.sizes);
        let made: Named = made
            .map_err(|e| other("forward mode", e))?
            .into_iter()
            .collect();
        let (mut forward, mut reverse, mut norm) = (0.0, 0.0, 0.0);
        for out in &self.subject.outs {
            forward += dot(
                &self.given[&format!("cotangent.{out}")],
                &made[&format!("tangent.{out}")],
            )?;
        }
        for name in &self.subject.wrt {
            let g = &self.gradient[&format!("grad.{name}")];
            reverse += self.slope(name)?;
            norm += dot(g, g)?;
        }
        Ok(self.worst("all gradients", forward - reverse, norm.sqrt(), 1e-9))
    }

    /// The sum over all outputs of what `of` makes of two runs.
    fn weighted(
        &self,
        of: impl Fn(&str, &Named, &Named) -> Result<f64>,
        a: &Named,
        b: &Named,
    ) -> Result<f64> {
        self.subject.outs.iter().map(|out| of(out, a, b)).sum()
    }

    /// The slope along one input's direction against a difference quotient of fourth order.
    fn difference(&self, name: &str) -> Result<Worst> {
        let at = |h: f64| -> Result<Named> {
            let mut given = self.given.clone();
            given.insert(
                name.into(),
                along(&self.given[name], h, &self.direction[name])?,
            );
            let made = run(&self.subject.definition, &given, &self.sizes);
            let made = made.map_err(|e| other("the definition", e))?;
            Ok(made.into_iter().collect())
        };
        // Entry by entry first: what does not depend on the input takes part with nothing, not with its rounding.
        let between = |h: f64| {
            self.weighted(
                |name, high, low| {
                    let apart = along(&high[name], -1.0, &low[name])?;
                    dot(&self.given[&format!("cotangent.{name}")], &apart)
                },
                &at(h)?,
                &at(-h)?,
            )
        };
        // The last bits of the outputs, as a sum of the cotangents weighs them.
        let rounding = f64::EPSILON
            * self.weighted(
                |name, y, _| {
                    let cotangent = &self.given[&format!("cotangent.{name}")];
                    dot(&sizes(cotangent), &sizes(&y[name]))
                },
                &at(0.0)?,
                &Named::new(),
            )?;
        // Beside the input's own size: a norm bends at the size of what it divides.
        let size = match measure::size(&self.given[name]) {
            0.0 => 1.0,
            size => size.min(1.0),
        };
        let least = off(self.slope(name)?, size, rounding, between)?;
        let g = &self.gradient[&format!("grad.{name}")];
        let norm = dot(g, g)?.sqrt();
        Ok(self.worst(&format!("grad.{name}"), least, norm, 1e-6))
    }
}

/// The sizes of a tensor's entries.
pub fn sizes(x: &Tensor) -> Tensor {
    let data = match &x.data {
        Data::Real(d) => d.iter().map(|x| x.abs()).collect(),
        Data::Complex(d) => d.iter().map(|z| z.abs()).collect(),
        Data::Exact(d) => vec![f64::NAN; d.len()],
    };
    Tensor {
        data: Data::Real(data),
        ..x.clone()
    }
}

/// How far a slope is off a difference quotient of fourth order, whose argument is of this size; `between(h)` is the
/// difference over `2 h`, `rounding` what it cannot see. Too long a step meets the next derivatives, too short a one f64's
/// rounding, and where a clamp or a threshold is near, only a short one does not cross it: the best of them is the
/// quotient's own accuracy.
pub fn off(
    slope: f64,
    size: f64,
    rounding: f64,
    between: impl Fn(f64) -> Result<f64>,
) -> Result<f64> {
    let (mut least, mut unseen) = (f64::INFINITY, 0.0);
    for step in STEPS.map(|s| s * size) {
        let quotient = (8.0 * between(step)? - between(2.0 * step)?) / (12.0 * step);
        let off = (quotient - slope).abs();
        if off < least || off.is_nan() {
            least = off;
            // 8 + 8 + 1 + 1 roundings: less than that, the quotient cannot see.
            unseen = 18.0 * rounding / (12.0 * step);
        }
        if least <= CLOSE * slope.abs() {
            break;
        }
    }
    Ok(if least.is_nan() {
        least
    } else {
        (least - unseen).max(0.0)
    })
}

/// `x + h v`
pub fn along(x: &Tensor, h: f64, v: &Tensor) -> Result<Tensor> {
    let v = v.ordered(&x.axes).map_err(|e| other("a direction", e))?;
    let data = match (&x.data, &v.data) {
        (Data::Real(x), Data::Real(v)) => {
            Data::Real(x.iter().zip(v).map(|(x, v)| x + h * v).collect())
        }
        (Data::Complex(x), Data::Complex(v)) => {
            Data::Complex(x.iter().zip(v).map(|(x, v)| *x + v.scale(h)).collect())
        }
        _ => return Err(other("a direction", "a real and a complex tensor")),
    };
    Tensor::new(x.axes.clone(), x.shape.clone(), data).map_err(|e| other("a direction", e))
}
