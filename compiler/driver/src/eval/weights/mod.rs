//! Weights that another implementation holds, under its names and in its layouts: a table says for each parameter
//! where it is found. `docs/eval.md` describes the table.
//!
//! [`table`] reads a table, [`pick`] says which entries of an outside tensor a line means and in which order. Nothing
//! is guessed: every parameter is given once, every entry of every outside tensor is used or named as not needed.

mod pick;
mod table;

use super::contract::{Given, Part, Slot};
use crate::engine::Sizes;
use crate::{Error, Result};
use pick::Picked;
use seqc_algebra::{Axis, Data, Elem};
use std::collections::BTreeMap;
pub use table::Table;
use table::{Entry, Factor, Line};

/// Names shown in one message, at most.
const SHOWN: usize = 8;

impl Table {
    /// The parameters among the wanted tensors, made of the outside ones.
    pub fn apply(
        &self,
        wanted: &[Slot],
        outside: &BTreeMap<String, Given>,
    ) -> Result<BTreeMap<String, Given>> {
        let wanted: Vec<&Slot> = wanted
            .iter()
            .filter(|s| s.part == Part::Parameter)
            .collect();
        self.all_given(&wanted)?;
        let mut used = Used::new(outside);
        let mut made = BTreeMap::new();
        for slot in wanted {
            if let Some((line, steps)) = self.line_of(slot)? {
                let entry = line.entry.with(&steps);
                let given = made_of(slot, &entry, outside, &mut used);
                let named = |e: String| self.error(line.number, &format!("`{}`: {e}", slot.name));
                made.insert(slot.name.clone(), given.map_err(named)?);
            }
        }
        self.all_used(&used)?;
        Ok(made)
    }

    fn error(&self, line: usize, why: &str) -> Error {
        Error::Other(format!("{}:{line}: {why}", self.name))
    }

    /// The line that gives a parameter, with the steps of its path that stand for the stars.
    fn line_of<'a>(&'a self, slot: &Slot) -> Result<Option<(&'a Line, Vec<String>)>> {
        let with = |l: &'a Line| stars(&l.path, &slot.name).map(|s| (l, s));
        let mut all = self.lines.iter().filter_map(with);
        let first = all.next();
        match (&first, all.next()) {
            (Some((a, _)), Some((b, _))) => Err(self.error(
                b.number,
                &format!(
                    "parameter `{}` is given here and in line {}; leave one",
                    slot.name, a.number
                ),
            )),
            _ => Ok(first),
        }
    }

    /// Every parameter has a line, every line a parameter.
    fn all_given(&self, wanted: &[&Slot]) -> Result<()> {
        let names = || wanted.iter().map(|s| s.name.as_str());
        let unmatched = |l: &&Line| !names().any(|n| stars(&l.path, n).is_some());
        if let Some(line) = self.lines.iter().find(unmatched) {
            let near = seqc_syntax::did_you_mean(&line.path, names());
            let near = near.map_or(String::new(), |n| format!("; is it `{n}`?"));
            let why = format!("the mixer has no parameter `{}`{near}", line.path);
            return Err(self.error(line.number, &why));
        }
        let bare: Vec<String> = wanted
            .iter()
            .filter(|s| !self.lines.iter().any(|l| stars(&l.path, &s.name).is_some()))
            .map(|s| format!("`{}` {}", s.name, s.layout(&Sizes::new())))
            .collect();
        match bare.is_empty() {
            true => Ok(()),
            false => Err(Error::Other(format!(
                "{}: no line gives {}; add a line for each",
                self.name,
                shown(&bare)
            ))),
        }
    }

    /// No entry of an outside tensor is left over, but of those that the table names as unused.
    fn all_used(&self, used: &Used) -> Result<()> {
        for pattern in &self.unused {
            let named = (used.all.iter()).filter(|(n, _)| stars(pattern, n).is_some());
            let named: Vec<_> = named.collect();
            let why = match named.iter().find(|(_, u)| u.contains(&true)) {
                Some((name, _)) => format!("a line uses `{name}`"),
                None if named.is_empty() => "there is no such tensor".into(),
                None => continue,
            };
            let why = format!("`unused` names `{pattern}`, but {why}");
            return Err(self.error(self.line_with(pattern), &why));
        }
        let spare = |n: &str| self.unused.iter().any(|p| stars(p, n).is_some());
        let mut left = vec![];
        for (name, entries) in used.all.iter().filter(|(n, _)| !spare(n)) {
            match entries.iter().filter(|u| !**u).count() {
                0 => {}
                n if n == entries.len() => left.push(format!("`{name}`")),
                n => left.push(format!("{n} of the {} entries of `{name}`", entries.len())),
            }
        }
        match left.is_empty() {
            true => Ok(()),
            false => Err(Error::Other(format!(
                "{}: no line uses {}; add lines, or name the tensors in `unused`",
                self.name,
                shown(&left)
            ))),
        }
    }
}

