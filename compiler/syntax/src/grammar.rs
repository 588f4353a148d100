//! The parser that pest generates from `grammar/seq.pest`.
//!
//! Why: the grammar file is the only truth about syntax. Invariant: no other module decides what is
//! a token or a rule; they only walk what this one matched.

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../../grammar/seq.pest"]
pub(crate) struct SeqParser;

#[cfg(test)]
mod tests {
    use super::*;
    use pest::Parser;
    use std::collections::BTreeMap;

    const GRAMMAR: &str = include_str!("../../../grammar/seq.pest");

    /// Per rule: the texts it must read to the end, and those it must not.
    fn samples() -> BTreeMap<String, (Vec<String>, Vec<String>)> {
        let mut samples = BTreeMap::new();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for line in GRAMMAR.lines() {
            if let Some(text) = line.strip_prefix("// example: ") {
                good.push(text.replace("\\n", "\n"));
            } else if let Some(text) = line.strip_prefix("// not: ") {
                bad.push(text.replace("\\n", "\n"));
            } else if let Some((rule, _)) = line
                .split_once(" = ")
                .filter(|_| !line.starts_with([' ', '/']))
            {
                let taken = (std::mem::take(&mut good), std::mem::take(&mut bad));
                assert!(
                    samples.insert(rule.to_string(), taken).is_none(),
                    "two rules `{rule}`"
                );
            }
        }
        samples
    }

    /// Whether `rule` matches the whole text; blanks may be left.
    fn reads(rule: Rule, text: &str) -> bool {
        let read = SeqParser::parse(rule, text).map(|pairs| pairs.as_str().len());
        // Silent rules give no pair: for them a match is all that can be asked.
        read.is_ok_and(|end| text[end..].trim().is_empty() || end == 0)
    }

    #[test]
    fn every_rule_reads_its_examples() {
        let samples = samples();
        for rule in Rule::all_rules().iter().filter(|rule| **rule != Rule::EOI) {
            let name = format!("{rule:?}");
            let (good, bad) = samples
                .get(&name)
                .unwrap_or_else(|| panic!("rule `{name}` is not in the grammar"));
            assert!(!good.is_empty(), "rule `{name}` has no example");
            for text in good {
                assert!(reads(*rule, text), "`{name}` must read {text:?}");
            }
            for text in bad {
                assert!(!reads(*rule, text), "`{name}` must not read {text:?}");
            }
        }
    }
}
