//! The table of mixers: one row each, as Markdown.

use super::{Report, report};
use crate::frontend::Source;
use crate::passes::Shapes;
use crate::{Error, Result, other};
use serde_json::Value;
use std::collections::BTreeMap;

/// What certificates say, by mixer: the text of the table's last column.
#[derive(Clone, Debug, Default)]
pub struct Certificates(BTreeMap<String, String>);

impl Certificates {
    /// Reads what `seqc verify --json` writes: one certificate or a list of them. A certificate is green if it has
    /// rows, none failed, and every worst error is within its bound.
    pub fn parse(text: &str) -> Result<Certificates> {
        let value: Value = serde_json::from_str(text).map_err(|e| other("certificates", e))?;
        let list = match value {
            Value::Array(list) => list,
            one => vec![one],
        };
        let mut all = BTreeMap::new();
        for c in &list {
            let name = c.get("mixer").and_then(Value::as_str);
            let rows = c.get("rows").and_then(Value::as_array);
            let (Some(name), Some(rows)) = (name, rows) else {
                return Err(other("certificates", "each needs `mixer` and `rows`"));
            };
            let word = match c.get("unbuilt").is_some_and(|u| !u.is_null()) {
                true => "not built",
                false if !rows.is_empty() && rows.iter().all(green) => "certified",
                false => "red",
            };
            all.insert(name.to_owned(), word.to_owned());
        }
        Ok(Certificates(all))
    }
}

/// A row without failure whose worst error is within its bound (a `null` error is no number).
fn green(row: &Value) -> bool {
    let worst = |key| row.pointer(key).and_then(Value::as_f64);
    let failed = row.get("failure").is_some_and(|f| !f.is_null());
    match (worst("/worst/error"), worst("/worst/bound")) {
        (Some(error), Some(bound)) => !failed && error <= bound,
        _ => false,
    }
}

const HEAD: &str = "| mixer | lines | class | forms | FLOPs, training form | state, bytes | certificate |\n|---|---|---|---|---|---|---|\n";

/// A mixer's report, or its name and why it has none.
pub type Entry = std::result::Result<Report, (String, String)>;

/// The reports of a file's mixers and models, in order.
pub fn entries(source: &Source, set: &[(String, String)], shapes: &Shapes) -> Vec<Entry> {
    let one = |name: String| {
        let e = source.elaborate(&name, set);
        e.and_then(|e| report(source, &e, shapes))
            .map_err(|why| (name, reason(&why)))
    };
    source.items().into_iter().map(|(n, _)| one(n)).collect()
}

/// An error in one line, for a cell of the table.
fn reason(e: &Error) -> String {
    match e {
        Error::Source(_, d) => match d.first() {
            Some(d) => format!("{}: {}", d.code, d.message),
            None => "it does not check".into(),
        },
        Error::Usage(why) | Error::Other(why) => why.lines().next().unwrap_or_default().to_owned(),
    }
}

/// One row a mixer; the training form is the last one listed.
/// A mixer that cannot be explained has its name and the reason.
pub fn table(reports: &[Entry], certificates: &Certificates) -> String {
    let mut out = HEAD.to_owned();
    for r in reports {
        let row = match r {
            Ok(r) => row(r, certificates),
            Err((name, why)) => vec![
                format!("`{name}`"),
                String::new(),
                format!("— {why}"),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
            ],
        };
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out
}

fn row(r: &Report, certificates: &Certificates) -> Vec<String> {
    let mut class = vec![r.class.to_owned()];
    class.extend(r.qualities.iter().cloned());
    let forms: Vec<&str> = r.forms.iter().map(|f| f.form).collect();
    let state = match &r.generation {
        Ok(g) => g.state_bytes.clone(),
        Err(_) => "none".into(),
    };
    vec![
        format!("`{}`", r.name),
        r.lines.to_string(),
        class.join(", "),
        forms.join(", "),
        r.forms.last().map(|f| f.flops.clone()).unwrap_or_default(),
        state,
        certificates.0.get(&r.name).cloned().unwrap_or_default(),
    ]
}
