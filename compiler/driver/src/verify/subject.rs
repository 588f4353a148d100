//! What is to be certified: a definition, and the programs derived from it.

use crate::build::{self, only};
use crate::engine::{Named, Sizes};
use crate::passes::{self, Form, Shapes};
use crate::verify::carried;
use crate::verify::draw::{self, Draw};
use crate::verify::range;
use crate::{Result, other};
use seqc_algebra::{Axis, Func, Sym, ValueId};
use seqc_derive::{conv, grad, picks, softmax, step, stream};
use seqc_hir::{Elaborated, Look, Range};
use std::collections::HashMap;

/// A mixer's definition and what is known about its inputs.
#[derive(Clone)]
pub struct Subject {
    pub name: String,
    /// The program as elaborated: its outputs, and a model's loss.
    pub definition: Func,
    /// All results.
    pub outs: Vec<String>,
    /// Inputs and parameters that have gradients.
    pub wrt: Vec<String>,
    pub causal: bool,
    pub model: bool,
    /// Number of indices of each integer input.
    pub vocab: HashMap<String, usize>,
    /// The numbers that inputs may hold.
    pub ranges: Vec<Range>,
    /// The longest length that the mixer has meaning for, by clock.
    pub limits: HashMap<Sym, usize>,
}

/// What a derived program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Forward,
    Gradient,
    /// Forward and gradient of documents in one row.
    Packed,
    Prefill,
    Resume,
    Step,
    /// With cotangents of the states after it.
    PromptGradient,
    /// From given states.
    StateGradient,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::Gradient => "gradient",
            Part::Packed => "packed",
            Part::Prefill => "prefill",
            Part::Resume => "resume",
            Part::Step => "step",
            Part::PromptGradient => "prompt gradient",
            Part::StateGradient => "state gradient",
        }
    }
}

/// A program that claims to equal the definition, or why there is none.
pub struct Derived {
    pub form: &'static str,
    pub part: Part,
    pub func: std::result::Result<Func, String>,
}

impl Derived {
    pub fn key(&self) -> String {
        format!("{}.{}", self.form, self.part.name())
    }
}

impl Subject {
    pub fn new(e: &Elaborated) -> Result<Subject> {
        let wanted = |n: &str| e.outputs.iter().any(|o| o == n) || e.model && n == "loss";
        let definition = only(&e.func, wanted)?;
        // Scores far apart underflow in f64 too: what is meant are the picks in exact arithmetic.
        let definition = picks::picks_of_scores(&definition).map_err(|why| other(&e.name, why))?;
        // A step is of the clock `t`; an output without it looks at everything.
        let stepped =
            |c: &seqc_hir::Causality| c.clock.as_deref() == Some("t") && c.own() == Look::Causal;
        Ok(Subject {
            name: e.name.clone(),
            outs: definition.results.iter().map(|(n, _)| n.clone()).collect(),
            wrt: build::smooth(&definition),
            model: e.model,
            causal: e.causality.iter().all(stepped),
            vocab: (e.vocabularies.iter())
                .map(|v| (v.input.clone(), v.size))
                .collect(),
            ranges: e.ranges.clone(),
            limits: (e.limits.iter())
                .map(|l| (Sym::new(&l.clock), l.most))
                .collect(),
            definition,
        })
    }

    /// The ids of the inputs with gradients, in the definition.
    fn ids(&self) -> Vec<ValueId> {
        passes::inputs_named(&self.definition, &self.wrt())
    }

    pub fn wrt(&self) -> Vec<&str> {
        self.wrt.iter().map(String::as_str).collect()
    }

    pub fn outs(&self) -> Vec<&str> {
        self.outs.iter().map(String::as_str).collect()
    }

    /// The reference of forward and gradient: the definition with its transpose.
    pub fn gradient(&self) -> Result<Func> {
        grad::vjp(&self.definition, &self.ids(), &self.outs()).map_err(|e| other(&self.name, e))
    }

    /// The reference with the operations of all forms, whose roundings are others: a convolution is a product of
    /// transforms; a softmax is formed anew as exp(s - logsumexp s), whose rounding grows with s as that of scores made anew does.
    pub fn weighed(&self) -> Result<Func> {
        let convolved = conv::long_convolutions(&self.definition);
        convolved
            .and_then(|f| stream::lower_renames(&f))
            .and_then(|f| grad::vjp(&f, &passes::inputs_named(&f, &self.wrt()), &self.outs()))
            .and_then(|f| softmax::with_one_normaliser(&f))
            .map_err(|e| other(&self.name, e))
    }

