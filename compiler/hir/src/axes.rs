//! The axis operations: renaming, splitting and merging (`{a b -> c d}`) and selection (`{a = e}`).

use crate::elab::{Elab, Limit, plain};
use crate::scope::Scope;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, Op, Size};
use seqc_syntax::ast::{AxisMap, Name, Pick};
use seqc_syntax::{Diagnostic, did_you_mean};

impl<'p> Elab<'p> {
    /// The axes that `name` means for an operand: those in scope, else the operand's own by name.
    pub fn axis_of(&mut self, s: &mut Scope<'p>, name: &Name, v: &Dyn) -> Option<Vec<Axis>> {
        if let Some(axes) = s.axis(&name.text)
            && axes.iter().all(|a| self.has(v, *a))
        {
            return Some(axes);
        }
        let own = self
            .features(v)
            .into_iter()
            .find(|a| plain(a.name.as_str()) == name.text);
        own.map(|a| vec![a])
    }

    /// As `axis_of`; E08 or E10 when the operand lacks it.
    pub fn need_axis(
        &mut self,
        s: &mut Scope<'p>,
        name: &Name,
        v: &Dyn,
        what: &str,
    ) -> Option<Vec<Axis>> {
        if let Some(axes) = self.axis_of(s, name, v) {
            return Some(axes);
        }
        let features = self.features(v);
        let known = s.axis(&name.text).is_some();
        let names: Vec<&str> = features.iter().map(|a| plain(a.name.as_str())).collect();
        let mut d = Diagnostic::error(
            "E10",
            format!(
                "{what}: the operand {} has no `{}`",
                Self::braces(&features),
                name.text
            ),
            name.span,
        );
        if let Some(near) = did_you_mean(&name.text, names).filter(|_| !known) {
            d = d.help(format!("did you mean `{near}`?"));
        } else if features.is_empty() {
            d = d.help("the operand has no axes");
        } else {
            d = d.help(format!("name one of its axes: {}", Self::braces(&features)));
        }
        self.report(d);
        None
    }

