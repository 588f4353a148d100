//! Calls of mixers: inlining, with axes matched by name, settings, shared instances.
//!
//! An input's axes are found in the argument by name; axes in the callee's brackets are given at the call or
//! inferred when one axis is left. What the callee does not name it is mapped over. A call without inputs is an
//! instance: its parameters belong to the line that made it, and every call of it shares them.

use crate::elab::{Elab, MAX_CALLS, plain};
use crate::scope::{Scope, Static};
use crate::stat::Stat;
use crate::value::{Dyn, Instance, Val};
use seqc_algebra::{Axis, Elem, Sym};
use seqc_syntax::ast::{Arg, Call, Expr, Hyper, HyperKind, Mixer, Name, Port};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use std::collections::HashSet;
use std::rc::Rc;

/// Stands for a mixer that a setting without default would name: while checking, it returns its input.
pub const ANY_MIXER: usize = usize::MAX;

/// Values for settings, with where each was written.
pub type Given = Vec<(String, Val, Span)>;

struct Arguments<'p> {
    inputs: Vec<Option<(&'p Expr, Span)>>,
    settings: Vec<(&'p Name, &'p Expr)>,
}

impl<'p> Elab<'p> {
    pub fn call_mixer(
        &mut self,
        s: &mut Scope<'p>,
        m: Rc<Instance>,
        e: &'p Expr,
        c: &'p Call,
    ) -> Val {
        if m.item == ANY_MIXER {
            return self.call_any(s, m, c);
        }
        let program = self.program;
        let mixer = program.mixer(m.item);
        let Some(args) = self.arguments(mixer, c, e.span) else {
            return Val::Poison;
        };
        let mut given: Given = m
            .given
            .iter()
            .map(|(n, v, at)| (n.clone(), v.clone(), *at))
            .collect();
        for (name, value) in &args.settings {
            let v = self.eval(s, value);
            given.retain(|(n, _, _)| *n != name.text);
            given.push((name.text.clone(), v, value.span));
        }
        if given.iter().any(|(_, v, _)| v.is_poison()) {
            return Val::Poison;
        }
        if args.inputs.iter().all(Option::is_none) {
            let home = m
                .home
                .clone()
                .unwrap_or_else(|| self.below(&s.line, &c.name.text, e.span));
            return Val::Mixer(Rc::new(Instance {
                item: m.item,
                given,
                home: Some(home),
            }));
        }
        let mut values = Vec::new();
        for (port, a) in mixer.inputs.iter().zip(&args.inputs) {
            let Some((a, at)) = a else {
                let d = Diagnostic::error(
                    "E28",
                    format!("`{}` lacks its input `{}`", c.name.text, port.name.text),
                    e.span,
                );
                self.report(d.secondary(port.span, "declared here").help(format!(
                    "it takes {} input{}",
                    mixer.inputs.len(),
                    if mixer.inputs.len() == 1 { "" } else { "s" }
                )));
                return Val::Poison;
            };
            values.push((self.eval_dyn(s, a), *at));
        }
        let values: Option<Vec<(Dyn, Span)>> = values
            .into_iter()
            .map(|(v, at)| v.map(|v| (v, at)))
            .collect();
        let Some(values) = values else {
            return Val::Poison;
        };
        let home = m
            .home
            .clone()
            .unwrap_or_else(|| self.below(&s.line, &c.name.text, e.span));
        if !self.enter(m.item, e.span) {
            return Val::Poison;
        }
        let out = self.inline(s, m.item, c, home, &values, given, e.span);
        self.stack.pop();
        out
    }

