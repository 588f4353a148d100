//! What `explain` says, held to the spec: every name that a reason quotes stands in the mixer's own text, every line that
//! it shows is that of an equation of it, and nothing is said together with its contrary.

use seqc_driver::explain::{Place, Report, TimeEquation, documented, reasons, report};
use seqc_driver::frontend::{Source, open};
use seqc_driver::passes::Shapes;
use seqc_hir::stdlib;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Words of the language that an expression may have though the spec spells it otherwise.
const WORDS: &str = "and or not where seq per t len inf exp log sqrt abs expm1 log1p sin cos tanh erf sigmoid logsigmoid \
    softplus relu silu elu gelu floor ceil sign bitlen re im conj stop max min xor hash select sum mean prod softmax \
    logsumexp argmax argmin top linear affine range stack onehot shift reverse block patch unpatch i 1i";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files() -> Vec<PathBuf> {
    let mut all = vec![];
    for folder in [
        "stdlib",
        "tests/novel",
        "tests/specs",
        "tests/faults",
        "examples",
    ] {
        let inside = std::fs::read_dir(root().join(folder)).into_iter().flatten();
        let specs = inside.filter_map(|f| Some(f.ok()?.path()));
        all.extend(specs.filter(|p| p.extension().is_some_and(|e| e == "seq")));
    }
    all.sort();
    all
}

fn faults(name: &str) -> Source {
    open(&root().join("tests/faults").join(name)).unwrap_or_else(|e| panic!("{e}"))
}

fn explained(source: &Source, item: &str) -> Report {
    let e = source.elaborate(item, &[]);
    let e = e.unwrap_or_else(|e| panic!("{item}: {e}"));
    report(source, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{item}: {e}"))
}

/// Calls `each` with every mixer that elaborates: its name, its equations, and its own text with all that it reaches.
fn every(mut each: impl FnMut(&str, &[TimeEquation], &str)) {
    for file in files() {
        let Ok(source) = open(&file) else { continue };
        for (item, _) in source.items() {
            let (Ok(e), Ok(own)) = (source.elaborate(&item, &[]), source.inline(&item, &[])) else {
                continue;
            };
            let all = reasons(&source, &e).unwrap_or_else(|e| panic!("{item}: {e}"));
            each(&item, &all, &own.text);
        }
    }
}

/// Everything that is said of an equation: reasons, then what is missing.
fn said(q: &TimeEquation) -> Vec<&str> {
    let why = q.why.iter().map(|w| w.text.as_str());
    why.chain(q.missing.iter().map(|m| m.why.as_str()))
        .collect()
}

/// The lines that are shown with it.
fn shown(q: &TimeEquation) -> Vec<&Place> {
    let why = q.why.iter().filter_map(|w| w.at.as_ref());
    why.chain(q.missing.iter().filter_map(|m| m.at.as_ref()))
        .collect()
}

/// The names in a text.
fn names(text: &str) -> HashSet<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !inside(c))
        .filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic()))
        .collect()
}

#[test]
fn every_quoted_name_stands_in_the_mixers_text() {
    let words = names(WORDS);
    let (mut wrong, mut quoted) = (vec![], 0);
    every(|item, equations, own| {
        let known = names(own);
        for text in equations.iter().flat_map(said) {
            for part in text.split('`').skip(1).step_by(2) {
                quoted += 1;
                let strange = names(part);
                let mut strange = strange
                    .iter()
                    .filter(|n| !known.contains(*n) && !words.contains(*n));
                if let Some(n) = strange.next() {
                    wrong.push(format!("{item}: `{n}` in: {text}"));
                }
            }
        }
    });
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(quoted > 300, "{quoted}");
}

/// A line that is shown of a recurrence, first, defines what the recurrence is called.
#[test]
fn the_line_shown_is_that_of_the_equation() {
    let (mut wrong, mut seen) = (vec![], 0);
    every(|item, equations, _| {
        for q in equations.iter().filter(|q| q.kind == "recurrence") {
            let Some(place) = shown(q).first().copied() else {
                continue;
            };
            seen += 1;
            let left = names(place.text.split('=').next().unwrap_or_default());
            let mut own = q.names.iter().map(|n| n.rsplit('.').next().unwrap_or(n));
            if !own.any(|n| left.contains(n)) {
                wrong.push(format!("{item}: {:?} at: {}", q.names, place.text));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "{seen}");
}

/// Of the same mixer, a fact and its contrary.
const CONTRARIES: &[(&str, &str)] = &[
    ("are sums of products", "are not sums of products"),
    ("linear in its state", "not linear in its state"),
    ("no data enters", "computed from the sequence"),
];

#[test]
fn a_fact_and_its_contrary_are_never_both_said() {
    every(|item, equations, _| {
        for q in equations {
            let all = said(q);
            for (yes, no) in CONTRARIES {
                let both = all.iter().any(|t| t.contains(yes) && !t.contains(no))
                    && all.iter().any(|t| t.contains(no));
                assert!(!both, "{item}: {all:?}");
            }
        }
    });
}

#[test]
fn what_was_false_is_true() {
    let s = faults("false_reasons.seq");
    let r = explained(&s, "outer");
    let q = &r.equations[0];
    let line = q.why[0].at.as_ref().expect("a line").text.clone();
    assert_eq!(line, "y[t] = exp(-r) * y[t-1] + x");
    let decay = q.why.iter().find(|w| w.text.contains("decay"));
    assert!(
        decay.is_some_and(|w| w.text.contains("`exp(-r)`")),
        "{:?}",
        q.why
    );
    let not = |item: &str, quality: &str| {
        let r = explained(&s, item);
        assert!(
            !r.qualities.iter().any(|x| x == quality),
            "{item}: {:?}",
            r.qualities
        );
    };
    not("not_time_invariant", "time-invariant");
    not("weighed_by_time", "time-invariant");
    let class = |item: &str| explained(&s, item).class;
    assert_eq!(class("low_rank_and_not"), "pairwise");
    assert_eq!(class("called_an_objective"), "reduction");
    assert_eq!(class("centred"), "reduction");
    assert_eq!(class("shifted"), "short kernel");
    assert_ne!(class("mirrored"), "pointwise");
    for item in ["centred", "shifted", "mirrored"] {
        assert!(!explained(&s, item).equations.is_empty(), "{item}");
    }
    for q in &explained(&s, "twice").equations {
        let at = q.why[0].at.as_ref().expect("a line");
        assert_eq!(at.text, "y[t] = exp(-r) * y[t-1] + x");
    }
}

#[test]
fn a_wrong_class_is_found_by_whatever_looks() {
    let wrong = documented(&faults("wrong_class_comment.seq"));
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].code, "E23");
    for path in stdlib::paths() {
        let text = stdlib::text(path).expect("a text");
        let s = seqc_driver::frontend::of_text(path, text).unwrap_or_else(|e| panic!("{e}"));
        let wrong: Vec<String> = documented(&s).iter().map(|d| d.message.clone()).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:?}");
    }
}
