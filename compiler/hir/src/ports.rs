//! The inputs and outputs of a callee: its axes, clocks and ranges bound to those of the arguments.

use crate::call::Given;
use crate::elab::{Elab, plain};
use crate::scope::Scope;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, Elem, Sym};
use seqc_syntax::ast::{Call, Mixer, Name, Port};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `conv[h, p](…)`: the axes given for the callee's own.
    pub fn bind_group(
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
            // Its inputs' axes were given, and have its own names by now.
            return Some(());
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
    pub fn bind_port(
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

    /// What an input calls its clock, if it is a sequence.
    pub fn clock_name(port: &Port) -> Option<&str> {
        let seq = port.ty.seq.as_ref()?;
        Some(seq.clock.as_ref().map_or("t", |k| k.name.text.as_str()))
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
        let (mapped, times): (Vec<Axis>, Vec<Axis>) =
            (self.times(v).into_iter()).partition(|a| s.extras.contains(a));
        // What the caller is mapped over, the callee is mapped over too.
        for a in mapped {
            if !callee.extras.contains(&a) {
                callee.extras.push(a);
            }
        }
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
                let old = *old;
                self.report(self.about_clocks(d, &[old, clock]));
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
                let mut d = Diagnostic::error(
                    "E06",
                    format!("output `{name}` has no equation"),
                    port.name.span,
                );
                d = match self.near(name, || s.names.keys().cloned().collect()) {
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
            let d = d.secondary(port.span, "the header");
            self.report(match own {
                Some(own) => self.about_clocks(d, &[*other, own]),
                None => d,
            });
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
