//! One mixer from its inputs to its outputs and objectives.

use super::header::{header, resolved};
use super::range::range;
use super::{Causality, Elaborated, Vocabulary};
use crate::elab::Elab;
use crate::reach::Reach;
use crate::recipe;
use crate::scope::Scope;
use crate::tidy::compact;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, Elem, Func, InputKind, Ty};
use seqc_syntax::Span;
use seqc_syntax::ast::{MixerKind, Port};
use std::collections::HashSet;

pub(super) fn whole<'p>(
    el: &mut Elab<'p>,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> Option<Elaborated> {
    let program = el.program;
    let mixer = program.mixer(id);
    let mut s = header(el, id, settings, size)?;
    let mut vocabularies = Vec::new();
    for port in &mixer.inputs {
        let v = data(el, &mut s, port)?;
        if let Some([axis]) = v.index.as_deref()
            && let Some(size) = axis.size.constant()
        {
            vocabularies.push(Vocabulary {
                input: port.name.text.clone(),
                axis: axis.name.as_str().to_owned(),
                size,
            });
        }
        el.types.push((port.name.text.clone(), el.shown(&v)));
        (el.spans).insert(port.name.text.clone(), port.name.span);
        s.bind(&port.name.text, Val::Dyn(v), port.name.span);
    }
    let mut ranges = Vec::new();
    for port in &mixer.inputs {
        ranges.extend(range(el, &mut s, port)?);
    }
    let wanted: HashSet<String> = mixer.outputs.iter().map(|p| p.name.text.clone()).collect();
    el.body(&mut s, &mixer.body.stmts, &wanted);
    let mut causality = Vec::new();
    let mut missing = false;
    for port in &mixer.outputs {
        match result(el, &mut s, port) {
            Some(c) => causality.push(c),
            None => missing = true,
        }
    }
    objectives(el)?;
    if missing && !el.checking {
        return None;
    }
    let frame = el.frames.truncate_to_first();
    let func = compact(&frame);
    let recipe = match program.recipe(&mixer.name.text) {
        Some(r) if mixer.kind == MixerKind::Model => match recipe::check(r, program) {
            Ok(r) => Some(r),
            Err(diags) => {
                diags.into_iter().for_each(|d| el.report(d));
                return None;
            }
        },
        _ => None,
    };
    let docs = program.docs(id);
    let class = docs.iter().find_map(|(text, span)| {
        text.split_once("class:")
            .map(|(_, c)| (c.trim().to_owned(), *span))
    });
    Some(Elaborated {
        name: mixer.name.text.clone(),
        model: mixer.kind == MixerKind::Model,
        func,
        outputs: mixer.outputs.iter().map(|p| p.name.text.clone()).collect(),
        causality,
        recipe,
        docs,
        class,
        settings: resolved(mixer, &s, program),
        spans: std::mem::take(&mut el.spans),
        vocabularies,
        ranges,
        limits: std::mem::take(&mut el.limits),
        types: std::mem::take(&mut el.types),
        warnings: vec![],
    })
}

/// One input: `{batch, clock, axes}`; integers for `seq<vocab>`.
fn data<'p>(el: &mut Elab<'p>, s: &mut Scope<'p>, port: &'p Port) -> Option<Dyn> {
    let mut axes = vec![Axis::batch()];
    let mut reach = Reach::default();
    if let Some(q) = &port.ty.seq {
        if let Some(k) = q.clock.as_ref().filter(|k| k.divisor.is_some()) {
            el.not_built("an input at a coarser clock", k.span);
            return None;
        }
        let clock = s
            .clocks
            .get(q.clock.as_ref().map_or("t", |k| k.name.text.as_str()))
            .copied()?;
        axes.push(clock);
        reach = Reach::input(clock);
    }
    axes.extend(el.new_axes(s, &port.ty.axes)?);
    let range = port.ty.seq.as_ref().and_then(|q| q.range.as_ref());
    let elem = if range.is_some() {
        Elem::Int
    } else {
        Elem::Real
    };
    let mut v = el.input(&port.name.text, InputKind::Data, Ty { elem, axes }, reach);
    if let Some(n) = range {
        v.index = Some(el.new_axis(s, n)?);
    }
    Some(v)
}

/// One output, with the batch and its clock even if it does not change along them.
fn result<'p>(el: &mut Elab<'p>, s: &mut Scope<'p>, port: &'p Port) -> Option<Causality> {
    let v = el.output(s, port)?;
    let mut all = vec![Axis::batch()];
    let clock = port.ty.seq.as_ref().map(|q| {
        q.clock
            .as_ref()
            .map_or("t", |k| k.name.text.as_str())
            .to_owned()
    });
    let time = clock.as_ref().and_then(|k| s.clocks.get(k)).copied();
    all.extend(time);
    let reach = v.reach.clone();
    let v = el.expand(&v, &all, port.span)?;
    el.frames[0].b.result(&port.name.text, v.id);
    let looks = reach
        .looks(time)
        .into_iter()
        .map(|(c, l)| (c.as_str().to_owned(), l))
        .collect();
    Some(Causality {
        output: port.name.text.clone(),
        clock,
        looks,
    })
}

/// `objective.NAME` each, and their sum.
fn objectives(el: &mut Elab) -> Option<()> {
    let list = std::mem::take(&mut el.objectives);
    let mut total: Option<Dyn> = None;
    for (name, v) in list {
        el.frames[0].b.result(&format!("objective.{name}"), v.id);
        let span = Span::default();
        total = Some(match total {
            None => v,
            Some(t) => el.map2(seqc_algebra::MapFn::Add, &t, &v, span)?,
        });
    }
    if let Some(t) = total {
        el.frames[0].b.result("loss", t.id);
    }
    Some(())
}

/// Takes the program out of the frames.
trait First {
    fn truncate_to_first(&mut self) -> Func;
}

impl First for Vec<crate::elab::Frame> {
    fn truncate_to_first(&mut self) -> Func {
        self.truncate(1);
        self.pop().map(|f| f.b.finish()).unwrap_or_default()
    }
}
