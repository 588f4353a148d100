//! What the formatter must know of the grammar: where lines begin, which braces are blocks, what is
//! written without blanks.
//!
//! Why: tokens alone cannot tell a block's brace from a pick's. Invariant: every mark is the byte
//! offset of a token, found from the pairs of the file.

use crate::grammar::Rule;
use crate::lex::{Token, TokenKind};
use pest::iterators::Pair;
use std::collections::BTreeSet;
use std::ops::Range;

pub(super) struct Marks {
    begin: BTreeSet<usize>,
    open: BTreeSet<usize>,
    close: BTreeSet<usize>,
    unary: BTreeSet<usize>,
    /// No blanks inside, nor before the first token. Disjoint, in order.
    tight: Vec<Range<usize>>,
    /// Where the first item begins, with its doc lines.
    pub first_item: Option<usize>,
}

impl Marks {
    pub fn new(file: Pair<'_, Rule>, tokens: &[Token<'_>]) -> Self {
        let mut marks = Marks {
            begin: BTreeSet::new(),
            open: BTreeSet::new(),
            close: BTreeSet::new(),
            unary: BTreeSet::new(),
            tight: Vec::new(),
            first_item: None,
        };
        for pair in file.into_inner().flatten() {
            marks.mark(&pair, tokens);
        }
        marks.begin.extend(&marks.close);
        marks
    }

    fn mark(&mut self, pair: &Pair<'_, Rule>, tokens: &[Token<'_>]) {
        let span = pair.as_span();
        let range = span.start()..span.end();
        match pair.as_rule() {
            Rule::item => {
                self.first_item.get_or_insert(range.start);
                self.begin.insert(range.start);
            }
            Rule::edition
            | Rule::import
            | Rule::doc
            | Rule::mixer_head
            | Rule::stmt
            | Rule::setting => {
                self.begin.insert(range.start);
            }
            Rule::body => self.block(range.start, range.end),
            Rule::recipe => {
                self.begin.insert(range.start);
                let brace = tokens
                    .iter()
                    .find(|token| token.start > range.start && token.is("{"));
                self.block(brace.map_or(range.start, |token| token.start), range.end);
            }
            Rule::minus => {
                self.unary.insert(range.start);
            }
            Rule::clock | Rule::range_of | Rule::decl_index | Rule::path => self.tight.push(range),
            Rule::index | Rule::lhs_index if is_simple(&range, tokens) => self.tight.push(range),
            _ => {}
        }
    }

    fn block(&mut self, open: usize, end: usize) {
        self.open.insert(open);
        self.close.insert(end.saturating_sub(1));
    }

    pub fn begins(&self, at: usize) -> bool {
        self.begin.contains(&at)
    }

    /// Whether the token is the `{` of a block.
    pub fn opens(&self, at: usize) -> bool {
        self.open.contains(&at)
    }

    /// Whether the token is the `}` of a block.
    pub fn closes(&self, at: usize) -> bool {
        self.close.contains(&at)
    }

    /// Whether the token is a sign, not a difference.
    pub fn is_unary(&self, at: usize) -> bool {
        self.unary.contains(&at)
    }

    /// Whether the token stands in a piece written without blanks.
    pub fn is_tight(&self, at: usize) -> bool {
        let after = self.tight.partition_point(|range| range.start <= at);
        after
            .checked_sub(1)
            .is_some_and(|index| self.tight[index].contains(&at))
    }
}

/// Times as papers write them, `[t-1,j]`: every index a name, a number, or a name ± a number.
fn is_simple(range: &Range<usize>, tokens: &[Token<'_>]) -> bool {
    let from = tokens.partition_point(|token| token.start <= range.start);
    let to = tokens.partition_point(|token| token.end() < range.end);
    let Some(inside) = tokens.get(from..to) else {
        return false;
    };
    inside
        .split(|token| token.is(","))
        .all(|index| match index {
            [only] => matches!(only.kind, TokenKind::Word | TokenKind::Number),
            [name, sign, number] => {
                let signed = sign.is("+") || sign.is("-");
                name.kind == TokenKind::Word && signed && number.kind == TokenKind::Number
            }
            _ => false,
        })
}
