//! The AST from the pairs that pest matched: files, items, headers.
//!
//! Why: pairs mirror the grammar's rules; the AST mirrors the language. Invariant: building is total
//! on whatever the grammar matched. A function returns `None` only if grammar and builder disagree
//! on a rule's shape, which the tests over all rules rule out; `parse` still turns it into a
//! diagnostic.

mod exprs;
mod stmts;

use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::grammar::Rule;
use crate::lex::Scan;
use crate::span::{FileId, Span};
use pest::iterators::{Pair, Pairs};
use std::iter::Peekable;

/// The edition of the language that this compiler reads.
const EDITION: u32 = 1;

/// Builds the tree of a file from its `Rule::file` pair, with what is wrong beyond grammar: numbers
/// out of range, unknown editions, trees too deep, settings without kind and default.
pub(crate) fn build(
    file: FileId,
    text: &str,
    scan: &Scan,
    pair: Pair<'_, Rule>,
) -> (Option<File>, Vec<Diagnostic>) {
    let mut builder = Builder {
        file,
        text,
        scan,
        diagnostics: Vec::new(),
        too_deep: false,
    };
    let tree = builder.file(pair);
    (tree, builder.diagnostics)
}

struct Builder<'s> {
    file: FileId,
    text: &'s str,
    scan: &'s Scan,
    diagnostics: Vec<Diagnostic>,
    /// Said once a file: one deep expression makes all those around it too deep.
    too_deep: bool,
}

/// The children of a pair, taken in order.
struct Kids<'a>(Peekable<Pairs<'a, Rule>>);

impl<'a> Kids<'a> {
    fn of(pair: Pair<'a, Rule>) -> Self {
        Kids(pair.into_inner().peekable())
    }

    /// The next child if it is of this rule.
    fn take(&mut self, rule: Rule) -> Option<Pair<'a, Rule>> {
        self.0.next_if(|pair| pair.as_rule() == rule)
    }

    fn next(&mut self) -> Option<Pair<'a, Rule>> {
        self.0.next()
    }
}

