//! Given numbers held to the ranges that a header declares.

use super::Given;
use crate::frontend::Source;
use crate::{Error, Result};
use seqc_algebra::Data;
use seqc_hir::Elaborated;
use seqc_syntax::Diagnostic;
use std::collections::BTreeMap;

/// E28, at the range, for the first number that is outside of it.
pub fn in_ranges(source: &Source, e: &Elaborated, given: &BTreeMap<String, Given>) -> Result<()> {
    for range in &e.ranges {
        let Some(Data::Real(data)) = given.get(&range.input).map(|g| &g.data) else {
            continue;
        };
        if let Some((at, x)) = (data.iter().enumerate()).find(|(_, x)| !range.contains(**x)) {
            let d = Diagnostic::error(
                "E28",
                format!("input `{}` holds {x} (entry {at})", range.input),
                range.span,
            );
            let d = d.label("outside of this range");
            return Err(Error::Source(Box::new(source.map.clone()), vec![d]));
        }
    }
    Ok(())
}
