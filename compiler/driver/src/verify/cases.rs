//! The reference: the definition run by the f64 interpreter, case by case, and its gradient held to central
//! differences and to forward mode.

use super::Options;
use super::certificate::{Row, Worst};
use super::draw::{self, Draw};
use super::lengths;
use super::measure::{self, Movement};
use super::subject::{Part, Subject};
use crate::engine::{Named, Sizes};
use crate::{Result, other};
use seqc_algebra::{Axis, Data, Func, MapFn, Op, Tensor, run};
use std::rc::Rc;

/// One input of all forms, and what the definition makes of it.
pub struct Case {
    pub sizes: Sizes,
    pub length: usize,
    pub batch: usize,
    pub draw: Draw,
    pub given: Named,
    pub want: Named,
    /// Sizes of the largest output and the largest gradient.
    largest: [f64; 2],
    /// The definition as all forms compute it.
    weighed: Rc<Func>,
    /// How far the reference moves if each of its operations is rounded once to f32.
    moved: Movement,
}

impl Case {
    fn largest(&self, name: &str) -> f64 {
        self.largest[usize::from(name.starts_with("grad."))]
    }

    /// Compares one result with the reference. Where cancellation makes a result ill conditioned, what rounding does
    /// to the definition is more than the bound. Then a multiple of that is allowed
    /// ([`measure::allowed`]).
    pub fn compare(
        &self,
        name: &str,
        got: &Tensor,
        engine: crate::engine::Engine,
    ) -> Result<Worst> {
        let want = self.want.get(name);
        let want = want.ok_or_else(|| other(name, "the definition has no such result"))?;
        let error = measure::error(got, want, self.largest(name))?;
        let measured = || {
            let largest = |n: &str| self.largest(n);
            measure::moved(&self.weighed, &self.given, &self.sizes, &self.want, largest)
        };
        Ok(Worst {
            error,
            bound: (self.moved).allowed((engine, self.length), (name, error), measured)?,
            tensor: name.to_owned(),
            length: self.length,
            batch: self.batch,
            inputs: self.draw.name().to_owned(),
        })
    }
}

/// The cases that the definition has finite values for; why others were left out goes to `notes`.
pub fn cases(subject: &Subject, options: &Options, notes: &mut Vec<String>) -> Result<Vec<Case>> {
    let reference = subject.gradient()?;
    let weighed = Rc::new(subject.weighed()?);
    let mut plan: Vec<(usize, Draw)> = lengths::lengths(&options.shapes, options.extent)
        .into_iter()
        .map(|t| (t, Draw::Plain))
        .collect();
    for draw in Draw::STRESS {
        let few = lengths::few(&options.shapes, options.extent);
        plan.extend(few.into_iter().map(|t| (t, draw)));
    }
    let (mut all, mut beyond, mut undefined) = (vec![], vec![], vec![]);
    for (t, draw) in plan {
        let sizes = subject.sizes(t, lengths::batch(t));
        if !subject.allows(&sizes) {
            beyond.push(t);
            continue;
        }
        match case(subject, (&reference, &weighed), t, sizes, draw)? {
            Some(c) => all.push(c),
            None => undefined.push(format!("T={t} ({})", draw.name())),
        }
    }
    if !beyond.is_empty() {
        beyond.dedup();
        notes.push(format!(
            "lengths beyond what the mixer has meaning for: {beyond:?}"
        ));
    }
    if !undefined.is_empty() {
        notes.push(format!(
            "left out, since the definition itself gives no finite numbers: {}",
            undefined.join(", ")
        ));
    }
    Ok(all)
}

fn case(
    subject: &Subject,
    (reference, weighed): (&Func, &Rc<Func>),
    length: usize,
    sizes: Sizes,
    draw: Draw,
) -> Result<Option<Case>> {
    let given = subject.given(&sizes, draw)?;
    let want = run(reference, &given, &sizes).map_err(|e| other(&subject.name, e))?;
    let want: Named = want.into_iter().collect();
    if !want.values().all(measure::finite) {
        return Ok(None);
    }
    let largest = |grad: bool| {
        (want.iter())
            .filter(|(n, _)| n.starts_with("grad.") == grad)
            .map(|(_, t)| measure::size(t))
            .fold(0.0, f64::max)
    };
    Ok(Some(Case {
        batch: sizes[&Axis::batch().name],
        length,
        draw,
        largest: [largest(false), largest(true)],
        weighed: weighed.clone(),
        moved: Movement::default(),
        given,
        want,
        sizes,
    }))
}

const SMALL: usize = 5;
/// Distances of neighbouring points of a difference quotient, for inputs of unit size.
const STEPS: [f64; 4] = [1e-3, 1e-4, 1e-5, 1e-6];

/// The reference gradient at a small length against differences and forward mode.
pub fn reference_rows(subject: &Subject, notes: &mut Vec<String>) -> Vec<Row> {
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

    /// The slope along one input's direction against a difference quotient of fourth order.
    fn difference(&self, name: &str) -> Result<Worst> {
        let at = |h: f64| -> Result<f64> {
            let mut given = self.given.clone();
            given.insert(
                name.into(),
                along(&self.given[name], h, &self.direction[name])?,
            );
            let made = run(&self.subject.definition, &given, &self.sizes);
            let made = made.map_err(|e| other("the definition", e))?;
            let mut sum = 0.0;
            for (out, y) in &made {
                sum += dot(&self.given[&format!("cotangent.{out}")], y)?;
            }
            Ok(sum)
        };
        // Beside the input's own size: a norm bends at the size of what it divides.
        let size = match measure::size(&self.given[name]) {
            0.0 => 1.0,
            size => size.min(1.0),
        };
        let least = off(self.slope(name)?, size, at)?;
        let g = &self.gradient[&format!("grad.{name}")];
        let norm = dot(g, g)?.sqrt();
        Ok(self.worst(&format!("grad.{name}"), least, norm, 1e-6))
    }
}

/// How far a slope is off a difference quotient of fourth order of `at`, whose argument is of this size. Too long a
/// step meets the next derivatives, too short a one f64's rounding: the best of them is the quotient's own accuracy.
pub fn off(slope: f64, size: f64, at: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for step in STEPS.map(|s| s * size) {
        let near = at(step)? - at(-step)?;
        let far = at(2.0 * step)? - at(-2.0 * step)?;
        let off = (8.0 * near - far) / (12.0 * step) - slope;
        if off.abs() < least.abs() || off.is_nan() {
            least = off;
        }
    }
    Ok(least)
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