    /// Guards against mixers that call themselves.
    fn enter(&mut self, item: usize, span: Span) -> bool {
        if let Some(at) = self.stack.iter().position(|(i, _)| *i == item) {
            let mut names: Vec<&str> = self.stack[at..]
                .iter()
                .map(|(i, _)| self.program.mixer(*i).name.text.as_str())
                .collect();
            names.push(&self.program.mixer(item).name.text);
            let d = Diagnostic::error(
                "E26",
                format!("a mixer calls itself: {}", names.join(" → ")),
                span,
            );
            let calls = self.stack[at + 1..].iter().map(|(_, call)| *call);
            let d = calls
                .filter(|call| *call != span)
                .fold(d, |d, call| d.secondary(call, "which is called here"));
            self.report(d.help("there is no recursion over mixers; layers are `repeat`, recurrence in time is a `state`"));
            return false;
        }
        if self.stack.len() >= MAX_CALLS {
            self.too_large(
                format!("mixers call each other more than {MAX_CALLS} deep"),
                span,
            );
            return false;
        }
        self.stack.push((item, span));
        true
    }

    /// While checking a mixer alone: an unknown mixer gives what it is given.
    fn call_any(&mut self, s: &mut Scope<'p>, m: Rc<Instance>, c: &'p Call) -> Val {
        let mut first = None;
        for a in &c.args {
            match a {
                Arg::Positional(x) => {
                    let v = self.eval(s, x);
                    first.get_or_insert(v);
                }
                Arg::Named { name, value, .. } => {
                    if name.text == "along" {
                        self.not_built("running a mixer along another axis (`along`)", name.span);
                        first = Some(Val::Poison);
                    } else {
                        self.eval(s, value);
                    }
                }
                Arg::Map(_) | Arg::Per { .. } => {}
            }
        }
        first.unwrap_or(Val::Mixer(m))
    }

