//! The header of a mixer that is elaborated by itself: free sizes and settings, before and after they are resolved.

use super::Setting;
use crate::call::Given;
use crate::elab::Elab;
use crate::program::Program;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Home, Instance, Val};
use seqc_algebra::Axis;
use seqc_syntax::Diagnostic;
use seqc_syntax::ast::Mixer;
use std::rc::Rc;

/// Header axes that are no settings.
pub(super) fn free_axes(mixer: &Mixer) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let ranges = mixer
        .inputs
        .iter()
        .filter_map(|p| p.ty.seq.as_ref().and_then(|q| q.range.as_ref()));
    for n in mixer
        .group
        .iter()
        .chain(mixer.inputs.iter().flat_map(|p| &p.ty.axes))
        .chain(ranges)
    {
        let base = n.base().to_owned();
        if !mixer.hypers.iter().any(|h| h.name.text == base) && !out.contains(&base) {
            out.push(base);
        }
    }
    out
}

/// Would the header's defaults be whole at this size?
pub(super) fn header_is_whole(
    program: &Program,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> bool {
    let mut el = Elab::new(program, "probe", true);
    el.stack.push((id, program.mixer(id).name.span));
    header(&mut el, id, settings, size).is_some() && !el.diags.iter().any(Diagnostic::is_error)
}

/// The scope of a mixer that is elaborated by itself.
pub(super) fn header<'p>(
    el: &mut Elab<'p>,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> Option<Scope<'p>> {
    let program = el.program;
    let mixer = program.mixer(id);
    let mut s = Scope::new(program.items[id].module, mixer, Home::default());
    for clock in Elab::header_clocks(mixer) {
        s.clocks.insert(
            clock.as_str().to_owned(),
            Axis::len(clock.as_str(), clock.as_str()),
        );
    }
    s.clocks.entry("t".into()).or_insert(Axis::time());
    s.taken.extend(s.clocks.keys().cloned());
    s.taken.insert("batch".into());
    let free = free_axes(mixer);
    let mut given: Given = Vec::new();
    let mut ok = true;
    for (name, text) in settings {
        let value = Stat::parse(text);
        if let Some(free) = free.iter().find(|n| *n == name) {
            match value.and_then(Stat::as_size).filter(|n| *n > 0) {
                Some(n) => {
                    s.axes.insert(free.clone(), vec![Axis::new(free, n)]);
                }
                None => {
                    el.report(Diagnostic::error(
                        "E28",
                        format!("`{name}` is a size, `{text}` is none"),
                        mixer.name.span,
                    ));
                    ok = false;
                }
            }
        } else if mixer.hypers.iter().any(|h| h.name.text == *name) {
            let function = crate::builtin::as_mixer(text);
            let v = match (value, program.lookup(s.module, text), function) {
                (Some(st), _, _) => Val::Stat(st),
                (None, Some(item), _) => Val::Mixer(Rc::new(Instance {
                    item,
                    given: vec![],
                    home: None,
                })),
                (None, None, Some(function)) => Val::Function(function),
                (None, None, None) => {
                    el.report(
                        Diagnostic::error(
                            "E28",
                            format!("`{text}` is neither a number nor a mixer"),
                            mixer.name.span,
                        )
                        .note(format!("given for the setting `{name}`")),
                    );
                    ok = false;
                    continue;
                }
            };
            given.push((name.clone(), v, mixer.name.span));
        } else {
            el.no_setting(mixer, name, mixer.name.span);
            ok = false;
        }
    }
    for n in free {
        s.axes
            .entry(n.clone())
            .or_insert_with(|| vec![Axis::new(&n, size)]);
    }
    el.settings(&mut s, mixer, given, mixer.name.span)?;
    ok.then_some(s)
}

/// Free sizes, then settings in header order.
pub(super) fn resolved(mixer: &Mixer, s: &Scope, program: &Program) -> Vec<(String, Setting)> {
    let mut out = Vec::new();
    for n in free_axes(mixer) {
        if let Some([axis]) = s.axes.get(&n).map(Vec::as_slice)
            && let Some(size) = axis.size.constant()
        {
            out.push((n, Setting::Number(Stat::int(size as i128))));
        }
    }
    for h in &mixer.hypers {
        let name = h.name.text.clone();
        let value = match s.names.get(&name).map(|n| &n.binding) {
            Some(crate::scope::Binding::Val(v)) => Some(v),
            _ => None,
        };
        match (s.statics.get(&name), value) {
            (Some(st), _) => out.push((name, Setting::Number(st.value))),
            (None, Some(Val::Mixer(m))) if m.item != crate::call::ANY_MIXER => {
                let called = program.mixer(m.item).name.text.clone();
                out.push((name, Setting::Mixer(called)));
            }
            (None, Some(Val::Function(f))) => out.push((name, Setting::Mixer((*f).to_owned()))),
            _ => {}
        }
    }
    out
}