    /// The definition with its tangent.
    pub fn tangent(&self) -> Result<Func> {
        grad::jvp(&self.definition, &self.ids()).map_err(|e| other(&self.name, e))
    }

    /// The results that a step has: all but a model's loss.
    pub fn steppable(&self) -> Result<Func> {
        only(&self.definition, |n| !self.model || n != "loss")
    }

    /// The definition with the states after the last position.
    pub fn plain_prefill(&self) -> Result<Func> {
        self.bare()
            .and_then(|f| step::prefill(&f).map_err(|e| other(&self.name, e)))
    }

    /// One step of the definition.
    pub fn plain_step(&self) -> Result<Func> {
        self.bare()
            .and_then(|f| step::step(&f).map_err(|e| other(&self.name, e)))
    }

    /// What the states' names and shapes are made from; nothing chunked or tiled.
    fn bare(&self) -> Result<Func> {
        passes::readable(&self.steppable()?).map_err(|e| other(&self.name, e))
    }

    /// The forms that it has.
    pub fn forms(&self) -> Vec<Form> {
        passes::forms_of(&self.definition)
    }

    /// Every program that the compiler derives.
    pub fn derive(&self, shapes: &Shapes) -> Vec<Derived> {
        let text = |e: seqc_derive::DeriveError| e.to_string();
        let (wrt, outs) = (self.wrt(), self.outs());
        let mut all = vec![];
        for form in self.forms() {
            let (name, f) = (form.name(), &self.definition);
            all.push(Derived {
                form: name,
                part: Part::Forward,
                func: passes::forward(f, form, shapes, &mut vec![]).map_err(text),
            });
            all.push(Derived {
                form: name,
                part: Part::Gradient,
                func: passes::gradient(f, form, shapes, &wrt, &outs, &mut vec![]).map_err(text),
            });
        }
        if self.causal {
            let f = self.steppable().map_err(|e| e.to_string());
            let step = |f: Func| passes::generation_step(&f, shapes, &mut vec![]).map_err(text);
            let prefill = |f: Func| passes::prefill(&f, shapes, &mut vec![]).map_err(text);
            let resume = |f: Func| passes::resume(&f, shapes, &mut vec![]).map_err(text);
            for (part, func) in [
                (Part::Prefill, f.clone().and_then(prefill)),
                (Part::Resume, f.clone().and_then(resume)),
                (Part::Step, f.and_then(step)),
            ] {
                all.push(Derived {
                    form: "step",
                    part,
                    func,
                });
            }
            all.extend(carried::derived(self, shapes));
        }
        all
    }

    /// Run-time lengths at `t` steps: other clocks run for about two thirds as long.
    pub fn sizes(&self, t: usize, batch: usize) -> Sizes {
        let mut sizes = Sizes::new();
        let axes = self.definition.values.iter().flat_map(|v| &v.ty.axes);
        for a in axes {
            let Some(s) = a.size.length() else {
                continue;
            };
            sizes.entry(s).or_insert(match s.as_str() {
                "batch" => batch,
                "t" => t,
                _ => 2 * t / 3 + 1,
            });
        }
        sizes.insert(Axis::batch().name, batch);
        sizes.insert(Axis::time().name, t);
        sizes
    }

    /// Has the mixer meaning at these lengths?
    pub fn allows(&self, sizes: &Sizes) -> bool {
        (self.limits.iter()).all(|(s, most)| sizes.get(s).is_none_or(|n| n <= most))
    }

    /// Inputs, parameters and cotangents of one case.
    pub fn given(&self, sizes: &Sizes, kind: Draw) -> Result<Named> {
        let mut all = draw::inputs(&self.definition, &self.vocab, sizes, kind)?;
        for r in &self.ranges {
            if let Some(t) = all.get_mut(&r.input) {
                range::keep(t, r);
            }
        }
        for (name, v) in &self.definition.results {
            let cotangent = format!("cotangent.{name}");
            let t = draw::unit(&cotangent, &self.definition.ty(*v).axes, sizes)?;
            all.insert(cotangent, t);
        }
        Ok(match kind {
            Draw::Narrow => draw::in_bf16(&self.definition, all),
            _ => all,
        })
    }
}
