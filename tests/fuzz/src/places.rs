//! Where a spec that parses has expressions and names.
//!
//! Read off the tree as JSON, in which an expression is what has just a `kind` and a `span`, and a name just a `text`
//! and a `span`: one walk, whatever nodes the language gains.

use seqc_syntax::{SourceMap, parse};
use serde_json::Value;
use std::ops::Range;

#[derive(Default)]
pub struct Places {
    pub exprs: Vec<Range<usize>>,
    pub names: Vec<Range<usize>>,
}

/// Nothing for a text that does not parse.
pub fn places(text: &str) -> Places {
    let mut map = SourceMap::new();
    let file = map.add("spec.seq", text);
    let mut out = Places::default();
    if let (Some(tree), _) = parse(&map, file)
        && let Ok(tree) = serde_json::to_value(&tree)
    {
        walk(&tree, text, &mut out);
    }
    out
}

fn walk(v: &Value, text: &str, out: &mut Places) {
    match v {
        Value::Array(list) => list.iter().for_each(|v| walk(v, text, out)),
        Value::Object(fields) => {
            if let Some(at) = span(v).filter(|_| fields.len() == 2) {
                if fields.contains_key("kind") {
                    out.exprs.push(at);
                } else if fields.contains_key("text") && !text[at.clone()].starts_with("///") {
                    out.names.push(at);
                }
            }
            fields.values().for_each(|v| walk(v, text, out));
        }
        _ => {}
    }
}

fn span(v: &Value) -> Option<Range<usize>> {
    let end = |name: &str| usize::try_from(v["span"][name].as_u64()?).ok();
    Some(end("start")?..end("end")?)
}
