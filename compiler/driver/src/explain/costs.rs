//! The forms of a mixer, derived and counted.

use super::{AtLength, Crossover, FormCost, Generation};
use crate::passes::{Form, Shapes, forward, generation_step};
use seqc_algebra::{Func, InputKind, Size};
use seqc_derive::cost::{Cost, bytes_of, cost, step_operations};
use seqc_derive::poly::Poly;
use seqc_derive::report::{Equation, Kind};
use seqc_derive::step::cache;
use seqc_hir::Elaborated;

/// The lengths at which formulas are evaluated.
const LENGTHS: [u64; 3] = [256, 2048, 65536];
/// Crossovers are looked for up to this length.
const LONGEST: u64 = 1 << 24;

pub struct Costs {
    pub forms: Vec<FormCost>,
    pub crossovers: Vec<Crossover>,
    pub generation: std::result::Result<Generation, String>,
    pub warnings: Vec<String>,
}

pub fn costs(e: &Elaborated, func: &Func, found: &[Equation], shapes: &Shapes) -> Costs {
    let mut counted: Vec<(&'static str, Cost)> = Vec::new();
    let mut warnings = Vec::new();
    for (name, form) in forms(found) {
        let f = match forward(func, form, shapes, &mut vec![]) {
            Ok(f) => f,
            Err(why) => {
                warnings.push(format!("the {name} form could not be derived: {why}"));
                continue;
            }
        };
        if form == Form::Chunked {
            warnings.extend(square_values(&f));
        }
        counted.push((name, cost(&f)));
    }
    let refused = e.outputs.iter().find_map(|o| e.require_causal(o).err());
    let generation = match refused {
        Some(d) => Err(d.message),
        None => generation_step(func, shapes, &mut vec![])
            .map(|step| generation(&step))
            .map_err(|why| why.to_string()),
    };
    Costs {
        crossovers: crossovers(&counted),
        forms: counted.iter().map(|(n, c)| form_cost(n, c)).collect(),
        generation,
        warnings,
    }
}

/// The forms that a mixer with these equations has. Without any, its only form is parallel in time.
fn forms(found: &[Equation]) -> Vec<(&'static str, Form)> {
    let has = |kind: Kind, form: &str| {
        found
            .iter()
            .any(|q| q.kind == kind && q.forms.contains(&form))
    };
    let mut all = Vec::new();
    if has(Kind::Matrix, "matrix") || has(Kind::Kernel, "matrix") {
        all.push(("matrix", Form::Matrix));
    }
    // The last one is the training form.
    let convolved = found.iter().any(|q| q.convolved);
    if has(Kind::Recurrence, "convolution") && !convolved {
        all.push(("convolution", Form::Convolution));
    }
    let kinds = [Kind::Recurrence, Kind::Kernel, Kind::Matrix];
    if kinds.into_iter().any(|k| has(k, "recurrent")) {
        all.push(("recurrent", Form::Recurrent));
    }
    if convolved {
        all.push(("convolution", Form::Chunked));
    } else if found.iter().any(|q| q.forms.contains(&"chunked")) {
        all.push(("chunked", Form::Chunked));
    }
    if all.is_empty() {
        all.push(("parallel", Form::Recurrent));
    }
    all
}

/// Values of the derived program that hold a pair of times.
pub fn square_values(f: &Func) -> Vec<String> {
    let live = f.live();
    let long = |s: &Size| s.constant().is_none() && *s != seqc_algebra::Axis::batch().size;
    let mut bytes = Poly::default();
    for id in f.ids().filter(|id| live[id.index()]) {
        let ty = f.ty(id);
        if ty.axes.iter().filter(|a| long(&a.size)).count() >= 2
            && !matches!(f.op(id), seqc_algebra::Op::Scan(_))
        {
            let mine = bytes_of(ty);
            if mine.at(|_| 1e4) > bytes.at(|_| 1e4) {
                bytes = mine;
            }
        }
    }
    if bytes.is_zero() {
        return vec![];
    }
    vec![format!(
        "the chunked form keeps values over pairs of times: up to {bytes} bytes for one sequence"
    )]
}

fn form_cost(form: &'static str, c: &Cost) -> FormCost {
    let flops = c.flops();
    let at = LENGTHS.map(|length| {
        let (f, b) = (flops.at(|_| length as f64), c.bytes.at(|_| length as f64));
        AtLength {
            length,
            flops: f,
            bytes: b,
            intensity: if b > 0.0 { f / b } else { 0.0 },
        }
    });
    FormCost {
        form,
        products: c.products.to_string(),
        pointwise: c.pointwise.to_string(),
        flops: flops.to_string(),
        bytes: c.bytes.to_string(),
        at: at.to_vec(),
    }
}

/// Where the order of two forms by operations changes as the length grows.
fn crossovers(counted: &[(&'static str, Cost)]) -> Vec<Crossover> {
    let mut all = Vec::new();
    for (k, (a, x)) in counted.iter().enumerate() {
        for (b, y) in &counted[k + 1..] {
            let difference = x.flops().plus(&y.flops().scaled(-1.0));
            let at = |t: u64| difference.at(|_| t as f64);
            let Some(from) = last_change(&at) else {
                continue;
            };
            let (less, more) = if at(LONGEST) > 0.0 { (b, a) } else { (a, b) };
            all.push(Crossover { less, more, from });
        }
    }
    all
}

/// The first length of the sign that a function has at long lengths, if shorter ones have the other.
fn last_change(f: &dyn Fn(u64) -> f64) -> Option<u64> {
    let end = f(LONGEST) > 0.0;
    let mut high = LONGEST;
    while high > 1 && (f(high / 2) > 0.0) == end {
        high /= 2;
    }
    if high <= 1 {
        return None;
    }
    let (mut low, mut high) = (high / 2, high);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if (f(middle) > 0.0) == end {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

fn generation(step: &Func) -> Generation {
    let mut state = Poly::default();
    for p in &step.params {
        if matches!(step.input(*p).map(|i| &i.kind), Some(InputKind::State)) {
            state.add(&bytes_of(step.ty(*p)));
        }
    }
    let (flops, once) = step_operations(step);
    Generation {
        flops: flops.to_string(),
        flops_once: once.to_string(),
        bytes_per_token: state.slope(cache()),
        state_bytes: state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossover_is_the_first_length_at_which_the_order_is_the_final_one() {
        // 2 T^2 against 100 T + 600: 2·55² = 6050 < 6100, 2·56² = 6272 > 6200.
        let f = |t: u64| 2.0 * (t * t) as f64 - 100.0 * t as f64 - 600.0;
        assert_eq!(last_change(&f), Some(56));
        assert_eq!(last_change(&|_| 1.0), None);
    }
}