impl Builder<'_> {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        // Before an optional last part a match takes blanks and comments even if that part is
        // missing: the node ends with its last token.
        let end = self.scan.trimmed(self.text, span.end());
        // Offsets fit: `parse` refuses files over `MAX_BYTES`.
        Span::new(self.file, span.start() as u32, end as u32)
    }

    fn name(&self, pair: Pair<'_, Rule>) -> Name {
        Name {
            text: pair.as_str().to_string(),
            span: self.span(&pair),
        }
    }

    /// All children, which the grammar says are names.
    fn names(&self, pair: Pair<'_, Rule>) -> Vec<Name> {
        pair.into_inner().map(|name| self.name(name)).collect()
    }

    fn file(&mut self, pair: Pair<'_, Rule>) -> Option<File> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let edition = self.edition(kids.take(Rule::edition)?)?;
        let mut imports = Vec::new();
        while let Some(import) = kids.take(Rule::import) {
            imports.push(self.import(import)?);
        }
        let mut items = Vec::new();
        while let Some(item) = kids.take(Rule::item) {
            items.push(self.item(item)?);
        }
        Some(File {
            edition,
            imports,
            items,
            span,
        })
    }

    fn edition(&mut self, pair: Pair<'_, Rule>) -> Option<Edition> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        kids.take(Rule::kw_seq)?;
        let digits = kids.take(Rule::digits)?;
        let number = digits
            .as_str()
            .replace('_', "")
            .parse::<u32>()
            .ok()
            .filter(|number| *number == EDITION);
        if number.is_none() {
            let message = format!("edition {} of the language is unknown", digits.as_str());
            let error =
                Diagnostic::error("E01", message, self.span(&digits)).label("unknown edition");
            self.diagnostics.push(error.help(format!(
                "this compiler reads edition {EDITION}: write `seq {EDITION}`"
            )));
        }
        Some(Edition {
            number: number.unwrap_or(EDITION),
            span,
        })
    }

    fn import(&mut self, pair: Pair<'_, Rule>) -> Option<Import> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        kids.take(Rule::kw_import)?;
        let path = self.names(kids.take(Rule::path)?);
        let names = kids.0.map(|name| self.name(name)).collect();
        Some(Import { path, names, span })
    }

    fn doc(&self, pair: Pair<'_, Rule>) -> Doc {
        let text = pair.as_str().trim_start_matches("///");
        let text = text.strip_prefix(' ').unwrap_or(text).trim_end();
        Doc {
            text: text.to_string(),
            span: self.span(&pair),
        }
    }

    fn item(&mut self, pair: Pair<'_, Rule>) -> Option<Item> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let mut docs = Vec::new();
        while let Some(doc) = kids.take(Rule::doc) {
            docs.push(self.doc(doc));
        }
        let pair = kids.next()?;
        let kind = match pair.as_rule() {
            Rule::mixer => ItemKind::Mixer(self.mixer(pair)?),
            Rule::recipe => ItemKind::Recipe(self.recipe(pair)?),
            _ => return None,
        };
        Some(Item { docs, kind, span })
    }

    fn mixer(&mut self, pair: Pair<'_, Rule>) -> Option<Mixer> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let mut head = Kids::of(kids.take(Rule::mixer_head)?);
        let kind = match head.take(Rule::mixer_kw)?.as_str() {
            "model" => MixerKind::Model,
            _ => MixerKind::Mixer,
        };
        let name = self.name(head.take(Rule::ident)?);
        let group = head
            .take(Rule::group)
            .map(|pair| self.names(pair))
            .unwrap_or_default();
        let inputs = self.ports(head.take(Rule::inputs)?)?;
        let hypers = match head.take(Rule::hypers) {
            Some(pair) => pair
                .into_inner()
                .map(|hyper| self.hyper(hyper))
                .collect::<Option<_>>()?,
            None => Vec::new(),
        };
        let outputs = self.ports(head.take(Rule::outputs)?)?;
        let body = self.body(kids.take(Rule::body)?)?;
        Some(Mixer {
            kind,
            name,
            group,
            inputs,
            hypers,
            outputs,
            body,
            span,
        })
    }

    fn ports(&mut self, pair: Pair<'_, Rule>) -> Option<Vec<Port>> {
        pair.into_inner().map(|port| self.port(port)).collect()
    }

    fn port(&mut self, pair: Pair<'_, Rule>) -> Option<Port> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let name = self.name(kids.take(Rule::ident)?);
        let ty = self.ty(kids.take(Rule::ty)?)?;
        let domain = match kids.take(Rule::domain) {
            Some(domain) => Some(self.domain(domain)?),
            None => None,
        };
        Some(Port {
            name,
            ty,
            domain,
            span,
        })
    }

    fn hyper(&mut self, pair: Pair<'_, Rule>) -> Option<Hyper> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let name = self.name(kids.take(Rule::ident)?);
        let kind = kids.take(Rule::kind).map(|kind| match kind.as_str() {
            "mixer" => HyperKind::Mixer,
            "int" => HyperKind::Int,
            "float" => HyperKind::Float,
            _ => HyperKind::Bool,
        });
        let default = match kids.take(Rule::expr) {
            Some(expr) => Some(self.expr(expr)?),
            None => None,
        };
        if kind.is_none() && default.is_none() {
            let message = format!("setting `{}` has neither a default nor a kind", name.text);
            let help = format!(
                "write `{0} = 4`, or `{0}: int` if every use must give it",
                name.text
            );
            self.diagnostics.push(
                Diagnostic::error("E01", message, span)
                    .label("no default, no kind")
                    .help(help),
            );
        }
        Some(Hyper {
            name,
            kind,
            default,
            span,
        })
    }

    fn ty(&mut self, pair: Pair<'_, Rule>) -> Option<Type> {
        let span = self.span(&pair);
        let pair = pair.into_inner().next()?;
        if pair.as_rule() == Rule::axes {
            return Some(Type {
                seq: None,
                axes: self.names(pair),
                span,
            });
        }
        let mut kids = Kids::of(pair);
        kids.take(Rule::kw_seq)?;
        let clock = match kids.take(Rule::clock) {
            Some(pair) => Some(self.clock(pair)?),
            None => None,
        };
        let range = match kids.take(Rule::range_of) {
            Some(pair) => Some(self.name(pair.into_inner().next()?)),
            None => None,
        };
        let axes = kids
            .take(Rule::axes)
            .map(|pair| self.names(pair))
            .unwrap_or_default();
        Some(Type {
            seq: Some(SeqType { clock, range }),
            axes,
            span,
        })
    }

    fn clock(&mut self, pair: Pair<'_, Rule>) -> Option<Clock> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let name = self.name(kids.take(Rule::ident)?);
        let divisor = match kids.take(Rule::count) {
            Some(pair) => Some(self.count(pair)?),
            None => None,
        };
        Some(Clock {
            name,
            divisor,
            span,
        })
    }

    fn count(&mut self, pair: Pair<'_, Rule>) -> Option<Count> {
        let span = self.span(&pair);
        let pair = pair.into_inner().next()?;
        if pair.as_rule() == Rule::ident {
            return Some(Count::Name(self.name(pair)));
        }
        let value = pair.as_str().replace('_', "").parse::<u64>().ok();
        if value.is_none() {
            let message = format!("the count `{}` is too large", pair.as_str());
            self.diagnostics
                .push(Diagnostic::error("E01", message, span).label("more than 64 bits hold"));
        }
        Some(Count::Literal {
            value: value.unwrap_or(0),
            span,
        })
    }

    fn recipe(&mut self, pair: Pair<'_, Rule>) -> Option<Recipe> {
        let span = self.span(&pair);
        let mut kids = Kids::of(pair);
        let mut head = Kids::of(kids.take(Rule::recipe_head)?);
        head.take(Rule::kw_recipe)?;
        let name = self.name(head.take(Rule::ident)?);
        let mut settings = Vec::new();
        while let Some(pair) = kids.take(Rule::setting) {
            let span = self.span(&pair);
            let mut kids = Kids::of(pair);
            let name = self.name(kids.take(Rule::ident)?);
            let value = self.expr(kids.take(Rule::expr)?)?;
            settings.push(Setting { name, value, span });
        }
        Some(Recipe {
            name,
            settings,
            span,
        })
    }
}