    fn arguments(&mut self, mixer: &'p Mixer, c: &'p Call, span: Span) -> Option<Arguments<'p>> {
        let mut out = Arguments {
            inputs: vec![None; mixer.inputs.len()],
            settings: vec![],
        };
        let mut next = 0;
        for a in &c.args {
            match a {
                Arg::Positional(x) => {
                    if next >= mixer.inputs.len() {
                        let d = Diagnostic::error(
                            "E28",
                            format!(
                                "`{}` takes {} input{}",
                                c.name.text,
                                next,
                                if next == 1 { "" } else { "s" }
                            ),
                            x.span,
                        );
                        self.report(d.secondary(mixer.name.span, "defined here"));
                        return None;
                    }
                    out.inputs[next] = Some((x, x.span));
                    next += 1;
                }
                Arg::Named { name, value, .. } => {
                    if name.text == "along" {
                        self.not_built("running a mixer along another axis (`along`)", name.span);
                        return None;
                    }
                    if let Some(k) = mixer.inputs.iter().position(|p| p.name.text == name.text) {
                        if out.inputs[k].replace((value, value.span)).is_some() {
                            self.report(Diagnostic::error(
                                "E28",
                                format!("input `{}` is given twice", name.text),
                                name.span,
                            ));
                            return None;
                        }
                    } else if mixer.hypers.iter().any(|h| h.name.text == name.text) {
                        out.settings.push((name, value));
                    } else {
                        self.no_setting(mixer, &name.text, name.span);
                        return None;
                    }
                }
                Arg::Map(m) => {
                    self.report(
                        Diagnostic::error(
                            "E28",
                            format!("`{}` takes no map of axes", c.name.text),
                            m.span,
                        )
                        .help("only `linear` and `affine` do"),
                    );
                    return None;
                }
                Arg::Per { span: at, .. } => {
                    self.report(
                        Diagnostic::error("E28", format!("`{}` takes no `per`", c.name.text), *at)
                            .help("only `linear` and `affine` do"),
                    );
                    return None;
                }
            }
        }
        let _ = span;
        Some(out)
    }

    /// E24
    pub fn no_setting(&mut self, mixer: &Mixer, name: &str, span: Span) {
        let known: Vec<&str> = mixer.hypers.iter().map(|h| h.name.text.as_str()).collect();
        let list = if known.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let mut d = Diagnostic::error(
            "E24",
            format!("`{}` has no setting `{name}`; {list}", mixer.name.text),
            span,
        );
        if let Some(near) = did_you_mean(name, known) {
            d = d.help(format!("did you mean `{near}`?"));
        }
        self.report(d);
    }

    #[allow(clippy::too_many_arguments)]
    fn inline(
        &mut self,
        s: &mut Scope<'p>,
        item: usize,
        c: &'p Call,
        home: crate::value::Home,
        values: &[(Dyn, Span)],
        given: Given,
        span: Span,
    ) -> Val {
        let program = self.program;
        let mixer = program.mixer(item);
        let mut callee = Scope::new(program.items[item].module, mixer, home);
        for (v, _) in values {
            callee
                .taken
                .extend(self.axes(v).iter().map(|a| a.name.as_str().to_owned()));
        }
        callee.taken.insert("t".into());
        let ok = self.bind_group(s, &mut callee, mixer, c, values);
        let mut ok = ok.is_some();
        for (port, (v, at)) in mixer.inputs.iter().zip(values) {
            ok &= self
                .bind_port(s, &mut callee, mixer, c, port, v, *at, &given)
                .is_some();
        }
        if !ok {
            return Val::Poison;
        }
        callee.clocks.entry("t".into()).or_insert(s.now());
        for (port, (v, at)) in mixer.inputs.iter().zip(values) {
            let mut v = v.clone();
            if port.ty.seq.as_ref().is_some_and(|q| q.range.is_some()) && v.index.is_none() {
                let d = Diagnostic::error(
                    "E28",
                    format!("`{}` takes integers, positions of an axis", port.name.text),
                    *at,
                );
                self.report(
                    d.secondary(port.span, "declared here")
                        .help("pass tokens, or the result of `argmax`"),
                );
                return Val::Poison;
            }
            if port.ty.seq.as_ref().is_none_or(|q| q.range.is_none()) {
                v.index = None;
            }
            callee.bind(&port.name.text, Val::Dyn(v), port.name.span);
        }
        if self.settings(&mut callee, mixer, given, span).is_none() {
            return Val::Poison;
        }
        let wanted: HashSet<String> = mixer.outputs.iter().map(|p| p.name.text.clone()).collect();
        let before = self.diags.len();
        self.body(&mut callee, &mixer.body.stmts, &wanted);
        // What goes wrong inside because of sizes is explained by the call.
        for d in &mut self.diags[before..] {
            if matches!(d.code, "E08" | "E09" | "E10" | "E27")
                && !d.secondary.iter().any(|l| l.text == "in this call")
                && d.primary.span.file != span.file
            {
                d.secondary.push(seqc_syntax::Label {
                    span,
                    text: "in this call".into(),
                });
            }
        }
        let outs: Vec<Val> = mixer
            .outputs
            .iter()
            .map(|p| self.output(&mut callee, p).map_or(Val::Poison, Val::Dyn))
            .collect();
        match <[Val; 1]>::try_from(outs) {
            Ok([one]) => one,
            Err(many) if many.iter().any(Val::is_poison) => Val::Poison,
            Err(many) => Val::Tuple(many),
        }
    }

    /// `conv[h, p](…)`: the axes given for the callee's own.
    fn bind_group(
        &mut self,
        s: &mut Scope<'p>,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        c: &'p Call,
        values: &[(Dyn, Span)],
    ) -> Option<()> {
        if c.group.is_empty() {
            return Some(());
        }
        if mixer.group.is_empty() {
            let d = Diagnostic::error(
                "E28",
                format!("`{}` takes no axes in brackets", c.name.text),
                c.group[0].span,
            );
            self.report(
                d.secondary(mixer.name.span, "defined here")
                    .help("its inputs' axes are matched by name"),
            );
            return None;
        }
        let mut lists = Vec::new();
        for n in &c.group {
            let owner = values
                .iter()
                .map(|(v, _)| v.clone())
                .find(|v| self.axis_of(s, n, v).is_some());
            match owner {
                Some(v) => lists.push(self.axis_of(s, n, &v)?),
                None => {
                    let (v, _) = values.first()?;
                    lists.push(self.need_axis(
                        s,
                        n,
                        &v.clone(),
                        &format!("`{}[{}]`", c.name.text, n.text),
                    )?);
                }
            }
        }
        match (mixer.group.as_slice(), lists.len()) {
            ([one], _) => {
                callee.axes.insert(one.text.clone(), lists.concat());
            }
            (own, n) if own.len() == n => {
                for (name, axes) in own.iter().zip(lists) {
                    callee.axes.insert(name.text.clone(), axes);
                }
            }
            (own, n) => {
                let d = Diagnostic::error(
                    "E28",
                    format!(
                        "`{}` takes {} axes in brackets, got {n}",
                        c.name.text,
                        own.len()
                    ),
                    c.name.span,
                );
                self.report(d.secondary(mixer.name.span, "defined here"));
                return None;
            }
        }
        Some(())
    }

    #[allow(clippy::too_many_arguments)]
    fn bind_port(
        &mut self,
        s: &Scope<'p>,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        c: &'p Call,
        port: &'p Port,
        v: &Dyn,
        at: Span,
        given: &Given,
    ) -> Option<()> {
        let mut left = self.features(v);
        for n in &port.ty.axes {
            if let Some(bound) = callee.axes.get(&n.text) {
                let bound = bound.clone();
                self.port_has(v, &bound, n, c, at)?;
                left.retain(|a| !bound.contains(a));
            }
        }
        for n in &port.ty.axes {
            if callee.axes.contains_key(&n.text) {
                continue;
            }
            let by_name = left
                .iter()
                .copied()
                .find(|a| plain(a.name.as_str()) == n.text);
            let inferred = mixer.group.iter().any(|g| g.text == n.text);
            let others = port
                .ty
                .axes
                .iter()
                .filter(|o| o.text != n.text && !callee.axes.contains_key(&o.text));
            let reserved: Vec<Axis> = others
                .filter_map(|o| {
                    left.iter()
                        .copied()
                        .find(|a| plain(a.name.as_str()) == o.text)
                })
                .collect();
            let free: Vec<Axis> = left
                .iter()
                .copied()
                .filter(|a| !reserved.contains(a))
                .collect();
            let axis = match (inferred, free.as_slice(), by_name) {
                (true, [one], _) => *one,
                (_, _, Some(a)) => a,
                _ => {
                    let shown = Self::braces(&self.features(v));
                    let d = Diagnostic::error(
                        "E10",
                        format!(
                            "`{}`: input `{}` needs axis `{}`, the argument is {shown}",
                            c.name.text, port.name.text, n.text
                        ),
                        at,
                    );
                    let d = d.secondary(port.span, "declared here");
                    let names: Vec<&str> = free.iter().map(|a| plain(a.name.as_str())).collect();
                    let help = if inferred && names.len() > 1 {
                        let (one, all) = (names[names.len() - 1], names.join(", "));
                        format!(
                            "say which: `{0}[{one}](…)`, or over all of them `{0}[{all}](…)`",
                            c.name.text
                        )
                    } else if inferred {
                        format!("say which: `{}[…](…)`", c.name.text)
                    } else {
                        format!("map an axis onto it, `{{… -> {}}}`", n.text)
                    };
                    self.report(d.help(help));
                    return None;
                }
            };
            if let Some((_, Val::Stat(st), place)) = given.iter().find(|(g, _, _)| *g == n.text)
                && st.as_size() != axis.size.constant()
            {
                let d = Diagnostic::error(
                    "E08",
                    format!(
                        "`{}` is {} in the argument, {st} in the setting",
                        n.text, axis.size
                    ),
                    at,
                );
                self.report(d.secondary(*place, "the setting"));
                return None;
            }
            callee.axes.insert(n.text.clone(), vec![axis]);
            left.retain(|a| *a != axis);
        }
        for a in left {
            if !callee.extras.contains(&a) {
                callee.extras.push(a);
            }
        }
        self.bind_clock(s, callee, c, port, v, at)?;
        self.bind_range(callee, port, v, at)
    }

    /// An axis that is already bound must be in this argument too.
    fn port_has(&mut self, v: &Dyn, bound: &[Axis], n: &Name, c: &Call, at: Span) -> Option<()> {
        let Some(missing) = bound.iter().find(|a| !self.has(v, **a)) else {
            return Some(());
        };
        let other = self
            .features(v)
            .into_iter()
            .find(|a| plain(a.name.as_str()) == n.text || a.name == missing.name);
        let d = match other {
            Some(other) => Diagnostic::error(
                "E08",
                format!(
                    "`{}` is {} in another argument, {} in this one",
                    n.text, missing.size, other.size
                ),
                at,
            ),
            None => {
                let shown = Self::braces(&self.features(v));
                Diagnostic::error(
                    "E10",
                    format!(
                        "`{}`: the argument {shown} has no `{}`",
                        c.name.text,
                        plain(missing.name.as_str())
                    ),
                    at,
                )
            }
        };
        let d = self.with_sizes(d, [*missing].iter());
        self.report(d);
        None
    }

    /// The callee's clock is the argument's; an index that the argument is read at is a clock to the callee.
    fn bind_clock(
        &mut self,
        s: &Scope<'p>,
        callee: &mut Scope<'p>,
        c: &Call,
        port: &'p Port,
        v: &Dyn,
        at: Span,
    ) -> Option<()> {
        let times: Vec<Axis> = self
            .times(v)
            .into_iter()
            .filter(|a| !s.extras.contains(a))
            .collect();
        let Some(seq) = &port.ty.seq else {
            let Some(time) = times.first() else {
                return Some(());
            };
            let d = Diagnostic::error(
                "E20",
                format!(
                    "`{}` takes no sequence for `{}`, this runs on `{}`",
                    c.name.text, port.name.text, time.name
                ),
                at,
            );
            self.report(
                d.secondary(port.span, "declared without `seq`")
                    .help("reduce it in time, or read it at `first` or `last`"),
            );
            return None;
        };
        let name = seq.clock.as_ref().map_or("t", |k| k.name.text.as_str());
        if let Some(k) = seq.clock.as_ref().filter(|k| k.divisor.is_some()) {
            self.not_built("an input at a coarser clock", k.span);
            return None;
        }
        let clock = match times.as_slice() {
            [] => return Some(()),
            [one] => *one,
            several => match callee
                .clocks
                .get(name)
                .copied()
                .filter(|k| several.contains(k))
                .or_else(|| several.iter().copied().find(|a| s.is_clock(*a)))
            {
                Some(k) => k,
                None => several[0],
            },
        };
        for other in times.iter().filter(|a| **a != clock) {
            if !callee.extras.contains(other) {
                callee.extras.push(*other);
            }
        }
        match callee.clocks.get(name) {
            Some(old) if *old != clock => {
                let d = Diagnostic::error(
                    "E20",
                    format!(
                        "`{}` runs on clock `{}`, another argument of `{}` on `{}`",
                        port.name.text, clock.name, c.name.text, old.name
                    ),
                    at,
                );
                self.report(
                    d.help("both arguments must run on one clock; join clocks through a matrix"),
                );
                None
            }
            _ => {
                callee.clocks.insert(name.to_owned(), clock);
                Some(())
            }
        }
    }

    /// `tokens: seq<c>`
    fn bind_range(
        &mut self,
        callee: &mut Scope<'p>,
        port: &'p Port,
        v: &Dyn,
        at: Span,
    ) -> Option<()> {
        let Some(range) = port.ty.seq.as_ref().and_then(|q| q.range.as_ref()) else {
            return Some(());
        };
        let Some(of) = v.index.clone() else {
            return Some(());
        };
        match callee.axes.get(&range.text) {
            Some(bound) if *bound != of => {
                let bound = bound.clone();
                let d = Diagnostic::error(
                    "E08",
                    format!(
                        "`{}` counts positions of {}, `{}` is {}",
                        port.name.text,
                        Self::braces(&of),
                        range.text,
                        Self::braces(&bound)
                    ),
                    at,
                );
                let d = self.with_sizes(d, of.iter().chain(&bound));
                self.report(d);
                None
            }
            Some(_) => Some(()),
            None => {
                callee.axes.insert(range.text.clone(), of);
                Some(())
            }
        }
    }

    /// Settings in order: given, bound by an input's axis, or default.
    pub fn settings(
        &mut self,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        given: Given,
        span: Span,
    ) -> Option<()> {
        let mut ok = true;
        for h in &mixer.hypers {
            let name = &h.name.text;
            let value = given.iter().find(|(g, _, _)| g == name);
            if h.kind == Some(HyperKind::Mixer) {
                let v = match value {
                    Some((_, v, at)) => Some((v.clone(), *at)),
                    None => h.default.as_ref().map(|d| (self.eval(callee, d), d.span)),
                };
                ok &= self.mixer_setting(callee, mixer, h, v, span).is_some();
                continue;
            }
            if let Some(axes) = callee.axes.get(name).cloned() {
                let size = self.volume(&axes, h.span)?;
                callee.statics.insert(
                    name.clone(),
                    Static {
                        value: Stat::int(size as i128),
                        span: h.span,
                        formula: size.to_string(),
                    },
                );
                continue;
            }
            let (v, at, formula) = match value {
                Some((_, v, at)) => (v.clone(), *at, None),
                None => match &h.default {
                    Some(d) => (self.eval(callee, d), d.span, Some(crate::body::text_of(d))),
                    None if self.checking && self.stack.len() == 1 => {
                        (Val::Stat(Stat::int(4)), h.span, None)
                    }
                    None => {
                        let d = Diagnostic::error(
                            "E24",
                            format!("`{}` needs its setting `{name}`", mixer.name.text),
                            span,
                        );
                        self.report(
                            d.secondary(h.span, "it has no default")
                                .help(format!("give it: `{name} = …`")),
                        );
                        ok = false;
                        continue;
                    }
                },
            };
            let Val::Stat(st) = v else {
                if !v.is_poison() {
                    self.report(
                        Diagnostic::error(
                            "E28",
                            format!("setting `{name}` must be a constant"),
                            at,
                        )
                        .secondary(h.span, "declared here"),
                    );
                }
                callee.bind(name, Val::Poison, h.name.span);
                ok = false;
                continue;
            };
            if self.number_setting(callee, h, st, at, formula).is_none() {
                callee.bind(name, Val::Poison, h.name.span);
                ok = false;
            }
        }
        ok.then_some(())
    }

    fn mixer_setting(
        &mut self,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        h: &'p Hyper,
        v: Option<(Val, Span)>,
        span: Span,
    ) -> Option<()> {
        let name = &h.name.text;
        let v = match v {
            Some((Val::Mixer(m), at)) if m.home.is_none() && m.item != ANY_MIXER => {
                let home = callee.home.join(name).at(at);
                let given = m
                    .given
                    .iter()
                    .map(|(n, v, at)| (n.clone(), v.clone(), *at))
                    .collect();
                Val::Mixer(Rc::new(Instance {
                    item: m.item,
                    given,
                    home: Some(home),
                }))
            }
            Some((v @ Val::Mixer(_), _)) => v,
            Some((Val::Poison, _)) => return None,
            Some((_, at)) => {
                self.report(
                    Diagnostic::error("E28", format!("setting `{name}` must be a mixer"), at)
                        .secondary(h.span, "declared here"),
                );
                return None;
            }
            None if self.checking && self.stack.len() == 1 => Val::Mixer(Rc::new(Instance {
                item: ANY_MIXER,
                given: vec![],
                home: None,
            })),
            None => {
                let d = Diagnostic::error(
                    "E24",
                    format!("`{}` needs its setting `{name}`", mixer.name.text),
                    span,
                );
                self.report(
                    d.secondary(h.span, "it has no default")
                        .help(format!("give it a mixer: `{name} = …`")),
                );
                return None;
            }
        };
        callee.bind(name, v, h.name.span);
        Some(())
    }

    fn number_setting(
        &mut self,
        callee: &mut Scope<'p>,
        h: &'p Hyper,
        st: Stat,
        at: Span,
        formula: Option<String>,
    ) -> Option<()> {
        let name = &h.name.text;
        let formula_text = formula.clone().unwrap_or_else(|| st.to_string());
        let whole_needed = h.kind != Some(HyperKind::Float);
        if whole_needed && !st.is_whole() {
            self.not_whole(callee, h, st, at);
            return None;
        }
        let fits = match h.kind {
            Some(HyperKind::Int) => st.as_int().is_some(),
            Some(HyperKind::Bool) => matches!(st, Stat::Bool(_)),
            Some(HyperKind::Float) => !matches!(st, Stat::Bool(_)),
            _ => true,
        };
        if !fits || st.as_f64().is_nan() {
            let kind = match h.kind {
                Some(HyperKind::Int) => "a whole number",
                Some(HyperKind::Bool) => "true or false",
                _ => "a number",
            };
            self.report(
                Diagnostic::error(
                    "E28",
                    format!("setting `{name}` must be {kind}, {st} is not"),
                    at,
                )
                .secondary(h.span, "declared here"),
            );
            return None;
        }
        callee.statics.insert(
            name.clone(),
            Static {
                value: st,
                span: h.name.span,
                formula: formula_text,
            },
        );
        Some(())
    }

    /// E09: names the division that leaves a rest.
    fn not_whole(&mut self, callee: &mut Scope<'p>, h: &'p Hyper, st: Stat, at: Span) {
        let name = &h.name.text;
        let division = h
            .default
            .as_ref()
            .filter(|d| d.span == at)
            .and_then(|d| self.fraction(callee, d));
        let d = match division {
            Some((text, l, r, span)) => {
                let mut d =
                    Diagnostic::error("E09", format!("`{text}` = {l} / {r} is not whole"), span)
                        .label(format!("the size of `{name}`"));
                let divisors: Vec<String> = (1..=l.as_int().unwrap_or(0).min(1 << 16))
                    .filter(|k| l.as_int().is_some_and(|n| n % k == 0))
                    .map(|k| k.to_string())
                    .take(16)
                    .collect();
                d = match callee
                    .mixer
                    .hypers
                    .iter()
                    .find(|o| text.ends_with(&format!("/ {}", o.name.text)))
                {
                    Some(o) if !divisors.is_empty() => d.help(format!(
                        "set `{}` to a divisor of {l}: {}",
                        o.name.text,
                        divisors.join(", ")
                    )),
                    _ => d.help("choose sizes that divide"),
                };
                d
            }
            None => Diagnostic::error("E09", format!("`{name}` = {st} is not whole"), at)
                .secondary(h.span, "declared here"),
        };
        self.report(d);
    }

    /// The first division inside a formula that leaves a rest.
    fn fraction(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<(String, Stat, Stat, Span)> {
        use seqc_syntax::ast::{BinaryOp, ExprKind};
        match &e.kind {
            ExprKind::Binary { op, left, right } => {
                let inner = self.fraction(s, left).or_else(|| self.fraction(s, right));
                if inner.is_some() || *op != BinaryOp::Div {
                    return inner;
                }
                let (l, r) = (self.quiet_static(s, left)?, self.quiet_static(s, right)?);
                (l.is_whole() && r.is_whole() && !l.div(r).is_whole())
                    .then(|| (crate::body::text_of(e), l, r, e.span))
            }
            ExprKind::Unary { operand, .. } => self.fraction(s, operand),
            _ => None,
        }
    }

    /// The value of an output. E06, E07, E25.
    pub fn output(&mut self, s: &mut Scope<'p>, port: &'p Port) -> Option<Dyn> {
        let name = &port.name.text;
        let is_input = s.mixer.inputs.iter().any(|p| p.name.text == *name);
        let v = match (
            s.names.get(name).map(|n| n.binding.clone()),
            s.statics.get(name),
        ) {
            (Some(crate::scope::Binding::Val(v)), _) if !is_input => v,
            (None, Some(st)) => Val::Stat(st.value),
            (Some(crate::scope::Binding::Pending), _) => return None,
            _ => {
                let names: Vec<String> = s.names.keys().cloned().collect();
                let mut d = Diagnostic::error(
                    "E06",
                    format!("output `{name}` has no equation"),
                    port.name.span,
                );
                d = match did_you_mean(name, names.iter().map(String::as_str)) {
                    Some(near) => d.help(format!("write `{name} = …`; `{near}` is defined")),
                    None => d.help(format!("write `{name} = …`")),
                };
                self.report(d);
                return None;
            }
        };
        let at = s.names.get(name).map_or(port.span, |n| n.span);
        let v = self.dynamic(v, at)?;
        if self.elem(&v) == Elem::Complex {
            let d = Diagnostic::error("E25", format!("output `{name}` is complex"), at);
            self.report(d.help("write `re(…)` or `abs(…)`"));
            return None;
        }
        let want = self.new_axes(s, &port.ty.axes)?;
        let have: Vec<Axis> = self
            .features(&v)
            .into_iter()
            .filter(|a| !s.extras.contains(a) || want.contains(a))
            .collect();
        let same = have.len() == want.len() && have.iter().all(|a| want.contains(a));
        if !same {
            let (h, w) = (Self::braces(&have), Self::braces(&want));
            let mut d = Diagnostic::error(
                "E07",
                format!("`{name}` is `{h}`, the header says `{w}`"),
                at,
            )
            .secondary(port.span, format!("`{w}`"));
            let sized = have.iter().find_map(|a| {
                want.iter()
                    .find(|b| b.name == a.name && b.size != a.size)
                    .map(|b| (*a, *b))
            });
            d = match sized {
                Some((a, b)) => self.with_sizes(d, [a, b].iter()).note(format!(
                    "`{}` is {} there and {} here",
                    plain(a.name.as_str()),
                    b.size,
                    a.size
                )),
                None if have.is_empty() => d.help("an output has the axes that its header says"),
                None => d.help(format!(
                    "map it: `linear(…, {} -> {})`",
                    bare(&have),
                    bare(&want)
                )),
            };
            self.report(d);
            return None;
        }
        let clocks: Vec<Axis> = self
            .times(&v)
            .into_iter()
            .filter(|a| !s.extras.contains(a))
            .collect();
        let own = port
            .ty
            .seq
            .as_ref()
            .map(|q| q.clock.as_ref().map_or("t", |c| c.name.text.as_str()));
        let own = own.map(|k| s.clocks.get(k).copied().unwrap_or_else(|| s.now()));
        if let Some(other) = clocks.iter().find(|a| Some(**a) != own) {
            let d = match own {
                Some(own) => Diagnostic::error(
                    "E20",
                    format!(
                        "`{name}` runs on `{}`, the header says `{}`",
                        other.name, own.name
                    ),
                    at,
                ),
                None => Diagnostic::error(
                    "E07",
                    format!("`{name}` is a sequence, the header says it is not"),
                    at,
                )
                .help("reduce it in time: `mean[t](…)`, `x[last]`"),
            };
            self.report(d.secondary(port.span, "the header"));
            return None;
        }
        let mut v = v;
        if let Some(range) = port.ty.seq.as_ref().and_then(|q| q.range.as_ref()) {
            v.index = s.axis(&range.text);
        }
        Some(v)
    }

    /// Names that stand for clocks in a header.
    pub fn header_clocks(mixer: &Mixer) -> Vec<Sym> {
        let mut out: Vec<Sym> = vec![];
        for p in &mixer.inputs {
            if let Some(q) = &p.ty.seq {
                let name = Sym::new(q.clock.as_ref().map_or("t", |k| k.name.text.as_str()));
                if !out.contains(&name) {
                    out.push(name);
                }
            }
        }
        out
    }
}

fn bare(axes: &[Axis]) -> String {
    let names: Vec<&str> = axes.iter().map(|a| plain(a.name.as_str())).collect();
    names.join(" ")
}