fn shown(all: &[String]) -> String {
    let mut text = all[..all.len().min(SHOWN)].join(", ");
    if all.len() > SHOWN {
        text += &format!(" and {} more", all.len() - SHOWN);
    }
    text
}

/// The steps of a path that stand for the stars of a pattern, if it is such a path.
fn stars(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (want, have): (Vec<&str>, Vec<&str>) =
        (pattern.split('.').collect(), path.split('.').collect());
    let fits = want.len() == have.len() && want.iter().zip(&have).all(|(w, h)| *w == "*" || w == h);
    let steps = want.iter().zip(have).filter(|(w, _)| **w == "*");
    fits.then(|| steps.map(|(_, h)| h.to_owned()).collect())
}

/// Which entries of the outside tensors were used.
struct Used<'a> {
    all: BTreeMap<&'a str, Vec<bool>>,
}

impl<'a> Used<'a> {
    fn new(outside: &'a BTreeMap<String, Given>) -> Used<'a> {
        let none = |g: &Given| vec![false; g.shape.iter().product()];
        Used {
            all: outside.iter().map(|(n, g)| (n.as_str(), none(g))).collect(),
        }
    }

    fn mark(&mut self, name: &str, at: &[usize]) {
        if let Some(entries) = self.all.get_mut(name) {
            at.iter().for_each(|k| entries[*k] = true);
        }
    }
}

/// A parameter as its line says.
fn made_of(
    slot: &Slot,
    entry: &Entry,
    outside: &BTreeMap<String, Given>,
    used: &mut Used,
) -> std::result::Result<Given, String> {
    let sizes: Vec<(String, usize)> = slot.axes.iter().map(sized).collect();
    let shape: Vec<usize> = sizes.iter().map(|(_, n)| *n).collect();
    let mut data = match (&entry.from, entry.value) {
        (Some(from), None) => {
            let (first, picked) = found(from, entry, &sizes, outside)?;
            used.mark(from, &picked.at);
            let mut data: Vec<f64> = picked.at.iter().map(|k| first[*k]).collect();
            if let Some(plus) = &entry.plus {
                let (second, picked) = found(plus, entry, &sizes, outside)?;
                used.mark(plus, &picked.at);
                let more = data.iter_mut().zip(&picked.at);
                more.for_each(|(x, k)| *x += second[*k]);
            }
            data
        }
        (None, Some(value)) => vec![value; shape.iter().product()],
        _ => return Err("give `from` or `value`, one of the two".into()),
    };
    apply(&mut data, entry.scale.as_ref(), &sizes, |x, f| x * f)?;
    apply(&mut data, entry.add.as_ref(), &sizes, |x, f| x + f)?;
    Ok(Given {
        dtype: "F64".into(),
        elem: Elem::Real,
        shape,
        data: Data::Real(data),
    })
}

fn sized(a: &Axis) -> (String, usize) {
    (a.name.to_string(), a.size.constant().unwrap_or(0))
}

/// An outside tensor's numbers, and which of them the line means.
fn found<'a>(
    name: &str,
    entry: &Entry,
    sizes: &[(String, usize)],
    outside: &'a BTreeMap<String, Given>,
) -> std::result::Result<(&'a [f64], Picked), String> {
    let Some(given) = outside.get(name) else {
        let near = seqc_syntax::did_you_mean(name, outside.keys().map(String::as_str));
        let near = near.map_or(String::new(), |n| format!("; is it `{n}`?"));
        return Err(format!("the weights have no tensor `{name}`{near}"));
    };
    let Data::Real(data) = &given.data else {
        return Err(format!(
            "tensor `{name}` holds {}: real numbers are wanted",
            given.dtype
        ));
    };
    let picked = Picked::of(&given.shape, entry, sizes);
    let shape = |e| format!("tensor `{name}` of shape {:?}: {e}", given.shape);
    Ok((data, picked.map_err(shape)?))
}

/// Numbers changed by one factor, or by one for each position of an axis.
fn apply(
    data: &mut [f64],
    factor: Option<&Factor>,
    sizes: &[(String, usize)],
    f: impl Fn(f64, f64) -> f64,
) -> std::result::Result<(), String> {
    match factor {
        None => {}
        Some(Factor::All(x)) => data.iter_mut().for_each(|y| *y = f(*y, *x)),
        Some(Factor::Along(by)) => {
            for (axis, list) in by {
                let k = pick::axis(axis, sizes)?;
                let n = sizes[k].1;
                if list.len() != n {
                    return Err(format!("{} numbers for the {n} of `{axis}`", list.len()));
                }
                let inner: usize = sizes[k + 1..].iter().map(|s| s.1).product();
                let each = data.iter_mut().enumerate();
                each.for_each(|(at, y)| *y = f(*y, list[at / inner % n]));
            }
        }
    }
    Ok(())
}
