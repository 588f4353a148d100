//! Causal programs that go step by step no further: what is missing, at its place.

use crate::build;
use crate::frontend::Source;
use crate::passes::{Shapes, Stepped};
use seqc_derive::words::written;
use seqc_hir::{Elaborated, Look};
use seqc_syntax::{Diagnostic, Span};

/// Beyond so many operations it is building that says it: checking stays quick.
const MOST: usize = 20_000;

/// A warning for each item of a file that is causal and has no step, no prefill or no resume.
pub fn stepless(source: &Source) -> Vec<Diagnostic> {
    let all = source.items().into_iter();
    all.filter_map(|(item, _)| of_item(source, &item)).collect()
}

fn of_item(source: &Source, item: &str) -> Option<Diagnostic> {
    // What is wrong otherwise is said otherwise.
    let e = source.elaborate(item, &[]).ok()?;
    let why = why(&e)?;
    let why = why.trim_start_matches("no step form: ");
    let d = Diagnostic::warning(
        "N01",
        format!("a step of `{item}` is not built yet: {why}"),
        place(&e, why),
    );
    Some(d.note("its other forms are; states and `generate` are refused"))
}

/// What keeps a causal program from going step by step.
fn why(e: &Elaborated) -> Option<String> {
    let stepped =
        |c: &seqc_hir::Causality| c.clock.as_deref() == Some("t") && c.own() == Look::Causal;
    if e.func.values.len() > MOST || !e.causality.iter().all(stepped) {
        return None;
    }
    let outputs = build::outputs(e).ok()?;
    let shapes = Shapes::cpu();
    let laws = Stepped::of(&outputs, &shapes, &mut vec![]).and_then(|f| f.laws());
    laws.err().map(|e| e.to_string())
}

/// The line of the first name of the spec that the reason quotes, else that of an output.
fn place(e: &Elaborated, why: &str) -> Span {
    let quoted = why.split('`').skip(1).step_by(2);
    let outputs = e.outputs.iter().map(String::as_str);
    let mut spans = quoted.chain(outputs).filter_map(|n| named(e, n));
    spans.next().unwrap_or_default()
}

/// Where a name is defined, in the mixer itself or in what it calls: reasons quote names as they are written.
fn named(e: &Elaborated, name: &str) -> Option<Span> {
    let same = e.spans.iter().filter(|(path, _)| written(path) == name);
    let inside = || same.min_by_key(|(path, _)| path.as_str()).map(|(_, s)| s);
    e.spans.get(name).or_else(inside).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend;

    /// States for each tick, which every tick changes otherwise, are kept for ticks only.
    #[test]
    fn what_has_no_step_is_said_at_its_place() {
        let text = "seq 1

mixer ticks(x: seq{d}; d = 4, p = 2) -> y: seq{d} {
    c = mean[p](patch[p](x))
    state K[j]{d} = c[j]
    K[t,j] = tanh(K[t-1,j]) - c * sum[d](c * K[t-1,j])
    M[i,j] = sum[d](c[i] * K[i,j])  where j <= i
    z = sum[j](M[t,j] * c[j])
    w = z[t-1]
    y = unpatch[p](stack[p](w, 2 * w))
}

mixer plain(x: seq{d}; d = 4) -> y: seq{d} {
    y = x + x[t-1]
}
";
        let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
        let said = stepless(&source);
        let [d] = said.as_slice() else {
            panic!("{said:?}");
        };
        assert!(d.code == "N01" && !d.is_error(), "{d:?}");
        assert!(
            d.message.contains("step of `ticks`") && d.message.contains("`K`"),
            "{d:?}"
        );
        let at = source.map.text(d.primary.span.file);
        assert!(
            at[d.primary.span.start as usize..].starts_with("K["),
            "{d:?}"
        );
    }
}
