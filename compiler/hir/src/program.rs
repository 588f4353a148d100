//! A program: a file, what it imports, and what each name of a mixer means in each file.
//!
//! `import a/b (x)` reads `a/b.seq` beside the importing file; `std` and `std/…` are always the standard library
//! built into the compiler. Names that a file imports can be imported from it, so that a file may gather others.
//! The names of `std/prelude` need no import. Invariant: `items` holds every mixer of every file once.

use crate::stdlib;
use seqc_syntax::ast::{File, ItemKind, Mixer, Name, Recipe};
use seqc_syntax::{Diagnostic, FileId, SourceMap, Span, did_you_mean, parse};
use std::collections::HashMap;
use std::path::Path;

/// Finds the text of an imported file that is not part of the standard library.
pub trait ImportResolver {
    /// `path` as written, without `.seq`; `from` is the importing file's name. `Ok(None)`: no such file.
    /// The answer's name identifies the file: the same name is never read twice.
    fn resolve(&self, path: &[&str], from: &str) -> std::io::Result<Option<(String, Vec<u8>)>>;
}

/// Reads imports from the folder of the importing file.
pub struct BesideImporter;

impl ImportResolver for BesideImporter {
    fn resolve(&self, path: &[&str], from: &str) -> std::io::Result<Option<(String, Vec<u8>)>> {
        let mut file = Path::new(from)
            .parent()
            .unwrap_or(Path::new(""))
            .to_path_buf();
        file.extend(path);
        file.set_extension("seq");
        match seqc_files::first_bytes(&file, seqc_syntax::MAX_BYTES as u64 + 1) {
            Ok(bytes) => Ok(Some((file.display().to_string(), bytes))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Only the standard library.
pub struct NoImports;

impl ImportResolver for NoImports {
    fn resolve(&self, _: &[&str], _: &str) -> std::io::Result<Option<(String, Vec<u8>)>> {
        Ok(None)
    }
}

/// One file.
#[derive(Debug)]
pub struct Module {
    pub file: FileId,
    pub name: String,
    pub ast: File,
    /// What each import means: module and line, in the order of `ast.imports`.
    targets: Vec<Option<usize>>,
}

/// A mixer's place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub module: usize,
    pub item: usize,
}

#[derive(Debug)]
pub struct Program {
    pub modules: Vec<Module>,
    pub items: Vec<Place>,
    by_name: HashMap<(usize, String), usize>,
    prelude: Option<usize>,
}

struct Loader<'a> {
    map: &'a mut SourceMap,
    resolver: &'a dyn ImportResolver,
    modules: Vec<Module>,
    known: HashMap<String, Option<usize>>,
    diags: Vec<Diagnostic>,
}

/// Reads `file` (already in the map) and everything it imports. Errors: E01, E02 of the parser, E04 for a name
/// that is both defined and imported, E29 for imports that lead nowhere.
pub fn load(
    map: &mut SourceMap,
    file: FileId,
    resolver: &dyn ImportResolver,
) -> Result<Program, Vec<Diagnostic>> {
    let mut loader = Loader {
        map,
        resolver,
        modules: vec![],
        known: HashMap::new(),
        diags: vec![],
    };
    let name = loader.map.name(file).to_owned();
    loader.module(file, &name);
    let prelude = loader.std_module(&["std", "prelude"]);
    let Loader {
        modules, mut diags, ..
    } = loader;
    let mut program = Program {
        modules,
        items: vec![],
        by_name: HashMap::new(),
        prelude,
    };
    program.collect(&mut diags);
    program.check_headers(&mut diags);
    program.check_imports(&mut diags);
    if diags.iter().any(Diagnostic::is_error) {
        Err(diags)
    } else {
        Ok(program)
    }
}

impl Loader<'_> {
    fn module(&mut self, file: FileId, name: &str) -> Option<usize> {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let (ast, diags) = parse(self.map, file);
        self.diags.extend(diags);
        let Some(ast) = ast else {
            self.known.insert(name.to_owned(), None);
            return None;
        };
        let index = self.modules.len();
        self.known.insert(name.to_owned(), Some(index));
        let imports = ast.imports.clone();
        self.modules.push(Module {
            file,
            name: name.to_owned(),
            ast,
            targets: vec![],
        });
        let mut targets = Vec::new();
        for import in &imports {
            let path: Vec<&str> = import.path.iter().map(|n| n.text.as_str()).collect();
            let at = import
                .path
                .iter()
                .skip(1)
                .fold(import.path[0].span, |at, n| {
                    Span::new(at.file, at.start, n.span.end)
                });
            let target = if path[0] == "std" {
                self.std_module(&path)
            } else {
                self.beside(&path, name, at)
            };
            if target.is_none() && path[0] == "std" {
                let written = path.join("/");
                let near = did_you_mean(&written, stdlib::paths());
                let mut d = Diagnostic::error(
                    "E29",
                    format!("the standard library has no file `{written}`"),
                    at,
                );
                if let Some(near) = near {
                    d = d.help(format!("did you mean `{near}`?"));
                }
                self.diags.push(d);
            }
            targets.push(target);
        }
        self.modules[index].targets = targets;
        Some(index)
    }

    fn std_module(&mut self, path: &[&str]) -> Option<usize> {
        let key = path.join("/");
        let text = stdlib::text(&key)?;
        let name = format!("<{key}>");
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        let file = self.map.add(name.clone(), text.as_bytes().to_vec());
        self.module(file, &name)
    }

    fn beside(&mut self, path: &[&str], from: &str, span: Span) -> Option<usize> {
        let written = path.join("/");
        match self.resolver.resolve(path, from) {
            Ok(Some((name, bytes))) => {
                if let Some(known) = self.known.get(&name) {
                    return *known;
                }
                let file = self.map.add(name.clone(), bytes);
                self.module(file, &name)
            }
            Ok(None) => {
                let d = Diagnostic::error(
                    "E29",
                    format!("there is no file `{written}.seq` to import from"),
                    span,
                );
                self.diags
                    .push(d.help("paths are relative to this file; `std` is the standard library"));
                None
            }
            Err(e) => {
                self.diags.push(Diagnostic::error(
                    "E29",
                    format!("`{written}.seq` cannot be read: {e}"),
                    span,
                ));
                None
            }
        }
    }
}

impl Program {
    /// Lists the mixers and finds names defined twice in a file.
    fn collect(&mut self, diags: &mut Vec<Diagnostic>) {
        for (m, module) in self.modules.iter().enumerate() {
            let mut recipes: HashMap<&str, Span> = HashMap::new();
            for (i, item) in module.ast.items.iter().enumerate() {
                let (name, old) = match &item.kind {
                    ItemKind::Mixer(mixer) => {
                        let id = self.items.len();
                        self.items.push(Place { module: m, item: i });
                        let key = (m, mixer.name.text.clone());
                        let old = self
                            .by_name
                            .get(&key)
                            .map(|old| place_name(&self.modules, self.items[*old]));
                        self.by_name.entry(key).or_insert(id);
                        (&mixer.name, old)
                    }
                    ItemKind::Recipe(recipe) => (
                        &recipe.name,
                        recipes.insert(&recipe.name.text, recipe.name.span),
                    ),
                };
                if let Some(old) = old {
                    let d = Diagnostic::error(
                        "E04",
                        format!("`{}` has two definitions", name.text),
                        name.span,
                    );
                    diags.push(
                        d.label("the second")
                            .secondary(old, "the first")
                            .help("rename one of them"),
                    );
                }
            }
        }
    }

