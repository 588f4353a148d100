//! Recurrences: the transition, the factor that makes it so, and what keeps the chunked form away.

use super::{Class, Equation, Kind, Missing, Reason, equation_of, set};
use crate::affine::NotAffine;
use crate::class::{Gate, Linear, Product, Transition, classify};
use crate::linear::jointly_affine;
use crate::order::depends_on;
use crate::words::{axis, expression, written};
use crate::{affine::How, chunk, impulse, routed};
use seqc_algebra::{Axis, Elem, Func, Scan, ValueId};

pub fn equation(func: &Func, id: ValueId, scan: &Scan) -> Equation {
    let body = &scan.body;
    let mut names: Vec<String> = body.results[..scan.states]
        .iter()
        .map(|(n, _)| without_delay(n).to_owned())
        .collect();
    names.dedup();
    let states = &body.params[1..=scan.states];
    let next: Vec<ValueId> = body.results[..scan.states]
        .iter()
        .map(|(_, v)| *v)
        .collect();
    let view = View {
        scan,
        body,
        func,
        args: func.args(id),
    };
    let mut e = Equation {
        kind: Kind::Recurrence,
        names,
        class: Class::Nonlinear,
        backward: scan.reverse,
        fixed: false,
        convolved: false,
        why: vec![],
        forms: vec!["recurrent"],
        missing: vec![],
    };
    match jointly_affine(body, states, &next) {
        Err(at) => view.nonlinear(&mut e, &at),
        Ok(()) => view.linear(&mut e),
    }
    let routed = view.routed(&mut e, id);
    match chunk::obstacle(routed.as_ref().unwrap_or(scan)) {
        None => e.forms.push("chunked"),
        Some(_) if e.class == Class::Nonlinear => {}
        Some(why) => {
            let at = e.names.first().cloned();
            e.missing.push(Missing {
                form: "chunked",
                why,
                at,
            });
        }
    }
    match impulse::obstacle(func, id, scan) {
        None => {
            e.forms.push("convolution");
            e.convolved = impulse::pays(scan);
            e.why.extend(impulse::words(scan).map(|costs| Reason {
                text: format!(
                    "the same at every step: a convolution with its response to an impulse. {costs}"
                ),
                at: None,
            }));
        }
        Some(why) if e.fixed => e.missing.push(Missing {
            form: "convolution",
            why,
            at: None,
        }),
        Some(_) => {}
    }
    e
}

/// A state's name without the mark of a step further back.
fn without_delay(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((own, n)) if n.bytes().all(|b| b.is_ascii_digit()) => own,
        _ => name,
    }
}

struct View<'a> {
    scan: &'a Scan,
    body: &'a Func,
    /// The program around, and what the scan is given.
    func: &'a Func,
    args: &'a [ValueId],
}

