//! `linear(x, a -> b, per h)` and `affine`: weights declared by use.
//!
//! The weight's axes are per, left, right, in the order written; an axis on both sides is on the right a further
//! copy of it (`k'`). Without `weight = …` it starts normal with standard deviation 1 / sqrt(entries of left),
//! the bias at 0. Paths: `weight` and `bias` below the line's label or target.

use crate::elab::{Elab, plain};
use crate::param::Spec;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Init, MapFn, Num, Op};
use seqc_syntax::ast::{Arg, AxisMap, Call, Expr, Name};
use seqc_syntax::{Diagnostic, Span};

struct Parts<'p> {
    x: &'p Expr,
    map: &'p AxisMap,
    per: &'p [Name],
    weight: Option<&'p Expr>,
    bias: Option<&'p Expr>,
}

pub fn linear<'p>(el: &mut Elab<'p>, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
    let affine = c.name.text == "affine";
    let parts = parts(el, c, affine, span)?;
    let x = el.eval_dyn(s, parts.x)?;
    let mut left = Vec::new();
    for n in &parts.map.from {
        left.extend(el.need_axis(s, n, &x, "`linear`")?);
    }
    once(el, parts.map.from.iter().chain(parts.per))?;
    let mut per = Vec::new();
    for n in parts.per {
        per.extend(el.need_axis(s, n, &x, "`per`")?);
    }
    let right = el.new_axes(s, &parts.map.to)?;
    let kept = |a: &Axis| !left.iter().any(|l| l.name == a.name);
    if let Some(twice) = right
        .iter()
        .find(|a| el.features(&x).iter().any(|b| b.name == a.name && kept(b)))
    {
        let name = plain(twice.name.as_str());
        let d = Diagnostic::error(
            "E12",
            format!(
                "`{}` would give `{name}` twice: the argument keeps its own",
                el_map(parts.map)
            ),
            parts.map.span,
        );
        el.report(d.help(format!(
            "sum over `{name}` too, or use a second copy, `{name}'`"
        )));
        return None;
    }
    // On the right, an axis that is summed as well is another copy of itself.
    let copies: Vec<Axis> = right
        .iter()
        .map(|a| {
            if left.iter().any(|l| l.name == a.name) {
                a.renamed(&format!("{}'", a.name))
            } else {
                *a
            }
        })
        .collect();
    let axes: Vec<Axis> = per.iter().chain(&left).chain(&copies).copied().collect();
    let fan = el.volume(&left, span)?.max(1);
    let start = Init::Normal {
        std: Num(1.0 / (fan as f64).sqrt()),
    };
    let spec = Spec {
        name: "weight",
        axes: &axes,
        init: parts.weight,
        default: start,
        table: true,
        span,
    };
    let w = el.param(s, &s.home_of(c), spec)?;
    let mut out = el.emit(Op::Contract(left), &[&x, &w], span)?;
    for (copy, own) in copies.iter().zip(&right) {
        out = el.rename_if(&out, *copy, *own, span)?;
    }
    if affine {
        let axes: Vec<Axis> = per.iter().chain(&right).copied().collect();
        let spec = Spec {
            name: "bias",
            axes: &axes,
            init: parts.bias,
            default: Init::Const(Num(0.0)),
            table: false,
            span,
        };
        let b = el.param(s, &s.home_of(c), spec)?;
        out = el.map2(MapFn::Add, &out, &b, span)?;
    }
    Some(out)
}

fn parts<'p>(el: &mut Elab<'p>, c: &'p Call, affine: bool, span: Span) -> Option<Parts<'p>> {
    let usage = format!("{}(x, a -> b)", c.name.text);
    let (mut x, mut map, mut per, mut weight, mut bias) = (None, None, &[][..], None, None);
    let mut ok = c.group.is_empty();
    for a in &c.args {
        match a {
            Arg::Positional(e) if x.is_none() => x = Some(e),
            Arg::Map(m) if map.is_none() => map = Some(m),
            Arg::Per { axes, .. } if per.is_empty() => per = axes.as_slice(),
            Arg::Named { name, value, .. } if name.text == "weight" && weight.is_none() => {
                weight = Some(value)
            }
            Arg::Named { name, value, .. } if name.text == "bias" && bias.is_none() && affine => {
                bias = Some(value)
            }
            Arg::Named { name, .. } => {
                let known = if affine { "weight, bias" } else { "weight" };
                let d = Diagnostic::error(
                    "E24",
                    format!(
                        "`{}` has no setting `{}`; it has {known}",
                        c.name.text, name.text
                    ),
                    name.span,
                );
                el.report(d.help(
                    format!("to say how it starts: `{known} = normal(…)`").replace(", bias", ""),
                ));
                return None;
            }
            _ => ok = false,
        }
    }
    match (x, map) {
        (Some(x), Some(map)) if ok => Some(Parts {
            x,
            map,
            per,
            weight,
            bias,
        }),
        _ => {
            let d = Diagnostic::error(
                "E28",
                format!("`{}` takes a value and a map of axes", c.name.text),
                span,
            );
            el.report(d.help(format!("write `{usage}`")));
            None
        }
    }
}

/// E12: an axis is either summed (left of the arrow) or keeps a block for each position (`per`), and only once.
fn once<'a>(el: &mut Elab, names: impl Iterator<Item = &'a Name>) -> Option<()> {
    let mut seen: Vec<&Name> = Vec::new();
    for n in names {
        if let Some(old) = seen.iter().find(|o| o.text == n.text) {
            let d = Diagnostic::error("E12", format!("`{}` is named twice", n.text), n.span);
            let d = d.secondary(old.span, "the first");
            el.report(
                d.help("left of `->` is what is summed, behind `per` what keeps blocks of its own"),
            );
            return None;
        }
        seen.push(n);
    }
    Some(())
}

fn el_map(map: &AxisMap) -> String {
    format!(
        "{} -> {}",
        crate::axes::names(&map.from),
        crate::axes::names(&map.to)
    )
}

impl Elab<'_> {
    pub fn rename_if(&mut self, v: &Dyn, from: Axis, to: Axis, span: Span) -> Option<Dyn> {
        if from == to {
            Some(v.clone())
        } else {
            self.rename(v, from, to, span)
        }
    }
}