    /// E04: the names of a header are inputs, settings and outputs, each of them once.
    fn check_headers(&self, diags: &mut Vec<Diagnostic>) {
        for id in 0..self.items.len() {
            let m = self.mixer(id);
            let inputs = m.inputs.iter().map(|p| &p.name);
            let given: Vec<&Name> = inputs.chain(m.hypers.iter().map(|h| &h.name)).collect();
            let outputs: Vec<&Name> = m.outputs.iter().map(|p| &p.name).collect();
            for names in [given, outputs, m.group.iter().collect()] {
                for (k, name) in names.iter().enumerate() {
                    let Some(old) = names[..k].iter().find(|o| o.text == name.text) else {
                        continue;
                    };
                    let what = format!("`{}` has two definitions", name.text);
                    let d = Diagnostic::error("E04", what, name.span).label("the second");
                    diags.push(
                        d.secondary(old.span, "the first")
                            .help("rename one of them"),
                    );
                }
            }
        }
    }

    fn check_imports(&self, diags: &mut Vec<Diagnostic>) {
        for (m, module) in self.modules.iter().enumerate() {
            for (import, target) in module.ast.imports.iter().zip(&module.targets) {
                let Some(target) = target else { continue };
                for name in &import.names {
                    if let Some(own) = self.by_name.get(&(m, name.text.clone())) {
                        let own = place_name(&self.modules, self.items[*own]);
                        let d = Diagnostic::error(
                            "E04",
                            format!("`{}` is defined here and imported", name.text),
                            name.span,
                        );
                        diags.push(
                            d.secondary(own, "defined here")
                                .help("rename the definition, or do not import the name"),
                        );
                    } else if self.find(*target, &name.text, &mut vec![]).is_none() {
                        let known = self.names(*target);
                        let mut d = Diagnostic::error(
                            "E29",
                            format!(
                                "`{}` has no mixer `{}`",
                                shown(&self.modules[*target].name),
                                name.text
                            ),
                            name.span,
                        );
                        if let Some(near) =
                            did_you_mean(&name.text, known.iter().map(String::as_str))
                        {
                            d = d.help(format!("did you mean `{near}`?"));
                        }
                        diags.push(d);
                    }
                }
            }
        }
    }

