//! The report as text.

use super::{Place, Report};
use std::fmt::Write;

/// Numbers as people read them: three digits and a magnitude.
fn short(x: f64) -> String {
    for (unit, size) in [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)] {
        if x >= size {
            return format!("{:.3}{unit}", x / size);
        }
    }
    format!("{x:.0}")
}

/// The line that a remark speaks of, unless it is the one just shown.
fn at<'r>(p: &'r Option<Place>, last: &mut Option<&'r Place>) -> String {
    match (p, &last) {
        (Some(p), Some(q)) if (&p.file, p.line) == (&q.file, q.line) => String::new(),
        (Some(p), _) => {
            *last = Some(p);
            format!("\n        {}:{}: {}", p.file, p.line, p.text)
        }
        (None, _) => String::new(),
    }
}

/// The whole report; ends in a newline.
pub fn render(r: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, r);
    let _ = equations(&mut out, r);
    let _ = forms(&mut out, r);
    let _ = generation(&mut out, r);
    let _ = parameters(&mut out, r);
    for w in &r.warnings {
        let _ = writeln!(out, "warning: {w}");
    }
    out
}

fn head(out: &mut String, r: &Report) -> std::fmt::Result {
    let kind = if r.model { "model" } else { "mixer" };
    let settings: Vec<String> = r
        .settings
        .iter()
        .map(|(n, v)| format!("{n} = {v}"))
        .collect();
    writeln!(out, "{kind} {} ({})", r.name, settings.join(", "))?;
    let mut class = vec![r.class.to_owned()];
    class.extend(r.qualities.iter().cloned());
    writeln!(out, "class: {}", class.join(", "))?;
    for o in &r.outputs {
        let looks: Vec<String> = o
            .looks
            .iter()
            .map(|(k, l)| format!("{l} along {k}"))
            .collect();
        writeln!(out, "output {}: {}", o.name, looks.join(", "))?;
    }
    Ok(())
}

fn equations(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(out, "\nequations in time:")?;
    if r.equations.is_empty() {
        writeln!(out, "  none: every output is pointwise in time")?;
    }
    for q in &r.equations {
        let backward = if q.backward {
            ", from the end to the start"
        } else {
            ""
        };
        let fixed = if q.time_invariant {
            ", time-invariant"
        } else {
            ""
        };
        let layers = match q.layers {
            1 => String::new(),
            n => format!(" in {n} layers"),
        };
        writeln!(
            out,
            "  {} `{}`{layers}: {}{backward}{fixed}; forms: {}",
            q.kind,
            q.names.join(", "),
            q.class,
            q.forms.join(", ")
        )?;
        let mut last = None;
        for w in &q.why {
            writeln!(out, "      {}{}", w.text, at(&w.at, &mut last))?;
        }
        for m in &q.missing {
            writeln!(
                out,
                "    no {} form: {}{}",
                m.form,
                m.why,
                at(&m.at, &mut last)
            )?;
        }
    }
    Ok(())
}

fn forms(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "\ncost of one sequence of length T (multiply-add = 2; chunks of {}, tiles of {} x {}; T/C for the number of chunks):",
        r.chunk, r.tile[0], r.tile[1]
    )?;
    for f in &r.forms {
        writeln!(out, "  {}", f.form)?;
        writeln!(out, "    FLOPs  {}", f.flops)?;
        writeln!(out, "           of them in products: {}", f.products)?;
        writeln!(out, "    bytes  {}", f.bytes)?;
        for a in &f.at {
            writeln!(
                out,
                "    T = {:<6} {:>9} FLOPs  {:>9}B  {:.1} FLOPs a byte",
                a.length,
                short(a.flops),
                short(a.bytes),
                a.intensity
            )?;
        }
    }
    for c in &r.crossovers {
        writeln!(
            out,
            "  {} takes fewer operations than {} from T = {}",
            c.less, c.more, c.from
        )?;
    }
    Ok(())
}

fn generation(out: &mut String, r: &Report) -> std::fmt::Result {
    match &r.generation {
        Ok(g) => {
            writeln!(out, "\ngeneration, one step:")?;
            writeln!(out, "  state  {} bytes", g.state_bytes)?;
            if g.bytes_per_token > 0.0 {
                writeln!(
                    out,
                    "         grows by {} bytes a token; N is the number of positions kept",
                    g.bytes_per_token
                )?;
            }
            writeln!(out, "  FLOPs  {}", g.flops)?;
            match g.flops_once.as_str() {
                "0" => Ok(()),
                once => writeln!(out, "         and {once} once, before the first step"),
            }
        }
        Err(why) => writeln!(out, "\nno generation: {why}"),
    }
}

fn parameters(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(out, "\nparameters: {}", r.parameter_count)?;
    for p in &r.parameters {
        let shape: Vec<String> = p.shape.iter().map(|(a, n)| format!("{a}={n}")).collect();
        let complex = if p.complex { " complex" } else { "" };
        writeln!(out, "  {}: {{{}}}{complex}", p.path, shape.join(", "))?;
    }
    Ok(())
}