impl View<'_> {
    fn text(&self, v: ValueId) -> String {
        let step = if self.scan.reverse { "+" } else { "-" };
        let state = |v: ValueId| {
            let k = self.body.params.iter().position(|p| *p == v)?;
            let states = &self.body.results[..self.scan.states];
            let Some((name, _)) = k.checked_sub(1).and_then(|k| states.get(k)) else {
                return self.outer(v);
            };
            let back = match name.rsplit_once('.') {
                Some((_, n)) => n.parse::<usize>().unwrap_or(0) + 1,
                None => 1,
            };
            let t = axis(self.scan.axis);
            Some(format!("{}[{t}{step}{back}]", written(name)))
        };
        expression(self.body, v, &state)
    }

    /// What a value that enters the loop is called outside, or how it is computed there.
    fn outer(&self, v: ValueId) -> Option<String> {
        let k = self.body.params.iter().position(|p| *p == v)?;
        let Some(k) = k.checked_sub(1) else {
            return Some(axis(self.scan.axis).to_owned());
        };
        let v = *self.args.get(k)?;
        if let Some(name) = self.func.value(v).name {
            return Some(written(name.as_str()).to_owned());
        }
        let text = expression(self.func, v, &|_| None);
        Some(if text.contains(' ') {
            format!("({text})")
        } else {
            text
        })
    }

    /// The loop over the states that a router picks, if there is one.
    fn routed(&self, e: &mut Equation, id: ValueId) -> Option<Scan> {
        let routed::Words { mask, text, scan } = routed::words(self.func, id)?;
        let at = equation_of(self.func, mask);
        match scan {
            Ok(scan) => {
                let text =
                    format!("{text}: over a whole sequence, those are stepped and no others");
                e.why.push(Reason { text, at });
                Some(scan)
            }
            Err(why) => {
                e.missing.push(Missing {
                    form: "routed",
                    why: format!("{text}, but {why}"),
                    at,
                });
                None
            }
        }
    }

    fn nonlinear(&self, e: &mut Equation, at: &NotAffine) {
        let text = self.text(at.at);
        let equation = equation_of(self.body, at.at);
        e.why.push(Reason {
            text: format!("not linear in its state: `{text}`: {}", at.why),
            at: equation.clone(),
        });
        e.missing.push(Missing {
            form: "chunked",
            why: format!(
                "steps can be joined only where each is linear in the state; `{text}` is not"
            ),
            at: equation,
        });
    }

    fn linear(&self, e: &mut Equation) {
        let (transition, parts) = classify(self.scan);
        let complex = self.body.ty(self.body.params[1]).elem == Elem::Complex;
        let names: Vec<&str> = e.names.iter().map(|n| written(n)).collect();
        let names = names.join(", ");
        e.why.push(Reason {
            text: format!("linear in its state `{names}`"),
            at: e.names.first().cloned(),
        });
        let Some(l) = parts else {
            e.class = Class::DenseRecurrence;
            e.fixed = self.fixed_body();
            let text = match transition {
                Transition::Dense(why) => why,
                Transition::Nonlinear { at, why } => format!(
                    "`{}` is linear, but outside the normal form of transitions ({why})",
                    self.text(at)
                ),
                other => other.to_string(),
            };
            e.why.push(Reason { text, at: None });
            return;
        };
        let kept = matches!(l.gates[0][0], Gate::One);
        e.class = match (&transition, !kept) {
            (Transition::Coupled(..), _) => Class::Coupled,
            (Transition::Identity, _) => Class::Identity,
            (Transition::Scalar | Transition::Diagonal, _) if complex => Class::ComplexDiagonal,
            (Transition::Scalar, _) => Class::Scalar,
            (Transition::Diagonal, _) => Class::Diagonal,
            (Transition::ScalarRank(1), false) => Class::IdentityRankOne,
            (Transition::ScalarRank(1), true) => Class::ScalarRankOne,
            (Transition::DiagonalRank(1), _) => Class::DiagonalRankOne,
            (Transition::ScalarRank(_), false) => Class::IdentityRank,
            (Transition::ScalarRank(_), true) => Class::ScalarRank,
            (Transition::DiagonalRank(_), _) => Class::DiagonalRank,
            _ => Class::DenseRecurrence,
        };
        e.fixed = self.fixed(&l);
        self.reasons(e, &transition, &l);
    }

    fn reasons(&self, e: &mut Equation, transition: &Transition, l: &Linear) {
        if let Transition::Dense(why) = transition {
            e.why.push(Reason {
                text: why.clone(),
                at: None,
            });
        }
        match l.states.len() {
            1 => self.own_gate(e, l),
            n => {
                e.why.push(Reason {
                    text: format!(
                        "{n} states that step together, with a small matrix of transitions"
                    ),
                    at: None,
                });
                self.gates(e, l);
            }
        }
        for t in &l.terms {
            for f in &t.feedback {
                e.why.push(Reason {
                    text: format!(
                        "{} is read along `{}` and written {} along `{}` times `{}`: rank 1",
                        self.state(l, &[f.from]),
                        self.product(&f.read),
                        match l.states.len() {
                            1 => "back".to_owned(),
                            _ => format!("to {}", self.state(l, &t.into)),
                        },
                        self.product(&t.key),
                        self.product(&f.coef)
                    ),
                    at: self.name(&t.key),
                });
            }
        }
        let role =
            |axes: &[Axis], what: &str| (!axes.is_empty()).then(|| format!("{} {what}", set(axes)));
        let roles: Vec<String> = [
            role(
                &l.k,
                "are contracted by reads or moved by the transition (K)",
            ),
            role(&l.v, "appear in neither (V)"),
            role(&l.gated, "have gates of their own and are read alike (V)"),
            role(&l.b, "run in parallel (B)"),
        ]
        .into_iter()
        .flatten()
        .collect();
        e.why.push(Reason {
            text: format!("axes of the state: {}", roles.join("; ")),
            at: None,
        });
    }

    /// What multiplies a state that steps alone.
    fn own_gate(&self, e: &mut Equation, l: &Linear) {
        match &l.gates[0][0] {
            Gate::Sum(sum) => {
                let over = if l.k.is_empty() || self.touches(sum, &l.k) {
                    "a factor for each position of the state".to_owned()
                } else {
                    format!("one factor for all of {}", set(&l.k))
                };
                e.why.push(Reason {
                    text: format!("its decay is `{}`: {over}", self.sum(sum)),
                    at: sum.iter().find_map(|p| self.name(p)),
                });
            }
            _ => e.why.push(Reason {
                text: "nothing multiplies it: it is kept as it is".into(),
                at: None,
            }),
        }
    }

    /// What of each state goes to each.
    fn gates(&self, e: &mut Equation, l: &Linear) {
        for (z, row) in l.gates.iter().enumerate() {
            for (w, gate) in row.iter().enumerate() {
                let text = match gate {
                    Gate::Zero => continue,
                    Gate::One => "1".to_owned(),
                    Gate::Sum(sum) => self.sum(sum),
                };
                let (from, to) = (self.state(l, &[w]), self.state(l, &[z]));
                e.why.push(Reason {
                    text: format!("of {from}, `{text}` times goes to {to}"),
                    at: gate.products().iter().find_map(|p| self.name(p)),
                });
            }
        }
    }

    /// States by name, or `it` where there is one.
    fn state(&self, l: &Linear, which: &[usize]) -> String {
        if l.states.len() == 1 {
            return "it".into();
        }
        let name = |z: &usize| format!("`{}`", written(&self.body.results[*z].0));
        let all: Vec<String> = which.iter().map(name).collect();
        all.join(" and ")
    }

    fn sum(&self, sum: &[Product]) -> String {
        let text: Vec<String> = sum.iter().map(|p| self.product(p)).collect();
        text.join(" + ")
    }

    fn touches(&self, sum: &[Product], axes: &[Axis]) -> bool {
        sum.iter().flat_map(Product::all_factors).any(|f| {
            let shown = crate::affine::factor_axes(self.body, f);
            axes.iter().any(|a| shown.contains(a))
        })
    }

    fn product(&self, p: &Product) -> String {
        let factor = |f: &crate::affine::Factor| {
            let text = match (self.outer(f.value), self.body.value(f.value).name) {
                (Some(text), _) => text,
                (None, Some(n)) => written(n.as_str()).to_owned(),
                (None, None) => self.text(f.value),
            };
            match f.how {
                How::Times => text,
                How::Over => format!("1 / {text}"),
                How::Where => format!("[{text}]"),
                How::Unless => format!("[not {text}]"),
            }
        };
        let mut all: Vec<String> = p.factors.iter().map(factor).collect();
        for s in &p.sums {
            let inner: Vec<String> = s.factors.iter().map(factor).collect();
            all.push(format!("sum({})", inner.join(" * ")));
        }
        if p.scale != 1.0 || all.is_empty() {
            all.insert(0, p.scale.to_string());
        }
        all.join(" * ")
    }

    fn name(&self, p: &Product) -> Option<String> {
        let outer = |v: ValueId| {
            let k = self.body.params.iter().position(|p| *p == v)?;
            self.func.value(*self.args.get(k.checked_sub(1)?)?).name
        };
        p.all_factors()
            .find_map(|f| outer(f.value).or(self.body.value(f.value).name))
            .map(|n| n.as_str().to_owned())
    }

    /// Values of the body that change with time.
    fn moving(&self) -> Vec<bool> {
        let first = 1 + self.scan.states;
        let mut roots: Vec<ValueId> = vec![self.body.params[0]];
        roots.extend(&self.body.params[first..first + self.scan.seqs.len()]);
        depends_on(self.body, &roots)
    }

    fn fixed(&self, l: &Linear) -> bool {
        let moving = self.moving();
        let still = |p: &Product| p.all_factors().all(|f| !moving[f.value.index()]);
        (l.gates.iter().flatten().flat_map(Gate::products)).all(still)
            && l.terms
                .iter()
                .flat_map(|t| t.feedback.iter().map(|f| (&t.key, &f.coef, &f.read)))
                .all(|(key, coef, read)| still(key) && still(coef) && still(read))
    }

    /// For bodies outside the normal form: is every factor of a value that depends on the states still?
    fn fixed_body(&self) -> bool {
        let moving = self.moving();
        let of_state = depends_on(self.body, &self.body.params[1..=self.scan.states]);
        self.body.ids().filter(|v| of_state[v.index()]).all(|v| {
            let adds = matches!(
                self.body.op(v),
                seqc_algebra::Op::Map(seqc_algebra::MapFn::Add | seqc_algebra::MapFn::Sub)
            );
            let args = self.body.args(v);
            adds || args
                .iter()
                .all(|a| of_state[a.index()] || !moving[a.index()])
        })
    }
}
