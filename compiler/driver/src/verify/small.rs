//! Small sizes for a certificate: a form is as wrong at width 8 as at width 512, and the definition, dense and in f64,
//! is run at every length. Sizes at which a mixer that is sound divides by 0 are passed over.
//!
//! Free sizes take the smallest value for which the header's defaults are whole; settings that are sizes of axes
//! (not those that bound the length) take a smaller one. What was set by hand stays.

use super::draw::Draw;
use super::subject::Subject;
use crate::frontend::Source;
use crate::{Error, Result, other};
use seqc_algebra::{Op, Size, run};
use seqc_hir::Elaborated;

/// Sizes tried, in order: first those that fill no vector, so that tails are met.
const WIDTHS: [usize; 11] = [6, 12, 24, 8, 16, 32, 48, 60, 64, 96, 128];
/// Steps that tell whether sizes make sense.
const STEPS: usize = 4;
/// Larger axes are made smaller.
const WIDE: usize = 16;

type Settings = Vec<(String, String)>;

/// The item at small sizes, with all sizes and settings that it has then.
pub fn small(
    source: &Source,
    item: &str,
    set: &[(String, String)],
) -> Result<(Elaborated, Settings)> {
    let mut set = set.to_vec();
    let mut e = source.elaborate(item, &set)?;
    let own = source.settings_of(item);
    let free: Vec<String> = (e.settings.iter())
        .map(|(n, _)| n.clone())
        .filter(|n| !own.contains(n) && set.iter().all(|(k, _)| k != n))
        .collect();
    if !free.is_empty() {
        for w in WIDTHS {
            let tried: Settings = [
                set.clone(),
                free.iter().map(|n| (n.clone(), w.to_string())).collect(),
            ]
            .concat();
            if let Ok(smaller) = source.elaborate(item, &tried)
                && no_shorter(&e, &smaller)
                && is_sound(&smaller)
            {
                (e, set) = (smaller, tried);
                break;
            }
        }
    }
    for name in own {
        let Some(size) = width(&e, &name).filter(|n| *n > WIDE) else {
            continue;
        };
        if set.iter().any(|(k, _)| *k == name) {
            continue;
        }
        for w in WIDTHS.into_iter().filter(|w| *w < size) {
            let mut tried = set.clone();
            tried.push((name.clone(), w.to_string()));
            if let Ok(smaller) = source.elaborate(item, &tried)
                && no_shorter(&e, &smaller)
                && is_sound(&smaller)
            {
                (e, set) = (smaller, tried);
                break;
            }
        }
    }
    let all = e
        .settings
        .iter()
        .map(|(n, s)| (n.clone(), s.to_string()))
        .collect();
    Ok((e, all))
}

/// The size of the axis of a setting's name, if there is one.
fn width(e: &Elaborated, name: &str) -> Option<usize> {
    let axes = (e.func.values.iter())
        .filter(|v| !matches!(v.op, Op::Const(_)))
        .flat_map(|v| &v.ty.axes);
    axes.into_iter().find_map(|a| match a.size {
        Size::Const(n) if a.name.as_str() == name => Some(n),
        _ => None,
    })
}

/// Has the mixer finite numbers at these sizes? A mean over groups that have shrunk to one position may divide by 0.
fn is_sound(e: &Elaborated) -> bool {
    let finite = || {
        let subject = Subject::new(e)?;
        let sizes = subject.sizes(STEPS, 1);
        let given = subject.given(&sizes, Draw::Plain)?;
        let made =
            run(&subject.gradient()?, &given, &sizes).map_err(|e| other(&subject.name, e))?;
        Ok::<bool, Error>(!subject.allows(&sizes) || made.iter().all(|(_, t)| t.is_finite()))
    };
    finite().unwrap_or(true)
}

/// Has the smaller one meaning at all lengths that the other has?
fn no_shorter(e: &Elaborated, smaller: &Elaborated) -> bool {
    (smaller.limits.iter()).all(|l| {
        e.limits
            .iter()
            .any(|k| k.clock == l.clock && k.most <= l.most)
    })
}