    /// Axes that are made new: sizes must be known. E03 when they are not.
    pub fn new_axis(&mut self, s: &mut Scope<'p>, name: &Name) -> Option<Vec<Axis>> {
        if let Some(axes) = s.axis(&name.text) {
            self.remember_size(s, name.text.as_str(), &axes);
            return Some(axes);
        }
        if let Some(st) = s.statics.get(&name.text).cloned() {
            let d = if st.value.is_whole() {
                Diagnostic::error(
                    "E28",
                    format!(
                        "`{}` is {}: an axis needs at least one position",
                        name.text, st.value
                    ),
                    name.span,
                )
            } else {
                Diagnostic::error(
                    "E09",
                    format!("`{}` is {}, which is not whole", name.text, st.value),
                    name.span,
                )
            };
            self.report(d.secondary(st.span, "its value"));
            return None;
        }
        let mut d = Diagnostic::error("E03", format!("axis `{}` is unknown", name.text), name.span);
        d = match self.near(&name.text, || s.known()) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!(
                "an axis is a setting: add `{} = …` after the `;` of the header",
                name.text
            )),
        };
        self.report(d);
        None
    }

    /// Keeps where a size came from.
    fn remember_size(&mut self, s: &Scope<'p>, name: &str, axes: &[Axis]) {
        if let (Some(st), [axis]) = (s.statics.get(name), axes) {
            let formula = if st.formula == st.value.to_string() {
                format!("`{name}` = {}", st.value)
            } else {
                format!("`{name}` = {} = {}", st.formula, st.value)
            };
            self.sizes.entry(*axis).or_insert((formula, st.span));
        }
    }

    /// All axes of a list, in order. Every unknown one is reported.
    pub fn new_axes(&mut self, s: &mut Scope<'p>, names: &[Name]) -> Option<Vec<Axis>> {
        let all: Vec<Option<Vec<Axis>>> = names.iter().map(|n| self.new_axis(s, n)).collect();
        let lists: Option<Vec<Vec<Axis>>> = all.into_iter().collect();
        let axes: Vec<Axis> = lists?.into_iter().flatten().collect();
        for (k, name) in names.iter().enumerate() {
            if names[..k].iter().any(|n| n.text == name.text) {
                let d = Diagnostic::error(
                    "E12",
                    format!("this would give `{}` twice", name.text),
                    name.span,
                );
                self.report(d.help(format!("use a second copy, `{}'`", name.text)));
                return None;
            }
        }
        Some(axes)
    }

    /// `{a b -> c d}`
    pub fn remap(&mut self, s: &mut Scope<'p>, v: &Dyn, map: &AxisMap) -> Option<Dyn> {
        let mut from = Vec::new();
        for n in &map.from {
            from.extend(self.need_axis(s, n, v, "`{… -> …}`")?);
        }
        let to = self.targets(s, map, &from)?;
        if let Some(twice) = to.iter().find(|a| {
            self.axes(v).iter().any(|b| b.name == a.name) && !from.iter().any(|f| f.name == a.name)
        }) {
            let name = plain(twice.name.as_str());
            let d = Diagnostic::error(
                "E12",
                format!(
                    "`{{{} -> {}}}` would give `{name}` twice",
                    names(&map.from),
                    names(&map.to)
                ),
                map.span,
            );
            self.report(d.help(format!("use a second copy, `{name}'`")));
            return None;
        }
        let (a, b) = (self.volume(&from, map.span)?, self.volume(&to, map.span)?);
        if a != b {
            let d = Diagnostic::error(
                "E08",
                format!(
                    "{} has {a} positions, {} has {b}",
                    Self::braces(&from),
                    Self::braces(&to)
                ),
                map.span,
            );
            self.report(
                self.with_sizes(d, from.iter().chain(&to))
                    .help("both sides of `->` must have equally many positions"),
            );
            return None;
        }
        self.scrambles(map, &from, &to)?;
        let span = map.span;
        match (from.as_slice(), to.as_slice()) {
            (_, _) if from == to => Some(v.clone()),
            ([one], [other]) => self.rename(v, *one, *other, span),
            ([one], _) => self.emit(
                Op::Split {
                    axis: *one,
                    into: to,
                },
                &[v],
                span,
            ),
            (_, [other]) => self.emit(
                Op::Merge {
                    axes: from,
                    into: *other,
                },
                &[v],
                span,
            ),
            _ => {
                let (joint, axis) = self.merged(v, &from, span)?;
                self.emit(Op::Split { axis, into: to }, &[&joint], span)
            }
        }
    }

    /// E12 for an axis on both sides whose positions would not be its own: `{h k -> k h}` counts positions anew, row
    /// by row, where its writer means another order, which a set of axes has not.
    fn scrambles(&mut self, map: &AxisMap, from: &[Axis], to: &[Axis]) -> Option<()> {
        let after = |list: &[Axis], axis: &Axis| {
            let at = list.iter().position(|a| a.name == axis.name)?;
            list[at + 1..]
                .iter()
                .try_fold(1usize, |n, a| n.checked_mul(a.size.constant()?))
        };
        let moved = |a: &&Axis| after(to, a).is_some_and(|n| after(from, a) != Some(n));
        let Some(axis) = from.iter().find(moved) else {
            return Some(());
        };
        let name = plain(axis.name.as_str());
        let (left, right) = (names(&map.from), names(&map.to));
        let said = format!("`{{{left} -> {right}}}` counts the positions of `{name}` anew");
        let d = Diagnostic::error("E12", said, map.span);
        self.report(d.help(format!(
            "axes have no order: leave out what only moves; to rename, map one axis at a time, `{{a -> b}}`; to exchange two, go through a third name; to mix their positions, call the result `{name}'`"
        )));
        None
    }

    /// The right side of a map. A single name that is not in scope takes the size of what it renames.
    fn targets(&mut self, s: &mut Scope<'p>, map: &AxisMap, from: &[Axis]) -> Option<Vec<Axis>> {
        if let ([name], [axis]) = (map.to.as_slice(), from)
            && s.axis(&name.text).is_none()
            && name.base() == plain(axis.name.as_str()).trim_end_matches('\'')
        {
            return Some(vec![axis.renamed(&s.fresh(&name.text))]);
        }
        self.new_axes(s, &map.to)
    }

    pub fn with_sizes<'a>(
        &self,
        mut d: Diagnostic,
        axes: impl Iterator<Item = &'a Axis>,
    ) -> Diagnostic {
        for a in axes {
            if let Some((formula, span)) = self.sizes.get(a) {
                d = d.secondary(*span, formula.clone());
            }
        }
        d
    }

    /// `{a = e}`
    pub fn pick(&mut self, s: &mut Scope<'p>, v: &Dyn, pick: &Pick, at: &Val) -> Option<Dyn> {
        let axes = self.need_axis(s, &pick.axis, v, &format!("`{{{} = …}}`", pick.axis.text))?;
        let (v, axis) = self.merged(v, &axes, pick.span)?;
        let size = axis.size.constant()?;
        match at {
            Val::Stat(st) => {
                let Some(index) = st.as_size().filter(|k| *k < size) else {
                    let d = Diagnostic::error(
                        "E28",
                        format!(
                            "index {st} is outside of `{}`, which has {size} positions from 0",
                            pick.axis.text
                        ),
                        pick.value.span,
                    );
                    self.report(d);
                    return None;
                };
                self.emit(Op::Pick { axis, index }, &[&v], pick.span)
            }
            Val::Poison => None,
            other => {
                let at = self.dynamic(other.clone(), pick.value.span)?;
                self.need_real("a selection", &at, pick.value.span)?;
                self.index_fits(&at, &axes, pick)?;
                self.note_limit(s, &at, axis, pick);
                self.emit(Op::Gather(axis), &[&v, &at], pick.span)
            }
        }
    }

    /// Integers of one vocabulary must not select on another.
    fn index_fits(&mut self, at: &Dyn, axes: &[Axis], pick: &Pick) -> Option<()> {
        let Some(of) = at.index.as_ref().filter(|of| of.as_slice() != axes) else {
            return Some(());
        };
        if of.len() == axes.len() && of.iter().zip(axes).all(|(a, b)| a.size == b.size) {
            return Some(());
        }
        let d = Diagnostic::error(
            "E08",
            format!(
                "this counts positions of {}, not of {}",
                Self::braces(of),
                Self::braces(axes)
            ),
            pick.value.span,
        );
        self.report(self.with_sizes(d, of.iter().chain(axes)));
        None
    }

    /// A fixed axis indexed by time itself bounds the length of sequences.
    fn note_limit(&mut self, _: &Scope<'p>, at: &Dyn, axis: Axis, pick: &Pick) {
        let value = self.frames[at.depth].b.func().value(at.id);
        let iota = match &value.op {
            Op::Iota(a) => Some(*a),
            Op::Map(seqc_algebra::MapFn::Neg) => {
                match self.frames[at.depth].b.func().op(value.args[0]) {
                    Op::Iota(a) => Some(*a),
                    _ => None,
                }
            }
            _ => None,
        };
        if let (
            Some(Axis {
                size: Size::Len(clock),
                ..
            }),
            Some(most),
        ) = (iota, axis.size.constant())
        {
            let limit = Limit {
                clock: clock.as_str().to_owned(),
                most,
                span: pick.span,
            };
            if !self.limits.contains(&limit) {
                self.limits.push(limit);
            }
        }
    }
}

pub fn names(list: &[Name]) -> String {
    let all: Vec<&str> = list.iter().map(|n| n.text.as_str()).collect();
    all.join(" ")
}