    /// The mixer called `name` as seen from a file, following its imports.
    fn find(&self, module: usize, name: &str, seen: &mut Vec<usize>) -> Option<usize> {
        if seen.contains(&module) {
            return None;
        }
        seen.push(module);
        if let Some(id) = self.by_name.get(&(module, name.to_owned())) {
            return Some(*id);
        }
        let m = &self.modules[module];
        let named = m
            .ast
            .imports
            .iter()
            .zip(&m.targets)
            .filter(|(import, _)| import.names.iter().any(|n| n.text == name));
        named
            .filter_map(|(_, t)| *t)
            .find_map(|t| self.find(t, name, seen))
    }

    /// What `name` means in a file: its own, imported, or from the prelude.
    pub fn lookup(&self, module: usize, name: &str) -> Option<usize> {
        let found = self.find(module, name, &mut vec![]);
        found.or_else(|| self.prelude.and_then(|p| self.find(p, name, &mut vec![])))
    }

    /// Every mixer name that a file sees.
    pub fn names(&self, module: usize) -> Vec<String> {
        let m = &self.modules[module];
        let own = self
            .by_name
            .keys()
            .filter(|(k, _)| *k == module)
            .map(|(_, n)| n.clone());
        let mut all: Vec<String> = own
            .chain(
                m.ast
                    .imports
                    .iter()
                    .flat_map(|i| i.names.iter().map(|n| n.text.clone())),
            )
            .collect();
        if let Some(p) = self.prelude.filter(|p| *p != module) {
            all.extend(
                self.by_name
                    .keys()
                    .filter(|(k, _)| *k == p)
                    .map(|(_, n)| n.clone()),
            );
        }
        all.sort();
        all.dedup();
        all
    }

    pub fn mixer(&self, id: usize) -> &Mixer {
        let place = self.items[id];
        match &self.modules[place.module].ast.items[place.item].kind {
            ItemKind::Mixer(mixer) => mixer,
            ItemKind::Recipe(_) => unreachable!("`items` lists mixers only"),
        }
    }

    /// The `///` lines above a mixer.
    pub fn docs(&self, id: usize) -> Vec<(String, Span)> {
        let place = self.items[id];
        self.modules[place.module].ast.items[place.item]
            .docs
            .iter()
            .map(|d| (d.text.clone(), d.span))
            .collect()
    }

    /// The mixers and models of the file that was loaded, in order.
    pub fn own(&self) -> Vec<usize> {
        (0..self.items.len())
            .filter(|i| self.items[*i].module == 0)
            .collect()
    }

    /// The recipe called `name` of the file that was loaded.
    pub fn recipe(&self, name: &str) -> Option<&Recipe> {
        self.modules
            .first()?
            .ast
            .items
            .iter()
            .find_map(|item| match &item.kind {
                ItemKind::Recipe(r) if r.name.text == name => Some(r),
                _ => None,
            })
    }

    pub fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        self.modules
            .first()
            .into_iter()
            .flat_map(|m| &m.ast.items)
            .filter_map(|item| match &item.kind {
                ItemKind::Recipe(r) => Some(r),
                ItemKind::Mixer(_) => None,
            })
    }
}

fn place_name(modules: &[Module], place: Place) -> Span {
    match &modules[place.module].ast.items[place.item].kind {
        ItemKind::Mixer(m) => m.name.span,
        ItemKind::Recipe(r) => r.name.span,
    }
}

/// `<std/norms>` as a reader writes it.
fn shown(name: &str) -> &str {
    name.trim_start_matches('<').trim_end_matches('>')
}
