//! A file becomes a checked program; one of its mixers or models becomes algebra.

use crate::{Error, Result, other};
use seqc_hir::{BesideImporter, Elaborated, ImportResolver, Inlined, NoImports, Program};
use seqc_syntax::{FileId, SourceMap};
use std::path::Path;

/// A program with the texts it came from.
pub struct Source {
    pub map: SourceMap,
    pub program: Program,
}

/// Reads, parses and resolves a file and what it imports.
pub fn open(path: &Path) -> Result<Source> {
    read(path, &BesideImporter)
}

/// The same of a file that stands alone: it may import the standard library only.
pub fn open_alone(path: &Path) -> Result<Source> {
    read(path, &NoImports)
}

fn read(path: &Path, imports: &dyn ImportResolver) -> Result<Source> {
    let mut map = SourceMap::new();
    let id = map
        .read(path)
        .map_err(|e| other(&path.display().to_string(), e))?;
    resolve(map, id, imports)
}

/// A text that stands alone, under the name that diagnostics show.
pub fn of_text(name: &str, text: &str) -> Result<Source> {
    let mut map = SourceMap::new();
    let id = map.add(name, text.as_bytes());
    resolve(map, id, &NoImports)
}

fn resolve(mut map: SourceMap, id: FileId, imports: &dyn ImportResolver) -> Result<Source> {
    match seqc_hir::load(&mut map, id, imports) {
        Ok(program) => Ok(Source { map, program }),
        Err(diagnostics) => Err(Error::Source(Box::new(map), diagnostics)),
    }
}

impl Source {
    /// The file's own mixers and models, in order: name, and whether it is a model.
    pub fn items(&self) -> Vec<(String, bool)> {
        let own = self.program.own();
        own.into_iter()
            .map(|i| {
                let m = self.program.mixer(i);
                (
                    m.name.text.clone(),
                    matches!(m.kind, seqc_syntax::ast::MixerKind::Model),
                )
            })
            .collect()
    }

    /// The mixer or model of that name, or all of the file.
    pub fn chosen(&self, wanted: Option<&str>) -> Result<Vec<String>> {
        let all: Vec<String> = self.items().into_iter().map(|(n, _)| n).collect();
        match wanted {
            None => Ok(all),
            Some(name) if all.iter().any(|n| n == name) => Ok(vec![name.to_owned()]),
            Some(name) => Err(Error::Usage(format!(
                "the file has no mixer or model `{name}`; it has {}",
                list(&all)
            ))),
        }
    }

    /// The one of that name, or the file's only one, or its only model.
    pub fn one(&self, wanted: Option<&str>) -> Result<String> {
        let all = self.chosen(wanted)?;
        match all.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Error::Other("the file has no mixer and no model".into())),
            several => {
                let items = self.items();
                let mut models = items.iter().filter(|i| i.1);
                match (models.next(), models.next()) {
                    (Some((one, _)), None) => Ok(one.clone()),
                    _ => Err(Error::Usage(format!(
                        "the file has several mixers ({}); choose one with --mixer",
                        list(several)
                    ))),
                }
            }
        }
    }

    /// The model to train: the one named, or the only one.
    pub fn model(&self, wanted: Option<&str>) -> Result<String> {
        let models: Vec<String> = self
            .items()
            .into_iter()
            .filter(|(_, m)| *m)
            .map(|(n, _)| n)
            .collect();
        match (wanted, models.as_slice()) {
            (Some(name), all) if all.iter().any(|n| n == name) => Ok(name.to_owned()),
            (Some(name), all) => Err(Error::Other(format!("there is no model `{name}`; the file has {}", list(all)))),
            (None, [one]) => Ok(one.clone()),
            (None, []) => Err(Error::Other("the file has no model, only mixers; write `model NAME(tokens: seq<vocab>; …) -> logits: …`".into())),
            (None, all) => Err(Error::Other(format!("the file has several models ({}); choose one with --model", list(all)))),
        }
    }

    /// Does a doc line of the item claim a class?
    pub fn documents_class(&self, item: &str) -> bool {
        let own = self.program.own().into_iter();
        own.filter(|i| self.program.mixer(*i).name.text == item)
            .any(|i| {
                self.program
                    .docs(i)
                    .iter()
                    .any(|(d, _)| d.contains("class:"))
            })
    }

    /// Elaborates one item with settings.
    pub fn elaborate(&self, item: &str, settings: &[(String, String)]) -> Result<Elaborated> {
        seqc_hir::elaborate(&self.program, item, settings)
            .map_err(|d| Error::Source(Box::new(self.map.clone()), d))
    }

    /// One item with everything that it and the settings reach, as a file by itself.
    pub fn inline(&self, item: &str, settings: &[(String, String)]) -> Result<Inlined> {
        seqc_hir::inline(&self.map, &self.program, item, settings)
            .map_err(|d| Error::Source(Box::new(self.map.clone()), d))
    }

    /// The header's axes of each output of an item, in order.
    pub fn declared(&self, item: &str) -> Vec<(String, Vec<String>)> {
        let mixers = self
            .program
            .own()
            .into_iter()
            .map(|i| self.program.mixer(i));
        let found = mixers.into_iter().find(|m| m.name.text == item);
        let axes = |p: &seqc_syntax::ast::Port| {
            let names = p.ty.axes.iter().map(|a| a.text.clone()).collect();
            (p.name.text.clone(), names)
        };
        found.map_or(vec![], |m| m.outputs.iter().map(axes).collect())
    }

    /// The names of an item's settings, in order.
    pub fn settings_of(&self, item: &str) -> Vec<String> {
        let mixers = self
            .program
            .own()
            .into_iter()
            .map(|i| self.program.mixer(i));
        let found = mixers.into_iter().find(|m| m.name.text == item);
        found.map_or(vec![], |m| {
            m.hypers.iter().map(|h| h.name.text.clone()).collect()
        })
    }

    /// All texts, in order of loading: what an artifact depends on.
    pub fn texts(&self) -> Vec<(String, String)> {
        self.map
            .files()
            .map(|f| (self.map.name(f).to_owned(), self.map.text(f).to_owned()))
            .collect()
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
