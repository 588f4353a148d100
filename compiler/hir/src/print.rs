//! The dump behind `--emit=hir`: settings, types of names, parameters, reach. Stable text.

use crate::elaborate::Elaborated;
use seqc_algebra::{Axis, Elem, InputKind, Size};
use std::fmt::Write;

/// A mixer after name, axis and size resolution.
pub fn print_hir(e: &Elaborated) -> String {
    let mut out = String::new();
    let kind = if e.model { "model" } else { "mixer" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{kind} {}", e.name);
    section(
        &mut out,
        "settings",
        e.settings.iter().map(|(n, v)| format!("{n} = {v}")),
    );
    section(
        &mut out,
        "values",
        e.types.iter().map(|(n, t)| format!("{n}: {t}")),
    );
    section(&mut out, "parameters", parameters(e));
    section(
        &mut out,
        "results",
        e.func
            .results
            .iter()
            .map(|(n, v)| format!("{n}: {}", axes(&e.func.ty(*v).axes))),
    );
    section(
        &mut out,
        "reach",
        e.causality.iter().flat_map(|c| {
            c.looks
                .iter()
                .map(|(k, l)| format!("{} along {k}: {l}", c.output))
                .collect::<Vec<_>>()
        }),
    );
    section(
        &mut out,
        "limits",
        e.limits
            .iter()
            .map(|l| format!("{} <= {}", l.clock, l.most)),
    );
    if let Some((class, _)) = &e.class {
        let _ = writeln!(out, "documented class: {class}");
    }
    out
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for l in lines {
        let _ = writeln!(out, "    {l}");
    }
}

fn parameters(e: &Elaborated) -> impl Iterator<Item = String> + '_ {
    e.func.params.iter().filter_map(|id| {
        let input = e.func.input(*id)?;
        let InputKind::Param { init, decay } = &input.kind else {
            return None;
        };
        let ty = e.func.ty(*id);
        let complex = if ty.elem == Elem::Complex {
            " complex"
        } else {
            ""
        };
        let decay = if *decay { ", decays" } else { "" };
        Some(format!(
            "{}: {}{complex} = {}{decay}",
            input.name,
            axes(&ty.axes),
            init_text(init)
        ))
    })
}

fn init_text(init: &seqc_algebra::Init) -> String {
    use seqc_algebra::Init::*;
    match init {
        Const(x) => x.0.to_string(),
        Normal { std } => format!("normal({:.4})", std.0),
        Uniform { lo, hi } => format!("uniform({:.4}, {:.4})", lo.0, hi.0),
        LogUniform { lo, hi } => format!("log_uniform({:.4}, {:.4})", lo.0, hi.0),
        Coord(a) => format!("range({})", a.name),
        Apply(f, args) => {
            let args: Vec<String> = args.iter().map(init_text).collect();
            format!("{}({})", format!("{f:?}").to_lowercase(), args.join(", "))
        }
    }
}

fn axes(list: &[Axis]) -> String {
    let shown: Vec<String> = list
        .iter()
        .map(|a| match a.size {
            Size::Const(n) => format!("{}={n}", a.name),
            _ => a.name.as_str().to_owned(),
        })
        .collect();
    format!("{{{}}}", shown.join(", "))
}
