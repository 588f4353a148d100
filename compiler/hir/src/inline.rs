//! One file that says everything: a mixer or model, its recipe, and every mixer that they reach, without imports.
//!
//! The text of each item is taken as written, so that comments and spellings survive; only names of mixers change,
//! and only where two mixers of different files share one (the later reached gets its file's name behind its own),
//! or where a mixer's name would hide a built-in function from a file that means the function. Since a mixer's name
//! is part of the paths of its parameters, a renamed mixer's parameters have other paths than in the original.
//! Invariant: the result checks and elaborates to the same program, those paths aside.

mod refs;

use crate::program::Program;
use crate::stat::Stat;
use refs::Refs;
use seqc_syntax::ast::ItemKind;
use seqc_syntax::{Diagnostic, SourceMap, Span, format_source};
use std::collections::{BTreeMap, HashSet};

/// A file by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inlined {
    /// Formatted.
    pub text: String,
    /// What the item is called there.
    pub name: String,
    /// The given settings; those that name a mixer name it as the text does.
    pub settings: Vec<(String, String)>,
}

/// Gathers `item` (a mixer or model of the loaded file, see [`crate::load`]) with what it and the mixers given as
/// settings reach. Errors: E03 if the file has no such item.
pub fn inline(
    map: &SourceMap,
    program: &Program,
    item: &str,
    settings: &[(String, String)],
) -> Result<Inlined, Vec<Diagnostic>> {
    let own = program.own();
    let root = own
        .into_iter()
        .find(|i| program.mixer(*i).name.text == item);
    let Some(root) = root else {
        return Err(vec![crate::elaborate::no_item(program, item)]);
    };
    let given = |text: &str| match Stat::parse(text) {
        None => program.lookup(0, text),
        Some(_) => None,
    };
    let named = settings.iter().filter_map(|(_, text)| given(text));
    let reached = reach(program, std::iter::once(root).chain(named));
    let names = names(map, program, &reached);
    let mut text = "seq 1\n".to_owned();
    for (id, refs) in &reached {
        let place = program.items[*id];
        let span = program.modules[place.module].ast.items[place.item].span;
        let own = (program.mixer(*id).name.span, *id);
        text.push_str(&renamed(
            map,
            span,
            refs.mixers.iter().copied().chain([own]),
            &names,
        ));
        if *id == root {
            text.push_str(&recipe(map, program, item, root, &names));
        }
    }
    let settings = settings.iter().map(|(k, v)| {
        let v = given(v).and_then(|id| names.get(&id)).unwrap_or(v);
        (k.clone(), v.clone())
    });
    Ok(Inlined {
        text: format_source(&text)?,
        name: names[&root].clone(),
        settings: settings.collect(),
    })
}

/// Every mixer that the roots reach, with its references, in the order in which a reader meets them.
fn reach(program: &Program, roots: impl Iterator<Item = usize>) -> Vec<(usize, Refs)> {
    let mut queue: Vec<usize> = roots.collect();
    let mut done: Vec<(usize, Refs)> = Vec::new();
    let mut next = 0;
    while next < queue.len() {
        let id = queue[next];
        next += 1;
        if done.iter().any(|(d, _)| *d == id) {
            continue;
        }
        let refs = Refs::of(program, id);
        queue.extend(refs.mixers.iter().map(|(_, to)| *to));
        done.push((id, refs));
    }
    done
}

/// A name for each mixer: its own, unless that is taken or is a built-in that some other item calls.
fn names(map: &SourceMap, program: &Program, reached: &[(usize, Refs)]) -> BTreeMap<usize, String> {
    let functions: HashSet<&str> = reached
        .iter()
        .flat_map(|(_, r)| r.functions.iter().map(String::as_str))
        .collect();
    let mut words: HashSet<String> = HashSet::new();
    for (id, _) in reached {
        let place = program.items[*id];
        let span = program.modules[place.module].ast.items[place.item].span;
        let text = map.slice(span);
        words.extend(
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map(str::to_owned),
        );
    }
    let mut out: BTreeMap<usize, String> = BTreeMap::new();
    let mut taken: HashSet<String> = HashSet::new();
    for (id, _) in reached {
        let plain = &program.mixer(*id).name.text;
        let mut name = plain.clone();
        if taken.contains(plain) || functions.contains(plain.as_str()) {
            let stem = stem(&program.modules[program.items[*id].module].name);
            let told = std::iter::once(format!("{plain}_{stem}"))
                .chain((2..).map(|n| format!("{plain}_{stem}{n}")));
            name = told
                .into_iter()
                .find(|n| !taken.contains(n) && !words.contains(n))
                .unwrap_or(name);
        }
        taken.insert(name.clone());
        out.insert(*id, name);
    }
    out
}

/// `norms` of `<std/norms>` and of `lib/norms.seq`, made fit for a name.
fn stem(module: &str) -> String {
    let last = module.trim_end_matches('>').rsplit(['/', '\\', '<']).next();
    let last = last.unwrap_or("").trim_end_matches(".seq");
    let fit: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if fit.is_empty() { "file".into() } else { fit }
}

/// The recipe of the item, if it has one.
fn recipe(
    map: &SourceMap,
    program: &Program,
    item: &str,
    root: usize,
    names: &BTreeMap<usize, String>,
) -> String {
    let items = program.modules.first().map(|m| m.ast.items.as_slice());
    let found = items
        .unwrap_or_default()
        .iter()
        .find_map(|i| match &i.kind {
            ItemKind::Recipe(r) if r.name.text == item => Some((i.span, r.name.span)),
            _ => None,
        });
    found.map_or(String::new(), |(span, name)| {
        renamed(map, span, std::iter::once((name, root)), names)
    })
}

/// The text of a span, with the names inside it as they are called in the new file; an empty line before it.
fn renamed(
    map: &SourceMap,
    span: Span,
    refs: impl Iterator<Item = (Span, usize)>,
    names: &BTreeMap<usize, String>,
) -> String {
    let mut refs: Vec<(Span, usize)> = refs.collect();
    refs.sort_unstable();
    refs.dedup();
    let mut out = "\n".to_owned();
    let mut at = span.start;
    for (name, id) in refs {
        out.push_str(map.slice(Span::new(span.file, at, name.start)));
        out.push_str(names.get(&id).map_or(map.slice(name), String::as_str));
        at = name.end;
    }
    out.push_str(map.slice(Span::new(span.file, at, span.end)));
    out.push('\n');
    out
}
